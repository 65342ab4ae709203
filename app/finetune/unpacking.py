"""The two files of an adapter out of a ZIP or tar file that somebody sent; nothing of it is believed."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

from app.errors import AdapterInvalid
from app.finetune.adapter_files import CONFIG, FILES, MOST_CONFIG_BYTES, PICKLED, copy_file

MOST_ENTRIES: Final = 64
_MOST_DIRECTORY: Final = 1 << 20
_END, _END_64, _END_BYTES = b"PK\x05\x06", b"PK\x06\x07", 22
_MOST_READ: Final = 1 << 21
"""Read at once at most; a head of a tar file that says it is longer would be held in memory."""
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def unpack(archive: Path, folder: Path, most_bytes: int) -> None:
    """Writes the files of an adapter into an empty folder; raises `AdapterInvalid`, and leaves what it wrote.

    Entries are `adapter_config.json` and `adapter_model.safetensors` at the top; a README or such beside them is left
    out, and a name with a folder in it, a link or a second file of a name is refused. No more than `most_bytes` are
    unpacked, whatever the archive says of itself.
    """
    try:
        with archive.open("rb") as file:
            found = _from_zip(file, folder, most_bytes) if zipfile.is_zipfile(file) else None
        if found is None:
            found = _from_tar(archive, folder, most_bytes)
    except _DAMAGED as error:
        raise AdapterInvalid(repr(error), reason="it is not a ZIP or tar file that can be unpacked") from error
    except OSError as error:
        if error.errno is not None:  # the disk, and not the gzip file
            raise
        raise AdapterInvalid(repr(error), reason="it is not a ZIP or tar file that can be unpacked") from error
    for name in FILES:
        if name not in found:
            why = f"{PICKLED} is pickled code, which is never read; save the adapter as safetensors"
            raise AdapterInvalid(reason=why if PICKLED in found else f"{name} is missing")


def _from_zip(file: BinaryIO, folder: Path, most_bytes: int) -> set[str]:
    found: set[str] = set()
    _require_short_directory(file)
    with zipfile.ZipFile(file) as archive:
        for number, entry in enumerate(archive.infolist()):
            _require_plain_name(entry.filename, found, number)
            is_link = (entry.external_attr >> 16) & 0o170000 == 0o120000
            if is_link or entry.flag_bits & 1:
                raise AdapterInvalid(reason="the archive has an entry that is a link, or protected by a password")
            if entry.filename not in FILES:
                continue
            limit = _limit(entry.filename, entry.file_size, most_bytes)
            with archive.open(entry) as source:
                copy_file(cast("BinaryIO", source), folder / entry.filename, limit)
    return found


def _require_short_directory(file: BinaryIO) -> None:
    """Raises before the list of entries is read, which is held in memory, however long it is."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES - 0xFFFF - 20))
    tail = file.read()
    place = tail.rfind(_END)
    count, length = int.from_bytes(tail[place + 10 : place + 12], "little"), tail[place + 12 : place + 16]
    is_large = tail[max(0, place - 20) : place].startswith(_END_64)
    if is_large or count > MOST_ENTRIES or int.from_bytes(length, "little") > _MOST_DIRECTORY:
        raise AdapterInvalid(reason=f"the archive has more than {MOST_ENTRIES} entries")


def _from_tar(path: Path, folder: Path, most_bytes: int) -> set[str]:
    found: set[str] = set()
    with _plain(path, most_bytes) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for number, entry in enumerate(archive):
            _require_plain_name(entry.name, found, number)
            if not entry.isreg() or entry.issparse():
                raise AdapterInvalid(reason="the archive has an entry that is not an ordinary file")
            source = archive.extractfile(entry) if entry.name in FILES else None
            if source is not None:
                limit = _limit(entry.name, entry.size, most_bytes)
                copy_file(cast("BinaryIO", source), folder / entry.name, limit)
    return found


def _require_plain_name(name: str, found: set[str], number: int) -> None:
    if number >= MOST_ENTRIES:
        raise AdapterInvalid(reason=f"the archive has more than {MOST_ENTRIES} entries")
    if "/" in name or "\\" in name or "\0" in name or name in ("", ".", ".."):
        raise AdapterInvalid(name[:200], reason="the archive has a name with a folder in it; pack the files alone")
    if name in found:
        raise AdapterInvalid(name[:200], reason="the archive has two files of one name")
    found.add(name)


def _limit(name: str, size: int, most_bytes: int) -> int:
    most = MOST_CONFIG_BYTES if name == CONFIG else most_bytes
    if size > most:
        raise AdapterInvalid(reason=f"{name} is larger than {most // 1000} kB")
    return most


@contextmanager
def _plain(path: Path, most_bytes: int) -> Iterator[IO[bytes]]:
    """The tar file, taken out of gzip where it is in one, and no more of it than the limit."""
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        most = most_bytes + MOST_CONFIG_BYTES + MOST_ENTRIES * 2048
        if not is_packed:
            yield cast("IO[bytes]", _Bounded(file, most))
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield cast("IO[bytes]", _Bounded(cast("BinaryIO", unpacked), most))


class _Bounded:
    """A stream of which no more than `most` bytes are read, and never much at once."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream = stream
        self._most = most

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_READ or self._stream.tell() + size > self._most + tarfile.RECORDSIZE:
            raise tarfile.ReadError("more than an adapter has")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence != 0 or not 0 <= offset <= self._most:
            raise tarfile.ReadError("more than an adapter has")
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()
