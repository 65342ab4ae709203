"""A server whose model fails: the alarm fires, is told and shown, and recovers; nothing secret is ever told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from app.catalogue.keys import Role
from tests.fixtures.receivers import Mailbox, Receiver, a_mailbox, a_receiver
from tests.fixtures.scripted_model import Fault
from tests.fixtures.waiting import wait_for
from tests.unit.api.conftest import MANUAL, Api, an_api

QUESTION = "What does E-04 mean?"
WAIT_SECONDS = 180.0
SECRETS = ("very-secret-path", "signing-secret", "mail-password")


@dataclass
class Watched:
    """A server with short times for its alarms, and who is told of them."""

    api: Api
    base: str
    receiver: Receiver
    mailbox: Mailbox

    def ask(self) -> None:
        answer = self.api.client.post(f"/v1/knowledge-bases/{self.base}/ask", json={"question": QUESTION})
        assert answer.status_code == 200, answer.text

    def alarms(self) -> dict[str, Any]:
        return dict(self.api.client.get("/v1/alarms").json())

    def rule(self, name: str) -> dict[str, Any]:
        return next(dict(one) for one in self.alarms()["rules"] if one["rule"] == name)

    def fires(self) -> bool:
        self.ask()
        return self.rule("extract_rate")["state"] == "firing"

    def gauge(self) -> str:
        text = self.api.client.get("/metrics").text
        return next(line for line in text.splitlines() if line.startswith('manualqa_alarm_firing{rule="extract_rate"}'))

    def page(self, language: str, secret: str | None = None) -> str:
        headers = {"Accept-Language": language}
        if secret is not None:
            headers["Authorization"] = f"Bearer {secret}"
        page = self.api.client.get("/operations", headers=headers)
        assert page.status_code == 200
        return page.text


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with a_receiver() as receiver, a_mailbox() as mailbox:
        changes: dict[str, Any] = {
            "alarm_minutes": 0.05,
            "alarm_calls": 1,
            "alarm_free_disk_mb": 0,
            "alarm_webhook_url": SecretStr(receiver.url),
            "alarm_webhook_secret": SecretStr("signing-secret"),
            "alarm_mail_to": "ops@example.org, boss@example.org",
            "alarm_smtp_port": mailbox.port,
            "public_url": "https://manuals.example.com/kb/",
            "alarm_smtp_security": "none",
            "alarm_smtp_password": SecretStr("mail-password"),
        }
        with an_api(tmp_path_factory.mktemp("watched"), **changes) as api:
            base = api.base("kettle")
            assert api.ready(base, "kettle.md", MANUAL.encode())["state"] == "ready"
            yield Watched(api, base, receiver, mailbox)


def test_an_alarm_from_its_firing_to_its_recovery(watched: Watched) -> None:
    assert watched.rule("extract_rate")["state"] == "ok"
    assert watched.rule("free_disk_mb")["limit"] is None
    assert "All is well" in watched.page("en")
    watched.api.model_says("", Fault.ERROR_500)
    assert wait_for(watched.fires, WAIT_SECONDS)
    assert wait_for(lambda: len(watched.receiver.got) >= 1 and len(watched.mailbox.letters) >= 1, WAIT_SECONDS)
    found = watched.alarms()
    assert found["ways"] == ["webhook", "mail"]
    [alarm] = found["alarms"]
    assert (alarm["rule"], alarm["figure"], alarm["limit"], alarm["recovered_at"]) == ("extract_rate", 1.0, 0.5, None)
    assert watched.gauge().endswith(" 1.0")
    for language, said in (("en", "1 alarm fires"), ("zh", "1 项告警")):
        page = watched.page(language)
        assert said in page
        assert 'data-rule="extract_rate" data-phase="firing"' in page

    # nobody asks any more: too few questions to judge by
    assert wait_for(lambda: watched.rule("extract_rate")["state"] == "ok", WAIT_SECONDS)
    assert wait_for(lambda: len(watched.receiver.got) == 2 and len(watched.mailbox.letters) == 2, WAIT_SECONDS)
    assert watched.receiver.happenings() == ["fired", "recovered"]
    assert {one.json()["page"] for one in watched.receiver.got} == {"https://manuals.example.com/kb/operations"}
    assert wait_for(lambda: all(one["state"] == "sent" for one in watched.alarms()["alarms"][0]["notices"]))
    [alarm] = watched.alarms()["alarms"]
    assert alarm["recovered_at"] > alarm["fired_at"]
    assert sorted((one["happening"], one["way"], one["tries"]) for one in alarm["notices"]) == [
        ("fired", "mail", 1),
        ("fired", "webhook", 1),
        ("recovered", "mail", 1),
        ("recovered", "webhook", 1),
    ]
    assert watched.gauge().endswith(" 0.0")
    assert "All is well" in watched.page("en")
    assert "已恢复" in watched.mailbox.letters[1]["Subject"]
    told = [one.body.decode() for one in watched.receiver.got] + [str(one) for one in watched.mailbox.letters]
    assert not [one for one in told if "E-04" in one or "kettle" in one.lower()]


def test_a_test_notice_goes_out_on_every_way_and_says_what_became_of_it(watched: Watched) -> None:
    before = len(watched.mailbox.letters)
    assert watched.api.client.post("/v1/alarms/test").json() == {
        "tried": [{"way": "webhook", "sent": True, "reason": None}, {"way": "mail", "sent": True, "reason": None}]
    }
    assert watched.receiver.happenings()[-1] == "test"
    assert watched.mailbox.letters[before]["Subject"].startswith("manualqa · Test notice")
    watched.receiver.statuses = [500]
    tried = watched.api.client.post("/v1/alarms/test", headers={"Accept-Language": "zh"}).json()["tried"]
    assert tried[0] == {"way": "webhook", "sent": False, "reason": "该地址返回 500"}


def test_alarms_are_for_admins_and_the_page_shows_them_to_who_has_the_whole_server(watched: Watched) -> None:
    services = watched.api.services
    _, editor = services.keys.create("an editor", Role.EDITOR, None)
    _, limited = services.keys.create("another", Role.EDITOR, [watched.base])
    for secret in (editor, limited):
        headers = {"Authorization": f"Bearer {secret}"}
        assert watched.api.client.get("/v1/alarms", headers=headers).status_code == 403
        assert watched.api.client.post("/v1/alarms/test", headers=headers).status_code == 403
    assert 'data-testid="op-alarms"' in watched.page("en", editor)
    assert 'data-testid="op-alarms"' not in watched.page("en", limited)


def test_nothing_secret_is_told(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.receiver.statuses = [302]
    said = watched.api.client.post("/v1/alarms/test").text + watched.api.client.get("/v1/alarms").text
    said += watched.page("en") + watched.api.client.get("/v1/audit").text + caplog.text
    said += repr(watched.api.services.settings)
    said += "".join(one.body.decode() for one in watched.receiver.got) + "".join(map(str, watched.mailbox.letters))
    assert not [secret for secret in SECRETS if secret in said]
