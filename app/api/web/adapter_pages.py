"""Pages of adapters: what there is, what answers each knowledge base, and one adapter with its proofs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from app.api.adapters import AdaptersDep, PromotingDep
from app.api.deps import LanguageDep, ServicesDep
from app.api.evaluations import RunsDep
from app.api.web.rendering import render
from app.api.web.routing import KeyDep, PageRoute
from app.catalogue.adapters import Adapter
from app.catalogue.evaluations import Evaluation
from app.catalogue.promotions import Arm, Promotion
from app.catalogue.records import KnowledgeBase
from app.errors import EvaluationNotFound, PromotionRefused, ProofUnusable
from app.evaluation.runs import Runs
from app.finetune.promoting import PROOFS, Promoting
from app.services import Services
from app.types import Language

router = APIRouter(prefix="/adapters", route_class=PageRoute, include_in_schema=False)

MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class StandingRow:
    """What answers a knowledge base; `away` where the base model stands in for an adapter that is not hosted."""

    base: KnowledgeBase
    present: Promotion | None
    arms: tuple[Arm, ...]
    away: bool


@dataclass(frozen=True, slots=True)
class ProofRow:
    """The last proof for a knowledge base: its two evaluations, and what stands against promoting by it."""

    base: KnowledgeBase
    sides: tuple[Evaluation, Evaluation] | None
    against: str | None

    @property
    def running(self) -> bool:
        return self.sides is not None and not all(side.ended for side in self.sides)

    @property
    def comparable(self) -> bool:
        return self.sides is not None and all(side.done for side in self.sides)


@router.get("")
def list_adapters(
    request: Request, services: ServicesDep, adapters: AdaptersDep, promoting: PromotingDep, key: KeyDep
) -> Response:
    """All adapters, newest first, and what answers each knowledge base; administrators take in others here."""
    found = adapters.all(MOST_LISTED, 0)
    return render(
        request,
        "adapters.html",
        key=key,
        adapters=found,
        hosted=promoting.hosted(),
        names=adapter_names(services),
        standings=[_standing(promoting, base) for base in _bases(services)],
        most_mb=services.settings.max_adapter_mb,
    )


@router.get("/{adapter_id}")
def show_adapter(
    adapter_id: str,
    request: Request,
    services: ServicesDep,
    adapters: AdaptersDep,
    promoting: PromotingDep,
    runs: RunsDep,
    key: KeyDep,
    language: LanguageDep,
) -> Response:
    """One adapter: where it comes from, its proofs, and what it answers."""
    found = adapters.get(adapter_id)
    bases = _bases(services)
    standings = [_standing(promoting, base) for base in bases]
    return render(
        request,
        "adapter.html",
        key=key,
        adapter=found,
        hosted=promoting.hosted(),
        trained_by=None if found.job_id is None else services.trainings.find(found.job_id),
        names=adapter_names(services),
        proofs=_proofs(runs, promoting, found, bases, language),
        standings=[one for one in standings if one.present is not None and found.id in one.present.adapters()],
        bases=[base for base in bases if base.ready],
        most_mb=services.settings.evaluation_body_mb,
    )


def adapter_names(services: Services) -> Mapping[str, str]:
    """The name of each adapter by its id."""
    return {adapter.id: adapter.name for adapter in services.adapters.all()}


def _bases(services: Services) -> list[KnowledgeBase]:
    return sorted(services.bases.all(), key=lambda base: base.name.casefold())


def _standing(promoting: Promoting, base: KnowledgeBase) -> StandingRow:
    standing = promoting.standing(base.id, 1, 0)
    present = standing.present
    if present is None:
        return StandingRow(base, None, (), away=False)
    arms = tuple(arm for arm in standing.arms if arm.promotion_id == present.id)
    return StandingRow(base, present, arms, away=not present.adapters() <= promoting.hosted())


def _proofs(
    runs: Runs, promoting: Promoting, adapter: Adapter, bases: list[KnowledgeBase], language: Language
) -> list[ProofRow]:
    pairs = adapter.figures.get(PROOFS, {})
    return [
        ProofRow(base, _sides(runs, pairs[base.id]), _against(promoting, base.id, adapter.id, language))
        for base in bases
        if base.id in pairs
    ]


def _sides(runs: Runs, pair: Mapping[str, str]) -> tuple[Evaluation, Evaluation] | None:
    try:
        return runs.get(pair["base"]), runs.get(pair["adapter"])
    except EvaluationNotFound:
        return None


def _against(promoting: Promoting, base_id: str, adapter_id: str, language: Language) -> str | None:
    """Why it would not be promoted without force."""
    try:
        promoting.proof(base_id, adapter_id).require_no_worse()
    except (ProofUnusable, PromotionRefused) as error:
        return error.message(language)
    return None
