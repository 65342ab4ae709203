"""Several processes on one Postgres database: a worker that dies is replaced, and nothing is done twice.

The four processes of the first test take a minute; `make test-processes` runs it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from app.catalogue.folder import DataFolder
from app.settings import child_environment
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.waiting import wait_for

WAIT_SECONDS = 240.0
LOST_SECONDS = 20.0
DOCUMENTS = 8


@dataclass
class Company:
    """Processes on one database, each with a data folder of its own."""

    folder: Path
    url: SecretStr
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, duty: str, name: str, **changes: str) -> None:
        """Starts a process."""
        data = self.folder / name
        data.mkdir(exist_ok=True)
        environment = child_environment(
            **{
                "MQA_DATA_DIR": str(data),
                "MQA_FILES_DIR": str(self.folder / "shared"),
                "MQA_DATABASE_URL": self.url.get_secret_value(),
                "MQA_PROCESS_LOST_SECONDS": str(LOST_SECONDS),
                "MQA_PORT": "0",
                "MQA_OCR": "false",
                "MQA_CHUNK_SIZE": "200",
                "MQA_CHUNK_OVERLAP": "0",
                "MQA_MIN_FREE_DISK_MB": "0",
                "MQA_SHUTDOWN_SECONDS": "5",
                "COMPANY_INDEX": str(self.folder / "index.sqlite"),
                **changes,
            }
        )
        with (data / "output.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.fixtures.company", duty, str(data)]
            self.processes[name] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def wait(self) -> None:
        """Until all that were started are at work."""
        for name in self.processes:
            assert wait_for(lambda: self._is_there(name), WAIT_SECONDS), self.said(name)  # noqa: B023 - called at once

    def _is_there(self, name: str) -> bool:
        assert self.processes[name].poll() is None, self.said(name)
        if name.startswith("worker"):
            return self.query("SELECT count(*) FROM processes WHERE id = %s", self.identity(name)) == [(1,)]
        note = DataFolder(self.folder / name).note()
        if note is None or note.pid != self.processes[name].pid:
            return False
        try:
            with self.client(name) as client:
                return client.get("/readyz").json()["parts"]["embedder"]["state"] == "ready"
        except httpx.TransportError:
            return False

    def identity(self, name: str) -> str:
        file = self.folder / name / "process-id"
        return file.read_text() if file.exists() else ""

    def said(self, name: str) -> str:
        return (self.folder / name / "output.log").read_text()[-3000:]

    def client(self, name: str) -> httpx.Client:
        note = DataFolder(self.folder / name).note()
        assert note is not None
        headers = {"Authorization": f"Bearer {note.token}"}
        return httpx.Client(base_url=note.url, headers=headers, timeout=60, trust_env=False)

    def query(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url.get_secret_value(), autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes.pop(name).wait(30)

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(30)


@pytest.fixture
def company(tmp_path: Path, postgres: PostgresServer) -> Iterator[Company]:
    with postgres.migrated() as url:
        made = Company(tmp_path, url)
        try:
            yield made
        finally:
            made.stop()


def upload(client: httpx.Client, base: str, number: int) -> None:
    lines = [f"# Pump {number}"] + [
        f"Line {line} of manual {number}: turn valve V-{line} to the left." for line in range(60)
    ]
    content = "\n\n".join(lines).encode()
    answer = client.post(f"/v1/knowledge-bases/{base}/documents", params={"name": f"m{number}.md"}, content=content)
    assert answer.status_code == 202, answer.text


@pytest.mark.campaign
@pytest.mark.timeout(900)
def test_a_worker_that_is_killed_is_replaced_within_a_minute_and_nothing_is_doubled(company: Company) -> None:
    held = company.folder / "worker-1" / "hold"
    held.parent.mkdir()
    held.write_text("embed.stored", encoding="utf-8")
    for duty, name in (("api", "api-1"), ("api", "api-2"), ("worker", "worker-1"), ("worker", "worker-2")):
        company.start(duty, name)
    company.wait()
    with company.client("api-1") as one, company.client("api-2") as two:
        assert one.get("/readyz").json()["parts"]["workers"]["state"] == "ready"
        base = one.post("/v1/knowledge-bases", json={"name": "pumps"}).json()["id"]
        for number in range(DOCUMENTS):
            upload((one, two)[number % 2], base, number)
        assert wait_for((held.parent / "held").exists, WAIT_SECONDS), company.said("worker-1")
        rest = "SELECT count(*) FROM documents WHERE state = 'ready'"
        assert wait_for(lambda: company.query(rest) == [(DOCUMENTS - 1,)], WAIT_SECONDS), company.query(rest)
        company.kill("worker-1")
        killed = time.monotonic()
        assert wait_for(lambda: company.query(rest) == [(DOCUMENTS,)], WAIT_SECONDS), company.said("worker-2")
        sys.stderr.write(f"taken over {time.monotonic() - killed:.1f} s after the kill\n")
        assert company.query("SELECT state, count(*) FROM jobs GROUP BY state") == [("done", DOCUMENTS)]
        assert company.query("SELECT count(*) FROM dbos.workflow_status WHERE name = 'ingest'") == [(DOCUMENTS,)]
        check = two.post("/v1/maintenance/check", json={"repair": False, "deep": True}).json()
        assert (check["findings"], check["checked"]["documents"]) == ([], DOCUMENTS)
        asked = {"question": "valve V-7", "limit": 50, "threshold": -1}
        hits = [client.post(f"/v1/knowledge-bases/{base}/search", json=asked).json()["hits"] for client in (one, two)]
        assert [hit["chunk"]["id"] for hit in hits[0]] == [hit["chunk"]["id"] for hit in hits[1]]
        assert len({hit["document_name"] for hit in hits[0]}) == DOCUMENTS
        living = company.query("SELECT id FROM processes")
        assert {row[0] for row in living} == {company.identity(name) for name in ("api-1", "api-2", "worker-2")}
        two.delete(f"/v1/knowledge-bases/{base}").raise_for_status()
        assert wait_for(lambda: company.query("SELECT count(*) FROM knowledge_bases") == [(0,)], WAIT_SECONDS)
        assert not list((company.folder / "shared" / "files").glob("??/*"))


@pytest.mark.timeout(300)
def test_two_processes_cannot_have_an_index_in_a_data_folder(company: Company) -> None:
    environment = child_environment(
        MQA_DATA_DIR=str(company.folder / "alone"), MQA_DATABASE_URL=company.url.get_secret_value(), MQA_LANGUAGE="en"
    )
    for command in (["worker"], ["serve", "--no-worker", "--port", "0"]):
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *command], env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "MQA_VECTOR_STORE=milvus" in done.stderr) == (1, True), done.stderr
