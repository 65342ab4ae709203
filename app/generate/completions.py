"""Chat completions of an OpenAI-compatible endpoint, streamed over HTTP.

A token costs a read of the socket and one validation here, and nothing else: whole answers of many users pass through
one event loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

import aiohttp
import httpx
from pydantic import BaseModel, ConfigDict, Field

_END = b"[DONE]"
_MOST_LINE_BYTES = 1_000_000
_MOST_SAID_BYTES = 4_000
_READ_OUT_SECONDS = 0.5


class Refusal(Exception):
    """What the endpoint said instead of an answer. `status` is HTTP's, 0 where it named none."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"HTTP {status}: {said}" if status else said)
        self.status = status


class BrokenOff(Exception):
    """The connection ended in the middle of an answer."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Alternative(_Part):
    """A token that could have come, with the natural logarithm of its probability."""

    token: str
    logprob: float


class TokenOdds(_Part):
    """One token of a piece, with those that were likeliest in its place."""

    top_logprobs: tuple[Alternative, ...] = ()


class LogProbabilities(_Part):
    """Those of the tokens of a piece."""

    content: tuple[TokenOdds, ...] | None = None


class Delta(_Part):
    """What a piece adds."""

    content: str | None = None


class Choice(_Part):
    """One of the texts that a completion writes; we ask for one."""

    delta: Delta = Delta()
    finish_reason: str | None = None
    logprobs: LogProbabilities | None = None


class Tokens(_Part):
    """How many tokens were read and written."""

    prompt_tokens: int
    completion_tokens: int


class Piece(_Part):
    """One event of a completion's stream, as far as it is used here."""

    choices: tuple[Choice, ...] = ()
    usage: Tokens | None = None
    error: Any = Field(default=None, repr=False)


class CompletionClient:
    """Connections to OpenAI-compatible endpoints, kept open between requests; belongs to one event loop.

    Proxies and certificates of the environment are used as the rest of the program uses them. Raises
    `aiohttp.ClientError` and `TimeoutError` where there is no connection, `Refusal`, `BrokenOff`, and `ValueError` for
    what is no completion.
    """

    def __init__(self, *, connect_seconds: float) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=httpx.create_ssl_context()),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds),
            trust_env=True,
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self._session.close()

    async def stream(
        self, base_url: str, api_key: str, body: Mapping[str, object], headers: Mapping[str, str]
    ) -> AsyncGenerator[Piece]:
        """The pieces of the completion that `body` asks for; closing the generator ends the request."""
        async with self._posted(f"{base_url.rstrip('/')}/chat/completions", api_key, body, headers) as response:
            await _require_good(response)
            events = _Events()
            try:
                async for some in response.content.iter_any():
                    for data in events.within(some):
                        if data == _END:
                            await _read_out(response)
                            return
                        piece = Piece.model_validate_json(data)
                        if piece.error is not None:
                            raise _refusal_within(piece.error)
                        yield piece
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
                raise BrokenOff(str(error)) from error

    async def models(self, base_url: str, api_key: str, *, seconds: float) -> None:
        """Returns where the endpoint lists its models within `seconds`."""
        async with (
            asyncio.timeout(seconds),
            self._session.get(f"{base_url.rstrip('/')}/models", headers=_authorized(api_key, {})) as response,
        ):
            await _require_good(response)
            json.loads(await response.read())

    @asynccontextmanager
    async def _posted(
        self, url: str, api_key: str, body: Mapping[str, object], headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The endpoint's answer; asked for once more where it had closed a connection that was kept open."""

        async def post() -> aiohttp.ClientResponse:
            return await self._session.post(url, json=body, headers=_authorized(api_key, headers))

        try:
            response = await post()
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            response = await post()
        async with response:
            yield response


async def _read_out(response: aiohttp.ClientResponse) -> None:
    """Reads the end of a stream that has said all, so that its connection can be used again."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_READ_OUT_SECONDS):
            while await response.content.readany():
                pass


class _Events:
    """The data of server-sent events, each of one line as these endpoints have them."""

    def __init__(self) -> None:
        self._rest = b""

    def within(self, some: bytes) -> Iterator[bytes]:
        """Those that end in what came now."""
        *lines, self._rest = (self._rest + some).split(b"\n")
        if len(self._rest) > _MOST_LINE_BYTES:
            raise ValueError("a line of the reply has no end")
        return (line[5:].strip() for line in lines if line.startswith(b"data:"))


async def _require_good(response: aiohttp.ClientResponse) -> None:
    if response.status != HTTPStatus.OK:
        said = await response.content.read(_MOST_SAID_BYTES)
        raise Refusal(response.status, said.decode(errors="replace"))


def _refusal_within(error: object) -> Refusal:
    """vLLM and others say inside a stream, too, that began well, what keeps them from answering."""
    code = str(error.get("code")) if isinstance(error, dict) else ""
    return Refusal(int(code) if code.isdecimal() else 0, json.dumps(error)[:_MOST_SAID_BYTES])


def _authorized(api_key: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}", **headers}
