"""The threshold: which is whose, and what it means."""

import pytest

from app.retrieve.threshold import DEFAULT_THRESHOLDS, NO_THRESHOLD, default_threshold, passes


def test_the_default_belongs_to_the_embedder() -> None:
    expected = DEFAULT_THRESHOLDS["multilingual-e5-small"]
    assert default_threshold("multilingual-e5-small@0.3.0") == expected
    assert default_threshold("intfloat/Multilingual-E5-small@main") == expected


@pytest.mark.parametrize("fingerprint", ["someone/unknown@1", "text-embedding-3-small@endpoint", "", "@"])
def test_an_embedder_nobody_measured_has_none(fingerprint: str) -> None:
    assert default_threshold(fingerprint) == NO_THRESHOLD


def test_not_below_is_passed() -> None:
    assert passes(0.80, 0.80)
    assert passes(0.81, 0.80)
    assert not passes(0.79, 0.80)
