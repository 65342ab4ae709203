"""Right and wrong answers against cases worked out by hand, in Chinese too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.matching import (
    answer_numbers,
    answer_tokens,
    exact_match,
    is_right,
    parts_stated,
    right_answer,
    states_any,
    token_f1,
)
from tests.unit.evaluation.factories import a_question


@pytest.mark.parametrize(
    ("answer", "variants", "right"),
    [
        ("It holds 2 litres.", ["2"], True),
        ("It holds 12 litres.", ["2"], False),
        ("It holds 2.5 litres.", ["2"], False),
        ("It holds 1.2 litres.", ["2"], False),
        ("Set it to -2.", ["2"], False),
        ("Choose WPA2.", ["2"], False),
        ("Version V2 is needed.", ["2"], True),
        ("Choose WPA2.", ["WPA2"], True),
        ("The limit is 10,000 samples.", ["10000"], True),
        ("The limit is 10000 samples.", ["10,000 samples"], True),
        ("Rated at 220V.", ["220 V"], True),
        ("Rated at 220 mV.", ["220 V"], False),
        ("Set it to -1.", ["-1"], True),
        ("Set it to 1.", ["-1"], False),
        ("请设置为 −1 或 1。", ["2"], False),
        ("错误码为-10。", ["-10"], True),
        ("默认端口是８０。", ["80"], True),
        ("空闲 120 秒后断开。", ["120秒"], True),
        ("After 120 seconds it disconnects.", ["120 秒"], True),
        ("空闲 1200 秒后断开。", ["120"], False),
        ("前一次文件下载的偏移量。", ["偏移量"], True),
        ("不知道。", ["偏移量"], False),
        ("780MB 内存，以及 1160MB 的硬盘", ["780MB 内存和1160MB 硬盘"], True),
        ("780MB 内存，以及 1170MB 的硬盘", ["780MB 内存和1160MB 硬盘"], False),
        ("共有四个接口。", ["4 个"], True),
        ("Hold it for four seconds.", ["4秒"], True),
        ("Charge it for 5 to 7 days.", ["5-7 days"], True),
        ("Charge it for 5 to 8 days.", ["5-7 days"], False),
        ("Press [OK], then <Menu>.", ["OK then menu"], True),
        ("anything", [""], False),
        ("", ["5 V"], False),
    ],
)
def test_is_right(answer: str, variants: list[str], right: bool) -> None:
    assert is_right(answer, variants) is right


@pytest.mark.parametrize(
    ("answer", "variant", "right"),
    [
        ("It is not 5 V.", "5 V", False),
        ("It is not 5 V but 3.3 V.", "3.3 V", True),
        ("Not 5 V: the port gives 5 V only when it is on.", "5 V", True),
        ("It isn't the red button.", "red button", False),
        ("电压不是 5 伏。", "5 V", False),
        ("不支持蓝牙。", "支持", False),
        ("不超过 5 伏。", "5 V", True),
        ("Do not disconnect the cable.", "Do not disconnect the cable", True),
        ("Please press and hold the power button firmly.", "Do not press and hold the power button", False),
        ("请勿按下电源键。", "按下电源键", False),
    ],
)
def test_a_denied_answer_is_no_answer(answer: str, variant: str, right: bool) -> None:
    assert is_right(answer, [variant]) is right


@pytest.mark.parametrize(
    ("answer", "variant", "right"),
    [
        ("Supported are Fastlz and Quicklz.", "Quicklz 和 Fastlz", True),
        ("支持 Fastlz、Quicklz。", "Quicklz 和 Fastlz", True),
        ("Supported is Quicklz.", "Quicklz, Fastlz", False),
        ("In Florida, in the town of Tampa.", "Tampa, Florida", True),
        ("GPIO 5 and 3", "3, 5", True),
        ("GPIO 5 and 13", "3, 5", False),
    ],
)
def test_lists_in_any_order(answer: str, variant: str, right: bool) -> None:
    assert is_right(answer, [variant]) is right


@pytest.mark.parametrize(
    ("answer", "variant", "right"),
    [
        ("Yes.", "Yes", True),
        ("Yes, it can be used in the rain.", "No", False),
        ("No, it cannot.", "No", True),
        ("It can be used in the rain for an hour.", "Yes", True),
        ("It can't be used in the rain.", "Yes", False),
        ("It can't be used in the rain.", "No", True),
        ("The manual does not state whether it can be used in the rain.", "No", False),
        ("Charge the battery first.", "Yes", False),
        ("No more than one hour.", "No", False),
    ],
)
def test_yes_and_no(answer: str, variant: str, right: bool) -> None:
    assert is_right(answer, [variant], "Can it be used in the rain?") is right


@pytest.mark.parametrize(
    ("answer", "variant", "right"),
    [
        ("是的。", "是", True),
        ("可以，淋雨时可以使用。", "是", True),
        ("不可以。", "否", True),
        ("淋雨时不能使用。", "否", True),
        ("淋雨时不能使用。", "是", False),
        ("手册没有说明淋雨时能否使用。", "否", False),
    ],
)
def test_yes_and_no_in_chinese(answer: str, variant: str, right: bool) -> None:
    assert is_right(answer, [variant], "淋雨时可以使用吗？") is right


@pytest.mark.parametrize(
    ("answer", "letter", "right"),
    [
        ("Choose setting T.", "T", True),
        ("Don't touch it.", "T", False),
        ("A fan.", "A", False),
        ("选 B 档", "B", True),
    ],
)
def test_a_single_letter_counts_as_it_is_written(answer: str, letter: str, right: bool) -> None:
    assert is_right(answer, [letter]) is right


PASSAGE = (
    "From a Home screen, swipe down to open the notification panel, then tap the gear for settings. "
    "Location services use a combination of satellites, mobile network and wireless access points to determine where "
    "the phone is. Tap Location, slide the switch to the right and choose improved accuracy to let scanning find "
    "nearby beacons. Applications that asked for your position recently are listed below the switch with battery use."
)


EXTRACT = (
    "swipe down to open the notification panel, tap the gear for settings, tap Location and slide the switch right."
)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (f"To do so, {EXTRACT}", True),
        ("Tap Location.", False),
        ("Press the volume key and say the name of the town; the assistant shows a map of restaurants nearby.", False),
        (f"3 times {EXTRACT}", False),
        ("How do I turn on location services of the phone?", False),
    ],
)
def test_an_answer_may_take_a_part_of_a_passage(answer: str, right: bool) -> None:
    assert is_right(answer, [PASSAGE], "How do I turn on location services of the phone?") is right


def test_five_telling_words_may_stand_apart() -> None:
    variant = "press and hold the Up button until the logo appears"
    assert is_right("Press the Up button and hold it: keep on until a logo appears.", [variant])
    assert not is_right("Press the Up button.", [variant])
    assert not is_right("按住 6 秒后松开电源键即可重新启动设备。", ["按住 5 秒后松开电源键即可重新启动设备"])


def test_parts_are_all_needed() -> None:
    question = a_question(answers=("four seconds; one second",), answer_parts=("four seconds (SEED)", "1 second"))
    assert right_answer("Hold SEED (four seconds): four seconds SEED; the button for one second.", question)
    assert not right_answer("Hold SEED for four seconds.", question)
    assert parts_stated("PV1 goes from -5V to +5V.", ["PV1: -5V to +5V", "PV2: -3.3V to +3.3V"]) == [True, False]


def test_what_ought_not_to_be_said() -> None:
    assert states_any("It was Simona Halep in 2019.", ["Simona Halep"])
    assert not states_any("It was not Simona Halep.", ["Simona Halep"])
    assert not states_any("It was someone else.", [])


def test_tokens_and_numbers() -> None:
    assert answer_tokens("E-04 表示缺水") == ["e", "04", "表", "示", "缺", "水"]
    assert answer_numbers("WPA2 在 5–10 秒后用 12 V") == {"5", "10", "12"}


def test_exact_match_and_f1_by_hand() -> None:
    assert exact_match("The Red Button.", ["red button"])
    assert exact_match("5 秒。", ["5 seconds"])
    assert not exact_match("the big red button", ["red button"])
    assert not exact_match("", [""])
    # {the→dropped, big, red, button} and {red, button}: precision 2/3, recall 1
    assert token_f1("the big red button", ["red button", "no"]) == pytest.approx(0.8)
    # 按住电源键 (5) and 电源键 (3): 3 in common
    assert token_f1("按住电源键", ["电源键"]) == pytest.approx(2 * 3 / 8)
    # 5, s, 后, 断, 开 and 5, s: 2 in common
    assert token_f1("5 秒后断开", ["5 s"]) == pytest.approx(2 * 2 / 7)
    assert token_f1("", ["red"]) == 0
    assert token_f1("red red", ["red"]) == pytest.approx(2 / 3)


plain_texts = st.text("abc 的水电 0123456789.,-", min_size=1, max_size=30)


@given(plain_texts, plain_texts)
def test_f1_is_a_symmetric_share(first: str, second: str) -> None:
    value = token_f1(first, [second])
    assert 0 <= value <= 1
    assert value == token_f1(second, [first])
    assert exact_match(first, [second]) <= (value > 1 - 1e-9)


@given(st.integers(0, 999), st.integers(0, 999))
def test_a_number_is_right_only_as_itself(number: int, other: int) -> None:
    assert is_right(f"The limit is {number} litres.", [str(other)]) is (number == other)
    assert is_right(f"上限为{number}升。", [f"{other} L"]) is (number == other)
