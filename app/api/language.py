"""The language a request asks for."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from app.types import Language

MAX_HEADER = 200
LANGUAGE_COOKIE = "mqa_language"


def request_language(request: HTTPConnection) -> Language:
    """`zh` or `en`: what was chosen on the pages, or what `Accept-Language` prefers (RFC 9110, section 12.5.4).

    English where neither says.
    """
    match request.cookies.get(LANGUAGE_COOKIE):
        case "zh":
            return "zh"
        case "en":
            return "en"
    best: tuple[float, Language] = (0.0, "en")
    for item in request.headers.get("accept-language", "")[:MAX_HEADER].split(","):
        tag, _, weight = item.partition(";")
        quality = _quality(weight)
        primary = tag.strip().lower().split("-")[0]
        if primary == "zh" and quality > best[0]:
            best = (quality, "zh")
        elif primary == "en" and quality > best[0]:
            best = (quality, "en")
    return best[1]


def _quality(weight: str) -> float:
    name, _, value = weight.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
