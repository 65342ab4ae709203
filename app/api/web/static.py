"""Style sheets, scripts and the icon, from the program itself, under an address that changes with any of them."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from fastapi import APIRouter, Request, Response

from app.errors import RouteNotFound

router = APIRouter(include_in_schema=False)

MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, plain and compressed."""

    content: bytes
    compressed: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All files by their path below `static/`, and the digest of them all.

    One digest for the whole set: a module that imports its neighbour gets the one of its own version.
    """

    files: dict[str, Asset]
    digest: str

    def url(self, path: str) -> str:
        """The address of a file; raises `KeyError` for one that is not there."""
        self.files[path]
        return f"/static/{self.digest}/{path}"


@cache
def assets() -> Assets:
    """The files, read once."""
    found: dict[str, Asset] = {}
    digest = hashlib.sha256()
    for path, content in sorted(_read(files("app.api.web") / "static", "")):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
        media_type = MEDIA_TYPES[path[path.rindex(".") :]]
        found[path] = Asset(content, gzip.compress(content, mtime=0), media_type)
    return Assets(found, digest.hexdigest()[:16])


def _read(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found.extend(_read(entry, f"{prefix}{entry.name}/"))
        elif entry.name[entry.name.rfind(".") :] in MEDIA_TYPES:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


@router.get("/static/{digest}/{path:path}")
def serve(digest: str, path: str, request: Request) -> Response:
    """A file of this version, for ever; nothing of another version. Open to all: there is no secret in it."""
    own = assets()
    asset = own.files.get(path)
    if asset is None or digest != own.digest:
        raise RouteNotFound
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, media_type=asset.media_type, headers=headers)


@router.get("/favicon.ico")
def favicon() -> Response:
    """The icon, for browsers that ask without reading the page."""
    asset = assets().files["icon.svg"]
    return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": "public, max-age=86400"})
