"""A base to train, and a knowledge base to search, each made once; a fresh catalogue for each test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.api.app import create_app
from app.catalogue.keys import Role
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.models.training_base import TrainingBase
from app.parts import Parts
from app.services import Services
from app.settings import Settings
from app.wiring.services import build_services
from tests.fixtures.catalogues import Catalogue, a_catalogue
from tests.fixtures.embedders import WordEmbedder
from tests.fixtures.tiny_chat_model import a_tiny_base

MANUALS = {
    "kettle.md": """# Kettle K-9

## Error codes

E-04 means that the water tank is empty. Fill it and press OK.
E-11 means that the heater is too hot. Let it cool for 20 minutes.

## Specifications

Rated power is 1500 W at 220 volts. The kettle weighs 1.2 kg.

## Care

Descale the kettle every 3 months with one sachet of NK-40.
""",
    "oven.md": """# Oven B-7

## Error codes

E-04 means that the door is open. Close the door.

## Cleaning

Clean the oven glass with a damp cloth after every 10 uses.
The pyrolysis program of the oven takes 150 minutes.
""",
    "pump.md": """# Pump P-2

## Filter

Replace the filter of the pump every 6 months. The filter of the pump has the part number PF-22.
""",
    "lamp.md": """# Lamp L-1

## Battery

The battery of the lamp lasts 12 hours. Charge the lamp for 3 hours before its first use.
""",
}


@dataclass(frozen=True)
class Manuals:
    """Running services and the knowledge base with `MANUALS`."""

    services: Services
    base_id: str


@pytest.fixture(scope="package")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> TrainingBase:
    return a_tiny_base(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="package")
def manuals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manuals]:
    folder = tmp_path_factory.mktemp("manuals")
    settings = Settings(data_dir=folder, threshold=0.1, top_k=2, chunk_size=200, ocr=False, shutdown_seconds=1.0)
    model = OpenAICompatibleModel("none", FixedEndpoint("http://127.0.0.1:9"), first_token_seconds=1, total_seconds=1)
    services = build_services(settings, "local-token", Parts(WordEmbedder(), model))
    _, secret = services.keys.create("tests", Role.ADMIN)
    with TestClient(create_app(services), headers={"Authorization": f"Bearer {secret}"}) as client:
        _until(lambda: client.get("/readyz").status_code == 200)
        base = str(client.post("/v1/knowledge-bases", json={"name": "manuals"}).json()["id"])
        for name, text in MANUALS.items():
            sent = client.post(f"/v1/knowledge-bases/{base}/documents", params={"name": name}, content=text.encode())
            assert sent.status_code == 202, sent.text
        _until(lambda: services.bases.get(base).ready == len(MANUALS))
        yield Manuals(services, base)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with a_catalogue(tmp_path) as opened:
        yield opened


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
