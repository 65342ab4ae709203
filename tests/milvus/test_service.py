"""The whole service over Milvus: documents come while that is killed, an index is built anew, and all agrees after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli.client import Client
from app.retrieve.stores.milvus.server import MilvusServer
from tests.fixtures.milvus_servers import MilvusLite
from tests.fixtures.waiting import wait_for
from tests.unit.cli.conftest import WordServer

DOCUMENTS = 12
SECONDS = 240.0


@pytest.fixture
def server(milvus_lite: MilvusLite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WordServer]:
    monkeypatch.setenv("MQA_VECTOR_STORE", "milvus")
    monkeypatch.setenv("MQA_MILVUS_URI", milvus_lite.uri)
    monkeypatch.setenv("MQA_MILVUS_DATABASE", milvus_lite.config(tmp_path).database)
    monkeypatch.setenv("MQA_MILVUS_TIMEOUT_SECONDS", "60")
    (tmp_path / "data").mkdir()
    server = WordServer(tmp_path / "data")
    yield server
    for process in server.processes:
        process.kill()
        process.wait(30)


def upload(client: Client, base: str, folder: Path, number: int) -> None:
    manual = folder / f"valve-{number}.md"
    manual.write_text(
        "\n\n".join(f"Valve V-{number:02d}{part} opens at {number}{part} bar. 阀门{part}打开。" for part in range(9))
    )
    client.upload(base, manual, lambda _: None)


def states(client: Client, base: str) -> list[str]:
    documents = client.get(f"/v1/knowledge-bases/{base}/documents", limit=100)["documents"]
    return [str(document["state"]) for document in documents]


def found(client: Client, base: str, question: str) -> list[str]:
    hits = client.post(f"/v1/knowledge-bases/{base}/search", {"question": question, "threshold": -1.0})["hits"]
    return [str(hit["document_name"]) for hit in hits]


def disagreements(client: Client) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = client.post("/v1/maintenance/check", {"repair": False}, patient=True)["findings"]
    return findings


def test_documents_through_a_kill_of_milvus_and_a_new_generation(
    server: WordServer, milvus_lite: MilvusLite, tmp_path: Path
) -> None:
    server.start()
    milvus = MilvusServer(milvus_lite.config(tmp_path))
    with server.client() as client:
        base = client.post("/v1/knowledge-bases", {"name": "valves"})["id"]
        for number in range(DOCUMENTS):
            upload(client, base, tmp_path, number)
        assert wait_for(lambda: "ready" in states(client, base), SECONDS)
        milvus_lite.kill()
        milvus_lite.start()
        assert wait_for(lambda: states(client, base) == ["ready"] * DOCUMENTS, SECONDS), states(client, base)
        for number in range(DOCUMENTS):
            assert found(client, base, f"V-{number:02d}3")[0] == f"valve-{number}.md"
        assert disagreements(client) == []

        client.post(f"/v1/knowledge-bases/{base}/rebuild", {"chunk_size": 200})
        second = {f"mqa_{side}_{base.replace('-', 'D')}Dg2" for side in ("vectors", "keywords")}
        assert wait_for(lambda: milvus.names() == second, SECONDS), milvus.names()
        assert found(client, base, "V-053")[0] == "valve-5.md"
        assert disagreements(client) == []

        client.delete(f"/v1/knowledge-bases/{base}")
        assert wait_for(lambda: milvus.names() == set(), SECONDS), milvus.names()
    milvus.close()


def test_moving_over_is_a_rebuild_which_repairing_starts_for_all(
    server: WordServer, milvus_lite: MilvusLite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQA_VECTOR_STORE", "chroma")
    server.start()
    with server.client() as client:
        base = client.post("/v1/knowledge-bases", {"name": "valves"})["id"]
        upload(client, base, tmp_path, 4)
        assert wait_for(lambda: states(client, base) == ["ready"], SECONDS)
        before = found(client, base, "V-042")
    server.kill()
    monkeypatch.setenv("MQA_VECTOR_STORE", "milvus")
    server.start()
    milvus = MilvusServer(milvus_lite.config(tmp_path))
    with server.client() as client:
        kinds = {finding["kind"] for finding in disagreements(client)}
        assert kinds == {"vectors_missing", "keywords_missing"}
        client.post("/v1/maintenance/check", {"repair": True}, patient=True)
        assert wait_for(lambda: found(client, base, "V-042") == before, SECONDS)
        assert wait_for(lambda: disagreements(client) == [], SECONDS)
    assert {name[-3:] for name in milvus.names()} == {"Dg2"}
    milvus.close()
