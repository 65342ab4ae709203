"""Whether an answer says what an accepted answer says: by words and numbers, in English and Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from app.text.tokens import query_tokens
from eval.answer_text import Words, is_number, words
from eval.question_sets import LabelledQuestion

LONG_ANSWER_TOKENS = 5
LONG_ANSWER_RECALL = 0.8
"""From so many telling words on, an answer may use other words between them and leave some out."""

PASSAGE_TOKENS = 30
PASSAGE_RECALL = 0.25
PASSAGE_WORDS = 10
PASSAGE_PRECISION = 0.6
"""From so many on, an accepted answer is a passage of the manual and no answer itself: see `is_right`."""

_LIST_MARKS = re.compile(r"(?<!\d),(?!\d)|, |[;；、，\n]|\band\b|以及|和|与|及|\s/\s")
_LETTER = re.compile(r"[A-Za-z]")
_YES = re.compile(
    r"(?:yes|yeah|correct|true|是的?|对的?|可以|能够?|会|支持|需要|有|正确)(?=$|[\s,.;:!。，；：！、])", re.IGNORECASE
)
_NO = re.compile(
    r"(?:no(?!\s+(?:more|less|fewer|longer|later)\b)|not|false|incorrect|否|不是的?|不可以?|不能|不会|不支持|不需要|不用|没有|不对|错误|无法|不)(?=$|[\s,.;:!。，；：！、])",
    re.IGNORECASE,
)
_BARE_YES = frozenset("yes 是 是的 对 可以 能 会 支持".split())
_BARE_NO = frozenset("no 否 不 不是 不可以 不能 不会 不支持 没有".split())
_SILENT = re.compile(
    r"(?:not|n't|never)\s+(?:\w+\s+){0,2}(?:mention|state|specif|say|describ|indicat|contain|provid|clear|explicit)"
    r"|(?:没有|未|并未|没)(?:明确)?(?:提到|提及|说明|提供|指出|涉及|描述|给出|注明)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?](?=\s|$)|[。！？\n]")
_POLAR_OVERLAP = 0.5


def right_answer(answer: str, question: LabelledQuestion) -> bool:
    """Whether `answer` is right: it says all `answer_parts`, or where there are none one of `answers`."""
    if question.answer_parts:
        return all(parts_stated(answer, question.answer_parts, question.question))
    return is_right(answer, question.answers, question.question)


def is_right(answer: str, variants: Sequence[str], question: str = "") -> bool:
    """Whether an answer says one of the accepted variants.

    - Its words stand in the answer in a row, not behind a "not"; numbers whole (2 is not in 12, 1.2, -2 or WPA2), with
      units by one name.
    - A list ("A, B and C"): each entry does, in any order.
    - Five telling words or more: 80% of them and all its numbers are in the answer.
    - "Yes" or "no": the answer begins so; or it takes up half of the question's words and denies them or not.
    - 30 telling words or more, a passage of the manual out of which an answer may well take a part: beside what the
      question says already, a quarter of its words, or ten, are in the answer, and 60% of the answer's words and all
      its numbers are from it.
    """
    return any(_says(answer, variant, question) for variant in variants)


def states_any(answer: str, variants: Sequence[str]) -> bool:
    """Whether the answer has the words of one of `variants` in a row; for what it ought not to say."""
    return any(_stated(words(answer), variant, answer) for variant in variants)


def parts_stated(answer: str, parts: Sequence[str], question: str = "") -> list[bool]:
    """For each part of an answer whether it is said; "PV1: 5 V" may be said in any order of its two halves."""
    return [
        is_right(answer, [part], question)
        or (":" in part and all(is_right(answer, [half]) for half in part.split(":")))
        for part in parts
    ]


def answer_numbers(text: str) -> set[str]:
    """The distinct numbers of a text that are no part of a name."""
    found = words(text)
    return {token for place, token in enumerate(found.tokens) if is_number(token) and place not in found.glued}


def answer_tokens(text: str) -> list[str]:
    """Numbers, words and single Chinese characters, so that "2" is not found inside "12" and units stand apart."""
    return list(words(text).tokens)


def exact_match(answer: str, variants: Sequence[str]) -> bool:
    """SQuAD's exact match (Rajpurkar et al. 2016): equal but for case, punctuation and articles; Chinese by characters
    as in CMRC 2018 (Cui et al. 2019); numbers and units by one name."""
    given = words(answer).without_articles
    return bool(given) and any(given == words(variant).without_articles for variant in variants)


def token_f1(answer: str, variants: Sequence[str]) -> float:
    """SQuAD's F1 (Rajpurkar et al. 2016) with the best variant: harmonic mean of precision and recall of the words.

    Chinese counts by characters, as in CMRC 2018, but as a bag and not as one run, as in XQuAD and MLQA.
    """
    return max((_f1(words(answer).without_articles, words(v).without_articles) for v in variants), default=0.0)


def _f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    common = sum((Counter(given) & Counter(wanted)).values())
    return 2 * common / (len(given) + len(wanted)) if common else 0.0


def _says(answer: str, variant: str, question: str) -> bool:
    given, wanted = words(answer), words(variant)
    if not wanted.tokens:
        return False
    if (polarity := _plain_polarity(variant)) is not None:
        return _polarity(answer, question) is polarity
    if _stated(given, variant, answer):
        return True
    if given.places(wanted.tokens):  # all of them denied
        return False
    if _lists(given, variant, answer):
        return True
    if wanted.negations and not given.negations:
        return False
    return _recalls(given, wanted) or _takes_from(answer, variant, question)


def _stated(given: Words, variant: str, answer: str) -> bool:
    """Whether the variant's words stand in a row, not denied; a single letter ("T") as large as it is written."""
    wanted = words(variant).tokens
    letter = unicodedata.normalize("NFKC", variant).strip(" .\"'“”‘’「」[]()")
    if _LETTER.fullmatch(letter):
        alone = rf"(?<![A-Za-z0-9'’]){letter}(?![A-Za-z0-9'’])" + (r"(?!\s+[a-z])" if letter in "AI" else "")
        return re.search(alone, unicodedata.normalize("NFKC", answer)) is not None
    return any(not given.denied(place) for place in given.places(wanted))


