"""The language model behind an OpenAI-compatible endpoint: our local server, vLLM or any other."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Protocol

import aiohttp

from app import tracing
from app.errors import AdapterNotHosted, ModelBusy, ModelUnavailable
from app.generate.completions import BrokenOff, Choice, CompletionClient, Piece, Refusal
from app.ports import Message, ModelStatus, Odds, Usage

_CONNECT_SECONDS = 5.0
_CHECK_SECONDS = 3.0
_ALTERNATIVES = 8
WROTE_NOTHING = "it wrote nothing"
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_ODDS_TOKENS = 12
"""`Odds` are passed on for that many tokens: what is looked for stands at the beginning."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one request reaches the model, or an adapter of it: the address, the name that stands for it there (None for
    the model's own), and what body and headers say besides."""

    base_url: str
    model: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Endpoint(Protocol):
    """Where the model is now: a fixed address, or a local server that may be restarting on another port.

    Law: the route that `entered` gives holds until the block ends, also where later requests go elsewhere meanwhile.
    It raises `ModelUnavailable` while there is no address, `AdapterNotHosted` where it knows of no such adapter. What
    keeps the model from answering a request is raised inside its block.
    """

    @property
    def base_url(self) -> str | None: ...

    @property
    def api_key(self) -> str: ...

    def entered(self, adapter: str | None) -> AbstractContextManager[Route]: ...

    def status(self) -> ModelStatus | None:
        """The state where the endpoint knows it without asking, else None."""
        ...


@dataclass(frozen=True, slots=True)
class FixedEndpoint:
    """An endpoint of the settings; `base_url` ends in `/v1` for most servers.

    An adapter is a model of its own there, named by its id, as vLLM has it.
    """

    base_url: str
    api_key: str = "none"

    def entered(self, adapter: str | None) -> AbstractContextManager[Route]:
        return nullcontext(Route(self.base_url, adapter))

    def status(self) -> ModelStatus | None:
        return None


class OpenAICompatibleModel:
    """Streams chat completions at temperature 0; see the law of `LanguageModel`.

    `first_token_seconds` bounds the wait for the first piece, `total_seconds` the whole stream.
    """

    def __init__(self, name: str, endpoint: Endpoint, *, first_token_seconds: float, total_seconds: float) -> None:
        self._name = name
        self._endpoint = endpoint
        self._first_token_seconds = first_token_seconds
        self._total_seconds = total_seconds
        self._clients: dict[asyncio.AbstractEventLoop, CompletionClient] = {}

    @property
    def name(self) -> str:
        return self._name

    async def stream(
        self, messages: Sequence[Message], max_tokens: int, adapter: str | None = None
    ) -> AsyncGenerator[str | Odds | Usage]:
        """Pieces of text, then at most one `Usage`; raises `ModelUnavailable`, `ModelBusy` or `AdapterNotHosted`."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        deadline = started + self._first_token_seconds
        pieces = 0
        async with aclosing(self._events(messages, max_tokens, adapter)) as events:
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        event = await anext(events, None)
                except TimeoutError as error:
                    raise ModelUnavailable(reason="too slow", detail=f"no token after {pieces} in time") from error
                if event is None:
                    break
                pieces += isinstance(event, str)
                deadline = started + self._total_seconds
                yield event
        if not pieces:
            raise ModelUnavailable(reason=WROTE_NOTHING)

    async def _events(
        self, messages: Sequence[Message], max_tokens: int, adapter: str | None
    ) -> AsyncGenerator[str | Odds | Usage]:
        """The server's stream in our types, its errors in ours; ends only after a proper end of the completion."""
        asked: dict[str, tracing.Value] = {"model": self._name, "adapter": adapter or "", "max_tokens": max_tokens}
        with (
            self._endpoint.entered(adapter) as route,
            _as_ours(adapter),
            tracing.ended(tracing.opened("generate", **asked)) as span,
        ):
            reply = _Reply()
            body = self._body(route, messages, max_tokens)
            headers = {**route.headers, **span.headers}
            pieces = self._client().stream(route.base_url, self._endpoint.api_key, body, headers)
            async with aclosing(pieces):
                async for piece in pieces:
                    for item in reply.items(piece):
                        yield item
            reply.require_finished()
            if reply.usage is not None:
                span.note(prompt_tokens=reply.usage.prompt_tokens, completion_tokens=reply.usage.completion_tokens)
                yield reply.usage

    def _body(self, route: Route, messages: Sequence[Message], max_tokens: int) -> dict[str, object]:
        return {
            "model": route.model or self._name,
            "messages": [asdict(message) for message in messages],
            "temperature": 0,
            "max_tokens": max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            "logprobs": True,
            "top_logprobs": _ALTERNATIVES,
            **route.extra,
        }

    async def status(self) -> ModelStatus:
        """What the endpoint knows of itself, else whether `/models` answers."""
        known = self._endpoint.status()
        if known is not None:
            return known
        try:
            with self._endpoint.entered(None) as route:
                await self._client().models(route.base_url, self._endpoint.api_key, seconds=_CHECK_SECONDS)
        except ModelUnavailable as error:
            return ModelStatus("down", self._name, str(error.params["reason"]))
        except _FAILURES as error:
            return ModelStatus("down", self._name, _reason(error))
        return ModelStatus("ready", self._name)

    async def close(self) -> None:
        """Closes the connections of this event loop; those of another one can only be left to it."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def _client(self) -> CompletionClient:
        """The connections of this event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = CompletionClient(connect_seconds=_CONNECT_SECONDS)
        return self._clients[loop]


