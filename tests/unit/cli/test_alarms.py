"""`manualqa alarms` against a real server that is killed while an alarm fires."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.receivers import Receiver, a_receiver
from tests.fixtures.waiting import wait_for
from tests.unit.cli.conftest import Manualqa, WordServer

WAIT_SECONDS = 120.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as running:
        yield running


def test_an_alarm_outlives_a_kill_and_is_told_once(
    word_server: WordServer, manualqa: Manualqa, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQA_ALARM_WEBHOOK_URL", receiver.url)
    monkeypatch.setenv("MQA_ALARM_MINUTES", "0.02")
    monkeypatch.setenv("MQA_ALARM_ERROR_RATE", "")
    monkeypatch.setenv("MQA_ALARM_FREE_DISK_MB", "1000000000")
    word_server.start()
    assert wait_for(lambda: receiver.happenings() == ["fired"], WAIT_SECONDS)
    shown = manualqa("alarms")
    assert shown.code == 0
    assert "FIRING   Free disk" in shown.out
    assert "at least 1,000,000,000 MB" in shown.out
    assert "off      Questions that end in an error" in shown.out
    [before] = manualqa("alarms", "--json").json()["alarms"]
    word_server.kill()

    monkeypatch.setenv("MQA_ALARM_FREE_DISK_MB", "1")
    word_server.start()
    assert wait_for(lambda: len(receiver.got) > 1, WAIT_SECONDS)
    assert receiver.happenings() == ["fired", "recovered"]
    assert receiver.got[1].json()["text"].startswith("manualqa · Recovered: Free disk")
    [after] = manualqa("alarms", "--json").json()["alarms"]
    assert after["id"] == before["id"]
    assert ", recovered 20" in manualqa("alarms").out

    sent = manualqa("alarms", "test")
    assert (sent.code, sent.out) == (0, "webhook: delivered\n")
    receiver.statuses = [403]
    refused = manualqa("alarms", "test")
    assert (refused.code, refused.out) == (1, "webhook: not delivered: the address answers with 403\n")
    assert manualqa("alarms", "test", "--json").json()["tried"][0]["sent"] is True
    assert "very-secret-path" not in (word_server.folder / "out.log").read_text()
