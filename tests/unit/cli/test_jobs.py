"""Documents, jobs and rebuilds from the command line, against a real server without weights."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.cli.following import end_note, progress_note
from app.cli.words import Words
from app.settings import child_environment, load_settings
from tests.unit.cli.conftest import Manualqa, Outcome, WordServer

MANUAL = "# Pump P-77\n\nThe pump P-77 needs 24 V.\n"


@contextmanager
def beside(command: Manualqa, *arguments: str) -> Iterator[list[Outcome]]:
    """Runs a command while the block runs; its outcome is there after the block."""
    outcome: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcome.append(command(*arguments)))
    thread.start()
    try:
        yield outcome
    finally:
        thread.join(60)


def a_file(folder: Path, name: str, text: str = MANUAL) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def a_job(**values: object) -> dict[str, Any]:
    job = dict.fromkeys(("pages_total", "documents_total", "pages_per_second", "chunks_per_second", "seconds_left"))
    counts = dict.fromkeys(("pages_done", "chunks_done", "chunks_total", "documents_done"), 0)
    return {**job, **counts, "kind": "ingest", "state": "running", "stage": "parsing", "error": None, **values}


def test_documents_are_loaded_replaced_listed_and_deleted(
    word_server: WordServer, manualqa: Manualqa, tmp_path: Path
) -> None:
    word_server.start()
    path, blank = a_file(tmp_path / "in", "pump.md"), a_file(tmp_path / "in", "blank.txt", "\n")

    first = manualqa("ingest", "--kb", "pumps", str(path.parent))
    assert first.code == 1
    assert f"{path}: ready, 1 pages" in first.err
    assert f"{blank}: The file blank.txt has no text in it" in first.err

    again = manualqa("ingest", "--kb", "pumps", "--json", str(path))
    (entry,) = again.json()["documents"]
    assert (again.code, entry["state"], entry["created"], entry["replaces"]) == (0, "ready", False, False)
    assert "already in the knowledge base" in manualqa("ingest", "--kb", "pumps", str(path)).err

    path.write_text(MANUAL + "It weighs 3 kg.\n")
    newer = manualqa("ingest", "--kb", "pumps", str(path))
    assert newer.code == 0
    assert f"{path}: a new version; it takes the place of pump.md once ready" in newer.err

    listed = manualqa("documents", "list", "--kb", "pumps", "--json").json()["documents"]
    assert sorted((document["name"], document["state"]) for document in listed) == [
        ("blank.txt", "failed"),
        ("pump.md", "ready"),
    ]
    shown = manualqa("documents", "list", "--kb", "pumps", "--state", "failed").out
    assert "has no text" in shown
    assert "pump.md" not in shown

    assert manualqa("documents", "delete", "pump.md", "--kb", "pumps", "--json").code == 0
    missing = manualqa("documents", "delete", "pump.md", "--kb", "pumps")
    assert missing.code == 1
    assert "There is no document pump.md in pumps" in missing.err


def test_jobs_are_listed_cancelled_and_tried_again(word_server: WordServer, manualqa: Manualqa, tmp_path: Path) -> None:
    word_server.start("embed.begin")
    with word_server.client() as client:
        base = client.post("/v1/knowledge-bases", {"name": "pumps"})["id"]
        job = client.upload(base, a_file(tmp_path, "pump.md"), lambda _: None)["job"]["id"]

    assert manualqa("jobs", "list", "--kb", "pumps").out.startswith(job)
    assert manualqa("jobs", "list", "--state", "done", "--json").json() == {"jobs": []}
    assert manualqa("jobs", "list", "--kind", "rebuild", "--json").json() == {"jobs": []}

    cancelled = manualqa("jobs", "cancel", job)
    assert cancelled.code == 0
    assert "pump.md: cancelled" in cancelled.out
    ended = manualqa("jobs", "cancel", job)
    assert ended.code == 1
    assert "has ended already" in ended.err
    assert manualqa("jobs", "watch", job).code == 1

    retried = manualqa("jobs", "retry", job, "--json").json()
    assert retried["id"] != job
    with beside(manualqa, "jobs", "watch", "--json") as outcome:
        word_server.go()
    assert outcome[0].code == 0
    assert [(found["id"], found["state"]) for found in outcome[0].json()["jobs"]] == [(retried["id"], "done")]
    assert "No job is waiting or running." in manualqa("jobs", "watch").out
    assert manualqa("jobs", "retry", job).code == 1


def test_a_load_goes_on_where_the_server_is_killed_and_started_again(
    word_server: WordServer, manualqa: Manualqa, tmp_path: Path
) -> None:
    word_server.start("embed.begin")
    path = a_file(tmp_path, "pump.md")
    with beside(manualqa, "ingest", "--kb", "pumps", "--json", str(path)) as outcome:
        pipe = (word_server.folder / "go").open("wb")  # the document is at the failpoint when this returns
        word_server.kill()
        pipe.close()
        word_server.start()
    (entry,) = outcome[0].json()["documents"]
    assert (outcome[0].code, entry["state"], entry["error"]) == (0, "ready", None)


def test_events_tell_every_end_also_of_what_began_just_before(word_server: WordServer, tmp_path: Path) -> None:
    word_server.start()
    told: list[tuple[str, str]] = []
    sent: set[str] = set()
    with word_server.client() as client:
        base = client.post("/v1/knowledge-bases", {"name": "pumps"})["id"]
        for event, data in client.watch("/v1/jobs/events", knowledge_base_id=base):
            assert event != "quiet", f"no end of all of {sent} in {told}"
            if event == "opened":
                for number in range(5):
                    path = a_file(tmp_path, f"{number}.md", MANUAL + str(number))
                    sent.add(client.upload(base, path, lambda _: None)["job"]["id"])
            else:
                told.append((data["id"], data["state"]))
            ended = [job for job, state in told if state == "done"]
            if len(ended) == len(sent):
                break
    assert sorted(ended) == sorted(sent), "each end is told once"


def test_ctrl_c_leaves_the_work_to_the_server(word_server: WordServer, manualqa: Manualqa, tmp_path: Path) -> None:
    word_server.start("embed.begin")
    command = [sys.executable, "-m", "app.cli", "ingest", "--kb", "pumps", str(a_file(tmp_path, "pump.md"))]
    loading = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # else ignored where the tests' own is
    )
    with (word_server.folder / "go").open("wb"):  # the document is at the failpoint
        loading.send_signal(signal.SIGINT)
        _, error = loading.communicate(timeout=60)
    assert loading.returncode == 1
    assert '`manualqa jobs watch --kb "pumps"`' in error
    assert manualqa("jobs", "watch", "--kb", "pumps").code == 0
    assert [job["state"] for job in manualqa("jobs", "list", "--json").json()["jobs"]] == ["done"]


def test_a_knowledge_base_is_rebuilt_listed_and_deleted(
    word_server: WordServer, manualqa: Manualqa, tmp_path: Path
) -> None:
    word_server.start("rebuild.swap")
    assert manualqa("ingest", "--kb", "pumps", str(a_file(tmp_path, "pump.md"))).code == 0

    started = manualqa("bases", "rebuild", "pumps", "--chunk-size", "300", "--no-wait", "--json")
    (job,) = started.json()["jobs"]
    assert (started.code, job["kind"]) == (0, "rebuild")
    (base,) = manualqa("bases", "list", "--json").json()["knowledge_bases"]
    assert base["rebuild"]["id"] == job["id"]
    assert "index being rebuilt" in manualqa("bases", "list").out
    twice = manualqa("bases", "rebuild", "pumps")
    assert twice.code == 1
    assert "is being rebuilt already" in twice.err

    with beside(manualqa, "jobs", "watch", job["id"]) as outcome:
        word_server.go()
    assert outcome[0].code == 0
    (base,) = manualqa("bases", "list", "--json").json()["knowledge_bases"]
    assert (base["fingerprint"]["chunk_size"], base["rebuild"]) == (300, None)

    rebuilt = manualqa("bases", "rebuild", "pumps", "--json")
    assert (rebuilt.code, rebuilt.json()["jobs"][0]["state"]) == (0, "done")
    assert manualqa("bases", "rebuild", "pumps", "--chunk-size", "99").code == 2
    assert manualqa("bases", "delete", "pumps", "--json").json() == {"deleted": base["id"]}


def test_doctor_finds_and_mends_what_disagrees(word_server: WordServer, manualqa: Manualqa, tmp_path: Path) -> None:
    word_server.start()
    assert manualqa("ingest", "--kb", "pumps", str(a_file(tmp_path, "pump.md"))).code == 0
    stray = word_server.folder / "files" / "ab" / ("ab" + "0" * 62)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"left over")

    def found(*options: str) -> list[tuple[bool, str]]:
        report = manualqa("doctor", "--json", *options).json()
        return [
            (finding["ok"], finding["found"]["kind"] if finding["found"] else "")
            for finding in report
            if finding["check"] == "consistency"
        ]

    assert found() == [(False, "file_unused")]
    assert "`manualqa doctor --repair`" in manualqa("doctor").out
    assert found("--repair", "--deep") == [(True, "file_unused")]
    assert not stray.exists()
    assert found() == [(True, "")]


def test_keys_are_revoked_and_a_reader_may_not_repair(
    word_server: WordServer, manualqa: Manualqa, monkeypatch: pytest.MonkeyPatch
) -> None:
    word_server.start()
    made = manualqa("keys", "create", "someone", "--json").json()
    monkeypatch.setenv("MQA_API_KEY", made["secret"])
    load_settings.cache_clear()
    assert "admin is needed" in manualqa("doctor", "--repair").out
    assert "admin is needed" not in manualqa("doctor").out
    monkeypatch.delenv("MQA_API_KEY")
    load_settings.cache_clear()
    rotated = manualqa("keys", "rotate", made["id"], "--hours", "0", "--json").json()
    assert rotated["secret"] != made["secret"]
    assert manualqa("keys", "revoke", made["id"], "--json").json() == {"revoked": made["id"]}
    changes = [change["action"] for change in manualqa("audit", "--json").json()["changes"]]
    assert changes == ["DELETE /v1/keys/{key_id}", "POST /v1/keys/{key_id}/rotate", "POST /v1/keys"]
    assert made["id"] in manualqa("audit", "--limit", "1").out


def test_a_key_is_limited_by_name_and_listed_so(word_server: WordServer, manualqa: Manualqa) -> None:
    word_server.start()
    with word_server.client() as client:
        base = client.post("/v1/knowledge-bases", {"name": "kettles"})["id"]
    options = ("--kb", "kettles", "--days", "30", "--per-minute", "60", "--questions-per-day", "500")
    made = manualqa("keys", "create", "service desk", *options, "--json").json()
    assert (made["knowledge_base_ids"], made["requests_per_minute"]) == ([base], 60)
    until = made["expires_at"][:10]
    assert f"service desk  (kettles)  until {until}  500 questions a day" in manualqa("keys", "list").out
    assert "API key (shown only once" in manualqa("keys", "create", "everything").out
    assert "everything  (all knowledge bases)" in manualqa("keys", "list").out
    refused = manualqa("keys", "create", "x", "--kb", "toasters")
    assert refused.code != 0
    assert "toasters" in refused.out + refused.err


@pytest.mark.parametrize(
    ("job", "english", "chinese"),
    [
        (a_job(stage="waiting", state="queued"), "waiting", "等待处理"),
        (
            a_job(stage="recognising", pages_done=3, pages_total=9, pages_per_second=0.25),
            "recognising scanned pages 3/9 pages, 0.2 pages/s",
            "正在识别扫描页 3/9 页，每秒 0.2 页",
        ),
        (
            a_job(stage="embedding", chunks_done=64, chunks_total=400, chunks_per_second=42.4, seconds_left=67.6),
            "embedding 64/400 chunks, 42 chunks/s, 1:08 left",
            "正在计算向量 64/400 块，每秒 42 块，剩余 1:08",
        ),
        (
            a_job(kind="rebuild", stage="publishing", documents_done=2, documents_total=5),
            "2/5 documents, publishing",
            "2/5 个文档，正在发布",
        ),
    ],
)
def test_progress_is_told_in_both_languages(job: dict[str, Any], english: str, chinese: str) -> None:
    assert progress_note(Words("en"), job) == english
    assert progress_note(Words("zh"), job) == chinese


def test_an_end_is_told_with_its_reason() -> None:
    failed = a_job(state="failed", error={"code": "no_text", "message": "It has no text."})
    assert end_note(Words("en"), failed) == "It has no text."
    assert end_note(Words("zh"), a_job(state="done", pages_total=12)) == "就绪，12 页"
    assert end_note(Words("en"), None) == "deleted or replaced meanwhile"
