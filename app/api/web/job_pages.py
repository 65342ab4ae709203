"""The page of jobs: what is on its way, what waits, what has ended and how."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.deps import LanguageDep, ServicesDep
from app.api.problems import reason
from app.api.web.rendering import render
from app.api.web.routing import KeyDep, PageRoute
from app.catalogue.jobs import JobFilter
from app.types import JobState

router = APIRouter(prefix="/jobs", route_class=PageRoute, include_in_schema=False)

PER_PAGE = 50


@router.get("")
def list_jobs(
    request: Request,
    services: ServicesDep,
    key: KeyDep,
    language: LanguageDep,
    state: str = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Jobs, newest first, live; editors stop them and try again what failed."""
    wanted = [one for one in JobState if one == state]
    found = services.jobs.all(JobFilter(states=wanted), PER_PAGE + 1, (page - 1) * PER_PAGE)
    return render(
        request,
        "jobs.html",
        key=key,
        jobs=found[:PER_PAGE],
        reasons={job.id: reason(job.error_code, job.error_params, language) for job in found},
        bases={base.id: base.name for base in services.bases.all()},
        states=list(JobState),
        state=wanted[0].value if wanted else "",
        page=page,
        more=len(found) > PER_PAGE,
    )
