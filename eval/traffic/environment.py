"""The environment of locust in a folder of the cache: it brings gevent, which nothing else here needs."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from filelock import FileLock

CACHE = Path("~/.cache/manualqa")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_SECONDS = 600


def locust(cache: Path = CACHE) -> Path:
    """The program; made where it is missing or was left half made. Raises `CalledProcessError`."""
    key = sha256(f"{sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}".encode()).hexdigest()[:12]
    folder = cache.expanduser() / f"locust-{key}"
    whole = folder / "whole"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            _run([sys.executable, "-m", "venv", "--clear", str(folder)])
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "--no-input", "-r", str(REQUIREMENTS)])
            whole.touch()
    return folder / "bin" / "locust"


def _run(command: list[str]) -> None:
    subprocess.run(command, timeout=INSTALL_SECONDS, check=True, stdout=sys.stderr)  # noqa: S603 - our own commands


if __name__ == "__main__":
    print(locust())
