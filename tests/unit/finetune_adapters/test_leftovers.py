"""What dead processes left half made goes while others make and list adapters and trainings in the same folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.catalogue.adapters import AdapterRows
from app.catalogue.processes import Process, Processes
from app.finetune import adapters as module
from app.finetune.adapters import Adapters, Source
from app.finetune.leftovers import UNLISTED_SECONDS, Leftovers
from app.finetune.run_folders import RunFolders
from tests.fixtures.adapters import TINY_BASE, an_adapter
from tests.fixtures.catalogues import Catalogue, a_catalogue
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.trainings import an_order
from tests.unit.finetune_adapters.conftest import ROOM

TRAINED = Source()
ALIVE, DEAD = Process("process-a1", True, "1"), Process("process-d2", True, "1")
TRAINING, OTHER = "ft-0123456789abcdef", "ft-00000000000000aa"


class Killed(BaseException):
    """The end of a process."""


def killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.fixture(scope="module")
def migrated(postgres: PostgresServer) -> Iterator[SecretStr]:
    with postgres.migrated() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalogue]:
    url = None if request.param == "sqlite" else request.getfixturevalue("migrated")
    with a_catalogue(tmp_path, url) as opened:
        yield opened


@pytest.fixture
def processes(catalogue: Catalogue) -> Processes:
    """Two that live."""
    made = Processes(catalogue.sessions)
    made.join(ALIVE)
    made.join(DEAD)
    return made


def of(process: Process, catalogue: Catalogue, folder: Path) -> Adapters:
    return Adapters(AdapterRows(catalogue.sessions), folder, lambda: TINY_BASE, ROOM, process.id)


def cut_off(adapters: Adapters, source: Path, name: str, patched: pytest.MonkeyPatch, moment: str) -> None:
    """Its process is killed at this moment of a registration."""
    with patched.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # a killed process cleans nothing up
        target = module if hasattr(module, moment) else AdapterRows
        patch.setattr(target, moment, killed)
        with pytest.raises(Killed):
            adapters.register(source, name, TRAINED)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_only_what_the_dead_were_making_goes(
    catalogue: Catalogue, processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder = an_adapter(tmp_path / "source"), tmp_path / "adapters"
    alive, dead = of(ALIVE, catalogue, folder), of(DEAD, catalogue, folder)
    listed = alive.register(source, f"kept-{tmp_path.name}", TRAINED)
    uploads = [one.upload_path() for one in (alive, dead)]
    for upload in uploads:
        upload.write_bytes(b"half")
    cut_off(alive, source, "mine", monkeypatch, "check_adapter")
    of_the_living = names(folder) - {listed.id, uploads[1].name}
    cut_off(dead, source, "theirs", monkeypatch, "check_adapter")
    assert len(names(folder)) == 5
    sweeping = alive.leftovers()
    assert sweeping.sweep(processes.living) == 0
    processes.leave(DEAD)
    assert sweeping.sweep(processes.living) == 2
    assert names(folder) == {listed.id, *of_the_living}
    assert alive.verify(listed).is_dir()


def test_a_process_removes_its_own_before_it_makes_others(
    catalogue: Catalogue, processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "adapters"
    again = of(ALIVE, catalogue, folder)
    cut_off(again, an_adapter(tmp_path / "source"), "mine", monkeypatch, "check_adapter")
    assert again.leftovers().sweep(lambda: processes.living() - {ALIVE.id}) == 1
    assert names(folder) == set()


def test_a_whole_adapter_without_a_row_goes_after_an_hour_and_one_that_gets_its_row_stays(
    catalogue: Catalogue, processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder, moments = an_adapter(tmp_path / "source"), tmp_path / "adapters", [0.0]
    adapters = of(DEAD, catalogue, folder)
    cut_off(adapters, source, "theirs", monkeypatch, "add")
    [left] = names(folder)
    listed: set[str] = set()
    sweeping = Leftovers(folder, lambda: listed, lambda: moments[0])
    assert sweeping.sweep(processes.living) == 0
    moments[0] = UNLISTED_SECONDS - 1
    assert sweeping.sweep(processes.living) == 0
    listed.add(left)
    moments[0] = 2 * UNLISTED_SECONDS
    assert sweeping.sweep(processes.living) == 0
    listed.clear()  # counted anew from here
    assert sweeping.sweep(processes.living) == 0
    moments[0] = 3 * UNLISTED_SECONDS + 1
    assert sweeping.sweep(processes.living) == 1
    assert names(folder) == set()


def test_run_folders_of_the_dead_go_and_strange_files_stay(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "finetune"
    for process, training in ((ALIVE, TRAINING), (DEAD, OTHER)):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", killed)
            with pytest.raises(Killed):
                RunFolders(root, process.id).create(training, an_order("kb"))
    (root / f".gone-{TRAINING}").mkdir()
    (root / "lost+found").mkdir()
    (root / "notes.txt").touch()
    mine = next(name for name in names(root) if ALIVE.id in name)
    sweeping = RunFolders(root, ALIVE.id).leftovers(set)
    processes.leave(DEAD)
    assert sweeping.sweep(processes.living) == 2
    assert names(root) == {mine, "lost+found", "notes.txt"}
