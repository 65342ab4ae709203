"""counting documents by state reads an index alone"""

from alembic import op


revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("documents_by_state", "documents", ["state"])
