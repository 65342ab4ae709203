"""The command line's HTTP client: finds the running server, speaks its API, turns problems into errors."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self

import httpx
from anyio import from_thread

from app.catalogue.folder import DataFolder, RunNote
from app.cli.watch import QUIET, Watch, read_events
from app.errors import KeyInvalid, ManualqaError, ServerNotRunning
from app.settings import Settings
from app.types import Language

READ_BYTES = 1 << 18
UNAUTHORISED = 401
WATCH_SECONDS = 60.0
"""Longest silence of a stream; the server says something four times as often."""
Json = dict[str, Any]


class ServerError(ManualqaError):
    """{title}"""

    zh = "{title}"

    def __init__(self, code: str, title: str, status: int) -> None:
        super().__init__(title=title)
        self.server_code = code
        self.server_status = status


class Client:
    """A connection to one server, with the key and the language of this command."""

    def __init__(self, url: str, key: str | None, language: Language, timeout_seconds: float = 300.0) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=url,
            headers={"Accept-Language": language, **_authorization(key)},
            timeout=timeout_seconds,
            trust_env=False,
        )
        self._folder: DataFolder | None = None
        self._own_key: str | None = None

    @classmethod
    def connect(cls, settings: Settings, language: Language) -> Self:
        """The server of `MQA_URL`, or the one that owns the data folder; raises `ServerNotRunning`."""
        key = settings.api_key.get_secret_value() if settings.api_key else None
        if settings.url:
            return cls(settings.url, key, language)
        folder = DataFolder(settings.data_dir)
        note = folder.note()
        if note is None:
            raise ServerNotRunning(url=f"http://{settings.host}:{settings.port}")
        client = cls(note.url, key or note.token, language)
        client._folder, client._own_key = folder, key
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: str | int | Sequence[str]) -> Json:
        """GET; raises `ServerError`, `ServerNotRunning`."""
        return self._answer("GET", path, params=params)

    def post(self, path: str, body: Json, *, patient: bool = False) -> Json:
        """POST with a JSON body, `patient` waits for as long as the server works; raises as `get`."""
        timeout = httpx.Timeout(None, connect=30.0) if patient else httpx.USE_CLIENT_DEFAULT
        return self._answer("POST", path, json=body, timeout=timeout)

    def post_for_task(self, path: str, body: Json) -> Json:
        """POST out of a thread of anyio's: where the task that waits for it is cancelled, the server ends its work too.

        Raises as `get`.
        """
        http = httpx.AsyncClient(
            base_url=self.url, headers=self._http.headers, timeout=self._http.timeout, trust_env=False
        )

        async def send() -> httpx.Response:
            async with http:
                return await http.post(path, json=body)

        try:
            return _body(from_thread.run(send))
        except httpx.TransportError as error:
            raise ServerNotRunning(url=self.url) from error

    def put(self, path: str, body: Json) -> Json:
        """PUT with a JSON body; raises as `get`."""
        return self._answer("PUT", path, json=body)

    def delete(self, path: str) -> None:
        """DELETE; raises as `get`."""
        self._answer("DELETE", path)

    def ready(self) -> Json:
        """What `/readyz` says, whatever its status."""
        try:
            body: Json = self._http.get("/readyz").json()
        except (httpx.TransportError, ValueError) as error:
            raise ServerNotRunning(url=self.url) from error
        return body

    def upload(self, knowledge_base_id: str, path: Path, sent: Callable[[int], None]) -> Json:
        """Sends a file; `sent` is called with the number of bytes of each piece."""
        name = os.fsencode(path.name).decode("utf-8", "replace")
        with path.open("rb") as file:
            return self.upload_stream(knowledge_base_id, name, path.stat().st_size, file, sent)

    def upload_stream(
        self, knowledge_base_id: str, name: str, size: int, stream: BinaryIO, sent: Callable[[int], None]
    ) -> Json:
        """Sends `size` bytes of a stream under a name; what the stream raises ends the upload, and nothing is kept."""
        return self._answer(
            "POST",
            f"/v1/knowledge-bases/{knowledge_base_id}/documents",
            params={"name": name},
            content=_pieces(stream, sent),
            headers={"Content-Length": str(size), "Content-Type": "application/octet-stream"},
        )

    def send(self, path: str, size: int, stream: BinaryIO, **params: str | int) -> Json:
        """POST of `size` bytes of a stream as they are; raises as `get`."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        return self._answer("POST", path, params=params, content=_pieces(stream, lambda _: None), headers=headers)

    def download(self, path: str, target: Path) -> None:
        """GET of a file, which appears when it is whole; raises as `get`."""
        temporary = target.with_name(f"{target.name}.part")
        try:
            with self._http.stream("GET", path) as response, temporary.open("wb") as file:
                if response.is_error:
                    response.read()
                    raise _problem(response)
                for piece in response.iter_bytes():
                    file.write(piece)
            temporary.replace(target)
        except httpx.TransportError as error:
            raise ServerNotRunning(url=self.url) from error
        finally:
            temporary.unlink(missing_ok=True)

    def events(self, path: str, body: Json) -> Iterator[tuple[str, Json]]:
        """Server-sent events of a POST as (event, data); raises as `get`, also for an `error` event."""
        try:
            with self._stream("POST", path, json=body) as response:
                for event, data in read_events(response):
                    if event == "error":
                        raise ServerError(data["code"], data["message"], 503)
                    if event != QUIET:
                        yield event, data
        except httpx.TransportError as error:
            raise ServerNotRunning(url=self.url) from error

    def watch(self, path: str, **params: str) -> Watch:
        """Server-sent events of a GET, opened again where the stream breaks off; raises as `get`."""
        return Watch(lambda: self._stream_again(path, params), lambda: self.url)

    def job_states(self, job_id: str, every_seconds: float = 0.5) -> Iterator[Json]:
        """The job again and again until it has ended."""
        while True:
            job = self.get(f"/v1/jobs/{job_id}")
            yield job
            if job["ended_at"]:
                return
            time.sleep(every_seconds)

    @contextmanager
    def _stream(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:  # noqa: ANN401 - for httpx
        with self._http.stream(method, path, headers={"Accept": "text/event-stream"}, **request) as response:
            if response.is_error:
                response.read()
                raise _problem(response)
            yield response

    @contextmanager
    def _stream_again(self, path: str, params: dict[str, str]) -> Iterator[httpx.Response]:
        """A stream of the server that owns the data folder now, with an address and a token of its own."""
        note = self._note()
        if note is not None and note.url != self.url:
            self.url = note.url
            self._http.base_url = httpx.URL(note.url)
        if note is not None and self._own_key is None:
            self._http.headers.update(_authorization(note.token))
        try:
            with self._stream("GET", path, params=params, timeout=WATCH_SECONDS) as response:
                yield response
        except ServerError as error:
            # a server that is starting has left no note of its own yet
            if note is None or error.server_status != UNAUTHORISED or self._note() == note:
                raise
            raise ServerNotRunning(url=self.url) from error

    def _note(self) -> RunNote | None:
        return self._folder.note() if self._folder is not None else None

    def _answer(self, method: str, path: str, **request: Any) -> Json:  # noqa: ANN401 - passed on to httpx
        try:
            response = self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise ServerNotRunning(url=self.url) from error
        return _body(response)


def _authorization(key: str | None) -> dict[str, str]:
    if not key:
        return {}
    if not key.isascii():
        raise KeyInvalid
    return {"Authorization": f"Bearer {key}"}


def _pieces(file: BinaryIO, sent: Callable[[int], None]) -> Iterator[bytes]:
    while piece := file.read(READ_BYTES):
        yield piece
        sent(len(piece))


def _body(response: httpx.Response) -> Json:
    if response.is_error:
        raise _problem(response)
    body: Json = response.json() if response.content else {}
    return body


def _problem(response: httpx.Response) -> ServerError:
    try:
        body = response.json()
        return ServerError(body["code"], body["title"], response.status_code)
    except (ValueError, KeyError):
        return ServerError("unknown", f"HTTP {response.status_code}", response.status_code)
