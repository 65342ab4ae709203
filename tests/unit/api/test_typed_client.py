"""The typed Python client against a real server, and against the API's own description."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from manualqa_client import Answer, ApiError, JobFailed, Manualqa, SearchResult, client, models
from pydantic import BaseModel

from tests.fixtures.scripted_model import Fault
from tests.unit.api.conftest import MANUAL, Api

SCHEMAS = {
    "Problem": "Reason",
    "KnowledgeBaseSettings": "SettingsOut",
    "KnowledgeBase": "KnowledgeBaseOut",
    "Document": "DocumentOut",
    "Job": "JobOut",
    "Upload": "Uploaded",
    "Chunk": "ChunkOut",
    "Scores": "ScoresOut",
    "Hit": "HitOut",
    "SearchResult": "SearchOut",
    "Citation": "CitationOut",
    "Sentence": "SentenceOut",
    "Timings": "TimingsOut",
    "Answer": "AnswerOut",
    "BatchItem": "BatchItem",
}
MODELS = {
    name: kind
    for name, kind in inspect.getmembers(models, inspect.isclass)
    if issubclass(kind, BaseModel) and kind.__module__ == models.__name__ and not name.startswith("_")
}
JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", tuple: "array"}


@pytest.fixture
def manuals(api: Api, address: tuple[str, int]) -> Iterator[Manualqa]:
    with Manualqa("http://{}:{}/".format(*address), api.secret, timeout=60) as made:
        yield made


def test_a_manual_is_sent_asked_about_and_removed(api: Api, manuals: Manualqa, tmp_path: Path) -> None:
    api.model_says("E-04 means that the water tank is empty.")
    (tmp_path / "茶壶 K-9.md").write_text(MANUAL)
    base = manuals.create_knowledge_base("the client's", language="en")
    try:
        sent = manuals.upload(base.id, tmp_path / "茶壶 K-9.md")
        states: list[str] = []
        job = manuals.wait(sent.job.id, every=0.05, told=lambda job: states.append(job.state))
        assert (job.state, states[-1], sent.created) == ("done", "done", True)
        assert [document.name for document in manuals.documents(base.id)] == ["茶壶 K-9.md"]
        assert manuals.document(base.id, sent.document.id).state == "ready"
        assert base.id in {each.id for each in manuals.knowledge_bases()}
        assert manuals.knowledge_base(base.id).ready == 1

        found = manuals.search(base.id, "What does E-04 mean?", limit=2)
        assert "E-04" in found.hits[0].chunk.text
        answer = manuals.ask(base.id, "What does E-04 mean?")
        assert (answer.mode, answer.citations[0].page, answer.refused) == ("generated", 1, False)
        assert answer.call_id
        *before, last = manuals.ask_stream(base.id, "What does E-04 mean?")
        assert isinstance(before[0], SearchResult)
        assert "".join(piece for piece in before[1:] if isinstance(piece, str)).startswith("E-04 means")
        assert isinstance(last, Answer)
        assert last.text == answer.text
        first, second = manuals.ask_batch(base.id, ["What does E-04 mean?", " "])
        assert first.answer is not None
        assert second.error is not None
        manuals.remove_document(base.id, sent.document.id)
    finally:
        manuals.remove_knowledge_base(base.id)
    with pytest.raises(ApiError) as gone:
        manuals.knowledge_base(base.id)
    assert (gone.value.code, gone.value.status) == ("knowledge_base_not_found", 404)


def test_an_empty_manual_fails_its_job_with_the_reason(api: Api, manuals: Manualqa, tmp_path: Path) -> None:
    (tmp_path / "empty.md").write_text(" \n")
    with pytest.raises((JobFailed, ApiError)) as failed:
        manuals.wait(manuals.upload(api.base("empties of the client"), tmp_path / "empty.md").job.id, every=0.05)
    assert "text" in str(failed.value) or "empty" in str(failed.value)


def test_many_documents_come_in_several_pages(
    api: Api, manuals: Manualqa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_PER_PAGE", 2)
    base = api.base("pages of the client")
    names = [f"manual {number}.md" for number in range(5)]
    for number, name in enumerate(names):
        (tmp_path / name).write_text(f"# Kettle {number}\n\nRated power is {number}00 W.\n")
        manuals.wait(manuals.upload(base, tmp_path / name).job.id, every=0.05)
    assert sorted(document.name for document in manuals.documents(base)) == names


def test_errors_are_in_the_clients_language(address: tuple[str, int]) -> None:
    with (
        Manualqa("http://{}:{}".format(*address), "wrong", language="zh") as manuals,
        pytest.raises(ApiError, match="密钥") as refused,
    ):
        manuals.knowledge_bases()
    assert refused.value.status == 401


def test_an_error_in_the_middle_of_a_stream_is_raised(api: Api, manuals: Manualqa, kettle: str) -> None:
    api.model_says("E-04 means that the water tank is empty.", Fault.CUT)
    *_, last = manuals.ask_stream(kettle, "What does E-04 mean?")
    assert isinstance(last, Answer)
    assert last.mode == "extractive"
    with pytest.raises(ApiError, match="empty"):
        list(manuals.ask_stream(kettle, "  "))


# --- the description --------------------------------------------------------------------------------------------------


def schema_types(schema: dict[str, Any], described: dict[str, Any]) -> set[str]:
    """The JSON types that a value may have."""
    if "$ref" in schema:
        return schema_types(described[schema["$ref"].rsplit("/", 1)[1]], described)
    if "anyOf" in schema:
        return {found for option in schema["anyOf"] for found in schema_types(option, described)}
    return {"object"} if "properties" in schema else {str(schema.get("type", "string"))}


def model_types(hint: Any) -> set[str]:  # noqa: ANN401
    if isinstance(hint, types.UnionType):
        return {found for part in get_args(hint) for found in model_types(part)}
    kind = get_origin(hint) or hint
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        return {"object"}
    return {JSON_TYPES.get(kind, "string")}


def test_every_model_is_compared() -> None:
    assert MODELS.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_models_fields_are_those_of_the_description(api: Api, name: str) -> None:
    described = api.client.get("/openapi.json").json()["components"]["schemas"]
    properties = described[SCHEMAS[name]]["properties"]
    for field, hint in get_type_hints(MODELS[name]).items():
        if field == "model_config":
            continue
        assert field in properties, f"{name}.{field} is not in {SCHEMAS[name]}"
        told, typed = schema_types(properties[field], described), model_types(hint)
        assert told <= typed | ({"integer"} if "number" in typed else set()), f"{name}.{field}: {told} is not {typed}"
