"""The least cosine at which a passage may answer: what belongs to which embedder, and who passes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DEFAULT_THRESHOLDS: Mapping[str, float] = MappingProxyType({"multilingual-e5-small": 0.78})
"""By the embedder's name; another embedder's cosines live elsewhere, so one that is not here gets `NO_THRESHOLD`.

multilingual-e5-small: of 1,464 answerable questions (manuals, xquad, a phone manual, ohr) the best cosine of the worst
one is 0.795, and the right page of a manual has at least 0.79, so none is refused. It takes out only the hopeless: 2 of
16 questions about the weather, football and the like. Telling more apart by cosine costs right answers.
"""

NO_THRESHOLD = 0.0


def default_threshold(fingerprint: str) -> float:
    """The threshold of an embedder by its fingerprint (`name@revision`), for those who set none."""
    name = fingerprint.partition("@")[0].rstrip("/").rpartition("/")[2].casefold()
    return DEFAULT_THRESHOLDS.get(name, NO_THRESHOLD)


def passes(cosine: float, threshold: float) -> bool:
    """The one meaning of a threshold: the cosine of question and passage is not below it."""
    return cosine >= threshold
