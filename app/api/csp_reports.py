"""Takes what browsers report of our Content-Security-Policy: counts all of it, logs some of it, keeps nothing."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)

MOST_BYTES = 16_000
MOST_A_MINUTE = 30
"""Logged; anybody may send a report, and none may fill the log."""
_LONGEST_VALUE = 100


class CspReports:
    """How many reports came, and whether the next may be logged."""

    def __init__(self) -> None:
        self.count = 0
        self._minute, self._logged = 0, 0
        self._lock = threading.Lock()

    def take(self, moment: float) -> bool:
        """Counts one; whether it is among the first of its minute."""
        with self._lock:
            self.count += 1
            if int(moment // 60) != self._minute:
                self._minute, self._logged = int(moment // 60), 0
            self._logged += 1
            return self._logged <= MOST_A_MINUTE


@router.post("/csp-report", status_code=204)
async def take_report(request: Request) -> Response:
    """Open to all, since browsers send it without asking for a key; always 204."""
    reports: CspReports = request.app.state.csp_reports
    if reports.take(time.monotonic()):
        log.warning("csp_report", count=reports.count, **_facts(await _body(request)))
    return Response(status_code=204)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece[: MOST_BYTES + 1 - len(body)]
    return bytes(body) if len(body) <= MOST_BYTES else b""


def _facts(body: bytes) -> dict[str, str]:
    """Which rule was broken on which page and by what, without queries; nothing where the body is no report."""
    try:
        sent: Any = json.loads(body)
        report = sent["csp-report"]
        found = {
            "directive": report.get("effective-directive") or report.get("violated-directive"),
            "page": report.get("document-uri"),
            "blocked": report.get("blocked-uri"),
            "source": report.get("source-file"),
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return {name: _short(value) for name, value in found.items() if isinstance(value, str)}


def _short(value: str) -> str:
    return value.partition("?")[0].partition("#")[0][:_LONGEST_VALUE]
