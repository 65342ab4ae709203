"""how many questions a key may ask in a day, and has asked"""

import sqlalchemy as sa
from alembic import op


revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("questions_per_day", sa.Integer(), nullable=True))
    op.create_table(
        "key_days",
        sa.Column("key_id", sa.String(length=40), sa.ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("day", sa.String(length=10), primary_key=True),
        sa.Column("questions", sa.Integer(), nullable=False),
    )
