"""The sample manuals and their questions: what the README, `make serve` and the other tests rely on."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdf
import pypdfium2
import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
MANUALS = ("kestrim-chengjing-zh", "kestrim-pavo-en")
MODELS = {"kestrim-chengjing-zh": ("KD-30A", "KD-50B"), "kestrim-pavo-en": ("KE-210", "KE-215")}
FIELDS = {
    "id", "question", "answers", "relevant_doc_ids", "answerable", "lang", "product", "source_file", "page", "pages",
    "alt_pages", "evidence", "type",
}  # fmt: skip
TYPES = {"spec", "table", "code", "error", "menu", "part", "procedure", "troubleshooting", "fact"}
# Subjects of the unanswerable questions: if a manual starts to speak of one, its question is wrong.
ABSENT = {
    "kestrim-pavo-en": ("bluetooth", "capsule", "price", "e-15", "altitude", "waterline", "telephone", "country"),
    "kestrim-chengjing-zh": ("售价", "热线", "电话", "F-15", "遥控", "加湿", "能效", "语音", "HEPA"),
}


def squeeze(text: str) -> str:
    """The text without white space, full and half width alike, for comparison."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()


def read_pdf(name: str) -> bytes:
    return (EXAMPLES / "manuals" / f"{name}.pdf").read_bytes()


@cache
def pdfium_pages(name: str) -> tuple[str, ...]:
    document = pypdfium2.PdfDocument(read_pdf(name))
    try:
        return tuple(document[number].get_textpage().get_text_range() for number in range(len(document)))
    finally:
        document.close()


@cache
def pypdf_pages(name: str) -> tuple[str, ...]:
    return tuple(page.extract_text() for page in pypdf.PdfReader(BytesIO(read_pdf(name))).pages)


def load(file_name: str) -> list[dict[str, Any]]:
    lines = (EXAMPLES / file_name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


QUESTIONS = load("questions.jsonl")
CROSSLINGUAL = load("questions_crosslingual.jsonl")
ANSWERABLE = [question for question in QUESTIONS + CROSSLINGUAL if question["answerable"]]
UNANSWERABLE = [question for question in QUESTIONS + CROSSLINGUAL if not question["answerable"]]


def name_of(question: dict[str, Any]) -> str:
    return Path(question["source_file"]).stem


@pytest.mark.parametrize("name", MANUALS)
def test_manual_is_small_dated_by_its_source_and_carries_its_fonts(name: str) -> None:
    data = read_pdf(name)
    reader = pypdf.PdfReader(BytesIO(data))
    assert len(data) < 600_000
    assert 11 <= len(reader.pages) <= 15
    assert reader.metadata is not None
    written = re.search(
        r"datetime\(year: (\d+), month: (\d+), day: (\d+)\)", (EXAMPLES / f"manuals/{name}.typ").read_text("utf-8")
    )
    assert written is not None
    created = reader.metadata.creation_date
    assert created is not None
    assert (created.year, created.month, created.day) == tuple(int(part) for part in written.groups())
    resources: list[Any] = [page["/Resources"] for page in reader.pages]
    fonts = [font.get_object() for resource in resources for font in resource.get("/Font", {}).values()]
    assert fonts
    for font in fonts:
        descriptor = (
            font["/DescendantFonts"][0]["/FontDescriptor"] if "/DescendantFonts" in font else font["/FontDescriptor"]
        )
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor), font["/BaseFont"]


@pytest.mark.parametrize("name", MANUALS)
def test_outline_names_the_chapters_where_they_start(name: str) -> None:
    document = pypdfium2.PdfDocument(read_pdf(name))
    try:
        entries = [(entry.level, entry.get_title(), entry.get_dest().get_index()) for entry in document.get_toc()]
    finally:
        document.close()
    assert sum(level == 0 for level, _, _ in entries) >= 10
    assert sum(level == 1 for level, _, _ in entries) >= 25
    for _, title, index in entries:
        assert squeeze(title) in squeeze(pdfium_pages(name)[index])


@pytest.mark.parametrize("name", MANUALS)
@pytest.mark.parametrize("pages_of", [pdfium_pages, pypdf_pages])
def test_text_layer_is_clean(name: str, pages_of: Callable[[str], tuple[str, ...]]) -> None:
    for number, text in enumerate(pages_of(name), start=1):
        odd = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cn"} and c not in "\r\n\t"}
        assert not odd | {c for c in text if c == "\ufffd"}, (number, odd)
        assert len(squeeze(text)) > 50
        if number > 1:  # the printed number is the one a viewer shows; the cover carries none
            assert text.rstrip().endswith(f" {number}")
    text = squeeze("".join(pages_of(name)))
    assert all(squeeze(model) in text for model in MODELS[name])


