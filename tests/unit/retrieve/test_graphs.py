"""A forward pass as a graph: the same numbers, without the interpreter, or the pass itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.retrieve.graphs import MOST_WIDTH, Graphs

if TYPE_CHECKING:
    from torch import Tensor


class Counted:
    """A small forward pass that counts how often the interpreter goes through it."""

    def __init__(self, *, looks_at_values: bool = False) -> None:
        self.looks_at_values = looks_at_values
        self.runs = 0

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        self.runs += 1
        read = (ids * mask).float()
        if self.looks_at_values and bool(mask.all()):
            return read.sum(dim=1, keepdim=True) + 1
        return read.sum(dim=1, keepdim=True)


def rows(count: int, width: int, padding: int) -> tuple[Tensor, Tensor]:
    import torch  # noqa: PLC0415

    ids = torch.arange(count * width).reshape(count, width)
    mask = torch.ones_like(ids)
    mask[:, width - padding :] = 0
    return ids, mask


@pytest.mark.parametrize("width", [16, 32, MOST_WIDTH])
def test_a_width_is_recorded_once_and_then_runs_without_the_interpreter(width: int) -> None:
    counted = Counted()
    graphs = Graphs(counted.forward)
    graphs.run(*rows(1, width, 0))
    recording = counted.runs
    for padding in (0, 1, width // 2):
        ids, mask = rows(1, width, padding)
        assert graphs.run(ids, mask).item() == int((ids * mask).sum())
    assert counted.runs == recording


def test_what_depends_on_values_has_no_graph_and_stays_right() -> None:
    graphs = Graphs(Counted(looks_at_values=True).forward)
    for padding in (3, 0, 3):
        ids, mask = rows(1, 16, padding)
        assert graphs.run(ids, mask).item() == int((ids * mask).sum()) + (padding == 0)


def test_a_torch_without_recording_reads_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch  # noqa: PLC0415

    for name in ("trace", "optimized_execution"):
        monkeypatch.delattr(torch.jit, name)
    ids, mask = rows(1, 16, 3)
    graphs = Graphs(Counted().forward)
    for _ in range(2):
        assert graphs.run(ids, mask).item() == int((ids * mask).sum())


@pytest.mark.parametrize(("count", "width"), [(2, 16), (1, MOST_WIDTH + 16)])
def test_several_rows_and_long_ones_are_read_as_ever(count: int, width: int) -> None:
    counted = Counted()
    graphs = Graphs(counted.forward)
    for _ in range(3):
        graphs.run(*rows(count, width, 1))
    assert counted.runs == 3


def test_a_pass_that_fails_fails_as_ever() -> None:
    def forward(_ids: Tensor, _mask: Tensor) -> Tensor:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        Graphs(forward).run(*rows(1, 16, 0))
