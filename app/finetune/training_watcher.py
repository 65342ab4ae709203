"""What a training tells its run folder: events, checkpoints, the best adapter; and when it ends."""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import psutil
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from app.errors import TrainingDiverged, TrainingFailed
from app.finetune.curves import read_curves
from app.finetune.device import Device
from app.finetune.events import EventLog
from app.finetune.run_folder import Kept, RunConfig, RunFolder
from app.finetune.watching import HeldoutWatch, LossWatch


class Interrupted(Exception):
    """The training was asked to stop; the newest whole checkpoint is where it goes on."""


class Trained(Protocol):
    """The trainer as the watcher needs it. Law: `agreed` and `save` are called by all processes at the same step."""

    def evaluate(self) -> object: ...

    def save_checkpoint(self) -> None: ...

    def save_adapter(self, folder: Path) -> None: ...

    def trainable(self) -> int: ...

    def agreed(self, wish: bool) -> bool: ...

    def is_world_process_zero(self) -> bool: ...


class Watcher(TrainerCallback):
    """Tells the run folder what happens, keeps checkpoints and the best adapter, and ends the training in time."""

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        trainer: Trained,
        sizes: tuple[int, int],
        device: Device,
        start: Kept | None,
        stopping: Callable[[], bool],
    ) -> None:
        self._examples, self._heldout = sizes
        self._folder = folder
        self._config = config
        self._trainer = trainer
        self._device = device
        self._start = start
        self._stopping = stopping
        self._first = trainer.is_world_process_zero()
        self._events = EventLog(folder.events_file, silent=not self._first)
        self._loss_watch = LossWatch()
        self._heldout_watch = HeldoutWatch(config.training.patience)
        self._began = time.monotonic()
        self._seconds_before = float(start.facts.get("seconds", 0)) if start else 0.0
        self._step_began = self._began
        self._tokens = 0
        self._step = self._saved = start.step if start else 0
        self._interrupted = False

    # --- moments of the training, in their order ----------------------------------------------------------------------

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        trainer = self._trainer
        known = read_curves(self._folder.path).evaluations if self._start else []
        step = state.global_step
        self._events.write(
            "begun",
            steps=state.max_steps,
            epochs=self._config.training.epochs,
            examples=self._examples,
            heldout=self._heldout,
            trainable=trainer.trainable(),
            device=self._device.name,
            resumed_from=self._start.step if self._start else None,
        )
        for point in known:
            if 0 < point.step <= step:
                self._heldout_watch.sees(point.step, point.loss)
        if self._stopping():
            raise Interrupted
        if self._heldout and self._is_pause(state) and step not in {point.step for point in known}:
            trainer.evaluate()
        control.should_training_stop = self._heldout_watch.spent or step >= state.max_steps

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._step_began = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        control.should_evaluate = bool(self._heldout) and self._is_pause(state)
        self._interrupted = self._trainer.agreed(self._stopping())
        if self._interrupted:
            control.should_evaluate, control.should_training_stop = False, True

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        logs = kwargs["logs"]
        if "loss" not in logs:
            return
        self._step = state.global_step
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm", 0.0))
        tokens, self._tokens = int(logs["num_tokens"]) - self._tokens, int(logs["num_tokens"])
        seconds = time.monotonic() - self._step_began
        self._events.write(
            "step",
            step=state.global_step,
            epoch=round(state.epoch or 0.0, 4),
            loss=loss,
            learning_rate=logs["learning_rate"],
            grad_norm=norm,
            tokens_per_second=round(tokens / seconds, 1),
            seconds=round(seconds, 3),
            memory_mb=self._memory_mb(),
        )
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self._events.write("alarm", code="not_a_number", step=state.global_step)
            raise TrainingDiverged(step=state.global_step)
        if self._loss_watch.sees(loss):
            self._events.write("alarm", code="loss_exploding", step=state.global_step)
        if self._interrupted or self._is_pause(state):  # before an evaluation, which may take long or be broken off
            self._save(state.global_step)

    def _is_pause(self, state: TrainerState) -> bool:
        """Whether an evaluation and a checkpoint are due at this step."""
        return state.global_step % self._config.training.evaluate_every == 0 or state.global_step >= state.max_steps

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if args.world_size == 1 and self._stopping():
            raise Interrupted

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        step, loss = state.global_step, float(kwargs["metrics"]["eval_loss"])
        if not math.isfinite(loss):
            self._events.write("alarm", code="not_a_number", step=step)
            raise TrainingDiverged(step=step)
        if step > 0 and self._heldout_watch.sees(step, loss):
            self._keep_best(step, loss)
        self._events.write("evaluated", step=step, loss=loss, perplexity=math.exp(min(loss, 50.0)))
        if self._heldout_watch.overfits:
            self._events.write("alarm", code="overfitting", step=step)
        if self._heldout_watch.spent:
            control.should_training_stop = True

    # --- what is kept -------------------------------------------------------------------------------------------------

    def _save(self, step: int) -> None:
        if step == self._saved:
            return
        self._trainer.save_checkpoint()
        if self._first:
            facts = {"step": step, "seconds": round(self._seconds(), 1)}
            self._folder.seal(self._folder.checkpoints / f"checkpoint-{step}", facts)
            self._events.write("checkpoint", step=step)
        self._saved = step

    def _keep_best(self, step: int, loss: float | None) -> None:
        """The adapter of this step as a PEFT folder that names its base as the store does, not by a path."""
        if not self._first:
            return
        folder = self._folder.new_best(step)
        self._trainer.save_adapter(folder)
        described = folder / "adapter_config.json"
        config = json.loads(described.read_bytes())
        config |= {"base_model_name_or_path": self._config.base_name, "revision": self._config.base_revision}
        described.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        self._folder.keep_best(folder, {"step": step, "loss": loss})

    def finish(self) -> dict[str, Any]:
        """Publish the best adapter; the facts of the result. Raises `Interrupted` where it was asked to stop."""
        if self._interrupted:
            raise Interrupted
        step = self._step
        if not self._heldout:
            self._save(step)
            self._keep_best(step, None)
        facts: dict[str, Any] = {
            "state": "done",
            "steps": step,
            "seconds": round(self._seconds(), 1),
            "peak_memory_mb": self._peak_memory_mb(),
        }
        best = self._folder.best() if self._first else None
        if best is not None:
            facts |= {"best_step": best.step, "best_loss": best.facts.get("loss")}
            self._folder.publish(best)
        elif self._first:
            raise TrainingFailed(reason="it left no adapter")
        self._events.write("ended", **facts)
        return facts

    # --- figures ------------------------------------------------------------------------------------------------------

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._began

    def _memory_mb(self) -> int:
        if self._device.is_cuda:
            return int(torch.cuda.memory_reserved() // 1_000_000)
        return int(psutil.Process().memory_info().rss // 1_000_000)

    def _peak_memory_mb(self) -> int:
        if self._device.is_cuda:
            return int(torch.cuda.max_memory_reserved() // 1_000_000)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 1_000_000
