"""One application for all API tests: the real stores and jobs, a word embedder, a scripted model server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from app.api.app import create_app
from app.catalogue.keys import Role
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.parts import Parts
from app.services import Services
from app.settings import Settings
from app.wiring.services import build_services
from tests.fixtures.adapters import NotedHost, a_base_folder
from tests.fixtures.embedders import GatedEmbedder
from tests.fixtures.scripted_model import Fault, ScriptedModel, scripted_model
from tests.fixtures.waiting import wait_for

MANUAL = """# Kettle K-9

## Safety

Never open the lid while the water boils.

## Error codes

E-04 means that the water tank is empty. Fill it and press OK.
E-11 means that the heater is too hot. Let it cool for 20 minutes.

## Specifications

Rated power is 1500 W at 220 V.
"""

HELD = "heldback"
"""Passages with this word wait at the embedder's gate while it is closed."""


@dataclass
class Api:
    """A client with an admin key, and what a test may need beside it."""

    client: TestClient
    services: Services
    model: ScriptedModel
    secret: str
    embedder: GatedEmbedder
    host: NotedHost

    def model_says(self, reply: str, fault: Fault = Fault.NONE) -> None:
        self.model.reply, self.model.fault = reply, fault

    def base(self, name: str) -> str:
        made = self.client.post("/v1/knowledge-bases", json={"name": name})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def upload(self, base: str, name: str, content: bytes) -> dict[str, Any]:
        sent = self.client.post(f"/v1/knowledge-bases/{base}/documents", params={"name": name}, content=content)
        assert sent.status_code in (200, 202), sent.text
        return dict(sent.json())

    def ready(self, base: str, name: str, content: bytes) -> dict[str, Any]:
        """Uploads and waits until the document has ended up somewhere."""
        job = self.ended(self.upload(base, name, content)["job"]["id"])
        return dict(self.client.get(f"/v1/knowledge-bases/{base}/documents/{job['document_id']}").json())

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.client.get(f"/v1/jobs/{job_id}").json())

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job, once it has ended."""
        self.until(lambda: self.job(job_id)["ended_at"] is not None)
        return self.job(job_id)

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits for what a worker is about to do."""
        assert wait_for(condition, 60), "it did not come about"


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with an_api(tmp_path_factory.mktemp("api")) as made:
        yield made


@contextmanager
def an_api(folder: Path, **changes: Any) -> Iterator[Api]:  # noqa: ANN401 - settings
    """An application of its own, with its data in `folder`."""
    with scripted_model() as model:
        settings = Settings(
            data_dir=folder,
            max_upload_mb=2,
            max_body_kb=256,
            threshold=0.1,
            shutdown_seconds=1.0,
            ocr=False,
            wrong_key_seconds=0.05,
            max_turns=5,
            evaluation_body_mb=1,
            evaluation_questions=40,
            evaluation_queue=3,
            max_evaluations=8,
            evaluation_retry_seconds=0.05,
            evaluation_tries=3,
            adapter_base=str(a_base_folder(folder / "tiny-model")),
            max_adapter_mb=1,
            min_free_disk_mb=1,
            breaker_seconds=0.01,
        )
        settings = settings.model_copy(update=changes)
        endpoint = FixedEndpoint(model.base_url)
        language_model = OpenAICompatibleModel("scripted", endpoint, first_token_seconds=5, total_seconds=10)
        embedder = GatedEmbedder(held=HELD)
        host = NotedHost()
        services = build_services(settings, "local-token", Parts(embedder, language_model, adapter_host=host))
        _, secret = services.keys.create("tests", Role.ADMIN)
        with TestClient(create_app(services), headers={"Authorization": f"Bearer {secret}"}) as client:
            deadline = time.monotonic() + 30
            while client.get("/readyz").status_code != 200 and time.monotonic() < deadline:
                time.sleep(0.05)
            yield Api(client, services, model, secret, embedder, host)


@pytest.fixture
def browser(api: Api) -> TestClient:
    """A client as a browser on the server's machine: with a jar of cookies, and no key."""
    return TestClient(
        api.client.app,
        headers={"Sec-Fetch-Site": "same-origin"},
        client=("127.0.0.1", 50000),
        follow_redirects=False,
    )


class _Server(uvicorn.Server):
    """Leaves none of its event loop's connections to the model server open."""

    def __init__(self, services: Services) -> None:
        super().__init__(
            uvicorn.Config(create_app(services), port=0, lifespan="off", log_level="warning", loop="asyncio")
        )
        self._services = services

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        await self._services.model.close()


@pytest.fixture
def address(api: Api) -> Iterator[tuple[str, int]]:
    """The same services behind a real socket, without starting them a second time."""
    with listening(api) as found:
        yield found


@contextmanager
def listening(api: Api) -> Iterator[tuple[str, int]]:
    """Host and port of a server over these services."""
    server = _Server(api.services)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join(60)


@pytest.fixture(scope="package")
def kettle(api: Api) -> str:
    """A knowledge base with one small manual, ready."""
    base = api.base("kettle")
    assert api.ready(base, "kettle.md", MANUAL.encode())["state"] == "ready"
    return base
