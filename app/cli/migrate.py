"""`manualqa migrate`: a whole set-up to other parts, or back, and whether both agree afterwards."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from app.catalogue.copying import TABLES, count_rows
from app.catalogue.moves import end_move, source_of_move
from app.cli.migrate_sides import opened, places
from app.errors import ManualqaError, MoveRefused
from app.failpoints import failpoint
from app.moving.checks import in_use, problems
from app.moving.comparing import Comparison, compare
from app.moving.move import Move, broken_off
from app.moving.questions import HITS
from app.moving.sides import Shared, Side
from app.settings import Settings
from app.settings_file import settings_in

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

_SAY_SECONDS = 5.0
"""Between two lines on how far a part is."""


def migrate(at: Terminal, file: Path, *, questions: int, dry_run: bool, as_json: bool) -> int:
    """1 where the two sides do not agree afterwards; raises `MoveRefused` before anything is written."""
    target = settings_in(file)
    quiet = _Quiet(at) if as_json else _Aloud(at)
    quiet.say("move_checking")
    with opened(at.settings, target) as both, broken_off():
        if both.sides is None:
            raise _refused(at, both.faults)
        old, new = both.sides
        _refuse(at, _problems(at.settings, target, old, new, both.shared))
        _show_plan(quiet, (at.settings, target), (old, new), both.shared)
        if dry_run:
            quiet.say("move_dry")
            if as_json:
                at.print_json(_plan(old, both.shared))
            return 0
        move = Move(old, new, both.shared, quiet.told)
        move.run()
        compared = compare(old, new, both.shared, move.lost, questions, quiet.told)
        _refuse(at, list(in_use(old, new, at.settings.process_lost_seconds)))
        if compared.agrees:
            failpoint("move.agreed")
            end_move(new.engine)
    if as_json:
        at.print_json({**asdict(compared), "agrees": compared.agrees})
    else:
        _show(quiet, compared)
    return 0 if compared.agrees else 1


def _problems(settings: Settings, target: Settings, old: Side, new: Side, shared: Shared) -> list[ManualqaError]:
    lost_seconds = max(settings.process_lost_seconds, target.process_lost_seconds)
    return problems(old, new, shared, min_free_mb=target.min_free_disk_mb, lost_seconds=lost_seconds)


def _refuse(at: Terminal, found: list[ManualqaError]) -> None:
    if found:
        raise _refused(at, found)


def _refused(at: Terminal, found: list[ManualqaError]) -> MoveRefused:
    """Says everything that is in the way."""
    for error in found:
        text = at.words("move_in_the_way", text=error.message(at.words.language))
        at.err.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
    return MoveRefused()


def _show_plan(quiet: _Quiet, settings: tuple[Settings, Settings], sides: tuple[Side, Side], shared: Shared) -> None:
    old, new = (places(one, side) for one, side in zip(settings, sides, strict=True))
    stays = asdict(shared)
    for part, source in old.items():
        word = "move_stays" if stays[part] else "move_from_to"
        quiet.say(word, part=quiet.word(f"move_{part}"), source=source, target=new[part])
    quiet.say("move_amounts", **_plan(sides[0], shared))
    if not shared.catalogue and source_of_move(sides[1].engine) is not None:
        quiet.say("move_goes_on")


def _plan(source: Side, shared: Shared) -> dict[str, int]:
    """How much there is to move."""
    indexes = [] if shared.index else source.generations()
    return {
        "rows": 0 if shared.catalogue else sum(count_rows(source.sessions, table) for table in TABLES),
        "originals": 0 if shared.originals else len(source.hashes()),
        "vectors": sum(len(source.facts.all_chunks(one.index_id)) for one in indexes),
        "indexes": len(indexes),
        "folders": 0 if shared.folders else len(source.trees()),
    }


def _show(quiet: _Quiet, compared: Comparison) -> None:
    for one in compared.parts:
        word = "move_different" if one.different else "move_same"
        part = quiet.word(f"part_{one.part}", name=one.name)
        quiet.say(word, part=part, source=one.source, target=one.target, different=one.different)
    answers = compared.answers
    quiet.say("move_answers", asked=answers.asked, different=answers.different, largest=answers.largest_difference)
    quiet.say("move_order", hits=HITS, same_first=answers.same_first, same_order=answers.same_order)
    if compared.lost:
        quiet.say("move_lost", count=len(compared.lost), hashes=" ".join(one[:12] for one in compared.lost[:10]))
    quiet.say("move_agrees" if compared.agrees else "move_disagrees")


class _Quiet:
    """Says nothing on the way, for scripts."""

    def __init__(self, at: Terminal) -> None:
        self._at = at

    def word(self, key: str, **params: object) -> str:
        return self._at.words(key, **params)

    def say(self, key: str, **params: object) -> None:
        """Nothing."""

    def told(self, part: str, done: int, total: int) -> None:
        """Nothing."""


class _Aloud(_Quiet):
    """Says what is done, and how far each part is every few seconds and at its end."""

    def __init__(self, at: Terminal) -> None:
        super().__init__(at)
        self._said = 0.0
        self._last = ("", -1)

    def say(self, key: str, **params: object) -> None:
        self._at.out.print(self.word(key, **params), markup=False, highlight=False, soft_wrap=True)

    def told(self, part: str, done: int, total: int) -> None:
        moment = time.monotonic()
        soon = part == self._last[0] and done < total and moment - self._said < _SAY_SECONDS
        if not total or soon or (part, done) == self._last:
            return
        self._said, self._last = moment, (part, done)
        self.say("move_progress", part=self.word(f"moving_{part}"), done=done, total=total)
