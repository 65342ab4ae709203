"""The registry of adapters: taken whole or not at all, known from then on, exported as they are."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import NoReturn

import pytest
from gguf import GGUFWriter

from app.errors import (
    AdapterNameTaken,
    AdapterNotFound,
    AdapterRetired,
    AdaptersFull,
    DiskFull,
    InvalidName,
    ManualqaError,
)
from app.finetune import adapters as module
from app.finetune.adapters import Adapters, Room, Source
from app.finetune.checking import Base
from app.models.base_shape import BaseShape, shape_of
from app.settings import Settings
from app.types import PromptKind
from tests.fixtures.adapters import TINY, a_base_folder, an_adapter, zipped
from tests.unit.finetune_adapters.conftest import LIMITS, Registry

TRAINED = Source(
    base="tiny-model",
    prompt=PromptKind.SHORT,
    context_tokens=300,
    job_id="ft-0123456789abcdef",
    data_hash="ab" * 32,
    figures={"loss": 0.5},
)


class Killed(BaseException):
    """The process dies here."""


def killed(*_: object, **__: object) -> NoReturn:
    raise Killed


def nothing(adapter_id: str) -> None:
    """No server has it."""


def test_what_is_known_of_a_trained_adapter_is_kept(registry: Registry, tmp_path: Path) -> None:
    made = registry.adapters.register(an_adapter(tmp_path / "a"), " house  style ", TRAINED)
    found = registry.again().get(made.id)
    assert found == made
    assert (found.name, found.prompt, found.context_tokens) == ("house style", PromptKind.SHORT, 300)
    assert (found.job_id, found.data_hash) == (TRAINED.job_id, TRAINED.data_hash)
    assert found.figures == {"loss": 0.5, "alpha": 8.0, "targets": ["q_proj", "v_proj"]}
    config = json.loads((registry.adapters.folder(made.id) / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-model"
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    assert registry.adapters.all() == [found]


def test_the_path_of_the_base_model_stays_on_its_machine(registry: Registry, tmp_path: Path) -> None:
    registry.base = Base("/models/secret place/tiny-model.gguf", "1", TINY)
    made = registry.adapters.register(an_adapter(tmp_path / "a"), "a", Source())
    assert made.base == "tiny-model.gguf"
    assert "secret" not in (registry.adapters.folder(made.id) / "adapter_config.json").read_text()
    assert registry.adapters.verify(made)


def test_a_training_is_registered_once(registry: Registry, tmp_path: Path) -> None:
    folder = an_adapter(tmp_path / "a")
    made = registry.adapters.register(folder, "first", TRAINED)
    shutil.rmtree(folder)
    assert registry.adapters.register(folder, "second", TRAINED) == made


def test_an_adapter_that_says_nothing_is_asked_with_the_full_prompt(registry: Registry, tmp_path: Path) -> None:
    made = registry.adapters.register(an_adapter(tmp_path / "a"), "a", Source())
    assert (made.prompt, made.context_tokens) == (PromptKind.FULL, None)


def test_exported_and_imported_again_it_is_the_same(registry: Registry, tmp_path: Path) -> None:
    made = registry.adapters.register(an_adapter(tmp_path / "a"), "a", TRAINED)
    archive = tmp_path / "out.zip"
    archive.write_bytes(b"".join(registry.adapters.export(made.id)))
    with zipfile.ZipFile(archive) as opened:
        assert sorted(opened.namelist()) == ["adapter_config.json", "adapter_model.safetensors"]
        assert opened.testzip() is None
    again = registry.adapters.import_archive(archive, "b", Source())
    assert (again.sha256, again.bytes, again.prompt, again.context_tokens, again.base_revision) == (
        made.sha256,
        made.bytes,
        made.prompt,
        made.context_tokens,
        made.base_revision,
    )
    assert again.id != made.id


@pytest.mark.parametrize("moment", ["copy_file", "check_adapter", "sync_folder", "write_file"])
def test_killed_while_it_comes_nothing_is_listed(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    folder = an_adapter(tmp_path / "a")
    with monkeypatch.context() as patched:
        patched.setattr(module, moment, killed)
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)  # a killed process cleans nothing up
        with pytest.raises(Killed):
            registry.adapters.register(folder, "a", TRAINED)
    assert registry.left() != []
    restarted = registry.again()
    assert restarted.all() == []
    assert restarted.sweep() == 1
    assert registry.left() == []
    assert restarted.register(folder, "a", TRAINED).name == "a"


def test_killed_between_its_files_and_its_row_nothing_is_listed(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = an_adapter(tmp_path / "a")
    with monkeypatch.context() as patched:
        patched.setattr(registry.rows, "add", killed)
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            registry.adapters.register(folder, "a", TRAINED)
    [left] = registry.left()
    assert left.startswith("ad-")
    kept = registry.adapters.register(folder, "a", TRAINED)
    assert registry.again().sweep() == 1
    assert registry.left() == [kept.id]


def test_names_are_taken_once(registry: Registry, tmp_path: Path) -> None:
    folder = an_adapter(tmp_path / "a")
    registry.adapters.register(folder, "a", Source())
    with pytest.raises(AdapterNameTaken, match="named a"):
        registry.adapters.register(folder, " a", Source())
    for name in ("", " ", "x" * 101, "a\x00b", "\u202eevil"):
        with pytest.raises(InvalidName):
            registry.adapters.register(folder, name, Source())


def test_there_is_room_for_so_many(registry: Registry, tmp_path: Path) -> None:
    folder = an_adapter(tmp_path / "a")
    for number in range(4):
        last = registry.adapters.register(folder, f"adapter {number}", Source())
    with pytest.raises(AdaptersFull, match="MQA_MAX_STORED_ADAPTERS"):
        registry.adapters.register(folder, "one more", Source())
    registry.adapters.retire(last.id, nothing)
    registry.adapters.register(folder, "one more", Source())


def test_a_full_disk_takes_none(registry: Registry, tmp_path: Path) -> None:
    room = Room(stored=4, limits=LIMITS, min_free_bytes=10**18)
    full = Adapters(registry.rows, registry.folder / "adapters", lambda: registry.base, room)
    with pytest.raises(DiskFull):
        full.register(an_adapter(tmp_path / "a"), "a", Source())
    with pytest.raises(DiskFull):
        full.upload_path()


def test_a_retired_one_is_known_and_has_no_files(registry: Registry, tmp_path: Path) -> None:
    made = registry.adapters.register(an_adapter(tmp_path / "a"), "a", TRAINED)
    unloaded: list[str] = []
    retired = registry.adapters.retire(made.id, unloaded.append)
    assert (retired.state, retired.hosted, unloaded) == ("retired", False, [made.id])
    assert registry.left() == []
    assert registry.adapters.all() == [retired]
    for call in (registry.adapters.folder, registry.adapters.export):
        with pytest.raises(AdapterRetired):
            call(made.id)
    with pytest.raises(AdapterRetired):
        registry.adapters.verify(retired)
    with pytest.raises(AdapterRetired):
        registry.rows.set_hosted(made.id, hosted=True)


def test_an_adapter_that_cannot_be_unloaded_loses_its_files_at_the_next_start(
    registry: Registry, tmp_path: Path
) -> None:
    made = registry.adapters.register(an_adapter(tmp_path / "a"), "a", TRAINED)

    def failing(adapter_id: str) -> None:
        raise ManualqaError(adapter_id)

    with pytest.raises(ManualqaError):
        registry.adapters.retire(made.id, failing)
    assert registry.again().get(made.id).retired
    assert registry.again().sweep() == 1


@pytest.mark.parametrize("adapter_id", ["ad-none", "../adapters", "", "ad-0123456789abcdef"])
def test_an_id_is_never_a_path(registry: Registry, tmp_path: Path, adapter_id: str) -> None:
    registry.adapters.register(an_adapter(tmp_path / "a"), "a", TRAINED)
    for call in (registry.adapters.get, registry.adapters.folder, registry.adapters.export):
        with pytest.raises(AdapterNotFound):
            call(adapter_id)


def test_uploads_that_were_cut_off_are_swept(registry: Registry, tmp_path: Path) -> None:
    kept = registry.adapters.register(an_adapter(tmp_path / "a"), "a", TRAINED)
    registry.adapters.upload_path().write_bytes(b"half")
    assert registry.again().sweep() == 1
    assert registry.left() == [kept.id]
    zipped(tmp_path / "a", registry.adapters.upload_path())


# --- the base model -----------------------------------------------------------------------------------------------


def test_the_shape_of_a_folder(tmp_path: Path) -> None:
    folder = a_base_folder(tmp_path / "base")
    assert shape_of(folder) == TINY
    (folder / "config.json").write_text("{}")
    with pytest.raises(ManualqaError):
        shape_of(folder)


def test_the_shape_of_a_gguf_file(tmp_path: Path) -> None:
    writer = GGUFWriter(str(tmp_path / "m.gguf"), "qwen2")
    writer.add_name("tiny")
    writer.add_block_count(2)
    writer.add_embedding_length(16)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_feed_forward_length(32)
    writer.add_token_list([f"t{number}" for number in range(64)])
    writer.add_token_scores([0.5] * 64)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert shape_of(tmp_path / "m.gguf") == TINY


@pytest.mark.parametrize("content", [b"", b"GGUF", b"nope" + bytes(100), b"GGUF\x03\x00\x00\x00" + b"\xff" * 16])
def test_a_file_that_tells_no_shape(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    with pytest.raises(ManualqaError):
        shape_of(tmp_path / "m.gguf")


@pytest.mark.weights
@pytest.mark.parametrize(("size", "layers"), [("0.5b", 24), ("1.5b", 28)])
def test_the_shape_of_real_weights(size: str, layers: int) -> None:
    folder = Settings().models_dir.expanduser() / f"qwen2.5-coder-{size}-instruct"
    shape: BaseShape = shape_of(folder / "model.gguf")
    assert (shape.architecture, shape.layers, shape.vocabulary) == ("qwen2", layers, 151936)
