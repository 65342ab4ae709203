"""Who answers a question: the served model alone, or with an adapter, as the asker or the knowledge base says."""

from __future__ import annotations

import threading
import time
from typing import Final

from app.catalogue.adapters import Adapter, AdapterRows
from app.catalogue.promotions import WHOLE, Promotions
from app.errors import AdapterNotHosted, AdapterRetired
from app.generate.answer import Author

BASE: Final = "base"
"""What an asker writes in place of an adapter's id who wants the model alone."""

_USED_SECONDS = 30.0
"""How often at most a use of an adapter is written down; which was used least is told by it."""


def author_name(model: str, adapter_id: str | None) -> str:
    """One name for a model and what it writes with; what was measured with one author holds for no other."""
    return model if adapter_id is None else f"{model}+{adapter_id}"


class Authors:
    """Safe to share between requests."""

    def __init__(self, adapters: AdapterRows, promotions: Promotions) -> None:
        self._adapters = adapters
        self._promotions = promotions
        self._noted: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, adapter: str | None) -> None:
        """Raises `AdapterNotFound`, `AdapterRetired`, and `AdapterNotHosted` where nobody wants it hosted."""
        if adapter is not None and adapter != BASE:
            self._chosen(adapter)

    def of(self, knowledge_base_id: str, adapter: str | None, text: str, asker: str) -> Author:
        """The author of an answer; `adapter` None leaves the choice to the knowledge base's promotion.

        Raises as `check`; an adapter that was promoted and is not there any more is no error, but the model alone.
        """
        if adapter == BASE:
            return Author()
        if adapter is not None:
            chosen = self._chosen(adapter)
            self._note(chosen.id)
            return _author(chosen, None)
        promotion = self._promotions.present(knowledge_base_id)
        if promotion is None or not promotion.adapters():
            return Author()
        picked = promotion.pick(text, asker)
        found = None if picked is None else self._adapters.find(picked)
        if found is None or found.retired:
            return Author(promotion=promotion.id if picked is None else None)
        self._note(found.id)
        return _author(found, promotion.id)

    def present(self, knowledge_base_id: str) -> str | None:
        """The adapter that answers a knowledge base's questions, None for the model alone.

        While a promotion has a share, it is what answers the rest: what is on trial is not the standard yet.
        """
        promotion = self._promotions.present(knowledge_base_id)
        if promotion is None:
            return None
        return promotion.adapter_id if promotion.share >= WHOLE else promotion.previous_id

    def _chosen(self, adapter_id: str) -> Adapter:
        adapter = self._adapters.get(adapter_id)
        if adapter.retired:
            raise AdapterRetired(ref=adapter_id)
        if not adapter.hosted:
            raise AdapterNotHosted(ref=adapter_id)
        return adapter

    def _note(self, adapter_id: str) -> None:
        with self._lock:
            if time.monotonic() - self._noted.get(adapter_id, -_USED_SECONDS) < _USED_SECONDS:
                return
            self._noted[adapter_id] = time.monotonic()
        self._adapters.used([adapter_id])


def _author(adapter: Adapter, promotion_id: str | None) -> Author:
    return Author(adapter.id, adapter.prompt, adapter.context_tokens, promotion_id)
