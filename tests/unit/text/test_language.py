"""The language of a question, also where it is mostly codes and names."""

import pytest

from app.text.language import detect_language


@pytest.mark.parametrize(
    "question",
    [
        "如何更换墨盒？",
        "AT+WSCAN 返回 OK 吗",
        "rt_ota_init 失败",
        "Network UPS Tools 支持 USB HID 吗？",
        "在 Add to the playlist 菜单中如何添加",
        "HL-L2350DW 报 E-04",
        "如何設定印表機？",
    ],
)
def test_chinese(question: str) -> None:
    assert detect_language(question) == "zh"


@pytest.mark.parametrize(
    "question",
    [
        "How do I change the ink?",
        "What does 打印机 mean?",
        "How do I set 中文输入法 in Debian?",
        "What is AT+WSCAN?",
        "E-04",
        "1234",
        "",
        "¿Qué es?",
    ],
)
def test_not_chinese_is_english(question: str) -> None:
    assert detect_language(question) == "en"
