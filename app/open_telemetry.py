"""Spans to a collector of OpenTelemetry, over OTLP/HTTP: the one place that knows its libraries (extra `otel`).

The SDK reads the standard variables (`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, ...).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.tracing import Span, Value, ended

log = structlog.get_logger(__name__)

_EXPORT_SECONDS = 3.0
"""Longest call of the collector; spans wait for it in a bounded queue, and those beyond are left out."""
_TRACES_PATH = "/v1/traces"


class OpenTelemetryTracer:
    """Port `Tracer`; W3C trace context from requests and to servers."""

    def __init__(self, provider: TracerProvider, name: str) -> None:
        self._tracer = provider.get_tracer(name)
        self._context = TraceContextTextMapPropagator()

    def opened(self, name: str, values: Mapping[str, Value]) -> Span:
        return _Span(self._tracer.start_span(name, attributes=values), self._context)

    @contextmanager
    def within(self, name: str, values: Mapping[str, Value]) -> Iterator[Span]:
        with _current(_Span(self._tracer.start_span(name, attributes=values), self._context)) as span:
            yield span

    @contextmanager
    def request(self, headers: Mapping[str, str], values: Mapping[str, Value]) -> Iterator[Span]:
        asked = self._context.extract(dict(headers))
        begun = self._tracer.start_span("request", asked, trace.SpanKind.SERVER, attributes=values)
        with _current(_Span(begun, self._context)) as span:
            yield span

    def trace_id(self) -> str | None:
        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else None


class _Span:
    """Port `Span`."""

    def __init__(self, span: trace.Span, context: TraceContextTextMapPropagator) -> None:
        self.inner = span
        self._context = context

    @property
    def headers(self) -> Mapping[str, str]:
        carried: dict[str, str] = {}
        self._context.inject(carried, trace.set_span_in_context(self.inner))
        return carried

    def note(self, **values: Value) -> None:
        self.inner.set_attributes(values)

    def rename(self, name: str) -> None:
        self.inner.update_name(name)

    def end(self, error: BaseException | None = None) -> None:
        if error is not None:
            self.inner.set_attribute("error.type", type(error).__name__)
            self.inner.set_status(trace.StatusCode.ERROR)
        self.inner.end()


@contextmanager
def _current(span: _Span) -> Iterator[_Span]:
    """What the block begins is a part of the span, which ends with it; the text of an error stays out of it."""
    quiet = {"end_on_exit": False, "record_exception": False, "set_status_on_exception": False}
    with trace.use_span(span.inner, **quiet), ended(span):
        yield span


class _Quiet(SpanExporter):
    """Says once that the collector does not take spans, and once that it does again; holds up no end of the server."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._fails = self._is_closing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._fails and self._is_closing:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails and not self._fails:
            log.warning("traces_not_sent")
        if self._fails and not fails:
            log.info("traces_sent_again")
        self._fails = fails
        return result

    def close(self) -> None:
        """The process ends: what fails now is not tried a second time."""
        self._is_closing = True

    def shutdown(self) -> None:
        self._exporter.shutdown()


@contextmanager
def tracing_to(endpoint: str | None, version: str) -> Iterator[OpenTelemetryTracer]:
    """A tracer for as long as the block lasts; without an `endpoint` (base URL), the standard variables name it."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # we say it, once
    address = None if endpoint is None else endpoint.rstrip("/").removesuffix(_TRACES_PATH) + _TRACES_PATH
    own = Resource({SERVICE_NAME: "manualqa", SERVICE_VERSION: version})
    provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    exporter = _Quiet(OTLPSpanExporter(endpoint=address, timeout=_EXPORT_SECONDS))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield OpenTelemetryTracer(provider, "manualqa")
    finally:
        exporter.close()
        provider.shutdown()
