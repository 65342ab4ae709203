"""One training on this process's device: the one file that knows peft, trl, datasets and transformers' models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import structlog
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PreTrainedModel,
)
from transformers.integrations.integration_utils import TensorBoardCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from app.errors import TrainingBaseUnusable, TrainingDoesNotFit, TrainingSetTooSmall
from app.finetune.batching import GroupedSampler
from app.finetune.device import Device
from app.finetune.examples import Example
from app.finetune.run_folder import Kept, RunConfig, RunFolder
from app.finetune.tokenizing import ChatTokenizer, Encoded
from app.finetune.training_config import TrainingConfig
from app.finetune.training_watcher import Watcher

log = structlog.get_logger(__name__)

_CHECKPOINTS_KEPT = 2


def run(folder: RunFolder, stopping: Callable[[], bool]) -> dict[str, Any]:
    """Train what the folder says, from its newest whole checkpoint on, until it is done; the facts of its result.

    Raises `Interrupted` once `stopping` says so and a checkpoint is written, `TrainingDiverged`, `TrainingDoesNotFit`,
    `TrainingBaseUnusable`, `TrainingSetTooSmall`, `TrainingFailed`.
    """
    config = folder.config()
    start = folder.newest_checkpoint()
    device = Device.found()
    tokenizer = ChatTokenizer.load(Path(config.base_folder), config.base_name)
    train = encoded_rows(tokenizer, folder.train(), config.training.max_tokens)
    heldout = sorted(encoded_rows(tokenizer, folder.heldout(), config.training.max_tokens), key=len)
    if not train:
        raise TrainingSetTooSmall(examples=0, heldout=len(heldout), least=1, least_heldout=0)
    try:
        trainer = build_trainer(folder, config, device, tokenizer, train, heldout)
        watcher = Watcher(folder, config, trainer, (len(train), len(heldout)), device, start, stopping)
        trainer.add_callback(watcher)
        _add_tensorboard(trainer, folder, start)
        trainer.train(resume_from_checkpoint=str(start.folder) if start else None)
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingDoesNotFit(str(error), reason="the memory of the graphics card ran out") from error
    return watcher.finish()


def build_trainer(
    folder: RunFolder,
    config: RunConfig,
    device: Device,
    tokenizer: ChatTokenizer,
    train: Sequence[Encoded],
    heldout: Sequence[Encoded],
) -> Trainer:
    """The base with a new adapter, and the examples, ready to be trained; raises `TrainingBaseUnusable`."""
    return Trainer(
        model=_model(config, device),
        args=_arguments(folder, config.training, device, len(train), heldout=bool(heldout)),
        train_dataset=_dataset(train),
        eval_dataset=_dataset(heldout) if heldout else None,
        processing_class=tokenizer.tokenizer,
        peft_config=_lora(config),
    )


def encoded_rows(tokenizer: ChatTokenizer, examples: Sequence[Example], most: int) -> list[Encoded]:
    """The examples as tokens, without those that are too long."""
    return [encoded for example in examples if len(encoded := tokenizer.encode(example)) <= most]


def _dataset(rows: Sequence[Encoded]) -> Dataset:
    return Dataset.from_list([{"input_ids": row.input_ids, "labels": row.labels} for row in rows])


def _model(config: RunConfig, device: Device) -> PreTrainedModel:
    options: dict[str, Any] = {"dtype": device.dtype}
    if config.training.four_bit:
        if not device.is_cuda:
            raise TrainingBaseUnusable(name=config.base_name, reason="a base in 4 bits needs a CUDA graphics card")
        options["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=device.dtype,
        )
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
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


def _add_tensorboard(trainer: Trainer, folder: RunFolder, start: Kept | None) -> None:
    """Files for TensorBoard; steps that are done again replace the ones before."""
    if not trainer.is_world_process_zero():
        return
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - heavy

    writer = SummaryWriter(str(folder.tensorboard), purge_step=start.step + 1 if start else None)
    trainer.add_callback(TensorBoardCallback(writer))  # type: ignore[no-untyped-call]


class Trainer(SFTTrainer):
    """trl's trainer with batches of like length and a checkpoint on demand."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:  # noqa: ANN401 - what torch takes
        rows = self.train_dataset if train_dataset is None else train_dataset
        group = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return GroupedSampler([len(row) for row in cast(Dataset, rows)["input_ids"]], group, self.args.seed)

    def create_model_card(self, *_: object, **__: object) -> None:
        """None: the run folder says more."""

    def save_checkpoint(self) -> None:
        """A checkpoint of the step that was just made."""
        self._save_checkpoint(self.model, trial=None)  # type: ignore[no-untyped-call]

    def trainable(self) -> int:
        """How many weights are learned."""
        return sum(weight.numel() for weight in self.trained.parameters() if weight.requires_grad)

    def save_adapter(self, folder: Path) -> None:
        """The adapter as a PEFT folder of two files; asks no hub about its base."""
        cast(PeftModel, self.trained).save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)

    @property
    def trained(self) -> torch.nn.Module:
        """The model with its adapter, without what wraps it for several processes."""
        return cast(torch.nn.Module, self.accelerator.unwrap_model(self.model))

    def agreed(self, wish: bool) -> bool:
        """Whether any of the processes wishes so; all hear the same."""
        if self.args.world_size == 1:
            return wish
        votes = self.accelerator.gather(torch.tensor([int(wish)], device=self.accelerator.device))
        return bool(votes.sum().item())
