"""The law of port `KeywordIndex`; an implementation proves itself by inheriting `KeywordIndexContract`."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import IndexUnavailable
from app.ports import IndexEntry, KeywordIndex
from app.retrieve.keyword import TantivyKeywordIndex
from app.retrieve.stores.milvus.keywords import MilvusKeywordIndex
from app.retrieve.stores.milvus.server import MilvusServer
from tests.fixtures.milvus_servers import MilvusLite

BASE = "kb-one-g1"


def an_entry(chunk_id: str, text: str, document_id: str = "doc") -> IndexEntry:
    return IndexEntry(chunk_id=chunk_id, document_id=document_id, text=text)


def found(index: KeywordIndex, question: str, index_id: str = BASE) -> list[str]:
    return [chunk_id for chunk_id, _ in index.search(index_id, question, 10)]


class KeywordIndexContract:
    def open(self, root: Path) -> KeywordIndex:
        raise NotImplementedError

    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[KeywordIndex]:
        index = self.open(tmp_path)
        yield index
        index.close()

    def test_a_missing_index_is_empty(self, index: KeywordIndex) -> None:
        assert index.search(BASE, "printer", 5) == []
        assert index.ids(BASE) == set()
        index.delete_document(BASE, "doc")
        index.delete(BASE, ["c1"])
        index.drop(BASE)
        assert index.indexes() == set()

    def test_best_first_with_scores(self, index: KeywordIndex) -> None:
        index.replace_document(
            BASE,
            "doc",
            [
                an_entry("c1", "The fuser gets hot."),
                an_entry("c2", "Replace the toner: toner, toner and the drum."),
                an_entry("c3", "Toner is sold in boxes of four together with many other things of no interest here."),
            ],
        )
        hits = index.search(BASE, "Where is the toner?", 10)
        assert [chunk_id for chunk_id, _ in hits] == ["c2", "c3"]
        assert hits[0][1] > hits[1][1] > 0

    def test_equal_scores_come_in_order_of_id_also_where_the_limit_cuts(self, index: KeywordIndex) -> None:
        index.replace_document(BASE, "doc", [an_entry(f"c{i:03d}", "same words") for i in reversed(range(150))])
        assert [chunk_id for chunk_id, _ in index.search(BASE, "words", 40)] == [f"c{i:03d}" for i in range(40)]

    def test_limit(self, index: KeywordIndex) -> None:
        index.replace_document(BASE, "doc", [an_entry(f"c{i}", "same words") for i in range(9)])
        assert len(index.search(BASE, "words", 4)) == 4
        assert index.search(BASE, "words", 0) == []

    def test_replacing_leaves_nothing_of_the_old(self, index: KeywordIndex) -> None:
        index.replace_document(BASE, "doc", [an_entry("c1", "alpha"), an_entry("c2", "beta")])
        index.replace_document(BASE, "other", [an_entry("d1", "alpha", "other")])
        index.replace_document(BASE, "doc", [an_entry("c2", "gamma")])
        assert index.ids(BASE) == {"c2", "d1"}
        assert found(index, "alpha") == ["d1"]
        assert found(index, "beta") == []
        assert found(index, "gamma") == ["c2"]

    def test_replacing_twice_is_once(self, index: KeywordIndex) -> None:
        for _ in range(2):
            index.replace_document(BASE, "doc", [an_entry("c1", "alpha")])
        assert index.search(BASE, "alpha", 10) == index.search(BASE, "alpha", 10)
        assert found(index, "alpha") == ["c1"]

    def test_delete_takes_one_document(self, index: KeywordIndex) -> None:
        index.replace_document(BASE, "doc", [an_entry("c1", "alpha")])
        index.replace_document(BASE, "other", [an_entry("d1", "alpha", "other")])
        index.delete_document(BASE, "doc")
        assert index.ids(BASE) == {"d1"}
        index.delete_document(BASE, "doc")
        index.delete_document(BASE, "never there")
        assert found(index, "alpha") == ["d1"]

    def test_indexes_do_not_see_each_other(self, index: KeywordIndex) -> None:
        index.replace_document(BASE, "doc", [an_entry("c1", "alpha")])
        index.replace_document("kb-two-g1", "doc", [an_entry("e1", "alpha")])
        assert found(index, "alpha") == ["c1"]
        index.drop(BASE)
        assert found(index, "alpha") == []
        assert found(index, "alpha", "kb-two-g1") == ["e1"]

    def test_it_names_the_indexes_there_are(self, index: KeywordIndex, tmp_path: Path) -> None:
        index.replace_document(BASE, "doc", [an_entry("c1", "alpha")])
        index.replace_document("kb-two-g1", "doc", [an_entry("e1", "alpha")])
        assert index.indexes() == {BASE, "kb-two-g1"}
        index.drop(BASE)
        assert index.indexes() == {"kb-two-g1"}
        index.close()
        again = self.open(tmp_path)
        assert again.indexes() == {"kb-two-g1"}
        again.close()

    def test_single_entries_can_be_deleted(self, index: KeywordIndex) -> None:
        index.replace_document(BASE, "doc", [an_entry(f"c{i}", "alpha") for i in range(4)])
        index.delete(BASE, ["c1", "c3", "absent"])
        index.delete(BASE, [])
        assert index.ids(BASE) == {"c0", "c2"}
        assert sorted(found(index, "alpha")) == ["c0", "c2"]

    def test_a_dropped_index_can_be_filled_again(self, index: KeywordIndex) -> None:
        index.replace_document(BASE, "doc", [an_entry("c1", "alpha")])
        index.drop(BASE)
        index.replace_document(BASE, "doc", [an_entry("c9", "alpha")])
        assert found(index, "alpha") == ["c9"]

    def test_what_was_written_is_there_after_opening_again(self, index: KeywordIndex, tmp_path: Path) -> None:
        index.replace_document(BASE, "doc", [an_entry("c1", "alpha")])
        index.close()
        assert found(self.open(tmp_path), "alpha") == ["c1"]

    @pytest.mark.parametrize(
        "question", ["", "   ", "？！", "alpha AND (", 'body:"x" OR *', "+-&&||!(){}[]^~*?:\\/", "\x00\ud800"]
    )
    def test_a_question_is_data(self, index: KeywordIndex, question: str) -> None:
        index.replace_document(BASE, "doc", [an_entry("c1", "alpha beta"), an_entry("c2", "delta")])
        assert set(found(index, question)) <= {"c1"}

    def test_a_document_without_a_word_is_kept(self, index: KeywordIndex) -> None:
        index.replace_document(BASE, "doc", [an_entry("c1", "--- \n"), an_entry("c2", "\ud800 alpha\x00beta")])
        assert index.ids(BASE) == {"c1", "c2"}
        assert found(index, "alpha") == ["c2"]

    @pytest.mark.parametrize("name", ["../up", "a/b", "", "A b", "手册", "x" * 200, "kb.dropped"])
    def test_only_ids_of_ours_name_an_index(self, index: KeywordIndex, name: str) -> None:
        with pytest.raises(ValueError, match="index id"):
            index.replace_document(name, "doc", [an_entry("c1", "alpha")])
        with pytest.raises(ValueError, match="index id"):
            index.search(name, "alpha", 5)
        with pytest.raises(ValueError, match="index id"):
            index.drop(name)

    def test_writers_and_readers_side_by_side(self, index: KeywordIndex) -> None:
        def write(i: int) -> None:
            index.replace_document(BASE, f"d{i}", [an_entry(f"d{i}.{k}", "alpha", f"d{i}") for k in range(5)])

        def read(_: int) -> int:
            return len(index.search(BASE, "alpha", 500)) % 5

        with ThreadPoolExecutor(6) as pool:
            writes = [pool.submit(write, i) for i in range(12)]
            assert set(pool.map(read, range(60))) == {0}  # never half a document
            for done in writes:
                done.result()
        assert len(index.ids(BASE)) == 60


class TestTantivy(KeywordIndexContract):
    def open(self, root: Path) -> KeywordIndex:
        return TantivyKeywordIndex(root / "keyword")

    @pytest.mark.parametrize("pattern", ["meta.json", "*.term", "*.store", "*.idx"])
    def test_damaged_files_are_a_typed_error(self, tmp_path: Path, pattern: str) -> None:
        index = self.open(tmp_path)
        index.replace_document(BASE, "doc", [an_entry("c1", "alpha")])
        index.close()
        for file in (tmp_path / "keyword" / BASE).glob(pattern):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with pytest.raises(IndexUnavailable):
            self.open(tmp_path).search(BASE, "alpha", 5)

    def test_missing_files_are_a_typed_error(self, tmp_path: Path) -> None:
        index = self.open(tmp_path)
        index.replace_document(BASE, "doc", [an_entry("c1", "alpha")])
        index.close()
        for file in (tmp_path / "keyword" / BASE).glob("*.term"):
            file.unlink()
        with pytest.raises(IndexUnavailable):
            self.open(tmp_path).search(BASE, "alpha", 5)

    def test_a_folder_that_cannot_be_made_is_a_typed_error(self, tmp_path: Path) -> None:
        (tmp_path / "keyword").write_text("a file where the folder should be")
        with pytest.raises(IndexUnavailable):
            self.open(tmp_path).replace_document(BASE, "doc", [an_entry("c1", "alpha")])

    def test_what_a_cut_short_drop_left_is_swept_at_the_next_start(self, tmp_path: Path) -> None:
        left = tmp_path / "keyword" / f"{BASE}.dropped"
        left.mkdir(parents=True)
        (left / "meta.json").write_text("{}")
        self.open(tmp_path)
        assert not left.exists()

    def test_a_killed_writer_leaves_whole_documents_and_every_acknowledged_one(self, tmp_path: Path) -> None:
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITES_UNTIL_KILLED, str(tmp_path / "keyword"), BASE],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(6)]
        writer.kill()
        acknowledged += [int(line) for line in writer.stdout.read().split()]
        writer.stdout.close()
        writer.wait()
        index = self.open(tmp_path)
        ids = index.ids(BASE)
        assert {f"d{i}.{k}" for i in acknowledged for k in range(20)} <= ids
        assert len(ids) % 20 == 0
        index.replace_document(BASE, "after", [an_entry("after", "omega", "after")])
        assert found(index, "omega") == ["after"]


class TestMilvusLite(KeywordIndexContract):
    @pytest.fixture(autouse=True)
    def _server(self, milvus_lite: MilvusLite) -> None:
        self.server = milvus_lite

    def open(self, root: Path) -> KeywordIndex:
        return MilvusKeywordIndex(MilvusServer(self.server.config(root)))


_WRITES_UNTIL_KILLED = """
import sys
from pathlib import Path
from app.ports import IndexEntry
from app.retrieve.keyword import TantivyKeywordIndex
from app.retrieve.stores.milvus.keywords import MilvusKeywordIndex
from app.retrieve.stores.milvus.server import MilvusServer
from tests.fixtures.milvus_servers import MilvusLite
index = TantivyKeywordIndex(Path(sys.argv[1]))
for i in range(10_000):
    index.replace_document(sys.argv[2], f"d{i}", [IndexEntry(f"d{i}.{k}", f"d{i}", f"alpha {k}") for k in range(20)])
    print(i, flush=True)
"""
