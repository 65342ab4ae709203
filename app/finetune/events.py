"""The events of a training, one JSON object a line, as the child appends them."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any


class EventLog:
    """Appends events; a line that a killed process left half written is ended first. `silent` ranks write nothing."""

    def __init__(self, path: Path, *, silent: bool = False) -> None:
        self._path = path
        self._silent = silent
        if not silent and path.is_file() and not path.read_bytes().endswith(b"\n"):
            self._append("\n")

    def write(self, name: str, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        """Append one event; a number that is none is left out as null, since JSON has no word for it."""
        if self._silent:
            return
        told = {key: _finite(value) for key, value in fields.items()}
        line = {"event": name, "at": round(time.time(), 3), **told}
        self._append(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")

    def _append(self, text: str) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
