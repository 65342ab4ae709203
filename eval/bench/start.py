"""Cold start to ready, and memory at rest."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from eval.bench.server import running_server

REST_SECONDS = 5
RUNS = 3


def measure(work: Path, model: str) -> list[dict[str, Any]]:
    """One row a start."""
    rows = []
    for run in range(RUNS):
        with running_server(work / "start", model=model) as server:
            time.sleep(REST_SECONDS)
            memory = server.memory_mb()
        rows.append(
            {
                "start": run + 1,
                "ready after s": round(server.ready_seconds, 1),
                "server MB": round(memory["server"]),
                "model server MB": round(memory["model server"]),
            }
        )
    return rows
