"""Pages drawn by limited processes: turned, cropped, huge and damaged ones; what ends a process costs one page."""

from __future__ import annotations

import base64
import io
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from app.errors import PagesBusy
from app.ingest.rendering import pool as pools
from app.ingest.rendering.boxes import Glyph, PageLayout
from app.ingest.rendering.pool import DrawingPool, PageFault
from app.ingest.rendering.process import DrawingLimits
from tests.fixtures import pdfs

LIMITS = DrawingLimits(seconds=60, memory_mb=1000, pixels=4_000_000)
WORDS = "The pump starts after ten seconds."


@pytest.fixture(scope="module")
def pool() -> Iterator[DrawingPool]:
    pool = DrawingPool(2, LIMITS)
    yield pool
    pool.close()


def a_file(folder: Path, data: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def image_of(pool: DrawingPool, path: Path, width: int = 800, page: int = 1) -> Image.Image:
    reply = pool.ask(path, {"page": page, "image": width, "pixels": LIMITS.pixels})
    return Image.open(io.BytesIO(base64.b64decode(reply["image"])))


def layout_of(pool: DrawingPool, path: Path, page: int = 1) -> PageLayout:
    reply = pool.ask(path, {"page": page, "glyphs": 1000})
    return PageLayout([Glyph(text, *edges) for text, *edges in reply["glyphs"]])


def dark(image: Image.Image) -> tuple[int, int, int, int] | None:
    """Bounds of everything that is not white."""
    return image.convert("L").point(lambda value: 255 if value < 128 else 0).getbbox()


@pytest.mark.parametrize("crop", [None, (40.0, 700.0, 400.0, 820.0), (-30.0, 600.0, 700.0, 900.0)])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_quote_is_boxed_where_it_is_drawn(
    pool: DrawingPool, tmp_path: Path, rotate: int, crop: tuple[float, float, float, float] | None
) -> None:
    path = a_file(tmp_path, pdfs.a_pdf_shown_as(pdfs.a_pdf([WORDS]), rotate, crop))
    image = image_of(pool, path)
    ((left, top, right, bottom),) = layout_of(pool, path).boxes(WORDS)
    size = pool.ask(path, {"page": 1})
    assert image.width == 800
    assert image.height == pytest.approx(800 * size["height"] / size["width"], abs=1)
    drawn = dark(image)
    assert drawn is not None
    slack = 3  # pixels
    assert left * image.width <= drawn[0] + slack
    assert top * image.height <= drawn[1] + slack
    assert right * image.width >= drawn[2] - slack
    assert bottom * image.height >= drawn[3] - slack
    assert (right - left) * image.width < 1.5 * (drawn[2] - drawn[0]) + slack
    assert (bottom - top) * image.height < 1.5 * (drawn[3] - drawn[1]) + slack


def test_larger_units_are_shown_alike(pool: DrawingPool, tmp_path: Path) -> None:
    path = a_file(tmp_path, pdfs.a_pdf_shown_as(pdfs.a_pdf([WORDS]), unit=3.0))
    ((left, top, _, bottom),) = layout_of(pool, path).boxes(WORDS)
    drawn = dark(image_of(pool, path))
    assert drawn is not None
    assert left == pytest.approx(drawn[0] / 800, abs=0.01)
    assert top < drawn[1] / (800 * 841.89 / 595.28) < bottom


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((200_000, 200_000), (800, 800)),
        ((1, 1), (800, 800)),
        ((100, 14_000), (169, 16_383)),
        ((14_000, 100), (800, 6)),
        ((14_000, 0.1), (800, 1)),
    ],
)
def test_a_page_of_any_size_has_an_image_within_bounds(
    pool: DrawingPool, tmp_path: Path, size: tuple[float, float], expected: tuple[int, int]
) -> None:
    image = image_of(pool, a_file(tmp_path, pdfs.a_pdf_of_size(*size)))
    assert image.width * image.height <= LIMITS.pixels * 1.01
    assert (image.width, image.height) == (pytest.approx(expected[0], abs=60), pytest.approx(expected[1], abs=1000))


