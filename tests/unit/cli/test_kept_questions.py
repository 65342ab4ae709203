"""Where questions are not kept, no file of the data folder has their words: no table, no journal, no log."""

from __future__ import annotations

import pytest

from tests.fixtures.scripted_model import scripted_model
from tests.fixtures.waiting import wait_for
from tests.unit.cli.conftest import WordServer

MANUAL = b"# Kettle\n\nE-04 means that the water tank is empty.\n"
WORD = b"zanzibar"


def found(server: WordServer, kept: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that have the word of a question, or of what the model wrote, after the server was killed."""
    with scripted_model() as model:
        model.reply = "E-04 means that the water tank is empty. Zanzibar zanzibar."
        monkeypatch.setenv("MQA_LLM_BASE_URL", model.base_url)
        monkeypatch.setenv("MQA_KEEP_QUESTIONS", kept)
        monkeypatch.setenv("MQA_LOG_LEVEL", "debug")
        server.start()
        with server.client() as client:
            base = client.post("/v1/knowledge-bases", {"name": "kettle"})["id"]
            manual = server.folder / "kettle.md"
            manual.write_bytes(MANUAL)
            sent = client.upload(base, manual, lambda _: None)
            assert wait_for(lambda: client.get(f"/v1/jobs/{sent['job']['id']}")["state"] == "done", 60)
            body = {"question": "What does E-04 of the zanzibar mean?"}
            answer = client.post(f"/v1/knowledge-bases/{base}/ask", body)
            assert answer["call_id"]
            assert answer["mode"] == "generated"
            assert [name for name, _ in client.events(f"/v1/knowledge-bases/{base}/ask", body)][-1] == "done"
        server.kill()
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    return [path.name for path in files if WORD in path.read_bytes().lower()]


@pytest.mark.parametrize("kept", ["false", "true"])
def test_no_file_has_the_words_of_a_question_that_is_not_kept(
    word_server: WordServer, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = found(word_server, kept, monkeypatch)
    assert bool(names) == (kept == "true"), names
