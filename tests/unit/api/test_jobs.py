"""Jobs over HTTP: cancel, try again, list, and watch as they go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from app.api.jobs import watch_jobs
from tests.unit.api.conftest import HELD, Api


@pytest.fixture
def gate(api: Api) -> Iterator[Api]:
    api.embedder.close()
    yield api
    api.embedder.gate.set()


def held(text: str) -> bytes:
    return f"The {text} {HELD} needs oil.".encode()


def events(body: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines]


def test_a_queued_job_is_cancelled_and_tried_again(gate: Api) -> None:
    base = gate.base("cancel queued")
    first = gate.upload(base, "one.md", held("first"))
    assert gate.embedder.arrived.wait(60)
    second = gate.upload(base, "two.md", held("second"))  # the same lane: it waits
    assert gate.job(second["job"]["id"])["state"] == "queued"
    cancelled = gate.client.post(f"/v1/jobs/{second['job']['id']}/cancel").json()
    assert (cancelled["state"], cancelled["ended_at"] is None) == ("cancelled", False)
    again = gate.client.post(f"/v1/jobs/{second['job']['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "job_ended")
    retried = gate.client.post(f"/v1/jobs/{second['job']['id']}/retry")
    assert retried.status_code == 202
    assert retried.json()["id"] != second["job"]["id"]
    assert gate.client.post(f"/v1/jobs/{second['job']['id']}/retry").json()["id"] == retried.json()["id"]
    gate.embedder.gate.set()
    assert gate.ended(retried.json()["id"])["state"] == gate.ended(first["job"]["id"])["state"] == "done"
    refused = gate.client.post(f"/v1/jobs/{retried.json()['id']}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_retry")


def test_a_running_job_is_cancelled_and_leaves_nothing_searchable(gate: Api) -> None:
    base = gate.base("cancel running")
    sent = gate.upload(base, "one.md", held("pump"))
    assert gate.embedder.arrived.wait(60)
    assert gate.client.post(f"/v1/jobs/{sent['job']['id']}/cancel").json()["state"] == "cancelled"
    gate.embedder.gate.set()
    path = f"/v1/knowledge-bases/{base}/documents/{sent['document']['id']}"
    assert gate.client.get(path).json()["state"] == "cancelled"
    index_id = gate.services.bases.get(base).index_id
    stores = gate.services._stores
    gate.until(lambda: not stores.contents.chunk_ids(sent["document"]["id"], index_id))
    assert stores.vectors.ids(index_id) == stores.keywords.ids(index_id) == set()
    again = gate.upload(base, "one.md", held("pump"))  # sending it again is trying again
    assert (again["created"], again["document"]["id"]) == (True, sent["document"]["id"])
    assert gate.ended(again["job"]["id"])["state"] == "done"


def test_a_stream_of_one_job_ends_with_the_job(gate: Api) -> None:
    base = gate.base("watch one")
    sent = gate.upload(base, "one.md", held("watched"))
    assert gate.embedder.arrived.wait(60)
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(gate.client.get, f"/v1/jobs/{sent['job']['id']}/events")
        gate.embedder.gate.set()
        response = stream.result(60)
    assert response.headers["content-type"].startswith("text/event-stream")
    seen = [event["state"] for event in events(response.text)]
    assert seen == sorted(seen, key=["queued", "running", "done"].index)
    assert seen[-1] == "done"
    [last] = events(gate.client.get(f"/v1/jobs/{sent['job']['id']}/events").text)  # one that has ended: once
    assert last == gate.job(sent["job"]["id"])


def test_a_stream_of_all_jobs_tells_their_ends(gate: Api) -> None:
    base, other = gate.base("watch all"), gate.base("watch none")
    sent = gate.upload(base, "one.md", held("everything"))
    assert gate.embedder.arrived.wait(60)
    gate.upload(other, "two.md", held("not of interest"))

    async def watch() -> str:
        seen = ""
        with anyio.fail_after(60):
            async for event in watch_jobs(gate.services, "en", base).body_iterator:
                seen += bytes(event).decode() if not isinstance(event, str) else event
                gate.embedder.gate.set()  # once the running job was seen
                if '"done"' in seen:
                    break
        return seen

    seen = events(anyio.run(watch))
    assert {event["id"] for event in seen} == {sent["job"]["id"]}
    assert (seen[0]["state"], seen[-1]["state"]) == ("running", "done")


def test_a_stream_of_all_jobs_ends_where_the_server_stops(gate: Api) -> None:
    base = gate.base("watch stop")
    sent = gate.upload(base, "one.md", held("stop"))
    gate.services.drain()
    try:
        response = gate.client.get("/v1/jobs/events", params={"knowledge_base_id": base})
    finally:
        gate.services._draining.clear()
    assert [event["id"] for event in events(response.text)] == [sent["job"]["id"]]


@pytest.mark.parametrize("path", ["/v1/jobs/events", "/v1/jobs/job-1/events"])
def test_watching_needs_a_key(api: Api, path: str) -> None:
    assert api.client.get(path, headers={"Authorization": ""}).status_code == 401


def test_unknown_jobs_are_not_found(api: Api) -> None:
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry")):
        response = api.client.request(method, f"/v1/jobs/job-none{path}")
        assert (response.status_code, response.json()["code"]) == (404, "job_not_found")


def test_jobs_are_listed_by_what_is_asked(api: Api) -> None:
    base = api.base("job list")
    done = api.ready(base, "one.md", b"The pump needs oil.")
    failed = api.ready(base, "two.txt", b"  \n")

    def found(**params: Any) -> list[str]:  # noqa: ANN401
        listed = api.client.get("/v1/jobs", params={"knowledge_base_id": base, **params})
        assert listed.status_code == 200, listed.text
        return [job["document_id"] for job in listed.json()["jobs"]]

    assert found() == [failed["id"], done["id"]]
    assert found(state="failed") == [failed["id"]]
    assert found(state=["failed", "done"]) == [failed["id"], done["id"]]
    assert found(document_id=done["id"]) == [done["id"]]
    assert found(kind="rebuild") == []
    assert found(limit=1, offset=1) == [done["id"]]
    assert api.client.get("/v1/jobs", params={"state": "lost"}).status_code == 422
