"""Elements of an SVG picture, written with every text and attribute escaped."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """One element; `class_` is its class, other underscores in attribute names are hyphens, None leaves one out.

    Children that are not `Markup` are text. Style goes by class alone: a strict policy allows no style attributes.
    """
    written = "".join(
        Markup(' {}="{}"').format(_attribute(name), _number(value))
        for name, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), Markup(written), joined(children))  # noqa: S704


def joined(parts: Iterable[object]) -> Markup:
    """Parts one after the other, text among them escaped."""
    return Markup("").join(escape(part) for part in parts)


def percent(share: float) -> str:
    """A share (0..1, cut to that) as a length of the element around it."""
    return f"{_number(100 * min(max(share, 0.0), 1.0))}%"


def _attribute(name: str) -> Markup:
    return Markup(name.rstrip("_").replace("_", "-") if name != "viewBox" else name)  # noqa: S704


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
