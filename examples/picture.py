"""Draws the README's picture: a question to the running server, asked and answered as the terminal shows it.

usage: examples/picture.py QUESTION OUT.svg     (a server with the sample manuals must be running)
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from app.cli.client import Client
from app.cli.output import print_answer
from app.cli.words import Words
from app.settings import load_settings
from app.text.language import detect_language

COLUMNS = 100
_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # they name a third party's server


def draw(question: str, out: Path) -> None:
    """Asks `question` and writes the picture; raises what the client does."""
    language = detect_language(question)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(f'[bold]$[/] manualqa ask --kb sample "{question}"', highlight=False)
    with Client.connect(load_settings(), language) as client:
        base = client.get("/v1/knowledge-bases", name="sample")["knowledge_bases"][0]
        answer = client.post(f"/v1/knowledge-bases/{base['id']}/ask", {"question": question})
    print_answer(console, answer, [], Words(language))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(_FONT_FACES.sub("", console.export_svg(title="manualqa")), encoding="utf-8")


if __name__ == "__main__":
    draw(sys.argv[1], Path(sys.argv[2]))
