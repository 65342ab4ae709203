"""What reaches Milvus is made of ids of ours, and a server that says nothing is given up in time."""

from __future__ import annotations

import socket
import time

import pytest

from app.errors import IndexUnavailable
from app.retrieve.stores.milvus.names import collection_name, index_id_of, one_of
from app.retrieve.stores.milvus.server import MilvusConfig, MilvusServer

MOST_SECONDS = 60.0
"""Far more than the limit of two seconds, and far less than pymilvus's own tries without one."""


@pytest.mark.parametrize("index_id", ["kb-one-g1", "kb_one-g12", "0123abcd-g3", "a-b_c-d"])
def test_a_collection_tells_its_index(index_id: str) -> None:
    name = collection_name("mqa_vectors_", index_id)
    assert name.replace("_", "").isalnum()
    assert name.isascii()
    assert index_id_of("mqa_vectors_", name) == index_id


@pytest.mark.parametrize("index_id", ["", "KB-one", "kb one", 'kb"', "../kb", "手册", "kb-one-g1\n"])
def test_no_other_word_names_a_collection(index_id: str) -> None:
    with pytest.raises(ValueError, match="index id"):
        collection_name("mqa_vectors_", index_id)


def test_a_filter_names_ids() -> None:
    assert one_of("id", ["c1.2", "d-g1-0003"]) == 'id in ["c1.2", "d-g1-0003"]'
    assert one_of("id", []) == "id in []"


@pytest.mark.parametrize("text", ['c1"] or id != "', "c1\\", "c1'", "", "手册", "c" * 201, "c1\n"])
def test_no_other_word_comes_into_a_filter(text: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        one_of("id", ["c1", text])


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server = MilvusServer(MilvusConfig(f"http://127.0.0.1:{mute.getsockname()[1]}", timeout_seconds=2.0))
        began = time.monotonic()
        with pytest.raises(IndexUnavailable, match="nothing answers"):
            server.names()
        assert time.monotonic() - began < MOST_SECONDS
        server.close()


def test_a_token_is_in_no_text_of_its_configuration() -> None:
    assert "of-no-use" not in repr(MilvusConfig("http://127.0.0.1:1", "of-no-use"))
