"""`manualqa reviews` and `manualqa drafts`, against a real server without weights."""

from __future__ import annotations

from pathlib import Path

from eval.question_sets import read
from tests.unit.cli.conftest import Manualqa, WordServer

QUESTION = "What does [E-04] mean?"


def test_drafts_are_listed_and_exported_as_a_question_set(
    word_server: WordServer, manualqa: Manualqa, tmp_path: Path
) -> None:
    word_server.start()
    out = tmp_path / "new" / "reviewed.jsonl"
    with word_server.client() as client:
        base = client.post("/v1/knowledge-bases", {"name": "kettles"})["id"]
        call = client.post(f"/v1/knowledge-bases/{base}/ask", {"question": QUESTION, "stream": False})["call_id"]
        client.put(f"/v1/calls/{call}/label", {"label": "right"})
        draft = client.post(f"/v1/calls/{call}/drafts", {"kind": "question"})
        assert QUESTION in manualqa("reviews", "--label", "right").out
        assert manualqa("reviews", "--label", "wrong", "--json").json()["total"] == 0
        assert "to be corrected" in manualqa("drafts", "list").out
        client.put(f"/v1/drafts/{draft['id']}", {"question": QUESTION, "answerable": False})
    assert manualqa("drafts", "export", "--out", str(out), "--json").json() == {"file": str(out), "drafts": 1}
    [question] = read(out).questions
    assert (question.question, question.answerable) == (QUESTION, False)
