"""A real server that needs no weights: `python -m tests.fuzz.served FOLDER MODEL_URL`.

Its language model is a chat server of the test, its trainings are scripted, and it hosts every adapter.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import uvicorn

from app.api.app import create_app
from app.catalogue.folder import DataFolder, RunNote
from app.evaluation.courtesy import Courtesy
from app.finetune.jobs import TrainingJobs, TrainingParts
from app.finetune.preparation import Preparation
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.parts import Parts
from app.settings import Settings
from app.wiring.parts import served_base
from app.wiring.services import build_services
from app.wiring.work import build_adapters
from tests.fixtures.adapters import NotedHost
from tests.fixtures.embedders import WordEmbedder
from tests.fixtures.trainings import scripted


def serve(folder: Path, model_url: str) -> None:
    """Runs until a signal ends it."""
    settings = Settings(data_dir=folder)
    owned = DataFolder(folder)
    owned.acquire()
    listener = socket.create_server(("127.0.0.1", 0))
    model = OpenAICompatibleModel("scripted", FixedEndpoint(model_url), first_token_seconds=30, total_seconds=30)
    services = build_services(settings, "token-of-this-run", Parts(WordEmbedder(), model, adapter_host=NotedHost()))
    preparation = Preparation(services, lambda: served_base(settings), Courtesy(1.0))
    command = scripted(steps=4, adapter=os.environ["FUZZ_ADAPTER"])
    trainings = TrainingJobs(services, TrainingParts(preparation, build_adapters(services), command))
    owned.announce(RunNote(os.getpid(), f"http://127.0.0.1:{listener.getsockname()[1]}", services.run_token))
    config = uvicorn.Config(create_app(services, trainings), log_config=None, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
