"""The report's charts as inline SVG.

Bars are drawn in shares of the width, so that they fit any screen with text of one size; curves in a small view box.
Colours come from the classes of the style sheet, in light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eval.figures import Figure, RiskPoint
from eval.report.svg import element, joined, percent

WIDTH, HEIGHT = 400.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 12.0, 30.0, 40.0
MOST_BINS = 20
MOST_POINTS = 160
HOVER_POINTS = 20
FAR_OUT = 1.6
"""A slowest question beyond this many times the 99th percentile is counted into the last bin."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a stacked bar: `kind` chooses its colour, `title` is shown on hovering."""

    kind: str
    count: int
    title: str


@dataclass(frozen=True, slots=True)
class Bins:
    """Counts of values in bins of one width from 0; the last one also holds everything beyond where `open_end`."""

    width: float
    counts: tuple[int, ...]
    open_end: bool

    @property
    def end(self) -> float:
        return self.width * len(self.counts)


def bar(figure: Figure, title: str, top: float = 1.0) -> Markup:
    """A bar from 0 to the figure's value on a scale that ends at `top`, with a whisker over its interval."""
    parts = [element("rect", class_="track", width="100%", height=14.0, y=4.0, rx=3.0)]
    if figure.value is not None:
        parts.append(element("rect", class_="fill", width=percent(figure.value / top), height=14.0, y=4.0, rx=3.0))
    if figure.low is not None and figure.high is not None:
        low, high = percent(figure.low / top), percent(figure.high / top)
        parts.append(element("line", class_="whisker", x1=low, x2=high, y1=11.0, y2=11.0))
        parts += [element("line", class_="whisker", x1=x, x2=x, y1=7.0, y2=15.0) for x in (low, high)]
    return element(
        "svg", element("title", title), joined(parts), class_="bar", width="100%", height=22.0, aria_hidden="true"
    )


def interval(figure: Figure) -> Markup:
    """A thin scale from 0 to 1 with the interval as a band and the value as a tick."""
    parts = [element("rect", class_="track", width="100%", height=4.0, y=3.0, rx=2.0)]
    if figure.low is not None and figure.high is not None:
        width = percent(figure.high - figure.low)
        parts.append(element("rect", class_="band", x=percent(figure.low), width=width, height=4.0, y=3.0, rx=2.0))
    if figure.value is not None:
        x = percent(figure.value)
        parts.append(element("line", class_="tick", x1=x, x2=x, y1=0.0, y2=10.0))
    return element("svg", joined(parts), class_="scale", width="100%", height=10.0, aria_hidden="true")


def stacked(parts: Sequence[Part]) -> Markup:
    """Parts of a whole side by side, each as wide as its share."""
    whole = sum(part.count for part in parts) or 1
    drawn, before = [], 0
    for part in parts:
        title = element("title", part.title)
        x, width = percent(before / whole), percent(part.count / whole)
        drawn.append(element("rect", title, class_=f"v-{part.kind}", x=x, width=width, height=26.0))
        before += part.count
    return element("svg", joined(drawn), class_="stacked", width="100%", height=26.0, aria_hidden="true")


def risk_curve(points: Sequence[RiskPoint], titles: Sequence[str], across: str, up: str) -> Markup:
    """Risk over coverage, both as shares; `titles` (one a point) are shown on hovering some of the points."""
    order = sorted(range(len(points)), key=lambda place: points[place].coverage)
    kept = [order[place] for place in _spread(len(order), MOST_POINTS)]
    top = _nice_share(max((points[place].risk for place in kept), default=0.0))
    spots = [(_x(points[place].coverage), _y(points[place].risk / top)) for place in kept]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    area = f"{spots[0][0]:.1f},{_y(0):.1f} {line} {spots[-1][0]:.1f},{_y(0):.1f}" if spots else ""
    hover = [
        element(
            "circle", element("title", titles[kept[place]]), class_="spot", cx=spots[place][0], cy=spots[place][1], r=4
        )
        for place in _spread(len(kept), HOVER_POINTS)
    ]
    return _plot(
        _grid([(share * top, f"{share * top:.0%}") for share in (0.0, 0.5, 1.0)], top),
        joined(_tick_across(share, f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)),
        element("polygon", class_="area", points=area),
        element("polyline", class_="curve", points=line),
        *hover,
        _axis_names(across, up),
    )


