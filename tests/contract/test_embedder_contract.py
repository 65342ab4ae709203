"""The law of port `Embedder`; an implementation proves itself by inheriting `EmbedderContract`."""

import json
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.errors import EmbedderUnavailable
from app.ports import Embedder
from app.retrieve.embed import SentenceTransformerEmbedder
from app.retrieve.embed_remote import RemoteEmbedder
from app.retrieve.prefixes import Prefixes, prefixes_for
from tests.fixtures.tiny_embedder import MAX_TOKENS, make_tiny_embedder

E5 = Prefixes("query: ", "passage: ")
TEXTS = ["change the ink", "e-04", "如何换墨盒", "a much longer text", "打印机", "x", "", "change the ink"]


class EmbedderContract:
    @pytest.fixture
    def embedder(self) -> Embedder:
        raise NotImplementedError

    def test_rows_of_length_one(self, embedder: Embedder) -> None:
        vectors = embedder.embed_passages(TEXTS)
        assert vectors.shape == (len(TEXTS), embedder.dimensions)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)

    def test_nothing_gives_no_rows(self, embedder: Embedder) -> None:
        assert embedder.embed_passages([]).shape == (0, embedder.dimensions)
        assert embedder.embed_queries([]).shape == (0, embedder.dimensions)
        assert embedder.count_tokens([]) == []

    def test_order_is_kept_and_company_does_not_matter(self, embedder: Embedder) -> None:
        together = embedder.embed_passages(TEXTS)
        alone = np.concatenate([embedder.embed_passages([text]) for text in TEXTS])
        assert (together * alone).sum(axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-3)
        assert abs(together[0] @ together[1]) < 0.999  # different texts, different vectors

    def test_the_same_text_gives_the_same_vector(self, embedder: Embedder) -> None:
        assert np.array_equal(embedder.embed_queries(TEXTS), embedder.embed_queries(TEXTS))

    def test_question_and_passage_are_told_apart(self, embedder: Embedder) -> None:
        assert not np.allclose(embedder.embed_queries(["ink"]), embedder.embed_passages(["ink"]), atol=1e-3)

    def test_counts_grow_with_the_text(self, embedder: Embedder) -> None:
        short, long = embedder.count_tokens(["ink", "ink and ink and ink"])
        assert 0 < short < long

    def test_a_text_longer_than_it_reads_still_gives_one_vector(self, embedder: Embedder) -> None:
        assert embedder.embed_queries(["change the ink " * 200]).shape == (1, embedder.dimensions)

    def test_odd_characters_are_taken(self, embedder: Embedder) -> None:
        assert embedder.embed_passages(["\x00", "\ud800", "👩‍🔧", " \n\t"]).shape == (4, embedder.dimensions)

    def test_fingerprint_is_stable_text(self, embedder: Embedder) -> None:
        assert embedder.fingerprint == embedder.fingerprint
        assert "@" in embedder.fingerprint

    def test_threads_get_what_one_thread_gets(self, embedder: Embedder) -> None:
        expected = embedder.embed_queries(TEXTS)
        with ThreadPoolExecutor(4) as pool:
            for vectors in pool.map(embedder.embed_queries, [TEXTS] * 12):
                assert np.allclose(vectors, expected, atol=1e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_embedder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def tiny(folder: Path) -> Embedder:
    return SentenceTransformerEmbedder("tiny", "r1", folder, E5, batch=3)


class TestSentenceTransformers(EmbedderContract):
    @pytest.fixture
    def embedder(self, tiny: Embedder) -> Embedder:
        return tiny

    def test_fingerprint_is_name_and_revision(self, embedder: Embedder) -> None:
        assert embedder.fingerprint == "tiny@r1"

    def test_tokens_are_counted_with_prefix_and_special_tokens(self, embedder: Embedder) -> None:
        assert embedder.count_tokens(["ink"]) == [len("passage: ink") + 2]
        assert embedder.max_tokens == MAX_TOKENS

    def test_nothing_of_a_long_text_is_lost(self, embedder: Embedder) -> None:
        """Its vector is the mean of its parts', so the end counts as the beginning does."""
        start, end = "a" * 80, "9" * 80
        whole = embedder.embed_passages([start + end])[0]
        parts = embedder.embed_passages([start, end])
        mean = parts.sum(axis=0) / np.linalg.norm(parts.sum(axis=0))
        assert whole @ mean > 0.999
        assert whole @ parts[1] > 0.6

    def test_the_first_use_may_come_from_several_threads(self, folder: Path) -> None:
        fresh = SentenceTransformerEmbedder("tiny", "r1", folder, E5)
        with ThreadPoolExecutor(4) as pool:
            assert len(set(map(id, pool.map(lambda _: fresh.load(), range(8))))) == 1

    def test_an_empty_folder_is_a_typed_error(self, tmp_path: Path) -> None:
        with pytest.raises(EmbedderUnavailable):
            SentenceTransformerEmbedder("tiny", "r1", tmp_path, E5).embed_queries(["ink"])

    @pytest.mark.parametrize("file", ["model.safetensors", "config.json", "modules.json", "tokenizer.json"])
    @pytest.mark.parametrize("damage", ["cut", "gone"])
    def test_a_damaged_folder_is_a_typed_error(self, folder: Path, tmp_path: Path, file: str, damage: str) -> None:
        damaged = shutil.copytree(folder, tmp_path / "model")
        whole = (damaged / file).read_bytes()
        (damaged / file).unlink()
        if damage == "cut":
            (damaged / file).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(EmbedderUnavailable):
            SentenceTransformerEmbedder("tiny", "r1", damaged, E5).load()


def answer(request: httpx.Request) -> httpx.Response:
    """An endpoint that gives each text a vector of its own, in reverse order."""
    body = json.loads(request.content)
    data = []
    for index, text in enumerate(body["input"]):
        seed = zlib.crc32(text.encode("utf-8", "replace"))
        data.append({"index": index, "embedding": np.random.default_rng(seed).normal(size=16).tolist()})
    return httpx.Response(200, json={"object": "list", "data": data[::-1], "model": body["model"]})


def remote(handler: httpx.MockTransport) -> RemoteEmbedder:
    return RemoteEmbedder("http://embed.test/v1/", "e5", "secret", E5, waits=(0, 0), transport=handler)


class TestRemote(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return RemoteEmbedder(
            "http://embed.test/v1/", "e5", "secret", E5, batch=3, transport=httpx.MockTransport(answer)
        )

    def test_what_is_sent(self) -> None:
        seen: list[httpx.Request] = []

        def look(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return answer(request)

        remote(httpx.MockTransport(look)).embed_queries(["ink"])
        assert str(seen[-1].url) == "http://embed.test/v1/embeddings"
        assert seen[-1].headers["Authorization"] == "Bearer secret"
        assert json.loads(seen[-1].content)["input"] == ["query: ink"]

    def test_a_busy_endpoint_is_asked_again(self) -> None:
        turns = iter([503, 429])

        def busy(request: httpx.Request) -> httpx.Response:
            status = next(turns, 200)
            return answer(request) if status == 200 else httpx.Response(status)

        assert remote(httpx.MockTransport(busy)).embed_queries(["ink"]).shape == (1, 16)

    @pytest.mark.parametrize(
        "response",
        [
            httpx.Response(401, text="no"),
            httpx.Response(503),
            httpx.Response(200, text="<html>"),
            httpx.Response(200, json={"data": []}),
            httpx.Response(200, json={"data": [{"index": 0, "embedding": [0.0, 0.0]}]}),
            httpx.Response(200, json={"data": [{"index": 0, "embedding": ["a"]}]}),
            httpx.Response(200, json=[1]),
        ],
    )
    def test_an_answer_of_no_use_is_a_typed_error(self, response: httpx.Response) -> None:
        with pytest.raises(EmbedderUnavailable):
            remote(httpx.MockTransport(lambda _: response)).embed_queries(["ink"])

    @pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ReadTimeout("late")])
    def test_no_answer_is_a_typed_error(self, error: httpx.TransportError) -> None:
        def fail(_: httpx.Request) -> httpx.Response:
            raise error

        with pytest.raises(EmbedderUnavailable):
            remote(httpx.MockTransport(fail)).embed_queries(["ink"])

    def test_the_key_is_not_in_what_people_see(self) -> None:
        with pytest.raises(EmbedderUnavailable) as caught:
            remote(httpx.MockTransport(lambda _: httpx.Response(401, text="bad key"))).embed_queries(["ink"])
        assert "secret" not in f"{caught.value} {caught.value.detail}"


def test_prefixes_by_name_and_by_setting() -> None:
    known = prefixes_for("intfloat/Multilingual-E5-small")
    assert known == E5
    assert prefixes_for("someone/unknown") == Prefixes()
    assert prefixes_for("multilingual-e5-small", "query: ", None) == known
    mine = prefixes_for("multilingual-e5-small", "Q: ", None)
    assert (mine.query, mine.passage) == ("Q: ", "passage: ")
    assert known.mark == ""
    assert mine.mark not in ("", prefixes_for("multilingual-e5-small", "R: ", None).mark)
