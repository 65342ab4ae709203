"""Routes of a document's pages as people see them: text, image, and where a quote or a chunk stands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from app.api.deps import ServicesDep, reader
from app.api.schemas import Body, QuestionText, Shape
from app.catalogue.contents import StoredPage
from app.catalogue.records import Document
from app.errors import PageNotFound, PagesBusy
from app.ingest.rendering.boxes import Box
from app.ingest.rendering.views import DRAWING_VERSION, ChunkSlice, ImageWidth
from app.services import Services

router = APIRouter(
    prefix="/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}/pages/{page}", tags=["documents"]
)

T = TypeVar("T")

_MOST_WAITING = 100
_FOR_EVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"

PageNumber = Annotated[int, Path(ge=1, le=1_000_000, description="Number of the page, from 1.")]
_BOXES = "left, top, right, bottom in fractions of the page as it is shown, origin top left; one box a line"


class PageChunkOut(Shape):
    """A chunk that has some of the page's text: `text[start:end]`."""

    id: str
    ordinal: int
    start: int
    end: int


class PageOut(Shape):
    number: int
    pages: int | None = Field(description="Pages of the document.")
    kind: str = Field(description="`image` where the page can be drawn, else `text`.", examples=["image"])
    width: float | None = Field(description="Points, as the page is shown; null where it cannot be drawn.")
    height: float | None
    text: str
    recognised: bool = Field(description="Read by OCR.")
    chunks: list[PageChunkOut]


class QuoteIn(Body):
    quote: QuestionText = Field(min_length=1, max_length=5000, examples=["E-04 means that the water tank is empty."])
    chunk_id: str | None = Field(
        None, max_length=60, description="Chunk that the quote is from, to tell it from others that say the same."
    )


class BoxesOut(Shape):
    boxes: list[Box] = Field(description=_BOXES)
    found: bool


class ChunkBoxesOut(Shape):
    id: str
    ordinal: int
    boxes: list[Box] = Field(description=_BOXES)


class ChunkBoxesList(Shape):
    chunks: list[ChunkBoxesOut]


def _limiter(request: Request, services: ServicesDep) -> CapacityLimiter:
    """Keeps who waits for a page from taking the threads of everyone else."""
    state = request.app.state
    if not hasattr(state, "page_limiter"):
        state.page_limiter = CapacityLimiter(services.settings.page_image_processes)
    limiter: CapacityLimiter = state.page_limiter
    return limiter


LimiterDep = Annotated[CapacityLimiter, Depends(_limiter)]


@router.get("", dependencies=[reader])
async def show_page(
    knowledge_base_id: str, document_id: str, page: PageNumber, services: ServicesDep, limiter: LimiterDep
) -> PageOut:
    """One page: its text, the chunks it is in, and its size where it has an image."""
    document, stored, slices = await to_thread.run_sync(_found, services, knowledge_base_id, document_id, page)
    size = await _drawing(limiter, partial(services.page_views.size, document, page))
    return PageOut(
        number=page,
        pages=document.pages,
        kind="text" if size is None else "image",
        width=None if size is None else size[0],
        height=None if size is None else size[1],
        text=stored.text,
        recognised=stored.recognised,
        chunks=[
            PageChunkOut(id=one.chunk.id, ordinal=one.chunk.ordinal, start=one.start, end=one.end) for one in slices
        ],
    )


@router.get(
    "/image",
    dependencies=[reader],
    response_class=Response,
    responses={200: {"content": {"image/webp": {}}}, 304: {"description": "The image is the one in `If-None-Match`."}},
)
async def show_image(
    knowledge_base_id: str,
    document_id: str,
    page: PageNumber,
    request: Request,
    services: ServicesDep,
    limiter: LimiterDep,
    width: Annotated[
        ImageWidth, Query(description="Pixels; a page with too many of them is narrower.")
    ] = ImageWidth.MEDIUM,
    v: Annotated[str | None, Query(max_length=60, description="The document's id: the image is kept for good.")] = None,
) -> Response:
    """A page of a PDF file as a WebP image."""
    document = await to_thread.run_sync(_document, services, knowledge_base_id, document_id)
    etag = f'"{document.sha256[:32]}-{page}-{width}-{DRAWING_VERSION}"'
    headers = {"ETag": etag, "Cache-Control": _FOR_EVER if v == document_id else _ASK_AGAIN}
    if etag in _etags(request):
        return Response(status_code=304, headers=headers)
    views = services.page_views
    image = await to_thread.run_sync(views.kept_image, document, page, width)
    if image is None:
        image = await _drawing(limiter, partial(views.image, document, page, width))
    return Response(image, media_type="image/webp", headers=headers)


@router.post("/boxes", dependencies=[reader])
async def find_quote(
    knowledge_base_id: str,
    document_id: str,
    page: PageNumber,
    body: QuoteIn,
    services: ServicesDep,
    limiter: LimiterDep,
) -> BoxesOut:
    """Where a quote stands on the page, for marking it on the page's image."""
    document, stored, slices = await to_thread.run_sync(_found, services, knowledge_base_id, document_id, page)
    within = next((one for one in slices if one.chunk.id == body.chunk_id), None)
    boxes = await _drawing(limiter, partial(services.page_views.boxes, document, stored, body.quote, within))
    return BoxesOut(boxes=boxes, found=bool(boxes))


@router.get("/chunks", dependencies=[reader])
async def find_chunks(
    knowledge_base_id: str, document_id: str, page: PageNumber, services: ServicesDep, limiter: LimiterDep
) -> ChunkBoxesList:
    """Where the chunks of the page stand on it."""
    document, stored, slices = await to_thread.run_sync(_found, services, knowledge_base_id, document_id, page)
    boxes = await _drawing(limiter, partial(services.page_views.chunk_boxes, document, stored, slices))
    return ChunkBoxesList(
        chunks=[
            ChunkBoxesOut(id=one.chunk.id, ordinal=one.chunk.ordinal, boxes=its)
            for one, its in zip(slices, boxes, strict=True)
        ]
    )


async def _drawing(limiter: CapacityLimiter, work: Callable[[], T]) -> T:
    """Does what may wait for a process that draws; raises `PagesBusy` where too many wait already."""
    if limiter.statistics().tasks_waiting >= _MOST_WAITING:
        raise PagesBusy
    return await to_thread.run_sync(work, limiter=limiter)


def _document(services: Services, knowledge_base_id: str, document_id: str) -> Document:
    services.bases.get(knowledge_base_id)
    return services.documents.get(knowledge_base_id, document_id)


def _found(
    services: Services, knowledge_base_id: str, document_id: str, number: int
) -> tuple[Document, StoredPage, list[ChunkSlice]]:
    """The document, its page and the page's chunks; raises `PageNotFound`, also while the page has not been read."""
    base = services.bases.get(knowledge_base_id)
    document = services.documents.get(knowledge_base_id, document_id)
    page = services.contents.page(document_id, number)
    if page is None:
        raise PageNotFound(name=document.name, page=number)
    chunks = services.contents.chunks_on(page, document_id, base.index_id)
    length = len(page.text)
    slices = [
        ChunkSlice(chunk, max(0, chunk.start - page.start), min(length, chunk.start + len(chunk.text) - page.start))
        for chunk in chunks
    ]
    return document, page, slices


def _etags(request: Request) -> list[str]:
    """What the client has already."""
    return [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
