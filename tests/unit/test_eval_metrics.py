"""Metrics against cases worked out by hand, in Chinese too."""

import pytest

from eval.metrics import answer_tokens, first_hit, hit_at, is_right, percentile, reciprocal_rank, wilson


@pytest.mark.parametrize(
    ("answer", "variants", "right"),
    [
        ("It holds 2 litres.", ["2"], True),
        ("It holds 12 litres.", ["2"], False),
        ("It holds 2.5 litres.", ["2"], False),
        ("The limit is 10,000 samples.", ["10000"], True),
        ("The limit is 10000 samples.", ["10,000 samples"], True),
        ("Rated at 220V.", ["220 V"], True),
        ("Set it to -1.", ["-1"], True),
        ("Set it to 1.", ["-1"], False),
        ("请设置为 −1 或 1。", ["2"], False),
        ("默认端口是８０。", ["80"], True),
        ("空闲 120 秒后断开。", ["120秒"], True),
        ("空闲 1200 秒后断开。", ["120"], False),
        ("前一次文件下载的偏移量。", ["偏移量"], True),
        ("不知道。", ["偏移量"], False),
        ("780MB 内存，以及 1160MB 的硬盘", ["780MB 内存和1160MB 硬盘"], True),
        ("780MB 内存，以及 1170MB 的硬盘", ["780MB 内存和1160MB 硬盘"], False),
        ("anything", [""], False),
    ],
)
def test_is_right(answer: str, variants: list[str], right: bool) -> None:
    assert is_right(answer, variants) is right


def test_answer_tokens_part_codes_and_chinese() -> None:
    assert answer_tokens("E-04 表示缺水") == ["e", "04", "表", "示", "缺", "水"]


def test_first_hit_counts_distinct_pages() -> None:
    ranked = [("a.pdf", 1), ("a.pdf", 1), ("a.pdf", 2), ("b.pdf", 9)]
    assert first_hit(ranked, {("b.pdf", 9)}) == 3
    assert first_hit(ranked, {("b.pdf", 1)}) is None


def test_hit_and_reciprocal_rank() -> None:
    ranks = [1, 2, 6, None]
    assert hit_at(ranks, 1) == 0.25
    assert hit_at(ranks, 5) == 0.5
    assert reciprocal_rank(ranks) == pytest.approx((1 + 1 / 2 + 1 / 6) / 4)
    assert reciprocal_rank([11]) == 0


def test_wilson_interval_of_eight_in_ten() -> None:
    low, high = wilson(0.8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)


def test_percentile_of_a_known_list() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
