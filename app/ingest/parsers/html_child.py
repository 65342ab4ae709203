"""The program that reads one HTML file, run in a process of its own: `python -m app.ingest.parsers.html_child JSON`.

The file is read as a stream of tags and never becomes a tree, so that its size and its nesting cost nothing; nothing
that it points to is fetched. What it says is in `flow`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from app.ingest.parsers.child_limits import take_limits
from app.ingest.parsers.flow import Flow, fail
from app.ingest.parsers.html_text import HtmlText

_PIECE_CHARACTERS = 1 << 16
_EMPTY_ELEMENT = re.compile(r"<([a-zA-Z][\w:-]*)((?:\s[^<>]*)?)/>")
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())


def main() -> None:
    """Reads the task from the command line; exits 0 when it has said what it found."""
    task = json.loads(sys.argv[1])
    from lxml import etree  # noqa: PLC0415  (its library must be loaded before no more files may be opened)

    take_limits(task)
    try:
        text = Path(task["path"]).read_bytes().decode(task["encoding"], "replace")
        if text.lstrip()[:5] == "<?xml":
            text = _EMPTY_ELEMENT.sub(_opened, text)
        flow = Flow(task["characters"])
        reader = HtmlText(flow)
        parser = etree.HTMLParser(target=reader, huge_tree=True, no_network=True)
        for begin in range(0, len(text), _PIECE_CHARACTERS):
            parser.feed(text[begin : begin + _PIECE_CHARACTERS])
        title = parser.close()
    except MemoryError:
        fail("too_costly", "memory")
    except etree.LxmlError as error:
        fail("unreadable", str(error))
    flow.tell(title)


def _opened(match: re.Match[str]) -> str:
    """`<a id="x"/>` of XHTML as HTML knows it."""
    return match[0] if match[1].lower() in _VOID else f"<{match[1]}{match[2]}></{match[1]}>"


if __name__ == "__main__":
    main()
