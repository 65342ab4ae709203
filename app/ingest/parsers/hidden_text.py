"""Text that a PDF page holds and no reader sees: taken off the page before it is read, so that it is no manual's word.

What only might be hidden (light, transparent or unpainted letters) is judged by the picture of the page: where that is
the same without the letters, nobody sees them. Letters without paint over a picture stay: so scanners lay out what
they have recognised.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import islice
from math import hypot
from typing import Any

_MOST_OBJECTS = 6000
_TEXT, _IMAGE = 1, 3  # FPDF_PAGEOBJ_TEXT, _IMAGE
_LEAST_POINTS = 2.0
"""Size of letters below which nobody reads them; small print has 5 points."""

_LIGHT = 200
_FAINT = 64
_FILLED = (0, 2, 4, 6)
_UNPAINTED = (3, 7)
"""Ways in which letters are painted (FPDF_TEXTRENDERMODE_*)."""

_MOST_PIXELS = 1_500_000
_MOST_UNITS = 4000
"""Of a piece of text that is looked at for words."""


def hide(page: Any) -> bool:  # noqa: ANN401  (untyped library)
    """Takes what nobody sees off the page, for all that is asked of it afterwards; returns whether that had words."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415  (only the child reads PDF files)

    objects = list(islice(page.get_objects(), _MOST_OBJECTS))
    texts = [item for item in objects if item.type == _TEXT]
    scanned = any(item.type == _IMAGE for item in objects)
    hidden = [item for item in texts if _size(item) < _LEAST_POINTS]
    hidden += [item for item in texts if not scanned and _mode(item) in _UNPAINTED]
    doubtful = [item for item in texts if item not in hidden and _may_be_unseen(item)]
    if doubtful:
        hidden += _unseen(page, doubtful)
    words = bool(hidden) and _has_words(page, hidden)
    for item in hidden:
        pdfium.FPDFPageObj_SetIsActive(item.raw, False)
    return words


def _has_words(page: Any, items: Sequence[Any]) -> bool:  # noqa: ANN401
    """Whether there is a letter or digit among them: blanks without paint are no text that was left out."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    text_page = page.get_textpage()
    units = (ctypes.c_ushort * _MOST_UNITS)()
    found = False
    for item in items:
        size = min(
            pdfium.FPDFTextObj_GetText(item.raw, text_page.raw, units, ctypes.sizeof(units)), ctypes.sizeof(units)
        )
        if any(map(str.isalnum, bytes(units)[:size].decode("utf-16-le", "ignore"))):
            found = True
            break
    text_page.close()
    return found


def _unseen(page: Any, doubtful: Sequence[Any]) -> list[Any]:  # noqa: ANN401
    """Those without which the picture of the page is the same where they stand."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    width, height = page.get_size()
    scale = min(2.0, (_MOST_PIXELS / max(1.0, width * height)) ** 0.5)
    before = page.render(scale=scale, grayscale=True).to_numpy().copy()
    for item in doubtful:
        pdfium.FPDFPageObj_SetIsActive(item.raw, False)
    after = page.render(scale=scale, grayscale=True).to_numpy().copy()
    for item in doubtful:
        pdfium.FPDFPageObj_SetIsActive(item.raw, True)
    changed = before != after
    return [item for item in doubtful if not changed[_place(page, item, scale, changed.shape)].any()]


def _place(page: Any, item: Any, scale: float, shape: tuple[int, ...]) -> tuple[slice, slice]:  # noqa: ANN401
    """The rows and columns of the picture that a piece of text takes; all of it where the page is turned."""
    if page.get_rotation():
        return slice(0, shape[0]), slice(0, shape[1])
    left, _, _, top = page.get_bbox()
    x0, y0, x1, y1 = item.get_bounds()
    rows = slice(max(0, int((top - y1) * scale) - 1), max(0, int((top - y0) * scale) + 2))
    return rows, slice(max(0, int((x0 - left) * scale) - 1), max(0, int((x1 - left) * scale) + 2))


def _may_be_unseen(item: Any) -> bool:  # noqa: ANN401
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    mode = _mode(item)
    if mode in _UNPAINTED:
        return False
    red, green, blue, alpha = values = [ctypes.c_uint() for _ in range(4)]
    read = pdfium.FPDFPageObj_GetFillColor if mode in _FILLED else pdfium.FPDFPageObj_GetStrokeColor
    if not read(item.raw, *values):
        return False
    return min(red.value, green.value, blue.value) >= _LIGHT or alpha.value < _FAINT


def _mode(item: Any) -> int:  # noqa: ANN401
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    return int(pdfium.FPDFTextObj_GetTextRenderMode(item.raw))


def _size(item: Any) -> float:  # noqa: ANN401
    """Points, as it stands on the page."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    size = ctypes.c_float()
    if not pdfium.FPDFTextObj_GetFontSize(item.raw, size):
        return _LEAST_POINTS
    matrix = item.get_matrix()
    return abs(size.value) * max(hypot(matrix.a, matrix.b), hypot(matrix.c, matrix.d))
