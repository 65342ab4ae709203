"""Keys: made, limited, ended, rotated, revoked; and what the audit log says of it all."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.catalogue.database import Sessions
from app.catalogue.keys import Keys, Role
from app.catalogue.quotas import Quotas
from app.catalogue.tables import KeyRow, now
from app.errors import QuotaSpent
from tests.unit.api.conftest import Api


def make(api: Api, **body: Any) -> dict[str, Any]:  # noqa: ANN401
    made = api.client.post("/v1/keys", json={"name": "a key", **body})
    assert made.status_code == 201, made.text
    return dict(made.json())


def status(api: Api, secret: str, path: str = "/v1/knowledge-bases") -> int:
    return api.client.get(path, headers={"Authorization": f"Bearer {secret}"}).status_code


def listed(api: Api, key_id: str) -> dict[str, Any]:
    [found] = [key for key in api.client.get("/v1/keys").json()["keys"] if key["id"] == key_id]
    return dict(found)


def changes(api: Api, **wanted: str) -> list[dict[str, Any]]:
    found = api.client.get("/v1/audit", params=wanted)
    assert found.status_code == 200, found.text
    return list(found.json()["changes"])


def age(api: Api, key_id: str, **values: Any) -> None:  # noqa: ANN401
    """Sets columns of a key as time would."""
    sessions: Sessions = api.services.keys._sessions
    with sessions.begin() as session:
        session.execute(update(KeyRow).where(KeyRow.id == key_id).values(**values))


class TestLimits:
    def test_a_key_is_for_all_knowledge_bases_unless_it_is_limited(self, api: Api, kettle: str) -> None:
        assert make(api)["knowledge_base_ids"] is None
        limited = make(api, knowledge_base_ids=[kettle, kettle], role="editor")
        assert limited["knowledge_base_ids"] == [kettle]
        assert listed(api, limited["id"])["knowledge_base_ids"] == [kettle]

    @pytest.mark.parametrize(
        ("body", "expected", "code"),
        [
            ({"knowledge_base_ids": ["kb-none"]}, 404, "knowledge_base_not_found"),
            ({"knowledge_base_ids": []}, 422, "invalid_input"),
            ({"expires_in_days": 0}, 422, "invalid_input"),
        ],
    )
    def test_what_cannot_be_is_refused_and_makes_no_key(
        self, api: Api, body: dict[str, Any], expected: int, code: str
    ) -> None:
        before = len(api.client.get("/v1/keys").json()["keys"])
        answer = api.client.post("/v1/keys", json={"name": "a key", **body})
        assert (answer.status_code, answer.json()["code"]) == (expected, code)
        assert len(api.client.get("/v1/keys").json()["keys"]) == before

    def test_an_admin_key_cannot_be_limited(self, api: Api, kettle: str) -> None:
        body = {"name": "a key", "role": "admin", "knowledge_base_ids": [kettle]}
        answer = api.client.post("/v1/keys", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "admin_key_limited")

    def test_a_limited_key_makes_no_knowledge_base_and_reads_no_metrics(self, api: Api, kettle: str) -> None:
        secret = make(api, role="editor", knowledge_base_ids=[kettle])["secret"]
        headers = {"Authorization": f"Bearer {secret}", "Accept-Language": "zh"}
        made = api.client.post("/v1/knowledge-bases", json={"name": "mine"}, headers=headers)
        assert (made.status_code, made.json()["code"]) == (403, "key_limited")
        assert "仅限于部分知识库" in made.json()["title"]
        assert status(api, secret, "/metrics") == 403
        assert status(api, make(api)["secret"], "/metrics") == 200


class TestTime:
    def test_an_expired_key_is_refused_and_its_sessions_end(self, api: Api) -> None:
        made = make(api, expires_in_days=1)
        session = api.services.web_sessions.open(made["id"])
        cookie = {"Authorization": "", "Cookie": f"mqa_session={session}"}
        assert status(api, made["secret"]) == 200
        assert api.client.get("/v1/knowledge-bases", headers=cookie).status_code == 200
        age(api, made["id"], expires_at=now() - timedelta(seconds=1))
        answer = api.client.get("/v1/knowledge-bases", headers={"Authorization": f"Bearer {made['secret']}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "key_expired")
        assert api.client.get("/v1/knowledge-bases", headers=cookie).status_code == 401

    def test_the_last_use_is_written_down_now_and_then(self, api: Api) -> None:
        made = make(api)
        assert listed(api, made["id"])["last_used_at"] is None
        status(api, made["secret"])
        first = listed(api, made["id"])["last_used_at"]
        assert first is not None
        status(api, made["secret"])
        assert listed(api, made["id"])["last_used_at"] == first
        age(api, made["id"], last_used_at=now() - timedelta(hours=1))
        status(api, made["secret"])
        assert listed(api, made["id"])["last_used_at"] > first

    def test_a_rotated_key_keeps_its_id_and_both_secrets_for_a_while(self, api: Api, kettle: str) -> None:
        made = make(api, knowledge_base_ids=[kettle])
        rotated = api.client.post(f"/v1/keys/{made['id']}/rotate", json={"overlap_hours": 1}).json()
        assert (rotated["id"], rotated["knowledge_base_ids"]) == (made["id"], [kettle])
        assert rotated["secret"] != made["secret"]
        assert (status(api, made["secret"]), status(api, rotated["secret"])) == (200, 200)
        age(api, made["id"], previous_until=now() - timedelta(seconds=1))
        assert (status(api, made["secret"]), status(api, rotated["secret"])) == (401, 200)

    def test_a_second_rotation_ends_the_first_secret(self, api: Api) -> None:
        made = make(api)
        second = api.client.post(f"/v1/keys/{made['id']}/rotate", json={}).json()
        third = api.client.post(f"/v1/keys/{made['id']}/rotate", json={"overlap_hours": 0}).json()
        assert [status(api, one["secret"]) for one in (made, second, third)] == [401, 401, 200]
        assert api.client.delete(f"/v1/keys/{made['id']}").status_code == 204
        assert status(api, third["secret"]) == 401
        assert api.client.post(f"/v1/keys/{made['id']}/rotate", json={}).status_code == 404


class TestPace:
    def test_more_than_its_minute_allows_are_refused_at_once_and_told_for_how_long(self, api: Api) -> None:
        made, other = make(api, requests_per_minute=3), make(api)
        headers = {"Authorization": f"Bearer {made['secret']}"}
        answers = [api.client.get("/v1/knowledge-bases", headers=headers) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[-1].json()["code"] == "rate_limited"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert status(api, other["secret"]) == 200
        assert listed(api, made["id"])["requests_per_minute"] == 3

    def test_a_wrong_key_waits_and_no_key_does_not(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        waited: list[float] = []

        async def sleeps(seconds: float) -> None:
            waited.append(seconds)

        monkeypatch.setattr("app.api.deps.anyio.sleep", sleeps)
        assert status(api, "mqa_wrong") == 401
        assert waited == [api.services.settings.wrong_key_seconds]
        assert api.client.get("/v1/jobs", headers={"Authorization": ""}).status_code == 401
        assert len(waited) == 1


class TestQuota:
    def test_a_day_s_questions_are_counted_for_all_routes_and_processes(self, api: Api, kettle: str) -> None:
        api.model_says("E-04 means that the water tank is empty.")
        made = make(api, questions_per_day=5)
        headers = {"Authorization": f"Bearer {made['secret']}"}
        one, where = {"question": "What does E-04 mean?"}, f"/v1/knowledge-bases/{kettle}"

        def post(path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401
            return api.client.post(path, json=body, headers=headers)

        turns = post(f"{where}/conversations", {}).json()["id"]
        messages = [{"role": "user", "content": "What does E-04 mean?"}]
        asked = [
            post(f"{where}/ask", one),
            post(f"{where}/ask-batch", {"questions": ["What does E-04 mean?"] * 2}),
            post(f"/v1/conversations/{turns}/ask", one),
            post(f"{where}/ask", {"question": " "}),
            post(f"{where}/ask-batch", {"questions": ["What does E-04 mean?"] * 2}),
            post("/v1/chat/completions", {"model": kettle, "messages": messages}),
            post("/v1/chat/completions", {"model": kettle, "messages": messages}),
            post(f"{where}/ask", {**one, "stream": True}),
            post(f"{where}/search", one),
        ]
        assert [answer.status_code for answer in asked] == [200, 200, 200, 422, 429, 200, 429, 429, 200]
        assert (asked[4].json()["code"], asked[6].json()["error"]["code"]) == ("quota_spent", "quota_spent")
        assert "of which 1 are left" in asked[4].json()["title"]
        left = (now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0) - now()
        assert 0 < int(asked[-2].headers["Retry-After"]) <= left.total_seconds() + 60
        assert listed(api, made["id"])["questions_per_day"] == 5
        with pytest.raises(QuotaSpent):  # another process, or this one after a restart
            Quotas(api.services.keys._sessions).count(api.services.keys.find(made["secret"]))

    def test_midnight_gives_them_back_and_a_clock_that_jumps_finds_each_day_s_own(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = make(api, questions_per_day=2)
        key, today = api.services.keys.find(made["secret"]), now()

        def may_ask(days: float) -> bool:
            monkeypatch.setattr("app.catalogue.quotas.now", lambda: today + timedelta(days=days))
            try:
                api.services.quotas.count(key)
            except QuotaSpent:
                return False
            return True

        assert [may_ask(days) for days in (0, 0, 0, 1, 0, 400, 1, 1, 0)] == [
            True, True, False, True, False, True, True, False, False,
        ]  # fmt: skip


class TestClock:
    def test_a_clock_set_back_keeps_no_key_out(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        made, real = make(api, requests_per_minute=2), time.time
        monkeypatch.setattr("time.time", lambda: real() + 86_400)
        assert [status(api, made["secret"]) for _ in range(3)] == [200, 200, 429]
        monkeypatch.setattr("time.time", real)
        assert [status(api, made["secret"]) for _ in range(3)] == [200, 200, 429]


class TestAudit:
    def test_a_change_is_noted_with_who_made_it_and_to_what(self, api: Api) -> None:
        made = make(api, name="the auditor", role="editor")
        headers = {"Authorization": f"Bearer {made['secret']}"}
        base = api.client.post("/v1/knowledge-bases", json={"name": "audited"}, headers=headers).json()["id"]
        changed = api.client.patch(f"/v1/knowledge-bases/{base}", json={"threshold": 0.4}, headers=headers)
        assert api.client.delete(f"/v1/knowledge-bases/{base}").status_code == 204
        second, first = changes(api, key_id=made["id"])
        assert (first["action"], first["target"]) == ("POST /v1/knowledge-bases", {})
        assert (second["action"], second["target"]) == (
            "PATCH /v1/knowledge-bases/{knowledge_base_id}",
            {"knowledge_base_id": base},
        )
        assert second["key_name"] == "the auditor"
        assert second["request_id"] == changed.headers["X-Request-Id"]
        assert changes(api)[0]["action"] == "DELETE /v1/knowledge-bases/{knowledge_base_id}"

    def test_reading_asking_and_what_is_refused_is_no_change(self, api: Api, kettle: str) -> None:
        made = make(api, role="editor")
        headers = {"Authorization": f"Bearer {made['secret']}"}
        question = {"question": "What does E-04 mean?"}
        assert api.client.get(f"/v1/knowledge-bases/{kettle}", headers=headers).status_code == 200
        assert (
            api.client.post(f"/v1/knowledge-bases/{kettle}/search", json=question, headers=headers).status_code == 200
        )
        assert api.client.post("/v1/knowledge-bases", json={"name": "kettle"}, headers=headers).status_code == 409
        assert api.client.delete(f"/v1/knowledge-bases/{kettle}", headers=headers).status_code == 403
        assert changes(api, key_id=made["id"]) == []

    def test_what_no_transaction_makes_is_noted_too(self, api: Api) -> None:
        before = len(changes(api, limit="500"))
        assert api.client.post("/v1/sign-in-links").status_code == 201
        assert changes(api)[0]["action"] == "POST /v1/sign-in-links"
        assert len(changes(api, limit="500")) == min(500, before + 1)

    def test_no_secret_and_no_text_is_in_it(self, api: Api) -> None:
        made = make(api, name="quiet")
        base = api.base("words of somebody")
        text = api.client.get("/v1/audit", params={"limit": 500}).text
        assert made["secret"] not in text
        assert "words of somebody" not in text
        api.client.delete(f"/v1/knowledge-bases/{base}")

    def test_only_administrators_read_it(self, api: Api) -> None:
        assert status(api, make(api, role="editor")["secret"], "/v1/audit") == 403


def test_the_note_is_there_exactly_when_the_change_is(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that fails in its transaction, after it was written, leaves neither itself nor a note."""
    made = make(api, role=Role.ADMIN.value)

    def fails(keys: Keys, key_id: str) -> None:
        with keys._sessions.begin() as session:
            session.execute(update(KeyRow).where(KeyRow.id == key_id).values(revoked_at=now()))
            session.flush()
            raise OSError

    monkeypatch.setattr(Keys, "revoke", fails)
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert api.client.delete(f"/v1/keys/{made['id']}", headers=headers).status_code == 500
    assert listed(api, made["id"])["revoked_at"] is None
    assert changes(api, key_id=made["id"]) == []
