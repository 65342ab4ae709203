"""The environment of the real vLLM: an own one in the cache, made once, since its pins do not go beside the project's.

Run as `python -m tests.vllm.environment` to make it ahead of time; it says where its Python is.
"""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from filelock import FileLock

CACHE = Path("~/.cache/manualqa")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_SECONDS = 1500.0


def vllm_python(cache: Path = CACHE) -> Path:
    """The Python that has vLLM; its environment is made where it is missing or was left half made.

    Another Python or list of packages has an environment of its own. Raises `CalledProcessError`.
    """
    key = sha256(f"{sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}".encode()).hexdigest()[:12]
    folder = cache.expanduser() / f"vllm-{key}"
    whole, python = folder / "whole", folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            sys.stderr.write(f"Installing vLLM into {folder} (about 2.5 GB, once) ...\n")
            _make(folder, python)
            whole.touch()
    return python


def _make(folder: Path, python: Path) -> None:
    """torch comes with what it needs, which differs between its builds; all else is listed."""
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    torch = next(line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line.startswith("torch=="))
    _run([*pip, "-c", str(REQUIREMENTS), torch])
    _run([*pip, "--no-deps", "-r", str(REQUIREMENTS)])


def _run(command: list[str]) -> None:
    subprocess.run(command, timeout=INSTALL_SECONDS, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    sys.stdout.write(f"{vllm_python()}\n")
