"""The processes of a scaled-out set-up: one is killed while its jobs run, and every document is ready once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from app.catalogue.folder import DataFolder
from app.cli.client import Client
from eval.bench.claims import BenchmarkFailed, Findings
from tests.fixtures.processes import Company

SERVERS, WORKERS = ("api-1", "api-2"), ("worker-1", "worker-2")
KILL_AT = 0.4
"""Share of the documents that are ready when the worker is killed."""

TAKEN_OVER_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_STUCK_SECONDS = 900.0
"""Without another document that has ended: it will not come to an end."""

_STOP_SECONDS = 90.0


def client_of(company: Company, name: str) -> Client:
    """A client of one of the servers; raises `BenchmarkFailed` where it is not there."""
    note = DataFolder(company.folder / name).note()
    if note is None:
        raise BenchmarkFailed(f"{name} is not there: {company.said(name)}")
    return Client(note.url, note.token, "en")


def lose_a_worker(company: Company, count: int, found: Findings) -> None:
    """Kills the first worker in the middle, while jobs of it run; notes how long until others have them."""
    victim = WORKERS[0]
    dead = company.identity(victim)
    middle = KILL_AT * count
    _until(company, lambda: _ended(company) == count or (_ready(company) >= middle and _has_jobs(company, dead)))
    ready = _ready(company)
    company.kill(victim)
    killed = time.monotonic()
    lost = _running_jobs(company, dead)
    found.add(f"jobs that ran in the worker when it was killed, {ready} documents being ready", len(lost))
    if not lost:
        raise BenchmarkFailed("its jobs had ended in the moment before the kill; run it again")
    _until(company, lambda: not _running_jobs(company, dead))
    noticed = time.monotonic() - killed
    _until(company, lambda: all(_executor(company, one) not in (None, dead) for one in lost))
    taken = time.monotonic() - killed
    found.add("until its jobs were in a queue again, s", round(noticed, 1))
    aim = f"under {TAKEN_OVER_SECONDS:.0f}"
    found.add("until another worker had all of them, s", round(taken, 1), aim, met=taken < TAKEN_OVER_SECONDS)


def _ready(company: Company) -> int:
    return int(str(company.query("SELECT count(*) FROM documents WHERE state = 'ready'")[0][0]))


def _has_jobs(company: Company, process_id: str) -> bool:
    return bool(_running_jobs(company, process_id))


def _running_jobs(company: Company, process_id: str) -> list[str]:
    """The documents' jobs that a process has begun and not ended, as the jobs' engine has them."""
    running = "name = 'ingest' AND status = 'PENDING' AND executor_id = %s"
    rows = company.query(f"SELECT workflow_uuid FROM dbos.workflow_status WHERE {running}", process_id)  # noqa: S608
    return [str(row[0]) for row in rows]


def _executor(company: Company, job: str) -> str | None:
    """Who has begun a job; None while it waits in a queue."""
    query = "SELECT executor_id FROM dbos.workflow_status WHERE workflow_uuid = %s AND status IN ('PENDING', 'SUCCESS')"
    rows = company.query(query, job)
    return str(rows[0][0]) if rows else None


def until_ended(company: Company, count: int) -> None:
    _until(company, lambda: _ended(company) == count)


def _ended(company: Company) -> int:
    return int(str(company.query("SELECT count(*) FROM jobs WHERE state IN ('done', 'failed', 'cancelled')")[0][0]))


def _until(company: Company, condition: Callable[[], bool]) -> None:
    """Waits for it as long as jobs end; raises `BenchmarkFailed` where a process died by itself, or nothing ends."""
    ended, moment = _ended(company), time.monotonic()
    while not condition():
        for name, process in company.processes.items():
            if process.poll() is not None:
                raise BenchmarkFailed(f"{name} has ended: {company.said(name)}")
        now = _ended(company)
        if now != ended:
            ended, moment = now, time.monotonic()
        if time.monotonic() - moment > _STUCK_SECONDS:
            raise BenchmarkFailed(f"no document has ended for {_STUCK_SECONDS:.0f} s: {company.said(WORKERS[1])}")
        time.sleep(_LOOK_SECONDS)


def check_once(company: Company, client: Client, count: int, found: Findings) -> None:
    """That every document is ready, by one job that was begun as one workflow, and catalogue and stores agree."""
    documents = _by_state(company, "documents")
    jobs = _by_state(company, "jobs")
    workflows = company.query("SELECT count(*) FROM dbos.workflow_status WHERE name = 'ingest'")[0][0]
    once = documents == {"ready": count} and jobs == {"done": count} and workflows == count
    found.add("documents, jobs, workflows", f"{documents}, {jobs}, {workflows}", f"each {count}, once", met=once)
    passages = company.query("SELECT count(*) FROM chunks")[0][0]
    check = client.post("/v1/maintenance/check", {"repair": False, "deep": True}, patient=True)
    found.add("passages", passages)
    findings = f"{len(check['findings'])} in {check['checked']['documents']} documents"
    found.add("findings of the deep check", findings, "none", met=not check["findings"])


def _by_state(company: Company, table: str) -> dict[object, object]:
    rows = company.query(f"SELECT state, count(*) FROM {table} GROUP BY state")  # noqa: S608 - a name of ours
    return {row[0]: row[1] for row in rows}


def end(company: Company) -> None:
    """Ends the processes in good order, so that none is taken for alive by a migration."""
    for process in company.processes.values():
        process.terminate()
    for process in company.processes.values():
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
