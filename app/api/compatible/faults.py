"""Errors as OpenAI's clients read them."""

from __future__ import annotations

import re
from typing import Any, Literal

from app.api.schemas import Shape
from app.errors import ManualqaError
from app.types import Language

FaultType = Literal[
    "invalid_request_error", "authentication_error", "permission_error", "rate_limit_error", "server_error"
]

_COMPATIBLE = re.compile(r"/v1/(models|chat|embeddings)(/.*)?")
_TYPES: dict[int, FaultType] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Fault(Shape):
    """`code` is ours and stable, `message` is for people in the language of the request."""

    message: str
    type: FaultType
    code: str
    param: str | None


class FaultOut(Shape):
    error: Fault


FAULT_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": FaultOut, "description": "The request cannot be served as it is."},
    "5XX": {"model": FaultOut, "description": "A part of the service is away."},
}


def is_compatible(path: str) -> bool:
    """Whether a path belongs to these routes."""
    return _COMPATIBLE.fullmatch(path) is not None


def fault_status(error: ManualqaError) -> int:
    """The status of an error; 400 where ours is 422, which OpenAI's API does not have."""
    return 400 if error.status == 422 else error.status


def fault_out(error: ManualqaError, language: Language, errors: list[dict[str, object]] | None = None) -> FaultOut:
    """An error, with the first of the fields that were refused."""
    kind = _TYPES.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error")
    parameter = error.params.get("parameter")
    if parameter is None and errors:
        parameter = str(errors[0]["field"]).removeprefix("body.")
    return FaultOut(
        error=Fault(
            message=error.message(language),
            type=kind,
            code=error.code(),
            param=None if parameter is None else str(parameter),
        )
    )
