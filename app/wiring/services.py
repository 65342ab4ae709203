"""The services of a process, from its settings."""

from __future__ import annotations

from enum import StrEnum
from functools import partial

from sqlalchemy import Engine

from app import __version__
from app.catalogue.database import Locks, Sessions, open_database
from app.catalogue.moves import require_whole
from app.catalogue.processes import Process, Processes
from app.errors import (
    MoveUnfinished,
    ProcessesNotShared,
)
from app.ingest.durable import JobPlace
from app.parts import Parts
from app.services import Company, Services
from app.settings import Settings
from app.wiring.parts import chosen_parts, reading
from app.wiring.stores import Indexes, open_stores, shares_indexes


class Duty(StrEnum):
    """What a process does: everything, or only answering, or only the work of queues."""

    BOTH = "both"
    API = "api"
    WORKER = "worker"


def build_services(
    settings: Settings, run_token: str, parts: Parts | None = None, duty: Duty = Duty.BOTH, process_id: str = "local"
) -> Services:
    """The services of a process that owns `settings.data_dir`; raises `SetupError`s.

    `process_id` tells it from others on the same database.
    """
    shares_index = shares_indexes(settings) or (parts is not None and parts.vectors is not None)
    if duty is not Duty.BOTH:
        _require_shared(settings, shares_index=shares_index)
    database = _open_whole_database(settings)
    sessions = Sessions(database)
    company = _company(settings, database, Process(process_id, duty is not Duty.API, __version__))
    if company is not None and not shares_index and company.processes.living() - {process_id}:
        why = "another one works on this database, and the index is in one's data folder: set MQA_VECTOR_STORE=milvus"
        raise ProcessesNotShared(reason=why)
    chosen = parts or chosen_parts(settings)
    exclusive = None if company is None else partial(company.locks.of, "files")
    own = None if chosen.vectors is None or chosen.keywords is None else Indexes(chosen.vectors, chosen.keywords)
    stores = open_stores(settings, sessions, own, exclusive)
    return Services(
        settings, stores, database, sessions, chosen, chosen.reading or reading(settings), run_token, company
    )


def _open_whole_database(settings: Settings) -> Engine:
    """The catalogue, unless it is being moved there still."""
    database = open_database(settings.data_dir, settings.database_url, settings.database_connections)
    try:
        require_whole(database)
    except MoveUnfinished:
        database.dispose()
        raise
    return database


def _require_shared(settings: Settings, *, shares_index: bool) -> None:
    """Raises `ProcessesNotShared` where one of several processes has something to itself that all need."""
    if settings.database_url is None:
        raise ProcessesNotShared(reason="they need one database: set MQA_DATABASE_URL")
    if not shares_index:
        why = "the index is in this process's data folder: set MQA_VECTOR_STORE=milvus"
        raise ProcessesNotShared(reason=why)
    if settings.files_dir is None and settings.blob_store == "folder":
        why = "uploads are in this process's data folder: set MQA_BLOB_STORE=s3, or MQA_FILES_DIR to a folder of all"
        raise ProcessesNotShared(reason=why)


def _company(settings: Settings, database: Engine, process: Process) -> Company | None:
    """What is shared with others on a Postgres database, whose tables of jobs are there when this returns."""
    if settings.database_url is None:
        return None
    locks = Locks(database)
    with locks.of("tables of jobs"):
        JobPlace(settings.data_dir, settings.database_url).migrate()
    return Company(settings.database_url, Processes(Sessions(database)), process, locks)
