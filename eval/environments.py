"""Environments of tools that are kept apart from the project's own, each made once in a folder of the cache."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from filelock import FileLock

CACHE = Path("~/.cache/manualqa")


def made_once(name: str, key: str, make: Callable[[Path], None], cache: Path = CACHE, told: str | None = None) -> Path:
    """The folder that `make` fills where it is missing or was left half made; another `key` has another folder.

    `told` says on the terminal what is about to be installed, and takes `{folder}`. Raises what `make` does.
    """
    folder = cache.expanduser() / f"{name}-{sha256(key.encode()).hexdigest()[:12]}"
    whole = folder / "whole"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            if told is not None:
                sys.stderr.write(told.format(folder=folder))
            make(folder)
            whole.touch()
    return folder


def key_of(requirements: Path) -> str:
    """What an environment depends on: this Python, and the list of packages."""
    return f"{sys.version}\n{requirements.read_text(encoding='utf-8')}"


def new_environment(folder: Path, seconds: float) -> list[str]:
    """An empty virtual environment in `folder`; returns the beginning of its command to install something."""
    run([sys.executable, "-m", "venv", "--clear", str(folder)], seconds)
    return pip_of(folder / "bin" / "python")


def pip_of(python: Path) -> list[str]:
    """The beginning of that Python's command to install something."""
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def run(command: list[str], seconds: float, folder: Path | None = None) -> None:
    """Runs one of our own commands, what it says going to the terminal; raises `CalledProcessError`."""
    subprocess.run(command, cwd=folder, timeout=seconds, check=True, stdout=sys.stderr)  # noqa: S603
