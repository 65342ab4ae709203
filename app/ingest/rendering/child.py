"""The program that draws the pages of one PDF: `python -m app.ingest.rendering.child JSON`, in a process of its own.

It loads its libraries, takes its limits and waits. The first request names the file; it never opens another one, so
what a hostile file does to it touches no other file. Requests and replies are JSON objects, one a line each:

    -> {"ready": true}                      the libraries are loaded
    {"open": "..."}                         -> {"pages": 45}
    {"page": 3}                             -> {"width": 595.3, "height": 841.9}           points, as it is shown
    {"page": 3, "image": 800, "pixels": N}  -> {"image": "..."}                            WebP in base64
    {"page": 3, "glyphs": N}                -> {"glyphs": [[text, left, top, right, bottom], ...]}

or {"error": "encrypted" | "unreadable" | "no_page" | "memory", "detail": "..."}. Boxes are fractions of the shown page,
origin top left; white space has none and is left out. At most N pixels and N characters.
"""

from __future__ import annotations

import base64
import ctypes
import io
import json
import logging
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

from app.ingest.parsers.child_limits import take_limits

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_QUALITY, _EFFORT = 80, 1
"""WebP: a page of text at 1,200 pixels takes 40 ms and 110 kB; more effort takes twice the time for a quarter less."""

_MOST_SIDE = 16_383
"""Pixels of the longest side that WebP can have."""

_MEASURE = 1_000_000
"""The page is measured on a device of so many units each way."""


def main() -> None:
    """Reads the task from the command line and requests from stdin, until that ends."""
    task = json.loads(sys.argv[1])
    logging.disable(logging.CRITICAL)
    _warm_up()
    take_limits(task)
    _say({"ready": True})
    document = None
    for line in sys.stdin:
        request = json.loads(line)
        if "open" in request:
            document, reply = _opened(request["open"])
        else:
            reply = _answer(document, request)
        _say(reply)


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message, ensure_ascii=True, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _warm_up() -> None:
    """Loads all that a request needs, so that the first one does not wait for it."""
    import pypdfium2  # noqa: PLC0415  (only in this process)

    document = pypdfium2.PdfDocument.new()
    _webp(document.new_page(10, 10).render())
    document.close()


def _opened(path: str) -> tuple[Any, dict[str, object]]:
    """The document, if it can be opened, and what is said of it."""
    import pypdfium2  # noqa: PLC0415

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        kind = "encrypted" if error.err_code == _PASSWORD_ERROR else "unreadable"
        return None, _refusal(kind, error)
    return document, {"pages": len(document)}


def _answer(document: Any, request: dict[str, int]) -> dict[str, object]:  # noqa: ANN401  (untyped library)
    """The reply to a request. Whatever its failure is, only this page is lost: here is the boundary of the process."""
    try:
        if not 1 <= request["page"] <= len(document):
            return {"error": "no_page", "detail": f"of {len(document)}"}
        page = document[request["page"] - 1]
        try:
            return _of_page(page, request)
        finally:
            page.close()
    except MemoryError as error:
        return _refusal("memory", error)
    except Exception as error:  # noqa: BLE001
        return _refusal("unreadable", error)


def _refusal(kind: str, error: Exception) -> dict[str, object]:
    return {"error": kind, "detail": f"{type(error).__name__}: {error}"[:500]}


def _of_page(page: Any, request: dict[str, int]) -> dict[str, object]:  # noqa: ANN401
    width, height = page.get_size()
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise ValueError(f"a page of {width} x {height} points")
    if "image" in request:
        return {"image": _image(page, request["image"], request["pixels"])}
    if "glyphs" in request:
        return {"glyphs": list(_glyphs(page, request["glyphs"]))}
    return {"width": round(width, 2), "height": round(height, 2)}


# --- images -----------------------------------------------------------------------------------------------------------


def _image(page: Any, width: int, pixels: int) -> str:  # noqa: ANN401
    """The page `width` pixels wide, or less where it would have too many pixels."""
    wide, high = page.get_size()
    scale = min(width / wide, _MOST_SIDE / wide, _MOST_SIDE / high, (pixels / (wide * high)) ** 0.5)
    # Sides are rounded up: without the last factor a whole width would become one pixel more.
    bitmap = page.render(scale=scale * (1 - 1e-6), rev_byteorder=True)
    return base64.b64encode(_webp(bitmap)).decode()


def _webp(bitmap: Any) -> bytes:  # noqa: ANN401
    out = io.BytesIO()
    bitmap.to_pil().convert("RGB").save(out, "WEBP", quality=_QUALITY, method=_EFFORT)
    bitmap.close()
    return out.getvalue()


# --- characters -------------------------------------------------------------------------------------------------------


def _glyphs(page: Any, most: int) -> Iterator[tuple[str, float, float, float, float]]:  # noqa: ANN401
    """The characters that show on the page with their boxes, in the order of the file."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    placed = _placing(page)
    text_page = page.get_textpage()
    handle = text_page.raw
    places = (ctypes.c_double * 4)()
    x0, x1, y0, y1 = (ctypes.byref(ctypes.c_double.from_buffer(places, 8 * at)) for at in range(4))
    try:
        for at in range(min(most, text_page.count_chars())):
            text = _character(pdfium.FPDFText_GetUnicode(handle, at))
            if text.isspace() or not pdfium.FPDFText_GetCharBox(handle, at, x0, x1, y0, y1):
                continue
            left, top, right, bottom = placed(*places)
            if right > 0 and left < 1 and bottom > 0 and top < 1:
                yield text, max(left, 0.0), max(top, 0.0), min(right, 1.0), min(bottom, 1.0)
    finally:
        text_page.close()


def _character(code: int) -> str:
    return " " if not code or 0xD800 <= code < 0xE000 or code >= 0x110000 else chr(code)


def _placing(page: Any) -> Callable[[float, float, float, float], tuple[float, float, float, float]]:  # noqa: ANN401
    """What makes fractions (left, top, right, bottom) of the shown page, which may be turned and cropped, of a box
    (x0, x1, y0, y1) of the file."""
    left, bottom, right, top = page.get_bbox()
    origin, far_x, far_y = (_shown(page, x, y) for x, y in ((left, bottom), (right, bottom), (left, top)))
    a, b = ((end - start) / max(right - left, 1e-6) for start, end in zip(origin, far_x, strict=True))
    c, d = ((end - start) / max(top - bottom, 1e-6) for start, end in zip(origin, far_y, strict=True))
    e, f = origin

    def placed(x0: float, x1: float, y0: float, y1: float) -> tuple[float, float, float, float]:
        x0, x1, y0, y1 = x0 - left, x1 - left, y0 - bottom, y1 - bottom
        across = a * x0 + c * y0 + e, a * x1 + c * y1 + e
        down = b * x0 + d * y0 + f, b * x1 + d * y1 + f
        return round(min(across), 5), round(min(down), 5), round(max(across), 5), round(max(down), 5)

    return placed


def _shown(page: Any, x: float, y: float) -> tuple[float, float]:  # noqa: ANN401
    """Where on the shown page a point of the file is, in fractions."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    across, down = ctypes.c_int(), ctypes.c_int()
    size = _MEASURE, _MEASURE
    pdfium.FPDF_PageToDevice(page.raw, 0, 0, *size, 0, x, y, ctypes.byref(across), ctypes.byref(down))
    return across.value / _MEASURE, down.value / _MEASURE


if __name__ == "__main__":
    main()
