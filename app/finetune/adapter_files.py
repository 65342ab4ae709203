"""The two files of an adapter on disk: read without following links, copied, hashed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from app.errors import AdapterInvalid

CONFIG: Final = "adapter_config.json"
WEIGHTS: Final = "adapter_model.safetensors"
FILES: Final = (CONFIG, WEIGHTS)
PICKLED: Final = "adapter_model.bin"
"""What older programs write instead: code that runs when it is read, so it never is."""

MOST_CONFIG_BYTES: Final = 64_000
_COPY_BYTES = 1 << 20


@contextmanager
def opened(folder: Path, name: str, most_bytes: int) -> Iterator[BinaryIO]:
    """A file of the folder for reading; raises `AdapterInvalid` where it is no ordinary file of at most that size.

    What is read is what was looked at: neither the folder nor the file may be a link, and both are opened once.
    """
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise AdapterInvalid(str(error), reason="its folder cannot be opened, or is a link") from error
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    except FileNotFoundError as error:
        raise AdapterInvalid(reason=_absent(folder, name)) from error
    except OSError as error:
        is_link = error.errno in (errno.ELOOP, errno.EMLINK)
        raise AdapterInvalid(
            str(error), reason=f"{name} is a link" if is_link else f"{name} cannot be opened"
        ) from error
    finally:
        os.close(place)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise AdapterInvalid(reason=f"{name} is not an ordinary file")
        if status.st_size > most_bytes:
            raise AdapterInvalid(reason=f"{name} is larger than {most_bytes // 1000} kB")
        yield file


def _absent(folder: Path, name: str) -> str:
    if name == WEIGHTS and (folder / PICKLED).exists():
        return f"{PICKLED} is pickled code, which is never read; save the adapter as safetensors"
    return f"{name} is missing"


def copy_file(source: BinaryIO, target: Path, most_bytes: int) -> int:
    """Copies what is left of a stream into a new file, on the disk when this returns; its size.

    Raises `AdapterInvalid` beyond `most_bytes`.
    """
    size = 0
    with target.open("xb") as file:
        while piece := source.read(_COPY_BYTES):
            size += len(piece)
            if size > most_bytes:
                raise AdapterInvalid(reason=f"{target.name} is larger than {most_bytes // 1000} kB")
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return size


def write_file(target: Path, content: bytes) -> None:
    """A new file, on the disk when this returns."""
    with target.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def hash_of(folder: Path, most_bytes: int) -> str:
    """The sha256 over both files, names and sizes included; raises `AdapterInvalid` as `opened` does."""
    whole = sha256()
    for name in FILES:
        with opened(folder, name, most_bytes) as file:
            size = os.fstat(file.fileno()).st_size
            whole.update(f"{name}\0{size}\0".encode())
            while piece := file.read(_COPY_BYTES):
                whole.update(piece)
    return whole.hexdigest()
