"""Nonsense is told from text, from listings and from tables of numbers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ingest.parsers.garbled import is_garbled

ENGLISH = (
    "The pump starts ten seconds after the lid has been closed and the tank holds more than half a litre of water."
    " It stops when the tank is empty or the lid is opened again by hand. Do not use it with other liquids.\n" * 3
)
GERMAN = (
    "Die Pumpe startet zehn Sekunden, nachdem der Deckel geschlossen wurde und der Tank mehr als einen halben Liter"
    " Wasser enthält. Größere Mengen müssen von Hand geprüft werden, bevor das Gerät benutzt wird.\n" * 3
)
SPANISH = "La bomba arranca diez segundos después de cerrar la tapa y el depósito contiene más de medio litro.\n" * 4
CHINESE = "水泵在盖子关闭十秒后启动，水箱内的水应多于半升。水箱空了或再次打开盖子时停止。请勿用于其他液体。\n" * 3
TRADITIONAL = "水泵在蓋子關閉十秒後啟動，水箱內的水應多於半升。請勿用於其他液體，並將設備遠離熱源與陽光。\n" * 3
JAPANESE = "ポンプは蓋を閉めて十秒後に起動します。水槽が空になると停止します。他の液体には使用しないでください。\n" * 3
CODE = "for (i = 0; i < n; i++) {\n    buf[i] ^= 0x5A;  /* mask */\n    if (!(crc & 1)) { crc >>= 1; }\n}\n" * 6
HEX = "\n".join(" ".join(f"{(row * 37 + col * 101) % 256:02X}" for col in range(16)) for row in range(30))
PARTS = "\n".join(
    f"{n} RES-SMD-0603-{n * 47}R GRM188R71C{n:03d} C{n} R{n + 1} QFN-{n} MCP{2500 + n}T-E/SN" for n in range(30)
)
PINS = "GND VCC MOSI MISO SCLK GPIO12 GPIO13 RXD TXD NRST BOOT PWM SDA SCL DTR RTS CTS VBUS HSYNC\n" * 6
DOTS = "\n".join(f"{n}.1 Pump {'. ' * 40}{n}" for n in range(20))


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        GERMAN,
        SPANISH,
        CHINESE,
        TRADITIONAL,
        JAPANESE,
        CODE,
        HEX,
        PARTS,
        PINS,
        DOTS,
        "",
        "12 V",
        "• • •\n" * 20,
    ],
)
def test_text_is_text(text: str) -> None:
    assert not is_garbled(text)
    assert not is_garbled(text.upper())


def shifted(text: str, by: int) -> str:
    return "".join(chr(max(0, ord(letter) + by)) for letter in text)


def substituted(text: str) -> str:
    """Each letter another one: rare for common."""
    return text.casefold().translate(str.maketrans("etaoinshrdlcu", "qzxjkvwbypgfm"))


@pytest.mark.parametrize("text", [ENGLISH, GERMAN])
@pytest.mark.parametrize("by", [-29, -3, 1, 3, 5, 13, 29])
def test_a_shifted_alphabet_is_garbled(text: str, by: int) -> None:
    assert is_garbled(shifted(text, by))


@pytest.mark.parametrize(
    "text",
    [
        "\ufffd" * 100 + "page 3",
        "".join(chr(0xE000 + ord(c)) for c in ENGLISH),
        "".join(f"(cid:{ord(c)})" for c in ENGLISH[:200]),
        "".join(chr(ord(c) % 29) for c in ENGLISH),
        CHINESE.encode().decode("latin-1"),
        substituted(ENGLISH),
        "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" * 10,
        "".join(random.Random(7).choice([chr(c) for c in range(0x4E00, 0x9FA0)]) for _ in range(300)),
    ],
    ids=["replacement", "private", "cid", "control", "latin-1", "substituted", "symbols", "random ideographs"],
)
def test_nonsense_is_garbled(text: str) -> None:
    assert is_garbled(text)


@given(st.text(max_size=400))
def test_any_text_is_judged(text: str) -> None:
    assert is_garbled(text) in (True, False)
