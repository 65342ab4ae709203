"""An order before it is trained: what speaks against it, what it costs, and the run folder that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
from anyio import to_thread
from pydantic import ValidationError

from app.errors import (
    InvalidInput,
    KnowledgeBaseEmpty,
    NotReady,
    TrainingBaseUnusable,
    TrainingDoesNotFit,
    TrainingPairsInvalid,
)
from app.evaluation.courtesy import Courtesy
from app.finetune.checking import Base, plain_name, shown_name
from app.finetune.dataset import Checked, check_dataset
from app.finetune.estimate import Estimate, estimate, require_fit
from app.finetune.machine import this_machine
from app.finetune.orders import TrainingOrder
from app.finetune.pairs import PairSet, read_pairs
from app.finetune.preparing import PrepareChoices, Prepared, prepare
from app.finetune.run_folder import write_run_folder
from app.finetune.runner import Written
from app.finetune.tokenizing import ChatTokenizer
from app.finetune.training_config import TrainingConfig, defaults_for
from app.models.base_shape import BaseShape
from app.models.hub_id import parse_hub_id
from app.models.known import KNOWN
from app.models.store import ModelStore
from app.models.training_base import TrainingBase, training_base
from app.questions import Question
from app.services import Services

_READY_POLL_SECONDS = 0.2
_RULES_TOKENS: Final = 260
"""Of a short prompt without passages and question, in both languages; a full one has about a thousand more."""

_CHARACTERS_A_TOKEN = 3.0


@dataclass(frozen=True, slots=True)
class Estimated:
    """What a training would cost, with everything that was left open resolved; `refusal` is why it would not begin.

    `exact` says that the examples were made and counted, not guessed from the pairs.
    """

    config: TrainingConfig
    cost: Estimate
    pairs: int
    drafts: int
    exact: bool
    refusal: TrainingDoesNotFit | None

    def required(self) -> Estimated:
        """This; raises the refusal where there is one."""
        if self.refusal is not None:
            raise self.refusal
        return self

    def counts(self) -> dict[str, Any]:
        """What a training that waits shows of its data."""
        return {"pairs": self.pairs, "drafts_left_out": self.drafts}


@dataclass(frozen=True, slots=True)
class Looked:
    """The examples that would come of an order, what is known of them, and what training on them would cost."""

    prepared: Prepared
    checked: Checked
    estimated: Estimated


class Preparation:
    """The `Preparation` of `TrainingJobs`. `served` gives the model that adapters are for; see `served_base`."""

    def __init__(self, services: Services, served: Callable[[], Base], courtesy: Courtesy) -> None:
        self._services = services
        self._served = served
        self._courtesy = courtesy
        self._store = ModelStore.from_settings(services.settings)

    # --- before it begins -------------------------------------------------------------------------------------------

    def check(self, order: TrainingOrder) -> None:
        """Raises `KnowledgeBaseNotFound`, `KnowledgeBaseEmpty`, `TrainingPairsInvalid`, `TrainingBaseUnusable`,
        `AdapterInvalid` and `InvalidInput`."""
        base = self._services.bases.get(order.knowledge_base_id)
        if base.ready == 0:
            raise KnowledgeBaseEmpty(name=base.name)
        self._pairs(order)
        self._base_name(order)
        limit = self._services.settings.max_lora_rank
        if (order.training.rank or 0) > limit:
            raise InvalidInput(reason=f"rank: more than {limit} (MQA_MAX_LORA_RANK)")

    async def estimate(self, order: TrainingOrder) -> Estimated:
        """By the pairs alone: each is taken as a full window of passages. Raises `AdapterInvalid`, `InvalidInput`."""
        return await to_thread.run_sync(self._estimate, order)

    async def look(self, order: TrainingOrder) -> Looked:
        """As calling it, without writing anything; raises what `check` and `prepare` do."""
        base = await to_thread.run_sync(self._training_base, order)
        return await self._looked(order, base)

    # --- when it begins ---------------------------------------------------------------------------------------------

    async def __call__(self, order: TrainingOrder, folder: Path) -> Written:
        """Writes the run folder; raises also `TrainingDoesNotFit`."""
        await self._until_ready(order)
        await to_thread.run_sync(self.check, order)
        base = await to_thread.run_sync(self._training_base, order)
        looked = await self._looked(order, base)
        config = looked.estimated.required().config
        checked, questions = looked.checked, looked.prepared.questions

        def write() -> None:
            write_run_folder(folder, config, base, checked.train, checked.heldout, questions)

        await to_thread.run_sync(write)
        return Written(config.model_dump(mode="json"), _counts(order, looked, base))

    async def _until_ready(self, order: TrainingOrder) -> None:
        """A server that has just started loads its embedder first."""
        while True:
            try:
                question = Question(order.knowledge_base_id, "?")
                await to_thread.run_sync(self._services.questions.check_question, question)
                return
            except NotReady:
                await anyio.sleep(_READY_POLL_SECONDS)

    async def _looked(self, order: TrainingOrder, base: TrainingBase) -> Looked:
        pairs = await to_thread.run_sync(self._pairs, order)
        choices = order.data.prepare(order.training)
        prepared = await prepare(
            self._services, order.knowledge_base_id, pairs.pairs, choices, quiet=self._courtesy.quiet
        )
        return await to_thread.run_sync(self._measured, order, pairs, prepared, base)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _pairs(self, order: TrainingOrder) -> PairSet:
        pairs = read_pairs(order.pairs, order.format, order.pairs_name, with_drafts=order.data.drafts)
        limit = self._services.settings.finetune_pairs
        if len(pairs.pairs) > limit:
            raise TrainingPairsInvalid(name=order.pairs_name, reason=f"it has more than {limit} questions")
        return pairs

    def _base_name(self, order: TrainingOrder) -> str:
        """The name in the store of the weights to train on: no path of a client's, and no model but the served one."""
        settings = self._services.settings
        own = settings.adapter_base or settings.llm_model
        if order.base is None or order.base in (own, shown_name(own)):
            return own
        if order.base not in KNOWN and parse_hub_id(order.base) is None:
            raise TrainingBaseUnusable(name=order.base[:100], reason="no model has this name here")
        if plain_name(order.base) != plain_name(self._served().name):
            raise TrainingBaseUnusable(name=order.base[:100], reason="another model answers on this server")
        return order.base

    def _training_base(self, order: TrainingOrder) -> TrainingBase:
        return training_base(self._store, self._base_name(order))

    def _estimate(self, order: TrainingOrder) -> Estimated:
        pairs = self._pairs(order)
        choices = order.data.prepare(order.training)
        shape = self._served().shape
        heldout = round(choices.heldout_share * len(pairs.pairs))
        config = _config(order, self._base_name(order), len(pairs.pairs) - heldout, heldout)
        lengths = [_guessed(pair.question.question + pair.answer, choices) for pair in pairs.pairs]
        cost, refusal = self._cost(config, lengths[heldout:], lengths[:heldout], shape)
        return Estimated(config, cost, len(pairs.pairs), pairs.drafts, exact=False, refusal=refusal)

    def _measured(self, order: TrainingOrder, pairs: PairSet, prepared: Prepared, base: TrainingBase) -> Looked:
        """Raises `TrainingSetTooSmall`, `TrainingBaseUnusable`, `InvalidInput`."""
        first = _config(order, base.name, len(prepared.train), len(prepared.heldout))
        tokenizer = ChatTokenizer.load(base.folder, base.name)
        checked = check_dataset(prepared.train, prepared.heldout, tokenizer, first.max_tokens)
        config = _config(order, base.name, len(checked.train), len(checked.heldout))
        cost, refusal = self._cost(config, checked.train_lengths, checked.heldout_lengths, base.shape)
        estimated = Estimated(config, cost, len(pairs.pairs), pairs.drafts, exact=True, refusal=refusal)
        return Looked(prepared, checked, estimated)

    def _cost(
        self, config: TrainingConfig, train: Sequence[int], heldout: Sequence[int], shape: BaseShape
    ) -> tuple[Estimate, TrainingDoesNotFit | None]:
        machine = this_machine(self._services.settings.data_dir)
        cost = estimate(config, train, shape, machine, heldout)
        try:
            require_fit(cost, machine)
        except TrainingDoesNotFit as error:
            return cost, error
        return cost, None


