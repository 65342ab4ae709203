"""A model's forward pass as graphs that run without the interpreter."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import torch

log = structlog.get_logger(__name__)

MOST_WIDTH = 64
"""Tokens of the longest question that has a graph."""

Forward = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]


class Graphs:
    """`forward`, a function of token ids and mask, shape (1, width) each, recorded by `torch.jit`.

    Once for each width up to `MOST_WIDTH`; the weights are shared.

    Called from Python, each of the some two hundred operations of a small model lets go of the interpreter's lock and
    waits for it again, behind every thread that computes meanwhile. A graph waits once. It does the same operations in
    the same order, and is used only where it gave the same numbers, bit by bit, for a row with padding and for one
    without. One thread at a time.
    """

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._by_width: dict[int, Forward] = {}

    def run(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """As `forward`, and what it raises."""
        import torch  # noqa: PLC0415 - seconds to load

        rows, width = ids.shape
        if rows > 1 or width > MOST_WIDTH:
            return self._forward(ids, mask)
        if width not in self._by_width:
            self._by_width[width] = self._recorded(ids)
        run = self._by_width[width]
        if run is self._forward:
            return run(ids, mask)
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]  # no fusing: the same numbers
            return run(ids, mask)

    def _recorded(self, ids: torch.Tensor) -> Forward:
        """A graph for rows as wide as this one, or `forward` itself where there can be none."""
        import torch  # noqa: PLC0415

        full = torch.ones_like(ids)
        padded = full.clone()
        padded[0, -1] = 0
        try:
            with warnings.catch_warnings(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
                warnings.simplefilter("ignore")  # what depends on a value is compared below
                graph: Forward = torch.jit.trace(self._forward, (ids, padded), check_trace=False)  # type: ignore[no-untyped-call]
                same = all(torch.equal(graph(ids, mask), self._forward(ids, mask)) for mask in (full, padded))
        except (RuntimeError, TypeError, AttributeError) as error:
            log.info("embedder_without_graph", width=ids.shape[1], detail=str(error)[:200])
            return self._forward
        if not same:
            log.info("embedder_without_graph", width=ids.shape[1], detail="it gives other numbers")
        return graph if same else self._forward
