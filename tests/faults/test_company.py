"""Several processes on one Postgres database: a worker that dies is replaced, and nothing is done twice.

The four processes of the first tests take minutes; `make test-processes` runs them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pymilvus import MilvusClient

from app.settings import child_environment
from tests.fixtures.milvus_servers import MilvusLite
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.processes import WAIT_SECONDS, Company
from tests.fixtures.s3_server import an_s3_server
from tests.fixtures.waiting import wait_for

DOCUMENTS = 8
TAKEN_OVER_SECONDS = 60.0
MANUALS = Path(__file__).parents[2] / "examples" / "manuals"


def upload(client: httpx.Client, base: str, number: int, lines: int = 60) -> None:
    said = [f"# Pump {number}"] + [
        f"Line {line} of manual {number}: turn valve V-{line} to the left." for line in range(lines)
    ]
    content = "\n\n".join(said).encode()
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
        adapters = company.folder / "shared" / "adapters"
        half, made_by_another = (
            adapters / f".new-{company.identity(name)}.ad-0123456789abcdef" for name in ("worker-1", "worker-2")
        )
        for folder in (half, made_by_another):
            folder.mkdir(parents=True)
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
        assert wait_for(lambda: not half.exists(), WAIT_SECONDS), company.said("worker-2")
        assert made_by_another.exists()
        two.delete(f"/v1/knowledge-bases/{base}").raise_for_status()
        assert wait_for(lambda: company.query("SELECT count(*) FROM knowledge_bases") == [(0,)], WAIT_SECONDS)
        assert not list((company.folder / "shared" / "files").glob("??/*"))


def executor(company: Company, document: str) -> tuple[object, ...]:
    """Who has begun to read a document, and how it stands there, as the jobs' engine has it."""
    query = (
        "SELECT workflow.executor_id, workflow.status FROM dbos.workflow_status AS workflow"
        " JOIN jobs ON jobs.id = workflow.workflow_uuid JOIN documents ON documents.id = jobs.document_id"
        " WHERE documents.name = %s"
    )
    [found] = company.query(query, document)
    return found


@pytest.mark.campaign
@pytest.mark.timeout(900)
def test_a_worker_takes_over_beside_its_own_document_and_both_take_turns(company: Company) -> None:
    """The one that is left is in the middle of a document of the same size, which has many steps before it."""
    company.start("api", "api-1")
    for name in ("worker-1", "worker-2"):
        (company.folder / name).mkdir()
        (company.folder / name / "hold").write_text("embed.stored", encoding="utf-8")
    company.start("worker", "worker-1")
    company.wait()
    left, own = company.folder / "worker-1", company.folder / "worker-2"
    with company.client("api-1") as client:
        base = client.post("/v1/knowledge-bases", json={"name": "pumps"}).json()["id"]
        upload(client, base, 1)
        assert wait_for((left / "held").exists, WAIT_SECONDS), company.said("worker-1")
        company.start("worker", "worker-2")
        upload(client, base, 2, lines=6000)
        assert wait_for((own / "held").exists, WAIT_SECONDS), company.said("worker-2")
        company.kill("worker-1")
        killed = time.monotonic()
        taken = (company.identity("worker-2"), "PENDING")
        assert wait_for(lambda: executor(company, "m1.md") == taken, WAIT_SECONDS), company.said("worker-2")
        seconds = time.monotonic() - killed
        sys.stderr.write(f"another worker at it {seconds:.1f} s after the kill, its own document held\n")
        assert seconds < TAKEN_OVER_SECONDS
        (own / "hold").write_text("publish.begin", encoding="utf-8")  # where only the short one comes soon
        (own / "held").unlink(missing_ok=True)
        assert wait_for((own / "held").exists, WAIT_SECONDS), company.said("worker-2")
        assert company.query("SELECT documents.name FROM jobs JOIN documents ON documents.id = jobs.document_id"
                             " WHERE jobs.stage = 'publishing'") == [("m1.md",)]  # fmt: skip
        assert executor(company, "m2.md") == taken
        (own / "hold").unlink()
        ended = "SELECT count(*) FROM documents WHERE state = 'ready'"
        assert wait_for(lambda: company.query(ended) == [(2,)], WAIT_SECONDS), company.said("worker-2")
        assert company.query("SELECT state, attempts FROM jobs") == [("done", 1)] * 2
        check = client.post("/v1/maintenance/check", json={"repair": False, "deep": True}).json()
        assert (check["findings"], check["checked"]["documents"]) == ([], 2)


