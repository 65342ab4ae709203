"""Pages of knowledge bases: the list, and the settings of one."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.api.deps import ServicesDep
from app.api.web.rendering import render
from app.api.web.routing import EditorDep, KeyDep, PageRoute
from app.catalogue.jobs import OPEN, JobFilter
from app.catalogue.keys import Role
from app.catalogue.records import KnowledgeBase
from app.services import Services
from app.types import JobKind

router = APIRouter(route_class=PageRoute, include_in_schema=False)

MOST_JOBS = 500


@dataclass(frozen=True, slots=True)
class BaseCard:
    """A knowledge base as the list shows it: `working` documents are on their way, `stopped` failed or cancelled."""

    base: KnowledgeBase
    working: int
    rebuilding: bool

    @property
    def stopped(self) -> int:
        return max(0, self.base.documents - self.base.ready - self.working)


@router.get("/")
def start(key: KeyDep) -> Response:  # noqa: ARG001 - who is not signed in is led to the sign-in page
    """The first page is the list of knowledge bases."""
    return RedirectResponse("/kb", 303)


@router.get("/kb")
def list_bases(request: Request, services: ServicesDep, key: KeyDep) -> Response:
    """All knowledge bases with their counts and state; editors make new ones here."""
    return render(request, "bases.html", key=key, cards=_cards(services))


def _cards(services: Services) -> list[BaseCard]:
    jobs = services.jobs.all(JobFilter(states=OPEN), MOST_JOBS, 0)
    ingesting = [job.knowledge_base_id for job in jobs if job.kind is JobKind.INGEST]
    rebuilding = {job.knowledge_base_id for job in jobs if job.kind is JobKind.REBUILD}
    return [
        BaseCard(base, ingesting.count(base.id), base.id in rebuilding)
        for base in sorted(services.bases.all(), key=lambda base: base.name.casefold())
    ]


@router.get("/kb/{knowledge_base_id}")
def open_base(knowledge_base_id: str, services: ServicesDep, key: KeyDep) -> Response:
    """Where there is something to ask, the question box; else the documents."""
    base = services.bases.get(knowledge_base_id)
    asks = base.ready > 0 or not Role(key.role).covers(Role.EDITOR)
    return RedirectResponse(f"/kb/{base.id}/{'ask' if asks else 'documents'}", 303)


@router.get("/kb/{knowledge_base_id}/settings")
def show_settings(knowledge_base_id: str, request: Request, services: ServicesDep, key: EditorDep) -> Response:
    """Name, language, threshold with a preview, chunking, and the end of a knowledge base."""
    base = services.bases.get(knowledge_base_id)
    rebuilds = services.jobs.all(JobFilter(base.id, kind=JobKind.REBUILD, states=OPEN), 1, 0)
    calibration = services.calibrations.find(base.id)
    holding = None if calibration is None else calibration.holding(base.fingerprint, services.model.name).threshold
    uncalibrated = services.questions.uncalibrated(base).threshold or 0.0
    promotion = services.promotions.present(base.id)
    promoted = None if promotion is None else promotion.adapter_id
    return render(
        request,
        "settings.html",
        key=key,
        base=base,
        usual=uncalibrated if holding is None else holding,
        calibration=services.questions.calibration_state(base),
        rebuild=rebuilds[0] if rebuilds else None,
        model=services.model.name,
        adapter=None if promoted is None else services.adapters.find(promoted),
        share=100 if promotion is None else promotion.share,
    )
