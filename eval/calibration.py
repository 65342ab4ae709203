"""Calibration: threshold, keyword weight and limits of doubt out of a run, with figures that were held out.

Every figure is of questions that had no part in the choice of the values they are measured with: the questions are
divided into folds, and each fold is measured with the values chosen on the others. The values themselves are then
chosen on all of them, and only where the held-out figures say that they help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.types import Tuning
from eval.figures import Figure, RiskPoint
from eval.folds import FOLDS, folds, mean_figure, strata_of
from eval.records import Record, Run
from eval.refusal import Cases, Flags, Target, choose
from eval.scoring import score
from eval.statistics import SEED
from eval.weighing import HIT_DEPTH, WeightFinding, weigh

FEWEST_ANSWERABLE = 20
FEWEST_UNANSWERABLE = 10
"""Below these, one question more or less moves a share by more than most targets allow."""

LEAST_AUC = 0.6
"""A quantity whose interval of the AUC reaches below this tells answerable from unanswerable no better than guessing
does: each false refusal it costs would buy about one refusal."""

_CURVE_POINTS = 100
_AUC_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class RefusalFinding:
    """Threshold and limits of doubt: (with the present values, held out) for both shares.

    `separation` are the areas under the ROC curve of the greatest cosine ("cosine") and of the model's doubt ("doubt"),
    as far as they tell answerable from unanswerable questions: 0.5 is guessing, 1 is perfect. `reachable` says whether
    any values meet the target on the questions that there are.
    """

    false_refusals: tuple[Figure, Figure]
    refusal_recall: tuple[Figure, Figure]
    separation: dict[str, Figure]
    reachable: bool


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a run says. In `tuning`, None leaves a value to what holds without calibration.

    `curves` are risk-coverage curves by "cosine" and, of a run with answers, by "doubt".
    """

    tuning: Tuning
    present: Tuning
    target: Target
    answerable: int
    unanswerable: int
    folds: int
    weight: WeightFinding | None
    refusal: RefusalFinding | None
    curves: dict[str, tuple[RiskPoint, ...]]
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class Warned:
    """What the reader must know of a calibration; the words are in `eval.calibration_wording`."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)


def calibrate(run: Run, present: Tuning, target: Target, seed: int = SEED) -> Calibrated:
    """The values that fit `target` best, and what they are worth; `present` are those that hold without calibration.

    Records with an error are left out. Limits of doubt need answers of a run with `keep_doubtful`. The same run and
    seed give the same result.
    """
    records = [record for record in run.records if record.error is None]
    with_doubt = run.settings.mode == "answers" and run.settings.keep_doubtful
    answerable = [record for record in records if record.question.answerable]
    counts = len(answerable), len(records) - len(answerable)
    warnings = _size_warnings(run, records, *counts)
    weight = None if present.keyword_weight is None else weigh(answerable, present.keyword_weight, seed)
    cases = Cases.of(records, with_doubt=with_doubt)
    refusal, tuning, found = _refusal(records, cases, present, target, with_doubt=with_doubt, seed=seed)
    if weight is not None and weight.chosen is not None:
        tuning = replace(tuning, keyword_weight=weight.chosen)
    return Calibrated(
        tuning=tuning,
        present=present,
        target=target,
        answerable=counts[0],
        unanswerable=counts[1],
        folds=_fold_count(*counts),
        weight=weight,
        refusal=refusal,
        curves=_curves(run, records, cases, with_doubt=with_doubt),
        warnings=(*warnings, *found),
    )


def _fold_count(answerable: int, unanswerable: int) -> int:
    return min(FOLDS, answerable, unanswerable) if min(answerable, unanswerable) > 1 else 0


# --- threshold and limits of doubt ------------------------------------------------------------------------------------


def _refusal(
    records: Sequence[Record], cases: Cases, present: Tuning, target: Target, *, with_doubt: bool, seed: int
) -> tuple[RefusalFinding | None, Tuning, list[Warned]]:
    """The finding, the values that change, and the warnings."""
    answerable = int(cases.answerable.sum())
    count = _fold_count(answerable, len(cases) - answerable)
    if count == 0:
        return None, Tuning(), []
    warnings = []
    separation = {"cosine": _auc(cases.best[cases.answerable], cases.best[~cases.answerable], seed)}
    if with_doubt and cases.doubt.any():
        separation["doubt"] = _auc(cases.doubt[~cases.answerable], cases.doubt[cases.answerable], seed)
    else:
        warnings.append(Warned("no_doubts"))
    free = {}
    for name in ("cosine", "doubt"):
        auc = separation.get(name)
        free[name] = auc is not None and auc.low is not None and auc.low >= LEAST_AUC
        if auc is not None and not free[name]:
            warnings.append(Warned(f"{name}_no_separation", {"auc": auc.value, "low": auc.low, "high": auc.high}))

    def chosen_on(some: Cases) -> tuple[Tuning, bool]:
        return choose(some, present, target, move_threshold=free["cosine"], move_doubt=free["doubt"])

    held_out = np.zeros(len(cases), dtype=bool)
    everyone = range(len(cases))
    for fold in folds(strata_of(records), count, seed):
        tuning, _ = chosen_on(cases.at(sorted(set(everyone) - set(fold))))
        held_out[fold] = cases.at(fold).refused_with(tuning)
    final, reachable = chosen_on(cases)
    now = cases.refused_with(present)
    before, after = cases.shares(now), cases.shares(held_out)
    if not reachable:
        warnings.append(Warned("target_not_reachable", {"kind": target.kind, "most": target.most}))
    elif before.meets(target) and after.gain(target) <= before.gain(target):
        final = present
    elif final != present and not after.meets(target):
        warnings.append(Warned("held_out_misses_target", {"kind": target.kind, "most": target.most}))
    finding = RefusalFinding(
        false_refusals=(_share(now, cases.answerable, seed), _share(held_out, cases.answerable, seed)),
        refusal_recall=(_share(now, ~cases.answerable, seed), _share(held_out, ~cases.answerable, seed)),
        separation=separation,
        reachable=reachable,
    )
    return finding, _changes(final, present), warnings


def _changes(final: Tuning, present: Tuning) -> Tuning:
    """The values of refusal that are not the present ones; both limits of doubt where one of them is another."""
    doubt_moved = (final.most_doubt, final.most_doubt_strange) != (present.most_doubt, present.most_doubt_strange)
    return Tuning(
        threshold=final.threshold if final.threshold != present.threshold else None,
        most_doubt=final.most_doubt if doubt_moved else None,
        most_doubt_strange=final.most_doubt_strange if doubt_moved else None,
    )


def _auc(higher: NDArray[np.float64], lower: NDArray[np.float64], seed: int) -> Figure:
    """The chance that one of `higher` is above one of `lower` (ties count half), with its bootstrap interval."""
    from scipy.stats import bootstrap, mannwhitneyu  # noqa: PLC0415 - most of a second

    def area(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        return float(mannwhitneyu(first, second, method="asymptotic").statistic) / (len(first) * len(second))

    value = area(higher, lower)
    n = len(higher) + len(lower)
    if len(np.unique(np.concatenate([higher, lower]))) == 1:
        return Figure(value, value, value, n)
    interval = bootstrap(
        (higher, lower),
        area,
        n_resamples=_AUC_RESAMPLES,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Figure(value, float(interval.low), float(interval.high), n)


def _share(refused: Flags, kind: Flags, seed: int) -> Figure:
    return mean_figure(refused[kind].astype(np.float64), seed)


# --- curves and warnings ----------------------------------------------------------------------------------------------


def _curves(run: Run, records: Sequence[Record], cases: Cases, *, with_doubt: bool) -> dict[str, tuple[RiskPoint, ...]]:
    """Without answers, a question counts as right where its page is among the first five."""
    if run.settings.mode == "answers":
        right = [score(record, run.settings).verdict == "right" for record in records]
    else:
        ranks = [score(record, run.settings).rank for record in records]
        right = [rank is not None and rank <= HIT_DEPTH for rank in ranks]
    open_ones = np.flatnonzero(~cases.refused)
    good = np.array(right, dtype=bool)[open_ones]
    curves = {"cosine": risk_coverage(cases.best[open_ones], good, len(records))}
    if with_doubt and cases.doubt.any():
        curves["doubt"] = risk_coverage(1 - cases.doubt[open_ones], good, len(records))
    return curves


def risk_coverage(confidence: NDArray[np.float64], right: Flags, asked: int) -> tuple[RiskPoint, ...]:
    """What share of the answers is not right where only the surest are given; one point for each confidence (at most
    about a hundred), `coverage` as a share of the questions asked."""
    order = np.argsort(-confidence, kind="stable")
    sure, wrong = confidence[order], np.cumsum(~right[order])
    ends = np.flatnonzero(np.append(sure[1:] != sure[:-1], True)) if len(sure) else np.array([], dtype=np.intp)
    if len(ends) > _CURVE_POINTS:
        ends = np.unique(ends[np.linspace(0, len(ends) - 1, _CURVE_POINTS).round().astype(np.intp)])
    return tuple(
        RiskPoint(coverage=(int(end) + 1) / asked, risk=float(wrong[end]) / (int(end) + 1), confidence=float(sure[end]))
        for end in ends
    )


def _size_warnings(run: Run, records: Sequence[Record], answerable: int, unanswerable: int) -> list[Warned]:
    warnings = []
    failed = len(run.records) - len(records)
    if failed * 10 > len(run.records):
        warnings.append(Warned("many_errors", {"n": failed, "of": len(run.records)}))
    if len(run.records) < run.questions:
        warnings.append(Warned("not_finished", {"n": len(run.records), "of": run.questions}))
    if answerable < FEWEST_ANSWERABLE:
        warnings.append(Warned("few_answerable", {"n": answerable, "least": FEWEST_ANSWERABLE}))
    if unanswerable < FEWEST_UNANSWERABLE:
        warnings.append(Warned("few_unanswerable", {"n": unanswerable, "least": FEWEST_UNANSWERABLE}))
    return warnings
