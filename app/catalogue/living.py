"""Rows of knowledge bases that are there: what is being deleted is in no answer any more."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import Select, select

from app.catalogue.tables import (
    CallRow,
    ConversationRow,
    DraftRow,
    EvaluationRow,
    KnowledgeBaseRow,
    PromotionRow,
)

_Owned = TypeVar("_Owned", CallRow, ConversationRow, DraftRow, EvaluationRow, PromotionRow)


def in_living_bases(row: type[_Owned]) -> Select[_Owned]:
    """Those whose knowledge base is not being deleted."""
    return (
        select(row)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == row.knowledge_base_id)
        .where(KnowledgeBaseRow.deleting.is_(False))
    )
