"""A real Milvus server is killed without a warning while vectors are written to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from app.retrieve.stores.milvus.server import MilvusConfig, MilvusServer
from app.retrieve.stores.milvus.vectors import MilvusVectorStore
from tests.contract.test_vector_store_contract import BASE, DIMENSIONS
from tests.milvus.conftest import RealMilvus

BATCHES = 24
ROWS = 64


def test_nothing_acknowledged_is_lost_and_the_writer_goes_on(real_milvus: RealMilvus, tmp_path: Path) -> None:
    config = real_milvus.config(tmp_path, timeout_seconds=180)
    store = MilvusVectorStore(MilvusServer(config))
    with _writer(config) as lines:
        acknowledged = [next(lines) for _ in range(6)]
        real_milvus.kill()
        real_milvus.start()
        assert _chunks(acknowledged) <= store.ids(BASE)
        acknowledged += lines
    assert acknowledged == list(range(BATCHES))
    expected = _chunks(acknowledged)
    assert store.ids(BASE) == expected
    question = np.eye(DIMENSIONS, dtype=np.float32)[0]
    assert store.cosines(BASE, sorted(expected), question).keys() == expected
    assert len(store.search(BASE, question, 2000)) == len(expected)
    store.close()


def _chunks(batches: list[int]) -> set[str]:
    return {f"c{i}.{k}" for i in batches for k in range(ROWS)}


@contextmanager
def _writer(config: MilvusConfig) -> Iterator[Iterator[int]]:
    """A process that writes batches, and the numbers of those that it was told are written; it must end well."""
    arguments = (config.uri, config.database, BASE, str(DIMENSIONS), str(BATCHES), str(ROWS))
    with subprocess.Popen([sys.executable, "-c", _WRITES, *arguments], stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            yield (int(line.split()[1]) for line in writer.stdout if line.startswith("written "))
            assert writer.wait(180) == 0
        finally:
            writer.kill()


_WRITES = """
import sys
import numpy as np
from app.retrieve.stores.milvus.server import MilvusConfig, MilvusServer
from app.retrieve.stores.milvus.vectors import MilvusVectorStore
uri, database, base, dimensions, batches, rows = sys.argv[1:]
store = MilvusVectorStore(MilvusServer(MilvusConfig(uri, database=database, timeout_seconds=180)))
vectors = np.random.default_rng(5).normal(size=(int(rows), int(dimensions))).astype(np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
for i in range(int(batches)):
    store.upsert(base, [f"c{i}.{k}" for k in range(int(rows))], vectors)
    print("written", i, flush=True)
store.close()
"""
