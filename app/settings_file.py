"""The settings of another set-up, from a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from app.errors import SettingsFileInvalid
from app.settings import Settings, secrets_in

_LINE = re.compile(r"(?:export )?MQA_(?P<name>[A-Z0-9_]+)=(?P<value>.*)")
_QUOTES = ("'", '"')


class _SettingsInFile(Settings):
    """The environment of this process says nothing about them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the files of the `secrets_dir` that is given."""
        return init_settings, *secrets_in(settings_cls, init_settings().get("secrets_dir"))


def settings_in(file: Path) -> Settings:
    """Lines MQA_NAME=value, as an environment file has them, comments and blank lines.

    Raises `SettingsFileInvalid`, and pydantic's ValidationError on a bad value.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise SettingsFileInvalid(repr(error), file=file, reason="it is not a file that can be read") from error
    given: dict[str, Any] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = _LINE.fullmatch(text)
        if found is None:
            why = "not a setting like MQA_PORT=8080"
            raise SettingsFileInvalid(file=file, reason=f"line {number}: {why}")
        given[found["name"].lower()] = _unquoted(found["value"].strip())
    return _SettingsInFile(**given)


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES
    return value[1:-1] if quoted else value
