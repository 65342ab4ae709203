"""What a name stands for, what is there, and what a full check finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.errors import UnknownModel, WeightsCorrupt, WeightsMissing
from app.models.known import KNOWN, KnownModel, ModelFile
from app.models.store import ModelStore, Problem, WeightsState
from app.settings import Settings
from tests.unit.models.factories import FOLDER_FILES, SLICES, a_folder_model, a_sliced_model, a_store, sha256


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def a_model_of(name: str, files: dict[str, bytes]) -> KnownModel:
    """A known model without a source."""
    pins = tuple(ModelFile(path, len(data), sha256(data)) for path, data in files.items())
    return KnownModel(name, "embedder", "MIT", pins, ())


def test_a_model_that_is_not_there_says_how_to_get_it(models: Path) -> None:
    store = a_store(models, a_model_of("tiny", FOLDER_FILES))
    with pytest.raises(WeightsMissing) as caught:
        store.resolve("tiny")
    assert "manualqa models pull tiny" in caught.value.message("en")
    assert str(models) in caught.value.message("zh")


def test_a_folder_copied_by_hand_is_checked_once_and_sealed(models: Path) -> None:
    store = a_store(models, a_model_of("tiny", FOLDER_FILES))
    put(models / "tiny", FOLDER_FILES)
    assert store.list()[0].state is WeightsState.PARTIAL
    assert store.resolve("tiny").path == models / "tiny"
    assert store.list()[0].state is WeightsState.PRESENT


def test_a_folder_copied_with_a_wrong_byte_is_refused(models: Path) -> None:
    store = a_store(models, a_model_of("tiny", FOLDER_FILES))
    flip_a_byte(put(models / "tiny", FOLDER_FILES) / "model.safetensors")
    with pytest.raises(WeightsCorrupt, match=r"model\.safetensors of tiny"):
        store.resolve("tiny")


def test_a_half_copied_folder_is_missing(models: Path) -> None:
    store = a_store(models, a_model_of("tiny", FOLDER_FILES))
    put(models / "tiny", {"config.json": FOLDER_FILES["config.json"]})
    with pytest.raises(WeightsMissing, match="1 of 3 files"):
        store.resolve("tiny")
    assert store.list()[0].state is WeightsState.PARTIAL


def test_the_list_tells_states_and_sizes(index: Path, models: Path) -> None:
    store = a_store(models, a_sliced_model(index), a_folder_model(index))
    size = sum(map(len, SLICES))
    row, other = store.list()
    assert (row.name, row.kind, row.state, row.size, row.bytes_here) == ("tiny-llm", "llm", "missing", size, 0)
    assert other.state is WeightsState.MISSING
    store.pull("tiny-llm")
    row, other = store.list()
    assert (row.state, row.bytes_here, row.licence) == (WeightsState.PRESENT, size, "MIT")
    assert row.path == models / "tiny-llm" / "model.gguf"
    assert other.state is WeightsState.MISSING


def test_verify_finds_a_flipped_byte_and_the_next_pull_repairs_it(index: Path, models: Path) -> None:
    store = a_store(models, a_folder_model(index))
    found = store.pull("tiny-embedder")
    assert store.verify("tiny-embedder").problems == ()
    flip_a_byte(found.path / "model.safetensors")
    assert store.resolve("tiny-embedder") == found  # the cheap check looks at sizes

    report = store.verify("tiny-embedder")
    assert (report.checked, report.problems) == (3, (Problem("model.safetensors", "sha256"),))
    with pytest.raises(WeightsCorrupt):
        store.resolve("tiny-embedder")
    assert store.pull("tiny-embedder") == found
    assert store.verify("tiny-embedder").problems == ()


def test_verify_tells_missing_from_too_short(models: Path) -> None:
    store = a_store(models, a_model_of("tiny", FOLDER_FILES))
    put(models / "tiny", {"config.json": b"{}", "model.safetensors": FOLDER_FILES["model.safetensors"]})
    problems = {problem.file: problem.reason for problem in store.verify("tiny").problems}
    assert problems == {"config.json": "size", "1_Pooling/config.json": "missing"}


def test_verify_of_nothing_is_weights_missing(models: Path) -> None:
    with pytest.raises(WeightsMissing):
        a_store(models, a_model_of("tiny", FOLDER_FILES)).verify("tiny")


@pytest.mark.parametrize(
    "name",
    ["", "no-such-model", "../x", "a/b/c", "owner/..", "owner/na--me", "x\0y", "owner/name/", "/etc", "o/n:../x"],
)
def test_other_names_are_unknown_and_the_error_lists_the_known(models: Path, name: str) -> None:
    store = a_store(models, a_model_of("tiny", FOLDER_FILES))
    for ask in (store.resolve, store.pull, store.verify):
        with pytest.raises(UnknownModel) as caught:
            ask(name)
        assert "tiny" in caught.value.message("en")
    assert not models.exists()


def test_a_users_own_gguf_is_a_language_model(models: Path, tmp_path: Path) -> None:
    path = put(tmp_path / "own", {"My Model.GGUF": b"GGUF"}) / "My Model.GGUF"
    store = a_store(models)
    found = store.resolve(str(path))
    assert (found.kind, found.path) == ("llm", path)
    assert store.pull(str(path)) == found
    assert store.verify(str(path)).checked == 0


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"config.json": b'{"architectures": ["Qwen2ForCausalLM"]}'}, "llm"),
        ({"config.json": b'{"architectures": ["BertModel"]}'}, "embedder"),
        ({"config.json": b'{"architectures": ["Qwen2ForCausalLM"]}', "modules.json": b"[]"}, "embedder"),
        ({"config.json": b"not json"}, "embedder"),
        ({"config.json": b"[1]"}, "embedder"),
    ],
)
def test_a_users_own_folder_has_the_kind_of_its_architecture(
    models: Path, tmp_path: Path, files: dict[str, bytes], kind: str
) -> None:
    folder = put(tmp_path / "own", files)
    found = a_store(models).resolve(str(folder))
    assert (found.kind, found.path) == (kind, folder)


def test_the_revision_of_an_own_folder_follows_its_content_and_not_its_dates(models: Path, tmp_path: Path) -> None:
    store = a_store(models)
    big = os.urandom(3_000_000)
    first = store.resolve(str(put(tmp_path / "one", {"config.json": b"{}", "model.safetensors": big})))
    copy = store.resolve(str(put(tmp_path / "two", {"config.json": b"{}", "model.safetensors": big})))
    tuned = bytes(byte ^ 1 for byte in big)
    other = store.resolve(str(put(tmp_path / "three", {"config.json": b"{}", "model.safetensors": tuned})))
    longer = store.resolve(str(put(tmp_path / "four", {"config.json": b"{}", "model.safetensors": big + b"x"})))
    assert first.revision == copy.revision
    assert len({first.revision, other.revision, longer.revision}) == 3


def test_the_revision_of_a_known_model_follows_its_pins(models: Path) -> None:
    files = dict(FOLDER_FILES)
    put(models / "tiny", files)
    first = a_store(models, a_model_of("tiny", files)).resolve("tiny").revision
    files["model.safetensors"] = b"changed"
    put(models / "tiny", files)
    assert a_store(models, a_model_of("tiny", files)).resolve("tiny").revision != first


def test_a_manifest_that_cannot_be_read_is_made_anew(models: Path) -> None:
    store = a_store(models, a_model_of("tiny", FOLDER_FILES))
    put(models / "tiny", {**FOLDER_FILES, "manifest.json": b"{half"})
    assert store.resolve("tiny").name == "tiny"
    assert store.list()[0].state is WeightsState.PRESENT


def test_the_settings_choose_the_folder(tmp_path: Path) -> None:
    store = ModelStore.from_settings(Settings(models_dir=tmp_path / "elsewhere"))
    assert store.folder == tmp_path / "elsewhere"
    assert [row.name for row in store.list()] == list(KNOWN)
