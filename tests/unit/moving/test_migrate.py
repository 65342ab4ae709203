"""A set-up is moved from a folder to Postgres, S3 and Milvus and back, killed meanwhile; nothing is lost or changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import insert, update

from app import failpoints
from app.catalogue.adapters import AdapterRows, NewAdapter
from app.catalogue.database import Sessions, open_database
from app.catalogue.folder import DataFolder
from app.catalogue.keys import Role
from app.catalogue.processes import Process, Processes
from app.catalogue.tables import ChunkRow, DocumentRow, FinetuneJobRow
from app.cli import main
from app.cli.migrate_sides import opened
from app.errors import MoveUnfinished, SettingsFileInvalid
from app.ingest.consistency import Consistency
from app.settings import Settings, child_environment, load_settings
from app.settings_file import settings_in
from app.types import PromptKind
from app.wiring.services import build_services
from tests.faults.test_kills import APP, points_of
from tests.fixtures.milvus_servers import MilvusLite
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.s3_server import S3Server
from tests.fixtures.workshops import Workshop, a_manual, a_workshop

DOCUMENTS = 6
KILLS = (("move.rows", 2), ("move.original", 3), ("move.vectors", 1))
FAULTS = (("move.begun", 1), ("move.keywords", 2), ("move.file", 2), ("move.compared", 1), ("move.agreed", 1))
"""Moments at which a migration ends, by a kill or a failure; the number tells how often it comes there first."""


class BrokenOffError(BaseException):
    """Ends a migration in this process, past everything that would catch an error."""


@dataclass
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> Any:  # noqa: ANN401 - whatever was printed
        return json.loads(self.out)


class Mover:
    """Runs `manualqa migrate` in this process, from a set-up to another."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str = "en"
    ) -> None:
        self.folder, self.language = folder, language
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def file(self, target: dict[str, str]) -> Path:
        path = self.folder / "target.env"
        path.write_text("# the target\n\n" + "".join(f"{name}='{value}'\n" for name, value in target.items()))
        return path

    def __call__(self, source: dict[str, str], target: dict[str, str], *options: str) -> Outcome:
        with self._monkeypatch.context() as changed:
            for name, value in {**source, "MQA_LANGUAGE": self.language, "COLUMNS": "200"}.items():
                changed.setenv(name, value)
            changed.setattr("sys.argv", ["manualqa", "migrate", "--to", str(self.file(target)), *options])
            load_settings.cache_clear()
            self._capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
            load_settings.cache_clear()
        return Outcome(int(str(ended.value.code)), *self._capsys.readouterr())

    def killed(self, source: dict[str, str], target: dict[str, str], point: str, number: int) -> None:
        command = [sys.executable, "-m", "tests.unit.moving.killed", point, str(number)]
        done = subprocess.run(
            [*command, "migrate", "--to", str(self.file(target))],
            env=child_environment(**source, MQA_LANGUAGE="en"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, (point, done.stdout, done.stderr)

    def broken_off(self, source: dict[str, str], target: dict[str, str], point: str, number: int) -> None:
        left = [number]

        def look(name: str) -> None:
            left[0] -= name == point
            if not left[0]:
                raise BrokenOffError

        with self._monkeypatch.context() as changed:
            changed.setattr(failpoints, "_watchers", [look])
            with pytest.raises(BrokenOffError):
                self(source, target)


@pytest.fixture
def move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mover:
    return Mover(tmp_path, monkeypatch, capsys)


def a_folder(data: Path) -> dict[str, str]:
    """The settings of a set-up in one folder."""
    return {"MQA_DATA_DIR": str(data), "MQA_MIN_FREE_DISK_MB": "0", "MQA_PROCESS_LOST_SECONDS": "1"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with documents ready, failed, waiting and deleted, two indexes, keys, an adapter and a training."""
    data = tmp_path_factory.mktemp("filled") / "data"
    with a_workshop(data) as workshop:
        _fill(workshop, data)
    (data / "index").mkdir()
    (data / "vectors").rename(data / "index" / "chroma")
    (data / "keywords").rename(data / "index" / "keywords")
    return data


def _fill(workshop: Workshop, data: Path) -> None:
    stores, sessions = workshop.stores, workshop.catalogue.sessions
    base, other = workshop.base(), workshop.base("手册")
    for number in range(DOCUMENTS):
        workshop.ready(base, a_manual(5, f"valve{number}"), f"valve-{number}.md")
    workshop.ready(other, "# 阀门\n\n" + "缓慢转动阀门，直到压力下降。请记录压力表的读数。" * 20, "阀门.md")
    gone = workshop.ready(base, a_manual(2, "gone"), "gone.md")
    stores.documents.hide(base.id, gone.document)
    waiting = workshop.upload(base, a_manual(3, "waiting"), "waiting.md")
    stores.jobs.begin(waiting.job)
    workshop.pipeline.read(waiting.document, waiting.job, 1)
    stores.generations.start(other.id, replace(other.fingerprint, chunk_size=150))
    workshop.catalogue.keys.create("a key", Role.READER)
    AdapterRows(sessions).add("ad-0123456789abcdef", _an_adapter(), 10)
    with sessions.begin() as session:
        values = {"id": "ft-0123456789abcdef", "name": "t", "base": "b", "config": {"rank": 8}, "examples": {}}
        session.execute(insert(FinetuneJobRow), [values])
    for name in ("adapters/ad-0123456789abcdef/adapter_config.json", "finetune/ft-0123456789abcdef/deep/er/state"):
        (data / name).parent.mkdir(parents=True)
        (data / name).write_bytes(name.encode() * 1000)


def _an_adapter() -> NewAdapter:
    return NewAdapter(
        name="one",
        base="b",
        base_revision="r",
        rank=8,
        bytes=10,
        sha256="0" * 64,
        prompt=PromptKind.FULL,
        context_tokens=None,
        job_id=None,
        data_hash=None,
        figures={},
    )


@pytest.fixture
def source(filled: Path, tmp_path: Path) -> dict[str, str]:
    """A copy of that data folder, for one test."""
    shutil.copytree(filled, tmp_path / "source")
    return a_folder(tmp_path / "source")


@pytest.fixture
def scaled_out(
    tmp_path: Path, postgres: PostgresServer, milvus_lite: MilvusLite, storage: S3Server
) -> Iterator[dict[str, str]]:
    """The settings of an empty set-up on servers."""
    with postgres.database() as url:
        yield {
            **a_folder(tmp_path / "scaled-out"),
            **storage.settings(),
            "MQA_S3_PREFIX": tmp_path.name,
            "MQA_DATABASE_URL": url.get_secret_value(),
            "MQA_VECTOR_STORE": "milvus",
            "MQA_MILVUS_URI": milvus_lite.uri,
            "MQA_MILVUS_DATABASE": milvus_lite.config(tmp_path).database,
            "MQA_MILVUS_TIMEOUT_SECONDS": "60",
        }


@contextmanager
def one_side(settings: dict[str, str], folder: Path) -> Iterator[Any]:
    """A set-up of these settings, open."""
    path = folder / "one.env"
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    other = a_folder(folder / "nothing")
    with opened(settings_in(path), Settings(data_dir=Path(other["MQA_DATA_DIR"]))) as both:
        assert both.sides is not None, both.faults
        yield both.sides[0]


@contextmanager
def open_folder(data: Path) -> Iterator[Sessions]:
    """The catalogue of a data folder."""
    engine = open_database(data)
    try:
        yield Sessions(engine)
    finally:
        engine.dispose()


def test_the_moments_are_known() -> None:
    """None is forgotten: at `move.filled` a target is spoilt, at the others migrations end."""
    points = points_of([*(APP / "moving").rglob("*.py"), APP / "cli" / "migrate.py"])
    assert points == sorted({"move.filled", *(point for point, _ in (*KILLS, *FAULTS))})


def test_there_and_back_broken_off_at_every_step(
    source: dict[str, str], scaled_out: dict[str, str], move: Mover, tmp_path: Path
) -> None:
    for point, number in KILLS:
        move.killed(source, scaled_out, point, number)
        with pytest.raises(MoveUnfinished):
            build_services(settings_in(move.file(scaled_out)), "token")
    for point, number in FAULTS:
        move.broken_off(source, scaled_out, point, number)
    with pytest.raises(MoveUnfinished):
        build_services(settings_in(move.file(scaled_out)), "token")
    there = move(source, scaled_out, "--json")
    assert there.code == 0, there.out + there.err
    compared = {(one["part"], one["name"]): one for one in there.said["parts"]}
    assert {one["different"] for one in compared.values()} == {0}
    assert all(one["source"] == one["target"] for one in compared.values())
    assert compared["rows", "documents"]["source"] == DOCUMENTS + 3
    assert compared["originals", "sha256"]["source"] == DOCUMENTS + 2
    assert sum(one["source"] for (part, _), one in compared.items() if part == "vectors") > DOCUMENTS
    assert sum(one["source"] for (part, _), one in compared.items() if part == "files") == 2
    answers = there.said["answers"]
    assert answers["asked"] > DOCUMENTS
    assert answers["different"] == 0
    assert answers["same_first"] == answers["asked"]
    assert answers["largest_difference"] < 1e-4

    back = a_folder(tmp_path / "back")
    again = move(scaled_out, back, "--json")
    assert again.code == 0, again.out + again.err
    assert [(one["part"], one["source"]) for one in again.said["parts"]] == [
        (one["part"], one["source"]) for one in there.said["parts"]
    ]
    with one_side(back, tmp_path) as side:
        found = Consistency(side.stores, side.facts, None).check(deep=True).findings
        assert {one.kind for one in found} <= {"not_purged"}
    same = move(source, a_folder(tmp_path / "third"))
    assert same.code == 0, same.out + same.err
    assert "Both sides agree" in same.out


def test_a_target_that_is_not_empty_is_refused(
    source: dict[str, str], filled: Path, move: Mover, tmp_path: Path
) -> None:
    shutil.copytree(filled, tmp_path / "taken")
    with open_folder(tmp_path / "taken") as sessions, sessions.begin() as session:
        session.execute(update(DocumentRow).values(name="mine"))
    refused = move(source, a_folder(tmp_path / "taken"))
    assert (refused.code, refused.err.count("in the way:")) == (1, 1)
    assert "its catalogue is not empty" in refused.err
    with open_folder(tmp_path / "taken") as sessions, sessions() as session:
        assert set(session.scalars(DocumentRow.__table__.select().with_only_columns(DocumentRow.name))) == {"mine"}

    move.language = "zh"
    assert "其目录数据库不为空" in move(source, a_folder(tmp_path / "taken")).err
    assert "位置与当前部署完全相同" in move(source, source).err


def test_all_that_is_in_the_way_is_told_at_once(
    source: dict[str, str], move: Mover, postgres: PostgresServer, tmp_path: Path
) -> None:
    nothing = "http://127.0.0.1:9"
    target = a_folder(tmp_path / "target") | {
        "MQA_DATABASE_URL": "postgresql://nobody:secret-word@127.0.0.1:9/nothing",
        "MQA_VECTOR_STORE": "milvus",
        "MQA_MILVUS_URI": nothing,
        "MQA_MILVUS_TIMEOUT_SECONDS": "1",
    }
    folder = DataFolder(Path(source["MQA_DATA_DIR"]))
    folder.acquire()
    try:
        refused = move(source, target)
    finally:
        folder.release()
    assert refused.code == 1
    assert refused.err.count("in the way:") == 3, refused.err
    for word in ("in use by another manualqa", "MQA_DATABASE_URL", "MQA_MILVUS_URI"):
        assert word in refused.err
    assert "secret-word" not in refused.err + refused.out

    with postgres.database() as url:
        other = a_folder(tmp_path / "other") | {"MQA_DATABASE_URL": url.get_secret_value()}
        engine = open_database(tmp_path, url)
        try:
            Processes(Sessions(engine)).join(Process("process-dead", works=True, build="1"))
        finally:
            engine.dispose()
        with open_folder(Path(source["MQA_DATA_DIR"])) as sessions, sessions.begin() as session:
            session.execute(update(ChunkRow).values(table_header="h"))
            session.execute(update(DocumentRow).values(media_type="m" * 101))
        refused = move(source, other)  # the process that died is waited for, and is not in the way
        assert refused.err.count("in the way:") == 1, refused.err
        assert "documents.media_type" in refused.err


def test_a_dry_run_tells_and_moves_nothing(source: dict[str, str], move: Mover, tmp_path: Path) -> None:
    target = tmp_path / "target"
    told = move(source, a_folder(target), "--dry-run")
    assert told.code == 0, told.err
    assert "Nothing was moved" in told.out
    assert f"{target}" in told.out
    assert not any((target / "files").glob("??/*"))
    assert not (target / "adapters").exists()
    plan = move(source, a_folder(target), "--dry-run", "--json").said
    assert plan["originals"] == DOCUMENTS + 2
    with open_folder(target) as sessions, sessions() as session:
        assert session.execute(DocumentRow.__table__.select()).first() is None


def test_the_index_alone_can_be_moved(
    source: dict[str, str], move: Mover, milvus_lite: MilvusLite, tmp_path: Path
) -> None:
    target = source | {
        "MQA_VECTOR_STORE": "milvus",
        "MQA_MILVUS_URI": milvus_lite.uri,
        "MQA_MILVUS_DATABASE": milvus_lite.config(tmp_path).database,
        "MQA_MILVUS_TIMEOUT_SECONDS": "60",
    }
    done = move(source, target, "--json")
    assert done.code == 0, done.out + done.err
    assert {one["part"] for one in done.said["parts"]} == {"vectors", "keywords"}
    assert done.said["answers"]["different"] == 0


def test_what_differs_afterwards_is_told_and_mended_by_the_next_run(
    source: dict[str, str], move: Mover, tmp_path: Path
) -> None:
    data = Path(source["MQA_DATA_DIR"])
    deleted = hashlib.sha256(a_manual(2, "gone").encode()).hexdigest()
    lost = [path for path in sorted((data / "files").glob("??/*")) if path.name != deleted][:2]
    lost[0].write_bytes(b"damaged")
    lost[1].unlink()
    target = a_folder(tmp_path / "target")
    move.killed(source, target, "move.compared", 1)
    with open_folder(data) as sessions, sessions.begin() as session:  # the source went on, and then the target changed
        session.execute(update(ChunkRow).values(text=ChunkRow.text + " Mind the red lever."))
    with one_side(target, tmp_path) as side:
        generation = next(one for one in side.generations() if side.stores.vectors.ids(one.index_id))
        found, vectors = side.stores.vectors.vectors(
            generation.index_id, sorted(side.stores.vectors.ids(generation.index_id))[:3]
        )
        side.stores.vectors.upsert(generation.index_id, found[:2], -vectors[:2])
        side.stores.vectors.delete(generation.index_id, found[2:])
    (tmp_path / "target" / "adapters" / "ad-0123456789abcdef" / "adapter_config.json").write_bytes(b"changed")
    done = move(source, target)
    assert done.code == 0, done.out + done.err
    assert "2 original files were missing or damaged" in done.out
    with one_side(target, tmp_path) as side:
        generation = next(one for one in side.generations() if side.stores.vectors.ids(one.index_id))
        assert side.stores.keywords.search(generation.index_id, "lever", 5)


def test_a_difference_ends_with_exit_code_1(
    source: dict[str, str], move: Mover, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"

    def spoil(name: str) -> None:
        if name == "move.filled":
            next((target / "files").glob("??/*")).write_bytes(b"spoilt")

    monkeypatch.setattr(failpoints, "_watchers", [spoil])
    done = move(source, a_folder(target))
    assert done.code == 1
    assert "1 not the same" in done.out
    assert "do not agree" in done.out
    with pytest.raises(MoveUnfinished):
        build_services(Settings(data_dir=target), "token")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("MQA_PORT", "line 2: not a setting like MQA_PORT=8080"),
        ("PORT=1", "line 2: not a setting like MQA_PORT=8080"),
    ],
)
def test_a_file_of_settings_that_is_none(line: str, word: str, move: Mover) -> None:
    path = move.folder / "wrong.env"
    path.write_text(f"# a comment\n{line}\n")
    with pytest.raises(SettingsFileInvalid, match=word):
        settings_in(path)


def test_the_settings_of_a_file_are_those_of_the_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQA_PORT", "1234")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "mqa_llm_api_key").write_text("from a file\n")
    path = tmp_path / "some.env"
    path.write_text(f"\n# MQA_HOST=x\nexport MQA_TOP_K='5'\nMQA_OCR=false\nMQA_SECRETS_DIR=\"{secrets}\"\n")
    settings = settings_in(path)
    assert (settings.port, settings.host, settings.top_k, settings.ocr) == (8080, "127.0.0.1", 5, False)
    assert settings.llm_api_key is not None
    assert settings.llm_api_key.get_secret_value() == "from a file"
    path.write_text("MQA_NO_SUCH_THING=1\n")
    with pytest.raises(ValidationError):
        settings_in(path)
