"""What no answer shows, whatever the model writes: addresses and markup that were not retrieved, and the prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import get_args

from app.generate.prompt import constant_messages
from app.text.addresses import foreign_parts
from app.text.normalise import clean_characters
from app.text.quoting import letters_of
from app.types import Hit, Language

_LATIN_RUN, _CHINESE_RUN = 32, 13
"""Letters in a row that are the prompt's own where neither passages nor question have them; a few agree by chance."""

_LOOKED_BACK = 400
_UNFINISHED = re.compile(
    r"(?:<[^<>\n]{0,300}|!?\[[^\[\]\n]{0,300}(?:\]\s?(?:\([^()\n]{0,300}|\[[^\[\]\n]{0,300})?)?"
    r"|[^\s，。；！？、]*[:@.][^\s，。；！？、]*|[^\s\u3040-\u9fff，。；！？、]+)\Z"
)
"""What the next piece may still turn into an address or markup."""


class Screen:
    """Judges one answer by what was retrieved for its question; also while it is being written."""

    def __init__(self, question: str, hits: Iterable[Hit]) -> None:
        texts = [question]
        for hit in hits:
            texts += [hit.document_name, *hit.chunk.heading_path, hit.chunk.table_header, hit.chunk.text]
        self._known = "\n".join(texts)
        self._letters = letters_of([self._known]).text
        self._pending = ""
        self._shown = ""
        self._last_letters = ""
        self._closed = False

    def allows(self, text: str) -> bool:
        """Whether a text has nothing that must not be shown."""
        return not foreign_parts(text, self._known) and not self._tells_prompt(letters_of([text]).text)

    def read(self, piece: str) -> str:
        """What may be shown now of a text in the making; from the first fault on nothing."""
        self._pending += piece
        held = _UNFINISHED.search(self._pending)
        return self._release(held.start() if held else len(self._pending))

    def end(self) -> str:
        """What was held back and may be shown after all, as the text is complete."""
        return self._release(len(self._pending))

    def _release(self, end: int) -> str:
        text = self._pending[:end]
        if self._closed or not text:
            return ""
        letters = self._last_letters + letters_of([text]).text  # what was shown before tells nothing by itself
        if foreign_parts(self._shown[-_LOOKED_BACK:] + text, self._known) or self._tells_prompt(letters):
            self._closed = True
            return ""
        self._last_letters = letters[-(_LATIN_RUN - 1) :]
        self._pending = self._pending[end:]
        self._shown += text
        return text

    def _tells_prompt(self, letters: str) -> bool:
        return any(
            run in _prompt_letters() and run not in self._letters
            for start in range(len(letters))
            if (run := _run(letters, start)) is not None
        )


def _run(letters: str, start: int) -> str | None:
    """The letters from `start` on that are long enough to tell whose they are."""
    short = letters[start : start + _CHINESE_RUN]
    if len(short) == _CHINESE_RUN and not short.isascii():
        return short
    long = letters[start : start + _LATIN_RUN]
    return long if len(long) == _LATIN_RUN else None


@cache
def _prompt_letters() -> str:
    return letters_of(
        clean_characters(message.content) for language in get_args(Language) for message in constant_messages(language)
    ).text