@pytest.fixture
def scaled_out(tmp_path: Path, postgres: PostgresServer) -> Iterator[Company]:
    """Postgres, milvus-lite and S3-compatible storage, each a server of its own; no language model."""
    milvus = MilvusLite(tmp_path / "milvus")
    with postgres.migrated() as url, an_s3_server(tmp_path / "s3") as s3:
        milvus.start()
        stores = {
            "MQA_VECTOR_STORE": "milvus",
            "MQA_MILVUS_URI": milvus.uri,
            "MQA_MILVUS_DATABASE": "default",
            "MQA_MILVUS_TIMEOUT_SECONDS": "60",
            "MQA_LLM_BASE_URL": "http://127.0.0.1:9/v1",
            **s3.settings(),
        }
        made = Company(tmp_path, url, stores)
        try:
            yield made
        finally:
            made.stop()
            milvus.stop()


@pytest.mark.campaign
@pytest.mark.weights
@pytest.mark.timeout(1800)
def test_two_servers_and_two_workers_on_real_stores_lose_a_worker_and_nothing_else(scaled_out: Company) -> None:
    for duty, name in (("api", "api-1"), ("api", "api-2"), ("worker", "worker-1"), ("worker", "worker-2")):
        scaled_out.start(duty, name)
    scaled_out.wait()
    manuals = sorted(MANUALS.glob("*.pdf"))
    with scaled_out.client("api-1") as one, scaled_out.client("api-2") as two:
        base = one.post("/v1/knowledge-bases", json={"name": "samples"}).json()["id"]
        for number in range(DOCUMENTS):
            upload((one, two)[number % 2], base, number)
        for number, path in enumerate(manuals):
            answer = (one, two)[number % 2].post(
                f"/v1/knowledge-bases/{base}/documents", params={"name": path.name}, content=path.read_bytes()
            )
            assert answer.status_code == 202, answer.text
        count = len(manuals) + DOCUMENTS
        ready = "SELECT count(*) FROM documents WHERE state = 'ready'"
        assert wait_for(lambda: scaled_out.query(ready) > [(0,)], WAIT_SECONDS), scaled_out.said("worker-1")
        scaled_out.kill("worker-1")
        killed = time.monotonic()
        assert wait_for(lambda: scaled_out.query(ready) == [(count,)], 3 * WAIT_SECONDS), scaled_out.said("worker-2")
        sys.stderr.write(f"all {count} ready {time.monotonic() - killed:.1f} s after a worker was killed\n")
        assert scaled_out.query("SELECT state, count(*) FROM jobs GROUP BY state") == [("done", count)]
        check = two.post("/v1/maintenance/check", json={"repair": False, "deep": True}).json()
        assert (check["findings"], check["checked"]["documents"]) == ([], count)
        asked = {"question": "KD-30A 的额定功率是多少？", "limit": 5}
        first, second = (
            client.post(f"/v1/knowledge-bases/{base}/search", json=asked).json()["hits"] for client in (one, two)
        )
        assert [hit["chunk"]["id"] for hit in first] == [hit["chunk"]["id"] for hit in second]
        assert any("420 W" in hit["chunk"]["text"] for hit in first)
        two.delete(f"/v1/knowledge-bases/{base}").raise_for_status()
        gone = "SELECT count(*) FROM knowledge_bases"
        assert wait_for(lambda: scaled_out.query(gone) == [(0,)], WAIT_SECONDS), scaled_out.said("worker-2")
    assert scaled_out.stores is not None
    client = MilvusClient(uri=scaled_out.stores["MQA_MILVUS_URI"], dedicated=True)
    assert [name for name in client.list_collections() if name.startswith("mqa_")] == []
    client.close()


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
