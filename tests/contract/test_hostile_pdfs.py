"""PDFs made to break their reader: each gives its text or a typed error, soon, in little memory, and leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.guarded_reading import Reading, read_guarded
from tests.fixtures.hostile_pdfs import HOSTILE_PDFS

CASES = [
    pytest.param(name, id=name, marks=[pytest.mark.campaign] if case.slow else [])
    for name, case in HOSTILE_PDFS.items()
]


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_pdf_is_text_or_a_typed_error(name: str, tmp_path: Path) -> None:
    case = HOSTILE_PDFS[name]
    reading = read_guarded(case.build(), tmp_path)
    assert not case.outcomes or any(_is(reading, outcome) for outcome in case.outcomes), reading


def test_most_are_read_in_every_run() -> None:
    assert sum(not case.slow for case in HOSTILE_PDFS.values()) >= 60


def _is(reading: Reading, outcome: object) -> bool:
    if isinstance(outcome, str):
        return reading.error is None and outcome in reading.text
    return type(reading.error) is outcome
