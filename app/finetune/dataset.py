"""The look at a data set before hours are spent on it: what is in it, what is twice, what leaks, what is learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from app.errors import TrainingSetTooSmall
from app.finetune.examples import Example, data_hash
from app.finetune.likeness import KnownQuestions
from app.finetune.tokenizing import ChatTokenizer, Encoded

LEAST_TRAIN, LEAST_HELDOUT = 10, 2
"""Examples below which a training learns nothing, or nothing can be said of it."""

_PREVIEWS = 3


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of examples: the median, the length that 95% do not pass, the longest."""

    median: int
    most: int
    longest: int

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Lengths:
        if not lengths:
            return cls(0, 0, 0)
        ranked = sorted(lengths)
        return cls(round(median(ranked)), ranked[int(0.95 * (len(ranked) - 1))], ranked[-1])


@dataclass(frozen=True, slots=True)
class Preview:
    """An example as the model is given it: the loss covers `learned`, with the end of the turn, and nothing else."""

    id: str
    kind: str
    read: str
    learned: str


@dataclass(frozen=True, slots=True)
class Side:
    """Counts of one side of the data."""

    examples: int
    kinds: dict[str, int]
    languages: dict[str, int]
    documents: int
    tokens: Lengths
    learned_tokens: Lengths

    @classmethod
    def of(cls, rows: Sequence[tuple[Example, Encoded]]) -> Side:
        examples = [example for example, _ in rows]
        return cls(
            examples=len(rows),
            kinds=dict(Counter(example.kind.value for example in examples)),
            languages=dict(Counter(example.language for example in examples)),
            documents=len({example.document for example in examples if example.document}),
            tokens=Lengths.of([len(encoded) for _, encoded in rows]),
            learned_tokens=Lengths.of([len(encoded.completion) for _, encoded in rows]),
        )


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a look found. `repeated` and `leaking` examples (asking what another asks; what is held out) and those that
    are `too_long` are left out of the sides; `shared_documents` are on both."""

    train: Side
    heldout: Side
    repeated: int
    leaking: int
    too_long: int
    shared_documents: tuple[str, ...]
    previews: tuple[Preview, ...]
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Checked:
    """The examples that are left, with their lengths in tokens, and the report."""

    train: tuple[Example, ...]
    heldout: tuple[Example, ...]
    train_lengths: tuple[int, ...]
    heldout_lengths: tuple[int, ...]
    report: DataReport


def check_dataset(
    train: Sequence[Example], heldout: Sequence[Example], tokenizer: ChatTokenizer, max_tokens: int
) -> Checked:
    """What of the examples can be used, and what is to be known of them; raises `TrainingSetTooSmall`."""
    known = KnownQuestions()
    measured, repeated_there = _distinct(heldout, known)
    unseen = [example for example in train if not known.has_like(example.question)]
    learned, repeated = _distinct(unseen, KnownQuestions())
    sides = [[(example, tokenizer.encode(example)) for example in side] for side in (learned, measured)]
    kept = [[row for row in side if len(row[1]) <= max_tokens] for side in sides]
    if len(kept[0]) < LEAST_TRAIN or len(kept[1]) < LEAST_HELDOUT:
        raise TrainingSetTooSmall(
            examples=len(kept[0]), heldout=len(kept[1]), least=LEAST_TRAIN, least_heldout=LEAST_HELDOUT
        )
    examples = [tuple(example for example, _ in side) for side in kept]
    named = [{example.document for example in side if example.document} for side in examples]
    report = DataReport(
        train=Side.of(kept[0]),
        heldout=Side.of(kept[1]),
        repeated=repeated + repeated_there,
        leaking=len(train) - len(unseen),
        too_long=sum(map(len, sides)) - sum(map(len, kept)),
        shared_documents=tuple(sorted(named[0] & named[1])),
        previews=_previews(kept[0], tokenizer),
        sha256=data_hash(*examples),
    )
    lengths = [tuple(len(encoded) for _, encoded in side) for side in kept]
    return Checked(examples[0], examples[1], lengths[0], lengths[1], report)


def _distinct(examples: Sequence[Example], known: KnownQuestions) -> tuple[list[Example], int]:
    kept = []
    for example in examples:
        if known.has_like(example.question):
            continue
        known.add(example.question)
        kept.append(example)
    return kept, len(examples) - len(kept)


def _previews(rows: Sequence[tuple[Example, Encoded]], tokenizer: ChatTokenizer) -> tuple[Preview, ...]:
    """The first examples of different kinds."""
    first = {example.kind: (example, encoded) for example, encoded in reversed(rows)}
    return tuple(
        Preview(example.id, example.kind.value, tokenizer.text(encoded.prompt), tokenizer.text(encoded.completion))
        for example, encoded in list(first.values())[:_PREVIEWS]
    )
