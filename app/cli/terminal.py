"""What every command needs: settings, words, where to print, and the exit code of an error."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from app.cli.client import Client, ServerError
from app.cli.words import Words, spoken_language
from app.errors import Denied, ManualqaError, ServerNotRunning
from app.settings import Settings, language_setting, load_settings
from app.validation import fault, faults

FAILED, USAGE, NO_SERVER, KEY_REFUSED = 1, 2, 4, 5


@dataclass(frozen=True)
class Terminal:
    """What every command needs: settings, words, and where to print."""

    settings: Settings
    words: Words
    out: Console
    err: Console

    def client(self) -> Client:
        return Client.connect(self.settings, self.words.language)

    def print_json(self, value: Any) -> None:  # noqa: ANN401 - whatever the API answered
        """Plain JSON, for scripts."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def terminal() -> Terminal:
    """The terminal of this process."""
    settings = load_settings()
    return Terminal(settings, Words(spoken_language(settings.language)), Console(), Console(stderr=True))


def bad_setting(error: ValidationError) -> str:
    """The sentence on settings that cannot be used, of which that of the language may be one."""
    words = Words(spoken_language(language_setting()))
    wrong = [
        (f"MQA_{'.'.join(str(part) for part in found['loc']).upper()}", fault(found, words.language))
        for found in error.errors(include_url=False, include_input=False)
    ]
    return words("bad_setting", reason=faults(wrong, words.language))


def exit_code(error: ManualqaError) -> int:
    """4 where no server answers, 5 where the key is refused, 1 otherwise."""
    if isinstance(error, ServerNotRunning):
        return NO_SERVER
    refused = isinstance(error, Denied) or (isinstance(error, ServerError) and error.server_status in (401, 403))
    return KEY_REFUSED if refused else FAILED
