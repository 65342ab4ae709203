"""Where the server's log goes, and that no secret gets into it, whoever writes the line."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict

from app import tracing
from app.settings import Settings

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_MASK = "[secret]"
_SHORTEST = 6
"""A shorter secret is a word that stands in many places; masking it would hide those and tell it."""
_OWN_KEYS = r"mqa_[A-Za-z0-9_-]{16,}"


class Masking(logging.Formatter):
    """Writes a line without the secrets of the settings, and without what looks like a key of this service.

    Endpoints repeat in their errors what they were sent, and libraries log those.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__("%(message)s")
        forms = {form for secret in _secrets(settings) for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(re.escape, longest_first), _OWN_KEYS]))

    def format(self, record: logging.LogRecord) -> str:
        return self._pattern.sub(_MASK, super().format(record))


def configure_logging(settings: Settings) -> None:
    """JSON lines in `logs/server.log`; warnings and worse of libraries go there too."""
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(settings.logs_dir / "server.log", encoding="utf-8")
    handler.setFormatter(Masking(settings))
    logging.basicConfig(handlers=[handler], level=LEVELS[settings.log_level], force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _name_trace,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    for noisy in ("httpx", "httpcore", "aiohttp", "chromadb", "alembic", "dbos", "sentence_transformers", "filelock"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _name_trace(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The trace within which a line is written, where traces are collected."""
    trace_id = tracing.trace_id()
    if trace_id is not None:
        event["trace_id"] = trace_id
    return event


def _secrets(settings: Settings) -> Iterator[str]:
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            secret = value.get_secret_value()
            password = urlsplit(secret).password if "://" in secret else None
            yield from (part for part in (secret, password) if part is not None and len(part) >= _SHORTEST)


def _forms(secret: str) -> Iterator[str]:
    """As it is, in a URL, and inside JSON."""
    yield from (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
