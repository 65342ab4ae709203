"""Rows of tables stand on one line each; whatever is no table stays as it is."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence

import pypdfium2
import pytest
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, Table, TableStyle

from app.ingest.parsers.page_words import Glyph, letter_size, text_with_tables, words_of
from app.ingest.parsers.pdf_tables import page_text
from app.ingest.parsers.ruled_tables import Rule, merged_rules, ruled_tables

DATA = [["Model", "Voltage", "Current"], ["A", "12 V", "2 A"], ["B", "24 V", "1 A"], ["C", "48 V", "0.5 A"]]
LINES = ["Model\tVoltage\tCurrent", "A\t12 V\t2 A", "B\t24 V\t1 A", "C\t48 V\t0.5 A"]
GRID = [("GRID", (0, 0), (-1, -1), 0.5, "black")]
BOOK = [("LINEABOVE", (0, 0), (-1, 0), 1, "black"), ("LINEBELOW", (0, 0), (-1, 0), 0.5, "black")]
FOOT = ("LINEBELOW", (0, -1), (-1, -1), 1, "black")
SMALL = ParagraphStyle("small", fontName="Helvetica", fontSize=10)

Draw = Callable[[Canvas], None]


def read(draw: Draw, rotation: int = 0) -> tuple[str, str]:
    """The page's text, and what pdfium alone makes of it."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    if rotation:
        canvas.setPageRotation(rotation)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    document = pypdfium2.PdfDocument(out.getvalue())
    page = document[0]
    text_page = page.get_textpage()
    texts = page_text(page, text_page), text_page.get_text_bounded()
    text_page.close()
    page.close()
    document.close()
    return texts


def solid(text: str) -> list[str]:
    return sorted("".join(text.split()))


def rows(text: str) -> list[str]:
    return [line for line in text.replace("\r\n", "\n").split("\n") if "\t" in line]


