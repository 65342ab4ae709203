"""Figures of a benchmark that has aims, and whether they were met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eval.bench.server import console

Row = dict[str, Any]


class BenchmarkFailed(Exception):
    """Something that has to hold for everything after it does not."""


@dataclass
class Findings:
    """The rows of the result; `met` says of those with an aim whether it was."""

    rows: list[Row] = field(default_factory=list)

    def add(self, what: str, figure: object, aim: str = "", *, met: bool = True) -> None:
        """Notes a figure, and tells it."""
        self.rows.append({"what": what, "figure": figure, "aim": aim, "met": ("yes" if met else "NO") if aim else None})
        console.print(f"{what}: {figure}", markup=False, highlight=False, soft_wrap=True)

    @property
    def all_met(self) -> bool:
        return all(row["met"] != "NO" for row in self.rows)
