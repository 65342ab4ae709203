"""Writers of a store stand aside for those who read."""

from __future__ import annotations

import threading
import time

from app.retrieve.stores.readers_first import ReadersFirst


def test_a_writer_alone_does_not_wait_and_may_write_much_at_once() -> None:
    first = ReadersFirst()
    started = time.monotonic()
    first.stand_aside()
    assert time.monotonic() - started < 0.2
    assert not first.were_here


def test_a_writer_goes_on_when_all_have_read() -> None:
    first = ReadersFirst(patience_seconds=60)
    order: list[str] = []

    def write() -> None:
        first.stand_aside()
        order.append("written")

    with first.reading():
        with first.reading():
            writer = threading.Thread(target=write)
            writer.start()
        order.append("one has read")
        assert writer.is_alive()
        order.append("all have read")
    writer.join(60)
    assert order == ["one has read", "all have read", "written"]
    assert first.were_here


def test_readers_without_end_do_not_stop_a_writer() -> None:
    first = ReadersFirst(patience_seconds=0.05)
    with first.reading():
        started = time.monotonic()
        first.stand_aside()
        assert time.monotonic() - started >= 0.05
