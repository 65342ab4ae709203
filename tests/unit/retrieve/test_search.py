"""Search over the real indexes and a catalogue of a few chunks; the embedder's vectors are chosen by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from app.ports import IndexEntry, Vectors
from app.retrieve.fusion import OWN_LEAST
from app.retrieve.keyword import TantivyKeywordIndex
from app.retrieve.search import REJECTED_SHOWN, Searcher
from app.retrieve.stores.chroma import ChromaVectorStore
from app.types import Chunk, SearchResult

BASE, INDEX = "kb-1", "kb-1-g1"


class PlainEmbedder:
    """Knows the vector of each text it may be asked for; of any other it makes one that is like no other."""

    fingerprint = "plain@1"
    dimensions = 4
    max_tokens = 512

    def __init__(self, vectors: Mapping[str, Sequence[float]]) -> None:
        self._vectors = vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        rows = np.array([self._vectors.get(text, (0, 0, 0, 1)) for text in texts], np.float32).reshape(-1, 4)
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    embed_passages = embed_queries


class Catalogue:
    """The chunks of one knowledge base, some of them hidden."""

    def __init__(self) -> None:
        self.chunks: dict[str, Chunk] = {}
        self.hidden: set[str] = set()
        self.index = INDEX

    def visible_chunks(
        self, knowledge_base_id: str, index_id: str, chunk_ids: Sequence[str]
    ) -> dict[str, tuple[Chunk, str]]:
        if (knowledge_base_id, index_id) != (BASE, self.index):
            return {}
        return {
            id_: (self.chunks[id_], "Manual.pdf") for id_ in chunk_ids if id_ in self.chunks and id_ not in self.hidden
        }


class House:
    """A searcher and what it searches."""

    def __init__(self, root: Path, vectors: Mapping[str, Sequence[float]], candidates: int = 5) -> None:
        self.catalogue = Catalogue()
        self.embedder = PlainEmbedder(vectors)
        self.vectors = ChromaVectorStore(root / "vectors")
        self.keywords = TantivyKeywordIndex(root / "keywords")
        self.searcher = Searcher(self.vectors, self.keywords, self.catalogue, candidates)

    def search(self, question: str, limit: int, threshold: float, base: str = BASE, index: str = INDEX) -> SearchResult:
        return self.searcher.search(self.embedder, base, index, question, limit, threshold)

    def add(self, *texts: str) -> None:
        start = len(self.catalogue.chunks)
        document = f"d{start}"
        chunks = [Chunk(f"c{start + i:03d}", document, i, text, 0, ((0, 1),)) for i, text in enumerate(texts)]
        self.catalogue.chunks.update({chunk.id: chunk for chunk in chunks})
        self.vectors.upsert(INDEX, [chunk.id for chunk in chunks], self.embedder.embed_passages(texts))
        self.keywords.replace_document(INDEX, document, [IndexEntry(c.id, document, c.text) for c in chunks])


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(
        tmp_path,
        {
            "Where does paper jam?": (1, 0, 0, 0),
            "Open the rear cover and pull the sheet out.": (0.9, 0.436, 0, 0),
            "Paper jam in the rear: error E-04.": (0.8, 0.6, 0, 0),
            "The tray takes 250 sheets of paper and no more than ten envelopes.": (0.6, 0.8, 0, 0),
            "Setting the clock.": (0.1, 0, 0.995, 0),
        },
    )
    house.add(
        "Open the rear cover and pull the sheet out.",
        "Paper jam in the rear: error E-04.",
        "The tray takes 250 sheets of paper and no more than ten envelopes.",
        "Setting the clock.",
    )
    return house


def test_every_hit_tells_why_it_stands_where_it_stands(house: House) -> None:
    result = house.search("Where does paper jam?", limit=8, threshold=0.0)
    jam, rear, tray, clock = result.hits
    assert [hit.chunk.id for hit in result.hits] == ["c001", "c000", "c002", "c003"]
    assert [hit.scores.rank for hit in result.hits] == [1, 2, 3, 4]
    assert (jam.scores.bm25_rank, jam.scores.vector_rank) == (1, 2)
    assert (rear.scores.bm25, rear.scores.bm25_rank, rear.scores.vector_rank) == (None, None, 1)
    assert tray.scores.bm25_rank == 2
    assert jam.scores.bm25 is not None
    assert jam.scores.bm25 > (tray.scores.bm25 or 0)
    assert [hit.scores.cosine for hit in (jam, rear, tray, clock)] == pytest.approx([0.8, 0.9, 0.6, 0.1], abs=1e-3)
    assert jam.scores.fused > rear.scores.fused > tray.scores.fused > clock.scores.fused
    assert {hit.document_name for hit in result.hits} == {"Manual.pdf"}
    assert result.seconds > 0


def test_threshold_is_about_the_cosine_and_nothing_else(house: House) -> None:
    result = house.search("Where does paper jam?", limit=8, threshold=0.85)
    assert [hit.chunk.id for hit in result.hits] == ["c000"]
    assert [hit.chunk.id for hit in result.rejected] == ["c001", "c002", "c003"]
    assert [hit.scores.passed for hit in (*result.hits, *result.rejected)] == [True, False, False, False]
    assert result.threshold == 0.85


def test_nothing_passes_and_the_nearest_are_shown(house: House) -> None:
    house.add("Another clock.", "And one more clock.")
    result = house.search("Where does paper jam?", limit=8, threshold=0.95)
    assert result.hits == ()
    assert [hit.chunk.id for hit in result.rejected] == ["c000", "c001", "c002"]
    assert len(result.rejected) == REJECTED_SHOWN


def test_limit(house: House) -> None:
    result = house.search("Where does paper jam?", limit=2, threshold=0.0)
    assert [hit.chunk.id for hit in result.hits] == ["c001", "c000"]
    assert result.rejected == ()


def test_hidden_chunks_do_not_appear_at_once(house: House) -> None:
    house.catalogue.hidden = {"c001"}
    result = house.search("Where does paper jam?", limit=8, threshold=0.85)
    assert "c001" not in {hit.chunk.id for hit in (*result.hits, *result.rejected)}


def test_hidden_chunks_do_not_crowd_out_the_visible(tmp_path: Path) -> None:
    house = House(tmp_path, {}, candidates=5)
    house.add(*[f"paper jam {i}" for i in range(30)])
    house.catalogue.hidden = {f"c{i:03d}" for i in range(27)}
    result = house.search("paper jam", limit=3, threshold=-1)
    assert {hit.chunk.id for hit in result.hits} == {"c027", "c028", "c029"}


def test_another_knowledge_base_sees_nothing(house: House) -> None:
    assert house.search("Where does paper jam?", 8, -1, base="kb-2").hits == ()
    assert house.search("Where does paper jam?", 8, -1, index="kb-2-g1").hits == ()


def test_a_generation_is_searched_alone_with_the_embedder_that_built_it(house: House) -> None:
    text, newer = "Paper jam in the rear: error E-04.", PlainEmbedder({})
    house.vectors.upsert("kb-1-g2", ["c101"], newer.embed_passages([text]))
    house.keywords.replace_document("kb-1-g2", "d0", [IndexEntry("c101", "d0", text)])
    house.catalogue.chunks["c101"] = Chunk("c101", "d0", 0, text, 0, ((0, 1),))
    assert "c101" not in {hit.chunk.id for hit in house.search("Where does paper jam?", 8, -1).hits}
    result = house.searcher.search(newer, BASE, "kb-1-g2", "Where does paper jam?", 8, -1)
    assert result.hits == ()  # the catalogue of this test shows the first generation only
    house.catalogue.index = "kb-1-g2"
    [hit] = house.searcher.search(newer, BASE, "kb-1-g2", "Where does paper jam?", 8, -1).hits
    assert (hit.chunk.id, hit.scores.cosine) == ("c101", pytest.approx(1.0, abs=1e-5))


@pytest.mark.parametrize("question", ["", "？", "如何", "\x00 OR *"])
def test_any_question_is_taken(house: House, question: str) -> None:
    assert len(house.search(question, limit=8, threshold=-1).hits) == 4


def test_a_chunk_without_a_vector_is_left_out(house: House) -> None:
    house.vectors.delete(INDEX, ["c001"])
    result = house.search("Where does paper jam?", limit=8, threshold=-1)
    assert {hit.chunk.id for hit in result.hits} == {"c000", "c002", "c003"}


def test_a_second_wording_finds_what_only_its_words_and_vector_reach(tmp_path: Path) -> None:
    vectors = {"水压是多少？": (1, 0, 0, 0), "What is the water pressure?": (0, 1, 0, 0), "泵": (0.5, 0, 0, 1)}
    house = House(tmp_path, {**vectors, "The water pressure is 2 bar.": (0, 1, 0, 0)})
    house.add("泵", "The water pressure is 2 bar.")
    alone = house.searcher.search(house.embedder, BASE, INDEX, "水压是多少？", 2, -1.0)
    both = house.searcher.search(
        house.embedder, BASE, INDEX, "水压是多少？", 2, -1.0, also=("What is the water pressure?",)
    )
    assert alone.hits[0].chunk.text == "泵"
    assert both.hits[0].chunk.text == "The water pressure is 2 bar."
    assert both.hits[0].scores.cosine == pytest.approx(1 - OWN_LEAST, abs=1e-3), "the weighted mean of both wordings"
    assert (both.hits[0].scores.bm25_rank, both.hits[0].scores.vector_rank) == (1, 1)
    assert both.also == ("What is the water pressure?",)
