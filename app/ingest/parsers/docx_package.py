"""The parts of a Word file: which member of the ZIP file is which, read as streams of XML within a budget."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import IO, Any, Final
from zipfile import ZipFile

from lxml import etree

from app.ingest.parsers.flow import fail

Element = Any
"""An element of lxml, which has no types of its own."""

_MAIN: Final = "word/document.xml"
_BODY: Final = "body"
_STRICT: Final = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
_QUIET: Final = {"remove_comments": True, "remove_pis": True}


def local(element: Element) -> str:
    """The name of an element without its namespace: the two flavours of the format differ in nothing else."""
    return str(element.tag).rpartition("}")[2]


def value(element: Element | None, name: str = "val") -> str | None:
    """An attribute, whatever its namespace."""
    if element is None:
        return None
    for key, text in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(text)
    return None


def child(element: Element | None, *path: str) -> Element | None:
    """The first element down this path of names, or None."""
    for name in path:
        if element is None:
            return None
        element = next((inner for inner in element if local(inner) == name), None)
    return element


def is_on(element: Element | None) -> bool:
    """Whether a switch such as `w:vanish` is there and not turned off."""
    return element is not None and value(element) not in ("0", "false", "off")


class Package:
    """An open Word file; more than `most_bytes` of unpacked XML end the program."""

    def __init__(self, archive: ZipFile, most_bytes: int) -> None:
        self._archive = archive
        self._left = most_bytes
        self._main = self._targets("", "_rels/.rels").get("officeDocument", _MAIN)
        folder, name = posixpath.split(self._main)
        self._parts = self._targets(folder, posixpath.join(folder, "_rels", f"{name}.rels"))

    def blocks(self) -> Iterator[Element]:
        """The children of the body, one after the other; each is forgotten when the next is asked for."""
        with self._opened(self._main) as stream:
            body = None
            for event, element in etree.iterparse(stream, events=("start", "end"), **_STRICT, **_QUIET):
                if event == "start":
                    _refuse_entities(element)
                    if body is None and local(element) == _BODY:
                        body = element
                elif body is not None and element.getparent() is body:
                    yield element
                    element.clear()
                    while element.getprevious() is not None:
                        del body[0]
        if body is None:
            fail("not_word", "no body")

    def part(self, kind: str) -> Element | None:
        """The root of another part (`styles`, `numbering`, `footnotes`, `endnotes`), or None where it is not there."""
        name = self._parts.get(kind, posixpath.join(posixpath.dirname(self._main), f"{kind}.xml"))
        return self._tree(name)

    def _tree(self, name: str) -> Element | None:
        if name not in self._archive.NameToInfo:
            return None
        with self._opened(name) as stream:
            root = None
            for _, element in etree.iterparse(stream, events=("start",), **_STRICT, **_QUIET):
                root = element if root is None else root
                _refuse_entities(element)
            return root

    def _opened(self, name: str) -> IO[bytes]:
        return _Counted(self._archive.open(name), self)  # type: ignore[return-value]

    def spend(self, size: int) -> None:
        """Counts unpacked bytes; what the file itself says about its sizes is not believed."""
        self._left -= size
        if self._left < 0:
            fail("too_costly", "unpacked size")

    def _targets(self, folder: str, name: str) -> dict[str, str]:
        """Members by kind, as a list of relations names them; those outside the file are left out."""
        root = self._tree(name)
        found: dict[str, str] = {}
        for relation in root if root is not None else ():
            kind = (value(relation, "Type") or "").rpartition("/")[2]
            target = value(relation, "Target") or ""
            if kind and target and value(relation, "TargetMode") != "External":
                path = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                found.setdefault(kind, posixpath.normpath(path))
        return found


class _Counted:
    """A stream that counts what is read from it."""

    def __init__(self, stream: IO[bytes], package: Package) -> None:
        self._stream = stream
        self._package = package

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._package.spend(len(data))
        return data

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _refuse_entities(element: Element) -> None:
    """The format knows no document type; one that declares entities is an attack."""
    if element.getparent() is None and element.getroottree().docinfo.internalDTD is not None:
        fail("not_word", "document type")
