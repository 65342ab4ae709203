"""Text layers that decode to nonsense: what a page shows and what its characters say are different things.

Fonts without a usable table of characters give glyph numbers, private characters or a shifted alphabet. The page can
be read by OCR alone then. Chinese in characters that are wrong yet common is not recognised.
"""

from __future__ import annotations

import re

_FEWEST = 24
"""Visible characters; less is not judged."""
_JUDGED = 20_000
_BROKEN = re.compile("[\x00\x01\x03-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ue000-\uf8ff\ufffd\ufdd0-\ufdef\uffff]")
_CID = re.compile(r"\(cid:\d+\)")
_UPPER_LATIN_1 = re.compile("[\u00a1-\u00ff]")
_IDEOGRAPH = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_WORD = re.compile("[a-z\u00df-\u00ff]+")
_ASCII_LETTER = re.compile("[a-z]")
_OTHER_LETTER = re.compile(r"[^\W\d_a-z]")
_RULERS = re.compile(r"([^\w\s])\1{2,}|(?:[.·] ){3,}")

_BROKEN_SHARE = 0.25
_CID_SHARE = 0.4
_LATIN_1_SHARE = 0.4
_FOREIGN_SHARE = 0.2
_FEWEST_IDEOGRAPHS = 40
_SCRAMBLED_LETTERS = 120
_SHIFTS = [*range(-40, 0), *range(1, 41)]
_COMMON_WORDS = frozenset(
    "the of and to in is for that with on be are or this it as by from at an not can you der die das und ist von zu mit"
    " den ein eine auf für nicht im sich des dem werden wird oder de la el que en los las un una por con para se del es"
    " le les et une du dans pour est".split()
)
_SHIFTED_WORDS = 0.12
_COMMON_SHARE = 0.25
_FEWEST_COMMON = 4
_COMMON_LETTERS = frozenset("etaoinsr")
_LEAST_COMMON_LETTERS = 0.42
_VOWELS = frozenset("aeiouyäöüáéíóú")
_VOWEL_SHARE = (0.24, 0.58)
_LEAST_ALPHANUMERIC = 0.35


def is_garbled(text: str) -> bool:
    """Whether a page's text cannot be read by anybody; in doubt it can, and little text is never judged."""
    text = text[:_JUDGED]
    solid = "".join(text.split())
    if len(solid) < _FEWEST:
        return False
    if len(_BROKEN.findall(text)) >= _BROKEN_SHARE * len(solid):
        return True
    if sum(map(len, _CID.findall(solid))) >= _CID_SHARE * len(solid):
        return True
    if len(_UPPER_LATIN_1.findall(solid)) >= _LATIN_1_SHARE * len(solid):
        return True
    return _has_foreign_ideographs(solid) or _is_no_language(text)


def _has_foreign_ideographs(solid: str) -> bool:
    """Whether no one of the sets of characters in use holds the ideographs of the text."""
    ideographs = "".join(_IDEOGRAPH.findall(solid))
    if len(ideographs) < _FEWEST_IDEOGRAPHS:
        return False
    known = max(
        len(ideographs.encode(code, "ignore").decode(code, "ignore")) for code in ("gb2312", "big5", "cp932", "euc_kr")
    )
    return len(ideographs) - known >= _FOREIGN_SHARE * len(ideographs)


def _is_no_language(text: str) -> bool:
    """Whether text in Latin letters has neither the words nor the letters of a language."""
    small = text.casefold()
    letters = _ASCII_LETTER.findall(small)
    if len(_OTHER_LETTER.findall(small)) >= 0.3 * max(len(letters), 1):
        return False
    words = _WORD.findall(small)
    known = [word for word in words if word in _COMMON_WORDS]
    if _are_words(known) or (known and len(known) >= _COMMON_SHARE * len(words)):
        return False
    if _is_shifted(text):
        return True
    return _is_symbols(small) or _is_scrambled(words)


def _is_shifted(text: str) -> bool:
    """Whether the text becomes a language once all of its characters are moved by the same number."""
    for shift in _SHIFTS:
        moved = "".join(chr(code) if (code := ord(letter) + shift) >= 32 else " " for letter in text[:2000])
        for candidate in (moved, _turned(text[:2000], shift)) if 0 < shift < 26 else (moved,):
            words = _WORD.findall(candidate.casefold())
            found = [word for word in words if word in _COMMON_WORDS]
            if len(found) >= _SHIFTED_WORDS * len(words) and _are_words(found):
                return True
    return False


def _are_words(found: list[str]) -> bool:
    """Whether common words are too many kinds, and too long ones, for chance."""
    kinds = set(found)
    return len(kinds) >= _FEWEST_COMMON and sum(len(word) > 2 for word in kinds) >= 2


def _turned(text: str, shift: int) -> str:
    """The letters moved within the alphabet."""
    small = text.casefold()
    return "".join(chr((ord(c) - 97 + shift) % 26 + 97) if "a" <= c <= "z" else c for c in small)


def _is_symbols(small: str) -> bool:
    """Whether signs stand where letters and numbers should, rulers and rows of dots aside."""
    solid = "".join(_RULERS.sub("", small).split())
    return len(solid) >= 4 * _FEWEST and sum(map(str.isalnum, solid)) < _LEAST_ALPHANUMERIC * len(solid)


def _is_scrambled(words: list[str]) -> bool:
    """Whether long enough words, in a page of them, have the vowels and the letters of no language."""
    letters = "".join(word for word in words if len(word) >= 4)
    if len(letters) < _SCRAMBLED_LETTERS or len(letters) < 0.6 * sum(map(len, words)):
        return False
    common = sum(letter in _COMMON_LETTERS for letter in letters) / len(letters)
    vowels = sum(letter in _VOWELS for letter in letters) / len(letters)
    return common < _LEAST_COMMON_LETTERS and not _VOWEL_SHARE[0] <= vowels <= _VOWEL_SHARE[1]
