"""What is really there on a server, so that requests meet more than 404; what they delete is made again."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.fixtures.codes import MANUAL, pairs
from tests.fixtures.pdfs import a_pdf
from tests.fixtures.waiting import wait_for

PAGES = ("E-04 means that the tank is blocked.", "Clean the tank and press OK.")
QUESTIONS = [
    {"id": "tank", "question": "What does E-06 mean?", "answers": ["the tank is blocked"]},
    {"id": "price", "question": "What does the pump cost?", "answerable": False},
]
QUESTION_SET = "".join(json.dumps(question) + "\n" for question in QUESTIONS)
DESTROYERS = ("DELETE", "retire", "cancel", "rollback", "unhost")
"""What takes something away gets a thing of its own."""
_GONE = ("retired", "cancelled", "failed", "deleting")
_WAIT_SECONDS = 120.0


class World:
    """Names of parameters and of fields of bodies, and what of the server they may hold."""

    def __init__(self, client: httpx.Client, archive: Path) -> None:
        self._client, self._archive = client, archive
        self._kept: dict[str, str] = {}
        self._doomed: dict[str, str] = {}

    # --- what is there ------------------------------------------------------------------------------------------------

    def replenish(self) -> None:
        """Makes what is not there, or not any more."""
        for things in (self._kept, self._doomed):
            for kind, (path, make) in self._makers(things).items():
                if kind not in things or not self._is_there(path.format(**things)):
                    things[kind] = make()
            things["key_id"] = self._key()

    def _makers(self, things: dict[str, str]) -> dict[str, tuple[str, Callable[[], str]]]:
        """By kind, in the order of their making: where it would be, and how to make it."""
        documents = "/v1/knowledge-bases/{knowledge_base_id}/documents"
        return {
            "knowledge_base_id": ("/v1/knowledge-bases/{knowledge_base_id}", self._base),
            "document_id": (documents + "/{document_id}", lambda: self._document(things)),
            "paged_id": (documents + "/{paged_id}", lambda: self._document(things, pdf=True)),
            "job_id": ("/v1/jobs/{job_id}", lambda: self._job(things)),
            "conversation_id": ("/v1/conversations/{conversation_id}", lambda: self._conversation(things)),
            "turn_id": ("/v1/conversations/{conversation_id}", lambda: self._turn(things)),
            "evaluation_id": ("/v1/evaluations/{evaluation_id}", lambda: self._evaluation(things)),
            "adapter_id": ("/v1/adapters/{adapter_id}", self._adapter),
            "training_id": ("/v1/finetune/jobs/{training_id}", lambda: self._training(things)),
        }

    def warm_up(self, documents: int) -> None:
        """Has so many documents taken in and deleted: each thread of the server keeps what its first write has cost."""
        base = self._kept["knowledge_base_id"]
        for number in range(documents):
            path = f"/v1/knowledge-bases/{base}/documents"
            content = f"{MANUAL}\n\nE-{number} is a fault.\n".encode()
            made = self._sent("POST", path, params={"name": f"warm {number}.md"}, content=content)
            self._until(f"/v1/jobs/{made['job']['id']}", "ended_at")
            self._client.delete(f"{path}/{made['document']['id']}")

    def _is_there(self, path: str) -> bool:
        answer = self._client.get(path)
        return answer.is_success and answer.json().get("state") not in _GONE

    def _sent(self, method: str, path: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - httpx's own
        answer = self._client.request(method, path, **request)
        assert answer.is_success, (method, path, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def _base(self) -> str:
        made = self._sent("POST", "/v1/knowledge-bases", json={"name": f"codes {secrets.token_hex(4)}"})
        return str(made["id"])

    def _document(self, things: dict[str, str], *, pdf: bool = False) -> str:
        path = f"/v1/knowledge-bases/{things['knowledge_base_id']}/documents"
        name, content = ("codes.pdf", a_pdf(PAGES)) if pdf else ("codes.md", MANUAL.encode())
        made = self._sent("POST", path, params={"name": name}, content=content)
        self._until(f"/v1/jobs/{made['job']['id']}", "ended_at")
        return str(made["document"]["id"])

    def _job(self, things: dict[str, str]) -> str:
        found = self._sent("GET", "/v1/jobs", params={"document_id": things["document_id"]})
        return str(found["jobs"][0]["id"])

    def _conversation(self, things: dict[str, str]) -> str:
        made = self._sent("POST", f"/v1/knowledge-bases/{things['knowledge_base_id']}/conversations")
        path = f"/v1/conversations/{made['id']}"
        answer = self._client.post(f"{path}/ask", json={"question": "What does E-06 mean?"})
        assert answer.is_success, answer.text
        things["turn_id"] = self._turn({"conversation_id": made["id"]})
        return str(made["id"])

    def _turn(self, things: dict[str, str]) -> str:
        return str(self._sent("GET", f"/v1/conversations/{things['conversation_id']}")["turns"][0]["id"])

    def _evaluation(self, things: dict[str, str]) -> str:
        body = {
            "knowledge_base_id": things["knowledge_base_id"],
            "question_set_name": "codes",
            "questions": QUESTION_SET,
        }
        self._until_there_is_room("/v1/evaluations", "evaluations")
        made = self._sent("POST", "/v1/evaluations", json=body)
        self._until(f"/v1/evaluations/{made['id']}", "finished_at")
        return str(made["id"])

    def _adapter(self) -> str:
        name = f"style {secrets.token_hex(4)}"
        made = self._sent("POST", "/v1/adapters", params={"name": name}, content=self._archive.read_bytes())
        self._sent("POST", f"/v1/adapters/{made['id']}/host")
        return str(made["id"])

    def _training(self, things: dict[str, str]) -> str:
        body = {
            "knowledge_base_id": things["knowledge_base_id"],
            "name": f"codes {secrets.token_hex(4)}",
            "pairs_name": "codes",
            "pairs": pairs(),
            "training": {"max_tokens": 4096, "rank": 4},
        }
        self._until_there_is_room("/v1/finetune/jobs", "jobs")
        made = self._sent("POST", "/v1/finetune/jobs", json=body)
        self._until(f"/v1/finetune/jobs/{made['id']}", "finished_at")
        return str(made["id"])

    def _key(self) -> str:
        return str(self._sent("POST", "/v1/keys", json={"name": "doomed"})["id"])

    def _until(self, path: str, field: str) -> None:
        assert wait_for(lambda: self._sent("GET", path)[field] is not None, _WAIT_SECONDS), path

    def _until_there_is_room(self, path: str, field: str) -> None:
        def nothing_open() -> bool:
            return all(one["finished_at"] is not None for one in self._sent("GET", path)[field])

        assert wait_for(nothing_open, _WAIT_SECONDS), path

    # --- in requests --------------------------------------------------------------------------------------------------

    def of(self, label: str, dice: Random) -> dict[str, Any]:
        """What fields of such a request may hold, by their names."""
        takes_away = any(word in label for word in DESTROYERS)
        things: dict[str, Any] = dict(self._doomed if takes_away else self._kept)
        if "{page}" in label:
            things["document_id"] = things["paged_id"]
        if "/finetune/" in label:
            things["job_id"] = things["training_id"]
        evaluations = [self._kept["evaluation_id"], self._doomed["evaluation_id"]]
        return {
            **things,
            "before": evaluations[0],
            "after": dice.choice(evaluations),
            "page": dice.choice((1, 2, 3)),
            "v": things["document_id"],
            "adapter": dice.choice(("base", things["adapter_id"])),
            "proof": {"base": evaluations[0], "adapter": evaluations[1]},
            "question": "What does E-06 mean?",
            "quote": dice.choice(PAGES),
            "questions": ["What does E-06 mean?", "错误代码 E-06 是什么意思？"]
            if "ask-batch" in label
            else QUESTION_SET,
            "pairs": pairs(),
            "format": "jsonl",
            "training": {"max_tokens": 4096, "rank": 4},
        }

    def name_of(self, label: str, dice: Random) -> str:
        """A name of a new thing there, or in a list one that is there."""
        number = dice.randrange(1000)
        return f"{number}.{dice.choice(('md', 'pdf', 'txt'))}" if label.endswith("/documents") else f"name {number}"

    def content_of(self, label: str, dice: Random) -> bytes:
        """A file that can be uploaded there."""
        if label == "POST /v1/adapters":
            return self._archive.read_bytes()
        line = f"\n\nE-{dice.randrange(100, 10_000)} means that the lid is open.\n"
        return dice.choice((MANUAL.encode() + line.encode(), a_pdf([line])))
