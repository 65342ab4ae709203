"""PDFs made to break their reader: each page is an image or a typed fault, soon, and leaves nothing behind."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from app.ingest.rendering.pool import DrawingPool, PageFault
from app.ingest.rendering.process import DrawingLimits
from app.settings import Settings
from tests.fixtures.hostile_pdfs import HOSTILE_PDFS

SETTINGS = Settings()
LIMITS = DrawingLimits(4.0, SETTINGS.page_image_memory_mb, SETTINGS.page_image_pixels)
CASES = [
    pytest.param(name, id=name, marks=[pytest.mark.campaign] if case.slow else [])
    for name, case in HOSTILE_PDFS.items()
]
FAULTS = {"encrypted", "unreadable", "no_page", "memory", "time", "died"}
_GRACE_SECONDS = 15.0
"""For starting and ending processes, on a machine that does other work."""


@pytest.fixture(scope="module")
def pool() -> Iterator[DrawingPool]:
    before = _children()
    pool = DrawingPool(1, LIMITS)
    yield pool
    pool.close()
    assert _children() <= before


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_page_is_an_image_or_a_typed_fault(name: str, pool: DrawingPool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(HOSTILE_PDFS[name].build())
    for request in ({"image": 240, "pixels": LIMITS.pixels}, {"glyphs": LIMITS.characters}):
        begun = time.monotonic()
        try:
            reply = pool.ask(path, {"page": 1, **request})
        except PageFault as fault:
            assert fault.error in FAULTS  # noqa: PT017
            break
        else:
            _check(reply)
        finally:
            assert time.monotonic() - begun <= LIMITS.seconds + _GRACE_SECONDS
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def _check(reply: dict[str, object]) -> None:
    if "image" in reply:
        image = Image.open(io.BytesIO(base64.b64decode(str(reply["image"]))))
        image.load()
        assert image.width <= 240
        assert image.width * image.height <= LIMITS.pixels
    else:
        glyphs = reply["glyphs"]
        assert isinstance(glyphs, list)
        assert all(len(text) == 1 and all(0 <= edge <= 1 for edge in edges) for text, *edges in glyphs)


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}
