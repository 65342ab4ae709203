"""A manualqa server of the benchmark's own, on a free port, in a folder that later runs use again."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from rich.console import Console

from app.cli.client import Client
from app.cli.own_server import own_server

NO_MODEL = "http://127.0.0.1:9/v1"
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
    settings = {"MQA_LLM_MODEL": model} if model else {"MQA_LLM_BASE_URL": NO_MODEL}
    with own_server(data_dir, need_model=model is not None, settings=settings) as own:
        yield Server(own.process, own.client, own.ready_seconds)


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
