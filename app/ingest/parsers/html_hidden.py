"""Which elements of an HTML page a reader does not see, or sees on every page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_NEVER_SHOWN: Final = frozenset(
    "annotation annotation-xml applet audio canvas datalist del embed frame iframe nav noembed noframes noscript "
    "object rp rt script select style svg template textarea video".split()
)
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_END: Final = r"\s*(?:!|;|\Z)"
_ZERO: Final = r"\s*:\s*[-+]?0*(?:\.0*)?(?:px|pt|em|rem|ex|ch|vw|vh|%)?" + _END
_HIDING: Final = re.compile(
    r"(?<![\w-])(?:"
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|content-visibility\s*:\s*hidden|mso-hide\s*:\s*all"
    rf"|(?:opacity|font-size|max-height|max-width){_ZERO}"
    r"|font\s*:\s*0(?![.\d])"
    r"|font-size\s*:\s*0?\.\d+(?:px|pt)"
    r"|font-size\s*:\s*1px"
    r"|(?:text-indent|left|top|right|bottom)\s*:\s*-\s*\d{3,}"
    r"|clip\s*:\s*rect\(\s*[01](?:px)?[\s,]+[01](?:px)?[\s,]"
    r"|(?:color|-webkit-text-fill-color)\s*:\s*transparent"
    r"|transform\s*:\s*scale\(\s*0\s*\)"
    r")",
    re.IGNORECASE,
)


def is_hidden(tag: str, attributes: Mapping[str, str]) -> bool:
    """Whether an element and all inside it are left out: no text for readers, a menu, or hidden by its attributes.

    Styles of classes are not looked up: what a style sheet hides is often shown by a click, as in folded sections.
    """
    if tag in _NEVER_SHOWN:
        return True
    if not attributes:
        return False
    if "hidden" in attributes or attributes.get("aria-hidden", "").strip().lower() == "true":
        return True
    if attributes.get("role", "").strip().lower() == "navigation":
        return True
    style = attributes.get("style", "")
    return bool(style) and bool(_HIDING.search(_COMMENT.sub("", style)))
