"""The language model behind an OpenAI-compatible endpoint: our local server, vLLM or any other."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import httpx2
import structlog

from app import tracing
from app.errors import AdapterNotHosted, ModelBusy, ModelUnavailable
from app.ports import Message, ModelStatus, Odds, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
    from openai.types.chat.chat_completion_chunk import Choice

log = structlog.get_logger(__name__)

_CONNECT_SECONDS = 5.0
_CHECK_SECONDS = 3.0
_ALTERNATIVES = 8
_CUT_OFF = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
"""What a call meets where the server has closed a connection that was kept open; nothing was answered on it."""
WROTE_NOTHING = "it wrote nothing"
_BUSY = (httpx2.codes.TOO_MANY_REQUESTS, httpx2.codes.SERVICE_UNAVAILABLE)
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


class _Place(NamedTuple):
    """Where requests go, and the event loop that their connections belong to."""

    base_url: str
    api_key: str
    loop: asyncio.AbstractEventLoop

    def is_left_for(self, other: _Place | None) -> bool:
        """Whether the same loop's requests go to another place now."""
        return other is not None and self != other and self.loop is other.loop


class OpenAICompatibleModel:
    """Streams chat completions at temperature 0; see the law of `LanguageModel`.

    `first_token_seconds` bounds the wait for the first piece, `total_seconds` the whole stream.
    """

    def __init__(self, name: str, endpoint: Endpoint, *, first_token_seconds: float, total_seconds: float) -> None:
        self._name = name
        self._endpoint = endpoint
        self._first_token_seconds = first_token_seconds
        self._total_seconds = total_seconds
        self._clients: dict[_Place, AsyncOpenAI] = {}
        self._requests: Counter[_Place] = Counter()
        self._place: _Place | None = None

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
            async with self._connected(route.base_url) as client:
                traced = replace(route, headers=span.headers)
                stream = await self._asked(client, traced, messages, max_tokens)
                async with stream, aclosing(_texts(stream)) as texts:
                    async for item in texts:
                        if isinstance(item, Usage):
                            span.note(prompt_tokens=item.prompt_tokens, completion_tokens=item.completion_tokens)
                        yield item

    async def _asked(
        self, client: AsyncOpenAI, route: Route, messages: Sequence[Message], max_tokens: int
    ) -> AsyncStream[ChatCompletionChunk]:
        """The server's stream; asked for once more where the server had closed a connection kept from before."""
        import openai  # noqa: PLC0415 - takes half a second to import

        try:
            return await self._completion(client, route, messages, max_tokens)
        except openai.APIConnectionError as error:
            if not isinstance(error.__cause__, _CUT_OFF):
                raise
            return await self._completion(client, route, messages, max_tokens)

    async def _completion(
        self, client: AsyncOpenAI, route: Route, messages: Sequence[Message], max_tokens: int
    ) -> AsyncStream[ChatCompletionChunk]:
        return await client.chat.completions.create(
            model=route.model or self._name,
            messages=cast("list[ChatCompletionMessageParam]", [asdict(message) for message in messages]),
            temperature=0,
            max_tokens=max_tokens,
            stream=True,
            stream_options={"include_usage": True},
            logprobs=True,
            top_logprobs=_ALTERNATIVES,
            extra_body=dict(route.extra),
            extra_headers=dict(route.headers),
        )

    async def status(self) -> ModelStatus:
        """What the endpoint knows of itself, else whether `/models` answers."""
        known = self._endpoint.status()
        if known is not None:
            return known
        import openai  # noqa: PLC0415 - takes half a second to import

        try:
            with self._endpoint.entered(None) as route:
                async with self._connected(route.base_url) as client:
                    await client.with_options(timeout=_CHECK_SECONDS).models.list()
        except ModelUnavailable as error:
            return ModelStatus("down", self._name, str(error.params["reason"]))
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            return ModelStatus("down", self._name, _reason(error))
        return ModelStatus("ready", self._name)

    async def close(self) -> None:
        """Closes the connections of this event loop; those of another one can only be left to it."""
        loop = asyncio.get_running_loop()
        for place in [place for place in self._clients if place.loop is loop]:
            await self._clients.pop(place).close()

    @asynccontextmanager
    async def _connected(self, base_url: str) -> AsyncGenerator[AsyncOpenAI]:
        """The client of an address, for one request; those of earlier addresses end with their last one."""
        from openai import AsyncOpenAI, Timeout  # noqa: PLC0415

        place = self._place = _Place(base_url, self._endpoint.api_key, asyncio.get_running_loop())
        if place not in self._clients:
            timeout = Timeout(self._total_seconds, connect=_CONNECT_SECONDS)
            self._clients[place] = AsyncOpenAI(base_url=base_url, api_key=place.api_key, max_retries=0, timeout=timeout)
        self._requests[place] += 1
        try:
            yield self._clients[place]
        finally:
            self._requests[place] -= 1
            for left in [old for old in self._clients if old.is_left_for(self._place) and not self._requests[old]]:
                await self._clients.pop(left).close()


@contextmanager
def _as_ours(adapter: str | None) -> Iterator[None]:
    """What goes wrong in the block with the endpoint, raised as our own error."""
    import openai  # noqa: PLC0415 - takes half a second to import

    try:
        yield
    except (openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
        status = _status(error)
        if status in _BUSY:
            raise ModelBusy(detail=str(error)) from error
        if status == httpx2.codes.NOT_FOUND and adapter is not None:
            raise AdapterNotHosted(str(error), ref=adapter) from error
        raise ModelUnavailable(reason=_reason(error), detail=repr(error.__cause__ or error)) from error


def _status(error: Exception) -> int:
    """The HTTP status of a failure, 0 where it has none; vLLM says it inside a stream, too, that began well."""
    import openai  # noqa: PLC0415 - takes half a second to import

    if isinstance(error, openai.APIStatusError):
        return error.status_code
    code = error.code if isinstance(error, openai.APIError) else None
    return int(code) if code is not None and code.isdecimal() else 0


def _reason(error: Exception) -> str:
    """The phrase for a failure of the endpoint."""
    import openai  # noqa: PLC0415 - takes half a second to import

    status = _status(error)
    if status:
        return f"HTTP {status}"
    match error:
        case openai.APITimeoutError():
            return "too slow"
        case openai.APIConnectionError():
            return "no connection"
        case _:
            return "its reply broke off or is not understood"


async def _texts(stream: AsyncStream[ChatCompletionChunk]) -> AsyncGenerator[str | Odds | Usage]:
    finished = False
    usage: Usage | None = None
    told = 0
    async for chunk in stream:
        if chunk.usage is not None:
            usage = Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        for choice in chunk.choices:
            if choice.delta.content and told < _ODDS_TOKENS and (odds := _odds(choice)):
                told += 1
                yield odds
            if choice.delta.content:
                yield choice.delta.content
            finished = finished or choice.finish_reason is not None
    if not finished:
        raise ModelUnavailable(reason="its reply broke off")
    if usage is not None:
        yield usage


def _odds(choice: Choice) -> Odds | None:
    """The odds of the choice's first token; None where the server does not tell them."""
    if choice.logprobs is None or not choice.logprobs.content:
        return None
    return Odds(tuple((other.token, math.exp(other.logprob)) for other in choice.logprobs.content[0].top_logprobs))
