"""The process that runs a parser: limits hold, and nothing of it stays behind."""

from __future__ import annotations

import os
from typing import Any

import psutil
import pytest

from app.ingest.parsers.child import ChildBabbled, ChildDied, ChildLimits, ChildTimeout, run_child
from tests.fixtures.waiting import wait_for

LIMITS = ChildLimits(seconds=20, line_seconds=20, line_bytes=10_000)


def run(behave: str, limits: ChildLimits = LIMITS) -> list[dict[str, Any]]:
    return list(run_child("tests.fixtures.child_programs", {"behave": behave}, limits))


def test_yields_each_object_in_order() -> None:
    first, last = run("end")
    assert last == {"end": True}
    assert first["cwd"] == "/"


def test_child_sees_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQA_API_KEY", "secret")
    assert set(run("end")[0]["environment"]) <= {"PYTHONPATH", "LC_CTYPE"}


@pytest.mark.parametrize(
    ("limits", "setting"),
    [
        (ChildLimits(seconds=0.6, line_seconds=20, line_bytes=100), "MQA_PARSE_SECONDS"),
        (ChildLimits(seconds=20, line_seconds=0.6, line_bytes=100), "MQA_PARSE_PAGE_SECONDS"),
    ],
)
def test_hanging_child_is_stopped_at_the_limit_that_it_broke(limits: ChildLimits, setting: str) -> None:
    with pytest.raises(ChildTimeout) as caught:
        run("hang", limits)
    assert caught.value.setting == setting


def test_signal_of_a_dead_child_is_told() -> None:
    with pytest.raises(ChildDied) as caught:
        run("die")
    assert caught.value.signal == 11


def test_failed_child_is_not_a_success_and_its_complaints_are_bounded() -> None:
    with pytest.raises(ChildDied, match="this is wrong") as caught:
        run("complain")
    assert caught.value.signal is None
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize("behave", ["babble", "lie"])
def test_output_that_is_not_short_json_objects_is_refused(behave: str) -> None:
    with pytest.raises(ChildBabbled):
        run(behave)


def test_closing_early_kills_the_child() -> None:
    lines = run_child("tests.fixtures.child_programs", {"behave": "hang"}, LIMITS)
    pid = next(lines)["pid"]
    assert psutil.pid_exists(pid)
    lines.close()
    assert not psutil.pid_exists(pid)


def test_grandchildren_go_with_the_group() -> None:
    lines = run_child("tests.fixtures.child_programs", {"behave": "beget"}, LIMITS)
    group = next(lines)["pid"]
    assert next(lines) == {"end": True}
    lines.close()
    assert wait_for(lambda: not _living(group), 30), f"alive after the kill of their group: {_living(group)}"


def _living(group: int) -> list[psutil.Process]:
    """Members of the group that still run; a killed one takes a moment to become a zombie, and then to be gone."""
    return [process for process in psutil.process_iter() if _group(process.pid) == group and _runs(process)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