def _lists(given: Words, variant: str, answer: str) -> bool:
    """Whether every entry of a list is said, in any order."""
    entries = [part for part in _LIST_MARKS.split(unicodedata.normalize("NFKC", variant)) if words(part).content]
    return len(entries) > 1 and all(_stated(given, entry, answer) for entry in entries)


def _recalls(given: Words, wanted: Words) -> bool:
    content, have = wanted.content, frozenset(given.tokens)
    if len(content) < LONG_ANSWER_TOKENS:
        return False
    numbers = {token for token in content if is_number(token)}
    return numbers <= have and len(content & have) / len(content) >= LONG_ANSWER_RECALL


def _takes_from(answer: str, variant: str, question: str) -> bool:
    """The rule for passages; words are stems, and pairs of characters in Chinese, where single ones match by chance."""
    asked = set(query_tokens(question)) if question else set()
    passage = set(query_tokens(variant)) - asked
    told = set(query_tokens(answer)) - asked
    if len(passage) < PASSAGE_TOKENS or not told:
        return False
    if not answer_numbers(answer) <= answer_numbers(variant) | answer_numbers(question):
        return False
    shared = len(passage & told)
    enough = shared >= min(PASSAGE_WORDS, PASSAGE_RECALL * len(passage))
    return enough and shared / len(told) >= PASSAGE_PRECISION


def _plain_polarity(variant: str) -> bool | None:
    """True for a bare yes, False for a bare no, None for any other answer."""
    bare = variant.strip(" .!。！").casefold()
    return True if bare in _BARE_YES else False if bare in _BARE_NO else None


def _polarity(answer: str, question: str) -> bool | None:
    """Whether an answer affirms or denies; None where it does not tell."""
    answer = answer.strip(' *"“\n')
    if _NO.match(answer):
        return False
    if _YES.match(answer):
        return True
    first = next((part for part in _SENTENCE.split(answer) if part.strip()), "")
    asked = set(query_tokens(question)) if question else set()
    if not asked or _SILENT.search(first):
        return None
    if len(asked & set(query_tokens(first))) / len(asked) < _POLAR_OVERLAP:
        return None
    return words(first).negations == 0
