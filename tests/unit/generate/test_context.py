"""The windows of a prompt: within the budget, about the question, mapped back to their chunks."""

from __future__ import annotations

from dataclasses import replace

from app.generate.context import Window, estimate_tokens, select_passages
from tests.fixtures.passages import a_chunk, a_hit

FILLER = "The housing is made of brushed steel and may be wiped with a damp cloth. " * 12
ANSWER = "Hold the reset button for 7 seconds to restore the factory settings. "


def test_takes_the_sentences_that_answer_and_leaves_the_rest_of_a_long_chunk() -> None:
    hit = a_hit(a_chunk(FILLER + ANSWER + FILLER))
    (passage,) = select_passages("How do I restore the factory settings?", [hit], 120)
    assert ANSWER.strip() in passage.text
    assert estimate_tokens(passage.text) <= 120


def test_windows_are_exact_slices_of_their_chunk() -> None:
    hits = [a_hit(a_chunk(FILLER + ANSWER, name="a"), rank=1), a_hit(a_chunk(ANSWER + FILLER, document="d2"), rank=2)]
    passages = select_passages("restore factory settings", hits, 150)
    windows = [window for passage in passages for window in passage.windows]
    assert {window.hit.chunk.document_id for window in windows} == {"d1", "d2"}
    assert all(window.text == window.hit.chunk.text[window.start : window.end] != "" for window in windows)


def test_numbers_passages_from_one_in_the_order_of_the_hits() -> None:
    hits = [a_hit(a_chunk("Reset: hold.", document=f"d{i}"), rank=i) for i in (1, 2, 3)]
    passages = select_passages("reset", hits, 500)
    assert [(p.number, p.best.scores.rank) for p in passages] == [(1, 1), (2, 2), (3, 3)]


def test_what_two_overlapping_chunks_share_is_taken_once() -> None:
    text = "First sentence here. Second sentence here. Third sentence here."
    border = text.index("Second")
    overlap_end = text.index("Third")
    hits = [
        a_hit(a_chunk(text[:overlap_end].strip(), name="a", start=100), rank=1),
        a_hit(a_chunk(text[border:], name="b", start=100 + border), rank=2),
    ]
    (passage,) = select_passages("sentence", hits, 500)
    assert passage.text.count("Second sentence here.") == 1
    assert [w.hit.chunk.id for w in passage.windows] == ["a", "b"]
    assert "Third sentence here." in passage.text


def test_chunks_that_touch_become_one_passage_and_distant_ones_do_not() -> None:
    near = [
        a_hit(a_chunk("Open the lid.", name="a", start=0), rank=2),
        a_hit(a_chunk("Fill the tank.", name="b", start=14), rank=1),
        a_hit(a_chunk("Close the door.", name="c", start=9000), rank=3),
    ]
    passages = select_passages("open fill close", near, 500)
    assert [[w.hit.chunk.id for w in p.windows] for p in passages] == [["a", "b"], ["c"]]
    assert passages[0].text == "Open the lid. Fill the tank."


def test_one_sentence_over_the_budget_is_still_given() -> None:
    passages = select_passages("steel", [a_hit(a_chunk("steel " * 60))], 20)
    assert len(passages) == 1


def test_no_hits_no_passages() -> None:
    assert select_passages("anything", [], 500) == ()


def test_a_row_from_inside_a_table_brings_the_tables_first_row() -> None:
    rows = [f"item {i} | {i * 10} | {i * 7}" for i in range(40)]
    text = "\n".join(["Part | Voltage (V) | Current (mA)", *rows, "pump | 24 | 350"])
    passages = select_passages("How much current does the pump draw?", [a_hit(a_chunk(text))], 100)
    shown = "".join(p.text for p in passages)
    assert "pump | 24 | 350" in shown
    assert "Part | Voltage (V) | Current (mA)" in shown


def test_source_names_the_manual_and_the_nearest_headings() -> None:
    hit = a_hit(a_chunk("Hold it.", headings=("Care", "Filter", "Reset")), manual="Pump P3")
    (passage,) = select_passages("hold", [hit], 200)
    assert passage.source == "Pump P3 > Filter > Reset"


def test_document_offsets_follow_the_chunks_place() -> None:
    window = Window(a_hit(a_chunk("abcdef", start=50)), 2, 4)
    assert (window.text, window.document_start, window.document_end) == ("cd", 52, 54)


def test_estimate_grows_with_text_in_both_languages() -> None:
    assert 8 <= estimate_tokens("The filter must be cleaned every month.") <= 14
    assert 5 <= estimate_tokens("滤网每月清洗一次。") <= 10


ROWS = "\n".join(f"P-{number}\tpart number {number} of the machine\t{number} V" for number in range(1, 60))


def test_a_row_far_down_in_a_table_comes_with_the_head_of_the_table() -> None:
    (passage,) = select_passages("What is P-44?", [a_hit(a_chunk(f"Code\tName\tVoltage\n{ROWS}"))], 120)
    assert "P-44\tpart number 44 of the machine\t44 V" in passage.text
    assert passage.text.count("Code\tName\tVoltage") == 1
    assert "P-1\t" not in passage.text


def test_a_chunk_that_continues_a_table_comes_with_its_head() -> None:
    chunk = replace(a_chunk(f"{ROWS}\n\nWarranty is two years."), table_header="Code\tName\tVoltage")
    (passage,) = select_passages("What is P-44?", [a_hit(chunk)], 120)
    assert "Code\tName\tVoltage" in passage.text
    (passage,) = select_passages("How long is the warranty?", [a_hit(chunk)], 30)
    assert "Voltage" not in passage.text
