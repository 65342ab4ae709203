"""A manualqa server of the benchmark's own, on a free port, in a folder that later runs use again."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from rich.console import Console

from app.catalogue.folder import DataFolder
from app.cli.client import Client
from app.settings import child_environment

START_SECONDS = 180
console = Console(stderr=True)


class Server:
    """A running server and the memory of its processes."""

    def __init__(self, process: subprocess.Popen[bytes], client: Client, ready_seconds: float) -> None:
        self.process = process
        self.client = client
        self.ready_seconds = ready_seconds

    def memory_mb(self) -> dict[str, float]:
        """Resident memory now: of the server, and of its model server."""
        root = psutil.Process(self.process.pid)
        found = {"server": root.memory_info().rss / 1e6, "model server": 0.0, "others": 0.0}
        for child in root.children(recursive=True):
            with suppress(psutil.Error):
                kind = "model server" if "engine_child" in " ".join(child.cmdline()) else "others"
                found[kind] += child.memory_info().rss / 1e6
        return found

    @contextmanager
    def peak_memory(self) -> Iterator[dict[str, float]]:
        """Samples memory every 0.1 s; the peak of each part, and of the server with its children, is in the result."""
        peak = {"server": 0.0, "model server": 0.0, "others": 0.0, "without model server": 0.0}
        done = threading.Event()

        def sample() -> None:
            while not done.wait(0.1):
                with suppress(psutil.Error):
                    now = self.memory_mb()
                    now["without model server"] = now["server"] + now["others"]
                    for part, megabytes in now.items():
                        peak[part] = max(peak[part], megabytes)

        sampler = threading.Thread(target=sample, daemon=True)
        sampler.start()
        try:
            yield peak
        finally:
            done.set()
            sampler.join()


@contextmanager
def running_server(data_dir: Path, *, model: str | None = None) -> Iterator[Server]:
    """Starts a server and waits until it is ready; without `model` there is no model server."""
    model_setting = {"MQA_LLM_MODEL": model} if model else {"MQA_LLM_BASE_URL": "http://127.0.0.1:9/v1"}
    environment = child_environment(MQA_DATA_DIR=str(data_dir), **model_setting)
    data_dir.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with (data_dir / "benchmark-server.log").open("wb") as log:
        command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own command
    try:
        with _connected(process, data_dir) as client:
            _wait(process, client, need_model=model is not None)
            yield Server(process, client, time.monotonic() - started)
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _connected(process: subprocess.Popen[bytes], data_dir: Path) -> Client:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        note = DataFolder(data_dir).note()
        if note is not None and note.pid == process.pid:
            return Client(note.url, note.token, "en")
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start; see {data_dir / 'benchmark-server.log'}")


def _wait(process: subprocess.Popen[bytes], client: Client, *, need_model: bool) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        state = client.ready()
        if state["status"] == "ready" or (state["status"] == "degraded" and not need_model):
            return
        time.sleep(0.05)
    raise RuntimeError("the server did not get ready")


def filled_base(client: Client, name: str, files: list[Path]) -> str:
    """The id of the knowledge base `name` with all `files` in it, ready; files that cannot be read are reported."""
    found = client.get("/v1/knowledge-bases", name=name)["knowledge_bases"]
    base = found[0] if found else client.post("/v1/knowledge-bases", {"name": name})
    jobs = [client.upload(base["id"], path, lambda _: None)["job"] for path in files]
    for job in jobs:
        for state in client.job_states(job["id"]):
            last = state
        if last["error"]:
            console.print(f"{last['document_name']}: {last['error']['message']}", markup=False)
    return str(base["id"])
