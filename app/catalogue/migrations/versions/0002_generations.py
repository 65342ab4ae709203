"""generations of indexes, jobs of their own, OCR pages"""

import sqlalchemy as sa
from alembic import op

from app.catalogue.tables import UtcDateTime


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT_OF_JOBS = {
    "queued": "queued",
    "processing": "running",
    "ready": "done",
    "failed": "failed",
    "deleting": "cancelled",
}


def upgrade() -> None:
    op.create_table(
        "generations",
        sa.Column("index_id", sa.String(length=60), primary_key=True),
        sa.Column("knowledge_base_id", sa.String(length=40), sa.ForeignKey("knowledge_bases.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_generations_knowledge_base_id", "generations", ["knowledge_base_id"])
    op.execute(
        "INSERT INTO generations (index_id, knowledge_base_id, number, fingerprint, state, created_at) "
        "SELECT index_id, id, 1, fingerprint, 'live', created_at FROM knowledge_bases"
    )
    op.create_table(
        "placements",
        sa.Column(
            "document_id", sa.String(length=40), sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column(
            "index_id",
            sa.String(length=60),
            sa.ForeignKey("generations.index_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("chunks", sa.Integer(), nullable=False),
    )
    op.create_index("ix_placements_index_id", "placements", ["index_id"])
    op.execute(
        "INSERT INTO placements (document_id, index_id, chunks) SELECT d.id, k.index_id, COALESCE(d.chunks, 0) "
        "FROM documents d JOIN knowledge_bases k ON k.id = d.knowledge_base_id WHERE d.state = 'ready'"
    )
    for table, column in (
        ("documents", sa.Column("accepted_at", UtcDateTime(), nullable=False, server_default="1970-01-01 00:00:00")),
        ("documents", sa.Column("replaces", sa.Boolean(), nullable=False, server_default=sa.true())),
        ("documents", sa.Column("pages_without_text", sa.Integer(), nullable=True)),
        ("documents", sa.Column("pages_recognised", sa.Integer(), nullable=True)),
        ("pages", sa.Column("scanned", sa.Boolean(), nullable=False, server_default=sa.false())),
        ("pages", sa.Column("recognised", sa.Boolean(), nullable=False, server_default=sa.false())),
        ("pages", sa.Column("lines", sa.JSON(), nullable=True)),
    ):
        op.add_column(table, column)
    op.execute("UPDATE documents SET accepted_at = created_at")
    _chunks()
    _jobs()


def _rename(old: str, new: str) -> None:
    op.rename_table(old, new)
    if op.get_bind().dialect.name == "postgresql":  # where the name of a primary key's index is the table's no more
        op.execute(f"ALTER INDEX {old}_pkey RENAME TO {new}_pkey")


def _chunks() -> None:
    """Every chunk belongs to the one generation that its knowledge base had."""
    _rename("chunks", "old_chunks")
    op.drop_index("ix_chunks_document_id", "old_chunks")
    op.create_table(
        "chunks",
        sa.Column("id", sa.String(length=60), primary_key=True),
        sa.Column(
            "document_id", sa.String(length=40), sa.ForeignKey("documents.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column(
            "index_id", sa.String(length=60), sa.ForeignKey("generations.index_id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("page_starts", sa.JSON(), nullable=False),
        sa.Column("heading_path", sa.JSON(), nullable=False),
        sa.Column("table_header", sa.Text(), nullable=False, server_default=""),
    )
    op.create_index("ix_chunks_index_id", "chunks", ["index_id"])
    op.create_index("chunks_of_a_document", "chunks", ["document_id", "index_id", "ordinal"])
    op.execute(
        "INSERT INTO chunks (id, document_id, index_id, ordinal, text, start, page_starts, heading_path) "
        "SELECT c.id, c.document_id, k.index_id, c.ordinal, c.text, c.start, c.page_starts, c.heading_path "
        "FROM old_chunks c JOIN documents d ON d.id = c.document_id JOIN knowledge_bases k ON k.id = d.knowledge_base_id"
    )
    op.drop_table("old_chunks")


def _jobs() -> None:
    _rename("jobs", "old_jobs")
    op.drop_index("ix_jobs_document_id", "old_jobs")
    counts = ("pages_done", "chunks_done", "documents_done", "steps", "attempts", "stage_from")
    totals = ("pages_total", "chunks_total", "documents_total")
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=60), primary_key=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column(
            "knowledge_base_id",
            sa.String(length=40),
            sa.ForeignKey("knowledge_bases.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column(
            "document_id", sa.String(length=40), sa.ForeignKey("documents.id", ondelete="CASCADE"), nullable=True
        ),
        sa.Column("index_id", sa.String(length=60), nullable=True),
        sa.Column("fingerprint", sa.JSON(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False, server_default="0") for name in counts),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in totals),
        sa.Column("steps_at_start", sa.Integer(), nullable=False, server_default="-1"),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error_params", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("stage_started_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
    )
    for column in ("knowledge_base_id", "document_id", "state"):
        op.create_index(f"ix_jobs_{column}", "jobs", [column])
    states = " ".join(f"WHEN '{old}' THEN '{new}'" for old, new in TEXT_OF_JOBS.items())
    op.execute(
        "INSERT INTO jobs (id, kind, knowledge_base_id, document_id, state, stage, pages_done, pages_total, chunks_done, "  # noqa: S608
        "chunks_total, error_code, error_params, created_at, started_at, ended_at) "
        "SELECT j.id, 'ingest', d.knowledge_base_id, d.id, "
        f"CASE WHEN j.ended_at IS NULL OR d.state = 'failed' THEN CASE d.state {states} END ELSE 'done' END, "
        "j.stage, j.pages_done, j.pages_total, j.chunks_done, j.chunks_total, d.error_code, d.error_params, "
        "j.created_at, j.started_at, j.ended_at FROM old_jobs j JOIN documents d ON d.id = j.document_id"
    )
    op.drop_table("old_jobs")
