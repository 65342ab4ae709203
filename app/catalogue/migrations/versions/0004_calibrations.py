"""calibrations of knowledge bases"""

import sqlalchemy as sa
from alembic import op

from app.catalogue.tables import UtcDateTime


revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calibrations",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column(
            "knowledge_base_id",
            sa.String(length=40),
            sa.ForeignKey("knowledge_bases.id", ondelete="CASCADE"),
            nullable=False,
            unique=True,
        ),
        sa.Column("evaluation_id", sa.String(length=60), nullable=True),
        sa.Column("fingerprint", sa.JSON(), nullable=False),
        sa.Column("model", sa.String(length=300), nullable=True),
        sa.Column("tuning", sa.JSON(), nullable=False),
        sa.Column("target", sa.JSON(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
