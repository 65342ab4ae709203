"""Spans of what is done, where somebody collects them; without that nothing happens here, at no cost.

A span has a name, ids and numbers: never a word of a manual, a question or an answer, nor the text of an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

Value = str | int | float | bool


class Span(Protocol):
    """Something that is being done."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What a request carries to a server whose own spans are to be part of this one (W3C trace context)."""
        ...

    def note(self, **values: Value) -> None:
        """Adds attributes."""
        ...

    def rename(self, name: str) -> None:
        """Gives it another name."""
        ...

    def end(self, error: BaseException | None = None) -> None:
        """It is done, or has failed; once."""
        ...


class Tracer(Protocol):
    """Collects spans, as parts of the one that this context is within. Costs no time of who makes them."""

    def opened(self, name: str, values: Mapping[str, Value]) -> Span:
        """A span that `end` ends; what is begun meanwhile is no part of it."""
        ...

    def within(self, name: str, values: Mapping[str, Value]) -> AbstractContextManager[Span]:
        """A span as long as the block, of which is a part what the block begins; no `yield` leads out of it."""
        ...

    def request(self, headers: Mapping[str, str], values: Mapping[str, Value]) -> AbstractContextManager[Span]:
        """The same for a request, as a part of the span that its headers name."""
        ...

    def trace_id(self) -> str | None:
        """The trace that this context is within."""
        ...


class _NoSpan:
    headers: Mapping[str, str] = {}

    def note(self, **values: Value) -> None:
        """Nobody collects it."""

    def rename(self, name: str) -> None:
        """Nobody collects it."""

    def end(self, error: BaseException | None = None) -> None:
        """Nobody collects it."""


_NO_SPAN = _NoSpan()
_NOTHING: AbstractContextManager[Span] = nullcontext(_NO_SPAN)
_tracer: Tracer | None = None


@contextmanager
def collected_by(tracer: Tracer) -> Iterator[None]:
    """The spans of this process go there as long as the block lasts."""
    global _tracer
    _tracer = tracer
    try:
        yield
    finally:
        _tracer = None


@contextmanager
def ended(span: Span) -> Iterator[Span]:
    """The span ends with the block; who only reads no further has not failed."""
    try:
        yield span
    except GeneratorExit:
        span.end()
        raise
    except BaseException as error:
        span.end(error)
        raise
    span.end()


def opened(name: str, **values: Value) -> Span:
    """See `Tracer.opened`."""
    return _NO_SPAN if _tracer is None else _tracer.opened(name, values)


def within(name: str, **values: Value) -> AbstractContextManager[Span]:
    """See `Tracer.within`."""
    return _NOTHING if _tracer is None else _tracer.within(name, values)


def request(headers: Mapping[str, str], **values: Value) -> AbstractContextManager[Span]:
    """See `Tracer.request`."""
    return _NOTHING if _tracer is None else _tracer.request(headers, values)


def trace_id() -> str | None:
    """See `Tracer.trace_id`."""
    return None if _tracer is None else _tracer.trace_id()
