"""The threshold: which is whose, and what it means."""

import pytest

from app.retrieve.threshold import DEFAULT_TUNINGS, UNMEASURED, default_tuning, passes


def test_the_default_belongs_to_the_embedder() -> None:
    expected = DEFAULT_TUNINGS["multilingual-e5-small"]
    assert default_tuning("multilingual-e5-small@0.3.0") == expected
    assert default_tuning("intfloat/Multilingual-E5-small@main") == expected


def test_every_default_says_threshold_and_keyword_weight() -> None:
    for tuning in (*DEFAULT_TUNINGS.values(), UNMEASURED):
        assert tuning.threshold is not None
        assert tuning.keyword_weight is not None


@pytest.mark.parametrize("fingerprint", ["someone/unknown@1", "text-embedding-3-small@endpoint", "", "@"])
def test_an_embedder_nobody_measured_has_none(fingerprint: str) -> None:
    assert default_tuning(fingerprint) == UNMEASURED


def test_not_below_is_passed() -> None:
    assert passes(0.80, 0.80)
    assert passes(0.81, 0.80)
    assert not passes(0.79, 0.80)
