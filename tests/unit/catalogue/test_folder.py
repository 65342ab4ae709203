"""The data folder has one owner, who is named to the next."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.catalogue.folder import DataFolder, RunNote
from app.errors import DataFolderLocked

HOLD = """
import sys
from pathlib import Path
from app.catalogue.folder import DataFolder, RunNote
folder = DataFolder(Path(sys.argv[1]))
folder.acquire()
folder.announce(RunNote(pid=4321, url="http://127.0.0.1:1", token="t"))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_owner_is_told_who_has_it_and_a_dead_owner_has_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DataFolderLocked, match=r"process 4321, http://127\.0\.0\.1:1"):
            DataFolder(tmp_path).acquire()
        holder.kill()
        holder.wait()
    folder = DataFolder(tmp_path)
    folder.acquire()
    folder.release()
    assert folder.note() is None


def test_the_note_is_for_this_user_only(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.acquire()
    note = RunNote(pid=os.getpid(), url="http://127.0.0.1:2", token="secret")
    folder.announce(note)
    assert folder.note() == note
    assert (tmp_path / "server.json").stat().st_mode & 0o077 == 0
    folder.release()


def test_a_damaged_note_is_no_note(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text("{")
    assert DataFolder(tmp_path).note() is None
