"""pages with text that no reader sees, which was left out"""

import sqlalchemy as sa
from alembic import op


revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pages", sa.Column("hidden_text", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("documents", sa.Column("pages_with_hidden_text", sa.JSON(), nullable=True))
