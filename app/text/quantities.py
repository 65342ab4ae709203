"""Numbers, units and codes in text, normalised so that `5.1 kΩ` and `5.1kΩ` compare as one whole token."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

_UNITS: dict[str, str] = {
    name: unit
    for unit, names in {
        "s": "s sec secs second seconds 秒 秒钟",
        "ms": "ms msec millisecond milliseconds 毫秒",
        "µs": "us µs μs microsecond microseconds 微秒",
        "min": "min mins minute minutes 分钟 分",
        "h": "h hr hrs hour hours 小时",
        "day": "day days 天 日",
        "v": "v volt volts 伏 伏特",
        "mv": "mv millivolt millivolts 毫伏",
        "a": "a amp amps ampere amperes 安 安培",
        "ma": "ma milliamp milliamps milliampere milliamperes 毫安",
        "w": "w watt watts 瓦 瓦特",
        "kw": "kw kilowatt kilowatts 千瓦",
        "ω": "ω ohm ohms 欧 欧姆",
        "kω": "kω kohm kohms kilohm kilohms 千欧",
        "hz": "hz hertz 赫兹 赫",
        "khz": "khz kilohertz 千赫",
        "mhz": "mhz megahertz 兆赫",
        "ghz": "ghz gigahertz 吉赫",
        "b": "byte bytes 字节",
        "bit": "bit bits 位 比特",
        "kb": "kb kib kilobyte kilobytes",
        "mb": "mb mib megabyte megabytes 兆 兆字节",
        "gb": "gb gib gigabyte gigabytes",
        "mm": "mm millimeter millimeters millimetre millimetres 毫米",
        "cm": "cm centimeter centimeters centimetre centimetres 厘米",
        "m": "m meter meters metre metres 米",
        "km": "km kilometer kilometers kilometre kilometres 公里 千米",
        "kg": "kg kilogram kilograms 千克 公斤",
        "g": "g gram grams 克",
        "l": "l liter liters litre litres 升",
        "ml": "ml milliliter milliliters millilitre millilitres 毫升",
        "°c": "°c ℃ celsius 摄氏度",
        "°f": "°f fahrenheit 华氏度",
        "%": "% percent 百分比",
        "db": "db decibel decibels 分贝",
        "uf": "uf µf 微法",
        "nf": "nf",
        "pf": "pf",
        "mw": "mw 毫瓦",
        "wh": "wh",
        "mah": "mah 毫安时",
        "pa": "pa 帕",
        "kpa": "kpa 千帕",
        "nm": "nm 纳米",
        "inch": "inch inches in 英寸",
        "dpi": "dpi",
        "bar": "bar",
        "rpm": "rpm 转/分",
        "baud": "baud bps 波特",
    }.items()
    for name in names.split()
}
_NUMBER = re.compile(r"(?P<sign>[-+±]?)(?P<digits>\d+(?:\.\d+)*)(?P<unit>[a-zµω°℃%]*)")
_TOKEN = re.compile(r"(?:(?<![a-z0-9_])[-+±](?=\d))?[a-z0-9_µω°℃%]+(?:[-_.+/:~][a-z0-9_µω°℃%]+)*")
"""One run of letters and digits: e-04, 100-240v, v1.0.3, at+uart."""

_UNITS_OR_NONE = frozenset({"", *_UNITS})
_JOINTS = re.compile(r"(?<=[a-z0-9µω°℃%])[-/~:+](?=\d)")
_UNIT_NAMES = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_SPACED_UNIT = re.compile(rf"[ \u00a0-]?({_UNIT_NAMES})(?![a-z0-9_])")
_THOUSANDS = re.compile(r"(?<=\d)[,\u2009\u202f](?=\d{3}(?!\d))")
_SPLIT_OHM = re.compile(r"(?<=\d)\s?([km])\s+ω")
_GLUED = re.compile(r"(?<=[\dkm ][ω℃%])(?=[a-z])")
"""Manuals' text layers give `5.1k Ω` and `5.1kΩresistor`."""

_EN_NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve""".split()
_ZH_NUMBERS = """零 一 二 三 四 五 六 七 八 九 十 十一 十二""".split()
_WORD_NUMBERS = {word: value for words in (_EN_NUMBERS, _ZH_NUMBERS) for value, word in enumerate(words)} | {"两": 2}
_EN_WORD_NUMBER = re.compile(r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b")
_ZH_WORD_NUMBER = re.compile(
    r"(?:(?<=[^第一二三四五六七八九十\w])|(?<![第一二三四五六七八九十百千万]))"
    r"([二两三四五六七八九十]|十一|十二)(?=[个种次条项台根块位组路颗只段页步级档套])"
)
_ORDINAL = re.compile(r"(?m)^\s*(?:\(?\d{1,2}[.)](?=\s|[\u3400-\u9fff])|\d{1,2}、|[（(]\d{1,2}[)）])")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit where it has one, or a code; `value` and `unit` are normalised."""

    kind: Literal["number", "code"]
    value: str
    unit: str | None = None
    written: str = ""


