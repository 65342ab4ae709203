"""Names and codes of a question, found again in passages or not."""

from __future__ import annotations

import pytest

from app.generate.context import select_passages
from app.generate.terms import missing_names, names
from app.types import Language
from tests.fixtures.passages import a_chunk, a_hit


@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [
        ("How do I flash Klipper onto the TinyBee?", "en", ["Klipper", "TinyBee"]),
        ("Klipper flashing", "en", []),
        ("HTTPS on port 443?", "en", ["HTTPS"]),
        ("what does error E-04 mean", "en", ["E-04"]),
        ("First question. Second one?", "en", []),
        ("怎样让 WebNet 运行 php 脚本？", "zh", ["WebNet", "php"]),
        ("多久 3 次？", "zh", []),
    ],
)
def test_names(question: str, language: Language, expected: list[str]) -> None:
    assert names(question, language) == expected


def test_missing_are_those_that_neither_text_nor_titles_mention() -> None:
    hit = a_hit(a_chunk("Connect webnet by USB.", headings=("ESP32 boards",)), manual="TinyBee Manual")
    passages = select_passages("connect", [hit], 200)
    question = "Does TinyBee or WebNet on the ESP32 speak HTTPS over USB?"
    assert missing_names(question, passages, "en") == ["HTTPS"]
