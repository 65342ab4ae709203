"""What search goes by where nobody has set it: the threshold and the keyword weight of each known embedder."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from app.retrieve.fusion import KEYWORD_WEIGHT
from app.types import Tuning

DEFAULT_TUNINGS: Mapping[str, Tuning] = MappingProxyType(
    {"multilingual-e5-small": Tuning(threshold=0.78, keyword_weight=KEYWORD_WEIGHT)}
)
"""By the embedder's name; another embedder's cosines live elsewhere, so one that is not here gets `UNMEASURED`.

multilingual-e5-small: of 1,464 answerable questions (manuals, xquad, a phone manual, ohr) the best cosine of the worst
one is 0.795, and the right page of a manual has at least 0.79, so none is refused. It takes out only the hopeless: 2 of
16 questions about the weather, football and the like. Telling more apart by cosine costs right answers.
"""

UNMEASURED = Tuning(threshold=0.0, keyword_weight=KEYWORD_WEIGHT)


def default_tuning(fingerprint: str) -> Tuning:
    """Threshold and keyword weight of an embedder by its fingerprint (`name@revision`), for those who set none."""
    name = fingerprint.partition("@")[0].rstrip("/").rpartition("/")[2].casefold()
    return DEFAULT_TUNINGS.get(name, UNMEASURED)


def passes(cosine: float, threshold: float) -> bool:
    """The one meaning of a threshold: the cosine of question and passage is not below it."""
    return cosine >= threshold
