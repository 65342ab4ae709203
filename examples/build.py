"""Typesets the sample manuals: `python examples/build.py` writes the PDFs, `--check` only compares them.

Needs the package `typst` (the extra `examples`) and the fonts Noto Sans and Noto Sans CJK SC (Debian: fonts-noto-core
and fonts-noto-cjk). The same sources, compiler and fonts give the same bytes: dates come from the sources, not from
the clock.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import typst

MANUALS = Path(__file__).resolve().parent / "manuals"
NAMES = ("kestrim-chengjing-zh", "kestrim-pavo-en")
MAX_BYTES = 600_000  # the PDFs are part of every clone


def typeset(name: str) -> bytes:
    """The PDF of one manual; a warning, such as a missing font, is an error."""
    pdf, warnings = typst.compile_with_warnings(MANUALS / f"{name}.typ", root=MANUALS, format="pdf")
    if warnings:
        raise SystemExit(f"{name}: " + "; ".join(warning.message for warning in warnings))
    if not isinstance(pdf, bytes):
        raise SystemExit(f"{name}: the compiler returned no PDF")
    if len(pdf) > MAX_BYTES:
        raise SystemExit(f"{name}: {len(pdf)} bytes, more than {MAX_BYTES}")
    return pdf


def main() -> int:
    parser = argparse.ArgumentParser(description="Typeset the sample manuals.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a PDF differs from its source")
    check: bool = parser.parse_args().check
    stale = 0
    for name in NAMES:
        path = MANUALS / f"{name}.pdf"
        pdf = typeset(name)
        same = path.is_file() and path.read_bytes() == pdf
        if not same and not check:
            partial = path.with_suffix(".pdf.partial")
            partial.write_bytes(pdf)
            partial.replace(path)
        stale += not same
        print(f"{path.name}: {len(pdf)} bytes, {'unchanged' if same else 'differs' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
