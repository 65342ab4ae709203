"""One application for all API tests: the real stores and jobs, a word embedder, a scripted model server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.app import create_app
from app.catalogue.keys import Role
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.settings import Settings
from app.wiring import Parts, Services, build_services
from tests.fixtures.embedders import WordEmbedder
from tests.fixtures.scripted_model import Fault, ScriptedModel, scripted_model

MANUAL = """# Kettle K-9

## Safety

Never open the lid while the water boils.

## Error codes

E-04 means that the water tank is empty. Fill it and press OK.
E-11 means that the heater is too hot. Let it cool for 20 minutes.

## Specifications

Rated power is 1500 W at 220 V.
"""


@dataclass
class Api:
    """A client with an admin key, and what a test may need beside it."""

    client: TestClient
    services: Services
    model: ScriptedModel
    secret: str

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
        sent = self.upload(base, name, content)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            job = self.client.get(f"/v1/jobs/{sent['job']['id']}").json()
            if job["ended_at"]:
                return dict(self.client.get(f"/v1/knowledge-bases/{base}/documents/{job['document_id']}").json())
            time.sleep(0.05)
        raise AssertionError("the job did not end")


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder: Path = tmp_path_factory.mktemp("api")
    with scripted_model() as model:
        settings = Settings(data_dir=folder, max_upload_mb=2, max_body_kb=256, threshold=0.1, shutdown_seconds=1.0)
        endpoint = FixedEndpoint(model.base_url)
        language_model = OpenAICompatibleModel("scripted", endpoint, first_token_seconds=5, total_seconds=10)
        services = build_services(settings, "local-token", Parts(WordEmbedder(), language_model))
        _, secret = services.keys.create("tests", Role.ADMIN)
        with TestClient(create_app(services), headers={"Authorization": f"Bearer {secret}"}) as client:
            deadline = time.monotonic() + 30
            while client.get("/readyz").status_code != 200 and time.monotonic() < deadline:
                time.sleep(0.05)
            yield Api(client, services, model, secret)


@pytest.fixture(scope="session")
def kettle(api: Api) -> str:
    """A knowledge base with one small manual, ready."""
    base = api.base("kettle")
    assert api.ready(base, "kettle.md", MANUAL.encode())["state"] == "ready"
    return base
