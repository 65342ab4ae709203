"""Numbers, units and ranges written in many ways come out as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.quantity_text import plain_quantities


def plain(text: str) -> str:
    return " ".join(plain_quantities(text).split())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (
            ("5–10秒", "5 s to 10 s", "five to ten seconds", "5-10s", "5～10 秒", "between 5 and 10 s", "５至10秒"),
            "5 ~ 10 s",
        ),
        (("-3.3V to +3.3V", "±3.3 V", "between -3.3 V and +3.3 V", "-3.3V 到 +3.3V", "±3.30伏"), "±3.3 v"),
        (("25 ℃", "25°C", "25 摄氏度", "twenty-five degrees Celsius", "二十五摄氏度"), "25 degc"),
        (("5%", "5 percent", "百分之五", "５％"), "5 pct"),
        (("10MΩ", "10 megaohm", "10 兆欧"), "10 megohm"),
        (("0,5 V", "0.5V", "½ V", "0.50 伏"), "0.5 v"),
        (("1,160 MB", "1160MB", "1\u2009160 兆"), "1160 mb"),
        (("16 Kbytes", "16KB", "16 千字节"), "16 kb"),
        (("20 mA", "20毫安", "twenty milliamps"), "20 ma"),
        (("15 min", "十五分钟", "fifteen minutes"), "15 min"),
        (("4 次", "四次", "four times"), "4 times"),
        (("2500万人", "25 million 人"), "25000000 人"),
        (("三十万", "30万", "300,000"), "300000"),
    ],
)
def test_ways_of_writing_one_quantity(written: tuple[str, ...], meant: str) -> None:
    assert {text: plain(text) for text in written} == dict.fromkeys(written, meant)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("端口80，443", "端口80, 443"),
        ("1,5", "1,5"),
        ("2021-02-07", "2021-02-07"),
        ("version 1.10", "version 1.10"),
        ("2 in a row", "2 in a row"),
        ("no one", "no one"),
        ("统一配置", "统一配置"),
        ("十分重要，千万不要，万一", "十分重要, 千万不要, 万一"),
        ("第二个", "第二个"),
        ("三四个", "三四个"),
        ("其中一个", "其中一个"),
        ("ports 5 and 10", "ports 5 and 10"),
    ],
)
def test_what_is_no_quantity_stays(text: str, kept: str) -> None:
    assert plain(text) == kept


@given(st.integers(0, 9999), st.sampled_from(["s", "秒", " seconds", " 秒"]))
def test_every_whole_number_of_seconds(number: int, unit: str) -> None:
    assert plain(f"{number}{unit}") == f"{number} s"
    assert plain(f"{number:,}{unit}") == f"{number} s"
