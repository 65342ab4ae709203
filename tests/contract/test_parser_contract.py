"""The law of `Parser`: a document with text or a typed error, the same each time, and nothing else on the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import DocumentError
from app.ingest.media import MediaType, parser_for
from app.ingest.reading import parse_whole
from app.ports import ParseLimits, Parser
from app.types import ParsedDocument
from tests.fixtures import office, pdfs

LIMITS = ParseLimits(seconds=20, memory_mb=700, pages=50, characters=200_000)
HOSTILE = {
    "empty": b"",
    "spaces": b" \n\n ",
    "zeros": bytes(1000),
    "every byte": bytes(range(256)) * 20,
    "archive": b"PK\x03\x04" + bytes(100),
    "half a character": "手册".encode()[:-1],
    "pdf mark alone": b"%PDF-1.7\n",
    "too long": b"word " * 60_000,
    "too many pages": b"page\f" * 60,
}


class ParserContract:
    """What every parser keeps; a subclass gives one and a file that it reads."""

    media_type: MediaType
    good: bytes

    @pytest.fixture
    def parser(self) -> Parser:
        return parser_for(self.media_type)

    def parse(self, parser: Parser, data: bytes, folder: Path, limits: ParseLimits = LIMITS) -> ParsedDocument:
        path = folder / "file"
        path.write_bytes(data)
        return parse_whole(parser, path, limits, lambda _done, _total: None)

    def test_gives_numbered_pages_with_text(self, parser: Parser, tmp_path: Path) -> None:
        document = self.parse(parser, self.good, tmp_path)
        assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))
        assert any("pump starts" in page.text for page in document.pages)
        assert document.parser

    def test_headings_point_into_the_pages(self, parser: Parser, tmp_path: Path) -> None:
        document = self.parse(parser, self.good, tmp_path)
        for heading in document.outline:
            page = document.pages[heading.page - 1]
            assert heading.level >= 1
            assert heading.title
            assert heading.offset is None or 0 <= heading.offset <= len(page.text)

    def test_windows_put_together_are_the_document(self, parser: Parser, tmp_path: Path) -> None:
        whole = self.parse(parser, self.good, tmp_path)
        by_one = self.parse(parser, self.good, tmp_path, replace(LIMITS, window=1))
        assert [page.number for page in by_one.pages] == [page.number for page in whole.pages]
        assert by_one.outline == whole.outline
        last = parser.read(tmp_path / "file", LIMITS, len(whole.pages), lambda _done, _total: None)
        assert ([page.number for page in last.pages], last.pages_total) == ([len(whole.pages)], len(whole.pages))

    def test_the_same_bytes_give_the_same_document(self, parser: Parser, tmp_path: Path) -> None:
        assert self.parse(parser, self.good, tmp_path) == self.parse(parser, self.good, tmp_path)

    def test_progress_ends_at_all_pages(self, parser: Parser, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(self.good)
        seen: list[tuple[int, int]] = []
        document = parse_whole(parser, path, LIMITS, lambda done, total: seen.append((done, total)))
        assert seen[-1] == (len(document.pages), len(document.pages))

    @pytest.mark.parametrize("name", sorted(HOSTILE))
    def test_whatever_the_bytes_it_gives_text_or_a_typed_error(self, name: str, parser: Parser, tmp_path: Path) -> None:
        try:
            document = self.parse(parser, HOSTILE[name], tmp_path)
        except DocumentError as error:
            assert error.status == 422  # noqa: PT017
        else:
            assert any(map(str.isalnum, "".join(page.text for page in document.pages)))

    def test_too_many_pages_or_characters_are_refused(self, parser: Parser, tmp_path: Path) -> None:
        with pytest.raises(DocumentError):
            self.parse(parser, self.good, tmp_path, ParseLimits(20, 700, pages=50, characters=3))

    def test_nothing_is_written_beside_the_file(self, parser: Parser, tmp_path: Path) -> None:
        self.parse(parser, self.good, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["file"]


class TestPdfParser(ParserContract):
    media_type = MediaType.PDF
    good = pdfs.a_pdf(["The pump starts.", "水泵启动。"], outline=[(1, "Start", 1), (2, "启动", 2)])


class TestTextParser(ParserContract):
    media_type = MediaType.TEXT
    good = "The pump starts.\n\f水泵启动。".encode()


class TestMarkdownParser(ParserContract):
    media_type = MediaType.MARKDOWN
    good = "# Start\nThe pump starts.\n\f## 启动\n水泵启动。".encode()


class TestHtmlParser(ParserContract):
    media_type = MediaType.HTML
    good = "<h1>Start</h1><p>The pump starts.</p><h2>启动</h2><p>水泵启动。</p>".encode()


class TestDocxParser(ParserContract):
    media_type = MediaType.DOCX
    good = office.a_docx(
        office.p("Start", style="Heading1"),
        office.p("The pump starts.", office.PAGE_BREAK),
        office.p("启动", style="Heading2"),
        office.p("水泵启动。"),
    )
