"""Many users at once: times of questions, searches and uploads, what the server takes, and its overhead over the model.

The embedder is the real one, the model server one that costs nothing, so that what is measured is the service.
"""

from __future__ import annotations

import csv
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.cli.own_server import own_server
from app.settings import child_environment
from eval.bench.server import Server, filled_base
from eval.traffic import endpoint
from eval.traffic.environment import locust

USERS_FILE = Path(endpoint.__file__).with_name("users.py")
USERS = 54
"""40 that ask, 10 that search, 4 that upload, each every two seconds: 20 questions, 5 searches, 2 uploads a second."""
CODES = 400
TOKENS_PER_SECOND = 50.0
PARALLEL = 8
ROUNDS = 5
LOAD_STARTS_SECONDS = 15.0
_LAG = re.compile(r'^manualqa_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


def measure(seconds: int) -> list[dict[str, Any]]:
    """One row a thing measured. Raises `CalledProcessError` where locust cannot be installed."""
    program = locust()
    with tempfile.TemporaryDirectory() as folder, _endpoint() as model_url:
        settings = {
            "MQA_LLM_BASE_URL": f"{model_url}/v1",
            "MQA_LLM_MODEL": "scripted",
            "MQA_MAX_DOCUMENTS": "1000000",
        }
        with own_server(Path(folder) / "data", need_model=True, settings=settings) as own:
            server = Server(own.process, own.client, own.ready_seconds)
            base = _manuals(server, Path(folder))
            return [*_overhead(server, base, model_url), *_load(server, base, program, Path(folder), seconds)]


@contextmanager
def _endpoint() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", endpoint.__name__, str(port), str(TOKENS_PER_SECOND)]
    process = subprocess.Popen(command)  # noqa: S603 - our own command
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            with suppress(httpx.HTTPError):
                httpx.get(f"{url}/v1/models", timeout=1)
                break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _manuals(server: Server, folder: Path) -> str:
    path = folder / "codes.md"
    said = [
        f"## Code E-{code}\n\nE-{code} means that valve {code * 7 % 389} does not close.\n" for code in range(CODES)
    ]
    path.write_text("\n".join(said), encoding="utf-8")
    return filled_base(server.client, "codes", [path])


# --- load -------------------------------------------------------------------------------------------------------------


def _load(server: Server, base: str, program: Path, folder: Path, seconds: int) -> list[dict[str, Any]]:
    uploads = filled_base(server.client, "uploads", [])
    key = server.client.post("/v1/keys", {"name": "traffic", "role": "admin"})["secret"]
    sizes = Sizes(server.process.pid)
    metrics = _lag_counts(server, key)
    environment = child_environment(
        TRAFFIC_KEY=key, TRAFFIC_BASE=base, TRAFFIC_UPLOADS=uploads, TRAFFIC_CODES=str(CODES)
    )
    command = [str(program), "-f", str(USERS_FILE), "--headless", "--only-summary", "--host", server.client.url]
    numbers = [
        "-u",
        str(USERS),
        "-r",
        str(USERS / LOAD_STARTS_SECONDS),
        "-t",
        f"{seconds}s",
        "--csv",
        str(folder / "l"),
    ]
    with sizes.sampled():
        subprocess.run([*command, *numbers], env=environment, check=False, stdout=sys.stderr)  # noqa: S603
    rows = [_row(line, seconds) for line in csv.DictReader((folder / "l_stats.csv").open(encoding="utf-8"))]
    lag = percentile({le: count - metrics.get(le, 0.0) for le, count in _lag_counts(server, key).items()}, 0.99)
    rows.append({"what": "event loop, lag", "p99 ms at most": None if lag is None else round(lag * 1000)})
    return rows + sizes.rows()


def _row(line: Mapping[str, str], seconds: int) -> dict[str, Any]:
    def whole(name: str) -> int | None:
        return None if line[name] in {"", "N/A"} else round(float(line[name]))

    return {
        "what": line["Name"],
        "number": whole("Request Count"),
        "a second": round(float(line["Request Count"]) / seconds, 1),
        "failed": whole("Failure Count"),
        "p50 ms": whole("50%"),
        "p95 ms": whole("95%"),
        "p99 ms": whole("99%"),
    }


def _lag_counts(server: Server, key: str) -> dict[float, float]:
    told = httpx.get(f"{server.client.url}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=30)
    found = _LAG.findall(told.raise_for_status().text)
    return {float(le): float(count) for le, count in found}


def percentile(counts: Mapping[float, float], share: float) -> float | None:
    """The upper end of the bucket of a cumulative histogram that the share falls into; None without values."""
    most = max(counts.values(), default=0.0)
    if most <= 0:
        return None
    return min(le for le, count in counts.items() if count >= most * share)


class Sizes:
    """Memory, descriptors and threads of a process, a sample every five seconds."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._samples: list[tuple[float, int, int]] = []

    @contextmanager
    def sampled(self) -> Iterator[None]:
        done = threading.Event()

        def sample() -> None:
            while not done.wait(5.0):
                with suppress(psutil.Error):
                    size = self._process.memory_info().rss / 1e6
                    self._samples.append((size, self._process.num_fds(), self._process.num_threads()))

        sampler = threading.Thread(target=sample, daemon=True)
        sampler.start()
        try:
            yield
        finally:
            done.set()
            sampler.join()

    def rows(self) -> list[dict[str, Any]]:
        """Means of the fifth of the samples after the first fifth, and of the last."""
        fifth = max(1, len(self._samples) // 5)
        begin, end = self._samples[fifth : 2 * fifth] or self._samples, self._samples[-fifth:]

        def mean(samples: list[tuple[float, int, int]], which: int) -> int:
            return round(sum(sample[which] for sample in samples) / max(1, len(samples)))

        names = ("memory MB", "descriptors", "threads")
        return [
            {"what": name, "in the second fifth": mean(begin, number), "in the last": mean(end, number)}
            for number, name in enumerate(names)
        ]


# --- overhead ---------------------------------------------------------------------------------------------------------


def _overhead(server: Server, base: str, model_url: str) -> list[dict[str, Any]]:
    """Eight questions at a time through the service, then the very prompts of those to the model server itself."""
    url = f"{server.client.url}/v1/knowledge-bases/{base}/ask"
    key = server.client.post("/v1/keys", {"name": "overhead", "role": "reader"})["secret"]

    def through(number: int) -> tuple[float, float]:
        body = {"question": f"What does the code E-{number} mean?", "stream": True}
        return _streamed(url, body, {"Authorization": f"Bearer {key}"}, lambda line: line.startswith("event: token"))

    _at_once(through, range(PARALLEL))  # warm
    served = _at_once(through, range(PARALLEL * ROUNDS))
    prompts = httpx.get(f"{model_url}/asked", timeout=10).json()[-PARALLEL * ROUNDS :]

    def raw(number: int) -> tuple[float, float]:
        return _streamed(f"{model_url}/v1/chat/completions", prompts[number], {}, lambda line: "content" in line)

    direct = _at_once(raw, range(len(prompts)))
    tokens = sum(len(endpoint.reply_to(prompt)) for prompt in prompts)
    return [
        {
            "what": what,
            "number": len(times),
            "first token p50 ms": round(sorted(first for first, _ in times)[len(times) // 2] * 1000),
            "tokens/s": round(tokens / wall, 1),
            "of raw": round(direct[1] / wall, 3),
        }
        for what, (times, wall) in (("through the service", served), ("the model server itself", direct))
    ]


def _at_once(ask: Callable[[int], tuple[float, float]], numbers: range) -> tuple[list[tuple[float, float]], float]:
    started = time.perf_counter()
    with ThreadPoolExecutor(PARALLEL) as pool:
        times = list(pool.map(ask, numbers))
    return times, time.perf_counter() - started


def _streamed(
    url: str, body: dict[str, Any], headers: dict[str, str], is_token: Callable[[str], bool]
) -> tuple[float, float]:
    """Seconds to the first token and to the end."""
    started, first = time.perf_counter(), None
    with httpx.stream("POST", url, json=body, headers=headers, timeout=120) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if first is None and is_token(line):
                first = time.perf_counter() - started
    whole = time.perf_counter() - started
    return whole if first is None else first, whole