def normalised(text: str) -> str:
    """NFKC, lower case, no thousands separators, one sort of minus and of micro sign."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("−", "-").replace("‑", "-")
    plain = _THOUSANDS.sub("", plain.replace("μ", "µ"))
    return _GLUED.sub(" ", _SPLIT_OHM.sub(r"\1ω", plain))


def quantities(text: str) -> list[Quantity]:
    """Numbers and codes in the order of the text; ordinals of list items are not counted, number words are."""
    plain = normalised(_ORDINAL.sub(" ", text))
    found: list[tuple[int, Quantity]] = []
    for match in _TOKEN.finditer(plain):
        found.extend((match.start(), quantity) for quantity in _of_token(match.group(), plain[match.end() :]))
    for pattern in (_EN_WORD_NUMBER, _ZH_WORD_NUMBER):
        found.extend(
            (match.start(), Quantity("number", str(_WORD_NUMBERS[match[1]]), None, match[1]))
            for match in pattern.finditer(plain)
        )
    return [quantity for _, quantity in sorted(found, key=lambda pair: pair[0])]


def _of_token(token: str, behind: str) -> list[Quantity]:
    """What one run of letters and digits holds: nothing (a word), a number, a range of numbers, or a code."""
    if not any(char.isdigit() or char in "_+" for char in token):
        return []
    parts = _JOINTS.split(token)
    numbers = [match for part in parts if (match := _NUMBER.fullmatch(part)) and match["unit"] in _UNITS_OR_NONE]
    if len(numbers) != len(parts):
        return [Quantity("code", _plain_code(token), None, token)]
    spaced = _SPACED_UNIT.match(behind) if not numbers[-1]["unit"] else None
    if spaced and spaced[1] in ("a", "in"):  # "2 in a row" is no length
        spaced = None
    last = _UNITS[spaced[1] if spaced else numbers[-1]["unit"]] if spaced or numbers[-1]["unit"] else None
    found = []
    for place, match in enumerate(numbers):
        unit = _UNITS.get(match["unit"]) if match["unit"] or place < len(numbers) - 1 else last
        written = match.group() + (spaced.group() if spaced and place == len(numbers) - 1 else "")
        found.append(Quantity("number", _plain_number(match["sign"] + match["digits"]), unit, written))
    return found


def missing_quantities(sentence: str, *sources: str) -> list[Quantity]:
    """Those of `sentence` that occur in none of `sources`, compared as whole tokens: 2 is not in 12 or in 2.5.

    A number's unit must stand behind that number somewhere, or the number stand bare (a table cell) and the unit be
    anywhere in the sources (the table's head).
    """
    there = [quantity for source in sources for quantity in quantities(source)]
    codes = {quantity.value for quantity in there if quantity.kind == "code"}
    numbers: dict[str, set[str | None]] = {}
    for quantity in there:
        if quantity.kind == "number":
            numbers.setdefault(quantity.value, set()).add(quantity.unit)
    plain = " ".join(normalised(source) for source in sources)
    missing = []
    for quantity in quantities(sentence):
        if quantity.kind == "code":
            known = quantity.value in codes or _whole(quantity.written, plain)
        else:
            known = _number_known(quantity, numbers.get(quantity.value), plain)
        if not known:
            missing.append(quantity)
    return missing


def _number_known(quantity: Quantity, units: set[str | None] | None, plain: str) -> bool:
    if units is None:
        return _whole(quantity.written, plain) and not quantity.unit
    if quantity.unit is None or quantity.unit in units:
        return True
    return None in units and any(_whole(name, plain) for name, unit in _UNITS.items() if unit == quantity.unit)


def _whole(token: str, plain: str) -> bool:
    """Whether `token` stands in `plain` with neither a letter, a digit nor a decimal part attached to it."""
    spaced = re.sub(r"(?<=\d)(?=[a-z])", " ?", re.escape(token))
    pattern = rf"(?<![a-z0-9_.]){spaced}(?![a-z0-9_]|\.\d)"
    return re.search(pattern, plain) is not None


def _plain_number(number: str) -> str:
    """`+5` and `05` are 5; 1.10 is not 1.1, as it may be a version."""
    sign = "-" if number.startswith("-") else ""
    digits = number.lstrip("+-±")
    if digits.count(".") > 1:
        return digits
    return sign + (digits.lstrip("0") or "0") if not digits.startswith("0.") else sign + digits


def _plain_code(code: str) -> str:
    return code.replace("-", "").replace("_", "")
