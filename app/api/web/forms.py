"""Forms that pages send, and where they lead."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from fastapi import Request

from app.errors import InvalidRequest

MOST_FIELDS = 20
MEDIA_TYPE = "application/x-www-form-urlencoded"
LONGEST_ADDRESS = 2000


async def form_fields(request: Request) -> dict[str, str]:
    """The fields of a form of ours, whose size is bounded as every body's; raises `InvalidRequest`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise InvalidRequest(reason="the form could not be read")
    try:
        text = (await request.body()).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise InvalidRequest(repr(error), reason="the form could not be read") from error


def local_path(address: str | None) -> str:
    """The address where it is a path on this server, otherwise `/`: nobody is led elsewhere by a link to us."""
    if not address or len(address) > LONGEST_ADDRESS or not address.isprintable() or "\\" in address:
        return "/"
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    is_ours = address.startswith("/") and not address.startswith("//") and not parts.scheme and not parts.netloc
    return address if is_ours else "/"
