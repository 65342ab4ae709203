"""Numbers, units and codes: what counts as the same, and what does not."""

from __future__ import annotations

import pytest

from app.text.quantities import missing_quantities, quantities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.1 kΩ", [("number", "5.1", "kω")]),
        ("a 5.1kΩresistor", [("number", "5.1", "kω")]),
        ("5.1k Ω", [("number", "5.1", "kω")]),
        ("1,000 mA", [("number", "1000", "ma")]),
        ("内存和780MB、５ 秒", [("number", "780", "mb"), ("number", "5", "s")]),
        ("100-240V", [("number", "100", None), ("number", "240", "v")]),
        ("-10 ~ 60°C", [("number", "-10", None), ("number", "60", "°c")]),
        ("error E-04 and CH340", [("code", "e04", None), ("code", "ch340", None)]),
        ("AT+UART", [("code", "at+uart", None)]),
        ("CONFIG_FLASH", [("code", "configflash", None)]),
        ("version 1.10.0", [("number", "1.10.0", None)]),
        ("05 and +5", [("number", "5", None), ("number", "5", None)]),
        ("按三个按钮", [("number", "3", None)]),
        ("press two buttons", [("number", "2", None)]),
        ("2 in a row", [("number", "2", None)]),
        ("1. Open the lid\n2. Close it", []),
        ("第三个，一般，and/or, USB-C", []),
    ],
)
def test_reads(text: str, expected: list[tuple[str, str, str | None]]) -> None:
    assert [(q.kind, q.value, q.unit) for q in quantities(text)] == expected


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("5.1 kΩ", "through a 5.1kΩresistor"),
        ("30 milliseconds", "a very short (30ms) grain"),
        ("1000", "1,000 pages"),
        ("5 秒", "wait 5 seconds"),
        ("E04", "Error E-04: no water"),
        ("5 V", "Voltage (V) | 5"),
        ("3 steps", "three steps"),
        ("between 100 and 240 V", "100-240 V"),
        ("x", "no number at all"),
    ],
)
def test_is_there(sentence: str, source: str) -> None:
    assert missing_quantities(sentence, source) == []


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("2", "12"),
        ("2", "2.5"),
        ("2", "v2 and 0x2"),
        ("5 mA", "5 V"),
        ("-5", "5"),
        ("E4", "E-04"),
        ("E04", "E-05"),
        ("1.10", "1.1"),
        ("CH341", "CH340"),
        ("三个", "四个按钮"),
    ],
)
def test_is_missing(sentence: str, source: str) -> None:
    assert len(missing_quantities(sentence, source)) == 1


def test_several_sources_count_together() -> None:
    assert missing_quantities("5 V at 2 A", "5 V", "2 A") == []
    assert [q.value for q in missing_quantities("5 V at 2 A", "5 V")] == ["2"]
