"""Postgres crashes and comes back under servers and workers that are at it: nothing that was acknowledged is lost.

The four processes take minutes; `make test-processes` runs it.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.fixtures.postgres import PostgresServer, a_postgres
from tests.fixtures.processes import WAIT_SECONDS, Company, a_company
from tests.fixtures.waiting import wait_for

SERVERS, WORKERS = ("api-1", "api-2"), ("worker-1", "worker-2")
RECOVERY_SECONDS = 10.0
"""From the moment at which the database answers again to the first answer of a server."""

REFUSALS = 100
"""Of each client, while the database is away: that lasts some seconds, more than a process takes between two beats."""

FORGOTTEN_SECONDS = 150.0
"""Workers look every half minute at what came into no queue."""

PAUSE_SECONDS = 0.05


@dataclass
class Client(threading.Thread):
    """Sends one request after the other until it is ended, and keeps when it got which status."""

    send: Callable[[httpx.Client], httpx.Response]
    connect: Callable[[], httpx.Client]
    answers: list[tuple[float, int]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._ended = threading.Event()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        with self.connect() as client:
            while not self._ended.wait(PAUSE_SECONDS):
                try:
                    answer = self.send(client)
                except httpx.HTTPError as error:
                    self.wrong.append(repr(error))
                    continue
                self.answers.append((time.monotonic(), answer.status_code))
                if not (answer.is_success or (answer.status_code == 503 and answer.json()["code"] == "unavailable")):
                    self.wrong.append(f"{answer.status_code}: {answer.text}")

    def end(self) -> None:
        self._ended.set()
        self.join(WAIT_SECONDS)

    def count(self, *, good: bool, since: float = 0.0) -> int:
        """Answers that were good, or refused, since a moment."""
        return sum((status < 300) == good for moment, status in list(self.answers) if moment > since)

    def first_good(self, since: float) -> float:
        return next(moment for moment, status in self.answers if moment > since and status < 300)


class Uploads:
    """Uploads of small manuals, each until it is taken; `taken` are the names."""

    def __init__(self, base: str, prefix: str) -> None:
        self._base, self._prefix = base, prefix
        self._numbers = itertools.count()
        self._name = f"{prefix}-{next(self._numbers)}.md"
        self.taken: list[str] = []

    def __call__(self, client: httpx.Client) -> httpx.Response:
        content = f"# {self._name}\n\nTurn valve V-7 of {self._name} to the left.".encode()
        path = f"/v1/knowledge-bases/{self._base}/documents"
        answer = client.post(path, params={"name": self._name}, content=content)
        if answer.is_success:
            self.taken.append(self._name)
            self._name = f"{self._prefix}-{next(self._numbers)}.md"
        return answer


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """One of the test's own, since it crashes."""
    with a_postgres() as running:
        yield running


@pytest.fixture
def company(server: PostgresServer, tmp_path: Path) -> Iterator[Company]:
    with a_company(tmp_path, server) as made:
        yield made


@pytest.mark.campaign
@pytest.mark.timeout(900)
def test_a_crash_of_the_database_costs_some_503_and_loses_nothing(server: PostgresServer, company: Company) -> None:
    for duty, name in (*(("api", name) for name in SERVERS), *(("worker", name) for name in WORKERS)):
        company.start(duty, name)
    company.wait()
    identities = {company.identity(name) for name in (*SERVERS, *WORKERS)}
    with company.client(SERVERS[0]) as client:
        base = str(client.post("/v1/knowledge-bases", json={"name": "valves"}).json()["id"])
    uploads = [Uploads(base, name) for name in SERVERS]
    asked = {"question": "valve V-7", "limit": 5, "threshold": -1}
    clients = [
        Client(send, lambda name=name: company.client(name))  # type: ignore[misc]
        for name, upload in zip(SERVERS, uploads, strict=True)
        for send in (upload, lambda client: client.post(f"/v1/knowledge-bases/{base}/search", json=asked))
    ]
    for one in clients:
        one.start()
    assert wait_for(lambda: all(one.count(good=True) > 5 for one in clients), WAIT_SECONDS)
    server.stop()
    crashed = time.monotonic()
    assert wait_for(lambda: all(one.count(good=False, since=crashed) > REFUSALS for one in clients), WAIT_SECONDS)
    server.start()
    back = time.monotonic()
    assert wait_for(lambda: all(one.count(good=True, since=back) > 5 for one in clients), WAIT_SECONDS)
    for one in clients:
        one.end()
    assert [one.wrong for one in clients] == [[]] * len(clients)
    assert all(one.count(good=False, since=back + RECOVERY_SECONDS) == 0 for one in clients)
    waited = max(one.first_good(back) - back for one in clients)
    refused = sum(one.count(good=False) for one in clients)
    taken = {name for upload in uploads for name in upload.taken}
    sys.stderr.write(f"away for {back - crashed:.1f} s; {refused} requests refused; {waited:.1f} s to recover\n")
    assert waited < RECOVERY_SECONDS
    ready = "SELECT count(*) FROM documents WHERE state = 'ready'"
    recovered = wait_for(lambda: company.query(ready) == [(len(taken),)], WAIT_SECONDS)
    assert recovered, (company.query("SELECT state, count(*) FROM documents GROUP BY state"), len(taken))
    sys.stderr.write(f"all {len(taken)} ready {time.monotonic() - back:.1f} s after the database was back\n")
    assert {str(row[0]) for row in company.query("SELECT name FROM documents")} == taken
    assert company.query("SELECT state, count(*) FROM jobs GROUP BY state") == [("done", len(taken))]
    assert {str(row[0]) for row in company.query("SELECT id FROM processes")} == identities
    assert all(process.poll() is None for process in company.processes.values())
    with company.client(SERVERS[1]) as client:
        check = client.post("/v1/maintenance/check", json={"repair": False, "deep": True}).json()
    assert (check["findings"], check["checked"]["documents"]) == ([], len(taken))


@pytest.mark.campaign
@pytest.mark.timeout(900)
def test_a_document_whose_job_came_into_no_queue_is_read_all_the_same(server: PostgresServer, company: Company) -> None:
    """The database crashes after the document is in the catalogue and before its job is in a queue; nobody dies."""
    for duty, name in (("api", SERVERS[0]), ("worker", WORKERS[0])):
        company.start(duty, name)
    company.wait()
    answers: list[httpx.Response] = []
    with company.client(SERVERS[0]) as client:
        base = str(client.post("/v1/knowledge-bases", json={"name": "valves"}).json()["id"])
        upload = Uploads(base, "valve")
        sending = threading.Thread(target=lambda: answers.append(upload(client)))
        database = company.url.get_secret_value().rpartition("/")[2]
        with suppress(psycopg.OperationalError), server.connected(database) as connection:  # it ends with the crash
            connection.autocommit = False
            connection.execute("LOCK TABLE dbos.workflow_status IN SHARE MODE")  # no job comes into a queue
            sending.start()
            assert wait_for(lambda: company.query("SELECT count(*) FROM documents") == [(1,)], WAIT_SECONDS)
            server.stop()
        sending.join(WAIT_SECONDS)
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "unavailable")]
        server.start()
        back = time.monotonic()
        ready = "SELECT state FROM documents"
        assert wait_for(lambda: company.query(ready) == [("ready",)], FORGOTTEN_SECONDS), company.said(WORKERS[0])
        sys.stderr.write(f"ready {time.monotonic() - back:.1f} s after the database was back\n")
        assert upload(client).status_code == 200  # the same bytes again are the same document
    assert company.query("SELECT state, count(*) FROM jobs GROUP BY state") == [("done", 1)]
