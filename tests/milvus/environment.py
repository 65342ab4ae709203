"""A real Milvus server without Docker: the one that the wheel `milvus` carries, unpacked once into the cache.

The wheel is not installed beside the project: it only holds the program, which `tests.milvus.standalone` starts.
Run as `python -m tests.milvus.environment` to fetch it ahead of time; it says where it is.
"""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from filelock import FileLock

CACHE = Path("~/.cache/manualqa")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_SECONDS = 600.0


def milvus_folder(cache: Path = CACHE) -> Path:
    """Folder of the wheel's package, its programs in `unpacked/bin`; made where it is missing or was left half made.

    Raises `CalledProcessError`.
    """
    key = sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = cache.expanduser() / f"milvus-{key}"
    whole = folder / "whole"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            sys.stderr.write(f"Fetching a Milvus server into {folder} (58 MB, 450 MB unpacked, once) ...\n")
            _make(folder)
            whole.touch()
    return folder


def _make(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    _run([*pip, "--no-deps", "--upgrade", "--target", str(folder), "-r", str(REQUIREMENTS)])
    unpack = "import milvus, sys; milvus._initialize_data_files(sys.argv[1])"
    _run([sys.executable, "-c", unpack, str(folder / "unpacked")], folder)


def _run(command: list[str], folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, timeout=INSTALL_SECONDS, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    sys.stdout.write(f"{milvus_folder()}\n")
