"""keys that are limited, end, and are rotated; who changed what"""

import sqlalchemy as sa
from alembic import op

from app.catalogue.tables import UtcDateTime


revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("limited", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("api_keys", sa.Column("requests_per_minute", sa.Integer(), nullable=True))
    op.add_column("api_keys", sa.Column("expires_at", UtcDateTime(), nullable=True))
    op.add_column("api_keys", sa.Column("last_used_at", UtcDateTime(), nullable=True))
    op.add_column("api_keys", sa.Column("previous_sha256", sa.String(length=64), nullable=True))
    op.add_column("api_keys", sa.Column("previous_until", UtcDateTime(), nullable=True))
    op.create_index("ix_api_keys_previous_sha256", "api_keys", ["previous_sha256"], unique=True)
    op.create_table(
        "key_scopes",
        sa.Column("key_id", sa.String(length=40), sa.ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "knowledge_base_id",
            sa.String(length=40),
            sa.ForeignKey("knowledge_bases.id", ondelete="CASCADE"),
            primary_key=True,
        ),
    )
    op.create_index("ix_key_scopes_knowledge_base_id", "key_scopes", ["knowledge_base_id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("key_name", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column("target", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_key_id", "audit", ["key_id"])
