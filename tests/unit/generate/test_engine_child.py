"""The model server's own program: what it refuses, and that it does not outlive its parent."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

CHILD = [sys.executable, "-m", "app.generate.engine_child"]


def arguments(weights: Path, parent: int) -> list[str]:
    numbers = {"port": 1, "context-tokens": 512, "slots": 1, "threads": 1, "parent": parent}
    return ["--weights", str(weights), *(part for key, value in numbers.items() for part in (f"--{key}", str(value)))]


def test_missing_weights_end_it_with_a_message_and_no_crash(tmp_path: Path) -> None:
    command = [*CHILD, *arguments(tmp_path / "none.gguf", os.getpid())]
    done = subprocess.run(command, input="key\n", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no such file" in done.stderr


def test_it_ends_when_its_parent_does(tmp_path: Path) -> None:
    """The pipe that only the child still holds once its parent was killed is closed by the child's own end."""
    reading, writing = os.pipe()
    key_in, key_out = os.pipe()  # stays open, so that the child waits for its key until something ends it
    program = (
        "import subprocess, sys, os\n"
        f"command = {[*CHILD, *arguments(tmp_path / 'none.gguf', 0)]!r}\n"
        "command[command.index('--parent') + 1] = str(os.getpid())\n"
        f"subprocess.Popen(command, stdin={key_in}, pass_fds=({writing},))\n"
        "print('started', flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(writing, key_in),
    )
    os.close(writing)
    os.close(key_in)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"started\n"
    parent.kill()
    parent.communicate(timeout=60)
    ready, _, _ = select.select([reading], [], [], 60)
    assert ready, "the child still holds the pipe"
    assert os.read(reading, 1) == b""
    os.close(reading)
    os.close(key_out)
