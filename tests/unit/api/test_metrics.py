"""What Prometheus reads: it counts what happened, with labels that nobody outside chooses."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from tests.unit.api.conftest import Api


def samples(api: Api) -> dict[str, float]:
    """Each sample by its name and labels, as Prometheus reads it."""
    response = api.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_are_counted_by_route_and_never_by_path(api: Api) -> None:
    before = samples(api)
    for path in ("/v1/knowledge-bases/kb-secret-name", "/v1/knowledge-bases/kb-other", "/v1/nothing/at-all"):
        assert api.client.get(path).status_code == 404
    after = samples(api)
    known = 'manualqa_requests_total{method="GET",route="/v1/knowledge-bases/{knowledge_base_id}",status="4xx"}'
    unknown = 'manualqa_requests_total{method="GET",route="other",status="4xx"}'
    assert after[known] - before.get(known, 0) == 2
    assert after[unknown] - before.get(unknown, 0) == 1
    assert not any("secret-name" in name or "at-all" in name for name in after)
    times = 'manualqa_request_seconds_count{method="GET",route="/v1/knowledge-bases/{knowledge_base_id}"}'
    assert after[times] - before.get(times, 0) == 2


def test_a_strange_method_makes_no_label_of_its_own(api: Api) -> None:
    api.client.request("BREW", "/v1/knowledge-bases")
    api.client.request("STEEP", "/v1/knowledge-bases")
    methods = {found for name in samples(api) for found in re.findall(r'method="(\w+)"', name)}
    assert methods <= {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other"}
    assert "other" in methods


def test_documents_jobs_and_parts_are_told_by_state(api: Api) -> None:
    told = samples(api)
    assert told['manualqa_part_ready{part="catalogue"}'] == 1
    assert told['manualqa_part_ready{part="embedder"}'] == 1
    documents = [state.value for state in api.services.counts.documents()]
    assert {f'manualqa_documents{{state="{state}"}}' for state in documents} <= set(told)
    ready = api.services.counts.documents()
    assert told['manualqa_documents{state="ready"}'] == next(n for state, n in ready.items() if state == "ready")
    assert {f'manualqa_jobs{{state="{state.value}"}}' for state in api.services.counts.jobs()} <= set(told)


@pytest.mark.parametrize(("key", "status"), [("", 401), ("nope", 401)])
def test_metrics_want_a_key(api: Api, key: str, status: int) -> None:
    bare = TestClient(api.client.app)  # not entered: that would start and stop the services of all tests
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    assert bare.get("/metrics", headers=headers).status_code == status
