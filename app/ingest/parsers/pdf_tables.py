"""The text of a PDF page as pdfium reads it, with each row of a table on one line, its cells divided by tabs."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import pi
from typing import Any, NamedTuple

from app.ingest.parsers.aligned_tables import borderless_tables, may_stand_between, tables_between_rules
from app.ingest.parsers.page_words import Glyph, Table, Word, letter_size, text_with_tables, words_of
from app.ingest.parsers.ruled_tables import Rule, may_be_ruled, merged_rules, ruled_tables

_MOST_OBJECTS = 6000
_MOST_POINTS = 20_000
_MOST_CHARACTERS = 30_000
"""A page with more of these is taken as plain text: a drawing, a map, or a file that wants to be slow."""
_MOST_RULES = 3000
_DEEPEST_FORM = 3
_THIN = 3.0
"""Points; what is drawn no thicker is a line."""
_STRAIGHT = 0.7
_ANGLES_LOOKED_AT = 24
_FORM, _PATH, _MOVE, _CURVE = 5, 2, 2, 1  # FPDF_PAGEOBJ_FORM, _PATH; FPDF_SEGMENT_MOVETO, _BEZIERTO
_FIXED_PITCH = 1
_CODE_FONTS = ("mono", "courier", "consol", "cmtt", "typewriter", "menlo", "code")

_BLANKS = {ord(code): Glyph(text, 0, 0, 0, 0) for code, text in (*((c, c) for c in " \r\n"), ("\t", " "))}

Matrix = tuple[float, float, float, float, float, float]


class _TooMuchDrawn(Exception):
    """More is drawn on the page than is looked at."""


def page_text(page: Any, text_page: Any) -> str:  # noqa: ANN401  (untyped library)
    """The raw text of a page; its tables row by row, everything else as pdfium gives it.

    White space aside it holds the same characters as pdfium's text, which is the answer wherever that cannot be kept
    or too much is drawn on the page. Tabs occur in rows of tables alone.
    """
    plain: str = text_page.get_text_bounded()
    plain_without_tabs = plain.replace("\t", " ")
    try:
        text = _text_with_tables(page, text_page, len(plain))
    except _TooMuchDrawn:
        return plain_without_tabs
    if text is None or Counter("".join(text.split())) != Counter("".join(plain.split())):
        return plain_without_tabs
    return text


def _text_with_tables(page: Any, text_page: Any, characters: int) -> str | None:  # noqa: ANN401
    """The text with its tables; nothing where the page has none."""
    if not 0 < characters <= _MOST_CHARACTERS:
        return None
    across, upright = _rules(page)
    if not (may_be_ruled(across, upright) or may_stand_between(across) or _may_be_aligned(text_page)):
        return None
    glyphs = _glyphs(page, text_page)
    quarter = _quarter_turns(text_page, len(glyphs))
    if quarter:
        glyphs = [Glyph(glyph.text, *_turned(quarter, *glyph[1:])) for glyph in glyphs]
        across, upright = _turned_rules(quarter, across, upright)
    size = letter_size(glyphs)
    words = words_of(glyphs, size)
    tables = _tables(text_page, words, across, upright, size)
    return text_with_tables(words, tables) if tables else None


def _tables(
    text_page: Any,  # noqa: ANN401
    words: list[Word],
    across: list[Rule],
    upright: list[Rule],
    size: float,
) -> list[Table]:
    tables, lonely = ruled_tables(words, across, upright, size)
    taken = {place for table in tables for place in table.words}
    tables += tables_between_rules(words, lonely, taken, size)
    taken = {place for table in tables for place in table.words}
    return tables + borderless_tables(words, taken, size, lambda word: _is_code(text_page, word.glyph))


# --- characters -------------------------------------------------------------------------------------------------------


def _glyphs(page: Any, text_page: Any) -> list[Glyph]:  # noqa: ANN401
    """The characters that show on the page, in the order of the file."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415  (only the child reads PDF files)

    left, bottom, right, top = page.get_bbox()
    places = (ctypes.c_double * 4)()
    each = [ctypes.c_double.from_buffer(places, 8 * at) for at in range(4)]
    x0, x1, y0, y1 = map(ctypes.byref, each)
    read, box, handle = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetCharBox, text_page.raw
    glyphs: list[Glyph] = []
    for at in range(text_page.count_chars()):
        code = read(handle, at)
        if code in _BLANKS:
            glyphs.append(_BLANKS[code])
            continue
        box(handle, at, x0, x1, y0, y1)
        a, b, c, d = places
        if code and a <= right and b >= left and c <= top and d >= bottom:
            glyphs.append(Glyph(_character(code), a, c, b, d))
    return glyphs


