"""What `manualqa ingest` sends: files, files in folders and members of ZIP files, each with a name and a stream."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Self

from app.ingest.media import ENDINGS
from app.text.normalise import clean_line

ARCHIVE_ENDINGS: Final = frozenset({".zip"})
OTHER_ARCHIVES: Final = frozenset({".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz"})
MOST_MEMBERS: Final = 10_000
"""Entries of one archive: a shelf of manuals has hundreds; more is a backup of a disk, or made to cost time."""
MOST_UNPACKED_BYTES: Final = 20_000_000_000
"""What the members of one archive may come to: a hundred of the largest manuals."""
MOST_TIMES: Final = 200
"""How many times larger than packed a member may be; manuals stay under 20, a bomb comes near 1,000."""
SMALL_BYTES: Final = 1_000_000
"""A member of at most this size costs nothing, however well it was packed."""

_UTF8_NAME: Final = 0x800
_ENCRYPTED: Final = 0x1


class Refused(Exception):
    """A file that is not sent: `key` and `params` are the words that say why."""

    def __init__(self, key: str, **params: object) -> None:
        super().__init__(key)
        self.key = key
        self.params = params


@dataclass(frozen=True, slots=True)
class Source:
    """One file to send: `name` is for the server, `shown` is where it is for the reader, `size` in bytes.

    `open` gives exactly `size` bytes or raises `Refused` (also later, while it is read) or `OSError`.
    """

    name: str
    shown: str
    size: int
    open: Callable[[], AbstractContextManager[BinaryIO]]
    parents: tuple[str, ...] = ()


@dataclass(slots=True)
class Sources:
    """Everything found; archives stay open until this is closed. `left_out` counts files that are of other types."""

    most_bytes: int
    found: list[Source] = field(default_factory=list)
    left_out: int = 0
    _seen: set[Path] = field(default_factory=set)
    _archives: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def of(cls, paths: Iterable[Path], most_upload_mb: int) -> Self:
        """The files at these places; what is named itself is taken whatever its type, folders give what can be read."""
        sources = cls(most_upload_mb * 1_000_000)
        for path in paths:
            if path.is_dir():
                for file in _walked(path):
                    sources._take(file, in_folder=True)
            else:
                sources._take(path, in_folder=False)
        sources.found = _named_apart(sources.found)
        return sources

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archives.close()

    def _take(self, path: Path, *, in_folder: bool) -> None:
        place = path.resolve()
        if place in self._seen:
            return
        self._seen.add(place)
        ending = path.suffix.lower()
        if ending in ARCHIVE_ENDINGS:
            self._unpack(path, place)
        elif in_folder and ending not in ENDINGS:
            self.left_out += 1
        else:
            parents = tuple(_text(part) for part in place.parent.parts[1:])
            size = path.stat().st_size if path.exists() else 0
            self.found.append(Source(_text(path.name), str(path), size, lambda: path.open("rb"), parents))

    def _unpack(self, path: Path, place: Path) -> None:
        parents = (*(_text(part) for part in place.parent.parts[1:]), _text(path.stem))
        try:
            archive = self._archives.enter_context(zipfile.ZipFile(path))
        except (zipfile.BadZipFile, NotImplementedError, ValueError):
            self._refuse(str(path), _text(path.name), Refused("archive_unreadable"))
            return
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            refused = Refused("archive_too_many", count=len(members), limit=MOST_MEMBERS)
            self._refuse(str(path), _text(path.name), refused)
            return
        unpacked = 0
        for member in members:
            where = _visible_path(member)
            if where is None:
                continue
            shown = f"{path}/{where}"
            if not _is_wanted(where, member):
                self.left_out += 1
                continue
            unpacked += member.file_size
            if refused_member := self._fault(where, member, unpacked):
                self._refuse(shown, where.name, refused_member)
                continue
            opener = _opener(archive, member)
            self.found.append(Source(where.name, shown, member.file_size, opener, (*parents, *where.parts[:-1])))

    def _fault(self, where: PurePosixPath, member: zipfile.ZipInfo, unpacked: int) -> Refused | None:
        """Why a member is not read, as far as the archive's list of contents tells."""
        limit_mb = self.most_bytes // 1_000_000
        if where.suffix.lower() in ARCHIVE_ENDINGS | OTHER_ARCHIVES:
            return Refused("member_is_archive")
        if member.flag_bits & _ENCRYPTED:
            return Refused("member_encrypted")
        if member.file_size > self.most_bytes:
            return Refused("member_too_large", limit=limit_mb)
        if member.file_size > max(SMALL_BYTES, member.compress_size * MOST_TIMES):
            return Refused("member_bomb", times=MOST_TIMES)
        if unpacked > MOST_UNPACKED_BYTES:
            return Refused("archive_too_large", limit=MOST_UNPACKED_BYTES // 1_000_000_000)
        return None

    def _refuse(self, shown: str, name: str, refused: Refused) -> None:
        def refuse() -> AbstractContextManager[BinaryIO]:
            raise refused

        self.found.append(Source(name, shown, 0, refuse))


class _Member:
    """A member of an archive as a stream of exactly the size that the archive states."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        self._left = member.file_size
        try:
            self._stream = archive.open(member)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
            raise _broken(error) from error

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise _broken(error) from error
        self._left -= len(data)
        if self._left < 0 or (not data and self._left):
            raise Refused("member_broken")
        return data

    def __enter__(self) -> _Member:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def member_name(member: zipfile.ZipInfo) -> str:
    """The name of a member in its real letters.

    Where the archive does not say UTF-8, `zipfile` reads code page 437; what is no such name is UTF-8 without the mark,
    or GB18030 as Chinese Windows writes it, which is believed where every character is one of GB 2312.
    """
    name = member.filename
    if member.flag_bits & _UTF8_NAME or name.isascii():
        return name
    try:
        raw = name.encode("cp437")
    except UnicodeEncodeError:
        return name
    for encoding, check in (("utf-8", "utf-8"), ("gb18030", "gb2312")):
        try:
            decoded = raw.decode(encoding)
            decoded.encode(check)
        except UnicodeError:
            continue
        return decoded
    return name


def _visible_path(member: zipfile.ZipInfo) -> PurePosixPath | None:
    """Where a member is inside its archive, never above it; None for folders, links and hidden files."""
    parts = member_name(member).replace("\\", "/").split("/")
    if not parts[-1] or stat.S_ISLNK(member.external_attr >> 16):
        return None
    cleaned = [clean_line(part, len(part)) for part in parts]
    kept = [part for part in cleaned if part not in ("", ".", "..") and not part.endswith(":")]
    if not kept or any(map(_is_hidden, kept)):
        return None
    return PurePosixPath(*kept)


def _is_wanted(where: PurePosixPath, member: zipfile.ZipInfo) -> bool:
    ending = where.suffix.lower()
    return ending in ENDINGS or (ending in ARCHIVE_ENDINGS | OTHER_ARCHIVES and member.file_size > 0)


def _walked(folder: Path) -> Iterator[Path]:
    """The files below a folder by name, links followed, each folder once, without hidden files and those of Office."""
    seen: set[tuple[int, int]] = set()
    for top, folders, files in os.walk(folder, followlinks=True):
        here = Path(top).stat()
        if (here.st_dev, here.st_ino) in seen:
            folders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(files):
            path = Path(top, name)
            if not _is_hidden(name) and path.is_file():
                yield path


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "~$")) or name == "__MACOSX"


def _named_apart(sources: list[Source]) -> list[Source]:
    """No two names alike: the server would take the later file for a new version of the earlier one."""
    names = [source.name for source in sources]
    for depth in range(1, 4):
        counts = Counter(name.casefold() for name in names)
        if len(counts) == len(names):
            break
        names = [
            " - ".join((*source.parents[-depth:], source.name)) if counts[name.casefold()] > 1 else name
            for source, name in zip(sources, names, strict=True)
        ]
    taken: set[str] = set()
    apart = []
    for source, name in zip(sources, names, strict=True):
        number, unique = 1, name
        while unique.casefold() in taken:
            number += 1
            unique = f"({number}) {name}"
        taken.add(unique.casefold())
        apart.append(replace(source, name=unique))
    return apart


def _opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], AbstractContextManager[BinaryIO]]:
    return lambda: _Member(archive, member)  # type: ignore[return-value]


def _broken(error: Exception) -> Refused:
    return Refused("member_encrypted" if "encrypted" in str(error) or "password" in str(error) else "member_broken")


def _text(name: str) -> str:
    """A name of the file system, whose bytes may be no text, without anything that a terminal would obey."""
    return clean_line(os.fsencode(name).decode("utf-8", "replace"), len(name))
