"""What people see of pages: drawn once, kept while the document is there, and a page that fails not tried at once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.catalogue.contents import ReadPage
from app.catalogue.documents import NewDocument
from app.catalogue.records import Document
from app.errors import DocumentNotFound, PageImageFailed, PageNotFound
from app.ingest.rendering.process import DrawingLimits
from app.ingest.rendering.views import ChunkSlice, ImageWidth, PageViews
from app.ports import Part
from app.types import Chunk, Page
from tests.fixtures import pdfs
from tests.fixtures.workshops import Workshop, a_workshop

LIMITS = DrawingLimits(seconds=60, memory_mb=1000, pixels=4_000_000)
WIDTH = ImageWidth.THUMBNAIL


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with a_workshop(tmp_path) as workshop:
        yield workshop


@pytest.fixture
def views(workshop: Workshop) -> Iterator[PageViews]:
    views = PageViews(workshop.stores, 2, LIMITS)
    yield views
    views.stop()


def a_document(workshop: Workshop, data: bytes, media_type: str = "application/pdf") -> Document:
    receiver = workshop.stores.files.receive(len(data))
    receiver.write(data)
    workshop.stores.files.keep(receiver.finish())
    base = workshop.base()
    new = NewDocument("manual.pdf", media_type, hashlib.sha256(data).hexdigest(), len(data))
    one = workshop.catalogue.queued(base, new)
    return workshop.stores.documents.get(base.id, one.document)


def a_chunk(document: Document, text: str, start: int) -> Chunk:
    return Chunk("c", document.id, 0, text, start, ((0, 1),))


def test_an_image_is_drawn_once(workshop: Workshop, views: PageViews) -> None:
    document = a_document(workshop, pdfs.a_pdf())
    assert views.kept_image(document, 1, WIDTH) is None
    drawn: list[bytes] = []
    threads = [threading.Thread(target=lambda: drawn.append(views.image(document, 1, WIDTH))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 5
    assert len(set(drawn)) == 1
    assert views.kept_image(document, 1, WIDTH) == drawn[0]
    asked = sum(process.asked for process in views._pool._idle.values())
    assert asked == 1


def test_a_document_that_is_hidden_meanwhile_leaves_no_image(workshop: Workshop, views: PageViews) -> None:
    document = a_document(workshop, pdfs.a_pdf())
    workshop.stores.documents.hide(document.knowledge_base_id, document.id)
    with pytest.raises(DocumentNotFound):
        views.image(document, 1, WIDTH)
    assert views.kept_image(document, 1, WIDTH) is None


def test_a_purge_takes_the_images_along(workshop: Workshop, views: PageViews) -> None:
    document = a_document(workshop, pdfs.a_pdf())
    views.image(document, 1, WIDTH)
    workshop.stores.documents.hide(document.knowledge_base_id, document.id)
    workshop.purging.purge(document.id)
    assert views.kept_image(document, 1, WIDTH) is None


def test_a_start_clears_what_is_left_of_documents_that_are_gone(workshop: Workshop, views: PageViews) -> None:
    document = a_document(workshop, pdfs.a_pdf())
    views.image(document, 1, WIDTH)
    workshop.stores.images.put("doc-gone", 1, WIDTH, b"image")
    views.start()
    assert workshop.stores.images.get("doc-gone", 1, WIDTH) is None
    assert views.kept_image(document, 1, WIDTH) is not None


def test_a_file_that_is_lost_has_no_image(workshop: Workshop, views: PageViews) -> None:
    document = a_document(workshop, pdfs.a_pdf())
    workshop.stores.files.delete(document.sha256)
    with pytest.raises(DocumentNotFound):
        views.image(document, 1, WIDTH)


def test_a_page_that_failed_is_not_tried_again_at_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    document = a_document(workshop, pdfs.a_text_bomb(300_000))
    views = PageViews(workshop.stores, 1, replace(LIMITS, seconds=0.01))
    try:
        for _ in range(2):
            with pytest.raises(PageImageFailed) as failed:
                views.image(document, 1, WIDTH)
            assert failed.value.params["reason"] == "it takes too long"
            monkeypatch.setattr(views._pool, "ask", lambda *_: pytest.fail("it was tried again"))
    finally:
        views.stop()


def test_a_page_with_a_password_says_so_and_has_no_size(workshop: Workshop, views: PageViews) -> None:
    document = a_document(workshop, pdfs.a_pdf(user_password="secret"))
    with pytest.raises(PageImageFailed, match="password"):
        views.image(document, 1, WIDTH)
    assert views.size(document, 1) is None


def test_there_is_no_page_beyond_the_last(workshop: Workshop, views: PageViews) -> None:
    document = a_document(workshop, pdfs.a_pdf())
    with pytest.raises(PageNotFound):
        views.image(document, 2, WIDTH)
    with pytest.raises(PageNotFound):
        views.size(document, 2)


def test_a_scanned_page_has_boxes_by_what_ocr_has_read(workshop: Workshop, views: PageViews) -> None:
    document = a_document(workshop, pdfs.a_pdf_of_images(1))
    contents = workshop.stores.contents
    contents.put_part(document.id, 1, a_part("", scanned=True))
    contents.put_recognised(
        document.id,
        [ReadPage(1, "Press OK\n按下确认键", (("Press OK", 0.1, 0.1, 0.5, 0.14), ("按下确认键", 0.1, 0.2, 0.5, 0.24)))],
    )
    page = contents.page(document.id, 1)
    assert page is not None
    assert page.recognised
    ((left, top, right, bottom),) = views.boxes(document, page, "按下确认键")
    assert (left, right) == (pytest.approx(0.1, abs=0.01), pytest.approx(0.5, abs=0.01))
    assert (top, bottom) == (pytest.approx(0.2, abs=0.01), pytest.approx(0.24, abs=0.01))


def test_of_sentences_that_say_the_same_the_chunks_own_is_meant(workshop: Workshop, views: PageViews) -> None:
    lines = ["Press OK.", "Fill the tank.", "Press OK."]
    document = a_document(workshop, pdfs.a_pdf(["\n".join(lines)]))
    text = "\n".join(lines)
    workshop.stores.contents.put_part(document.id, 1, a_part(text))
    page = workshop.stores.contents.page(document.id, 1)
    assert page is not None
    tail = ChunkSlice(a_chunk(document, text[10:], 10), 10, len(text))
    ((_, first_top, _, _),) = views.boxes(document, page, "Press OK.")
    ((_, last_top, _, _),) = views.boxes(document, page, "Press OK.", tail)
    ((_, tank_top, _, _),) = views.boxes(document, page, "Fill the tank.", tail)
    assert first_top < tank_top < last_top
    halves = [ChunkSlice(a_chunk(document, text[:9], 0), 0, 9), tail]
    assert [len(boxes) for boxes in views.chunk_boxes(document, page, halves)] == [1, 2]


def a_part(text: str, scanned: bool = False) -> Part:
    return Part((Page(1, text),), 1, frozenset({1}) if scanned else frozenset(), (), None, "pdfium")
