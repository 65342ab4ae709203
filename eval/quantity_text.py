"""Numbers, units and ranges in answers, written in one way: "５–10秒", "5 s to 10 s" and "five to ten seconds" alike.

Made for judging answers and apart from the product's own `app.text.quantities`, so that a fault there cannot hide
itself here. Units are named, not converted: 1 min and 60 s stay two things.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

_UNITS: dict[str, str] = {
    alias: unit
    for unit, aliases in {
        "s": "s,sec,secs,second,seconds,秒,秒钟,秒鐘",
        "ms": "ms,msec,millisecond,milliseconds,毫秒",
        "µs": "us,μs,microsecond,microseconds,微秒",
        "ns": "ns,nanosecond,nanoseconds,纳秒",
        "min": "min,mins,minute,minutes,分钟,分鐘,分",
        "h": "h,hr,hrs,hour,hours,小时,个小时,小時,個小時",
        "day": "day,days,天,日",
        "week": "week,weeks,周,星期,个星期,週",
        "month": "month,months,个月,個月",
        "year": "year,years,年",
        "v": "v,volt,volts,伏,伏特",
        "mv": "mv,millivolt,millivolts,毫伏",
        "kv": "kv,kilovolt,kilovolts,千伏",
        "a": "a,amp,amps,ampere,amperes,安,安培",
        "ma": "ma,milliamp,milliamps,milliampere,milliamperes,毫安",
        "µa": "μa,ua,microamp,microamps,微安",
        "mah": "mah,毫安时",
        "w": "w,watt,watts,瓦,瓦特",
        "mw": "mw,milliwatt,milliwatts,毫瓦",
        "kw": "kw,kilowatt,kilowatts,千瓦",
        "kwh": "kwh,千瓦时,度电",
        "ohm": "ω,ohm,ohms,欧,欧姆",
        "kohm": "kω,kohm,kohms,kilohm,kilohms,千欧",
        "megohm": "mω,mohm,megohm,megohms,megaohm,megaohms,兆欧",
        "hz": "hz,hertz,赫兹,赫",
        "khz": "khz,kilohertz,千赫,千赫兹",
        "mhz": "mhz,megahertz,兆赫,兆赫兹",
        "ghz": "ghz,gigahertz,吉赫,吉赫兹",
        "bit": "bit,bits,比特,位",
        "byte": "byte,bytes,字节,个字节",
        "kb": "kb,kib,kbyte,kbytes,kilobyte,kilobytes,千字节,k字节",
        "mb": "mb,mib,mbyte,mbytes,megabyte,megabytes,兆,兆字节,m字节",
        "gb": "gb,gib,gbyte,gbytes,gigabyte,gigabytes,吉字节,g字节",
        "tb": "tb,tib,terabyte,terabytes",
        "µm": "μm,um,micrometer,micrometers,micron,microns,微米",
        "mm": "mm,millimeter,millimeters,millimetre,millimetres,毫米",
        "cm": "cm,centimeter,centimeters,centimetre,centimetres,厘米,公分",
        "m": "m,meter,meters,metre,metres,米,公尺",
        "km": "km,kilometer,kilometers,kilometre,kilometres,公里,千米",
        "inch": "in,inch,inches,英寸",
        "mg": "mg,milligram,milligrams,毫克",
        "g": "g,gram,grams,克",
        "kg": "kg,kilogram,kilograms,千克,公斤",
        "ml": "ml,milliliter,milliliters,millilitre,millilitres,毫升",
        "l": "l,liter,liters,litre,litres,升",
        "degc": "°c,degrees celsius,degree celsius,degrees c,celsius,摄氏度,攝氏度,度c",
        "degf": "°f,degrees fahrenheit,degree fahrenheit,degrees f,fahrenheit,华氏度,華氏度",
        "degree": "°,degree,degrees,度",
        "pct": "%,percent,per cent",
        "db": "db,decibel,decibels,分贝",
        "rpm": "rpm,转/分,转每分",
        "baud": "baud,bps,波特",
        "pa": "pa,pascal,pascals,帕",
        "kpa": "kpa,kilopascal,kilopascals,千帕",
        "m2": "m2,square meters,square metres,平方米,平米",
        "m3": "m3,cubic meters,cubic metres,立方米",
        "times": "times,次",
    }.items()
    for alias in aliases.split(",")
}
_AFTER_NUMBER = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_NUMBER = r"\d+(?:\.\d+)*"
_SIGNED = rf"[-±]?{_NUMBER}"
_NAMES = "|".join(sorted(map(re.escape, set(_UNITS.values())), key=len, reverse=True))

_APOSTROPHES = str.maketrans(
    {"’": "'", "‘": "'", "−": "-", "‐": "-", "‑": "-", "–": "-", "—": " ", "，": ", ", "μ": "µ"}
)
_THIN_SPACE = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_HALVES = {"½": ".5", "¼": ".25", "¾": ".75"}
_HALF = re.compile(r"(\d?)\s?([½¼¾])")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_DECIMAL_COMMA = re.compile(
    rf"(?<![\d.,])(?:(\d+),(\d{{1,2}})(?=\s?(?:{_AFTER_NUMBER})(?![a-z0-9]))|(0),(\d+)(?![\d,]))"
)
_PLUS = re.compile(r"(?<![a-z0-9_)+])\+(?=\d)")
_MAGNITUDE = re.compile(
    r"(?<![a-z\d.])(\d+(?:\.\d+)?)(?:\s?(万亿|萬億|亿|億|万|萬)(?![用能向])|\s(thousand|million|billion)\b)"
)
_TIMES = {"万": 4, "萬": 4, "亿": 8, "億": 8, "万亿": 12, "萬億": 12, "thousand": 3, "million": 6, "billion": 9}
_UNIT = re.compile(rf"(?<![a-z_\d.])([-±]?{_NUMBER})(?:([\s-]?)({_AFTER_NUMBER}))(?![a-z0-9_])", re.DOTALL)
_UNIT_BEHIND = rf"(?: ({_NAMES}))?"
_RANGE = re.compile(
    rf"(?<![a-z0-9_.-])({_SIGNED}){_UNIT_BEHIND}[ ]{{0,3}}(?:-|~|\.{{2,3}}|to|至|到)[ ]{{0,3}}"
    rf"({_SIGNED}){_UNIT_BEHIND}(?!\.?\d|[a-z_]|-\d)"
)
_BETWEEN = re.compile(rf"\bbetween ({_SIGNED}){_UNIT_BEHIND} {{1,3}}and (?=[-±]?\d)")
_BETWEEN_HAN = re.compile(
    rf"({_SIGNED}){_UNIT_BEHIND} {{0,3}}[和与與] ?(?={_SIGNED}(?: (?:{_NAMES}))? {{0,3}}之[间間])"
)

_EN_SMALL = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen".split()
    )
}
_EN_TENS = {
    word: 10 * (n + 2) for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())
}
_EN_WORD = re.compile(
    rf"\b(?:({'|'.join(_EN_TENS)})(?:[ -]({'|'.join(list(_EN_SMALL)[1:10])}))?|({'|'.join(list(_EN_SMALL)[2:])}))\b"
)
_EN_ONE = re.compile(rf"\b(zero|one)(?=[ -](?:{_AFTER_NUMBER})\b)")
_ZH_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
_ZH_POWERS = {"十": 10, "百": 100, "千": 1000}
_ZH_COUNTED = frozenset(
    "万亿萬億个個种種次条條项項台根块塊位组組路颗只段页頁步级級档檔套秒分小天月年周名张張件倍米伏安瓦度元届层層轮局"
    "人本兆毫厘公克升"
)
_ZH_RUN = re.compile(r"[零〇一二两兩三四五六七八九十百千]+")
_NO_COUNT_BEFORE = frozenset("第其中另每同任上下某哪这那唯统统一")
_ZH_PERCENT = re.compile(r"百分之\s?([零〇一二三四五六七八九十百]+|\d+(?:\.\d+)?)")


def plain_quantities(text: str) -> str:
    """`text` in NFKC and small letters, each number in digits with a point, its unit behind a blank by one name.

    A range is "5 ~ 10 s", one from -x to x is "±x". A decimal comma is read as one only where nothing else can be
    meant: before a unit, or after a lone 0.
    """
    text = _HALF.sub(lambda match: (match[1] or "0") + _HALVES[match[2]], text)
    text = unicodedata.normalize("NFKC", _THIN_SPACE.sub("", text).translate(_APOSTROPHES)).casefold()
    text = text.replace("μ", "µ").replace("n't", " not").replace("cannot", "can not")
    text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    text = _DECIMAL_COMMA.sub(lambda match: f"{match[1] or match[3]}.{match[2] or match[4]}", text)
    text = _PLUS.sub("", _digits(text.strip()))
    text = _MAGNITUDE.sub(_multiplied, text)
    text = _UNIT.sub(_with_unit, text)
    text = _BETWEEN_HAN.sub(_joined, _BETWEEN.sub(_joined, text))
    return _RANGE.sub(_range, text)


def _digits(text: str) -> str:
    """Number words as digits, where they count something or stand alone."""
    if text.strip(" .。!！") in ("one", "zero"):
        return str(_EN_SMALL[text.strip(" .。!！")])
    text = _ZH_PERCENT.sub(lambda match: f"{_chinese_value(match[1])}%", text)
    text = _EN_ONE.sub(lambda match: str(_EN_SMALL[match[1]]), text)
    text = _EN_WORD.sub(lambda match: str(_english_value(match)), text)
    return _ZH_RUN.sub(lambda match: _chinese_value(match.group()) if _counts(match, text) else match.group(), text)


def _counts(match: re.Match[str], text: str) -> bool:
    """Whether a run of Chinese numerals is a number here, and no part of a word such as 统一, 十分 or 三四个."""
    run, before, behind = match.group(), text[max(0, match.start() - 1) : match.start()], text[match.end() :]
    if run == text.strip(" .。!！"):
        return True
    if before in _NO_COUNT_BEFORE and before:
        return False
    digits = sum(character in _ZH_DIGITS for character in run)
    if len(run) == 1:
        minutes = run != "十" or not behind.startswith("分") or behind.startswith(("分钟", "分鐘"))
        return (run == "十" or digits == 1) and behind[:1] in _ZH_COUNTED and minutes
    if digits == len(run):
        return digits >= 4
    return digits > 0 and (run[0] == "十" or run[0] in _ZH_DIGITS)


def _english_value(match: re.Match[str]) -> int:
    tens, ones, small = match.groups()
    return _EN_TENS[tens] + _EN_SMALL.get(ones or "zero", 0) if tens else _EN_SMALL[small]


def _chinese_value(run: str) -> str:
    """The digits of a Chinese number below ten thousand; digits in a row (二〇二三) are read one by one."""
    if run[0].isdigit():
        return run
    if not any(power in run for power in _ZH_POWERS):
        return "".join(str(_ZH_DIGITS[digit]) for digit in run)
    total, digit = 0, 0
    for character in run:
        if character in _ZH_POWERS:
            total += (digit or 1) * _ZH_POWERS[character]
            digit = 0
        else:
            digit = _ZH_DIGITS[character]
    return str(total + digit)


def _multiplied(match: re.Match[str]) -> str:
    """2500万 is 25000000."""
    value = Decimal(match[1]).scaleb(_TIMES[match[2] or match[3]])
    return f"{value.normalize():f}" + (" " if match[2] else "")


def _with_unit(match: re.Match[str]) -> str:
    """The number, without zeros that say nothing, and its unit by one name. "2 in a row" is no length."""
    number, gap, unit = match.groups()
    if gap and unit in ("a", "in"):
        return match.group()
    if "." in number and number.count(".") == 1:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {_UNITS[unit]} "


def _joined(match: re.Match[str]) -> str:
    return f"{match[1]}{f' {match[2]}' if match[2] else ''} ~ "


def _range(match: re.Match[str]) -> str:
    first, unit, last, last_unit = match.groups()
    if unit and not last_unit:
        return match.group()
    behind = f" {last_unit}" if last_unit else ""
    if first == f"-{last}":
        return f"±{last}{behind} "
    between = f" {unit}" if unit and unit != last_unit else ""
    return f"{first}{between} ~ {last}{behind} "