def _character(code: int) -> str:
    return "\ufffd" if 0xD800 <= code < 0xE000 or code >= 0x110000 else chr(code)


def _quarter_turns(text_page: Any, characters: int) -> int:  # noqa: ANN401
    """By how many quarters most of the text is turned clockwise, on the page as stored."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    step = max(1, characters // _ANGLES_LOOKED_AT)
    turns = Counter(
        round(pdfium.FPDFText_GetCharAngle(text_page.raw, at) / (pi / 2)) % 4 for at in range(0, characters, step)
    )
    return turns.most_common(1)[0][0] if turns else 0


def _turned(quarter: int, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
    """A box on the page turned so that text turned by `quarter` stands upright."""
    if quarter == 1:
        return -y1, x0, -y0, x1
    if quarter == 2:
        return -x1, -y1, -x0, -y0
    return y0, -x1, y1, -x0


def _turned_rules(quarter: int, across: list[Rule], upright: list[Rule]) -> tuple[list[Rule], list[Rule]]:
    boxes = [(rule.start, rule.at, rule.end, rule.at) for rule in across]
    boxes += [(rule.at, rule.start, rule.at, rule.end) for rule in upright]
    turned = [_turned(quarter, *box) for box in boxes]
    flat = [Rule(y0, x0, x1) for x0, y0, x1, y1 in turned if y0 == y1]
    tall = [Rule(x0, y0, y1) for x0, y0, x1, y1 in turned if y0 != y1]
    return flat, tall


def _is_code(text_page: Any, at: int) -> bool:  # noqa: ANN401
    """Whether a character is of a font with one width for all, as listings have."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    flags, name = ctypes.c_int(), ctypes.create_string_buffer(200)
    pdfium.FPDFText_GetFontInfo(text_page.raw, at, name, 200, ctypes.byref(flags))
    font = name.value.decode("utf-8", "replace").casefold()
    return bool(flags.value & _FIXED_PITCH) or any(part in font for part in _CODE_FONTS)


def _may_be_aligned(text_page: Any) -> bool:  # noqa: ANN401
    """Whether three neighbouring lines have a wide gap each: a cheap look at stretches of text before each letter."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    handle = text_page.raw
    x0, y1, x1, y0 = (ctypes.c_double() for _ in range(4))
    places = tuple(map(ctypes.byref, (x0, y1, x1, y0)))
    boxes = []
    for at in range(pdfium.FPDFText_CountRects(handle, 0, -1)):
        pdfium.FPDFText_GetRect(handle, at, *places)
        boxes.append((-(y0.value + y1.value) / 2, x0.value, x1.value, y1.value - y0.value))
    gaps, line_at, reached, gapped = 0, float("-inf"), 0.0, False
    for middle, left, right, height in sorted(boxes):
        if middle - line_at > 0.5 * height:
            gaps = gaps + 1 if gapped else 0
            line_at, reached, gapped = middle, right, False
        elif left - reached > height or (right < reached - 4 * height):
            gapped = True
        if gaps + gapped >= 3:
            return True
        reached = max(reached, right) if middle != line_at else reached
    return False


# --- rules ------------------------------------------------------------------------------------------------------------


class _Drawn(NamedTuple):
    """What has been found, and how many points may still be looked at."""

    across: list[Rule]
    upright: list[Rule]
    left: list[int]


def _rules(page: Any) -> tuple[list[Rule], list[Rule]]:  # noqa: ANN401
    """The horizontal and the upright lines drawn on the page, put together; raises `_TooMuchDrawn`."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    drawn = _Drawn([], [], [_MOST_POINTS])
    for looked_at, (item, matrix) in enumerate(_items(page.raw, pdfium)):
        if looked_at >= _MOST_OBJECTS:
            raise _TooMuchDrawn
        if pdfium.FPDFPageObj_GetType(item) == _PATH:
            _take_path(item, matrix, drawn, pdfium)
    if len(drawn.across) + len(drawn.upright) > _MOST_RULES:
        raise _TooMuchDrawn
    return merged_rules(drawn.across), merged_rules(drawn.upright)


