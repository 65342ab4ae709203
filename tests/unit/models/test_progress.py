"""What a person is shown while weights are fetched."""

from __future__ import annotations

import io

from rich.console import Console

from app.models.progress import BarProgress, LineProgress


def test_lines_tell_share_megabytes_speed_and_time_left() -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append, every_seconds=0)
    progress.begin("tiny", 200_000_000)
    progress.advance(50_000_000)
    progress.advance(100_000_000)
    progress.advance(200_000_000)
    progress.advance(200_000_000)
    assert lines[0].startswith("tiny: 25%, 50 of 200 MB")
    assert "MB/s" in lines[1]
    assert "s left" in lines[1]
    assert lines[-1].startswith("tiny: 100%, 200 of 200 MB")
    assert len(lines) == 3


def test_lines_come_at_most_so_often_but_the_last_always() -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append, every_seconds=3600)
    progress.begin("tiny", 100)
    for done in range(101):
        progress.advance(done)
    assert len(lines) == 1
    assert lines[0].startswith("tiny: 100%")


def test_bars_show_share_and_speed_and_take_names_as_plain_text() -> None:
    out = io.StringIO()
    with BarProgress(Console(file=out, force_terminal=True, width=140)) as progress:
        progress.note("trying [red]one[/red]")
        progress.begin("[bold]tiny[/bold]", 2_000_000)
        progress.advance(1_000_000)
        progress.advance(2_000_000)
    text = out.getvalue()
    assert "[bold]tiny[/bold]" in text
    assert "trying [red]one[/red]" in text
    assert "100%" in text
    assert "2.0/2.0 MB" in text
