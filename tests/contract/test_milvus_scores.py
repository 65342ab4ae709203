"""BM25 by Milvus is the one of the embedded index: the formula's own scores, where tantivy rounds lengths a little.

What Milvus gets are words that stand for our tokens, so that part codes and Chinese words are found in both stores.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.retrieve.keyword import TantivyKeywordIndex
from app.retrieve.stores.milvus.keywords import MilvusKeywordIndex
from app.retrieve.stores.milvus.server import MilvusServer
from tests.contract.test_keyword_index_contract import an_entry
from tests.fixtures.bm25 import BASE, compare, random_corpus
from tests.fixtures.milvus_servers import MilvusLite

ROUNDING = 1e-4

TEXTS = [
    "Error E-04: paper jam in the HL-L2350DW",
    "Error E-40: no toner",
    "打印机卡纸时请打开后盖",
    "定影单元很热，请勿触摸",
    "Call rt_ota_init() before AT+WSCAN at 3.3V",
    "WebNet needs 3.8 V",
    "Größe des Papiers: A4",
]
QUESTIONS = [
    "E-04",
    "e04",
    "HL-L2350DW",
    "卡纸怎么办？",
    "定影单元",
    "rt_ota_init",
    "3.3V",
    "WebNet",
    "grosse",
    "how to",
]


@pytest.fixture
def index(milvus_lite: MilvusLite, tmp_path: Path) -> MilvusKeywordIndex:
    return MilvusKeywordIndex(MilvusServer(milvus_lite.config(tmp_path)))


def test_scores_are_those_of_the_formula(index: MilvusKeywordIndex) -> None:
    texts, questions = random_corpus(0)
    like = compare(index, texts[:200], questions[:20], ROUNDING)
    assert like.top == 1.0
    assert like.ten >= 0.99  # equal scores at the edge of the ten may fall either way
    assert like.worst <= ROUNDING


@pytest.mark.real_manuals
def test_scores_on_real_manuals(index: MilvusKeywordIndex, real_manuals: Path) -> None:
    labelled = real_manuals / "sets" / "manuals_gold"
    texts, questions = (
        [json.loads(line)[key] for line in (labelled / name).read_text("utf-8").splitlines()]
        for name, key in (("corpus.jsonl", "text"), ("qa.jsonl", "question"))
    )
    like = compare(index, [text[:1000] for text in texts], questions[::28], ROUNDING)
    assert like.top == 1.0
    assert like.ten >= 0.99  # Milvus makes a number of 32 bits of each word, so two of 30,000 may share one


def test_both_stores_find_the_same_codes_and_chinese_words(index: MilvusKeywordIndex, tmp_path: Path) -> None:
    embedded = TantivyKeywordIndex(tmp_path / "words")
    for one in (index, embedded):
        one.replace_document(BASE, "doc", [an_entry(f"c{i}", text) for i, text in enumerate(TEXTS)])
    for question in QUESTIONS:
        expected = embedded.search(BASE, question, 10)
        hits = index.search(BASE, question, 10)
        assert [chunk_id for chunk_id, _ in hits] == [chunk_id for chunk_id, _ in expected], question
        assert [score for _, score in hits] == pytest.approx([score for _, score in expected], rel=1e-4)
    assert index.search(BASE, "E-04", 10)[0][0] == "c0"
    index.close()
