"""Every refusal has its words in both languages."""

from __future__ import annotations

from typing import get_args

import pytest

from app.generate.wording import refusal_text
from app.types import Language, RefusalReason


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_every_reason_has_its_own_words_in_every_language(reason: RefusalReason) -> None:
    texts = {refusal_text(reason, language) for language in get_args(Language)}
    assert len(texts) == len(get_args(Language))
    others = {refusal_text(r, language) for r in RefusalReason if r != reason for language in get_args(Language)}
    assert not texts & others
