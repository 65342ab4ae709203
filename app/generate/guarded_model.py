"""The language model behind its queue and its breaker, which all that ask it share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from app.breakers import Breaker
from app.errors import AdapterNotHosted, ModelBusy, ModelUnavailable
from app.generate.llm import WROTE_NOTHING
from app.generate.model_queue import ModelQueue
from app.ports import LanguageModel, Message, ModelStatus, Odds, Usage


class GuardedModel:
    """A `LanguageModel` that is asked by so many at once as its queue lets through, and left alone while it fails."""

    def __init__(self, model: LanguageModel, queue: ModelQueue, breaker: Breaker) -> None:
        self._model = model
        self.queue = queue
        self.breaker = breaker

    @property
    def name(self) -> str:
        return self._model.name

    async def stream(
        self, messages: Sequence[Message], max_tokens: int, adapter: str | None = None
    ) -> AsyncGenerator[str | Odds | Usage]:
        """As the model does; `ModelBusy` too where its turn does not come, the last failure while it is left alone."""
        self.breaker.require_there()  # before its turn, which would be nothing
        async with self.queue.place():
            self.breaker.enter()
            spoke = False
            try:
                async with aclosing(self._model.stream(messages, max_tokens, adapter)) as items:
                    async for item in items:
                        spoke = True
                        yield item
            except ModelUnavailable as error:
                self._note(error)
                raise
            except (ModelBusy, AdapterNotHosted):  # it is there and says so
                self.breaker.left()
                raise
            except BaseException:  # who asked has left, perhaps since it has read enough
                if spoke:
                    self.breaker.succeeded()
                else:
                    self.breaker.left()
                raise
            self.breaker.succeeded()

    async def status(self) -> ModelStatus:
        """As the model's; `down` while it is left alone."""
        fault = self.breaker.fault
        if fault is not None:
            return ModelStatus("down", self.name, str(fault.params.get("reason", "")))
        return await self._model.status()

    async def close(self) -> None:
        await self._model.close()

    def _note(self, error: ModelUnavailable) -> None:
        """A local server that is being started says so at once, and is asked again as soon as it is there."""
        if error.params.get("reason") == WROTE_NOTHING:  # that is about one question
            self.breaker.succeeded()
        elif error.params.get("reason") in ("starting", "down", "off"):
            self.breaker.left()
        else:
            self.breaker.failed(error)
