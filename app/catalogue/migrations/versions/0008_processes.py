"""several processes on one database, and names ordered alike on every database"""

import sqlalchemy as sa
from alembic import op

from app.catalogue.tables import UtcDateTime


revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("life", sa.String(length=40), nullable=False),
        sa.Column("works", sa.Boolean(), nullable=False),
        sa.Column("build", sa.String(length=60), nullable=False),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
    )
    for table, column in (("evaluations", "claimed_by"), ("finetune_jobs", "claimed_by"), ("turns", "process_id")):
        op.add_column(table, sa.Column(column, sa.String(length=40), nullable=True))
    if op.get_bind().dialect.name == "postgresql":  # elsewhere they are ordered so from the beginning
        for table, length in (("knowledge_bases", 200), ("documents", 300)):
            op.alter_column(table, "name", type_=sa.String(length=length, collation="C"))
