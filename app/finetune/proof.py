"""Whether two evaluations prove that an adapter is no worse than its base model for a knowledge base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from app.authors import BASE
from app.catalogue.evaluations import Evaluation
from app.catalogue.records import KnowledgeBase
from app.errors import EvaluationNotFound, EvaluationUnanswered, PromotionRefused, ProofUnusable
from app.evaluation.runs import Runs
from app.phrases import JOINT
from app.types import JobState
from eval.figures import Comparison, Difference

HEADLINES: Final[Mapping[str, int]] = {
    "answer_accuracy": 1,
    "refusal_recall": 1,
    "citation_precision": 1,
    "false_refusal_rate": -1,
}
"""The metrics that must not get worse, with the way in which each is better."""
_KEPT: Final = (*HEADLINES, "groundedness", "refusal_precision", "invented_rate", "seconds_p50", "completion_tokens")
"""What is kept of a comparison in the history."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Pair:
    """The two evaluations of a proof: the same questions to the base model and to the adapter."""

    base: str
    adapter: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a pair of evaluations says; `worse` are the headline metrics that fell by more than the margin."""

    pair: Pair
    questions: int
    differences: tuple[Difference, ...]
    worse: tuple[Difference, ...]

    def as_dict(self) -> dict[str, Any]:
        """As the history of promotions keeps it."""
        return {
            "base": self.pair.base,
            "adapter": self.pair.adapter,
            "questions": self.questions,
            "differences": [asdict(difference) for difference in self.differences if difference.metric in _KEPT],
            "worse": [difference.metric for difference in self.worse],
        }

    def require_no_worse(self) -> None:
        """Raises `PromotionRefused`, which says how much was lost."""
        if self.worse:
            raise PromotionRefused(reason=JOINT.join(_lost(difference) for difference in self.worse))


def proof_of(runs: Runs, base: KnowledgeBase, adapter_id: str, model: str, pair: Pair, margin: float) -> Proof:
    """Compares the pair question by question; raises `ProofUnusable` where it says nothing about this promotion."""
    try:
        one, other = runs.get(pair.base), runs.get(pair.adapter)
    except EvaluationNotFound as error:
        raise ProofUnusable(str(error), reason="an evaluation of it is gone") from error
    _require_current(one, other, base, model)
    _require_like(one, other, adapter_id)
    try:
        comparison = runs.comparison(one.id, other.id)
    except (EvaluationNotFound, EvaluationUnanswered) as error:
        raise ProofUnusable(str(error), reason="an evaluation of it is gone") from error
    return Proof(pair, comparison.shared, comparison.differences, _worse(comparison, margin))


def _require_current(one: Evaluation, other: Evaluation, base: KnowledgeBase, model: str) -> None:
    for evaluation in (one, other):
        if evaluation.knowledge_base_id != base.id:
            raise ProofUnusable(reason="its evaluations are of another knowledge base")
        if evaluation.state != JobState.DONE or evaluation.asked is None:
            raise ProofUnusable(reason="an evaluation of it has not been finished")
        if evaluation.asked.fingerprint != base.fingerprint:
            raise ProofUnusable(reason="the index is another than at its evaluations")
        if evaluation.asked.model != model:
            raise ProofUnusable(reason="the language model is another than at its evaluations")


def _require_like(one: Evaluation, other: Evaluation, adapter_id: str) -> None:
    if (one.settings.get("adapter") or BASE) != BASE or other.settings.get("adapter") != adapter_id:
        raise ProofUnusable(reason="its evaluations did not ask the base model and this adapter")
    if one.settings.get("mode") != "answers" or one.settings.get("keep_doubtful"):
        raise ProofUnusable(reason="its evaluations did not answer as the service does")
    settings = [{**evaluation.settings, "adapter": None} for evaluation in (one, other)]
    if one.set_hash != other.set_hash or one.total != other.total or settings[0] != settings[1]:
        raise ProofUnusable(reason="its evaluations did not ask the same questions in the same way")


def _worse(comparison: Comparison, margin: float) -> tuple[Difference, ...]:
    return tuple(found for found in comparison.differences if loss(found) > margin + _ROUNDING)


def loss(difference: Difference) -> float:
    """How much worse a headline metric has become, below 0 where it is better; 0 for any other metric."""
    before, after = difference.before.value, difference.after.value
    if difference.metric not in HEADLINES or before is None or after is None:
        return 0.0
    return (before - after) * HEADLINES[difference.metric]


def _lost(difference: Difference) -> str:
    before, after = difference.before.value or 0.0, difference.after.value or 0.0
    return (
        f"{difference.metric} is worse by {100 * loss(difference):.1f} points: {before:.3f} before, {after:.3f} after"
    )
