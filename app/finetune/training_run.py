"""One training on this process's device: the one file that knows peft, trl, datasets and transformers' models."""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import structlog
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, TrainerCallback, TrainerControl, TrainerState
from transformers.integrations import TensorBoardCallback
from trl import SFTConfig, SFTTrainer

from app.errors import TrainingBaseUnusable, TrainingDiverged, TrainingDoesNotFit, TrainingFailed, TrainingSetTooSmall
from app.finetune.batching import GroupedSampler
from app.finetune.curves import read_curves
from app.finetune.events import EventLog
from app.finetune.examples import Example
from app.finetune.run_folder import Kept, RunConfig, RunFolder
from app.finetune.tokenizing import ChatTokenizer, Encoded
from app.finetune.training_config import TrainingConfig
from app.finetune.watching import HeldoutWatch, LossWatch

log = structlog.get_logger(__name__)

_CHECKPOINTS_KEPT = 2


class Interrupted(Exception):
    """The training was asked to stop; the newest whole checkpoint is where it goes on."""


@dataclass(frozen=True, slots=True)
class Device:
    """What is trained on, and in which numbers: bf16 where the processor has it, which halves memory and time."""

    name: str
    dtype: torch.dtype

    @classmethod
    def found(cls) -> Device:
        if torch.cuda.is_available():
            good = torch.cuda.is_bf16_supported()
            return cls(torch.cuda.get_device_name(), torch.bfloat16 if good else torch.float16)
        features = torch.cpu.get_capabilities()
        good = features.get("avx512_bf16") or features.get("amx_bf16") or features.get("bf16")
        return cls("cpu", torch.bfloat16 if good else torch.float32)

    @property
    def is_cuda(self) -> bool:
        return self.name != "cpu"


def run(folder: RunFolder, stopping: Callable[[], bool]) -> dict[str, Any]:
    """Train what the folder says, from its newest whole checkpoint on, until it is done; the facts of its result.

    Raises `Interrupted` once `stopping` says so and a checkpoint is written, `TrainingDiverged`, `TrainingDoesNotFit`,
    `TrainingBaseUnusable`, `TrainingSetTooSmall`, `TrainingFailed`.
    """
    config = folder.config()
    start = folder.newest_checkpoint()
    device = Device.found()
    tokenizer = ChatTokenizer.load(Path(config.base_folder), config.base_name)
    train = _rows(tokenizer, folder.train(), config.training.max_tokens)
    heldout = sorted(_rows(tokenizer, folder.heldout(), config.training.max_tokens), key=len)
    if not train:
        raise TrainingSetTooSmall(examples=0, heldout=len(heldout), least=1, least_heldout=0)
    try:
        trainer = _Trainer(
            model=_model(config, device),
            args=_arguments(folder, config.training, device, len(train), heldout=bool(heldout)),
            train_dataset=_dataset(train),
            eval_dataset=_dataset(heldout) if heldout else None,
            processing_class=tokenizer.tokenizer,
            peft_config=_lora(config),
            callbacks=[],
        )
        watcher = _Watcher(folder, config, trainer, device, start, stopping)
        trainer.add_callback(watcher)
        _add_tensorboard(trainer, folder, start)
        trainer.train(resume_from_checkpoint=str(start.folder) if start else None)
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingDoesNotFit(str(error), reason="the memory of the graphics card ran out") from error
    return watcher.finish()


def _rows(tokenizer: ChatTokenizer, examples: Sequence[Example], most: int) -> list[Encoded]:
    """The examples as tokens, without those that are too long."""
    return [encoded for example in examples if len(encoded := tokenizer.encode(example)) <= most]


def _dataset(rows: Sequence[Encoded]) -> Dataset:
    return Dataset.from_list([{"input_ids": row.input_ids, "labels": row.labels} for row in rows])


def _model(config: RunConfig, device: Device) -> torch.nn.Module:
    options: dict[str, Any] = {"dtype": device.dtype}
    if config.training.four_bit:
        if not device.is_cuda:
            raise TrainingBaseUnusable(name=config.base_name, reason="a base in 4 bits needs a CUDA graphics card")
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=device.dtype,
        )
    try:
        model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(
            config.base_folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, **options
        )
    except ImportError as error:
        raise TrainingBaseUnusable(str(error), name=config.base_name, reason="bitsandbytes is not installed") from error
    except (OSError, ValueError, KeyError) as error:
        raise TrainingBaseUnusable(str(error), name=config.base_name, reason="its files could not be loaded") from error
    return model


def _lora(config: RunConfig) -> LoraConfig:
    training = config.training
    return LoraConfig(
        r=training.rank,
        lora_alpha=training.alpha,
        lora_dropout=training.dropout,
        target_modules=list(training.modules),
        bias="none",
        task_type="CAUSAL_LM",
    )


