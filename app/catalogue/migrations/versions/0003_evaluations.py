"""evaluations and what came of their questions"""

import sqlalchemy as sa
from alembic import op

from app.catalogue.tables import UtcDateTime


revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evaluations",
        sa.Column("id", sa.String(length=60), primary_key=True),
        sa.Column(
            "knowledge_base_id",
            sa.String(length=40),
            sa.ForeignKey("knowledge_bases.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("question_set", sa.String(length=200), nullable=False),
        sa.Column("set_hash", sa.String(length=64), nullable=False),
        sa.Column("questions", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("total", "done", "failed", "revision")),
        sa.Column("fingerprint", sa.JSON(), nullable=True),
        sa.Column("model", sa.String(length=300), nullable=True),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error_params", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("queued_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
    )
    for column in ("knowledge_base_id", "state"):
        op.create_index(f"ix_evaluations_{column}", "evaluations", [column])
    op.create_table(
        "evaluation_records",
        sa.Column(
            "evaluation_id",
            sa.String(length=60),
            sa.ForeignKey("evaluations.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
    )
