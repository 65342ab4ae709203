"""When a server collects garbage."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from app.cli import garbage
from tests.fixtures.waiting import wait_for


@pytest.fixture
def collector() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("collector")
def test_nothing_is_collected_until_the_start_is_over_and_what_it_made_never() -> None:
    garbage.begin()
    start = threading.Event()
    garbage.collect_after(start)
    assert not gc.isenabled()
    start.set()
    assert wait_for(gc.isenabled, 60)
    assert gc.get_freeze_count() > 10_000
    assert len(gc.get_objects()) < gc.get_freeze_count()


@pytest.mark.usefixtures("collector")
def test_a_start_without_an_end_does_not_go_on_without_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "_LONGEST_START_SECONDS", 0.05)
    garbage.begin()
    garbage.collect_after(threading.Event())
    assert wait_for(gc.isenabled, 60)