def histogram(bins: Bins, marks: Sequence[tuple[str, float]], titles: Sequence[str], across: str, up: str) -> Markup:
    """Counts over seconds, with `marks` (a name and a place in seconds each) as dashed lines."""
    highest = _nice_count(max(bins.counts, default=0))
    slot = (WIDTH - LEFT - RIGHT) / max(len(bins.counts), 1)
    drawn = [
        element(
            "rect",
            element("title", title),
            class_="fill",
            x=LEFT + place * slot + 0.75,
            y=_y(count / highest),
            width=slot - 1.5,
            height=_y(0) - _y(count / highest),
        )
        for place, (count, title) in enumerate(zip(bins.counts, titles, strict=True))
    ]
    return _plot(
        _grid([(share * highest, f"{share * highest:.0f}") for share in (0.0, 0.5, 1.0)], highest),
        *drawn,
        joined(_tick_across(share, _seconds(share * bins.end)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)),
        *(_mark(name, min(place / bins.end, 1.0), row) for row, (name, place) in enumerate(marks)),
        _axis_names(across, up),
    )


def binned(values: Sequence[float]) -> Bins:
    """At most 20 bins of a round width that hold all values (at least one, none negative)."""
    ordered = sorted(values)
    usual = ordered[min(len(ordered) - 1, math.ceil(0.99 * len(ordered)) - 1)]
    open_end = ordered[-1] > FAR_OUT * usual > 0
    end = usual if open_end else ordered[-1]
    width = _nice_width(end / MOST_BINS)
    count = min(MOST_BINS, max(4, math.floor(end / width) + 1))
    counts = [0] * count
    for value in ordered:
        counts[min(count - 1, int(value / width))] += 1
    return Bins(width, tuple(counts), open_end)


def _plot(*parts: Markup) -> Markup:
    return element("svg", *parts, class_="plot", viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}", role="img")


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _grid(ticks: Sequence[tuple[float, str]], top: float) -> Markup:
    lines = [
        element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=_y(at / top), y2=_y(at / top)) for at, _ in ticks
    ]
    names = [
        element("text", name, class_="tick-name", x=LEFT - 6, y=_y(at / top) + 4, text_anchor="end")
        for at, name in ticks
    ]
    return joined([*lines, *names])


def _tick_across(share: float, name: str) -> Markup:
    return element("text", name, class_="tick-name", x=_x(share), y=HEIGHT - BOTTOM + 15, text_anchor="middle")


def _axis_names(across: str, up: str) -> Markup:
    return joined(
        [
            element("text", across, class_="axis-name", x=_x(0.5), y=HEIGHT - 7, text_anchor="middle"),
            element("text", up, class_="axis-name", x=4.0, y=13.0),
        ]
    )


def _mark(name: str, share: float, row: int) -> Markup:
    x, left = _x(share), share > 0.7
    return joined(
        [
            element("line", class_="mark", x1=x, x2=x, y1=TOP - 12 + 11 * row, y2=_y(0)),
            element(
                "text",
                name,
                class_="mark-name",
                x=x - 4 if left else x + 4,
                y=TOP - 4 + 11 * row,
                text_anchor="end" if left else "start",
            ),
        ]
    )


def _spread(count: int, most: int) -> list[int]:
    """At most `most` places out of `count`, evenly spread, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(step * (count - 1) / (most - 1)) for step in range(most)})


def _nice_share(value: float) -> float:
    return next(step for step in (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0) if value <= step or step == 1.0)


def _nice_count(value: int) -> int:
    """An even number at or above `value`, so that its half is a whole number of questions."""
    if value <= 10:
        return max(2, value + value % 2)
    step = 10 ** (len(str(value)) - 1)
    return next(int(step * factor) for factor in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10) if value <= step * factor)


def _nice_width(least: float) -> float:
    """The round number 1, 2, 2.5 or 5 times a power of ten just above `least`; at least a hundredth."""
    if least <= 0.01:
        return 0.01
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if least < power * factor)


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
