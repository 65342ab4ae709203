"""Which knowledge bases the work under way may touch, and that no query of the catalogue touches others.

A request begins closed and is opened by its key; what no request has asked for (workers, the command line) has the
whole server. The scope is a context variable: threads and tasks that a request waits for have its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, false, func, select, union
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria

from app.catalogue.tables import (
    AdapterRow,
    CalibrationRow,
    CallRow,
    ChunkRow,
    ConversationRow,
    DocumentRow,
    DraftRow,
    EvaluationRecordRow,
    EvaluationRow,
    FinetuneJobRow,
    GenerationRow,
    JobRow,
    KnowledgeBaseRow,
    PageRow,
    PlacementRow,
    PromotionRow,
    Table,
    TurnRow,
)
from app.errors import KeyLimited


@dataclass(frozen=True, slots=True)
class Scope:
    """`knowledge_bases` are the ids that may be touched; None means all there are and will be."""

    knowledge_bases: frozenset[str] | None


WHOLE: Final = Scope(None)
CLOSED: Final = Scope(frozenset())
"""Of a request whose key is not known yet: a query of what belongs to a knowledge base is a fault of ours."""

_scope: ContextVar[Scope] = ContextVar("scope", default=WHOLE)


class UnscopedQueryError(RuntimeError):
    """A request has asked the catalogue for something of a knowledge base before its key was known."""


def open_to(knowledge_bases: frozenset[str] | None) -> None:
    """What follows in this context may touch these knowledge bases; None stands for all."""
    _scope.set(Scope(knowledge_bases))


def require_whole() -> None:
    """Raises `KeyLimited` where this context is limited to some knowledge bases."""
    if _scope.get().knowledge_bases is not None:
        raise KeyLimited


@contextmanager
def within(scope: Scope) -> Iterator[None]:
    """The block has this scope; whatever is opened inside ends with it."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def whole_server() -> AbstractContextManager[None]:
    """A block for what must be known of all knowledge bases, whoever asks: are bytes in use, is there room.

    What it reads must not reach the caller.
    """
    return within(WHOLE)


def count_on_server(session: Session, row: type[Table], *which: ColumnElement[bool]) -> int:
    """How many such rows there are in all knowledge bases: what there is room for is the server's."""
    with whole_server():
        return session.scalar(select(func.count()).select_from(row).where(*which)) or 0


# --- where it holds ---------------------------------------------------------------------------------------------------


def keep_within(state: ORMExecuteState) -> None:
    """Adds the scope to a statement of a session, its subqueries and joins included."""
    scope = _scope.get()
    if scope.knowledge_bases is None:
        return
    if scope is CLOSED and any(mapper.class_ in _CRITERIA for mapper in state.all_mappers):
        raise UnscopedQueryError(str(state.statement))
    ids = sorted(scope.knowledge_bases)
    state.statement = state.statement.options(
        *(with_loader_criteria(row, criterion(ids), include_aliases=True) for row, criterion in _CRITERIA.items())
    )


def keep_new_within(session: Session, context: UOWTransaction, instances: object) -> None:  # noqa: ARG001
    """Refuses to write new rows outside the scope; changed ones were read within it. Raises `KeyLimited`."""
    scope = _scope.get()
    if scope.knowledge_bases is None:
        return
    for row in session.new:
        if isinstance(row, (KnowledgeBaseRow, AdapterRow)) or (
            type(row) in _OWNED and row.knowledge_base_id not in scope.knowledge_bases
        ):
            raise KeyLimited


# --- what belongs to whom ---------------------------------------------------------------------------------------------

Ids = Sequence[str]

_OWNED: Final = (
    GenerationRow,
    DocumentRow,
    JobRow,
    EvaluationRow,
    CalibrationRow,
    ConversationRow,
    CallRow,
    DraftRow,
    FinetuneJobRow,
    PromotionRow,
)
"""Rows that name their knowledge base; a training whose knowledge base is gone belongs to none."""

SERVER_WIDE: Final = frozenset({"api_keys", "key_scopes", "key_days", "audit", "web_sessions", "processes"}) | {
    "alarm_states",
    "alarms",
    "alarm_notices",
}
"""Tables that belong to no knowledge base."""


def _owner(row: type[Table]) -> Any:  # noqa: ANN401
    def criterion(ids: Ids) -> ColumnElement[bool]:
        return row.knowledge_base_id.in_(ids)  # type: ignore[attr-defined, no-any-return]

    return criterion


def _child(column: Any, parent: type[Table]) -> Any:  # noqa: ANN401
    def criterion(ids: Ids) -> ColumnElement[bool]:
        parents: Select[str] = select(parent.id).where(parent.knowledge_base_id.in_(ids))  # type: ignore[attr-defined]
        return column.in_(parents)  # type: ignore[no-any-return]

    return criterion


def _adapters(ids: Ids) -> ColumnElement[bool]:
    """Those that learned from a knowledge base, and those that answer or answered its questions."""
    if not ids:
        return false()
    learned = select(FinetuneJobRow.id).where(FinetuneJobRow.knowledge_base_id.in_(ids))
    mine = PromotionRow.knowledge_base_id.in_(ids)
    named = union(
        select(PromotionRow.adapter_id).where(mine, PromotionRow.adapter_id.is_not(None)),
        select(PromotionRow.previous_id).where(mine, PromotionRow.previous_id.is_not(None)),
    )
    return AdapterRow.job_id.in_(learned) | AdapterRow.id.in_(named.scalar_subquery())


_CRITERIA: Final[dict[type[Table], Any]] = {
    KnowledgeBaseRow: lambda ids: KnowledgeBaseRow.id.in_(ids),
    **{row: _owner(row) for row in _OWNED},
    PlacementRow: _child(PlacementRow.document_id, DocumentRow),
    PageRow: _child(PageRow.document_id, DocumentRow),
    ChunkRow: _child(ChunkRow.document_id, DocumentRow),
    EvaluationRecordRow: _child(EvaluationRecordRow.evaluation_id, EvaluationRow),
    TurnRow: _child(TurnRow.conversation_id, ConversationRow),
    AdapterRow: _adapters,
}

SCOPED: Final = frozenset(row.__tablename__ for row in _CRITERIA)
"""Tables whose rows are found within the scope alone."""
