"""Which back end a setting means, and what is said where it cannot be had."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from app.errors import ExtraMissing, IndexUnavailable, MilvusAddressMissing
from app.settings import Settings
from app.wiring.stores import VECTOR_STORES

SECRET = "root:of-no-use-to-anybody"


def settings(tmp_path: Path, **changes: object) -> Settings:
    return Settings(data_dir=tmp_path, vector_store="milvus", **changes)


def test_every_choice_of_the_setting_is_in_the_table() -> None:
    assert set(get_args(Settings.model_fields["vector_store"].annotation)) == set(VECTOR_STORES)


def test_both_sides_are_of_one_store(tmp_path: Path) -> None:
    embedded = VECTOR_STORES["chroma"](Settings(data_dir=tmp_path))
    assert (type(embedded.vectors).__name__, type(embedded.keywords).__name__) == (
        "ChromaVectorStore",
        "TantivyKeywordIndex",
    )
    embedded.vectors.close()
    remote = VECTOR_STORES["milvus"](settings(tmp_path, milvus_uri="http://127.0.0.1:1"))
    assert (type(remote.vectors).__name__, type(remote.keywords).__name__) == (
        "MilvusVectorStore",
        "MilvusKeywordIndex",
    )


def test_without_an_address_or_the_extra_the_setup_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MilvusAddressMissing, match="MQA_MILVUS_URI"):
        VECTOR_STORES["milvus"](settings(tmp_path))
    find = importlib.util.find_spec

    def without_pymilvus(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "pymilvus" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_pymilvus)
    with pytest.raises(ExtraMissing, match=r"manualqa\[scale\]"):
        VECTOR_STORES["milvus"](settings(tmp_path, milvus_uri="http://127.0.0.1:1"))


@pytest.mark.parametrize("uri", ["milvus.db", "./milvus.db", "unix:/run/milvus", "http://", ""])
def test_only_the_address_of_a_server_is_taken(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ValidationError, match="milvus_uri"):
        settings(tmp_path, milvus_uri=uri)


def test_a_server_that_is_not_there_is_told_at_the_first_call_without_the_token(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    indexes = VECTOR_STORES["milvus"](
        settings(tmp_path, milvus_uri="http://127.0.0.1:1", milvus_token=SECRET, milvus_timeout_seconds=0.5)
    )
    with pytest.raises(IndexUnavailable, match="nothing answers at MQA_MILVUS_URI") as caught:
        indexes.keywords.search("kb-one-g1", "printer", 5)
    told = capfd.readouterr()
    for text in (told.out, told.err, repr(caught.value), str(caught.value.detail), repr(vars(indexes.vectors))):
        assert "of-no-use" not in text


def test_pymilvus_is_imported_by_those_who_use_it() -> None:
    loaded = "import app.wiring.services, app.wiring.stores, sys; sys.exit('pymilvus' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], timeout=120).returncode == 0
