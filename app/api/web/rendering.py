"""Pages from templates: every value is escaped, every word comes from the catalogue of the reader's language."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from functools import cache
from typing import Literal, cast, get_args

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from app.api.language import request_language
from app.api.web.static import assets
from app.api.web.words import words_in
from app.catalogue.keys import Role
from app.catalogue.records import Key
from app.text.page_numbers import page_numbers

Theme = Literal["auto", "light", "dark"]
THEME_COOKIE = "mqa_theme"
COMPRESSION = 5
"""A page of 100 kB becomes one of 12 kB in 2 ms."""


def render(
    request: Request, template: str, *, key: Key | None = None, status: int = 200, **values: object
) -> HTMLResponse:
    """The page of a template for this reader; `key` is who is signed in, None on pages that are open to all."""
    language = request_language(request)
    words = words_in(language)
    role = None if key is None else Role(key.role)
    page = (
        environment()
        .get_template(template)
        .render(
            words=words,
            language=language,
            theme=theme_of(request),
            key=key,
            can_edit=role is not None and role.covers(Role.EDITOR),
            can_create=key is not None and _can_create(key),
            can_administer=role is not None and role.covers(Role.ADMIN),
            shows_adapters=role is not None and _shows_adapters(request, role),
            path=request.url.path,
            here=here(request),
            in_browser=words.in_browser(),
            **values,
        )
    )
    headers = {"Cache-Control": "no-store", "Content-Language": language, "Vary": "Accept-Encoding, Cookie"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return HTMLResponse(gzip.compress(page.encode(), COMPRESSION), status, {**headers, "Content-Encoding": "gzip"})
    return HTMLResponse(page, status, headers)


def _can_create(key: Key) -> bool:
    """Whether a key may make knowledge bases."""
    return Role(key.role).covers(Role.EDITOR) and key.knowledge_base_ids is None


def _shows_adapters(request: Request, role: Role) -> bool:
    """Whether adapters are of use to this reader: there are some, or they may be made."""
    return role.covers(Role.EDITOR) or bool(request.app.state.services.adapters.all(1))


def theme_of(request: Request) -> Theme:
    """What the reader chose; by default what the system says."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return cast(Theme, chosen) if chosen in get_args(Theme) else "auto"


def here(request: Request) -> str:
    """The address of this page on this server, to come back to."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


@cache
def environment() -> Environment:
    """The one Jinja environment: what it is given is text, whatever it looks like."""
    made = Environment(
        loader=PackageLoader("app.api.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["static"] = lambda path: assets().url(path)
    made.filters["iso"] = iso
    made.filters["moment"] = moment
    made.filters["page_numbers"] = page_numbers
    made.filters["percent"] = percent
    made.filters["size"] = size
    return made


def iso(when: datetime) -> str:
    """A moment for machines; scripts show it in the reader's own time zone."""
    return _utc(when).isoformat(timespec="seconds").replace("+00:00", "Z")


def moment(when: datetime) -> str:
    """A moment for people, before scripts have run."""
    return f"{_utc(when):%Y-%m-%d %H:%M} UTC"


def _utc(when: datetime) -> datetime:
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def percent(share: float) -> str:
    return f"{share * 100:.1f}%"


def size(count: int) -> str:
    """Bytes for people."""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1_000_000:.1f} MB"
