"""Pages of reviews: answers that somebody should look at, and the drafts that are made of them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from app.api.deps import ServicesDep
from app.api.reviews import draft_out, review_out
from app.api.web.listing import Listing, Paging
from app.api.web.rendering import render
from app.api.web.routing import EditorDep, PageRoute
from app.catalogue.records import KnowledgeBase
from app.catalogue.reviews import ReviewFilter
from app.services import Services
from app.types import CallOutcome, DraftKind, Label

router = APIRouter(prefix="/reviews", route_class=PageRoute, include_in_schema=False)

PER_PAGE = 20
MOST_DRAFTS = 200
SHOWN: Final[dict[str, ReviewFilter]] = {
    "open": ReviewFilter(labelled=False),
    "labelled": ReviewFilter(labelled=True),
    **{label.value: ReviewFilter(label=label) for label in Label},
    "all": ReviewFilter(),
}
"""What the queue can be narrowed to, by its name in the address."""

PageNumber = Annotated[int, Query(ge=1, le=100_000)]
BaseId = Annotated[str, Query(max_length=60)]


@router.get("")
def show_queue(
    request: Request,
    services: ServicesDep,
    key: EditorDep,
    kb: BaseId = "",
    show: str = "open",
    outcome: str = "",
    page: PageNumber = 1,
) -> Response:
    """Questions and answers of a knowledge base: mark each, and make of it what the next version is measured by."""
    bases, base = _bases(services, kb)
    show = show if show in SHOWN else "open"
    chosen = next((one for one in CallOutcome if one == outcome), None)
    wanted = ReviewFilter(SHOWN[show].labelled, SHOWN[show].label, chosen)
    base_id = "" if base is None else base.id
    paging = Paging(services.reviews.count(base_id, wanted), PER_PAGE, page)
    found = services.reviews.queue(base_id, wanted, PER_PAGE, paging.offset)
    made = services.drafts.of_calls([call.id for call in found])
    return render(
        request,
        "reviews.html",
        key=key,
        bases=bases,
        base=base,
        reviews=[review_out(call) for call in found],
        made={(draft.call_id, draft.kind.value) for draft in made},
        listing=Listing("/reviews", {"kb": base_id, "show": show, "outcome": "" if chosen is None else chosen}, paging),
        shown=list(SHOWN),
        show=show,
        outcomes=list(CallOutcome),
        outcome=chosen,
        kept=services.settings.keep_questions,
    )


@router.get("/drafts")
def show_drafts(request: Request, services: ServicesDep, key: EditorDep, kb: BaseId = "") -> Response:
    """Drafts of a knowledge base: correct, delete and export them, or evaluate with them."""
    bases, base = _bases(services, kb)
    drafts = [] if base is None else services.drafts.all(base.id, None, MOST_DRAFTS, 0)
    return render(
        request,
        "drafts.html",
        key=key,
        bases=bases,
        base=base,
        drafts=[draft_out(draft) for draft in drafts],
        ready={kind.value: sum(draft.reviewed and draft.kind is kind for draft in drafts) for kind in DraftKind},
    )


def _bases(services: Services, wanted: str) -> tuple[list[KnowledgeBase], KnowledgeBase | None]:
    """All that this key may see, and the one that is wanted, or else the first; raises `KnowledgeBaseNotFound`."""
    bases = sorted(services.bases.all(), key=lambda base: base.name.casefold())
    return bases, services.bases.get(wanted) if wanted else next(iter(bases), None)
