"""Cleaning page text: what is joined, what stays apart, what goes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.normalise import clean_characters, clean_line, clean_page_text, fold, vocabulary

PARAGRAPH_ZH = (
    "安装过程中一个重要的选项是要不要安装图形桌面环境，它由一个窗口系统和一个图形桌面环\r\n"
    "境组成。如果没有选择桌面环境任务，就只有一个相对基本的、命令行驱动的系统，把安装桌\r\n"
    "面环境任务作为选项。"
)
PARAGRAPH_EN = (
    "The pump starts ten seconds after the lid has been closed and the tank holds more\r\n"
    "than half a litre of water. It stops when the tank is empty or the lid is opened\r\n"
    "again by hand."
)


def test_wrapped_chinese_lines_are_joined_without_a_space() -> None:
    assert clean_page_text(PARAGRAPH_ZH) == PARAGRAPH_ZH.replace("\r\n", "")


def test_wrapped_english_lines_are_joined_with_a_space() -> None:
    assert clean_page_text(PARAGRAPH_EN) == PARAGRAPH_EN.replace("\r\n", " ")


@pytest.mark.parametrize(
    "lines",
    [
        ["3.2 记得备份您所有的数据！", "开始安装之前，请确定您已经把系统中所有数据都进行了备份。"],
        ["• 每个硬件附带的手册和您计算机的配置画面，在计算机启动时可以查看这些画面", "• 每个硬件的包装盒和系统窗口"],
        ["1. Close the lid until it clicks and press the green button on the front panel", "2. Wait"],
        ["代码 含义 处理方法", "E-01 水箱缺水 加水", "E-02 电机过热 停机十分钟"],
        ["WPA-PSK(TKIP) 64 hex digits or 8 to 63 letters", "WPA-PSK(CCMP) 64 hex digits or 8 to 63 letters"],
    ],
)
def test_headings_list_items_and_table_rows_stay_lines(lines: list[str]) -> None:
    assert clean_page_text("\r\n".join(lines)).split("\n") == lines


@pytest.mark.parametrize(
    ("raw", "elsewhere", "clean"),
    [
        ("the mag\x02nets", "", "the magnets"),
        ("in real\x02time", "a real-time clock", "in real-time"),
        ("a data\x02driven one", "the data is driven", "a data-driven one"),
        ("a shut\x02down", "each shutdown", "a shutdown"),
        ("error E\x0204", "", "error E-04"),
        ("use Wi\x02Fi", "", "use Wi-Fi"),
        ("ACCEL\x02ERATOR", "", "ACCELERATOR"),
    ],
)
def test_hyphen_of_a_broken_word_follows_the_rest_of_the_document(raw: str, elsewhere: str, clean: str) -> None:
    assert clean_page_text(raw, vocabulary([raw, elsewhere])) == clean


def test_invisible_characters_go() -> None:
    hidden = "".join(
        chr(code) for code in (0x200B, 0x202E, 0x2066, 0xFEFF, 0xAD, 0xE0041, 0x7, 0xFFFE, 0xFE0F, 0xF0000)
    )
    assert clean_page_text(f"ig{hidden}nore") == "ignore"


def test_lone_surrogates_go_so_that_text_can_be_stored() -> None:
    assert clean_characters("a\ud83db").encode() == b"ab"


def test_characters_of_the_manual_stay() -> None:
    text = "电压：３Ｖ（±5 %），10 kΩ，20 ℃，①「菜单」～ x² ½"
    assert clean_page_text(text) == text


def test_shapes_become_letters_and_symbols_bullets() -> None:
    assert clean_page_text("speci\ufb01ed ⽤⼾ \uf06e Item \ue123") == "specified 用户 • Item"


def test_rows_of_dots_and_spaced_out_chinese_are_tidied() -> None:
    assert clean_page_text("2.1 安装 . . . . . . . . . 12") == "2.1 安装 … 12"
    assert clean_page_text("启 用 加 密 功 能 // 值 含 义") == "启用加密功能 // 值 含 义"


def test_clean_line_is_one_bounded_line() -> None:
    assert clean_line("  a\r\n\u202eb\x00\t c ", 4) == "a b"
    assert len(clean_line("x" * 10_000, 300)) == 300


@given(st.text(max_size=300))
def test_cleaning_is_stable_and_leaves_only_what_can_be_seen(raw: str) -> None:
    clean = clean_characters(raw)
    assert clean_characters(clean) == clean
    assert all(c == "\n" or c == "\t" or unicodedata.category(c) not in {"Cc", "Cs", "Co"} for c in clean)


@given(st.text(st.sampled_from("ab中文。，. 1\n•-"), max_size=300))
def test_cleaning_a_page_changes_white_space_alone(raw: str) -> None:
    def solid(text: str) -> str:
        return "".join(text.split())

    if "….." not in raw and "...." not in solid(raw):
        assert solid(clean_page_text(raw)) == solid(raw)


def test_hostile_pages_take_linear_time() -> None:
    for piece in ("a", "\x02", "a\x02", ". ", "。）", "中 ", "\n", " \n", "- "):
        assert isinstance(clean_page_text(piece * 100_000, vocabulary([piece * 100_000])), str)


def test_fold_compares_what_looks_alike() -> None:
    assert fold(" ＡＴ＋ＱＭＡＣ\n x² ") == fold("at+qmac X2")
    assert fold("Straße") == fold("STRASSE")


def test_rows_of_tables_keep_their_cells() -> None:
    raw = (
        f"{PARAGRAPH_EN}\r\n  Model \t Supply  voltage\t\r\n\tof the second\tmodel . . . . . . . 3\r\n\t\r\nand so on."
    )
    assert clean_page_text(raw) == (
        PARAGRAPH_EN.replace("\r\n", " ") + "\nModel\tSupply voltage\t\n\tof the second\tmodel … 3\n\nand so on."
    )


def test_wrapped_lines_are_never_joined_with_a_row() -> None:
    rows = [f"{line}\t{line}" for line in PARAGRAPH_EN.split("\r\n")]
    assert clean_page_text("\r\n".join(rows)).split("\n") == rows


def test_first_and_last_empty_cells_of_a_page_stay() -> None:
    assert clean_page_text("\r\n \tVoltage\r\nA\t \r\n") == "\tVoltage\nA\t"
