"""A server as in `tests.faults.run` that trains with a scripted process: `python -m tests.faults.run_trainings FOLDER`.

`FOLDER/script.json` is the script of the process; see `tests.fixtures.scripted_training`.
"""

from __future__ import annotations

import os
import socket
import sys
from functools import partial
from pathlib import Path

import uvicorn

from app import failpoints
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
from tests.faults.run import Watcher
from tests.fixtures.embedders import WordEmbedder


def main(control: Path) -> None:
    """Runs until it is killed; the product's settings come from the environment."""
    failpoints.watch(Watcher(control))
    settings = Settings()
    owned = DataFolder(settings.data_dir)
    owned.acquire()
    model = OpenAICompatibleModel(
        "none", FixedEndpoint("http://127.0.0.1:9/v1"), first_token_seconds=1, total_seconds=1
    )
    services = build_services(settings, "token-of-this-run", Parts(WordEmbedder(), model))
    preparation = Preparation(services, partial(served_base, settings), Courtesy(1.0))
    command = (sys.executable, "-m", "tests.fixtures.scripted_training", str((control / "script.json").absolute()))
    trainings = TrainingJobs(services, TrainingParts(preparation, build_adapters(services), command))
    listener = socket.create_server(("127.0.0.1", 0))
    owned.announce(RunNote(os.getpid(), f"http://127.0.0.1:{listener.getsockname()[1]}", services.run_token))
    config = uvicorn.Config(create_app(services, trainings), log_config=None, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
