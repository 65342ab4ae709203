"""figures of calls, read without the calls' texts"""

from alembic import op


revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "calls_in_figures",
        "calls",
        [
            "asked_at",
            "knowledge_base_id",
            "model",
            "adapter_id",
            "outcome",
            "reason",
            "sources_seconds",
            "first_token_seconds",
            "total_seconds",
            "prompt_tokens",
            "completion_tokens",
            "sentences",
            "withheld",
            "verdict",
            "label",
        ],
    )
