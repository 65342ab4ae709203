"""The servers of a scaled-out set-up on this machine, as tests start them: Postgres, milvus-lite, an S3-compatible one.

They live in the tests' fixtures, which are beside this package in a checkout and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from eval.bench.server import NO_MODEL
from tests.fixtures.milvus_servers import MilvusLite
from tests.fixtures.postgres import PostgresServer, a_postgres, programs
from tests.fixtures.processes import Company
from tests.fixtures.s3_server import S3Server, an_s3_server

EMBEDDED = {"MQA_LLM_BASE_URL": NO_MODEL, "MQA_MIN_FREE_DISK_MB": "0"}
"""The settings of a set-up in one folder: the product's own, without a language model."""

_OWN = {"MQA_OCR": "true", "MQA_CHUNK_OVERLAP": "100", "MQA_PROCESS_LOST_SECONDS": "20", "MQA_SHUTDOWN_SECONDS": "30"}
"""The product's own values of what the tests' processes are started with otherwise."""


def is_postgres_there() -> bool:
    """Whether a server of it can be started here."""
    return programs() is not None


@dataclass(frozen=True)
class Place:
    """One set-up on the servers: a database, a prefix in the bucket and a database of Milvus, none of them used yet."""

    folder: Path
    url: SecretStr
    stores: Mapping[str, str]

    def company(self) -> Company:
        """Its processes, none of them started."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Company(self.folder, self.url, {**self.stores, **_OWN})

    def settings(self, name: str) -> dict[str, str]:
        """Those of a process of it, also for `manualqa migrate`."""
        return {
            **EMBEDDED,
            **self.stores,
            "MQA_DATA_DIR": str(self.folder / name),
            "MQA_DATABASE_URL": self.url.get_secret_value(),
        }


@dataclass(frozen=True)
class StoreServers:
    """The three servers, running."""

    folder: Path
    postgres: PostgresServer
    milvus: MilvusLite
    s3: S3Server
    closing: ExitStack

    def place(self, name: str) -> Place:
        """A new set-up; its database goes with the servers."""
        stores = {
            **self.s3.settings(),
            "MQA_S3_PREFIX": name,
            "MQA_VECTOR_STORE": "milvus",
            "MQA_MILVUS_URI": self.milvus.uri,
            "MQA_MILVUS_DATABASE": self.milvus.config(self.folder / name).database,
            "MQA_MILVUS_TIMEOUT_SECONDS": "120",
            "MQA_LLM_BASE_URL": NO_MODEL,
        }
        return Place(self.folder / name, self.closing.enter_context(self.postgres.database()), stores)


@contextmanager
def store_servers(folder: Path) -> Iterator[StoreServers]:
    """Starts them, with their files in a new folder; Postgres has one of its own, and does not wait for the disk."""
    folder.mkdir(parents=True)
    with ExitStack() as closing:
        postgres = closing.enter_context(a_postgres())
        s3 = closing.enter_context(an_s3_server(folder / "s3"))
        milvus = MilvusLite(folder / "milvus")
        closing.callback(milvus.stop)
        milvus.start()
        yield StoreServers(folder, postgres, milvus, s3, closing)
