"""every question with what it got"""

import sqlalchemy as sa
from alembic import op

from app.catalogue.tables import UtcDateTime


revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column(
            "knowledge_base_id",
            sa.String(length=40),
            sa.ForeignKey("knowledge_bases.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("question", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("adapter_id", sa.String(length=40), nullable=True),
        sa.Column("promotion_id", sa.String(length=40), nullable=True),
        sa.Column("sources_seconds", sa.Double(), nullable=True),
        sa.Column("first_token_seconds", sa.Double(), nullable=True),
        sa.Column("total_seconds", sa.Double(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True),
        sa.Column("completion_tokens", sa.Integer(), nullable=True),
        sa.Column("sentences", sa.Integer(), nullable=False),
        sa.Column("withheld", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("label", sa.String(length=20), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("labelled_by", sa.String(length=40), nullable=True),
        sa.Column("labelled_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ix_calls_asked_at", "calls", ["asked_at"])
    op.create_index("calls_of_a_knowledge_base", "calls", ["knowledge_base_id", "asked_at"])
    op.create_index("calls_to_review", "calls", ["knowledge_base_id", "label", "verdict"])