_FAILURES = (aiohttp.ClientError, TimeoutError, Refusal, BrokenOff, ValueError)
"""What the client of an endpoint raises."""


@contextmanager
def _as_ours(adapter: str | None) -> Iterator[None]:
    """What goes wrong in the block with the endpoint, raised as our own error."""
    try:
        yield
    except _FAILURES as error:
        status = _status(error)
        if status in _BUSY:
            raise ModelBusy(detail=str(error)) from error
        if status == HTTPStatus.NOT_FOUND and adapter is not None:
            raise AdapterNotHosted(str(error), ref=adapter) from error
        raise ModelUnavailable(reason=_reason(error), detail=repr(error)) from error


def _status(error: Exception) -> int:
    """The HTTP status of a failure, 0 where it has none."""
    return error.status if isinstance(error, Refusal) else 0


def _reason(error: Exception) -> str:
    """The phrase for a failure of the endpoint."""
    if status := _status(error):
        return f"HTTP {status}"
    match error:
        case TimeoutError():
            return "too slow"
        case aiohttp.ClientConnectionError():
            return "no connection"
        case _:
            return "its reply broke off or is not understood"


class _Reply:
    """A completion as it comes, piece by piece; `usage` once the endpoint has told it."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._finished = False
        self._told = 0

    def items(self, piece: Piece) -> Iterator[str | Odds]:
        """What the piece says, the odds of a text before it."""
        if piece.usage is not None:
            self.usage = Usage(piece.usage.prompt_tokens, piece.usage.completion_tokens)
        for choice in piece.choices:
            text = choice.delta.content
            if text and self._told < _ODDS_TOKENS and (odds := _odds(choice)):
                self._told += 1
                yield odds
            if text:
                yield text
            self._finished = self._finished or choice.finish_reason is not None

    def require_finished(self) -> None:
        """Raises `ModelUnavailable` where the end of the text never came."""
        if not self._finished:
            raise ModelUnavailable(reason="its reply broke off")


def _odds(choice: Choice) -> Odds | None:
    """The odds of the choice's first token; None where the server does not tell them."""
    if choice.logprobs is None or not choice.logprobs.content:
        return None
    return Odds(tuple((other.token, math.exp(other.logprob)) for other in choice.logprobs.content[0].top_logprobs))
