"""Every route of the OpenAPI document, by everybody who might call it: nothing foreign is ever read or changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.catalogue.adapters import NewAdapter, new_adapter_id
from app.catalogue.evaluations import EvaluationRoom, NewEvaluation
from app.catalogue.finetunes import NewTraining, TrainingRoom, new_training_id
from app.catalogue.keys import Role
from app.catalogue.promotions import NewPromotion
from app.catalogue.reviews import ReviewFilter
from app.evaluation.reviewed import expected_of
from app.types import DraftKind, JobState, PromptKind
from tests.unit.api.conftest import MANUAL, Api, an_api, listening

OPEN = {("get", "/healthz"), ("get", "/readyz")}
"""Routes without a key."""

QUIET_SECONDS = 1.0
"""A stream that says nothing for so long has said what there is."""

MOST_READ = 200_000
PAIRS = "\n".join(
    json.dumps({"id": f"q{n}", "question": f"What does E-{n:02} mean?", "answers": ["The tank is empty."]})
    for n in range(12)
)


@dataclass(frozen=True)
class World:
    """A knowledge base with one of everything; `ids` by the name of a path's parameter, `words` stand nowhere else."""

    base: str
    ids: dict[str, str]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Caller:
    """Somebody who calls, and the statuses that are right where what is called for belongs to somebody else."""

    name: str
    headers: dict[str, str]
    refused: frozenset[int]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with an_api(tmp_path_factory.mktemp("matrix")) as made:
        yield made


def a_world(api: Api, word: str) -> World:
    base = api.base(f"{word} base")
    text = MANUAL.replace("Kettle", word)
    document = api.ready(base, f"{word}.md", text.encode())
    [job] = api.client.get("/v1/jobs", params={"knowledge_base_id": base}).json()["jobs"]
    conversation = api.client.post(f"/v1/knowledge-bases/{base}/conversations").json()["id"]
    api.model_says("")
    asked = api.client.post(f"/v1/conversations/{conversation}/ask", json={"question": f"What is {word}?"})
    assert asked.status_code == 200, asked.text
    [turn] = api.client.get(f"/v1/conversations/{conversation}").json()["turns"]
    services = api.services
    evaluation = services.evaluations.add(
        base, NewEvaluation(f"{word} evaluation", word, "0" * 64, PAIRS, 12, {}), EvaluationRoom(9, 9)
    )
    services.evaluations.end(evaluation.id, JobState.CANCELLED)
    training = services.trainings.add(
        new_training_id(), base, NewTraining(f"{word} training", "tiny", {}, {}), TrainingRoom(9, 9)
    )
    services.trainings.fail(training.id, "training_failed", {"reason": word})
    made = NewAdapter(f"{word} adapter", "tiny", "r", 4, 1, "0" * 64, PromptKind.FULL, job_id=training.id)
    adapter = services.adapters.add(new_adapter_id(), made, 9)
    services.promotions.promote(NewPromotion(base, adapter.id, 100, "tests"))
    [call] = services.reviews.queue(base, ReviewFilter(), 1, 0)
    draft, _ = services.drafts.add(base, call.id, DraftKind.PAIR, expected_of(call))
    ids = {
        "knowledge_base_id": base,
        "call_id": call.id,
        "draft_id": draft.id,
        "document_id": document["id"],
        "page": "1",
        "conversation_id": conversation,
        "turn_id": turn["id"],
        "evaluation_id": evaluation.id,
        "before": evaluation.id,
        "after": evaluation.id,
        "adapter_id": adapter.id,
        "job_id": job["id"],
        "training_id": training.id,
        "key_id": "key-none",
        "model_id": base,
    }
    return World(base, ids, (word,))


@dataclass(frozen=True)
class Worlds:
    mine: World
    foreign: World


@pytest.fixture(scope="module")
def worlds(own: Api) -> Worlds:
    return Worlds(a_world(own, "Quarzlampe"), a_world(own, "Zorblax"))


def key(api: Api, role: Role, *bases: str) -> tuple[str, dict[str, str]]:
    made, secret = api.services.keys.create(f"a {role}", role, bases or None)
    return made.id, {"Authorization": f"Bearer {secret}"}


