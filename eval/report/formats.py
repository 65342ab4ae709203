"""Figures as people read them: shares as percentages, seconds and counts with as many digits as mean something."""

from __future__ import annotations

from app.types import Language
from eval.figures import Figure
from eval.metrics import METRICS
from eval.report.words import Words

NOTHING = "–"


def share(value: float) -> str:
    """Per cent with one decimal, such as "87.5%"; none and all are whole."""
    return f"{value:.0%}" if value in (0.0, 1.0) else f"{value:.1%}"


def seconds(value: float) -> str:
    """Seconds without their unit: two decimals below ten, one below a hundred."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def count(value: int) -> str:
    return f"{value:,}"


def value_of(metric: str, value: float | None, language: Language) -> str:
    """A metric's value with its unit, or a dash where there is none."""
    if value is None:
        return NOTHING
    kind = METRICS[metric].kind if metric in METRICS else "share"
    if kind == "share":
        return share(value)
    if kind == "seconds":
        return Words(language)("seconds_short", value=seconds(value))
    return f"{value:,.0f}"


def range_of(metric: str, figure: Figure, language: Language) -> str:
    """A figure's interval, its unit on both ends, or nothing where there is none."""
    if figure.low is None or figure.high is None:
        return ""
    return f"{value_of(metric, figure.low, language)} – {value_of(metric, figure.high, language)}"


def change_of(metric: str, value: float | None, language: Language) -> str:
    """A difference with its sign; shares in percentage points."""
    if value is None:
        return NOTHING
    if metric not in METRICS or METRICS[metric].kind == "share":
        points = f"{100 * value:+.1f}".replace("-", "−")
        return "0" if points in ("+0.0", "−0.0") else points
    size = value_of(metric, abs(value), language)
    return size if value == 0 else f"{'+' if value > 0 else '−'}{size}"


def probability(p: float | None) -> str:
    """A p value with two digits that count."""
    if p is None:
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"
