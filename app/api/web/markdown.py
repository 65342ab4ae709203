"""What a model wrote, as HTML that can do nothing: emphasis and code, no links, no images, no tags of its own."""

from __future__ import annotations

from functools import cache
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

ALLOWED: Final = {"em", "strong", "code", "br"}


def inline(text: str) -> Markup:
    """One sentence, rendered. Tags in it are text; whatever else the renderer may let through is taken out after."""
    return Markup(nh3.clean(_renderer().renderInline(text), tags=ALLOWED, attributes={}))  # noqa: S704 - just cleaned


@cache
def _renderer() -> MarkdownIt:
    """Starts from nothing: only what is named here is read as markup."""
    return MarkdownIt("zero", {"html": False}).enable(["emphasis", "backticks", "escape", "newline"])