def test_words_of_the_english_manual_stay_apart() -> None:
    for pages in (pdfium_pages("kestrim-pavo-en"), pypdf_pages("kestrim-pavo-en")):
        assert max(len(word) for word in re.findall(r"[A-Za-z]+", "\n".join(pages))) <= 18


@pytest.mark.parametrize("name", MANUALS)
def test_every_address_and_number_is_invented(name: str) -> None:
    text = "\n".join(pdfium_pages(name))
    hosts = re.findall(r"(?:https?://|www\.|@)([\w.-]+\w)", text)
    assert hosts
    assert all(host == "example.com" or host.endswith(".example.com") for host in hosts)
    assert not re.findall(r"(?<![\w.])(?:\+\d{1,3}[ -]?)?\(?\d{2,4}\)?[ -]\d{3,4}[ -]?\d{3,4}(?!\w)", text)
    links = [
        annotation.get_object().get("/A", {}).get("/URI", "")
        for page in pypdf.PdfReader(BytesIO(read_pdf(name))).pages
        for annotation in page.get("/Annots", [])
    ]
    assert all("example.com" in link for link in links if link)


def test_question_sets_are_complete() -> None:
    assert len({question["id"] for question in QUESTIONS + CROSSLINGUAL}) == len(QUESTIONS) + len(CROSSLINGUAL)
    assert len({question["question"] for question in QUESTIONS + CROSSLINGUAL}) == len(QUESTIONS) + len(CROSSLINGUAL)
    for name in MANUALS:
        mine = [question for question in QUESTIONS if name_of(question) == name]
        assert len(mine) >= 24
        assert sum(question["answerable"] for question in mine) >= 18
        assert sum(not question["answerable"] for question in mine) >= 6
        assert {question["lang"] for question in mine} == {name[-2:]}
        assert TYPES - {"code"} <= {question["type"] for question in mine}
    assert Counter(question["lang"] for question in CROSSLINGUAL) == {"zh": 5, "en": 5}
    originals = {question["question"]: question for question in QUESTIONS}
    for question in CROSSLINGUAL:
        assert question["lang"] != question["doc_lang"] == name_of(question)[-2:]
        assert originals[question["original_question"]]["evidence"] == question["evidence"]


@pytest.mark.parametrize("question", QUESTIONS + CROSSLINGUAL, ids=lambda question: question["id"])
def test_question_has_the_fields_of_the_format(question: dict[str, Any]) -> None:
    assert set(question) - {"doc_lang", "original_question"} == FIELDS
    name = name_of(question)
    assert name in MANUALS
    labelled = [question["page"], *question["alt_pages"]] if question["answerable"] else []
    assert question["relevant_doc_ids"] == [f"{name}#p{page}" for page in labelled]
    assert question["pages"] == labelled[:1]
    assert all(1 <= page <= len(pdfium_pages(name)) for page in labelled)
    assert bool(question["answers"]) == bool(question["evidence"]) == question["answerable"]
    assert question["type"] in (TYPES if question["answerable"] else {"unanswerable"})


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["id"])
def test_evidence_stands_on_its_page_and_holds_the_answer(question: dict[str, Any]) -> None:
    name, page = name_of(question), question["page"]
    evidence = squeeze(question["evidence"])
    assert evidence in squeeze(pdfium_pages(name)[page - 1])
    assert evidence in squeeze(pypdf_pages(name)[page - 1])
    held = [squeeze(answer) in evidence for answer in question["answers"]]
    assert any(held)
    if question["type"] in {"spec", "table", "code", "part"} and "doc_lang" not in question:
        assert all(held)
    figures = {figure for answer in question["answers"] for figure in re.findall(r"\d+(?:\.\d+)?", answer)}
    assert figures <= set(re.findall(r"\d+(?:\.\d+)?", question["evidence"]))


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["id"])
def test_question_is_not_copied_from_the_manual(question: dict[str, Any]) -> None:
    asked = squeeze(question["question"]).rstrip("?？。")
    assert asked not in squeeze("".join(pdfium_pages(name_of(question))))
    assert asked not in squeeze(question["evidence"])


@pytest.mark.parametrize("name", MANUALS)
def test_unanswerable_subjects_do_not_occur(name: str) -> None:
    text = squeeze("".join(pdfium_pages(name)))
    assert [word for word in ABSENT[name] if squeeze(word) in text] == []
    assert sum(name_of(question) == name for question in UNANSWERABLE) >= len(ABSENT[name]) - 1
