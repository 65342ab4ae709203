"""Fixtures that every kind of test shares."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("shared machine", deadline=None, derandomize=True)  # a busy core is no failure
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def real_manuals() -> Path:
    """The folder of real manuals and labelled questions beside the checkout; without it the test is left out."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not (folder / "pdf").is_dir():
        pytest.skip(f"left out: the real manuals are not beside the checkout ({folder})")
    return folder
