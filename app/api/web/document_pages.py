"""Pages of documents: loading and listing them, and one with its pages and chunks."""

from __future__ import annotations

from typing import Annotated, Final, get_args

from fastapi import APIRouter, Query, Request, Response

from app.api.deps import LanguageDep, ServicesDep
from app.api.problems import reason
from app.api.web.listing import Listing, Paging
from app.api.web.rendering import render
from app.api.web.routing import KeyDep, PageRoute
from app.catalogue.documents import DocumentSort
from app.catalogue.jobs import OPEN, JobFilter
from app.catalogue.records import Document
from app.errors import RouteNotFound
from app.ingest.media import ENDINGS
from app.types import DocumentState, Language

router = APIRouter(prefix="/kb/{knowledge_base_id}/documents", route_class=PageRoute, include_in_schema=False)

PER_PAGE = 50
SORTS: Final = get_args(DocumentSort)
STATES = [state for state in DocumentState if state is not DocumentState.DELETING]
MOST_JOBS = 500
MOST_CHUNKS = 500
"""Chunks of one page that are listed beside it; a dense page has about ten."""


@router.get("")
def list_documents(
    knowledge_base_id: str,
    request: Request,
    services: ServicesDep,
    key: KeyDep,
    language: LanguageDep,
    q: Annotated[str, Query(max_length=200)] = "",
    sort: str = "-created",
    state: str = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """The documents of a knowledge base, a page at a time, and the place to drop new ones."""
    base = services.bases.get(knowledge_base_id)
    wanted = DocumentState(state) if state in STATES else None
    order = next((one for one in SORTS if one == sort), SORTS[0])
    total = services.documents.count(base.id, wanted, q)
    paging = Paging(total, PER_PAGE, page)
    found = services.documents.all(base.id, PER_PAGE, paging.offset, wanted, q, order)
    jobs = services.jobs.all(JobFilter(base.id, states=OPEN), MOST_JOBS, 0)
    return render(
        request,
        "documents.html",
        key=key,
        base=base,
        documents=found,
        reasons={document.id: _why(document, language) for document in found},
        jobs={job.document_id: job for job in jobs},
        listing=Listing(request.url.path, {"q": q, "sort": order, "state": wanted.value if wanted else ""}, paging),
        sorts=SORTS,
        states=STATES,
        endings=sorted(ENDINGS),
        most_mb=services.settings.max_upload_mb,
    )


@router.get("/{document_id}")
def show_document(
    knowledge_base_id: str,
    document_id: str,
    request: Request,
    services: ServicesDep,
    key: KeyDep,
    language: LanguageDep,
    page: int = 1,
) -> Response:
    """One document: its page as an image or text, the chunks on it, and why it failed where it did."""
    base = services.bases.get(knowledge_base_id)
    document = services.documents.get(base.id, document_id)
    if document.pages is not None and not 1 <= page <= document.pages:
        raise RouteNotFound
    jobs = services.jobs.all(JobFilter(base.id, document_id=document.id), 1, 0)
    return render(
        request,
        "document.html",
        key=key,
        base=base,
        document=document,
        number=page,
        why=_why(document, language),
        job=jobs[0] if jobs else None,
    )


def _why(document: Document, language: Language) -> str | None:
    failure = reason(document.error_code, document.error_params, language)
    return None if failure is None else failure.message
