"""PDF files, ordinary, protected, without text, broken and hostile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.errors import (
    DocumentTooCostly,
    EmptyFile,
    Encrypted,
    ManualqaError,
    NeedsOcr,
    NoText,
    TooManyPages,
    Unreadable,
)
from app.ingest.parsers.pdf import PdfParser
from app.ingest.reading import parse_whole
from app.ports import ParseLimits
from app.types import Heading, ParsedDocument
from tests.fixtures import pdfs

LIMITS = ParseLimits(seconds=20, memory_mb=700, pages=100, characters=1_000_000)


def parse(data: bytes, folder: Path, limits: ParseLimits = LIMITS) -> ParsedDocument:
    path = folder / "file"
    path.write_bytes(data)
    return parse_whole(PdfParser(), path, limits, lambda _done, _total: None)


def test_pages_keep_their_numbers_and_lines(tmp_path: Path) -> None:
    document = parse(pdfs.a_pdf(["First page", "错误代码 E-04\n请检查墨盒", "Third"], title="Pump P1"), tmp_path)
    assert [(page.number, page.text) for page in document.pages] == [
        (1, "First page"),
        (2, "错误代码 E-04\n请检查墨盒"),
        (3, "Third"),
    ]
    assert document.title == "Pump P1"
    assert document.parser == "pdfium"


def test_outline_becomes_headings(tmp_path: Path) -> None:
    data = pdfs.a_pdf(["a", "b"], outline=[(1, "安全 Safety", 1), (2, "Plug", 1), (1, "Use", 2)])
    assert parse(data, tmp_path).outline == (
        Heading(1, "安全 Safety", 1),
        Heading(2, "Plug", 1),
        Heading(1, "Use", 2),
    )


def test_progress_counts_up_to_the_number_of_pages(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(pdfs.a_pdf(["one", "two", "three"]))
    seen: list[tuple[int, int]] = []
    parse_whole(PdfParser(), path, LIMITS, lambda done, total: seen.append((done, total)))
    assert seen[:3] == [(1, 3), (2, 3), (3, 3)]
    assert set(seen[3:]) <= {(3, 3)}


@pytest.mark.parametrize(
    "owner_only", [pdfs.a_pdf(user_password="", owner_password="o"), pdfs.a_pdf_encrypted_with_aes(pdfs.a_pdf(), "")]
)
def test_a_file_that_opens_without_a_password_is_read(owner_only: bytes, tmp_path: Path) -> None:
    assert "pump starts" in parse(owner_only, tmp_path).pages[0].text


@pytest.mark.parametrize(
    "locked", [pdfs.a_pdf(user_password="u", owner_password="o"), pdfs.a_pdf_encrypted_with_aes(pdfs.a_pdf(), "u")]
)
def test_a_file_that_asks_for_a_password_says_so(locked: bytes, tmp_path: Path) -> None:
    with pytest.raises(Encrypted):
        parse(locked, tmp_path)


def test_pictures_of_pages_need_ocr(tmp_path: Path) -> None:
    with pytest.raises(NeedsOcr):
        parse(pdfs.a_pdf_of_images(), tmp_path)


def test_a_download_stamp_on_each_picture_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(NeedsOcr):
        parse(pdfs.a_pdf_of_images(8, stamp="Downloaded from example.org"), tmp_path)


def test_some_pages_with_text_are_enough(tmp_path: Path) -> None:
    document = parse(pdfs.a_pdf_of_images(2, ["Fill the tank."]), tmp_path)
    assert [page.text for page in document.pages] == ["", "", "Fill the tank."]


def test_blank_pages_have_no_text(tmp_path: Path) -> None:
    with pytest.raises(NoText):
        parse(pdfs.a_pdf_of_blank_pages(), tmp_path)


def test_no_bytes_is_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(EmptyFile):
        parse(b"", tmp_path)


@pytest.mark.parametrize("name", sorted(pdfs.broken_files()))
def test_broken_files_are_unreadable(name: str, tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        parse(pdfs.broken_files()[name], tmp_path)


def test_too_many_pages_are_refused_before_they_are_read(tmp_path: Path) -> None:
    with pytest.raises(TooManyPages) as caught:
        parse(pdfs.a_pdf_of_many_pages(20_000), tmp_path)
    assert caught.value.params == {"pages": 20_000, "limit": 100}


def test_more_text_than_allowed_is_too_costly(tmp_path: Path) -> None:
    limits = ParseLimits(seconds=20, memory_mb=700, pages=100, characters=50)
    with pytest.raises(DocumentTooCostly) as caught:
        parse(pdfs.a_pdf(["forty characters of text, more or less."] * 2), tmp_path, limits)
    assert caught.value.params["setting"] == "MQA_MAX_DOCUMENT_CHARACTERS"


@pytest.mark.parametrize(
    "make",
    [
        pdfs.a_lying_count,
        pdfs.a_page_tree_loop,
        pdfs.a_deep_array,
        pdfs.an_outline_loop,
        lambda: pdfs.a_wide_outline(6000, 2000),
        lambda: b"\x00" * 500 + pdfs.a_pdf(),
    ],
)
def test_odd_files_with_a_readable_page_are_read(make: object, tmp_path: Path) -> None:
    document = parse(make(), tmp_path)  # type: ignore[operator]
    assert any("pump starts" in page.text for page in document.pages)
    assert len(document.outline) <= 5000
    assert all(len(heading.title) <= 300 for heading in document.outline)


@pytest.mark.parametrize(
    "make",
    [lambda: pdfs.a_flate_bomb(300), lambda: pdfs.a_flate_bomb(300, twice=True), pdfs.a_text_bomb, pdfs.a_form_loop],
)
def test_bombs_are_stopped_within_the_limits(make: object, tmp_path: Path) -> None:
    limits = ParseLimits(seconds=15, memory_mb=250, pages=100, characters=1_000_000)
    begun = time.monotonic()
    with pytest.raises((DocumentTooCostly, NoText, Unreadable)):
        parse(make(), tmp_path, limits)  # type: ignore[operator]
    assert time.monotonic() - begun < 20


def test_a_slow_page_is_stopped(tmp_path: Path) -> None:
    limits = ParseLimits(seconds=60, memory_mb=4000, pages=100, characters=1_000_000_000, page_seconds=0.3)
    with pytest.raises(DocumentTooCostly) as caught:
        parse(pdfs.a_text_bomb(1_000_000), tmp_path, limits)
    assert caught.value.params["setting"] == "MQA_PARSE_PAGE_SECONDS"


def test_flipped_bytes_never_give_another_exception(tmp_path: Path) -> None:
    good = pdfs.a_pdf(["The pump starts.", "Second"], outline=[(1, "Start", 1)])
    for seed in range(12):
        data = bytearray(good)
        for step in range(25):
            data[(seed * 7919 + step * 104_729) % len(data)] = (seed * 31 + step * 17) % 256
        try:
            document = parse(bytes(data), tmp_path)
        except ManualqaError as error:
            assert error.status == 422  # noqa: PT017
        else:
            assert any(page.text for page in document.pages)


def test_the_child_cannot_write_files(tmp_path: Path) -> None:
    program = """
import json, sys
from app.ingest.parsers.child_limits import take_limits
take_limits(json.loads(sys.argv[1]))
open(sys.argv[2], "wb", buffering=0).write(b"x")
"""
    task = json.dumps({"parent": os.getpid(), "memory_mb": 500, "cpu_seconds": 5})
    command = [sys.executable, "-c", program, task, str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert (tmp_path / "x").read_bytes() == b""
