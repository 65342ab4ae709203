"""A command begins quickly: what only a server needs is loaded by the server alone."""

from __future__ import annotations

import subprocess
import sys

SLOW = {"sqlalchemy", "alembic", "numpy", "torch", "chromadb", "fastapi", "transformers"}


def test_a_command_loads_no_library_of_the_server() -> None:
    program = "import sys, app.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "typer" in loaded
    assert not SLOW & set(loaded)
