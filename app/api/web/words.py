"""What the pages say, in English and Chinese: two catalogues with the same keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from app.types import Language

IN_BROWSER = "js."
"""Keys that begin so are handed to the scripts of a page too."""


class Words:
    """The catalogue of one language. A key that it lacks is a fault of ours and raises `KeyError`."""

    def __init__(self, language: Language, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key` with `values` in its braces; values are never read as templates."""
        text = self._texts[key]
        return text.format(**values) if values else text

    def has(self, key: str) -> bool:
        return key in self._texts

    def count(self, key: str, n: int, **values: object) -> str:
        """The text of `key.one` or `key.other`, as English has it; Chinese says the same in both."""
        return self(f"{key}.{'one' if n == 1 else 'other'}", n=f"{n:,}", **values)

    def in_browser(self) -> dict[str, str]:
        """What the scripts say, by keys without their common beginning."""
        return {key.removeprefix(IN_BROWSER): text for key, text in self._texts.items() if key.startswith(IN_BROWSER)}


@cache
def words_in(language: Language) -> Words:
    """The catalogue of `language`."""
    return Words(language, catalogue(language))


def catalogue(language: Language) -> dict[str, str]:
    """Key to text, as the file has it."""
    text = (files("app.api.web") / "catalogues" / f"{language}.json").read_text(encoding="utf-8")
    read: Any = json.loads(text)
    return {str(key): str(value) for key, value in read.items()}
