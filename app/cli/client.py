"""The command line's HTTP client: finds the running server, speaks its API, turns problems into errors."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

import httpx

from app.catalogue.folder import DataFolder
from app.errors import KeyInvalid, ManualqaError, ServerNotRunning
from app.settings import Settings
from app.types import Language

READ_BYTES = 1 << 18
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
        headers: dict[str, str] = {"Accept-Language": language}
        if key:
            if not key.isascii():
                raise KeyInvalid
            headers["Authorization"] = f"Bearer {key}"
        self.url = url
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_seconds, trust_env=False)

    @classmethod
    def connect(cls, settings: Settings, language: Language) -> Self:
        """The server of `MQA_URL`, or the one that owns the data folder; raises `ServerNotRunning`."""
        key = settings.api_key.get_secret_value() if settings.api_key else None
        if settings.url:
            return cls(settings.url, key, language)
        note = DataFolder(settings.data_dir).note()
        if note is None:
            raise ServerNotRunning(url=f"http://{settings.host}:{settings.port}")
        return cls(note.url, key or note.token, language)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: str | int) -> Json:
        """GET; raises `ServerError`, `ServerNotRunning`."""
        return self._answer("GET", path, params=params)

    def post(self, path: str, body: Json) -> Json:
        """POST with a JSON body; raises as `get`."""
        return self._answer("POST", path, json=body)

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
        with path.open("rb") as file:
            return self._answer(
                "POST",
                f"/v1/knowledge-bases/{knowledge_base_id}/documents",
                params={"name": os.fsencode(path.name).decode("utf-8", "replace")},
                content=_pieces(file, sent),
                headers={"Content-Length": str(path.stat().st_size), "Content-Type": "application/octet-stream"},
            )

    def events(self, path: str, body: Json) -> Iterator[tuple[str, Json]]:
        """Server-sent events of a POST as (event, data); raises as `get`, also for an `error` event."""
        try:
            with self._http.stream("POST", path, json=body, headers={"Accept": "text/event-stream"}) as response:
                if response.is_error:
                    response.read()
                    raise _problem(response)
                event = ""
                for line in response.iter_lines():
                    if line.startswith("event: "):
                        event = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        data: Json = json.loads(line.removeprefix("data: "))
                        if event == "error":
                            raise ServerError(data["code"], data["message"], 503)
                        yield event, data
        except httpx.TransportError as error:
            raise ServerNotRunning(url=self.url) from error

    def job_states(self, job_id: str, every_seconds: float = 0.5) -> Iterator[Json]:
        """The job again and again until it has ended."""
        while True:
            job = self.get(f"/v1/jobs/{job_id}")
            yield job
            if job["ended_at"]:
                return
            time.sleep(every_seconds)

    def _answer(self, method: str, path: str, **request: Any) -> Json:  # noqa: ANN401 - passed on to httpx
        try:
            response = self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise ServerNotRunning(url=self.url) from error
        if response.is_error:
            raise _problem(response)
        body: Json = response.json() if response.content else {}
        return body


def _pieces(file: BinaryIO, sent: Callable[[int], None]) -> Iterator[bytes]:
    while piece := file.read(READ_BYTES):
        yield piece
        sent(len(piece))


def _problem(response: httpx.Response) -> ServerError:
    try:
        body = response.json()
        return ServerError(body["code"], body["title"], response.status_code)
    except (ValueError, KeyError):
        return ServerError("unknown", f"HTTP {response.status_code}", response.status_code)
