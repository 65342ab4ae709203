"""Rebuilding an index while it answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.api.conftest import HELD, Api

TEXT = "\n\n".join(f"Valve {number} {HELD} opens at {number} bar and closes by itself." for number in range(1, 12))


@pytest.fixture
def gate(api: Api) -> Iterator[Api]:
    yield api
    api.embedder.gate.set()


def chunk_ids(api: Api, base: str) -> set[str]:
    body = {"question": "valve opens at bar", "limit": 50}
    found = api.client.post(f"/v1/knowledge-bases/{base}/search", json=body)
    assert found.status_code == 200, found.text
    return {hit["chunk"]["id"] for hit in found.json()["hits"]}


def rebuild(api: Api, base: str, **body: Any) -> Any:  # noqa: ANN401
    return api.client.post(f"/v1/knowledge-bases/{base}/rebuild", json=body)


def indexes(api: Api, base: str) -> set[str]:
    stores = api.services._stores
    assert stores.vectors.indexes() >= stores.keywords.indexes()
    return {index_id for index_id in stores.vectors.indexes() if index_id.startswith(base)}


def test_the_old_index_answers_until_the_new_one_is_whole(gate: Api) -> None:
    base = gate.base("rebuild")
    assert gate.ready(base, "valves.md", TEXT.encode())["state"] == "ready"
    old = chunk_ids(gate, base)
    gate.embedder.close()
    job = rebuild(gate, base, chunk_size=120, chunk_overlap=10)
    assert job.status_code == 202, job.text
    assert gate.embedder.arrived.wait(60)
    assert chunk_ids(gate, base) == old
    building = gate.client.get(f"/v1/knowledge-bases/{base}").json()["building"]
    assert (building["chunk_size"], building["chunk_overlap"]) == (120, 10)
    again = rebuild(gate, base)
    assert (again.status_code, again.json()["code"]) == (409, "rebuild_running")
    gate.embedder.gate.set()
    ended = gate.ended(job.json()["id"])
    assert (ended["state"], ended["documents_done"], ended["documents_total"]) == ("done", 1, 1)
    new = chunk_ids(gate, base)
    assert new
    assert new.isdisjoint(old)
    shown = gate.client.get(f"/v1/knowledge-bases/{base}").json()
    assert (shown["fingerprint"]["chunk_size"], shown["building"]) == (120, None)
    gate.until(lambda: indexes(gate, base) == {f"{base}-g2"})


def test_a_cancelled_rebuild_is_gone_and_can_be_tried_again(gate: Api) -> None:
    base = gate.base("rebuild cancelled")
    gate.ready(base, "valves.md", TEXT.encode())
    old = chunk_ids(gate, base)
    gate.embedder.close()
    job = rebuild(gate, base, chunk_size=150).json()["id"]
    assert gate.embedder.arrived.wait(60)
    assert gate.client.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    gate.embedder.gate.set()
    gate.until(lambda: len(gate.services.generations.all()) > 0 and gate.services.generations.retired() == [])
    assert indexes(gate, base) == {f"{base}-g1"}
    assert chunk_ids(gate, base) == old
    retried = gate.client.post(f"/v1/jobs/{job}/retry")
    assert retried.status_code == 202
    assert gate.ended(retried.json()["id"])["state"] == "done"
    assert gate.client.get(f"/v1/knowledge-bases/{base}").json()["fingerprint"]["chunk_size"] == 150
    assert chunk_ids(gate, base).isdisjoint(old)


def test_an_unknown_knowledge_base_or_embedder_is_refused(api: Api) -> None:
    assert rebuild(api, "kb-none").json()["code"] == "knowledge_base_not_found"
    base = api.base("rebuild refused")
    assert rebuild(api, base, embedder="none-such").status_code == 422
    assert rebuild(api, base, chunk_size=5).status_code == 422
