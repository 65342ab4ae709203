"""What other parts of the scaled-out service bring, and is not here yet. Delete this file with its last entry."""

from __future__ import annotations

from app.settings import Settings

AGREED_SETTINGS = (
    "MQA_DATABASE_URL",
    "MQA_VECTOR_STORE",
    "MQA_MILVUS_URI",
    "MQA_MILVUS_TOKEN",
    "MQA_BLOB_STORE",
    "MQA_S3_ENDPOINT",
    "MQA_S3_BUCKET",
    "MQA_S3_PREFIX",
    "MQA_S3_REGION",
    "MQA_S3_ACCESS_KEY_ID",
    "MQA_S3_SECRET_ACCESS_KEY",
)
AGREED_COMMANDS = ("worker",)
AGREED_OPTIONS = ("--no-worker",)
AGREED_EXTRAS = ("scale",)


def known_settings() -> set[str]:
    """The names of all settings."""
    return {f"MQA_{name.upper()}" for name in Settings.model_fields} | set(AGREED_SETTINGS)
