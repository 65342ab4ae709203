"""The real server with parts that need no weights, killed or held at the moments that a control folder names.

`python -m tests.faults.run FOLDER`: `FOLDER/kill` is a JSON order {"point", "at", "always"}, `FOLDER/hold` a point at
which to wait until that file is gone; `FOLDER/reached` gets the name of every moment that came.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from app import failpoints
from app.cli.serve import run_server
from app.cli.words import Words
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.parts import Parts
from app.ports import OcrLimits, Progress, RecognisedLine, RecognisedPage
from app.settings import Settings
from app.wiring.parts import reading
from tests.fixtures.embedders import WordEmbedder

OCR_MARKER = "ostrelin"


class Watcher:
    """Does at a moment what the control folder orders; an order is carried out once unless it says `always`."""

    def __init__(self, folder: Path) -> None:
        self._kill, self._hold, self._held = folder / "kill", folder / "hold", folder / "held"
        self._reached = (folder / "reached").open("a", buffering=1, encoding="utf-8")
        self._lock = threading.Lock()
        self._order = ""
        self._count = 0

    def __call__(self, point: str) -> None:
        with self._lock:
            self._reached.write(f"{point}\n")
            self._obey(point)
        if _text(self._hold) == point:
            self._held.touch()
            while _text(self._hold) == point:
                time.sleep(0.01)

    def _obey(self, point: str) -> None:
        text = _text(self._kill)
        if not text:
            return
        if text != self._order:
            self._order, self._count = text, 0
        order = json.loads(text)
        if order["point"] == point:
            self._count += 1
            if self._count == order["at"]:
                if not order["always"]:
                    self._kill.unlink()
                os.kill(os.getpid(), signal.SIGKILL)


class ScriptedOcr:
    """Port `PageReader`: reads the same words from every picture."""

    def recognise(
        self,
        path: Path,  # noqa: ARG002
        pages: Sequence[int],
        limits: OcrLimits,  # noqa: ARG002
        progress: Progress,
    ) -> list[RecognisedPage]:
        found = []
        for number in pages:
            text = f"Sheet {number} of the scan: {OCR_MARKER} valve {number * 7} opens at {number + 2} bar."
            found.append(RecognisedPage(number, text, (RecognisedLine(text, (0.1, 0.1, 0.9, 0.2), 0.99),)))
            progress(number, 0)
        return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def main(folder: Path) -> None:
    """Runs until it is stopped or kills itself; the product's settings come from the environment."""
    failpoints.watch(Watcher(folder))
    settings = Settings()
    endpoint = FixedEndpoint(settings.llm_base_url or "http://127.0.0.1:9/v1")
    seconds = settings.llm_first_token_seconds if settings.llm_base_url else 1.0
    parts = Parts(
        WordEmbedder(),
        OpenAICompatibleModel("none", endpoint, first_token_seconds=seconds, total_seconds=seconds),
        reading=replace(reading(settings), ocr=ScriptedOcr()),
    )
    run_server(settings, Words("en"), Console(), None, parts)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
