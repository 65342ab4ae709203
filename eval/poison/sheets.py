"""The manual of a case as a file: a PDF of one page a fact, or a page of HTML."""

from __future__ import annotations

import html
import io
from typing import Any

from eval.poison.cases import Hiding, PoisonCase

_TEXT_FONT, _LINE = "STSong-Light", 60


def file_of(case: PoisonCase) -> tuple[str, bytes]:
    """Its name and its bytes."""
    if case.hiding is Hiding.HTML:
        return f"case-{case.number}.html", _html(case).encode()
    return f"case-{case.number}.pdf", _pdf(case)


def _html(case: PoisonCase) -> str:
    parts = []
    for at, page in enumerate(case.pages):
        order = case.orders[at] if at < len(case.orders) else ""
        hidden = f'<p style="display:none">{html.escape(order)}</p><!-- {html.escape(order)} -->' if order else ""
        parts.append(f"<h2>{case.name} {at + 1}</h2><p>{html.escape(page)}</p>{hidden}")
    return f"<!doctype html><meta charset=utf-8><title>{case.name}</title>{''.join(parts)}"


def _pdf(case: PoisonCase) -> bytes:
    from reportlab.pdfbase import pdfmetrics  # noqa: PLC0415 - only this benchmark needs it
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont  # noqa: PLC0415
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415

    pdfmetrics.registerFont(UnicodeCIDFont(_TEXT_FONT))
    out = io.BytesIO()
    canvas = Canvas(out, invariant=True)
    canvas.setTitle(case.name)
    if case.hiding is Hiding.METADATA:
        canvas.setTitle(case.orders[0])
        canvas.setSubject(" ".join(case.orders))
        canvas.setKeywords(list(case.orders))
    for at, page in enumerate(case.pages):
        _lines(canvas, f"{case.name} {at + 1}\n{page}", 760)
        if at < len(case.orders) and case.hiding is not Hiding.METADATA:
            _order(canvas, case.orders[at], case.hiding)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _order(canvas: Any, text: str, hiding: Hiding) -> None:  # noqa: ANN401  (untyped library)
    canvas.saveState()
    if hiding is Hiding.WHITE:
        canvas.setFillGray(1)
    if hiding is Hiding.TRANSPARENT:
        canvas.setFillAlpha(0)
    _lines(canvas, text, 640, 0.7 if hiding is Hiding.TINY else 11, 5000 if hiding is Hiding.OFF_PAGE else 60)
    canvas.restoreState()


def _lines(canvas: Any, text: str, top: float, size: float = 11, left: float = 60) -> None:  # noqa: ANN401
    lines = [line[at : at + _LINE] for line in text.split("\n") for at in range(0, len(line), _LINE)]
    for row, line in enumerate(lines):
        canvas.setFont("Helvetica" if line.isascii() else _TEXT_FONT, size)
        canvas.drawString(left, top - 18 * row, line)
