"""The worker of trainings, with a child that does what a script says: in order, once, and clean whatever dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.catalogue.finetunes import NewTraining, Training, TrainingRoom, Trainings, new_training_id
from app.catalogue.records import KnowledgeBase
from app.errors import TrainingDoesNotFit
from app.finetune.orders import TrainingOrder
from app.finetune.process import ProcessLimits, TrainingProcess
from app.finetune.run_folders import RunFolders
from app.finetune.runner import Life, Preparing, Runner, RunnerLimits, Written
from tests.fixtures.catalogues import Catalogue
from tests.fixtures.trainings import FolderRegistry, an_order, scripted, write_folder

ROOM = TrainingRoom(stored=10, opened=10)
SECRET = "MQA_LLM_API_KEY"


class Shop:
    """A catalogue, run folders and a registry, and runners that work on them."""

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        self.catalogue = catalogue
        self.store, self.folders = Trainings(catalogue.sessions), RunFolders(folder / "finetune")
        self.registry = FolderRegistry(folder / "adapters")
        self.draining = False
        self.base: KnowledgeBase = catalogue.base()

    def order(self, name: str = "codes") -> Training:
        identity = new_training_id()
        self.folders.create(identity, an_order(self.base.id, name))
        return self.store.add(identity, self.base.id, NewTraining(name, "a base", {}, {}), ROOM)

    def runner(self, command: tuple[str, ...], prepare: Preparing = write_folder, stop_seconds: float = 10.0) -> Runner:
        process = TrainingProcess(command, ProcessLimits(stop_seconds, look_seconds=0.02))
        life = Life(lambda: self.draining, lambda: False)
        limits = RunnerLimits(attempts=3, retry_seconds=0.01)
        return Runner(self.store, self.folders, prepare, process, self.registry, limits, life)

    def work(
        self,
        runner: Runner,
        until: Callable[[], bool],
        during: Callable[[], None] | None = None,
        then: Callable[[], bool] = lambda: True,
    ) -> None:
        """Lets the runner work until something has come about, and what `during` does to it, then stops it as a server
        does."""

        async def live() -> None:
            task = asyncio.create_task(runner.work())
            deadline = time.monotonic() + 60
            while not until():
                assert time.monotonic() < deadline, "it did not come about"
                assert not task.done(), task
                await asyncio.sleep(0.01)
            if during is not None:
                during()
                while not then() or not all(one.ended for one in self.store.all(None, 10, 0)):
                    assert time.monotonic() < deadline, "it did not end"
                    await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(live())

    def ended(self, one: Training) -> bool:
        return self.store.get(one.id).ended

    def path(self, one: Training) -> Path:
        return self.folders.of(one.id).path

    def lives(self, one: Training) -> list[dict[str, Any]]:
        path = self.path(one) / "lives"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def reached(self, one: Training, step: int) -> bool:
        return self.store.get(one.id).step >= step


@pytest.fixture
def shop(catalogue: Catalogue, tmp_path: Path) -> Shop:
    return Shop(catalogue, tmp_path)


def test_a_training_goes_from_the_queue_to_the_registry(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "hush")
    one, other = shop.order(), shop.order("second")
    shop.work(shop.runner(scripted(steps=4)), lambda: shop.ended(other))
    done = shop.store.get(one.id)
    assert (done.state, done.stage, done.step, done.steps, done.adapter_id) == ("done", "done", 4, 4, "ad-0")
    assert (done.config["rank"], done.examples) == (8, {"train": 8, "heldout": 2})
    figures = done.figures
    assert (figures["loss_before"], figures["best_loss"], figures["checkpoint"]) == (2.0, 0.4, 4)
    assert (figures["seconds_per_step"], figures["peak_memory_mb"]) == (0.1, 60)
    assert [kept.name for kept in shop.registry.all()] == ["codes", "second"]
    [life] = shop.lives(one)
    assert SECRET not in life["environment"]
    assert not [name for name in life["environment"] if name.startswith("MQA_")]


def test_a_child_that_dies_goes_on_after_its_checkpoint(shop: Shop) -> None:
    one = shop.order()
    shop.work(shop.runner(scripted(steps=6, die_at=5)), lambda: shop.ended(one))
    assert shop.store.get(one.id).state == "done"
    assert len(shop.lives(one)) == 2
    events = [json.loads(line) for line in (shop.path(one) / "events.jsonl").read_text().splitlines()]
    assert [event.get("resumed_from") for event in events if event["event"] == "begun"] == [None, 4]
    assert len(shop.registry.all()) == 1


def test_a_child_that_never_comes_on_is_given_up(shop: Shop) -> None:
    one = shop.order()
    shop.work(shop.runner(scripted(steps=6, die_at=1, deaths=99)), lambda: shop.ended(one))
    failed = shop.store.get(one.id)
    assert (failed.state, failed.error_code) == ("failed", "training_gave_up")
    assert failed.error_params == {"attempts": 3, "reason": "ended with code -9"}
    assert len(shop.lives(one)) == 3
    assert shop.registry.all() == []


def test_a_child_that_fails_says_why(shop: Shop) -> None:
    one, other = shop.order(), shop.order()
    shop.work(shop.runner(scripted(steps=2, fails="training_diverged")), lambda: shop.ended(other))
    failed = shop.store.get(one.id)
    assert (failed.state, failed.error_code, failed.error_params) == ("failed", "training_diverged", {"step": 3})
    assert (len(shop.lives(one)), shop.registry.all()) == (1, [])
    shop.folders.forget_failure(one.id)
    shop.store.resume(one.id, 10)
    shop.work(shop.runner(scripted(steps=2)), lambda: shop.ended(one))
    assert shop.store.get(one.id).state == "done"


def test_what_does_not_fit_fails_before_a_child_starts(shop: Shop) -> None:
    async def too_large(order: TrainingOrder, folder: Path) -> Written:  # noqa: ARG001
        raise TrainingDoesNotFit(reason="it needs too much memory")

    one = shop.order()
    shop.work(shop.runner(scripted(), too_large), lambda: shop.ended(one))
    assert shop.store.get(one.id).error_code == "training_does_not_fit"
    assert shop.lives(one) == []


@pytest.mark.parametrize("deaf", [False, True])
def test_cancelling_ends_the_child_and_keeps_what_it_wrote(shop: Shop, deaf: bool) -> None:
    one = shop.order()
    runner = shop.runner(scripted(steps=6, hold_at=4, deaf=deaf), stop_seconds=0.2)

    def cancel() -> None:
        shop.store.cancel(one.id)
        assert runner.interrupt(one.id)

    shop.work(runner, lambda: shop.reached(one, 3), cancel)
    assert shop.store.get(one.id).state == "cancelled"
    [life] = shop.lives(one)
    with pytest.raises(ProcessLookupError):
        os.kill(life["pid"], 0)
    assert (shop.path(one) / "checkpoint").read_text() == ("2" if deaf else "4")
    assert not runner.interrupt(one.id)
    (shop.path(one) / "go").touch()
    shop.store.resume(one.id, 10)
    shop.work(shop.runner(scripted(steps=6)), lambda: shop.ended(one))
    assert shop.store.get(one.id).state == "done"


def test_a_stop_of_the_server_is_no_attempt(shop: Shop) -> None:
    one = shop.order()
    command = scripted(steps=6, every=99, hold_at=3)
    for _ in range(4):
        before = len(shop.lives(one))
        shop.draining = False
        runner = shop.runner(command)

        def again(before: int = before) -> bool:
            held = len(shop.lives(one)) > before and shop.reached(one, 2)
            shop.draining = held
            return held

        shop.work(runner, again)
        (shop.path(one) / "checkpoint").unlink(missing_ok=True)  # as if it had been stopped before its first
    assert not shop.ended(one)
    shop.draining = False
    (shop.path(one) / "go").touch()
    shop.work(shop.runner(command), lambda: shop.ended(one))
    assert shop.store.get(one.id).state == "done"


def test_a_deleted_training_leaves_no_folder(shop: Shop) -> None:
    one = shop.order()
    runner = shop.runner(scripted(steps=6, hold_at=3))

    def delete() -> None:
        shop.store.remove(one.id)
        assert runner.interrupt(one.id)

    # First the folder is renamed, then it is emptied: only then is it gone.
    shop.work(runner, lambda: shop.reached(one, 2), delete, then=lambda: not list(shop.path(one).parent.iterdir()))
    assert shop.path(one).parent.is_dir()
    assert shop.registry.all() == []


def test_a_start_sweeps_what_belongs_to_nothing(shop: Shop) -> None:
    kept = shop.order()
    root = shop.path(kept).parent
    for name in (".new-ft-0123456789abcdef", ".gone-ft-0123456789abcdef", "ft-00000000000000aa"):
        (root / name).mkdir()
    shop.work(shop.runner(scripted(steps=1)), lambda: shop.ended(kept))
    assert [path.name for path in root.iterdir()] == [kept.id]


def test_no_second_child_while_one_of_an_earlier_server_writes(shop: Shop) -> None:
    """The first server is killed: nobody ends its child, which ends when it has its checkpoint."""
    one = shop.order()
    runner = shop.runner(scripted(steps=4, hold_at=2, deaf=True))
    asyncio.run(write_folder(shop.folders.order(one.id), shop.path(one)))
    shop.store.begin(one.id)
    shop.store.prepared(one.id, {}, {})
    with (shop.path(one) / "run.lock").open("a+") as lock:
        process = TrainingProcess(scripted(steps=4, hold_at=2, deaf=True), ProcessLimits(1.0))
        assert process._take(lock, lambda: False)
        child = process._spawn(shop.path(one), lock)
    del runner
    waiting = shop.runner(scripted(steps=4), stop_seconds=0.5)
    shop.work(waiting, lambda: shop.ended(one))
    assert child.wait(10) == -signal.SIGKILL  # it did not end by itself in time
    assert shop.store.get(one.id).state == "done"
    assert len(shop.registry.all()) == 1


def test_a_registered_adapter_is_not_registered_again(shop: Shop) -> None:
    """Killed between the registry and the row."""
    one = shop.order()
    shop.work(shop.runner(scripted(steps=1)), lambda: shop.ended(one))
    with shop.catalogue.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE finetune_jobs SET state = 'running', stage = 'registering', adapter_id = NULL, finished_at = NULL"
        )
    shop.work(shop.runner(scripted(steps=1)), lambda: shop.ended(one))
    done = shop.store.get(one.id)
    assert (done.state, done.adapter_id) == ("done", "ad-0")
    assert len(shop.registry.all()) == 1
