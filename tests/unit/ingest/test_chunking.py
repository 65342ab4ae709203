"""Chunks: exact slices, nothing lost, pages right, short enough for the embedder."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ingest.chunking import ChunkRules, chunk_document, index_text, width
from app.types import Chunk, Heading, Page, ParsedDocument

RULES = ChunkRules(size=200, overlap=40, max_tokens=120)


def count_tokens(texts: Sequence[str]) -> list[int]:
    """About what a multilingual tokenizer gives: two for the frame, one for a Chinese character or for 4 others."""
    return [2 + sum(4 if ord(c) > 0x2E80 else 1 for c in text) // 4 for text in texts]


def a_document(*texts: str, outline: Sequence[Heading] = ()) -> ParsedDocument:
    return ParsedDocument(tuple(Page(number, text) for number, text in enumerate(texts, 1)), tuple(outline))


def chunks_of(document: ParsedDocument, rules: ChunkRules = RULES, name: str = "") -> list[Chunk]:
    return chunk_document("doc", document, rules, count_tokens, name)


PIECES = st.sampled_from(
    [
        "The pump starts. ",
        "打印机卡纸。",
        "E-04 ",
        "水箱",
        "\n",
        "\n\n",
        "x" * 60,
        "，",
        "a; b? ",
        "\u3000",
        "• item\n",
        "1.2 Lid\n",
    ]
)
PAGE_TEXTS = st.lists(st.lists(PIECES, max_size=40).map("".join), min_size=1, max_size=6)
ANY_RULES = st.builds(
    ChunkRules, size=st.integers(100, 600), overlap=st.integers(0, 100), max_tokens=st.integers(60, 300)
)


@settings(max_examples=150, deadline=None)
@given(
    PAGE_TEXTS,
    ANY_RULES,
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["水箱", "item", "?"]), st.integers(1, 6))),
)
def test_chunks_are_slices_that_cover_the_text_and_know_their_pages(
    texts: list[str], rules: ChunkRules, entries: list[tuple[int, str, int]]
) -> None:
    document = a_document(*texts, outline=[Heading(*entry) for entry in entries])
    whole = "\n".join(texts)
    page_of = [number for number, text in enumerate(texts, 1) for _ in range(len(text) + 1)]
    covered: set[int] = set()
    chunks = chunks_of(document, rules, "手册.pdf")
    for chunk in chunks:
        assert chunk.text == whole[chunk.start : chunk.start + len(chunk.text)]
        assert chunk.text == chunk.text.strip() != ""
        covered.update(range(chunk.start, chunk.start + len(chunk.text)))
        assert chunk.page_starts[0][0] == 0
        for offset, character in enumerate(chunk.text):
            if not character.isspace():
                assert chunk.page_at(offset) == page_of[chunk.start + offset]
    assert all(index in covered for index, character in enumerate(whole) if not character.isspace())
    assert [chunk.id for chunk in chunks] == [f"doc-{ordinal:06d}" for ordinal in range(len(chunks))]
    ends = [chunk.start + len(chunk.text) for chunk in chunks]
    assert ends == sorted(set(ends))


@settings(max_examples=100, deadline=None)
@given(PAGE_TEXTS, ANY_RULES)
def test_no_chunk_is_longer_than_the_embedder_reads(texts: list[str], rules: ChunkRules) -> None:
    document = a_document(*texts, outline=[Heading(1, "维护与清洁", 1)])
    chunks = chunks_of(document, rules, "打印机手册.pdf")
    assert all(tokens <= rules.max_tokens for tokens in count_tokens([index_text(c, "打印机手册.pdf") for c in chunks]))


def test_the_same_document_gives_the_same_chunks() -> None:
    document = a_document("The pump starts. " * 60, "打印机卡纸。" * 60)
    assert chunks_of(document) == chunks_of(document)


def test_chinese_chunks_have_fewer_characters() -> None:
    rules = ChunkRules(size=600, overlap=0, max_tokens=10_000)
    english = chunks_of(a_document("The pump starts when the lid closes. " * 100), rules)
    chinese = chunks_of(a_document("盖上盖子后水泵开始工作，请勿打开。" * 200), rules)
    assert max(len(chunk.text) for chunk in chinese) <= 400 < max(len(chunk.text) for chunk in english) <= 600


def test_chunks_begin_and_end_with_sentences_where_there_are_any() -> None:
    sentences = [f"Sentence number {number} tells how the pump is cleaned." for number in range(60)]
    for chunk in chunks_of(a_document(" ".join(sentences))):
        assert chunk.text.startswith("Sentence")
        assert chunk.text.endswith("cleaned.")


def test_neighbours_overlap_by_whole_sentences() -> None:
    first, second = chunks_of(a_document("请先关闭电源，再打开机盖。" * 15))[:2]
    shared = first.start + len(first.text) - second.start
    assert 0 < shared <= RULES.overlap
    assert second.text.startswith("请先关闭电源")


def test_sections_are_cut_at_their_headings_and_know_their_path() -> None:
    page = (
        "1 Safety\n"
        + "Keep dry. " * 15
        + "\n2 Use\n"
        + "Fill the tank. " * 10
        + "\n2.1 Stop\n"
        + "Press the button. " * 9
    )
    outline = [Heading(1, "Safety", 1), Heading(1, "Use", 1), Heading(2, "Stop", 1)]
    chunks = chunks_of(a_document(page, outline=outline))
    assert [(chunk.text.split("\n")[0], chunk.heading_path) for chunk in chunks] == [
        ("1 Safety", ("Safety",)),
        ("2 Use", ("Use",)),
        ("2.1 Stop", ("Use", "Stop")),
    ]


def test_a_chapter_title_goes_with_its_first_section() -> None:
    page = "3 Care\n3.1 Clean\n" + "Rinse the tank with warm water. " * 20
    chunks = chunks_of(a_document(page, outline=[Heading(1, "Care", 1), Heading(2, "Clean", 1)]))
    assert chunks[0].text.startswith("3 Care\n3.1 Clean\nRinse")
    assert chunks[1].heading_path == ("Care", "Clean")


def test_small_sections_stand_together() -> None:
    lines = [f"{number}.1 Part\nSmall." for number in range(1, 9)]
    outline = [Heading(1, f"{number}.1 Part", 1) for number in range(1, 9)]
    chunks = chunks_of(a_document("\n".join(lines), outline=outline))
    assert len(chunks) == 1


def test_one_long_word_is_cut_all_the_same() -> None:
    chunks = chunks_of(a_document("x" * 2000))
    assert max(len(chunk.text) for chunk in chunks) <= RULES.size + RULES.overlap
    assert chunks[-1].start + len(chunks[-1].text) == 2000


@pytest.mark.parametrize("texts", [("",), (" \n", "\n\n")])
def test_no_text_gives_no_chunks(texts: tuple[str, ...]) -> None:
    assert chunks_of(a_document(*texts)) == []


def test_a_chunk_is_on_one_page_and_empty_pages_keep_the_numbers_right() -> None:
    chunks = chunks_of(a_document("", "one", "", "two"))
    assert [(chunk.text, chunk.page_starts) for chunk in chunks] == [("one", ((0, 2),)), ("two", ((0, 4),))]


def test_index_text_names_the_manual_and_the_headings() -> None:
    chunk = Chunk("d-1", "d", 0, "Lid\nClose it.", 0, ((0, 1),), ("Safety", "Lid"))
    assert index_text(chunk, "pump/P1.pdf") == "pump P1 > Safety\nLid\nClose it."
    assert index_text(Chunk("d-1", "d", 0, "Close it.", 0, ((0, 1),)), "") == "Close it."


def test_index_text_bounds_what_it_adds() -> None:
    chunk = Chunk("d-1", "d", 0, "text", 0, ((0, 1),), ("很长的标题" * 50, "章" * 300))
    assert len(index_text(chunk, "名" * 500)) < 200


def test_width_of_chinese_is_one_and_a_half() -> None:
    assert width("abcd") == 4
    assert width("水泵开关") == 6


def test_a_chunk_that_continues_a_table_knows_its_head_and_is_found_by_it() -> None:
    rows = "\n".join(f"P-{number}\tpart number {number}\t{number} V" for number in range(1, 30))
    chunks = chunks_of(a_document(f"Parts of the pump.\n\nCode\tName\tVoltage\n{rows}\n\nThe end of it all."))
    first, *later = [chunk for chunk in chunks if chunk.text.startswith("P-") or "Code" in chunk.text]
    assert (first.table_header, "Code\tName\tVoltage" in first.text) == ("", True)
    assert later
    for chunk in later:
        assert chunk.table_header == "Code\tName\tVoltage"
        assert index_text(chunk, "pump.pdf").split("\n")[:2] == ["pump", "Code\tName\tVoltage"]