def _arguments(folder: RunFolder, config: TrainingConfig, device: Device, examples: int, *, heldout: bool) -> SFTConfig:
    return SFTConfig(
        output_dir=str(folder.checkpoints),
        max_steps=config.steps(examples),
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=config.warmup_share,
        max_grad_norm=config.max_grad_norm,
        gradient_checkpointing=config.gradient_checkpointing,
        seed=config.seed,
        data_seed=config.seed,
        max_length=None,
        completion_only_loss=True,
        packing=False,
        use_cpu=not device.is_cuda,
        bf16=device.is_cuda and device.dtype is torch.bfloat16,
        fp16=device.is_cuda and device.dtype is torch.float16,
        eval_strategy="steps" if heldout else "no",
        eval_steps=config.evaluate_every,
        save_strategy="no",
        save_total_limit=_CHECKPOINTS_KEPT,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=device.is_cuda,
        prediction_loss_only=True,
    )


def _add_tensorboard(trainer: _Trainer, folder: RunFolder, start: Kept | None) -> None:
    """Files for TensorBoard; steps that are done again replace the ones before."""
    if not trainer.is_world_process_zero():
        return
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - heavy

    writer = SummaryWriter(str(folder.tensorboard), purge_step=start.step + 1 if start else None)  # type: ignore[no-untyped-call]
    trainer.add_callback(TensorBoardCallback(writer))


class _Trainer(SFTTrainer):  # type: ignore[misc]
    """trl's trainer with batches of like length and a checkpoint on demand."""

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> GroupedSampler:
        rows = self.train_dataset if train_dataset is None else train_dataset
        group = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return GroupedSampler([len(row) for row in rows["input_ids"]], group, self.args.seed)

    def create_model_card(self, *_: object, **__: object) -> None:
        """None: the run folder says more."""

    def save_now(self) -> None:
        """A checkpoint of the step that was just made."""
        self._save_checkpoint(self.model, trial=None)

    def agreed(self, wish: bool) -> bool:
        """Whether any of the processes wishes so; all hear the same."""
        if self.args.world_size == 1:
            return wish
        votes = self.accelerator.gather(torch.tensor([int(wish)], device=self.accelerator.device))
        return bool(votes.sum().item())


class _Watcher(TrainerCallback):  # type: ignore[misc]
    """Tells the run folder what happens, keeps checkpoints and the best adapter, and ends the training in time."""

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        trainer: _Trainer,
        device: Device,
        start: Kept | None,
        stopping: Callable[[], bool],
    ) -> None:
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
        self._saved = start.step if start else 0
        self._interrupted = False

    # --- moments of the training, in their order ----------------------------------------------------------------------

    def on_train_begin(self, _args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ANN401
        trainer = self._trainer
        known = read_curves(self._folder.path).evaluations if self._start else []
        step = state.global_step
        self._events.write(
            "begun",
            steps=state.max_steps,
            epochs=self._config.training.epochs,
            examples=len(trainer.train_dataset),
            heldout=len(trainer.eval_dataset or []),
            trainable=sum(weight.numel() for weight in trainer.model.parameters() if weight.requires_grad),
            device=self._device.name,
            resumed_from=self._start.step if self._start else None,
        )
        for point in known:
            if 0 < point.step <= step:
                self._heldout_watch.sees(point.step, point.loss)
        if self._stopping():
            raise Interrupted
        due = step == 0 or (step % trainer.args.eval_steps == 0 or step == state.max_steps)
        if trainer.eval_dataset is not None and due and step not in {point.step for point in known}:
            trainer.evaluate()
        control.should_training_stop = self._heldout_watch.spent or step >= state.max_steps

    def on_step_begin(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        self._step_began = time.monotonic()

    def on_step_end(self, _args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ANN401
        last = state.global_step >= state.max_steps
        if self._trainer.eval_dataset is not None:
            control.should_evaluate = last or state.global_step % self._trainer.args.eval_steps == 0
        self._interrupted = self._trainer.agreed(self._stopping())
        if self._interrupted:
            control.should_evaluate, control.should_training_stop = False, True

    def on_log(self, _args: Any, state: TrainerState, _control: Any, logs: dict[str, Any], **_: Any) -> None:  # noqa: ANN401
        if "loss" not in logs:
            return
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
        self._keep_checkpoint_before_pause(state)

    def _keep_checkpoint_before_pause(self, state: TrainerState) -> None:
        """A checkpoint where an evaluation or the end comes next, which may take long or be broken off."""
        due = state.global_step % self._trainer.args.eval_steps == 0 or state.global_step >= state.max_steps
        if due or self._interrupted:
            self._save(state.global_step)

    def on_prediction_step(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        if self._trainer.args.world_size == 1 and self._stopping():
            raise Interrupted

    def on_evaluate(self, _args: Any, state: TrainerState, control: TrainerControl, metrics: Any, **_: Any) -> None:  # noqa: ANN401
        step, loss = state.global_step, float(metrics["eval_loss"])
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
        self._trainer.save_now()
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
        model = self._trainer.accelerator.unwrap_model(self._trainer.model)
        model.save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)
        described = folder / "adapter_config.json"
        config = json.loads(described.read_bytes())
        config |= {"base_model_name_or_path": self._config.base_name, "revision": self._config.base_revision}
        described.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        self._folder.keep_best(folder, {"step": step, "loss": loss})

    def finish(self) -> dict[str, Any]:
        """Publish the best adapter; the facts of the result. Raises `Interrupted` where it was asked to stop."""
        if self._interrupted:
            raise Interrupted
        step = self._trainer.state.global_step
        if self._trainer.eval_dataset is None:
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
