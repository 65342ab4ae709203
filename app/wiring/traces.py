"""Where traces go, by the settings."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from app import __version__
from app.errors import (
    ExtraMissing,
)
from app.settings import Settings, has_standard_collector
from app.tracing import collected_by

log = structlog.get_logger(__name__)


@contextmanager
def traces(settings: Settings) -> Iterator[None]:
    """Sends spans to the collector of the settings, or of OpenTelemetry's own variables, as long as the block lasts.

    Raises `ExtraMissing` where our setting asks for it and its libraries are not here; for those variables, which may
    stand in the environment of everything on a machine, that is no fault.
    """
    if settings.otlp_endpoint is None and not has_standard_collector():
        yield
        return
    if not _has_otel():
        if settings.otlp_endpoint is not None:
            raise ExtraMissing(feature="Tracing", extra="otel")
        log.warning("traces_off", missing="otel")
        yield
        return
    from app.open_telemetry import tracing_to  # noqa: PLC0415 - only where it is asked for

    with tracing_to(settings.otlp_endpoint, __version__) as tracer, collected_by(tracer):
        yield


def _has_otel() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False
