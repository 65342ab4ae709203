"""A self-contained HTML page: one file, no request to anywhere, and a policy under which nothing else can run in it."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


def render(template: str, **values: object) -> str:
    """The page of a template, with the one style sheet and the one script of all reports inside.

    Values are text unless they are `Markup`; all text is escaped.
    """
    environment = _environment()
    style, script = _asset("report.css"), _asset("report.js")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return environment.get_template(template).render(
        policy=policy,
        style=Markup(style),  # noqa: S704 - our own files, packed with the program
        script=Markup(script),  # noqa: S704
        **values,
    )


def content_security_policy(page: str) -> str:
    """The header under which a server hands out a page of `render`: its own policy, no frames and no origin.

    Raises `ValueError` for any other page.
    """
    found = _POLICY.search(page)
    if found is None:
        raise ValueError("the page has no policy of its own")
    return html.unescape(found[1]) + "; frame-ancestors 'none'; sandbox allow-scripts"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("eval.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str) -> str:
    environment = _environment()
    if environment.loader is None:
        raise ValueError("no templates")
    return environment.loader.get_source(environment, name)[0]


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
