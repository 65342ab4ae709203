"""Two runs side by side: what each metric gained or lost, and which questions got better or worse."""

from __future__ import annotations

from collections.abc import Sequence

from eval.figures import Change, Comparison, Difference, Figure, Metric, Scored, Verdict
from eval.metrics import METRICS, PERCENTILES
from eval.records import Run
from eval.scoring import score
from eval.statistics import SEED, PairedTest, paired_means, paired_percentiles
from eval.summary import figures_of

_WORTH: dict[Verdict, int] = {
    "right": 4,
    "refused_rightly": 4,
    "unlabelled": 3,
    "searched": 3,
    "refused": 2,
    "wrong": 1,
    "invented": 1,
    "failed": 0,
}
"""A refusal without need is better than a wrong answer, and both are better than an error."""

_SEARCHED = "hit@5"
"""What tells better from worse where no answers were asked for."""

_NOTHING = Figure(None, None, None, 0)

Pair = tuple[Scored, Scored]


def compare(before: Run, after: Run, seed: int = SEED) -> Comparison:
    """The two runs over the questions they share: the same id and the same text.

    Both are judged by the labels of `after`, so that a corrected answer does not look like a better model.
    """
    pairs, only_before, only_after = _paired(before, after)
    return Comparison(
        before=before,
        after=after,
        shared=len(pairs),
        only_before=only_before,
        only_after=only_after,
        differences=tuple(_differences(pairs, seed)),
        changes=tuple(_changes(pairs)),
    )


def _paired(before: Run, after: Run) -> tuple[list[Pair], int, int]:
    old = {(record.question.id, record.question.question): record for record in before.records}
    new = {(record.question.id, record.question.question): record for record in after.records}
    pairs = []
    for key, record in new.items():
        if key in old:
            relabelled = old[key].model_copy(update={"question": record.question})
            pairs.append((score(relabelled, before.settings), score(record, after.settings)))
    return pairs, len(old) - len(pairs), len(new) - len(pairs)


def _differences(pairs: Sequence[Pair], seed: int) -> list[Difference]:
    figures = (figures_of([one for one, _ in pairs], seed), figures_of([other for _, other in pairs], seed))
    found = []
    for metric in METRICS:
        old, new = figures[0].get(metric, _NOTHING), figures[1].get(metric, _NOTHING)
        if old.value is None and new.value is None:
            continue
        test = _tested(metric, pairs, seed)
        found.append(Difference(metric, old, new, test.difference, test.low, test.high, test.p))
    return found


def _tested(metric: Metric, pairs: Sequence[Pair], seed: int) -> PairedTest:
    if metric in PERCENTILES:
        seconds = [(_seconds(one), _seconds(other)) for one, other in pairs]
        both = [(old, new) for old, new in seconds if old is not None and new is not None]
        return paired_percentiles([old for old, _ in both], [new for _, new in both], PERCENTILES[metric], seed)
    values = [(one.value(metric), other.value(metric)) for one, other in pairs]
    counted = [(old, new) for old, new in values if old is not None or new is not None]
    return paired_means([old for old, _ in counted], [new for _, new in counted], seed)


def _seconds(scored: Scored) -> float | None:
    return None if scored.record.error else scored.record.seconds


def _changes(pairs: Sequence[Pair]) -> list[Change]:
    """The questions whose verdict differs in worth, worse ones first, otherwise in the order of the later run."""
    changes = []
    for one, other in pairs:
        old, new = _worth(one), _worth(other)
        if old != new:
            question = other.record.question
            changes.append(Change(question.id, question.question, one, other, better=new > old))
    return sorted(changes, key=lambda change: change.better)


def _worth(scored: Scored) -> float:
    found = scored.value(_SEARCHED) if scored.verdict == "searched" else None
    return _WORTH[scored.verdict] + (found or 0.0) / 2
