"""What a training's figures say while it runs: whether the loss explodes, and whether it learns by heart."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

_STEPS_SMOOTHED = 5
_EXPLODED = 2.0
"""The mean loss of some steps against the lowest such mean; a healthy run stays below half of that."""

_EXPLODED_BY = 0.5
_WORSE = 1.02
"""A held-out loss so far above the best one is worse, and not only different."""

_WORSE_IN_A_ROW = 2


@dataclass(slots=True)
class LossWatch:
    """Looks at the loss of each step."""

    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=_STEPS_SMOOTHED))
    _lowest: float = math.inf
    _raised: bool = False

    def sees(self, loss: float) -> bool:
        """Whether the loss explodes with this step; said once, until it has come down again."""
        self._recent.append(loss)
        if len(self._recent) < _STEPS_SMOOTHED:
            return False
        mean = sum(self._recent) / len(self._recent)
        self._lowest = min(self._lowest, mean)
        exploded = mean > _EXPLODED * self._lowest and mean > self._lowest + _EXPLODED_BY
        news = exploded and not self._raised
        self._raised = exploded
        return news


@dataclass(slots=True)
class HeldoutWatch:
    """Looks at the held-out losses of trained steps, oldest first; the base model's own is none of them."""

    patience: int
    losses: list[tuple[int, float]] = field(default_factory=list)

    def sees(self, step: int, loss: float) -> bool:
        """Take note of an evaluation; whether it is the best so far."""
        best = loss < min((value for _, value in self.losses), default=math.inf)
        self.losses.append((step, loss))
        return best

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and loss of the best evaluation."""
        return min(self.losses, key=lambda pair: (pair[1], pair[0]), default=None)

    @property
    def without_gain(self) -> int:
        """Evaluations since the best one."""
        best = self.best
        return 0 if best is None else sum(step > best[0] for step, _ in self.losses)

    @property
    def spent(self) -> bool:
        """Whether patience is at its end."""
        return bool(self.patience) and self.without_gain >= self.patience

    @property
    def overfits(self) -> bool:
        """Whether the last evaluations are clearly worse than the best, while training went on; true once a row."""
        best = self.best
        if best is None:
            return False
        row = 0
        for _, loss in reversed(self.losses):
            if loss <= _WORSE * best[1]:
                break
            row += 1
        return row == _WORSE_IN_A_ROW
