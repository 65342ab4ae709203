"""Charts: what is drawn is where the figures say."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from eval.figures import Figure, RiskPoint
from eval.report import charts
from eval.report.svg import element


def test_attributes_and_texts_are_escaped() -> None:
    drawn = element("text", '<b>"&', class_='"><script>', text_anchor="end", x=None)
    assert drawn == '<text class="&#34;&gt;&lt;script&gt;" text-anchor="end">&lt;b&gt;&#34;&amp;</text>'


def test_a_bar_is_as_long_as_its_value_and_its_whisker_as_wide_as_the_interval() -> None:
    drawn = charts.bar(Figure(0.5, 0.25, 0.8, 40), "half")
    assert re.search(r'class="fill" width="50%"', drawn)
    assert re.search(r'class="whisker" x1="25%" x2="80%"', drawn)
    assert "whisker" not in charts.bar(Figure(0.5, None, None, 1), "no interval")
    assert "fill" not in charts.bar(Figure(None, None, None, 0), "nothing")


def test_parts_of_a_stacked_bar_fill_it() -> None:
    drawn = charts.stacked([charts.Part("right", 3, "a"), charts.Part("wrong", 1, "b")])
    assert re.findall(r'x="([\d.]+)%" width="([\d.]+)%"', drawn) == [("0", "75"), ("75", "25")]


def test_the_risk_curve_runs_from_left_to_right_through_its_points() -> None:
    points = [RiskPoint(1.0, 0.2, 0.1), RiskPoint(0.5, 0.1, 0.5), RiskPoint(0.25, 0.0, 0.9)]
    drawn = charts.risk_curve(points, ["all", "half", "quarter"], "across", "up")
    line = re.search(r'class="curve" points="([^"]+)"', drawn)
    assert line is not None
    spots = [tuple(float(part) for part in spot.split(",")) for spot in line[1].split()]
    assert [x for x, _ in spots] == sorted(x for x, _ in spots)
    assert spots[0][1] > spots[1][1] > spots[2][1]
    assert re.findall(r"<title>(\w+)</title>", drawn) == ["quarter", "half", "all"]


def test_many_points_are_thinned_and_the_ends_kept() -> None:
    points = [RiskPoint(place / 5000, 0.1, 0.5) for place in range(1, 5001)]
    drawn = charts.risk_curve(points, ["p"] * 5000, "across", "up")
    assert len(drawn) < 8000
    assert "388.0," in drawn


@given(st.lists(st.floats(min_value=0, max_value=1e5, allow_nan=False), min_size=1, max_size=200))
def test_every_value_is_in_a_bin(values: list[float]) -> None:
    bins = charts.binned(values)
    assert sum(bins.counts) == len(values)
    assert len(bins.counts) <= charts.MOST_BINS
    assert bins.open_end or max(values) <= bins.end


def test_a_value_far_out_does_not_flatten_the_rest() -> None:
    bins = charts.binned([2.0 + place / 100 for place in range(200)] + [900.0])
    assert bins.open_end
    assert bins.end < 6
    assert bins.counts[-1] >= 1


def test_values_fall_into_their_own_bins() -> None:
    assert charts.binned([0.1, 0.1, 0.6, 19.9]).counts[0] == 3
    assert charts.binned([0.0]).counts[0] == 1
