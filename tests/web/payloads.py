"""Script-injection payloads, one a line of `payloads.txt`: what must be text and nothing else wherever it is shown."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Page
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

PAYLOADS = tuple((Path(__file__).parent / "payloads.txt").read_text(encoding="utf-8").splitlines())
BATCH = 10
"""So many payloads are on one sheet, and in one question, answer or comment."""

_FOREIGN = (
    "iframe, frame, object, embed, applet, base, meta[http-equiv], math, marquee, style, "
    "script:not([src]):not([type='application/json'])"
)
_ALIVE = """([foreign, html]) => {
  const root = html === null ? document : new DOMParser().parseFromString(html, "text/html");
  const found = [];
  for (const element of root.querySelectorAll("*")) {
    if (element.matches(foreign)) found.push(element.outerHTML);
    for (const { name, value } of element.attributes) {
      if (name.startsWith("on") || name === "style" && /evil|fixed/.test(value)) found.push(`${name}=${value}`);
      if (/^(src|srcset|href|action|formaction|poster|data|ping|background)$/.test(name)
          && /^\\s*(javascript|vbscript|data:text)|evil\\.example/i.test(value)) found.push(`${name}=${value}`);
    }
  }
  return found;
}"""


def batches(size: int) -> Iterator[tuple[int, Sequence[str]]]:
    """All payloads, so many at a time, numbered from 1."""
    for start in range(0, len(PAYLOADS), size):
        yield start // size + 1, PAYLOADS[start : start + size]


def alive(page: Page, html: str | None = None) -> list[str]:
    """Elements and attributes that no page of ours has: what became of a payload that was taken as markup.

    They are those of the page, or of this HTML, which is only parsed.
    """
    found: list[str] = page.evaluate(_ALIVE, [_FOREIGN, html])
    return found


def missing(text: str, payloads: Sequence[str]) -> list[str]:
    """Payloads that cannot be read in the text, whatever its white space: they were taken for something else."""
    plain = "".join(text.split())
    return [payload for payload in payloads if "".join(payload.split()) not in plain]


def a_sheet(payloads: Sequence[str], title: str) -> bytes:
    """A PDF whose title, subject, author, outline and text are payloads, one a line."""
    out = io.BytesIO()
    canvas = Canvas(out)
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    canvas.setTitle(title)
    canvas.setSubject(" ".join(payloads))
    canvas.setAuthor(payloads[0])
    canvas.setKeywords(list(payloads))
    canvas.bookmarkPage("top")
    canvas.addOutlineEntry(payloads[-1], "top", 0)
    for row, payload in enumerate(payloads):
        canvas.setFont("Helvetica" if payload.isascii() else "STSong-Light", 8)
        canvas.drawString(40, 780 - 14 * row, payload)
    canvas.save()
    return out.getvalue()
