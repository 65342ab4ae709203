"""Numbers of lists and headings as Word and HTML write them, and raised digits."""

from __future__ import annotations

from typing import Final

_ROMAN: Final = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)
_DIGITS: Final = "〇一二三四五六七八九"
_CHINESE: Final = frozenset(
    "chineseCounting chineseCountingThousand ideographDigital japaneseCounting taiwaneseCounting "
    "taiwaneseCountingThousand japaneseDigitalTenThousand chineseLegalSimplified".split()
)
_LARGEST: Final = 3999
_RAISED: Final = str.maketrans("0123456789+-−–", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻")


def numeral(number: int, style: str) -> str:
    """`number` as a list of this style (a name of Word's) counts; plain digits where the style is not known."""
    if not 0 < number <= _LARGEST:
        return str(number)
    if style in ("lowerRoman", "upperRoman"):
        return _cased(_roman(number), style)
    if style in ("lowerLetter", "upperLetter"):
        return _cased(chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1), style)
    if style in _CHINESE:
        return _chinese(number)
    if style == "decimalZero":
        return f"{number:02d}"
    if style.startswith("decimalEnclosedCircle") and number <= 20:
        return chr(ord("①") + number - 1)
    return str(number)


def superscript(text: str) -> str:
    """Raised digits where all of `text` is a number, so that 10 to the power of 3 does not become 103."""
    stripped = text.strip()
    if stripped and len(stripped) <= 4 and all(character in "0123456789+-−–" for character in stripped):
        return stripped.translate(_RAISED)
    return text


def _cased(text: str, style: str) -> str:
    return text.upper() if style.startswith("upper") else text


def _roman(number: int) -> str:
    parts = []
    for value, sign in _ROMAN:
        parts.append(sign * (number // value))
        number %= value
    return "".join(parts)


def _chinese(number: int) -> str:
    if number < 10:
        return _DIGITS[number]
    if number < 20:
        return "十" + (_DIGITS[number % 10] if number % 10 else "")
    if number < 100:
        return _DIGITS[number // 10] + "十" + (_DIGITS[number % 10] if number % 10 else "")
    return str(number)
