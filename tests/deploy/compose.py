"""docker-compose.yml as a test reads it, with the defaults of its variables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from app.settings import Settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
SETTINGS = {f"MQA_{name.upper()}" for name in Settings.model_fields}
"""The names of all settings."""

_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)(?::-([^}]*))?\}")


def interpolated(text: str, **given: str) -> str:
    """`${NAME:-default}` as Compose reads it; a variable without a default has to be given."""
    return _VARIABLE.sub(lambda found: given.get(found[1]) or _default(found), text)


def _default(found: re.Match[str]) -> str:
    if found[2] is None:
        raise AssertionError(f"{found[1]} has no default")
    return found[2]


def project(**given: str) -> dict[str, Any]:
    """The whole file."""
    loaded: dict[str, Any] = yaml.safe_load(interpolated(FILE.read_text(encoding="utf-8"), **given))
    return loaded


def services() -> dict[str, dict[str, Any]]:
    """All services, by name."""
    found: dict[str, dict[str, Any]] = project()["services"]
    return found


def is_ours(service: dict[str, Any]) -> bool:
    return str(service["image"]).startswith("manualqa:")


def ends_by_itself(service: dict[str, Any]) -> bool:
    return service["restart"] == "no"
