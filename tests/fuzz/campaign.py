"""Sends what schemathesis makes up of the server's own description, and holds every answer against it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks as conformance
from urllib3.exceptions import ReadTimeoutError

from app.api.compatible.faults import is_compatible
from app.errors import errors_by_code
from tests.fuzz.world import World

Json = dict[str, Any]

CHECKS = [
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_headers_conformance,
    conformance.response_schema_conformance,
]
TELLTALES = ("Traceback", "site-packages", 'File "', "/work/", "/tmp/", "/home/", "/root/", "sqlalchemy", "sqlite3.")
"""None of these is in any answer: they are of the inside of a server."""
OPEN = frozenset({"GET /healthz", "GET /readyz"})
REAL_SHARE, BROKEN_SHARE = 0.6, 0.05
"""Of the requests that name things which are there, and of the JSON bodies that are no JSON."""
ANSWER_SECONDS = 60.0
STREAM_SECONDS = 0.3
"""After so long without an event a stream is left; some never end."""
MOST_STREAM_BYTES = 200_000
AWAY = frozenset({"embedder_unavailable"})
"""A rebuild may ask for weights that this server does not have, which it says with 503."""
SELDOM = {"POST /v1/maintenance/backups": 0.1}
"""Share of the usual number of requests: a backup copies everything each time."""


@dataclass
class Outcome:
    """What came of all requests."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    slowest: tuple[float, str] = (0.0, "")
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        return self.statuses.total()

    def add(self, label: str, status: int, seconds: float) -> None:
        self.statuses[label, status] += 1
        self.slowest = max(self.slowest, (seconds, label))

    def fail(self, label: str, kind: str, detail: str) -> None:
        """Keeps the first of each kind."""
        self.failures.setdefault((label, kind), detail)

    def lines(self) -> Iterator[str]:
        by_route: dict[str, list[tuple[int, int]]] = {}
        for (label, status), count in sorted(self.statuses.items()):
            by_route.setdefault(label, []).append((status, count))
        for label, counts in sorted(by_route.items()):
            yield f"{label}: " + ", ".join(f"{status} x {count}" for status, count in counts)
        slowest, label = self.slowest
        yield f"{self.sent} requests in {self.seconds:.0f} s; the slowest took {slowest:.1f} s ({label})"


