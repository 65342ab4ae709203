"""Proving an adapter by two evaluations, giving it the questions of a knowledge base, and taking that back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from app.authors import BASE
from app.catalogue.adapters import Adapter
from app.catalogue.evaluations import Evaluation
from app.catalogue.promotions import Arm, NewPromotion, Promotion
from app.catalogue.records import KnowledgeBase
from app.errors import (
    AdapterNotHosted,
    AdapterPromoted,
    AdapterRetired,
    InvalidInput,
    ManualqaError,
    PromotionRefused,
    ProofUnusable,
)
from app.evaluation.runs import Order, Runs
from app.finetune.adapters import Adapters
from app.finetune.proof import Pair, Proof, proof_of
from app.services import Services
from eval.question_sets import MAX_MB, Format
from eval.records import RunSettings

log = structlog.get_logger(__name__)

PROOFS: Final = "proofs"
"""The figure of an adapter that holds its last pair of evaluations by knowledge base."""
_HELD_OUT = "questions.jsonl"


class Hosts(Protocol):
    """What has adapters hosted.

    Law: `host` verifies its files, notes that the adapter is wanted and returns once it can be asked, or raises;
    `unhost` notes the opposite, and does nothing else where it is not hosted; `hosted` are the adapters that can be
    asked now, and returns at once.
    """

    def host(self, adapter_id: str) -> object: ...

    def unhost(self, adapter_id: str) -> object: ...

    def hosted(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class ProofOrder:
    """An adapter to be proved for a knowledge base; without `questions` by those that its training held out."""

    knowledge_base_id: str
    adapter_id: str
    questions: str | None = None
    question_set_name: str = "held-out"
    format: Format = "jsonl"
    settings: RunSettings = field(default_factory=RunSettings)


@dataclass(frozen=True, slots=True)
class PromotionOrder:
    """An adapter that is to get `share` percent of a knowledge base's questions.

    Without a `pair` its last proof counts. `force` promotes it also without a proof or with a bad one, for a `reason`.
    """

    knowledge_base_id: str
    adapter_id: str
    by: str
    pair: Pair | None = None
    share: int = 100
    force: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What answers a knowledge base's questions, and how that came: the newest first, with the counts of each arm."""

    present: Promotion | None
    history: tuple[Promotion, ...]
    arms: tuple[Arm, ...]


