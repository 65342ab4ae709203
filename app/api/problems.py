"""Errors to HTTP: every error of ours becomes `application/problem+json` in the language of the request.

The routes for OpenAI's clients tell it in the form that those read.
"""

from __future__ import annotations

import shutil

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.exceptions import HTTPException

from app.api.compatible.faults import fault_out, fault_status, is_compatible
from app.api.deps import SESSION_COOKIE
from app.api.headers import secure
from app.api.language import request_language
from app.api.schemas import Problem, Reason
from app.api.web.routing import problem_page
from app.errors import (
    DiskFull,
    InvalidInput,
    InvalidRequest,
    KeyExpired,
    KeyInvalid,
    KeyMissing,
    ManualqaError,
    MethodNotAllowed,
    QuotaSpent,
    RateLimited,
    RouteNotFound,
    SessionEnded,
    Unavailable,
    errors_by_code,
)
from app.ingest.files import FULL_DISK
from app.types import Language
from app.validation import fault, faults

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "2"
PROBLEM_RESPONSES: dict[int | str, dict[str, object]] = {
    "4XX": {
        "description": "The request cannot be served as it is.",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    },
    "5XX": {
        "description": "A part of the service is away.",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    },
}


def install(app: FastAPI) -> None:
    """Registers the handlers."""
    app.add_exception_handler(ManualqaError, _ours)
    app.add_exception_handler(OperationalError, _catalogue)
    app.add_exception_handler(NoConnection, _catalogue)
    app.add_exception_handler(OSError, _disk)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _last_resort)


def told(request: Request, error: ManualqaError, errors: list[dict[str, object]] | None = None) -> JSONResponse:
    """The response for an error, with the fields that were refused."""
    language = request_language(request)
    if is_compatible(request.url.path):
        body = fault_out(error, language, errors).model_dump()
        return JSONResponse(body, fault_status(error), _headers(error, language))
    problem = Problem(
        type=f"urn:manualqa:error:{error.code()}",
        title=error.message(language),
        status=error.status,
        code=error.code(),
        errors=errors,
    )
    return JSONResponse(problem.model_dump(exclude_none=True), error.status, _headers(error, language), MEDIA_TYPE)


def _headers(error: ManualqaError, language: Language) -> dict[str, str]:
    headers: dict[str, str] = {"Content-Language": language}
    if isinstance(error, KeyMissing | KeyInvalid | KeyExpired | SessionEnded):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unavailable):
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    if isinstance(error, RateLimited | QuotaSpent):
        headers["Retry-After"] = str(error.params["retry_after"])
    return headers


def reason(code: str | None, params: dict[str, object], language: Language) -> Reason | None:
    """A stored error as the user reads it; None where nothing failed."""
    if code is None:
        return None
    kind = errors_by_code().get(code, ManualqaError)
    return Reason(code=code, message=kind(None, **params).message(language))


def _ours(request: Request, error: Exception) -> JSONResponse:
    known = error if isinstance(error, ManualqaError) else ManualqaError(repr(error))
    if known.status >= 500:
        log.warning("request_failed", code=known.code(), detail=known.detail, path=request.url.path)
    return told(request, known)


def _catalogue(request: Request, error: Exception) -> JSONResponse:
    """The catalogue cannot be written or read now: its disk is full, or it is busy for longer than it may be."""
    known = _disk_full(request, error) if "full" in str(getattr(error, "orig", "")) else Unavailable(repr(error))
    return _ours(request, known)


def _disk(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return _ours(request, _disk_full(request, error))
    return _last_resort(request, error)


def _disk_full(request: Request, error: Exception) -> DiskFull:
    settings = request.app.state.services.settings
    free = shutil.disk_usage(settings.data_dir).free
    return DiskFull(repr(error), free_mb=free // 1_000_000, needed_mb=settings.min_free_disk_mb)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    language = request_language(request)
    if _is_keyless(request):
        return told(request, KeyMissing())
    found = error.errors() if isinstance(error, RequestValidationError) else []
    wrong = [(".".join(str(part) for part in item["loc"]), fault(item, language)) for item in found[:20]]
    fields: list[dict[str, object]] = [{"field": field, "reason": reason} for field, reason in wrong]
    malformed = any(item["type"] == "json_invalid" for item in found)
    kind = InvalidRequest if malformed else InvalidInput
    return told(request, kind(reason=faults(wrong[:3], language)), fields)


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == RouteNotFound.status and _is_for_a_person(request):
        return problem_page(request, RouteNotFound())
    known: dict[int, ManualqaError] = {
        404: RouteNotFound(),
        405: MethodNotAllowed(method=request.method),
        400: KeyMissing() if _is_keyless(request) else InvalidRequest(reason="the body could not be read"),
    }
    return told(request, known.get(status, ManualqaError(repr(error))))


def _is_keyless(request: Request) -> bool:
    """The framework reads a body before anything asks for the key; who has none is told that first all the same."""
    has_key = request.headers.get("authorization") or request.cookies.get(SESSION_COOKIE)
    return request.url.path.startswith("/v1/") and not has_key


def _is_for_a_person(request: Request) -> bool:
    """A browser that goes to an address; programs ask for JSON, or for anything."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")


def _last_resort(request: Request, error: Exception) -> JSONResponse:
    log.error("request_crashed", path=request.url.path, exc_info=error)
    response = told(request, ManualqaError())
    secure(response.headers)  # it is sent past the middleware
    return response