class Campaign:
    """Requests to every operation that the server describes, with a key or without one."""

    def __init__(self, url: str, description: Json, world: World, key: str | None) -> None:
        self.outcome = Outcome()
        self._url, self._world = url, world
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._session = requests.Session()
        self._session.trust_env = False
        schema = schemathesis.openapi.from_dict(_without_tuples(description))
        schema.config.generation.with_security_parameters = False  # the key is ours, or there is none
        self.operations = [found.ok() for found in schema.get_all_operations()]
        self._strategies = {
            operation.label: st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))
            for operation in self.operations
        }

    def close(self) -> None:
        """Ends its connections."""
        self._session.close()

    def run(self, cases: int, number: int, each: int) -> None:
        """At least so many more requests, `each` of them to every operation in turn; `number` is the seed."""
        started, dice = time.monotonic(), Random(number)
        goal = self.outcome.sent + cases
        while self.outcome.sent < goal:
            if self._headers:
                self._world.replenish()
            for operation in dice.sample(self.operations, len(self.operations)):
                share = SELDOM.get(operation.label, 1.0)
                self._several(operation.label, max(1, round(each * share)), dice.getrandbits(32))
        self.outcome.seconds += time.monotonic() - started

    def _several(self, label: str, count: int, number: int) -> None:
        dice = Random(number)  # hypothesis would begin each time with the same throws

        @seed(number)
        @settings(
            max_examples=count,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            derandomize=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=self._strategies[label])
        def send(case: Case) -> None:
            self._one(case, dice)

        send()

    def _one(self, case: Case, dice: Random) -> None:
        label = case.operation.label
        if dice.random() < REAL_SHARE:
            self._make_real(case, dice)
        request = case.as_transport_kwargs(base_url=self._url, headers=dict(self._headers))
        if case.media_type == "application/json" and dice.random() < BROKEN_SHARE:
            request.pop("json", None)
            request["data"] = dice.choice((b"", b"{", b'{"a":', b"\xff\xfe", b"[" * 5000, b'"\\ud800"', b"NaN"))
        started = time.monotonic()
        try:
            response = self._sent(request)
        except requests.RequestException as error:
            self.outcome.fail(label, type(error).__name__, f"{request!r:.2000}: {error}")
            return
        self.outcome.add(label, response.status_code, time.monotonic() - started)
        for kind, detail in self._faults(case, response):
            self.outcome.fail(
                label, kind, f"{detail}\n{response.request.method} {response.request.url}\n{request!r:.2000}"
            )

    def _make_real(self, case: Case, dice: Random) -> None:
        """Puts what is really there where the request names something."""
        label = case.operation.label
        real = self._world.of(label, dice)
        case.path_parameters = {name: real.get(name, value) for name, value in case.path_parameters.items()}
        names = ("knowledge_base_id", "document_id", "v")
        case.query = {name: real[name] if name in names else value for name, value in (case.query or {}).items()}
        if "name" in case.query:
            case.query["name"] = self._world.name_of(label, dice)
        if isinstance(case.body, dict):
            case.body = {name: real.get(name, value) for name, value in case.body.items()}
        elif case.media_type == "application/octet-stream":
            case.body = self._world.content_of(label, dice)

    def _sent(self, request: Json) -> Response:
        timeout = (ANSWER_SECONDS, ANSWER_SECONDS)
        with self._session.request(**request, stream=True, timeout=timeout, allow_redirects=False) as response:
            if response.headers.get("Content-Type", "").startswith("text/event-stream"):
                response._content = _events(response)
            return Response.from_requests(response, verify=True)

    def _faults(self, case: Case, response: Response) -> Iterator[tuple[str, str]]:
        text = response.text_lossy()
        for word in TELLTALES:
            if word in text:
                yield f"it tells of {word}", text[:2000]
        if response.status_code >= 400:
            yield from _problem_faults(response)
        if not self._headers and case.operation.label not in OPEN and response.status_code != 401:
            yield f"{response.status_code} without a key", text[:500]
        streamed = response.headers.get("content-type", [""])[0].startswith("text/event-stream")
        try:  # the schema of a stream is of its text, and not of each event
            case.validate_response(response, checks=CHECKS[:-1] if streamed else CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                yield type(failure).__name__, f"{failure}"[:3000]


def _without_tuples(node: Any) -> Any:  # noqa: ANN401 - any piece of the description
    """The same with tuples as lists: schemathesis reads `prefixItems` as it was called in older drafts."""
    if isinstance(node, list):
        return [_without_tuples(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {name: _without_tuples(value) for name, value in node.items() if name != "prefixItems"}
    if "prefixItems" in node:
        found["items"] = {"anyOf": _without_tuples(node["prefixItems"])}
    return found


def _problem_faults(response: Response) -> Iterator[tuple[str, str]]:
    """What is wrong with an error: each is a problem of our tree, under its own status, and 500 is none."""
    text = response.text_lossy()[:1000]
    if is_compatible(urlsplit(str(response.request.url)).path):
        yield from _fault_faults(response, text)
        return
    if response.headers.get("content-type") != ["application/problem+json"]:
        if response.status_code != 503 or "status" not in text:  # what is not ready says so in its own shape
            yield "no problem+json", f"{response.status_code} {response.headers} {text}"
        return
    body = response.json()
    known = errors_by_code().get(body["code"])
    if known is None or known.status != response.status_code or body["status"] != response.status_code:
        yield "a problem of no error", f"{response.status_code} {text}"
    if response.status_code >= 500 and body["code"] not in AWAY:
        yield f"{response.status_code} {body['code']}", text


def _fault_faults(response: Response, text: str) -> Iterator[tuple[str, str]]:
    """The same of an error in the form of OpenAI's API, which has 400 for our 422."""
    fault = response.json()["error"]
    known = errors_by_code().get(fault["code"])
    if known is None or (400 if known.status == 422 else known.status) != response.status_code:
        yield "a fault of no error", f"{response.status_code} {text}"
    if response.status_code >= 500 and fault["code"] not in AWAY:
        yield f"{response.status_code} {fault['code']}", text


def _events(response: requests.Response) -> bytes:
    """What a stream has sent before it ended or fell silent."""
    connection = response.raw.connection
    if connection is not None and connection.sock is not None:
        connection.sock.settimeout(STREAM_SECONDS)
    found = bytearray()
    deadline = time.monotonic() + 10 * STREAM_SECONDS
    try:
        while piece := response.raw.read1(65536):
            found += piece
            if len(found) > MOST_STREAM_BYTES or time.monotonic() > deadline:
                break
    except ReadTimeoutError:
        pass
    return bytes(found)
