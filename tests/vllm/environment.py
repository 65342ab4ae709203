"""The environment of the real vLLM: an own one in the cache, made once, since its pins do not go beside the project's.

Run as `python -m tests.vllm.environment` to make it ahead of time; it says where its Python is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from eval.environments import key_of, made_once, new_environment, run

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_SECONDS = 1500.0


def vllm_python() -> Path:
    """The Python that has vLLM; its environment is made where it is missing or was left half made.

    Another Python or list of packages has an environment of its own. Raises `CalledProcessError`.
    """
    told = "Installing vLLM into {folder} (about 2.5 GB, once) ...\n"
    return made_once("vllm", key_of(REQUIREMENTS), _make, told=told) / "bin" / "python"


def _make(folder: Path) -> None:
    """torch comes with what it needs, which differs between its builds; all else is listed."""
    pip = new_environment(folder, INSTALL_SECONDS)
    torch = next(line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line.startswith("torch=="))
    run([*pip, "-c", str(REQUIREMENTS), torch], INSTALL_SECONDS)
    run([*pip, "--no-deps", "-r", str(REQUIREMENTS)], INSTALL_SECONDS)


if __name__ == "__main__":
    sys.stdout.write(f"{vllm_python()}\n")
