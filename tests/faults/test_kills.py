"""The server is killed at every moment it names, started again, and has lost, doubled and shown half of nothing."""

from __future__ import annotations

import ast
import os
import random
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.scenarios import BIG, BROKEN, MARKERS, SCENARIOS
from tests.faults.server import RECOVERY_SECONDS, FaultServer, Json, Reader

APP = Path(__file__).parents[2] / "app"
REPETITIONS = 20

Documents = dict[str, Json] | None


def points() -> list[str]:
    """The names of all moments in the source, so that none is forgotten; trainings, back-ups and moves have tests."""
    elsewhere = {"finetune", "backup", "moving", "migrate.py"}
    return points_of(path for path in APP.rglob("*.py") if not elsewhere & set(path.parts))


def points_of(paths: Iterable[Path]) -> list[str]:
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failpoint":
                name = node.args[0]
                assert isinstance(name, ast.Constant), f"{path}: the name of a failpoint is a literal"
                found.add(str(name.value))
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Clean:
    """What a scenario comes to when nobody is killed, and how often it comes to each point."""

    before: Documents
    after: Documents
    reached: Counter[str]


@dataclass(frozen=True, slots=True)
class Play:
    """What a scenario came to: documents before and after, what the reader saw, seconds from the last start."""

    before: Documents
    after: Documents
    wrong: list[str]
    seconds: float


def play(server: FaultServer, name: str, clean: Clean | None = None, point: str = "", at: int = 1) -> Play:
    """One scenario on a knowledge base of its own, with one kill where a point is given."""
    scenario = SCENARIOS[name]
    base = server.base(f"{name} {secrets.token_hex(4)}")
    scenario.prepare(server, base)
    server.settle()
    before = server.documents(base)
    server.forget_reached()
    if point:
        server.kill_at(point, at)
    reader = Reader(server, base, _options(clean) if clean else {})
    reader.start()
    try:
        scenario.act(server, base, reader)
        seconds = server.settle()
        for document in (clean.after or {}) if clean else ():
            reader.only(document, -1)
        seen = reader.searches
        while clean and clean.after and reader.searches < seen + 2 * len(MARKERS) and reader.is_alive():
            reader.join(0.02)
    finally:
        reader.end()
    return Play(before, server.documents(base), reader.wrong, seconds)


def _options(clean: Clean) -> dict[tuple[str, str], list[list[str]]]:
    """What may be seen of each document: what was there before, then what is there after."""
    options = {}
    for name, marker in MARKERS.items():
        versions = [_marked(documents, name, marker) for documents in (clean.before, clean.after)]
        if any(versions):
            options[name, marker] = versions
    return options


def _marked(documents: Documents, name: str, marker: str) -> list[str]:
    found = (documents or {}).get(name)
    return sorted(str(text) for _, text, *_ in found["texts"] if marker in str(text)) if found else []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    running = FaultServer(tmp_path_factory.mktemp("kills"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def clean(server: FaultServer) -> dict[str, Clean]:
    """Every scenario once without a kill."""
    found = {}
    for name in SCENARIOS:
        played = play(server, name)
        found[name] = Clean(played.before, played.after, server.reached())
    return found


@pytest.fixture(scope="module")
def seed() -> int:
    return int(os.environ.get("FAULT_SEED", "20261123"))


def test_the_clean_runs_are_worth_comparing_with(clean: dict[str, Clean]) -> None:
    ingested = clean["ingest"].after
    assert ingested is not None
    assert {document["state"] for document in ingested.values()} == {"ready"}
    assert ingested[BIG]["chunks"] > 64
    assert {name: document["state"] for name, document in (clean["cancel"].after or {}).items()} == {
        "kettle.md": "ready",
        BROKEN: "failed",
    }
    for name, marker in MARKERS.items():
        assert 2 <= len(_marked(ingested, name, marker)) <= 20
    assert clean["replace"].before != clean["replace"].after
    assert clean["rebuild"].before != clean["rebuild"].after
    assert (clean["delete"].after, clean["delete_base"].after) == ({}, None)


def test_every_point_is_reached_by_a_scenario(clean: dict[str, Clean]) -> None:
    reached = {point for run in clean.values() for point in run.reached}
    assert set(points()) <= reached


@pytest.mark.parametrize("point", points())
def test_a_kill_loses_nothing_doubles_nothing_and_shows_nothing_half(
    server: FaultServer,
    clean: dict[str, Clean],
    point: str,
    seed: int,
    request: pytest.FixtureRequest,
) -> None:
    for repetition in range(REPETITIONS if request.config.getoption("--campaign") else 1):
        choice = random.Random(f"{seed} {point} {repetition}")
        name = choice.choice([name for name, run in clean.items() if run.reached[point]])
        at = choice.randint(1, clean[name].reached[point])
        deaths = server.deaths
        played = play(server, name, clean[name], point, at)
        told = f"seed {seed}, {name}, {point} for the {at}. time"
        if server.is_armed():  # another order of the threads came to it less often
            server.disarm()
        else:
            assert server.deaths == deaths + 1, told
            server.recoveries.append(played.seconds)
            assert played.seconds < RECOVERY_SECONDS, told
        assert played.before == clean[name].before, told
        assert played.after == clean[name].after, told
        assert played.wrong == [], told


def test_the_worst_recovery(server: FaultServer) -> None:
    assert server.recoveries, "nothing was killed"
    print(f"\n{len(server.recoveries)} kills, recovered in at most {max(server.recoveries):.1f} s")  # noqa: T201
