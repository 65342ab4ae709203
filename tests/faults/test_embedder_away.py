"""The embedder's endpoint goes away, in every way that a server can, while documents are read and questions asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.app import create_app
from app.catalogue.keys import Role
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.parts import Parts
from app.retrieve.embed_remote import RemoteEmbedder
from app.retrieve.prefixes import Prefixes
from app.services import Services
from app.settings import Settings
from app.wiring.services import build_services
from tests.fixtures.embedding_server import REFUSED, EmbeddingServer, Fault
from tests.fixtures.scripted_model import scripted_model
from tests.fixtures.waiting import wait_for
from tests.unit.api.conftest import MANUAL

WAIT_SECONDS = 120.0
QUESTION = {"question": "What does E-04 mean?"}
RARER = [pytest.param(fault, marks=pytest.mark.campaign) for fault in (Fault.ERROR_500, Fault.LEFT_OUT)]
FAULTS = [Fault.STOPPED, Fault.STALL, Fault.GARBAGE, *RARER]


class Kettles:
    """A server whose embedder is an endpoint, with one knowledge base."""

    def __init__(self, client: TestClient, services: Services, endpoint: EmbeddingServer) -> None:
        self.client, self.services, self.endpoint = client, services, endpoint
        self.base = client.post("/v1/knowledge-bases", json={"name": "kettle"}).json()["id"]

    def upload(self, name: str, text: str) -> str:
        path = f"/v1/knowledge-bases/{self.base}/documents"
        return str(self.client.post(path, params={"name": name}, content=text.encode()).json()["job"]["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.client.get(f"/v1/jobs/{job_id}").json())

    def becomes(self, job_id: str, **wanted: object) -> bool:
        return wait_for(lambda: wanted.items() <= self.job(job_id).items(), WAIT_SECONDS)

    def search(self) -> tuple[int, str | None]:
        told = self.client.post(f"/v1/knowledge-bases/{self.base}/search", json=QUESTION)
        return told.status_code, told.json().get("code")


@pytest.fixture(scope="module")
def kettles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kettles]:
    endpoint = EmbeddingServer()
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("away"),
        embedder_base_url=endpoint.base_url,
        threshold=0.1,
        shutdown_seconds=1.0,
        ocr=False,
        min_free_disk_mb=1,
        ingest_tries=2,
        ingest_retry_seconds=0.05,
        breaker_seconds=0.5,
    )
    embedder = RemoteEmbedder(endpoint.base_url, "words", None, Prefixes(), timeout_seconds=1.0, waits=(0.05,))
    with scripted_model("E-04 means that the water tank is empty.") as model:
        said = OpenAICompatibleModel("scripted", FixedEndpoint(model.base_url), first_token_seconds=5, total_seconds=10)
        services = build_services(settings, "local-token", Parts(embedder, said))
        _, secret = services.keys.create("tests", Role.ADMIN)
        with TestClient(create_app(services), headers={"Authorization": f"Bearer {secret}"}) as client:
            assert wait_for(lambda: client.get("/readyz").status_code == 200, WAIT_SECONDS)
            made = Kettles(client, services, endpoint)
            assert made.becomes(made.upload("kettle.md", MANUAL), state="done")
            yield made
    endpoint.stop()


@pytest.mark.parametrize("fault", FAULTS)
def test_documents_wait_for_it_and_go_on_by_themselves(kettles: Kettles, fault: Fault) -> None:
    endpoint = kettles.endpoint
    endpoint.fails(fault)
    try:
        jobs = [kettles.upload(f"{fault}-{n}.md", f"# Pump\n\nThe {fault} pump {n} runs at 3 bar.") for n in range(2)]
        assert kettles.becomes(jobs[0], state="running", stage="waiting")
        embedding = next(one for one in kettles.services.health.breakers() if one.part == "embedder")
        assert wait_for(lambda: embedding.is_open, WAIT_SECONDS)
        assert kettles.search() == (503, "embedder_unavailable")
        ready = kettles.client.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["embedder"]["state"]) == (503, "down")
        asked, began = len(endpoint.asked), time.monotonic()
        assert wait_for(lambda: len(endpoint.asked) >= asked + 4 or fault is Fault.STOPPED, WAIT_SECONDS)
        trials = (time.monotonic() - began) / 0.5  # as many trials as there were pauses, of two requests each
        assert fault is Fault.STOPPED or len(endpoint.asked) - asked <= 2 * (trials + 2)
    finally:
        endpoint.fails(Fault.NONE)
    for job in jobs:
        assert kettles.becomes(job, state="done", attempts=1)
    assert kettles.search() == (200, None)
    assert kettles.client.get("/readyz").status_code == 200


def test_a_document_that_it_refuses_fails_and_holds_up_no_other(kettles: Kettles) -> None:
    refused = kettles.upload("refused.md", f"# Pump\n\nThe {REFUSED} pump.")
    after = kettles.upload("after.md", "# Pump\n\nThe pump after it.")
    assert kettles.becomes(refused, state="failed")
    assert kettles.becomes(after, state="done")
    assert kettles.search() == (200, None)


def test_a_waiting_job_can_be_cancelled(kettles: Kettles) -> None:
    kettles.endpoint.fails(Fault.STOPPED)
    try:
        job = kettles.upload("cancelled.md", "# Pump\n\nNot wanted.")
        assert kettles.becomes(job, state="running", stage="waiting")
        assert kettles.client.post(f"/v1/jobs/{job}/cancel").status_code == 200
    finally:
        kettles.endpoint.fails(Fault.NONE)
    assert kettles.becomes(job, state="cancelled")
    assert kettles.becomes(kettles.upload("next.md", "# Pump\n\nThe next one."), state="done")
