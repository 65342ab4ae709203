"""Events and curves: what is appended, what a resume does again, what is half written; and the alarms."""

from __future__ import annotations

import json
from pathlib import Path

from app.finetune.curves import read_curves
from app.finetune.events import EventLog
from app.finetune.watching import HeldoutWatch, LossWatch


def a_step(log: EventLog, step: int, loss: float = 1.0) -> None:
    log.write(
        "step",
        step=step,
        epoch=0.1,
        loss=loss,
        learning_rate=1e-4,
        grad_norm=1.0,
        tokens_per_second=70.0,
        seconds=1.0,
        memory_mb=900,
    )


def test_what_a_resume_does_again_counts_once(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.write("begun", steps=5, resumed_from=None)
    log.write("evaluated", step=0, loss=3.0, perplexity=20.1)
    for step in (1, 2, 3):
        a_step(log, step)
    log.write("checkpoint", step=2)
    log.write("evaluated", step=2, loss=2.0, perplexity=7.4)
    log.write("alarm", code="loss_exploding", step=3)
    log.write("begun", steps=5, resumed_from=2)
    for step in (3, 4, 5):
        a_step(log, step, loss=0.5)
    log.write("ended", state="done", best_step=5)
    curves = read_curves(tmp_path)
    assert [(point.step, point.loss) for point in curves.steps] == [(1, 1.0), (2, 1.0), (3, 0.5), (4, 0.5), (5, 0.5)]
    assert [point.step for point in curves.evaluations] == [0, 2]
    assert (curves.checkpoints, curves.alarms) == ([2], [])
    assert curves.begun is not None
    assert curves.begun["resumed_from"] == 2
    assert curves.ended is not None
    assert curves.ended["best_step"] == 5


def test_a_start_from_nothing_forgets_all(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.write("begun", steps=5, resumed_from=None)
    log.write("evaluated", step=0, loss=3.0, perplexity=20.1)
    a_step(log, 1)
    log.write("begun", steps=5, resumed_from=None)
    curves = read_curves(tmp_path)
    assert (curves.steps, curves.evaluations) == ([], [])


def test_a_half_written_line_is_passed_over_and_ended_by_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.write("begun", steps=5, resumed_from=None)
    a_step(log, 1)
    with path.open("a") as file:
        file.write('{"event": "step", "st')
    assert [point.step for point in read_curves(tmp_path).steps] == [1]
    a_step(EventLog(path), 2)
    assert [point.step for point in read_curves(tmp_path).steps] == [1, 2]


def test_every_line_is_json_also_where_a_number_is_none(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.write("step", loss=float("nan"), grad_norm=float("inf"))
    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(line)["loss"] is None
    assert "NaN" not in line
    assert read_curves(tmp_path).steps == []


def test_no_folder_has_empty_curves(tmp_path: Path) -> None:
    assert read_curves(tmp_path / "none").steps == []


def test_a_loss_that_explodes_is_said_once() -> None:
    watch = LossWatch()
    falling = [3.0 - 0.1 * step for step in range(20)]
    assert not any(watch.sees(loss) for loss in falling)
    assert [watch.sees(loss) for loss in [9.0] * 6].count(True) == 1


def test_a_noisy_loss_is_no_alarm() -> None:
    watch = LossWatch()
    assert not any(watch.sees(loss) for loss in [0.2, 0.5, 0.1, 0.4, 0.3, 0.6, 0.2] * 5)


def test_patience_and_overfitting() -> None:
    watch = HeldoutWatch(patience=2)
    assert watch.sees(5, 2.0)
    assert watch.sees(10, 1.0)
    assert not watch.sees(15, 1.01)
    assert not watch.spent
    assert not watch.overfits
    assert not watch.sees(20, 1.2)
    assert watch.spent
    assert not watch.overfits
    watch.sees(25, 1.3)
    assert watch.overfits
    assert watch.best == (10, 1.0)
    assert not HeldoutWatch(patience=0, losses=[(1, 1.0), (2, 2.0), (3, 3.0)]).spent