def test_pixels_are_bounded(pool: DrawingPool, tmp_path: Path) -> None:
    reply = pool.ask(a_file(tmp_path, pdfs.a_pdf()), {"page": 1, "image": 1600, "pixels": 100_000})
    image = Image.open(io.BytesIO(base64.b64decode(reply["image"])))
    assert 95_000 <= image.width * image.height <= 101_000


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (pdfs.a_pdf(user_password="secret"), "encrypted"),
        (b"%PDF-1.7\n", "unreadable"),
        (b"", "unreadable"),
        (pdfs.a_pdf_shown_as(pdfs.a_pdf(), crop=(5000, 5000, 5001, 5001)), "unreadable"),
    ],
)
def test_what_cannot_be_opened_says_why(pool: DrawingPool, tmp_path: Path, data: bytes, error: str) -> None:
    with pytest.raises(PageFault) as fault:
        image_of(pool, a_file(tmp_path, data))
    assert fault.value.error == error


@pytest.mark.parametrize("page", [0, 2, 10**9])
def test_a_page_that_is_not_there(pool: DrawingPool, tmp_path: Path, page: int) -> None:
    with pytest.raises(PageFault) as fault:
        image_of(pool, a_file(tmp_path, pdfs.a_pdf()), page=page)
    assert fault.value.error == "no_page"


def test_a_process_that_died_meanwhile_is_replaced(tmp_path: Path) -> None:
    path = a_file(tmp_path, pdfs.a_pdf([WORDS]))
    with a_pool() as pool:
        image_of(pool, path)
        (process,) = pool._idle.values()
        os.kill(process._process.pid, signal.SIGKILL)
        process._process.wait()
        assert image_of(pool, path).width == 800


def test_a_page_that_takes_too_long_ends_its_process(tmp_path: Path) -> None:
    slow = a_file(tmp_path, pdfs.a_text_bomb(300_000), "slow")
    fast = a_file(tmp_path, pdfs.a_pdf([WORDS]), "fast")
    with a_pool(DrawingLimits(seconds=0.3, memory_mb=1000, pixels=4_000_000)) as pool:
        with pytest.raises(PageFault) as fault:
            pool.ask(slow, {"page": 1, "glyphs": 5_000_000})
        assert fault.value.error == "time"
        assert list(pool._idle) == []
    with a_pool() as pool:
        assert image_of(pool, fast).width == 800


def test_memory_is_bounded(tmp_path: Path) -> None:
    bomb = a_file(tmp_path, pdfs.a_flate_bomb(900))
    with a_pool(DrawingLimits(seconds=60, memory_mb=300, pixels=4_000_000)) as pool:
        with pytest.raises(PageFault) as fault:
            image_of(pool, bomb)
        assert fault.value.error in ("died", "memory", "unreadable")


def test_no_more_processes_than_allowed_and_one_spare(tmp_path: Path) -> None:
    paths = [a_file(tmp_path, pdfs.a_pdf([f"File {number}"]), str(number)) for number in range(6)]
    before = children()
    with a_pool() as pool:
        threads = [threading.Thread(target=image_of, args=(pool, path)) for path in paths * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(pool._idle) <= 2
        assert len(children() - before) <= 3
        held = {path: process._process.pid for path, process in pool._idle.items()}
        for path in held:
            image_of(pool, path)
        assert {path: process._process.pid for path, process in pool._idle.items()} == held
    assert children() <= before


def test_who_waits_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_file(tmp_path, pdfs.a_pdf())
    with a_pool() as pool:
        monkeypatch.setattr(pools, "_WAIT_SECONDS", 0.05)
        pool._busy = 2
        with pytest.raises(PagesBusy):
            image_of(pool, path)
        pool._busy = 0
        monkeypatch.undo()
        assert image_of(pool, path).width == 800


def test_a_closed_pool_draws_nothing(tmp_path: Path) -> None:
    path = a_file(tmp_path, pdfs.a_pdf())
    pool = DrawingPool(1, LIMITS)
    pool.start()
    pool.close()
    with pytest.raises(PagesBusy):
        image_of(pool, path)


class a_pool(DrawingPool):  # noqa: N801 - reads as a factory
    """A pool that is closed at the end of the block."""

    def __init__(self, limits: DrawingLimits = LIMITS) -> None:
        super().__init__(2, limits)

    def __enter__(self) -> DrawingPool:
        return self

    def __exit__(self, *_: Any) -> None:  # noqa: ANN401
        self.close()


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}