def a_table(data: Sequence[Sequence[object]], style: Sequence[object], widths: Sequence[float] | None = None) -> Draw:
    """A table between two sentences."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 10)
        canvas.drawString(72, 760, "The models differ in what they need.")
        table = Table(data, colWidths=widths, style=TableStyle(list(style)))
        _, height = table.wrapOn(canvas, 450, 600)
        table.drawOn(canvas, 72, 740 - height)
        canvas.setFont("Helvetica", 10)
        canvas.drawString(72, 700 - height, "Order spare parts by their number.")

    return draw


@pytest.mark.parametrize(
    "style",
    [GRID, [*BOOK, FOOT], [("LINEBELOW", (0, 0), (-1, -1), 0.5, "black"), BOOK[0]], []],
    ids=["grid", "head and foot", "between rows", "none"],
)
def test_a_row_is_a_line_in_its_place(style: list[object]) -> None:
    text, plain = read(a_table(DATA, style, [100, 100, 100]))
    assert text.split("\r\n") == [
        "The models differ in what they need.",
        *LINES,
        "Order spare parts by their number.",
    ]
    assert solid(text) == solid(plain)


def test_a_table_with_upright_lines_but_none_between_rows() -> None:
    style = [("BOX", (0, 0), (-1, -1), 1, "black"), ("LINEAFTER", (0, 0), (-2, -1), 1, "black"), BOOK[1]]
    assert rows(read(a_table(DATA, style, [100, 100, 100]))[0]) == LINES


def test_cells_of_several_lines_are_joined() -> None:
    cell = Paragraph("The voltage that the supply has to give at full load", SMALL)
    data = [["Name", "Meaning"], ["U", cell], ["I", Paragraph("The current", SMALL)]]
    assert rows(read(a_table(data, GRID, [60, 90]))[0]) == [
        "Name\tMeaning",
        "U\tThe voltage that the supply has to give at full load",
        "I\tThe current",
    ]


def test_merged_cells_stand_in_their_first_row_and_column() -> None:
    data = [["Limits", "", ""], ["Pump", "12 V", "2 A"], ["", "24 V", "1 A"]]
    style = [*GRID, ("SPAN", (0, 0), (2, 0)), ("SPAN", (0, 1), (0, 2)), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    assert rows(read(a_table(data, style, [80, 80, 80]))[0]) == ["Limits\t", "Pump\t12 V\t2 A", "\t24 V\t1 A"]


def test_chinese_cells_are_joined_without_a_space() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    chinese = ParagraphStyle("chinese", fontName="STSong-Light", fontSize=10, wordWrap="CJK")
    data = [["型号", "说明"], ["甲", Paragraph("供电电压在满载时不得低于额定值", chinese)], ["乙", "无"]]
    style = [*GRID, ("FONT", (0, 0), (-1, -1), "STSong-Light", 10)]
    assert rows(read(a_table(data, style, [60, 90]))[0]) == [
        "型号\t说明",
        "甲\t供电电压在满载时不得低于额定值",
        "乙\t无",
    ]


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_tables_of_turned_pages(rotation: int) -> None:
    """The page is stored on its side or head, and /Rotate shows it upright; reportlab swaps its sides for that."""

    def draw(canvas: Canvas) -> None:
        width, height = A4 if rotation == 180 else A4[::-1]
        canvas.translate(*{90: (width, 0), 180: (width, height), 270: (0, height)}[rotation])
        canvas.rotate(rotation)
        a_table(DATA, GRID, [100, 100, 100])(canvas)

    assert rows(read(draw, rotation)[0]) == LINES


def test_a_table_inside_a_form_is_found_where_the_form_is_drawn() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.beginForm("table")
        a_table(DATA, GRID, [100, 100, 100])(canvas)
        canvas.endForm()
        canvas.translate(40, -60)
        canvas.scale(0.8, 0.8)
        canvas.doForm("table")

    assert rows(read(draw)[0]) == LINES


def two_columns(canvas: Canvas) -> None:
    canvas.setFont("Helvetica", 9)
    canvas.line(60, 780, 540, 780)
    canvas.line(60, 380, 540, 380)
    for row in range(30):
        canvas.drawString(60, 760 - 12 * row, f"The pump of line {row} runs until the tank is full.")
        canvas.drawString(320, 760 - 12 * row, f"Close valve {row} before you open the lid again.")


def contents(canvas: Canvas) -> None:
    canvas.setFont("Helvetica", 10)
    for row in range(12):
        canvas.drawString(72, 760 - 14 * row, f"{row + 1}")
        canvas.drawString(110, 760 - 14 * row, "Chapter " + "about pumps " * (row % 3))
        canvas.drawRightString(520, 760 - 14 * row, str(3 + 4 * row))


def dotted_contents(canvas: Canvas) -> None:
    canvas.setFont("Helvetica", 10)
    canvas.line(72, 775, 520, 775)
    canvas.line(72, 500, 520, 500)
    for row in range(12):
        canvas.drawString(72, 760 - 14 * row, f"{row + 1} Chapter " + ". " * 40)
        canvas.drawRightString(520, 760 - 14 * row, str(3 + 4 * row))


def listing(canvas: Canvas) -> None:
    canvas.setFont("Courier", 9)
    canvas.rect(60, 600, 480, 180)
    for row in range(8):
        canvas.drawString(72, 760 - 12 * row, f"int a{row} = {row};")
        canvas.drawString(300, 760 - 12 * row, "/* counter */")


def bullets(canvas: Canvas) -> None:
    canvas.setFont("Helvetica", 10)
    for row in range(8):
        canvas.drawString(72, 760 - 14 * row, f"{row + 1}.")
        canvas.drawString(110, 760 - 14 * row, "Press the key")


def drawing(canvas: Canvas) -> None:
    canvas.setFont("Helvetica", 10)
    for name, x, y in (("R1", 100, 700), ("GND", 300, 600), ("5V", 200, 500)):
        canvas.rect(x, y, 60, 30)
        canvas.line(x + 60, y + 15, x + 160, y + 15)
        canvas.drawString(x + 10, y + 10, name)


@pytest.mark.parametrize("draw", [two_columns, contents, dotted_contents, listing, bullets, drawing])
def test_what_is_no_table_stays(draw: Draw) -> None:
    text, plain = read(draw)
    assert text == plain


def test_text_in_a_frame_stays() -> None:
    def draw(canvas: Canvas) -> None:
        two_columns(canvas)
        canvas.rect(40, 300, 520, 500)
        canvas.line(40, 790, 560, 790)
        canvas.line(50, 300, 50, 800)

    text, plain = read(draw)
    assert text == plain


def test_a_page_of_countless_lines_is_read_as_plain_text() -> None:
    def draw(canvas: Canvas) -> None:
        a_table(DATA, GRID, [100, 100, 100])(canvas)
        path = canvas.beginPath()
        for step in range(60_000):
            path.moveTo(step % 500, step // 500)
            path.lineTo(step % 500 + 1, step // 500)
        canvas.drawPath(path)

    text, plain = read(draw)
    assert text == plain


def test_pages_made_to_be_slow_are_read_in_seconds() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 1)
        for row in range(700):
            canvas.drawString(20, 830 - row * 1.15, "The pump runs until full")
            canvas.drawString(300 + row % 7, 830 - row * 1.15, "f")
            if row % 4 == 0:
                canvas.line(20, 830.9 - row * 1.15, 500, 830.9 - row * 1.15)

    begun = time.process_time()
    text, plain = read(draw)
    assert solid(text) == solid(plain)
    assert time.process_time() - begun < 10


def test_tabs_of_the_file_itself_are_spaces() -> None:
    glyphs = [Glyph("a", 0, 0, 5, 8), Glyph(" ", 0, 0, 0, 0), Glyph("b", 9, 0, 14, 8)]
    assert text_with_tables(words_of(glyphs, letter_size(glyphs)), []) == "a b"


def test_lines_that_touch_or_continue_each_other_are_one() -> None:
    assert merged_rules([Rule(100, 0, 50), Rule(101, 51, 90), Rule(50, 0, 3)]) == [Rule(100.5, 0, 90)]


def test_no_words_make_no_table() -> None:
    flat = [Rule(at, 0, 100) for at in (0, 20, 40)]
    tall = [Rule(at, 0, 40) for at in (0, 50, 100)]
    assert ruled_tables([], flat, tall, 7) == ([], [])