class Promoting:
    """Safe to call from any thread."""

    def __init__(self, services: Services, runs: Runs, adapters: Adapters, hosts: Hosts) -> None:
        self._services = services
        self._runs = runs
        self._adapters = adapters
        self._hosts = hosts

    def prove(self, order: ProofOrder) -> tuple[Evaluation, Evaluation]:
        """Starts the evaluations of the base model and of the adapter; `promote` finds them by itself.

        Raises what `Runs.start` does, `AdapterNotFound`, and `ProofUnusable` where there are no questions.
        """
        adapter = self._adapters.get(order.adapter_id)
        self._require_hosted(adapter)
        questions = self._held_out(adapter) if order.questions is None else order.questions
        base = self._start(order, f"{adapter.name}: {BASE}", questions, BASE)
        try:
            other = self._start(order, f"{adapter.name}: {adapter.id}", questions, adapter.id)
        except ManualqaError:
            self._runs.remove(base.id)
            raise
        pairs = {**adapter.figures.get(PROOFS, {}), order.knowledge_base_id: asdict(Pair(base.id, other.id))}
        self._services.adapters.add_figures(adapter.id, {PROOFS: pairs})
        return base, other

    def _start(self, order: ProofOrder, name: str, questions: str, adapter: str) -> Evaluation:
        settings = order.settings.model_copy(update={"adapter": adapter, "mode": "answers"})
        return self._runs.start(
            Order(order.knowledge_base_id, name, order.question_set_name, questions, order.format, settings)
        )

    def _held_out(self, adapter: Adapter) -> str:
        """The questions that its training kept apart; the job's id is one of ours, and so a folder's name."""
        path = None if adapter.job_id is None else self._run_folder(adapter.job_id) / _HELD_OUT
        try:
            if path is not None and path.stat().st_size <= MAX_MB * 1_000_000:
                return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            log.warning("held_out_unreadable", adapter_id=adapter.id, error=str(error))
        raise ProofUnusable(reason="its training left no held-out questions here; send a question set")

    def _run_folder(self, job_id: str) -> Path:
        return self._services.settings.data_dir / "finetune" / job_id

    def proof(self, knowledge_base_id: str, adapter_id: str, pair: Pair | None = None) -> Proof:
        """What the pair, or the last one, says now; raises `ProofUnusable`, `KnowledgeBaseNotFound`,
        `AdapterNotFound`."""
        base = self._services.bases.get(knowledge_base_id)
        return self._proof(base, self._adapters.get(adapter_id), pair)

    def _proof(self, base: KnowledgeBase, adapter: Adapter, pair: Pair | None) -> Proof:
        known = adapter.figures.get(PROOFS, {}).get(base.id)
        chosen = pair or (None if known is None else Pair(**known))
        if chosen is None:
            raise ProofUnusable(reason="it has none for this knowledge base")
        margin = self._services.settings.promotion_margin
        return proof_of(self._runs, base, adapter.id, self._services.model.name, chosen, margin)

    def promote(self, order: PromotionOrder) -> Promotion:
        """The adapter answers from the next question on.

        Raises `KnowledgeBaseNotFound`, `AdapterNotFound`, `AdapterRetired`, `AdapterNotHosted`, `AdapterChanged`,
        `ProofUnusable` and `PromotionRefused`; the last two not where it is forced.
        """
        if order.force and not order.reason.strip():
            raise InvalidInput(reason="what is forced needs a reason")
        base, adapter = self._services.bases.get(order.knowledge_base_id), self._adapters.get(order.adapter_id)
        self._require_hosted(adapter)
        self._adapters.verify(adapter)
        proof, needed = self._weighed(base, adapter, order)
        promotion = self._services.promotions.promote(
            NewPromotion(
                knowledge_base_id=base.id,
                adapter_id=adapter.id,
                share=order.share,
                by=order.by,
                forced=needed,
                reason=order.reason.strip(),
                proof=proof,
            )
        )
        log.info("promoted", knowledge_base_id=base.id, adapter_id=adapter.id, share=order.share, forced=needed)
        return promotion

    def _weighed(self, base: KnowledgeBase, adapter: Adapter, order: PromotionOrder) -> tuple[dict[str, Any], bool]:
        """What is kept of the proof, and whether force was needed; raises where it was and is not there."""
        try:
            proof = self._proof(base, adapter, order.pair)
        except ProofUnusable as error:
            if not order.force:
                raise
            return {"unusable": str(error.params["reason"])}, True
        try:
            proof.require_no_worse()
        except PromotionRefused:
            if not order.force:
                raise
            return proof.as_dict(), True
        return proof.as_dict(), False

    def _require_hosted(self, adapter: Adapter) -> None:
        if adapter.retired:
            raise AdapterRetired(ref=adapter.id)
        if not adapter.hosted or adapter.id not in self._hosts.hosted():
            raise AdapterNotHosted(ref=adapter.id)

    def roll_back(self, knowledge_base_id: str, by: str, reason: str = "") -> Promotion:
        """What was before answers from the next question on; nothing is waited for.

        An adapter that answered before and is not hosted any more is to be hosted again; until it is, the base model
        stands in. Raises `KnowledgeBaseNotFound`, `NothingToRollBack`.
        """
        promotion = self._services.promotions.roll_back(knowledge_base_id, by, reason.strip())
        log.info("rolled_back", knowledge_base_id=knowledge_base_id, adapter_id=promotion.adapter_id)
        return promotion

    def standing(self, knowledge_base_id: str, limit: int = 100, offset: int = 0) -> Standing:
        """Raises `KnowledgeBaseNotFound`."""
        base = self._services.bases.get(knowledge_base_id)
        promotions = self._services.promotions
        present, history = promotions.present(base.id), promotions.history(base.id, limit, offset)
        shown = {one.id for one in history} | ({present.id} if present else set())
        return Standing(present, tuple(history), tuple(promotions.arms(sorted(shown))))

    # --- hosting --------------------------------------------------------------------------------------------------

    def hosted(self) -> frozenset[str]:
        """The adapters that can be asked now."""
        return self._hosts.hosted()

    def host(self, adapter_id: str) -> Adapter:
        """It can be asked when this returns; raises `AdapterNotFound`, and what `Hosts.host` does."""
        self._hosts.host(adapter_id)
        return self._adapters.get(adapter_id)

    def unhost(self, adapter_id: str) -> Adapter:
        """It cannot be asked any more; raises `AdapterNotFound`, and `AdapterPromoted` while it answers questions."""
        adapter = self._adapters.get(adapter_id)
        if adapter_id in self._services.promotions.answering():
            raise AdapterPromoted(ref=adapter_id)
        self._hosts.unhost(adapter.id)
        return self._adapters.get(adapter_id)

    def retire(self, adapter_id: str) -> Adapter:
        """Puts it away for good; raises `AdapterNotFound`, and `AdapterPromoted` while it answers questions."""
        return self._adapters.retire(adapter_id, self._hosts.unhost)
