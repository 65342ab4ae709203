"""The environment of the stock pipeline: LangChain's packages in a folder of the cache, laid over the project's own.

The packages do not install beside the project's pins (`requirements.txt` says why), so they get a virtual environment
that sees the project's packages through a path file: seconds and 80 MB instead of gigabytes. Run as
`python -m eval.baselines.environment` to make it ahead of time.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from eval.environments import made_once, pip_of

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_SECONDS = 600


class StockPipelineError(Exception):
    """The stock pipeline cannot run or has broken off; the message says why."""


def stock_python() -> Path:
    """The Python of the stock pipeline's environment, which is made where it is missing or was left half made.

    Another Python, project environment or list of packages has an environment of its own. Raises `StockPipelineError`.
    """
    below = sysconfig.get_path("purelib")
    key = "\n".join((sys.version, below, REQUIREMENTS.read_text(encoding="utf-8")))
    program = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    return made_once("baseline", key, lambda folder: _make(folder, folder / program, below)) / program


def _make(folder: Path, python: Path, below: str) -> None:
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    place = _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    (Path(place.strip()) / "project.pth").write_text(below + "\n", encoding="utf-8")
    _run([*pip_of(python), "--no-deps", "-r", str(REQUIREMENTS)])


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        raise StockPipelineError(f"its environment cannot be made: {error.stderr.strip()[-500:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StockPipelineError(f"its environment cannot be made: {error}") from error
    return done.stdout


if __name__ == "__main__":
    try:
        print(stock_python())
    except StockPipelineError as error:
        sys.exit(f"stock LangChain: {error}")
