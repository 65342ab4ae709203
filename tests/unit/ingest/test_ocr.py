"""OCR of scanned, turned, blank, huge and hostile pages; what ends the child costs one page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from pypdf import PdfWriter
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from app.errors import OcrUnavailable
from app.ingest.ocr import RapidOcr, is_available
from app.ports import OcrLimits, RecognisedPage
from tests.fixtures import pdfs

needs_ocr = pytest.mark.skipif(not is_available(), reason="the extra `ocr` (rapidocr) is not installed")
LIMITS = OcrLimits(pixels=4_000_000, page_seconds=60, memory_mb=4000)
A4 = (595.0, 842.0)
Spot = tuple[float, float, str]
"""Fractions of the page from its top left, and the text there."""


def a_scan(spots: Sequence[Spot], turned: int = 0) -> Image.Image:
    """A picture of an A4 page with text; `turned` by degrees to the left."""
    image = Image.new("L", (1240, 1754), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=30)
    for across, down, text in spots:
        draw.text((across * 1240, down * 1754), text, fill=0, font=font)
    return image.rotate(turned, expand=True)


def a_pdf_of_scans(*scans: tuple[Image.Image | None, tuple[float, float], int]) -> bytes:
    """Pages that show one picture each: the picture, the page's size in points, and its /Rotate."""
    out = io.BytesIO()
    canvas = Canvas(out)
    for image, (width, height), _ in scans:
        canvas.setPageSize((width, height))
        if image is not None:
            canvas.drawImage(ImageReader(image), 0, 0, width, height)
        canvas.showPage()
    canvas.save()
    writer = PdfWriter(clone_from=out)
    for page, (_, _, rotate) in zip(writer.pages, scans, strict=True):
        page.rotate(rotate)
    rotated = io.BytesIO()
    writer.write(rotated)
    return rotated.getvalue()


def read(
    data: bytes, folder: Path, pages: Sequence[int], limits: OcrLimits = LIMITS
) -> tuple[list[RecognisedPage], list[tuple[int, int]]]:
    path = folder / "file"
    path.write_bytes(data)
    seen: list[tuple[int, int]] = []
    return RapidOcr().recognise(path, pages, limits, lambda done, total: seen.append((done, total))), seen


SENTENCE = "Press the green button for 12 seconds."
NOTE = [
    (0.1, 0.10, SENTENCE),
    (0.1, 0.13, "The lamp turns orange after that."),
    (0.1, 0.16, "Close the lid before you start it."),
    (0.1, 0.19, "Error E42 means that it is open."),
]


@needs_ocr
def test_pages_of_every_kind_are_read_in_one_call(tmp_path: Path) -> None:
    columns = [
        (side, 0.1 + 0.03 * n, f"{name} column line {n} is here")
        for side, name in ((0.08, "left"), (0.54, "right"))
        for n in range(5)
    ]
    table = [
        (across, 0.1 + 0.04 * n, text)
        for n, row in enumerate([("Voltage", "230 V"), ("Power", "1500 W"), ("Length", "450 mm")])
        for across, text in zip((0.1, 0.6), row, strict=True)
    ]
    data = a_pdf_of_scans(
        (a_scan(NOTE), A4, 0),
        (None, A4, 0),
        (a_scan(columns), A4, 0),
        (a_scan(table), A4, 0),
        (a_scan(NOTE, turned=270), (842.0, 595.0), 270),
        (a_scan(NOTE, turned=90), (842.0, 595.0), 0),
        (a_scan(NOTE), (1.0, 1.4), 0),
        (a_scan(NOTE), (14400.0, 14400.0), 0),
    )
    pages, seen = read(data, tmp_path, [1, 2, 3, 4, 5, 6, 7, 8])
    assert [page.number for page in pages] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert seen == [(done, 8) for done in range(1, 9)]
    plain, blank, two_columns, rows, rotated, sideways, tiny, huge = pages
    assert plain.text.split("\n")[:2] == [SENTENCE, "The lamp turns orange after that."]
    assert blank == RecognisedPage(2, "", ())
    starts = [line.split()[0] for line in two_columns.text.split("\n") if line]
    assert starts == ["left"] * 5 + ["right"] * 5
    assert [line for line in rows.text.split("\n") if line] == ["Voltage\t230 V", "Power\t1500 W", "Length\t450 mm"]
    assert all(SENTENCE in page.text for page in (rotated, sideways, tiny, huge))
    left, top, right, bottom = plain.lines[0].box
    assert left == pytest.approx(0.1, abs=0.02)
    assert top == pytest.approx(0.1, abs=0.02)
    assert right > 0.4
    assert 0.005 < bottom - top < 0.04
    assert plain.lines[0].confidence > 0.9
    beside = sideways.lines[0].box
    assert beside[0] == pytest.approx(top, abs=0.02), "the box is told on the page as it lies"
    assert beside[3] == pytest.approx(1 - left, abs=0.02)


@needs_ocr
def test_a_page_over_the_pixel_limit_is_drawn_smaller(tmp_path: Path) -> None:
    data = a_pdf_of_scans((a_scan([(0.1, 0.1, "Word")]), A4, 0))
    pages, _ = read(data, tmp_path, [1], OcrLimits(pixels=400, page_seconds=60, memory_mb=4000))
    assert pages == [RecognisedPage(1, "", ())]


@needs_ocr
def test_lines_below_the_least_confidence_are_left_out(tmp_path: Path) -> None:
    data = a_pdf_of_scans((a_scan(NOTE), A4, 0))
    limits = OcrLimits(pixels=1_000_000, page_seconds=60, memory_mb=4000, least_confidence=1.01)
    assert read(data, tmp_path, [1], limits)[0][0].text == ""


@needs_ocr
def test_pages_that_end_the_process_have_no_text_and_the_call_comes_back(tmp_path: Path) -> None:
    data = a_pdf_of_scans(*[(a_scan(NOTE), A4, 0)] * 2)
    pages, seen = read(data, tmp_path, [1, 2], OcrLimits(pixels=4_000_000, page_seconds=0.02, memory_mb=4000))
    assert pages == [RecognisedPage(1, "", ()), RecognisedPage(2, "", ())]
    assert seen[-1] == (2, 2)


@needs_ocr
def test_a_hostile_page_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(pdfs.a_flate_bomb())
    pages = RapidOcr().recognise(path, [1], LIMITS, lambda _done, _total: None)
    assert [page.number for page in pages] == [1]


@needs_ocr
@pytest.mark.parametrize("data", [b"%PDF-1.7\n", pdfs.a_pdf(user_password="u", owner_password="o")])
def test_a_file_that_cannot_be_opened_gives_pages_without_text(data: bytes, tmp_path: Path) -> None:
    assert read(data, tmp_path, [1, 3])[0] == [RecognisedPage(1, "", ()), RecognisedPage(3, "", ())]


@needs_ocr
def test_a_page_that_is_not_there_has_no_text_and_the_others_go_on(tmp_path: Path) -> None:
    pages, _ = read(a_pdf_of_scans((a_scan(NOTE), A4, 0)), tmp_path, [7, 1])
    assert pages[0] == RecognisedPage(7, "", ())
    assert SENTENCE in pages[1].text


def test_a_process_that_does_not_start_is_told_as_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(OcrUnavailable):
        read(b"", tmp_path, [1])
