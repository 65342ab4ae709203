"""The order in which examples are learned from: at random, but with others of about their length."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

_SPREAD = 0.15
"""How far lengths are taken as equal: enough that the same examples do not always meet."""


def grouped_order(lengths: Sequence[int], group: int, seed: int, epoch: int) -> list[int]:
    """Every index once, in groups of `group` neighbours of like length, the groups in random order.

    The same arguments give the same order, so a resumed training goes on with the examples that are left. The longest
    group comes first in the first epoch: memory that does not suffice shows at once.
    """
    rng = random.Random(f"{seed}-{epoch}")  # noqa: S311 - an order, no secret
    drawn = {index: length * rng.uniform(1 - _SPREAD, 1 + _SPREAD) for index, length in enumerate(lengths)}
    ranked = sorted(drawn, key=lambda index: (-drawn[index], index))
    groups = [ranked[start : start + group] for start in range(0, len(ranked), group)]
    whole, rest = [part for part in groups if len(part) == group], [part for part in groups if len(part) < group]
    first, others = (whole[:1], whole[1:]) if epoch == 0 else ([], whole)
    rng.shuffle(others)
    return [index for part in (*first, *others, *rest) for index in part]


class GroupedSampler:
    """The order for a data loader, which says which epoch it is."""

    def __init__(self, lengths: Sequence[int], group: int, seed: int) -> None:
        self._lengths = lengths
        self._group = group
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(grouped_order(self._lengths, self._group, self._seed, self._epoch))
