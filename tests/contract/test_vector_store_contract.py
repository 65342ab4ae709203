"""The law of port `VectorStore`; an implementation proves itself by inheriting `VectorStoreContract`."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from app.errors import IndexUnavailable
from app.ports import Vectors, VectorStore
from app.retrieve.stores.chroma import ChromaVectorStore
from app.retrieve.stores.milvus.server import MilvusServer
from app.retrieve.stores.milvus.vectors import MilvusVectorStore
from tests.fixtures.milvus_servers import MilvusLite

BASE = "kb-one-g1"
DIMENSIONS = 48


def unit_vectors(count: int, seed: int = 1) -> Vectors:
    """Rows of length 1 that lie as close together as an embedder's (cosines about 0.8)."""
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)) + 2
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def names(count: int) -> list[str]:
    return [f"c{i:05d}" for i in range(count)]


class VectorStoreContract:
    def open(self, root: Path) -> VectorStore:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[VectorStore]:
        store = self.open(tmp_path)
        yield store
        store.close()

    def test_a_missing_index_is_empty(self, store: VectorStore) -> None:
        vector = unit_vectors(1)[0]
        assert store.search(BASE, vector, 5) == []
        assert store.cosines(BASE, ["c1"], vector) == {}
        assert store.vectors(BASE, ["c1"])[0] == []
        assert store.ids(BASE) == set()
        store.delete(BASE, ["c1"])
        store.drop(BASE)
        assert store.indexes() == set()

    def test_search_gives_exact_cosines_best_first(self, store: VectorStore) -> None:
        vectors = unit_vectors(200)
        store.upsert(BASE, names(200), vectors)
        question = unit_vectors(1, seed=2)[0]
        expected = vectors @ question
        hits = store.search(BASE, question, 20)
        assert [chunk_id for chunk_id, _ in hits] == [names(200)[i] for i in np.argsort(-expected)[:20]]
        assert [cosine for _, cosine in hits] == pytest.approx(np.sort(expected)[::-1][:20].tolist(), abs=1e-5)

    def test_equal_cosines_come_in_order_of_id(self, store: VectorStore) -> None:
        store.upsert(BASE, ["c3", "c1", "c2"], np.repeat(unit_vectors(1), 3, axis=0))
        assert [chunk_id for chunk_id, _ in store.search(BASE, unit_vectors(1)[0], 5)] == ["c1", "c2", "c3"]

    def test_cosines_are_exact_for_those_that_are_there(self, store: VectorStore) -> None:
        vectors = unit_vectors(150)
        store.upsert(BASE, names(150), vectors)
        question = unit_vectors(1, seed=3)[0]
        got = store.cosines(BASE, [*names(150)[5:90], "absent", "c00005"], question)
        assert got == pytest.approx(
            dict(zip(names(150)[5:90], (vectors @ question)[5:90].tolist(), strict=True)), abs=1e-5
        )
        assert store.cosines(BASE, [], question) == {}
        assert store.cosines(BASE, ["absent"], question) == {}

    def test_vectors_come_back_as_they_were_written(self, store: VectorStore) -> None:
        vectors = unit_vectors(150)
        store.upsert(BASE, names(150), vectors)
        asked = [*reversed(names(150)), "absent", "c00005"]
        ids, back = store.vectors(BASE, asked)
        assert ids == list(reversed(names(150)))
        assert back.dtype == np.float32
        assert np.abs(back - vectors[::-1]).max() < 1e-4
        assert store.vectors(BASE, [])[0] == []

    def test_upsert_replaces(self, store: VectorStore) -> None:
        old, new = unit_vectors(2)
        store.upsert(BASE, ["c1"], old[None])
        store.upsert(BASE, ["c1"], new[None])
        assert store.ids(BASE) == {"c1"}
        assert store.cosines(BASE, ["c1"], new)["c1"] == pytest.approx(1.0, abs=1e-5)
        assert [cosine for _, cosine in store.search(BASE, new, 5)] == pytest.approx([1.0], abs=1e-5)

    def test_nothing_to_write_is_fine(self, store: VectorStore) -> None:
        store.upsert(BASE, [], np.zeros((0, DIMENSIONS), np.float32))
        store.delete(BASE, [])
        assert store.ids(BASE) == set()

    def test_limits(self, store: VectorStore) -> None:
        store.upsert(BASE, names(10), unit_vectors(10))
        assert len(store.search(BASE, unit_vectors(1)[0], 4)) == 4
        assert len(store.search(BASE, unit_vectors(1)[0], 50)) == 10
        assert store.search(BASE, unit_vectors(1)[0], 0) == []

    def test_deleted_is_gone_and_absent_ids_do_nothing(self, store: VectorStore) -> None:
        store.upsert(BASE, names(100), unit_vectors(100))
        store.delete(BASE, [*names(100)[:97], "absent"])
        assert store.ids(BASE) == set(names(100)[97:])
        assert len(store.search(BASE, unit_vectors(1)[0], 50)) == 3
        store.delete(BASE, names(100))
        assert store.search(BASE, unit_vectors(1)[0], 50) == []

    def test_indexes_do_not_see_each_other(self, store: VectorStore) -> None:
        store.upsert(BASE, ["c1"], unit_vectors(1))
        store.upsert("kb-two-g1", ["e1"], unit_vectors(1))
        assert store.ids(BASE) == {"c1"}
        store.drop(BASE)
        assert store.ids(BASE) == set()
        assert store.search("kb-two-g1", unit_vectors(1)[0], 5)[0][0] == "e1"

    def test_it_names_the_indexes_there_are(self, store: VectorStore, tmp_path: Path) -> None:
        store.upsert(BASE, ["c1"], unit_vectors(1))
        store.upsert("kb-two-g1", ["e1"], unit_vectors(1))
        assert store.indexes() == {BASE, "kb-two-g1"}
        store.drop(BASE)
        assert store.indexes() == {"kb-two-g1"}
        store.close()
        again = self.open(tmp_path)
        assert again.indexes() == {"kb-two-g1"}
        again.close()

    def test_a_dropped_index_may_have_other_dimensions(self, store: VectorStore) -> None:
        store.upsert(BASE, ["c1"], unit_vectors(1))
        store.drop(BASE)
        store.upsert(BASE, ["c1"], np.eye(8, dtype=np.float32)[:1])
        [(chunk_id, cosine)] = store.search(BASE, np.eye(8, dtype=np.float32)[0], 5)
        assert chunk_id == "c1"
        assert cosine == pytest.approx(1.0, abs=1e-5)

    def test_wrong_dimensions_are_a_typed_error(self, store: VectorStore) -> None:
        store.upsert(BASE, ["c1"], unit_vectors(1))
        with pytest.raises(IndexUnavailable):
            store.upsert(BASE, ["c2"], np.eye(8, dtype=np.float32)[:1])
        with pytest.raises(IndexUnavailable):
            store.search(BASE, np.eye(8, dtype=np.float32)[0], 5)

    def test_what_was_written_is_there_after_opening_again(self, store: VectorStore, tmp_path: Path) -> None:
        store.upsert(BASE, names(70), unit_vectors(70))
        store.close()
        again = self.open(tmp_path)
        assert again.ids(BASE) == set(names(70))
        assert again.search(BASE, unit_vectors(70)[33], 1)[0][0] == "c00033"
        again.close()

    @pytest.mark.parametrize("name", ["../up", "a/b", "", "A b", "手册", "x" * 200])
    def test_only_ids_of_ours_name_an_index(self, store: VectorStore, name: str) -> None:
        with pytest.raises(ValueError, match="index id"):
            store.upsert(name, ["c1"], unit_vectors(1))
        with pytest.raises(ValueError, match="index id"):
            store.search(name, unit_vectors(1)[0], 5)
        with pytest.raises(ValueError, match="index id"):
            store.drop(name)

    def test_recall_stays_after_deletes_and_returns(self, store: VectorStore) -> None:
        count, vectors, ids = 1500, unit_vectors(1500), names(1500)
        store.upsert(BASE, ids, vectors)
        store.delete(BASE, ids[: count // 2])
        store.upsert(BASE, ids[: count // 3], vectors[: count // 3])
        alive = np.array([*range(count // 3), *range(count // 2, count)])
        found = 0
        for question in unit_vectors(20, seed=4):
            best = {ids[i] for i in alive[np.argsort(-(vectors[alive] @ question))[:50]]}
            found += len(best & {chunk_id for chunk_id, _ in store.search(BASE, question, 50)})
        assert found / 1000 >= 0.99

    def test_writers_and_readers_side_by_side(self, store: VectorStore) -> None:
        vectors, ids = unit_vectors(600), names(600)

        def write(start: int) -> None:
            store.upsert(BASE, ids[start : start + 50], vectors[start : start + 50])

        with ThreadPoolExecutor(6) as pool:
            writes = [pool.submit(write, start) for start in range(0, 600, 50)]
            reads = [pool.submit(store.search, BASE, vectors[i], 5) for i in range(40)]
            for task in writes:
                task.result()
            assert all(cosine <= 1.0001 for read in reads for _, cosine in read.result())
        assert store.ids(BASE) == set(ids)


class TestChroma(VectorStoreContract):
    def open(self, root: Path) -> VectorStore:
        return ChromaVectorStore(root / "vectors")

    def test_a_damaged_database_is_a_typed_error(self, tmp_path: Path) -> None:
        store = self.open(tmp_path)
        store.upsert(BASE, names(70), unit_vectors(70))
        store.close()
        database = tmp_path / "vectors" / "chroma.sqlite3"
        database.write_bytes(b"not a database" * 1000)
        with pytest.raises(IndexUnavailable):
            self.open(tmp_path).search(BASE, unit_vectors(1)[0], 5)

    def test_a_folder_that_cannot_be_made_is_a_typed_error(self, tmp_path: Path) -> None:
        (tmp_path / "vectors").write_text("a file where the folder should be")
        with pytest.raises(IndexUnavailable):
            self.open(tmp_path)

    def test_indexes_that_were_put_away_are_read_and_those_that_were_dropped_stay_open_for_a_while_only(
        self, tmp_path: Path
    ) -> None:
        before = psutil.Process().num_fds()
        store = ChromaVectorStore(tmp_path / "vectors", open_indexes=8)
        indexes = [f"kb-{number:03d}-g1" for number in range(100)]
        vectors = {index: unit_vectors(12, seed) for seed, index in enumerate(indexes)}
        for index, rows in vectors.items():
            store.upsert(index, names(12), rows)
        for index in indexes[70:]:
            store.drop(index)
        for index in indexes[:70]:
            assert store.search(index, vectors[index][7], 1)[0][0] == names(12)[7]
        for index in indexes[:70]:
            assert store.ids(index) == set(names(12))
        for index in indexes[:70]:
            assert store.cosines(index, names(12), vectors[index][3])[names(12)[3]] == pytest.approx(1, abs=1e-5)
        for index in indexes[:70]:
            ids, rows = store.vectors(index, names(12))
            assert ids == names(12)
            assert np.allclose(rows, vectors[index], atol=1e-6)
        assert psutil.Process().num_fds() - before < 75 * 4  # Chroma keeps some fifty, however few it is told to keep
        store.close()

    def test_a_killed_writer_loses_nothing_it_acknowledged(self, tmp_path: Path) -> None:
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITES_UNTIL_KILLED, str(tmp_path / "vectors"), BASE, str(DIMENSIONS)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(5)]
        writer.kill()
        acknowledged += [int(line) for line in writer.stdout.read().split()]
        writer.stdout.close()
        writer.wait()
        store = self.open(tmp_path)
        expected = {f"c{i}.{k}" for i in acknowledged for k in range(64)}
        assert expected <= store.ids(BASE)
        question = np.eye(DIMENSIONS, dtype=np.float32)[0]
        assert expected <= store.cosines(BASE, sorted(expected), question).keys()
        assert len(store.search(BASE, question, 50)) == 50
        store.close()


class TestMilvusLite(VectorStoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, milvus_lite: MilvusLite) -> None:
        self.server = milvus_lite

    def open(self, root: Path) -> VectorStore:
        return MilvusVectorStore(MilvusServer(self.server.config(root)))


_WRITES_UNTIL_KILLED = """
import sys
from pathlib import Path
import numpy as np
from app.retrieve.stores.chroma import ChromaVectorStore
store = ChromaVectorStore(Path(sys.argv[1]))
rows = np.random.default_rng(5).normal(size=(64, int(sys.argv[3]))).astype(np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
for i in range(10_000):
    store.upsert(sys.argv[2], [f"c{i}.{k}" for k in range(64)], rows)
    print(i, flush=True)
"""
