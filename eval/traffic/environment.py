"""The environment of locust in a folder of the cache: it brings gevent, which nothing else here needs."""

from __future__ import annotations

from pathlib import Path

from eval.environments import key_of, made_once, new_environment, run

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_SECONDS = 600


def locust() -> Path:
    """The program; made where it is missing or was left half made. Raises `CalledProcessError`."""
    return made_once("locust", key_of(REQUIREMENTS), _make) / "bin" / "locust"


def _make(folder: Path) -> None:
    run([*new_environment(folder, INSTALL_SECONDS), "-r", str(REQUIREMENTS)], INSTALL_SECONDS)


if __name__ == "__main__":
    print(locust())
