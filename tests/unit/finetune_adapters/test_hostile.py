"""No model server hears of an adapter that is not what it must be."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.errors import AdapterChanged, AdapterInvalid, ManualqaError
from app.finetune.adapters import Source
from app.finetune.hosting import Hosting
from app.phrases import chinese
from tests.fixtures.adapters import NotedHost, Tensors, a_config, an_adapter, safetensors, some_tensors, tarred, zipped
from tests.unit.finetune_adapters.conftest import Registry

HEAD = "adapter_model.safetensors has a head"


def taken_and_hosted(registry: Registry, path: Path, source: Source | None = None) -> list[str]:
    """What a model server was told after everything was tried to have the adapter hosted."""
    server = NotedHost()
    hosting = Hosting(registry.rows, registry.adapters.verify, server, most=4, check_seconds=60)
    take = registry.adapters.register if path.is_dir() or path.is_symlink() else registry.adapters.import_archive
    try:
        adapter = take(path, "hostile", source or Source())
        hosting.host(adapter.id)
    except ManualqaError:
        assert server.told == []
        assert registry.adapters.all() == []
        assert registry.left() == []
        raise
    return server.told[0]


def refused(registry: Registry, path: Path, reason: str, source: Source | None = None) -> None:
    """It is refused for that reason, which has its Chinese, and leaves nothing."""
    with pytest.raises(AdapterInvalid) as caught:
        taken_and_hosted(registry, path, source)
    said = str(caught.value.params["reason"])
    assert reason in said
    assert chinese(said) is not None


def test_a_good_adapter_is_taken_and_hosted(registry: Registry, tmp_path: Path) -> None:
    [hosted] = taken_and_hosted(registry, an_adapter(tmp_path / "good"))
    adapter = registry.adapters.get(hosted)
    assert (adapter.rank, adapter.base, adapter.base_revision, adapter.state) == (
        4,
        "tiny-model",
        "0123abcd",
        "checked",
    )
    assert sorted(path.name for path in registry.adapters.folder(hosted).iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_every_type_of_numbers_is_taken(registry: Registry, tmp_path: Path, kind: str) -> None:
    tensors = some_tensors(kind="F32" if kind == "F32" else "F16")
    renamed = {name: (kind, shape, content) for name, (_, shape, content) in tensors.items()}
    if kind == "BF16":  # halves with a small exponent in either format
        renamed = {
            name: (kind, shape, b"\x00\x3c" * (len(content) // 2)) for name, (_, shape, content) in tensors.items()
        }
    assert taken_and_hosted(registry, an_adapter(tmp_path / "good", tensors=renamed))


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.mkdir, ("unpickled",)  # type: ignore[return-value]


def test_pickled_weights_are_never_read(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = an_adapter(tmp_path / "pickled")
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(Bomb()))
    refused(registry, folder, "pickled code")
    refused(registry, zipped(folder, tmp_path / "pickled.zip"), "pickled code")
    (folder / "adapter_model.bin").rename(folder / "adapter_model.safetensors")
    refused(registry, folder, HEAD)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("name", ["example/Other-Model", "", None, "tiny-model-instruct"])
def test_another_base_is_refused_by_name(registry: Registry, tmp_path: Path, name: str | None) -> None:
    refused(registry, an_adapter(tmp_path / "other", base_model_name_or_path=name), "base model")


@pytest.mark.parametrize(
    "name",
    [
        "Tiny-Model",
        "/elsewhere/tiny-model",
        "someone/tiny-model-GGUF",
        "tiny-model-q4_k_m.gguf",
        "tiny-model-GPTQ-Int4",
    ],
)
def test_the_same_base_is_known_however_it_is_packed(registry: Registry, tmp_path: Path, name: str) -> None:
    assert taken_and_hosted(registry, an_adapter(tmp_path / "same", base_model_name_or_path=name))


def test_a_base_that_is_not_named_may_be_told(registry: Registry, tmp_path: Path) -> None:
    folder = an_adapter(tmp_path / "silent", base_model_name_or_path=None)
    assert taken_and_hosted(registry, folder, Source(base="tiny-model"))


def test_another_base_of_the_same_name_is_refused_by_its_tensors(registry: Registry, tmp_path: Path) -> None:
    refused(registry, an_adapter(tmp_path / "deep", tensors=some_tensors(layers=3)), "do not belong to its base")
    refused(registry, an_adapter(tmp_path / "flat", tensors=some_tensors(layers=1)), "are missing that its base")
    refused(registry, an_adapter(tmp_path / "wide", tensors=some_tensors(hidden=32)), "other sizes than its base")


def test_a_huge_rank_is_refused(registry: Registry, tmp_path: Path) -> None:
    refused(registry, an_adapter(tmp_path / "huge", r=4096), "its rank is 4096; at most 64")
    refused(registry, an_adapter(tmp_path / "lying", tensors=some_tensors(rank=8)), "other sizes than its base")


CONFIGS: list[tuple[dict[str, object], str]] = [
    ({"r": 0}, "no positive whole number"),
    ({"r": True}, "no positive whole number"),
    ({"r": "4"}, "no positive whole number"),
    ({"lora_alpha": "8"}, "lora_alpha of adapter_config.json is no number"),
    ({"lora_alpha": 10**9}, "lora_alpha of adapter_config.json is out of range"),
    ({"lora_dropout": -1}, "lora_dropout of adapter_config.json is out of range"),
    ({"auto_mapping": {"base_model_class": "x", "parent_library": "evil"}}, "sets auto_mapping"),
    ({"custom_code": "evil.py"}, "sets custom_code"),
    ({"trust_remote_code": True}, "sets trust_remote_code"),
    ({"megatron_core": "evil.module"}, "megatron_core of adapter_config.json has a value"),
    ({"megatron_config": {"a": 1}}, "sets megatron_config"),
    ({"modules_to_save": ["lm_head"]}, "sets modules_to_save"),
    ({"trainable_token_indices": [1]}, "sets trainable_token_indices"),
    ({"use_dora": True}, "sets use_dora"),
    ({"use_rslora": True}, "sets use_rslora"),
    ({"rank_pattern": {"q_proj": 512}}, "sets rank_pattern"),
    ({"layers_to_transform": [0]}, "sets layers_to_transform"),
    ({"bias": "all"}, "bias of adapter_config.json has a value"),
    ({"init_lora_weights": "pissa"}, "init_lora_weights of adapter_config.json has a value"),
    ({"peft_type": "IA3"}, "peft_type of adapter_config.json has a value"),
    ({"task_type": "SEQ_CLS"}, "task_type of adapter_config.json has a value"),
    ({"target_modules": ["embed_tokens"]}, "it adapts embed_tokens"),
    ({"target_modules": ["../../x"]}, "it adapts ../../x"),
    ({"target_modules": ".*"}, "target_modules of adapter_config.json is no list"),
    ({"target_modules": []}, "target_modules of adapter_config.json is no list"),
    ({"target_modules": ["q_proj", "q_proj", "v_proj"]}, "target_modules of adapter_config.json is no list"),
    ({"base_model_name_or_path": ["tiny-model"]}, "base_model_name_or_path of adapter_config.json has a value"),
    ({"manualqa": {"prompt": "short", "hook": "evil"}}, "has a value for manualqa that is not ours"),
    ({"manualqa": {"context_tokens": -5}}, "has a value for manualqa that is not ours"),
    ({"manualqa": {"prompt": ["short"]}}, "has a value for manualqa that is not ours"),
]


@pytest.mark.parametrize(("changes", "reason"), CONFIGS)
def test_a_config_that_wants_more_is_refused(
    registry: Registry, tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    refused(registry, an_adapter(tmp_path / "odd", **changes), reason)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        json.dumps(a_config()).replace('"r": 4', '"r": NaN').encode(),
        json.dumps(a_config()).replace('"lora_alpha": 8', '"lora_alpha": Infinity').encode(),
        json.dumps(a_config()).replace('"r": 4', '"r": 4, "r": 8').encode(),
        b"[" * 30_000,
    ],
)
def test_a_config_that_is_no_strict_json_is_refused(registry: Registry, tmp_path: Path, content: bytes) -> None:
    folder = an_adapter(tmp_path / "odd")
    (folder / "adapter_config.json").write_bytes(content)
    refused(registry, folder, "adapter_config.json is not")


def test_a_long_config_is_refused(registry: Registry, tmp_path: Path) -> None:
    refused(registry, an_adapter(tmp_path / "long", peft_version="x" * 70_000), "larger than 64 kB")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["F32", "F16"])
def test_weights_that_are_no_numbers_are_refused(registry: Registry, tmp_path: Path, bad: float, kind: str) -> None:
    tensors = some_tensors(kind=kind)
    name = next(iter(tensors))
    _, shape, content = tensors[name]
    numbers = np.frombuffer(content, "<f4" if kind == "F32" else "<f2").copy()
    numbers[-1] = bad
    tensors[name] = (kind, shape, numbers.tobytes())
    refused(registry, an_adapter(tmp_path / "nan", tensors=tensors), "not a finite number")


def test_bfloat_infinity_is_refused(registry: Registry, tmp_path: Path) -> None:
    tensors: Tensors = {
        n: ("BF16", shape, b"\x80\x7f" * (len(c) // 2)) for n, (_, shape, c) in some_tensors(kind="F16").items()
    }
    refused(registry, an_adapter(tmp_path / "inf", tensors=tensors), "not a finite number")


def test_weights_of_another_type_are_refused(registry: Registry, tmp_path: Path) -> None:
    tensors: Tensors = {name: ("I32", shape, content) for name, (_, shape, content) in some_tensors().items()}
    refused(registry, an_adapter(tmp_path / "ints", tensors=tensors), "another type than F32, F16 or BF16")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("base_model.model.lm_head.weight", (4, 4)),
        ("base_model.model.model.layers.99.self_attn.q_proj.lora_A.weight", (4, 16)),
        ("../../outside", (4, 4)),
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", (16,)),
    ],
)
def test_a_tensor_too_many_is_refused(registry: Registry, tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    tensors = some_tensors()
    tensors[name] = ("F32", shape, bytes(4 * int(np.prod(shape))))
    refused(registry, an_adapter(tmp_path / "more", tensors=tensors), "1 tensors of it do not belong")


def cut(content: bytes) -> bytes:
    return content[:-10]


def lengthened(content: bytes) -> bytes:
    return content + b"more"


def huge_head(content: bytes) -> bytes:
    return struct.pack("<Q", 2**62) + content[8:]


def large_head(content: bytes) -> bytes:
    return struct.pack("<Q", 3_000_000) + b" " * 3_000_000 + content


def head(**entry: object) -> Callable[[bytes], bytes]:
    fields = {"dtype": "F32", "shape": [4, 16], "data_offsets": [0, 256], **entry}
    return lambda _: safetensors(some_tensors(), {"x": fields})


WEIGHTS: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("empty", lambda _: b"", HEAD),
    ("head only", lambda content: content[:4], HEAD),
    ("cut", cut, "is cut off, or has more"),
    ("lengthened", lengthened, "is cut off, or has more"),
    ("huge head", huge_head, f"{HEAD} of an impossible length"),
    ("large head", large_head, "is larger than"),
    ("no JSON", lambda content: content[:8] + b"x" + content[9:], f"{HEAD} that is no JSON"),
    ("a list", lambda _: struct.pack("<Q", 2) + b"[]", f"{HEAD} that makes no sense"),
    ("negative", head(data_offsets=[-4, 252]), "overlap, or lie apart"),
    ("overlapping", head(data_offsets=[0, 10**12]), "overlap, or lie apart"),
    ("no shape", head(shape=None), f"{HEAD} that makes no sense"),
    ("negative shape", head(shape=[-4, -16]), f"{HEAD} that makes no sense"),
    ("strange key", head(code="evil"), f"{HEAD} that makes no sense"),
    ("many dimensions", head(shape=[1] * 500), f"{HEAD} that makes no sense"),
]


@pytest.mark.parametrize(("change", "reason"), [case[1:] for case in WEIGHTS], ids=[case[0] for case in WEIGHTS])
def test_a_broken_file_is_refused(
    registry: Registry, tmp_path: Path, change: Callable[[bytes], bytes], reason: str
) -> None:
    refused(registry, an_adapter(tmp_path / "broken", weights=change(safetensors(some_tensors()))), reason)


def test_links_are_not_followed(registry: Registry, tmp_path: Path) -> None:
    good = an_adapter(tmp_path / "good")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        folder = an_adapter(tmp_path / f"with {name}")
        (folder / name).unlink()
        (folder / name).symlink_to(good / name)
        refused(registry, folder, f"{name} is a link")
    (tmp_path / "linked").symlink_to(good, target_is_directory=True)
    refused(registry, tmp_path / "linked", "is a link")


def test_what_is_no_file_is_not_waited_for(registry: Registry, tmp_path: Path) -> None:
    folder = an_adapter(tmp_path / "pipe")
    (folder / "adapter_model.safetensors").unlink()
    os.mkfifo(folder / "adapter_model.safetensors")
    refused(registry, folder, "is not an ordinary file")


def test_a_large_file_is_not_copied(registry: Registry, tmp_path: Path) -> None:
    folder = an_adapter(tmp_path / "large")
    os.truncate(folder / "adapter_model.safetensors", 10**10)
    refused(registry, folder, "adapter_model.safetensors is larger than 200 kB")


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_swapped_after_registration(registry: Registry, tmp_path: Path, name: str) -> None:
    adapter = registry.adapters.register(an_adapter(tmp_path / "good"), "good", Source())
    file = registry.adapters.folder(adapter.id) / name
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(bytes(content))
    server = NotedHost()
    hosting = Hosting(registry.rows, registry.adapters.verify, server, most=4, check_seconds=60)
    with pytest.raises(AdapterChanged, match="their hash is another"):
        hosting.host(adapter.id)
    with pytest.raises(AdapterChanged):
        list(registry.adapters.export(adapter.id))
    file.unlink()
    with pytest.raises(AdapterChanged, match="is missing"):
        hosting.host(adapter.id)
    file.symlink_to(tmp_path / "good" / name)
    with pytest.raises(AdapterChanged, match="is a link"):
        hosting.host(adapter.id)
    assert server.told == []
    assert not registry.adapters.get(adapter.id).hosted


def test_an_adapter_of_a_model_that_is_not_served_any_more_is_not_hosted(registry: Registry, tmp_path: Path) -> None:
    adapter = registry.adapters.register(an_adapter(tmp_path / "good"), "good", Source())
    registry.base = type(registry.base)("another-model", "0", registry.base.shape)
    with pytest.raises(AdapterInvalid, match="another base model than the served another-model"):
        registry.adapters.verify(adapter)


# --- archives -----------------------------------------------------------------------------------------------------


def test_an_archive_is_taken(registry: Registry, tmp_path: Path) -> None:
    folder = an_adapter(tmp_path / "good")
    entries = {path.name: path.read_bytes() for path in folder.iterdir()}
    archives = [
        zipped(folder, tmp_path / "a.zip"),
        tarred(entries, tmp_path / "a.tar"),
        tarred(entries, tmp_path / "a.tar.gz", mode="w:gz"),
    ]
    for number, archive in enumerate(archives):
        adapter = registry.adapters.import_archive(archive, f"from archive {number}", Source())
        assert registry.adapters.verify(adapter)


@pytest.mark.parametrize("prefix", ["../", "/", "adapter/", "..\\", "a/../../"])
def test_a_name_with_a_path_in_it_is_refused(registry: Registry, tmp_path: Path, prefix: str) -> None:
    folder = an_adapter(tmp_path / "good")
    refused(registry, zipped(folder, tmp_path / "a.zip", prefix), "a name with a folder in it")
    entries = {prefix + path.name: path.read_bytes() for path in folder.iterdir()}
    refused(registry, tarred(entries, tmp_path / "a.tar"), "a name with a folder in it")


def test_a_bomb_is_not_unpacked(registry: Registry, tmp_path: Path) -> None:
    config = json.dumps(a_config()).encode()
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("adapter_config.json", config)
        made.writestr("adapter_model.safetensors", bytes(50_000_000))
    assert archive.stat().st_size < 100_000
    refused(registry, archive, "adapter_model.safetensors is larger than 200 kB")
    packed = tarred(
        {"adapter_config.json": config, "adapter_model.safetensors": bytes(50_000_000)}, tmp_path / "b", mode="w:gz"
    )
    refused(registry, packed, "adapter_model.safetensors is larger than 200 kB")
    ballast = tarred({"README.md": bytes(50_000_000), "adapter_config.json": config}, tmp_path / "c", mode="w:gz")
    refused(registry, ballast, "not a ZIP or tar file that can be unpacked")


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(registry: Registry, tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("adapter_config.json", json.dumps(a_config()).encode())
        made.writestr("adapter_model.safetensors", bytes(5_000_000))
    content = archive.read_bytes().replace(struct.pack("<L", 5_000_000), struct.pack("<L", 1000))
    archive.write_bytes(content)
    refused(registry, archive, "not a ZIP or tar file that can be unpacked")


def test_links_and_second_files_of_an_archive_are_refused(registry: Registry, tmp_path: Path) -> None:
    config = json.dumps(a_config()).encode()
    links = {"adapter_model.safetensors": "/etc/hostname"}
    linked = tarred({"adapter_config.json": config}, tmp_path / "links.tar", links=links)
    refused(registry, linked, "not an ordinary file")
    archive = tmp_path / "links.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("adapter_config.json", config)
        entry = zipfile.ZipInfo("adapter_model.safetensors")
        entry.external_attr = 0o120777 << 16
        made.writestr(entry, "/etc/hostname")
    refused(registry, archive, "a link, or protected by a password")
    twice = tmp_path / "twice.zip"
    with zipfile.ZipFile(twice, "w") as made:
        made.writestr("adapter_config.json", config)
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("adapter_config.json", config)
    refused(registry, twice, "two files of one name")


def test_an_archive_of_many_entries_is_refused_before_they_are_listed(registry: Registry, tmp_path: Path) -> None:
    archive = tmp_path / "many.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for number in range(70_000):
            made.writestr(f"{number}", b"")
    refused(registry, archive, "more than 64 entries")
    refused(registry, tarred({str(number): b"" for number in range(70)}, tmp_path / "many.tar"), "more than 64 entries")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x05\x06", b"PK\x03\x04" + bytes(100), b"\x1f\x8b" + bytes(100), bytes(5000)]
)
def test_what_is_no_archive_is_refused(registry: Registry, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "junk").write_bytes(content)
    with pytest.raises(AdapterInvalid):
        taken_and_hosted(registry, tmp_path / "junk")
