"""What is counted and measured for Prometheus; only user of `prometheus_client`.

No label is a user's string: routes are their templates, methods and statuses a short list, the rest our own names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Scope

from app import __version__
from app.catalogue.calls import Call
from app.types import CallOutcome, DocumentState, JobState

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
"""The route of a path that no route takes, and the method of what is no method of ours."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""From a list of documents to an answer that a small model writes on two cores."""

_LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_LAG_EVERY_SECONDS = 0.1


class Measures:
    """The measures of one server, from its start on."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "manualqa_requests",
            "Requests that have ended, by route and class of status.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "manualqa_request_seconds",
            "Time of requests to their last byte: of a streamed answer, to its last word.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._parts = Gauge(
            "manualqa_part_ready",
            "1 where a part of the service is ready, 0 where it is not.",
            ["part"],
            registry=self._registry,
        )
        self._documents = Gauge("manualqa_documents", "Documents by state.", ["state"], registry=self._registry)
        self._jobs = Gauge("manualqa_jobs", "Jobs by state.", ["state"], registry=self._registry)
        self._calls = Counter(
            "manualqa_calls",
            "Questions that have ended, by the way they came in and what they got.",
            ["channel", "outcome"],
            registry=self._registry,
        )
        self._refusals = Counter(
            "manualqa_refusals", "Questions that were refused, by reason.", ["reason"], registry=self._registry
        )
        self._call_seconds = Histogram(
            "manualqa_call_seconds",
            "Time of questions from their arrival to a stage: sources, first_token, total.",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._tokens = Counter(
            "manualqa_tokens", "Tokens that the model read and wrote.", ["kind"], registry=self._registry
        )
        self._sentences = Counter(
            "manualqa_sentences",
            "Sentences that the model wrote, by whether the manuals carry them.",
            ["grounded"],
            registry=self._registry,
        )
        self._lag = Histogram(
            "manualqa_event_loop_lag_seconds",
            "How much later than it should the event loop comes to what waits.",
            buckets=_LAG_SECONDS,
            registry=self._registry,
        )
        self._model_calls = Gauge(
            "manualqa_model_calls",
            "Calls of the language model, running and waiting.",
            ["state"],
            registry=self._registry,
        )
        self._questions = Gauge(
            "manualqa_questions_under_way", "Questions that have a place now.", registry=self._registry
        )
        self._refused = Counter(
            "manualqa_questions_refused", "Questions answered 429 as all places were taken.", registry=self._registry
        )
        self._breakers = Gauge(
            "manualqa_breaker_open", "1 where a part is left alone after failures.", ["part"], registry=self._registry
        )
        self._alarms = Gauge(
            "manualqa_alarm_firing", "1 where a rule's alarm fires, by rule.", ["rule"], registry=self._registry
        )
        version = Gauge("manualqa_build", "1, with the version that runs.", ["version"], registry=self._registry)
        version.labels(__version__).set(1)
        ProcessCollector(registry=self._registry)

    def request(self, scope: Scope, status: int, seconds: float) -> None:
        """A request has ended; status 0 is one that its client left before it was answered."""
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        route = getattr(scope.get("route"), "path", OTHER)
        self._requests.labels(method, route, f"{status // 100}xx" if status else "none").inc()
        self._seconds.labels(method, route).observe(seconds)

    def call(self, call: Call) -> None:
        """A question has ended."""
        self._calls.labels(call.channel.value, call.outcome.value).inc()
        if call.outcome is CallOutcome.REFUSED and call.reason is not None:
            self._refusals.labels(call.reason).inc()
        first = None if call.answer is None else call.answer.timings.first_token
        stages = {"sources": call.sources_seconds, "first_token": first, "total": call.total_seconds}
        for stage, seconds in stages.items():
            if seconds is not None:
                self._call_seconds.labels(stage).observe(seconds)
        if call.answer is not None:
            self._tokens.labels("prompt").inc(call.answer.prompt_tokens or 0)
            self._tokens.labels("completion").inc(call.answer.completion_tokens or 0)
        self._sentences.labels("yes").inc(call.sentences - call.withheld)
        self._sentences.labels("no").inc(call.withheld)

    async def watch_loop(self) -> None:
        """Notes how late the event loop is, ten times a second, until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_EVERY_SECONDS
            await asyncio.sleep(_LAG_EVERY_SECONDS)
            self._lag.observe(max(0.0, loop.time() - due))

    def refused(self) -> None:
        """A question had no place."""
        self._refused.inc()

    def state(
        self, parts: Mapping[str, bool], documents: Mapping[DocumentState, int], jobs: Mapping[JobState, int]
    ) -> None:
        """How the service stands now."""
        for name, ready in parts.items():
            self._parts.labels(name).set(ready)
        for document_state, count in documents.items():
            self._documents.labels(document_state.value).set(count)
        for job_state, count in jobs.items():
            self._jobs.labels(job_state.value).set(count)

    def load(self, running: int, waiting: int, taken: int, breakers: Mapping[str, bool]) -> None:
        """How much is under way, and what is left alone."""
        self._model_calls.labels("running").set(running)
        self._model_calls.labels("waiting").set(waiting)
        self._questions.set(taken)
        for part, is_open in breakers.items():
            self._breakers.labels(part).set(is_open)

    def alarms(self, firing: Mapping[str, bool]) -> None:
        """Which alarms fire, of the rules that are on."""
        for rule, fires in firing.items():
            self._alarms.labels(rule).set(fires)

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self._registry)
