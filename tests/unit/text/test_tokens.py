"""Tokens: codes, Chinese, words, and what must hold for any text."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.tokens import MAX_TOKEN, index_tokens, query_tokens, telling_words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("E-04", ["e-04", "e04", "e", "04"]),
        ("HL-L2350DW", ["hl-l2350dw", "hll2350dw", "hl", "l2350dw", "l", "2350", "dw"]),
        ("0x80070057", ["0x80070057", "0", "x", "80070057"]),
        ("AT+WSCAN", ["at+wscan", "atwscan", "at", "wscan"]),
        ("220V", ["220v", "220", "v"]),
        ("3.3V", ["3.3v", "3.3", "v"]),
        ("192.168.1.1", ["192.168.1.1"]),
        ("rt_ota_init()", ["rt_ota_init", "rtotainit", "rt", "ota", "init"]),
        ("sys.mount", ["sys.mount", "sysmount", "sys", "mount"]),
        ("WebNet", ["webnet", "web", "net"]),
    ],
)
def test_codes_are_kept_whole_and_taken_apart(text: str, tokens: list[str]) -> None:
    assert index_tokens(text) == tokens


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("E04", "错误代码 E-04：卡纸"),
        ("e-04", "Error E04"),
        ("HLL2350DW", "HL-L2350DW"),
        ("wscan", "AT+WSCAN=?"),
        ("plugin", "plug-in"),
        ("web net", "WebNet"),
        ("tinybee", "the TinyBee board"),
        ("TinyBee", "the tinybee board"),
        ("220 V", "ＡＣ２２０Ｖ"),
        ("cafe", "café"),
        ("printers", "the printer's tray"),
        ("打印机", "激光打印机的设置"),
        ("纸盒", "进纸盒"),
    ],
)
def test_a_question_meets_what_is_written_otherwise(asked: str, written: str) -> None:
    assert set(query_tokens(asked)) & set(index_tokens(written))


def test_chinese_gives_pairs_and_longer_dictionary_words() -> None:
    assert index_tokens("打印机") == ["打印", "印机", "打印机"]
    assert index_tokens("墨") == ["墨"]


def test_words_are_stemmed_and_repeated_as_the_text_repeats_them() -> None:
    assert index_tokens("Connecting connections, CONNECT.") == ["connect", "connect", "connect"]


@pytest.mark.parametrize(
    ("question", "tokens"),
    [
        ("请问如何设置打印机？", ["设置", "置打", "打印", "印机", "打印机"]),
        ("How do I reset the printer?", ["reset", "printer"]),
        ("What is the CAN bus?", ["can", "bus"]),
        ("打印机的目的地址是什么", ["打印", "印机", "打印机", "目的", "的地", "地址"]),
    ],
)
def test_a_question_loses_its_question_words(question: str, tokens: list[str]) -> None:
    assert query_tokens(question) == tokens


@pytest.mark.parametrize("question", ["如何", "How is it?", "什么是什么"])
def test_a_question_of_empty_words_alone_keeps_them(question: str) -> None:
    assert query_tokens(question)


def test_a_name_counts_once_in_a_question() -> None:
    assert query_tokens("WebNet") == ["webnet"]


def test_question_tokens_are_distinct() -> None:
    assert query_tokens("fuse fuse FUSE") == ["fuse"]


@given(st.text())
def test_any_text_gives_clean_tokens(text: str) -> None:
    for token in [*index_tokens(text), *query_tokens(text)]:
        assert 0 < len(token) <= MAX_TOKEN
        assert token.split() == [token]
        token.encode()


@given(st.text(), st.text())
def test_lines_are_read_one_by_one(first: str, second: str) -> None:
    assert index_tokens(f"{first}\n{second}") == index_tokens(first) + index_tokens(second)


def test_a_very_long_run_is_cut_alike_in_manual_and_question() -> None:
    key = "a1" * 5000
    assert query_tokens(key)[0] == index_tokens(key)[0] == key[:MAX_TOKEN]


def test_a_megabyte_of_odd_text_is_quick() -> None:
    assert index_tokens("-_.+" * 250_000) == []
    assert len(index_tokens("x-" * 250_000)) < 10


def test_threads_get_the_same_tokens() -> None:
    texts = [f"connecting printers {i} 打印机设置" for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(index_tokens, texts)) == [index_tokens(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("必须先打开主动上报", ["必须", "打开", "主动", "上报"]),
        ("HTTP 客户端怎样连接？", ["http", "客户", "户端", "客户端", "连接"]),
        ("How do I set E-04?", ["set", "e-04", "e04", "e", "04"]),
        ("如何", ["如何"]),
    ],
)
def test_telling_words_have_no_pairs_over_the_border_of_two_words(text: str, words: list[str]) -> None:
    assert telling_words(text) == words


@given(st.text(max_size=60))
def test_telling_words_are_tokens_of_the_text(text: str) -> None:
    assert set(telling_words(text)) <= set(index_tokens(text)) | set(query_tokens(text))
