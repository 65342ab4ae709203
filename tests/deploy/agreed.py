"""What other parts of the scaled-out service bring, and is not here yet. Delete this file with its last entry."""

from __future__ import annotations

from app.settings import Settings

AGREED_SETTINGS = ("MQA_DATABASE_URL",)
AGREED_COMMANDS = ("worker",)
AGREED_OPTIONS = ("--no-worker",)


def known_settings() -> set[str]:
    """The names of all settings."""
    return {f"MQA_{name.upper()}" for name in Settings.model_fields} | set(AGREED_SETTINGS)
