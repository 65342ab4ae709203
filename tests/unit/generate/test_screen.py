"""What no answer shows: foreign addresses and markup in any disguise, and the prompt; also piece by piece."""

from __future__ import annotations

import pytest

from app.generate.prompt import constant_messages
from app.generate.screen import Screen
from app.types import Hit
from tests.fixtures.passages import a_result

KNOWN = "Open http://192.168.0.1/setup in a browser. Write <name> there. See https://pumps.example/help."
FOREIGN = [
    "See https://evil.example/x now.",
    "See ｈｔｔｐｓ：／／evil．example／x now.",
    "See https\u200b://ev\u200bil.example/x now.",
    "See \u202ehttps://evil.example/x now.",
    "See ht\U000e0041tps://evil.example now.",
    "See һttps://еvil.example/x now.",
    "Go to evil.com for more.",
    "Go to www.evil.example for more.",
    "Write to help@evil.example for more.",
    "See ![x](//evil.example/i.png) here.",
    "See [help](javascript:alert(1)) here.",
    "See data:text/html;base64,PHNjcmlwdD4= here.",
    "Press <img src=x onerror=alert(1)> now.",
    "Press <script>alert(1)</script> now.",
]
FINE = [
    "Open http://192.168.0.1/setup in a browser.",
    "Write <name> there.",
    "Wait 15 minutes, e.g. 3.5 times; a < b and b > a.",
    "See https://pumps.example/help.",
    "等待 3.5 分钟，再按 OK 键：蜂鸣器响。",
]


def hits() -> tuple[Hit, ...]:
    return a_result(KNOWN).hits


def streamed(text: str, size: int = 3) -> str:
    screen = Screen("Where?", hits())
    shown = [screen.read(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join([*shown, screen.end()])


@pytest.mark.parametrize("text", FOREIGN)
def test_foreign_parts_are_not_shown(text: str) -> None:
    assert not Screen("Where?", hits()).allows(text)
    shown = streamed("Wait a little. " + text)
    assert shown.startswith("Wait")
    assert len(shown) <= len("Wait a little. See ht\U000e0041tps: Press Go to Write to [help]") - 20


@pytest.mark.parametrize("text", FINE)
def test_what_was_retrieved_is_shown(text: str) -> None:
    assert Screen("Where?", hits()).allows(text)
    assert streamed(text) == text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_prompt_is_not_told(language: str) -> None:
    rules = constant_messages("zh" if language == "zh" else "en")[0].content
    assert not Screen("Where?", hits()).allows(rules[:90])
    assert not Screen("Where?", hits()).allows("-".join(rules[:90]))
    assert len(streamed(rules)) < 60
