"""alarms: where each rule stands, what has fired, and the notices of it"""

import sqlalchemy as sa
from alembic import op

from app.catalogue.tables import UtcDateTime


revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm_states",
        sa.Column("rule", sa.String(length=40), primary_key=True),
        sa.Column("phase", sa.String(length=20), nullable=False),
        sa.Column("held", sa.Double(), nullable=False),
        sa.Column("quiet", sa.Double(), nullable=False),
        sa.Column("untold", sa.Double(), nullable=False),
        sa.Column("figure", sa.Double(), nullable=True),
        sa.Column("memory", sa.JSON(), nullable=False),
        sa.Column("alarm_id", sa.String(length=40), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "alarms",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("limit", sa.Double(), nullable=False),
        sa.Column("figure", sa.Double(), nullable=False),
        sa.Column("last_figure", sa.Double(), nullable=True),
        sa.Column("fired_at", UtcDateTime(), nullable=False),
        sa.Column("recovered_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ix_alarms_fired_at", "alarms", ["fired_at"])
    op.create_table(
        "alarm_notices",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("alarm_id", sa.String(length=40), sa.ForeignKey("alarms.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("happening", sa.String(length=20), nullable=False),
        sa.Column("way", sa.String(length=20), nullable=False),
        sa.Column("figure", sa.Double(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ix_alarm_notices_state", "alarm_notices", ["state"])
    op.create_index("alarm_notices_of_an_alarm", "alarm_notices", ["alarm_id", "number"])
