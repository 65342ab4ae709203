"""Both sides compared after a move: every row, every original's hash, every vector, every keyword entry, every file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.catalogue.copying import TABLES, RowCopy, count_rows
from app.failpoints import failpoint
from app.ingest.backup.moving import differing
from app.ingest.backup.vectors import BATCH
from app.moving.folders import different
from app.moving.move import broken_off
from app.moving.questions import Answers, ask_both
from app.moving.sides import Shared, Side, Told


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing on both sides: how many there are of it, and how many are not the same.

    `part` is rows, originals, vectors, keywords or files; `name` says which: a table, an index, a folder.
    """

    part: str
    name: str
    source: int
    target: int
    different: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it; `lost` are originals that the source itself has no more, or only damaged."""

    parts: tuple[Compared, ...]
    answers: Answers
    lost: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return not self.answers.different and not any(one.different for one in self.parts)


def compare(source: Side, target: Side, shared: Shared, lost: set[str], questions: int, told: Told) -> Comparison:
    """Reads everything on both sides again; raises what the stores do."""
    with broken_off():
        parts = tuple(_parts(source, target, shared, lost, told))
        failpoint("move.compared")
        answers = ask_both(source, target, questions, told)
    return Comparison(parts, answers, tuple(sorted(lost)))


def _parts(source: Side, target: Side, shared: Shared, lost: set[str], told: Told) -> Iterator[Compared]:
    if not shared.catalogue:
        yield from _rows(source, target, told)
    if not shared.originals:
        yield _originals(source, target, lost, told)
    if not shared.index:
        for generation in source.generations():
            yield _vectors(source, target, generation.index_id, told)
            yield _keywords(source, target, generation.index_id)
    if not shared.folders:
        here, there = source.trees(), dict(target.trees())
        for name, folder in here:
            yield Compared("files", name, *different(folder, there[name]))


def _rows(source: Side, target: Side, told: Told) -> Iterator[Compared]:
    total = sum(count_rows(source.sessions, table) for table in TABLES)
    done = 0
    rows = RowCopy(source.sessions, target.sessions, lambda: None)
    told("comparing_rows", 0, total)

    def progress(more: int) -> None:
        nonlocal done
        done += more
        told("comparing_rows", min(done, total), total)

    for table in TABLES:
        facts = rows.facts(table, progress)
        yield Compared("rows", facts.name, facts.source, facts.target, facts.different)


def _originals(source: Side, target: Side, lost: set[str], told: Told) -> Compared:
    wanted = sorted(source.hashes() - lost)
    there = target.stores.files.hashes()
    right = 0
    for number, sha256 in enumerate(wanted, start=1):
        right += target.stores.files.digest(sha256) == sha256
        told("comparing_originals", number, len(wanted))
    return Compared("originals", "sha256", len(wanted), len(there & set(wanted)), len(wanted) - right)


def _vectors(source: Side, target: Side, index_id: str, told: Told) -> Compared:
    wanted = sorted(source.stores.vectors.ids(index_id) & source.facts.all_chunks(index_id))
    there = target.stores.vectors.ids(index_id)
    wrong = len(there - set(wanted))
    for start in range(0, len(wanted), BATCH):
        told("comparing_vectors", start, len(wanted))
        some = wanted[start : start + BATCH]
        wrong += len(differing(source.stores.vectors, target.stores.vectors, index_id, some))
    told("comparing_vectors", len(wanted), len(wanted))
    return Compared("vectors", index_id, len(wanted), len(there), wrong)


def _keywords(source: Side, target: Side, index_id: str) -> Compared:
    """The entries of what can be found; those of the source as far as they are of that."""
    wanted = source.facts.searchable_chunks(index_id).keys()
    here, there = source.stores.keywords.ids(index_id) & wanted, target.stores.keywords.ids(index_id)
    return Compared("keywords", index_id, len(here), len(there), len(wanted ^ there))