def _config(order: TrainingOrder, base: str, examples: int, heldout: int) -> TrainingConfig:
    """Raises `InvalidInput` where choices do not go together."""
    try:
        return defaults_for(shown_name(base), examples, heldout, **order.training.chosen())
    except ValidationError as error:  # each field by itself was checked with the order
        raise InvalidInput(str(error), reason="max_tokens must be more than context_tokens") from error


def _guessed(text: str, choices: PrepareChoices) -> int:
    return _RULES_TOKENS + choices.context_tokens + round(len(text) / _CHARACTERS_A_TOKEN)


def _counts(order: TrainingOrder, looked: Looked, base: TrainingBase) -> dict[str, Any]:
    """What the row of a training keeps of its examples."""
    made, report = looked.prepared.report, looked.checked.report
    return {
        **looked.estimated.counts(),
        "pairs_name": order.pairs_name,
        "train": report.train.examples,
        "heldout": report.heldout.examples,
        "kinds": report.train.kinds,
        "left_out": made.left_out,
        "repeated": made.repeated + report.repeated,
        "leaking": report.leaking,
        "too_long": report.too_long,
        "split_by": made.split_by,
        "longest_tokens": report.train.tokens.longest,
        "data_sha256": report.sha256,
        "base_revision": base.revision,
        "estimated_seconds": looked.estimated.cost.seconds,
        "estimated_memory_mb": looked.estimated.cost.memory_mb,
    }
