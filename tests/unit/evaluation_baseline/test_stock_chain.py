"""The stock pipeline with LangChain's real classes, in the environment made for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.models.store import ModelStore
from app.settings import load_settings
from eval.baselines.environment import stock_python
from eval.baselines.stock import StockPipeline
from eval.question_sets import LabelledQuestion
from tests.fixtures.pdfs import a_pdf

pytestmark = [pytest.mark.campaign, pytest.mark.weights]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment, found again by a second call and made anew where it was left half made."""
    cache = tmp_path_factory.mktemp("cache")
    made = stock_python(cache)
    before = made.parent.stat().st_ino
    assert stock_python(cache) == made
    assert made.parent.stat().st_ino == before
    (made.parents[1] / "whole").unlink()
    made.unlink()
    assert stock_python(cache) == made
    assert made.exists()
    return made


def test_it_finds_the_page_and_uses_its_index_again(python: Path, tmp_path: Path) -> None:
    pump, oven = tmp_path / "pump.pdf", tmp_path / "oven.pdf"
    pump.write_bytes(a_pdf(("Contents of this manual", "The pump starts after ten seconds.", "Warranty: two years.")))
    oven.write_bytes(a_pdf(("The oven beeps twice when it is hot.",)))
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 nothing")
    weights = ModelStore.from_settings(load_settings()).resolve("all-minilm-l6-v2")
    pipeline = StockPipeline(python, weights.path, weights.revision, (broken, oven, pump), tmp_path / "work")
    questions = [
        LabelledQuestion.model_validate({"id": words, "question": words})
        for words in ("After how many seconds does the pump start?", "How often does the oven beep?")
    ]
    first = pipeline.run("x", questions[:1], None)
    assert first.records[0].found[0].pages() == [("pump.pdf", 2)]
    index = pipeline.folder / "index" / "chunks.json"
    filled = index.stat().st_mtime_ns
    second = pipeline.run("x", questions, None)
    assert second.records[1].found[0].pages() == [("oven.pdf", 1)]
    assert index.stat().st_mtime_ns == filled
    assert second.records[0].found == first.records[0].found
