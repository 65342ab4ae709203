"""Calls of the API, one method each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from manualqa_client.models import (
    Answer,
    BatchItem,
    Document,
    Job,
    KnowledgeBase,
    Problem,
    SearchResult,
    Upload,
)

Language = Literal["zh", "en"]
M = TypeVar("M", bound=BaseModel)

_PER_PAGE = 100
_ENDED = ("done", "failed", "cancelled")


class ApiError(Exception):
    """The server refused: `code` is stable, the message is a sentence for people, `retry_after` is in seconds."""

    def __init__(self, code: str, message: str, status: int, retry_after: float | None = None) -> None:
        self.code, self.status, self.retry_after = code, status, retry_after
        super().__init__(message)


class JobFailed(Exception):
    """A job that was waited for did not end well."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(job.error.message if job.error is not None else job.state)


class Manualqa:
    """One server and one key. Safe to share between threads; `close` it, or use it in a `with` block.

    `timeout` is the longest silence of the server in seconds: an answer of a small model without a GPU may take a
    minute. Every method raises `ApiError` where the server refuses, and `httpx.HTTPError` where it cannot be reached.
    """

    def __init__(self, url: str, key: str, *, language: Language = "en", timeout: float = 300.0) -> None:
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": language}
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout)

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def __enter__(self) -> Manualqa:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- knowledge bases ----------------------------------------------------------------------------------------------

    def knowledge_bases(self) -> list[KnowledgeBase]:
        """All that the key may read."""
        found = self._json("GET", "/v1/knowledge-bases")["knowledge_bases"]
        return [KnowledgeBase.model_validate(each) for each in found]

    def knowledge_base(self, knowledge_base_id: str) -> KnowledgeBase:
        """One of them."""
        return self._one(KnowledgeBase, "GET", _base(knowledge_base_id))

    def create_knowledge_base(
        self, name: str, *, threshold: float | None = None, language: Language | None = None
    ) -> KnowledgeBase:
        """A new, empty one; the name must be free."""
        body = {"name": name, "threshold": threshold, "language": language}
        return self._one(KnowledgeBase, "POST", "/v1/knowledge-bases", json=body)

    def remove_knowledge_base(self, knowledge_base_id: str) -> None:
        """Removes it with its documents and conversations."""
        self._send("DELETE", _base(knowledge_base_id))

    # --- documents ----------------------------------------------------------------------------------------------------

    def documents(self, knowledge_base_id: str) -> Iterator[Document]:
        """All documents of a knowledge base."""
        yield from self._pages(Document, f"{_base(knowledge_base_id)}/documents", "documents")

    def document(self, knowledge_base_id: str, document_id: str) -> Document:
        """One of them."""
        return self._one(Document, "GET", f"{_base(knowledge_base_id)}/documents/{_part(document_id)}")

    def upload(self, knowledge_base_id: str, path: str | Path, *, name: str | None = None) -> Upload:
        """Sends a file, read as it goes; `wait` for the job of what comes back.

        The same bytes are one document; a file of the same name replaces the older one once it is ready.
        """
        path = Path(path)
        with path.open("rb") as file:
            return self._one(
                Upload,
                "POST",
                f"{_base(knowledge_base_id)}/documents",
                params={"name": name or path.name},
                content=iter(lambda: file.read(1 << 20), b""),
                headers={"Content-Length": str(path.stat().st_size)},
            )

    def remove_document(self, knowledge_base_id: str, document_id: str) -> None:
        """Removes it; it is in no answer any more at once."""
        self._send("DELETE", f"{_base(knowledge_base_id)}/documents/{_part(document_id)}")

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """How far a job is."""
        return self._one(Job, "GET", f"/v1/jobs/{_part(job_id)}")

    def wait(
        self,
        job_id: str,
        *,
        timeout: float = 3600.0,
        every: float = 0.5,
        told: Callable[[Job], None] = lambda _: None,
    ) -> Job:
        """The job once it is done; `told` gets each state. Raises `JobFailed`, and `TimeoutError` after `timeout` s."""
        deadline = time.monotonic() + timeout
        while True:
            job = self.job(job_id)
            told(job)
            if job.state in _ENDED:
                break
            if time.monotonic() >= deadline:
                raise TimeoutError(f"job {job_id} is {job.state} after {timeout:.0f} s")
            time.sleep(every)
        if job.state != "done":
            raise JobFailed(job)
        return job

    # --- questions ----------------------------------------------------------------------------------------------------

    def search(
        self, knowledge_base_id: str, question: str, *, limit: int | None = None, threshold: float | None = None
    ) -> SearchResult:
        """Passages for a question."""
        body = {"question": question, "limit": limit, "threshold": threshold}
        return self._one(SearchResult, "POST", f"{_base(knowledge_base_id)}/search", json=body)

    def ask(
        self,
        knowledge_base_id: str,
        question: str,
        *,
        language: Language | None = None,
        limit: int | None = None,
        threshold: float | None = None,
        adapter: str | None = None,
    ) -> Answer:
        """The checked answer. `adapter` is the id of one, or "base" for the model alone."""
        body = _question(question, language, limit, threshold, adapter)
        return self._one(Answer, "POST", f"{_base(knowledge_base_id)}/ask", json=body)

    def ask_stream(
        self,
        knowledge_base_id: str,
        question: str,
        *,
        language: Language | None = None,
        limit: int | None = None,
        threshold: float | None = None,
        adapter: str | None = None,
    ) -> Iterator[SearchResult | str | Answer]:
        """The sources, the text as the model writes it (not checked yet), and last the checked answer.

        Closing the iterator ends the model's work.
        """
        body = _question(question, language, limit, threshold, adapter) | {"stream": True}
        with self._stream("POST", f"{_base(knowledge_base_id)}/ask", json=body) as response:
            for event, data in _events(response.iter_lines()):
                match event:
                    case "sources":
                        yield SearchResult.model_validate(data)
                    case "token":
                        yield str(data["text"])
                    case "done":
                        yield Answer.model_validate(data)
                    case "error":
                        problem = Problem.model_validate(data)
                        raise ApiError(problem.code, problem.message, response.status_code)

    def ask_batch(
        self, knowledge_base_id: str, questions: Sequence[str], *, language: Language | None = None
    ) -> list[BatchItem]:
        """Several questions; one that fails does not keep the others from their answers."""
        body = {"questions": list(questions), "language": language}
        items = self._json("POST", f"{_base(knowledge_base_id)}/ask-batch", json=body)["items"]
        return [BatchItem.model_validate(item) for item in items]

    # --- how ----------------------------------------------------------------------------------------------------------

    def _one(self, model: type[M], method: str, path: str, **request: Any) -> M:
        return model.model_validate(self._json(method, path, **request))

    def _pages(self, model: type[M], path: str, name: str) -> Iterator[M]:
        offset = 0
        while True:
            found = self._json("GET", path, params={"limit": _PER_PAGE, "offset": offset})[name]
            yield from (model.model_validate(each) for each in found)
            if len(found) < _PER_PAGE:
                return
            offset += _PER_PAGE

    def _json(self, method: str, path: str, **request: Any) -> Any:
        return self._send(method, path, **request).json()

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        response = self._http.request(method, path, **request)
        _check(response)
        return response

    @contextmanager
    def _stream(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:
        with self._http.stream(method, path, **request) as response:
            if response.is_error:
                response.read()
            _check(response)
            yield response


def _base(knowledge_base_id: str) -> str:
    return f"/v1/knowledge-bases/{_part(knowledge_base_id)}"


def _part(text: str) -> str:
    return quote(text, safe="")


def _question(
    question: str, language: Language | None, limit: int | None, threshold: float | None, adapter: str | None
) -> dict[str, Any]:
    return {
        "question": question,
        "language": language,
        "limit": limit,
        "threshold": threshold,
        "adapter": adapter,
    }


def _check(response: httpx.Response) -> None:
    if not response.is_error:
        return
    try:
        body = response.json()
        code, message = str(body["code"]), str(body.get("detail") or body["title"])
    except (ValueError, KeyError, TypeError):
        code, message = "unknown", f"HTTP {response.status_code}"
    after = response.headers.get("Retry-After", "")
    raise ApiError(code, message, response.status_code, float(after) if after.isdigit() else None)


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """Server-sent events: their names and their data, which is JSON."""
    event, data = "", ""
    for line in lines:
        if line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and event:
            yield event, json.loads(data)
            event, data = "", ""
