"""Routes of documents and their jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

from anyio import CapacityLimiter, WouldBlock, to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from app.api.deps import LanguageDep, ServicesDep, editor, reader
from app.api.jobs import Limit, Offset, job_out
from app.api.problems import reason
from app.api.schemas import ChunkList, ChunkOut, DocumentList, DocumentOut, Uploaded
from app.catalogue.documents import DocumentSort
from app.catalogue.records import Document
from app.errors import BlobDamaged, DocumentNotFound, InvalidRequest, UploadsFull
from app.ingest.files import StoredFile
from app.ingest.media import display_name
from app.services import Services
from app.types import Chunk, DocumentState, Language

router = APIRouter(prefix="/v1/knowledge-bases/{knowledge_base_id}/documents", tags=["documents"])

WRITE_BYTES = 1 << 20

_body = {
    "requestBody": {
        "required": True,
        "description": "The bytes of the file, as they are.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


_there_already: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": Uploaded, "description": "The same bytes were there already."}
}
_file: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.post("", status_code=202, dependencies=[editor], openapi_extra=_body, responses=_there_already)
async def upload_document(
    knowledge_base_id: str,
    name: Annotated[str, Query(min_length=1, max_length=1000, examples=["manual.pdf"])],
    request: Request,
    response: Response,
    services: ServicesDep,
    language: LanguageDep,
    replace: Annotated[bool, Query(description="Take the place of documents of the same name once ready.")] = True,
) -> Uploaded:
    """Add a PDF, text or Markdown file. The body is the file itself, so that clients can show its progress.

    The same bytes again give the document that is there (200, `created` false). Other bytes under the name of a
    document are its new version: the old one answers until the new one is ready, and then goes in the same step.
    """
    shown = display_name(name)
    await to_thread.run_sync(services.bases.get, knowledge_base_id)
    with _uploading(request):
        received = await _receive(request, services)
    added = await to_thread.run_sync(
        partial(services.library.add, replaces=replace), knowledge_base_id, shown, received
    )
    response.status_code = 202 if added.created else 200
    response.headers["Location"] = f"/v1/knowledge-bases/{knowledge_base_id}/documents/{added.document.id}"
    return Uploaded(
        document=document_out(added.document, language), job=job_out(added.job, language), created=added.created
    )


@contextmanager
def _uploading(request: Request) -> Iterator[None]:
    """One upload more within the block; raises `UploadsFull` where there are too many."""
    limiter: CapacityLimiter = request.app.state.uploading
    upload = object()
    try:
        limiter.acquire_on_behalf_of_nowait(upload)
    except WouldBlock as error:
        raise UploadsFull(limit=int(limiter.total_tokens)) from error
    try:
        yield
    finally:
        limiter.release_on_behalf_of(upload)


async def _receive(request: Request, services: Services) -> StoredFile:
    length = request.headers.get("content-length")
    if length is not None and not length.isdigit():
        raise InvalidRequest(reason="the Content-Length header is not a number")
    receiver = await to_thread.run_sync(services.files.receive, int(length) if length else None)
    with ExitStack() as undo:  # whatever happens, a client that goes away included: nothing of the upload stays
        undo.callback(receiver.abort)
        buffer = bytearray()
        async for piece in request.stream():
            buffer += piece
            if len(buffer) >= WRITE_BYTES:
                await to_thread.run_sync(receiver.write, bytes(buffer))
                buffer.clear()
        await to_thread.run_sync(receiver.write, bytes(buffer))
        received = await to_thread.run_sync(receiver.finish)
        undo.pop_all()
        return received


@router.get("", dependencies=[reader])
def list_documents(
    knowledge_base_id: str,
    services: ServicesDep,
    language: LanguageDep,
    state: DocumentState | None = None,
    q: Annotated[str, Query(max_length=200, description="Only those with this in their names.")] = "",
    sort: Annotated[DocumentSort, Query(description="Descending with a minus.")] = "-created",
    limit: Limit = 100,
    offset: Offset = 0,
) -> DocumentList:
    """Documents, by default newest first; `total` counts those beyond `limit` too."""
    services.bases.get(knowledge_base_id)
    found = services.documents.all(knowledge_base_id, limit, offset, state, q, sort)
    total = services.documents.count(knowledge_base_id, state, q)
    return DocumentList(documents=[document_out(document, language) for document in found], total=total)


@router.get("/{document_id}", dependencies=[reader])
def show_document(
    knowledge_base_id: str, document_id: str, services: ServicesDep, language: LanguageDep
) -> DocumentOut:
    """One document and where it stands."""
    services.bases.get(knowledge_base_id)
    return document_out(services.documents.get(knowledge_base_id, document_id), language)


@router.get("/{document_id}/chunks", dependencies=[reader])
def list_chunks(
    knowledge_base_id: str, document_id: str, services: ServicesDep, limit: Limit = 100, offset: Offset = 0
) -> ChunkList:
    """The passages of a document in reading order."""
    base = services.bases.get(knowledge_base_id)
    services.documents.get(knowledge_base_id, document_id)
    chunks = services.contents.chunks(document_id, base.index_id, limit, offset)
    return ChunkList(chunks=[chunk_out(chunk) for chunk in chunks])


@router.get("/{document_id}/file", dependencies=[reader], response_class=FileResponse, responses=_file)
def download_file(knowledge_base_id: str, document_id: str, services: ServicesDep) -> FileResponse:
    """The original bytes, always as an attachment and never as something a browser would run."""
    services.bases.get(knowledge_base_id)
    document = services.documents.get(knowledge_base_id, document_id)
    with ExitStack() as held:
        try:
            path = held.enter_context(services.files.local(document.sha256))
        except FileNotFoundError as error:  # deleted since the line before
            raise DocumentNotFound(ref=document_id) from error
        except BlobDamaged as error:
            error.params["name"] = document.name
            raise
        return _HeldFile(
            path,
            filename=document.name,
            media_type="application/octet-stream",
            headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"},
            held=held.pop_all(),
        )


class _HeldFile(FileResponse):
    """Sends an original, which is kept from being evicted until it is sent or the client has gone."""

    def __init__(self, path: Path, *, filename: str, media_type: str, headers: dict[str, str], held: ExitStack) -> None:
        super().__init__(path, filename=filename, media_type=media_type, headers=headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


@router.delete("/{document_id}", status_code=204, dependencies=[editor])
def delete_document(knowledge_base_id: str, document_id: str, services: ServicesDep) -> None:
    """Delete a document; it is in no answer any more when this returns."""
    services.bases.get(knowledge_base_id)
    services.library.remove(knowledge_base_id, [document_id])


def document_out(document: Document, language: Language) -> DocumentOut:
    """A document as clients see it."""
    hidden = document.pages_with_hidden_text
    return DocumentOut(
        id=document.id,
        name=document.name,
        media_type=document.media_type,
        sha256=document.sha256,
        bytes=document.bytes,
        state=document.state,
        pages=document.pages,
        chunks=document.chunks,
        pages_without_text=document.pages_without_text,
        pages_recognised=document.pages_recognised,
        pages_with_hidden_text=None if hidden is None else list(hidden),
        error=reason(document.error_code, document.error_params, language),
        created_at=document.created_at,
        ready_at=document.ready_at,
    )


def chunk_out(chunk: Chunk) -> ChunkOut:
    """A chunk as clients see it."""
    return ChunkOut(
        id=chunk.id,
        ordinal=chunk.ordinal,
        page_start=chunk.page_start,
        page_end=chunk.page_end,
        heading_path=list(chunk.heading_path),
        text=chunk.text,
    )