def _items(page: Any, pdfium: Any) -> Iterator[tuple[Any, Matrix | None]]:  # noqa: ANN401
    """The objects of the page and of the forms on it, with what maps their space to the page's."""
    for at in range(pdfium.FPDFPage_CountObjects(page)):
        yield from _with_content(pdfium.FPDFPage_GetObject(page, at), None, _DEEPEST_FORM, pdfium)


def _with_content(item: Any, matrix: Matrix | None, depth: int, pdfium: Any) -> Iterator[tuple[Any, Matrix | None]]:  # noqa: ANN401
    yield item, matrix
    if depth and pdfium.FPDFPageObj_GetType(item) == _FORM:
        inner = _times(_matrix(item, pdfium), matrix)
        for at in range(pdfium.FPDFFormObj_CountObjects(item)):
            yield from _with_content(pdfium.FPDFFormObj_GetObject(item, at), inner, depth - 1, pdfium)


def _matrix(item: Any, pdfium: Any) -> Matrix:  # noqa: ANN401
    found = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(item, ctypes.byref(found))
    return found.a, found.b, found.c, found.d, found.e, found.f


def _times(first: Matrix, then: Matrix | None) -> Matrix:
    if then is None:
        return first
    a, b, c, d, e, f = first
    g, h, i, j, k, m = then
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def _take_path(item: Any, outer: Matrix | None, drawn: _Drawn, pdfium: Any) -> None:  # noqa: ANN401
    """Adds the straight lines of a path that shows, unless it is a drawing."""
    count = pdfium.FPDFPath_CountSegments(item)
    drawn.left[0] -= count
    if drawn.left[0] < 0:
        raise _TooMuchDrawn
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(item, ctypes.byref(fill), ctypes.byref(stroke))
    if not (fill.value or stroke.value):
        return
    a, b, c, d, e, f = _times(_matrix(item, pdfium), outer)
    x, y = ctypes.c_float(), ctypes.c_float()
    places = ctypes.byref(x), ctypes.byref(y)
    outlines: list[list[tuple[float, float]]] = []
    for at in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(item, at)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == _CURVE:
            return
        pdfium.FPDFPathSegment_GetPoint(segment, *places)
        point = (a * x.value + c * y.value + e, b * x.value + d * y.value + f)
        if kind == _MOVE or not outlines:
            outlines.append([])
        outlines[-1].append(point)
        if pdfium.FPDFPathSegment_GetClose(segment):
            outlines[-1].append(outlines[-1][0])
    found = [rules_of(points) for points in outlines]
    if all(rules is not None for rules in found):
        drawn.across.extend(rule for rules in found if rules for rule in rules[0])
        drawn.upright.extend(rule for rules in found if rules for rule in rules[1])


def rules_of(points: list[tuple[float, float]]) -> tuple[list[Rule], list[Rule]] | None:
    """The horizontal and the upright sides of a shape, a thin one being one line; nothing where a side is slanted, as
    in letters and drawings."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    if y1 - y0 <= _THIN or x1 - x0 <= _THIN:
        flat = x1 - x0 > y1 - y0
        return ([Rule((y0 + y1) / 2, x0, x1)], []) if flat else ([], [Rule((x0 + x1) / 2, y0, y1)])
    across, upright = [], []
    for (ax, ay), (bx, by) in pairwise(points):
        if abs(ay - by) <= _STRAIGHT:
            across.append(Rule((ay + by) / 2, min(ax, bx), max(ax, bx)))
        elif abs(ax - bx) <= _STRAIGHT:
            upright.append(Rule((ax + bx) / 2, min(ay, by), max(ay, by)))
        else:
            return None
    return across, upright
