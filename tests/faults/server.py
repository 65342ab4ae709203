"""A server that may die at any moment, and is started again by whoever finds it dead."""

from __future__ import annotations

import json
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.catalogue.folder import DataFolder
from app.settings import child_environment

Json = dict[str, Any]

START_SECONDS = 180.0
RECOVERY_SECONDS = 120.0
"""Longest time from a restart until everything is ready again."""
_STARTS = 12
_SETTINGS = {
    "MQA_PORT": "0",
    "MQA_PARSE_WINDOW_PAGES": "2",
    "MQA_CHUNK_SIZE": "200",
    "MQA_CHUNK_OVERLAP": "0",
    "MQA_MIN_FREE_DISK_MB": "0",
    "MQA_INGEST_RETRY_SECONDS": "0.05",
    "MQA_SHUTDOWN_SECONDS": "10",
}
UNSETTLED = """
select (select count(*) from jobs where state in ('queued', 'running'))
     + (select count(*) from documents where state in ('queued', 'processing', 'deleting'))
     + (select count(*) from generations where state != 'live')
     + (select count(*) from knowledge_bases where deleting)
"""


class FaultServer:
    """`python -m tests.faults.run` on a data folder; `call` answers even where the server dies of the question."""

    module = "tests.faults.run"

    def __init__(self, folder: Path, **settings: str) -> None:
        self.data = folder / "data"
        self.control = folder / "control"
        self.control.mkdir(parents=True, exist_ok=True)
        self.deaths = 0
        self.recoveries: list[float] = []
        self._environment = child_environment(MQA_DATA_DIR=str(self.data), **(_SETTINGS | settings))
        self._started_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def client(self) -> httpx.Client:
        assert self._client is not None
        return self._client

    def start(self) -> None:
        """Starts it, again where it is killed before it is ready; returns once it is."""
        for _ in range(_STARTS):
            self._started_at = time.monotonic()
            if self._client is not None:
                self._client.close()
            with (self.control / "output.log").open("ab") as log:
                command = [sys.executable, "-m", self.module, str(self.control)]
                self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
            if self._is_ready_or_killed():
                return
            self.deaths += 1
        raise AssertionError(f"killed {_STARTS} times before it was ready")

    def connect(self) -> httpx.Client:
        """A client of the server as it runs now."""
        note = DataFolder(self.data).note()
        assert note is not None
        headers = {"Authorization": f"Bearer {note.token}"}
        return httpx.Client(base_url=note.url, headers=headers, timeout=60, trust_env=False)

    def stop(self) -> None:
        """Ends it, however it is."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._client is not None:
            self._client.close()

    def wait(self, seconds: float = START_SECONDS) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(seconds)

    def _is_ready_or_killed(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            code = self.process.poll()
            if code is not None:
                assert code == -signal.SIGKILL, (code, (self.control / "output.log").read_text()[-3000:])
                return False
            note = DataFolder(self.data).note()
            if note is not None and note.pid == self.process.pid:
                client = self.connect()
                try:
                    if client.get("/readyz").json()["status"] in ("ready", "degraded"):
                        self._client = client
                        return True
                except (httpx.TransportError, ValueError):
                    pass
                client.close()
            time.sleep(0.02)
        raise AssertionError("the server did not get ready")

    # --- orders -------------------------------------------------------------------------------------------------------

    def kill_at(self, point: str, at: int = 1, *, always: bool = False) -> None:
        """Has the server kill itself when it comes to this point for the `at`-th time from now on."""
        order = json.dumps({"point": point, "at": at, "always": always, "id": secrets.token_hex(4)})
        self._write("kill", order)

    def is_armed(self) -> bool:
        """Whether the order to kill has not been carried out."""
        return (self.control / "kill").exists()

    def disarm(self) -> None:
        (self.control / "kill").unlink(missing_ok=True)

    @contextmanager
    def held_at(self, point: str) -> Iterator[Callable[[], None]]:
        """Keeps whoever comes to this point there; the value waits until somebody is."""
        (self.control / "held").unlink(missing_ok=True)
        self._write("hold", point)

        def wait() -> None:
            deadline = time.monotonic() + RECOVERY_SECONDS
            while not (self.control / "held").exists():
                assert time.monotonic() < deadline, f"nobody came to {point}"
                self.revive()
                time.sleep(0.02)

        try:
            yield wait
        finally:
            (self.control / "hold").unlink(missing_ok=True)

    def reached(self) -> Counter[str]:
        """How often each point has been reached since the last `forget_reached`."""
        return Counter((self.control / "reached").read_text().split())

    def forget_reached(self) -> None:
        with (self.control / "reached").open("r+") as file:
            file.truncate(0)

    def _write(self, name: str, text: str) -> None:
        temporary = self.control / f"{name}.tmp"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.control / name)

    # --- requests -----------------------------------------------------------------------------------------------------

    def revive(self) -> None:
        """Starts it again where it has been killed."""
        if self.process.poll() is not None:
            assert self.process.returncode == -signal.SIGKILL
            self.deaths += 1
            self.start()

    def call(self, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401
        """The answer; asked again of the next server where this one died before it answered."""
        for _ in range(_STARTS):
            try:
                return self.client.request(method, path, **request)
            except httpx.TransportError:
                self.wait(10)
                self.revive()
        raise AssertionError("no answer")

    def get(self, path: str, **parameters: str | int) -> Json:
        answer = self.call("GET", path, params=parameters)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def base(self, name: str) -> str:
        """The id of a new knowledge base."""
        answer = self.call("POST", "/v1/knowledge-bases", json={"name": name})
        if answer.status_code == 409:  # made by a server that died before it could say so
            return str(self.get("/v1/knowledge-bases", name=name)["knowledge_bases"][0]["id"])
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def upload(self, base: str, name: str, content: bytes) -> Json:
        answer = self.call("POST", f"/v1/knowledge-bases/{base}/documents", params={"name": name}, content=content)
        assert answer.status_code in (200, 202), answer.text
        found: Json = answer.json()
        return found

    # --- what there is ------------------------------------------------------------------------------------------------

    def settle(self) -> float:
        """Waits until nothing is on its way any more and catalogue, files and indexes agree.

        Returns the seconds since the server was started.
        """
        deadline = time.monotonic() + RECOVERY_SECONDS
        left: object
        while (left := self._unsettled()) or self._files_on_their_way() or (left := self.findings()):
            assert time.monotonic() < deadline, (left, self.findings())
            self.revive()
            time.sleep(0.03)
        return time.monotonic() - self._started_at

    def findings(self) -> list[Json]:
        answer = self.call("POST", "/v1/maintenance/check", json={"repair": False, "deep": True})
        assert answer.status_code == 200, answer.text
        found: list[Json] = answer.json()["findings"]
        return found

    def _unsettled(self) -> int:
        with closing(sqlite3.connect(self.data / "catalogue.sqlite", timeout=30)) as connection:
            return int(connection.execute(UNSETTLED).fetchone()[0])

    def _files_on_their_way(self) -> bool:
        return any((self.data / "files").glob("upload-*"))

    def documents(self, base: str) -> dict[str, Json] | None:
        """What can be known of each document by name, without its own id; None where there is no such base."""
        answer = self.call("GET", f"/v1/knowledge-bases/{base}/documents", params={"limit": 500})
        if answer.status_code == 404:
            return None
        found: dict[str, Json] = {}
        for document in answer.json()["documents"]:
            assert document["name"] not in found, f"{document['name']} is there twice"
            found[document["name"]] = {
                "state": document["state"],
                "error": document["error"] and document["error"]["code"],
                "pages": document["pages"],
                "chunks": document["chunks"],
                "texts": self._chunks(base, document["id"]),
            }
        return found

    def _chunks(self, base: str, document_id: str) -> list[tuple[object, ...]]:
        found = self.get(f"/v1/knowledge-bases/{base}/documents/{document_id}/chunks", limit=500)["chunks"]
        identities = [chunk["id"] for chunk in found]
        assert len(set(identities)) == len(identities)
        return [
            (chunk["id"].removeprefix(document_id), chunk["text"], chunk["page_start"], chunk["page_end"])
            for chunk in found
        ]


class Reader(threading.Thread):
    """Searches all the time and sees of every document one whole version or nothing; `wrong` says where it did not.

    `options` are, by (document name, marker word), the sorted texts that may be seen of it, one list for each version.
    """

    def __init__(self, server: FaultServer, base: str, options: dict[tuple[str, str], list[list[str]]]) -> None:
        super().__init__(daemon=True)
        self.wrong: list[str] = []
        self.searches = 0
        self._server, self._base, self._options = server, base, options
        self._ended = threading.Event()

    def end(self) -> None:
        """Stops searching."""
        self._ended.set()
        self.join()

    def only(self, name: str, seen: int) -> None:
        """From now on only the last (`seen` -1) or first (0) of a document's options may be seen."""
        for key in [key for key in self._options if key[0] == name]:
            self._options[key] = [self._options[key][seen]]

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                with self._server.connect() as client:
                    self._search(client)
            except (httpx.TransportError, AssertionError):
                self._ended.wait(0.05)

    def _search(self, client: httpx.Client) -> None:
        while not self._ended.is_set():
            for (name, marker), before in list(self._options.items()):
                answer = client.post(
                    f"/v1/knowledge-bases/{self._base}/search",
                    json={"question": marker, "limit": 50, "threshold": -1},
                )
                if answer.status_code == 503 and "code" in answer.json():
                    continue
                seen = texts_of(answer, name, marker)
                self.searches += 1
                if seen not in before and seen not in self._options[name, marker]:
                    self.wrong.append(f"{name}: {len(seen)} of {[len(option) for option in before]} passages: {seen}")
                self._ended.wait(0.01)


def texts_of(answer: httpx.Response, name: str, marker: str) -> list[str]:
    """The texts with the marker of one document in a search result, sorted; none where the base is gone."""
    if answer.status_code == 404:
        return []
    assert answer.status_code == 200, answer.text
    hits = [hit["chunk"]["text"] for hit in answer.json()["hits"] if hit["document_name"] == name]
    return sorted(text for text in hits if marker in text)
