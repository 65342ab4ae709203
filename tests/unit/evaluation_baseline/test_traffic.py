"""What the bench of many users computes, and what its model server says."""

from __future__ import annotations

import math

import pytest

from eval.bench.traffic import percentile
from eval.traffic.endpoint import reply_to


@pytest.mark.parametrize(("share", "found"), [(0.5, 0.01), (0.9, 0.01), (0.91, 0.05), (0.99, 0.05), (0.999, math.inf)])
def test_a_percentile_is_the_upper_end_of_its_bucket(share: float, found: float) -> None:
    assert percentile({0.005: 10, 0.01: 900, 0.05: 990, math.inf: 1000}, share) == found


def test_without_values_there_is_no_percentile() -> None:
    assert percentile({0.005: 0, math.inf: 0}, 0.5) is None


def test_the_model_server_quotes_the_sentence_with_the_questions_code() -> None:
    prompt = "E-1 means that valve 3 is shut. E-12 means that valve 7 does not close.\nWhat does the code E-12 mean?"
    said = "".join(reply_to({"messages": [{"role": "user", "content": prompt}]}))
    sentence = "E-12 means that valve 7 does not close."
    assert said == f"Quote: {sentence}\nAnswer: {sentence}"
