"""The wordings of a question: as it was asked, and in the other language where the manuals speak that one too."""

from __future__ import annotations

from collections import Counter, OrderedDict

from anyio import to_thread

from app.catalogue.contents import Contents
from app.catalogue.records import KnowledgeBase
from app.generate.translate import Translator
from app.text.language import detect_language
from app.types import Language

_LEAST_SHARE = 0.05
"""Of the sampled passages; below it the other language is that of a title or an example."""

_KEPT = 256


class Wordings:
    """Knows in which languages the manuals of a knowledge base are written, and has questions translated."""

    def __init__(self, translator: Translator, contents: Contents) -> None:
        self._translator = translator
        self._contents = contents
        self._languages: OrderedDict[tuple[object, ...], frozenset[Language]] = OrderedDict()

    async def other(self, base: KnowledgeBase, question: str) -> str | None:
        """The question in the other language; None where no manual needs it or the model cannot translate now."""
        asked = detect_language(question)
        wanted: Language = "en" if asked == "zh" else "zh"
        languages = self._languages.get(_state(base))
        if languages is None:
            languages = await to_thread.run_sync(self._languages_of, base)
        if wanted not in languages:
            return None
        return await self._translator.translated(question, wanted)

    def _languages_of(self, base: KnowledgeBase) -> frozenset[Language]:
        counts = Counter(detect_language(text) for text in self._contents.sample(base.index_id))
        least = _LEAST_SHARE * counts.total()
        found = frozenset(language for language, count in counts.items() if count >= least)
        self._languages[_state(base)] = found
        if len(self._languages) > _KEPT:
            self._languages.popitem(last=False)
        return found


def _state(base: KnowledgeBase) -> tuple[object, ...]:
    """The same as long as a knowledge base has the same documents."""
    return base.index_id, base.ready, base.last_ready_at
