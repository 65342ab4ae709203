"""In which languages a question is searched for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from app.catalogue.contents import Contents
from app.catalogue.records import KnowledgeBase, KnowledgeBaseSettings
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.generate.translate import Translator
from app.types import Fingerprint
from app.wordings import Wordings
from tests.fixtures.scripted_model import scripted_model

BASE = KnowledgeBase(
    "kb-1", "b", "kb-1-g1", Fingerprint("e@1", 4, 1000, 100, "t"), KnowledgeBaseSettings(), datetime.now(UTC)
)
ENGLISH, CHINESE = "The pump needs water.", "水泵需要水。"


class Sampled(Contents):
    """Contents of which only the sample matters."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def sample(self, index_id: str) -> list[str]:
        assert index_id == BASE.index_id
        return self.texts


@pytest.mark.parametrize(
    ("texts", "asked"),
    [
        ([CHINESE] * 9, 0),
        ([ENGLISH] * 9, 1),
        ([CHINESE] * 9 + [ENGLISH], 1),
        ([CHINESE] * 40 + [ENGLISH], 0),
        ([], 0),
    ],
    ids=["its own language", "the other", "both", "a title in the other", "nothing"],
)
def test_a_chinese_question_is_translated_where_manuals_are_english(texts: list[str], asked: int) -> None:
    async def run(base_url: str) -> str | None:
        model = OpenAICompatibleModel("m", FixedEndpoint(base_url), first_token_seconds=5, total_seconds=5)
        other = await Wordings(Translator(model, 5), Sampled(texts)).other(BASE, "水泵需要什么？")
        await model.close()
        return other

    with scripted_model("What does the pump need?") as server:
        assert asyncio.run(run(server.base_url)) == ("What does the pump need?" if asked else None)
        assert len(server.requests) == asked
