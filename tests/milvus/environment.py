"""A real Milvus server without Docker: the one that the wheel `milvus` carries, unpacked once into the cache.

The wheel is not installed beside the project: it only holds the program, which `tests.milvus.standalone` starts.
Run as `python -m tests.milvus.environment` to fetch it ahead of time; it says where it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from eval.environments import made_once, pip_of, run

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_SECONDS = 600.0


def milvus_folder() -> Path:
    """Folder of the wheel's package, its programs in `unpacked/bin`; made where it is missing or was left half made.

    Raises `CalledProcessError`.
    """
    told = "Fetching a Milvus server into {folder} (58 MB, 450 MB unpacked, once) ...\n"
    return made_once("milvus", REQUIREMENTS.read_text(encoding="utf-8"), _make, told=told)


def _make(folder: Path) -> None:
    pip = [*pip_of(Path(sys.executable)), "--no-deps", "--upgrade", "--target", str(folder)]
    run([*pip, "-r", str(REQUIREMENTS)], INSTALL_SECONDS)
    unpack = "import milvus, sys; milvus._initialize_data_files(sys.argv[1])"
    run([sys.executable, "-c", unpack, str(folder / "unpacked")], INSTALL_SECONDS, folder)


if __name__ == "__main__":
    sys.stdout.write(f"{milvus_folder()}\n")
