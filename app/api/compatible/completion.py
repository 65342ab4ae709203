"""An answer as the text of a chat message: sentences with the numbers of their citations, then where those stand."""

from __future__ import annotations

import re
from typing import get_args

from app.api.compatible.schemas import ProofOut, UsageOut
from app.api.questions import citation_out
from app.generate.wording import REFUSALS
from app.text.addresses import ADDRESS
from app.types import Answer, Language

_SOURCES: dict[Language, str] = {"en": "Sources:", "zh": "出处："}
_PLACE: dict[Language, str] = {"en": "- [{n}] {name}, page {page}", "zh": "- [{n}] {name}，第 {page} 页"}
_EXTRACT: dict[Language, str] = {
    "en": "{why} These are the manuals' own sentences.",
    "zh": "{why}以上是手册原句。",
}

_MARK = re.compile(r" ?\[\d{1,3}\]")
_REFUSED = frozenset(text for texts in REFUSALS.values() for text in texts.values())
_LINK = re.compile(r"\](?=[(\[:])|<(?![a-z][\w-]*>)(?=[a-z/!?])", re.IGNORECASE)
"""What begins the address of a link or image, or a tag with something in it, in Markdown and HTML."""


_MARKS_ADDRESS = re.compile(r":(?!\d)|@|(?<=\w)\.(?=[^\W\d_])")
"""What makes an address of words: colons, at signs and the dots between names."""


def pieces(answer: Answer) -> list[str]:
    """The message in pieces, which joined are all of it: a refusal's one sentence, or the answer with its places."""
    if answer.refused:
        return [answer.text]
    return [*_sentences(answer), *_places(answer)]


def proof_out(answer: Answer) -> ProofOut:
    """The same for programs."""
    return ProofOut(
        citations=[citation_out(citation) for citation in answer.citations],
        refused=answer.refused,
        reason=answer.reason,
        mode=answer.mode,
        degraded=answer.degraded,
        question=answer.question,
        adapter=answer.adapter,
    )


def usage_out(answer: Answer) -> UsageOut:
    """What the answer cost, as far as it is known."""
    prompt, completion = answer.prompt_tokens or 0, answer.completion_tokens or 0
    return UsageOut(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def spoken(text: str) -> str:
    """What such a message says, without numbers and places; nothing where it is a refusal."""
    for language in get_args(Language):
        text = text.partition(f"\n\n{_SOURCES[language]}\n")[0]
    said = _MARK.sub("", text).strip()
    return "" if said in _REFUSED else said


def harmless(text: str) -> str:
    """The text without links, images and tags for those who show it as Markdown: a backslash takes their meaning.

    A manual may hold an image's address at which it is told what was asked; the program that shows an answer would
    fetch it.
    """
    return _LINK.sub(r"\\\g<0>", ADDRESS.sub(_no_address, text))


def _no_address(found: re.Match[str]) -> str:
    """An address that no program makes a link of: what marks it as one stands behind backslashes."""
    return _MARKS_ADDRESS.sub(r"\\\g<0>", found.group())


def _sentences(answer: Answer) -> list[str]:
    """The text of the answer, cut behind each sentence, with the numbers there."""
    numbers = {citation: number for number, citation in enumerate(answer.citations, 1)}
    found: list[str] = []
    place = 0
    for sentence in answer.sentences:
        words = sentence.text.strip()
        start = answer.text.find(words, place)
        if not sentence.grounded or start < 0:
            continue
        end = start + len(words)
        marks = "".join(f"[{numbers[citation]}]" for citation in sentence.citations if citation in numbers)
        text = answer.text[place:end]
        found.append((_apart(text) if found else harmless(text)) + (f" {marks}" if marks else ""))
        place = end
    rest = answer.text[place:]
    return [*found, _apart(rest) if found else harmless(rest)] if rest else found


def _apart(text: str) -> str:
    """Harmless, and no address of the number that stands before it, as `(https://...)` right behind `[1]` would be."""
    return ("\\" if text[:1] in ("(", "[", ":") else "") + harmless(text)


def _places(answer: Answer) -> list[str]:
    lines = [
        _PLACE[answer.language].format(n=number, name=harmless(citation.document_name), page=citation.page)
        for number, citation in enumerate(answer.citations, 1)
    ]
    found = ["\n".join([f"\n\n{_SOURCES[answer.language]}", *lines])] if lines else []
    if answer.degraded is not None:
        found.append("\n\n" + _EXTRACT[answer.language].format(why=answer.degraded))
    return found
