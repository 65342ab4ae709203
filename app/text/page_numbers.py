"""Numbers of pages as people write them."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_RUNS = 12


def page_numbers(numbers: Sequence[int]) -> str:
    """Rising numbers such as 3, 7, 8, 9 as "3, 7-9"; many end in an ellipsis."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    shown = ["-".join(map(str, run)) for run in runs[:_MOST_RUNS]]
    return ", ".join(shown if len(runs) <= _MOST_RUNS else [*shown, "…"])