def callers(api: Api, worlds: Worlds) -> list[Caller]:
    """Those who may use the one knowledge base, and those who may use none."""
    revoked, gone = key(api, Role.READER)
    api.services.keys.revoke(revoked)
    hidden = frozenset({403, 404})
    base = api.base("to be deleted")
    _, nothing = key(api, Role.READER, base)
    api.client.delete(f"/v1/knowledge-bases/{base}")
    return [
        Caller("editor of another", key(api, Role.EDITOR, worlds.mine.base)[1], hidden),
        Caller("reader of another", key(api, Role.READER, worlds.mine.base)[1], hidden),
        Caller("reader of what is deleted", nothing, hidden),
        Caller("revoked", gone, frozenset({401})),
        Caller("wrong", {"Authorization": "Bearer mqa_wrong"}, frozenset({401})),
        Caller("anonymous", {}, frozenset({401})),
    ]


def routes(api: Api) -> list[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of every route that is described."""
    paths = api.client.get("/openapi.json").json()["paths"]
    return [(method, path, operation) for path, found in paths.items() for method, operation in found.items()]


def body_of(method: str, path: str, world: World) -> dict[str, Any]:
    """A body that is right in itself, as arguments of a request; a route with a body must be named here."""
    base = world.base
    bodies: dict[tuple[str, str], dict[str, Any]] = {
        ("post", "/v1/knowledge-bases"): {"name": "one more"},
        ("patch", "/v1/knowledge-bases/{knowledge_base_id}"): {"threshold": 0.3},
        ("post", "/v1/knowledge-bases/{knowledge_base_id}/rebuild"): {},
        ("post", "/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}/pages/{page}/boxes"): {
            "quote": "E-04 means that the water tank is empty."
        },
        ("post", "/v1/knowledge-bases/{knowledge_base_id}/search"): {"question": "What does E-04 mean?"},
        ("post", "/v1/knowledge-bases/{knowledge_base_id}/ask"): {"question": "What does E-04 mean?", "stream": True},
        ("post", "/v1/knowledge-bases/{knowledge_base_id}/ask-batch"): {"questions": ["What does E-04 mean?"]},
        ("post", "/v1/knowledge-bases/{knowledge_base_id}/conversations"): {},
        ("post", "/v1/conversations/{conversation_id}/ask"): {"question": "What does E-04 mean?"},
        ("put", "/v1/turns/{turn_id}/feedback"): {"verdict": "up"},
        ("put", "/v1/calls/{call_id}/feedback"): {"verdict": "down"},
        ("put", "/v1/calls/{call_id}/label"): {"label": "wrong"},
        ("post", "/v1/calls/{call_id}/drafts"): {"kind": "question"},
        ("put", "/v1/drafts/{draft_id}"): {"question": "What does E-04 mean?", "answers": ["The tank is empty."]},
        ("post", "/v1/evaluations"): {"knowledge_base_id": base, "question_set_name": "s", "questions": PAIRS},
        ("post", "/v1/knowledge-bases/{knowledge_base_id}/calibration"): {"evaluation_id": world.ids["evaluation_id"]},
        ("post", "/v1/knowledge-bases/{knowledge_base_id}/question-drafts"): {"count": 1},
        ("post", "/v1/adapters/{adapter_id}/prove"): {"knowledge_base_id": base, "questions": PAIRS},
        ("put", "/v1/knowledge-bases/{knowledge_base_id}/adapter"): {"adapter_id": world.ids["adapter_id"]},
        ("post", "/v1/knowledge-bases/{knowledge_base_id}/adapter/rollback"): {"reason": ""},
        ("post", "/v1/finetune/datasets"): {"knowledge_base_id": base, "pairs_name": "p", "pairs": PAIRS},
        ("post", "/v1/finetune/estimate"): {"knowledge_base_id": base, "pairs_name": "p", "pairs": PAIRS},
        ("post", "/v1/finetune/jobs"): {"knowledge_base_id": base, "pairs_name": "p", "pairs": PAIRS},
        ("post", "/v1/chat/completions"): {
            "model": base,
            "messages": [{"role": "user", "content": "What does E-04 mean?"}],
            "stream": True,
        },
        ("post", "/v1/embeddings"): {"model": "words", "input": "What does E-04 mean?"},
        ("post", "/v1/keys"): {"name": "one more"},
        ("post", "/v1/keys/{key_id}/rotate"): {"overlap_hours": 1},
        ("post", "/v1/maintenance/check"): {},
    }
    if (method, path) in {("post", "/v1/knowledge-bases/{knowledge_base_id}/documents"), ("post", "/v1/adapters")}:
        return {"content": b"# A manual\n\nSome text.", "params": {"name": "new.md"}}
    return {"json": bodies[method, path]}


def ask(client: httpx.Client, method: str, path: str, operation: dict[str, Any], world: World) -> tuple[int, str]:
    """Status and text of an answer, as far as it comes; a stream is read until it is quiet."""
    ids = world.ids
    if path.startswith("/v1/finetune/"):
        ids = {**ids, "job_id": ids["training_id"]}
    sent = body_of(method, path, world) if "requestBody" in operation else {}
    text = b""
    with client.stream(method, path.format(**ids), **sent) as answer, suppress(httpx.ReadTimeout):
        answer.request.extensions["timeout"]["read"] = QUIET_SECONDS  # its first word may take longer
        for part in answer.iter_bytes():
            text += part
            if len(text) > MOST_READ:
                break
    return answer.status_code, text.decode("utf-8", "replace")


def is_about_one(path: str) -> bool:
    """Whether the address or the body names something of a knowledge base."""
    named = {
        "/v1/evaluations",
        "/v1/finetune/datasets",
        "/v1/finetune/estimate",
        "/v1/finetune/jobs",
        "/v1/chat/completions",
    }
    return "{" in path.replace("{key_id}", "") or path in named


def test_nothing_foreign_is_read_or_changed_by_any_route(own: Api, worlds: Worlds) -> None:
    foreign = worlds.foreign
    with listening(own) as (host, port):
        address = f"http://{host}:{port}"
        for caller in callers(own, worlds):
            for method, path, operation in routes(own):
                with httpx.Client(base_url=address, headers=caller.headers, trust_env=False, timeout=30) as client:
                    status, text = ask(client, method, path, operation, foreign)
                where = (caller.name, method, path, status, text[:300])
                assert status < 500, where
                for word in foreign.words:
                    assert word not in text, where
                if (method, path) in OPEN:
                    assert status == 200, where
                elif 401 in caller.refused or (
                    is_about_one(path) and not (method == "get" and path in {"/v1/evaluations", "/v1/finetune/jobs"})
                ):
                    assert status in caller.refused, where
    assert own.client.get(f"/v1/knowledge-bases/{foreign.base}").json()["name"] == "Zorblax base"
    [document] = own.client.get(f"/v1/knowledge-bases/{foreign.base}/documents").json()["documents"]
    assert document["state"] == "ready"
    assert own.client.get(f"/v1/adapters/{foreign.ids['adapter_id']}").json()["state"] == "promoted"


@pytest.mark.parametrize("role", [Role.EDITOR, Role.READER])
def test_what_is_theirs_is_read_by_limited_keys(own: Api, worlds: Worlds, role: Role) -> None:
    """So that the test above does not pass because everything is refused."""
    mine = worlds.mine
    _, headers = key(own, role, mine.base)
    private = ("/v1/conversations/", "/v1/turns/")  # of the key that began them
    unwritten = {"/v1/finetune/jobs/{job_id}/examples", "/v1/evaluations/{evaluation_id}/run"}
    read: list[str] = []
    with listening(own) as (host, port):
        for method, path, operation in routes(own):
            if method != "get" or path.startswith(private) or path in unwritten:
                continue
            with httpx.Client(base_url=f"http://{host}:{port}", headers=headers, trust_env=False, timeout=30) as client:
                status, text = ask(client, method, path, operation, mine)
            if status == 200:
                read.append(path)
                assert "Zorblax" not in text
            else:
                assert '"role_too_low"' in text or '"key_limited"' in text or status in {404, 409}, (path, text[:300])
    for path in (
        "/v1/knowledge-bases",
        "/v1/knowledge-bases/{knowledge_base_id}",
        "/v1/knowledge-bases/{knowledge_base_id}/documents",
        "/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}/pages/{page}",
        "/v1/jobs",
        "/v1/jobs/events",
        "/v1/jobs/{job_id}",
        "/v1/evaluations/{evaluation_id}",
        "/v1/adapters",
        "/v1/adapters/{adapter_id}",
        "/v1/knowledge-bases/{knowledge_base_id}/adapter",
        "/v1/finetune/jobs/{job_id}",
        "/v1/calls",
    ):
        assert path in read, path


def test_pages_show_what_is_theirs_alone(own: Api, worlds: Worlds) -> None:
    mine, foreign = worlds.mine, worlds.foreign
    _, headers = key(own, Role.EDITOR, mine.base)
    for path in (
        "/",
        "/kb",
        "/jobs",
        "/evaluations",
        "/adapters",
        "/finetune",
        "/operations",
        f"/kb/{mine.base}/documents",
    ):
        page = own.client.get(path, headers=headers)
        assert page.status_code == 200, path
        assert "Zorblax" not in page.text, path
    shown = own.client.get("/kb", headers=headers).text
    assert "Quarzlampe" in shown
    assert 'id="create"' not in shown  # a new one would not be theirs
    assert 'id="create"' in own.client.get("/kb", headers=key(own, Role.EDITOR)[1]).text
    for path in (
        f"/kb/{foreign.base}/ask",
        f"/kb/{foreign.base}/documents",
        f"/kb/{foreign.base}/documents/{foreign.ids['document_id']}",
        f"/kb/{foreign.base}/settings",
        f"/evaluations/{foreign.ids['evaluation_id']}",
        f"/adapters/{foreign.ids['adapter_id']}",
        f"/finetune/{foreign.ids['training_id']}",
    ):
        page = own.client.get(path, headers=headers)
        assert page.status_code == 404, path
        assert "Zorblax" not in page.text, path


def test_one_s_own_conversation_is_away_with_the_right_to_its_knowledge_base(own: Api, worlds: Worlds) -> None:
    """A key's own conversation, in a knowledge base that is deleted for it: the key is limited to another one now."""
    services = own.services
    made, secret = services.keys.create("moved", Role.READER, [worlds.mine.base])
    conversation = services.conversations.create(worlds.foreign.base, made.id)
    headers = {"Authorization": f"Bearer {secret}"}
    for method, path in (
        ("GET", f"/v1/conversations/{conversation.id}"),
        ("DELETE", f"/v1/conversations/{conversation.id}"),
    ):
        assert own.client.request(method, path, headers=headers).status_code == 404
    assert services.conversations.get(conversation.id, made.id).id == conversation.id


def test_a_limited_editor_works_in_theirs(own: Api, worlds: Worlds) -> None:
    """Uploads, asks, and deletes again; what others have under the same bytes stays."""
    base, theirs = worlds.mine.base, worlds.foreign.base
    content = b"# Toaster T-5\n\nE-77 means that the crumb tray is missing.\n"
    other = own.ready(theirs, "toaster.md", content)
    _, headers = key(own, Role.EDITOR, base)
    documents = f"/v1/knowledge-bases/{base}/documents"
    sent = own.client.post(documents, params={"name": "toaster.md"}, content=content, headers=headers)
    assert sent.status_code == 202, sent.text
    job = own.ended(sent.json()["job"]["id"])
    assert job["state"] == "done"
    found = own.client.post(
        f"/v1/knowledge-bases/{base}/search", json={"question": "What does E-77 mean?"}, headers=headers
    ).json()
    assert found["hits"][0]["document_name"] == "toaster.md"
    deleted = own.client.delete(f"{documents}/{job['document_id']}", headers=headers)
    assert deleted.status_code == 204
    own.until(lambda: not own.services.documents.is_there(job["document_id"]))
    file = own.client.get(f"/v1/knowledge-bases/{theirs}/documents/{other['id']}/file")
    assert (file.status_code, file.content) == (200, content)
    own.client.delete(f"/v1/knowledge-bases/{theirs}/documents/{other['id']}")
