"""`manualqa init`: the secrets of docker-compose.yml as files, each readable by the one container that gets it.

A value that two containers need is in two files, since they run as different users.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.catalogue.keys import new_secret
from app.errors import SecretsUnusable

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

MANUALQA, POSTGRES, GRAFANA, NOBODY, ROOT = 10001, 999, 472, 65534, 0
"""Users of the containers, as docker-compose.yml and the Dockerfile name them; root has no rights there."""


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file, the user who reads it, and what it says of the value."""

    name: str
    user: int
    text: str = "{}"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value: the first file holds it as it is, the others are made from that one."""

    files: tuple[SecretFile, ...]
    is_key: bool = False

    def new_value(self) -> str:
        """A fresh API key, or 160 bits in hex, which can stand in a URL and are not too long for any store."""
        return new_secret() if self.is_key else secrets.token_hex(20)


SECRETS: Final[tuple[Secret, ...]] = (
    Secret(
        (
            SecretFile("postgres_password", POSTGRES),
            SecretFile("mqa_database_url", MANUALQA, "postgresql://manualqa:{}@postgres:5432/manualqa"),
        )
    ),
    Secret((SecretFile("objects_root_password", ROOT),)),
    Secret((SecretFile("objects_milvus_key", ROOT),)),
    Secret((SecretFile("objects_manualqa_key", ROOT), SecretFile("mqa_s3_secret_access_key", MANUALQA))),
    Secret((SecretFile("milvus_root_password", ROOT), SecretFile("mqa_milvus_token", MANUALQA, "root:{}"))),
    Secret((SecretFile("mqa_llm_api_key", MANUALQA),)),
    Secret((SecretFile("mqa_first_key", MANUALQA),), is_key=True),
    Secret((SecretFile("metrics_key", NOBODY), SecretFile("mqa_metrics_key", MANUALQA)), is_key=True),
    Secret((SecretFile("grafana_password", GRAFANA),)),
)


def make_secrets(at: Terminal, folder: Path, *, as_json: bool) -> None:
    """Makes what is missing and says what it made and what was there, never a value."""
    made, kept = write_missing(folder, SECRETS)
    if as_json:
        at.print_json({"folder": str(folder), "made": made, "kept": kept})
        return
    for word, names in (("secret_made", made), ("secret_kept", kept)):
        for name in names:
            at.out.print(at.words(word, name=name), markup=False, highlight=False)
    at.out.print(at.words("secrets_in", folder=folder), markup=False, highlight=False)


def write_missing(folder: Path, wanted: Sequence[Secret]) -> tuple[list[str], list[str]]:
    """The names of the files that it made and of those that were there, which it leaves alone.

    Whoever is root gives each file to its reader; else all belong to the user. Raises `SecretsUnusable`.
    """
    made: list[str] = []
    kept: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        for secret in wanted:
            there = [file.name for file in secret.files if (folder / file.name).exists()]
            kept += there
            if len(there) < len(secret.files):
                value = _value(folder, secret, there)
                for file in secret.files:
                    if file.name not in there:
                        _write(folder / file.name, file.text.format(value), file.user)
                        made.append(file.name)
    except OSError as error:
        raise SecretsUnusable(repr(error), folder=folder, reason=error.strerror or "unknown fault") from error
    return made, kept


def _value(folder: Path, secret: Secret, there: Sequence[str]) -> str:
    """The value that is there, or a new one; raises `SecretsUnusable` where only what was made from it is."""
    first = secret.files[0].name
    if first in there:
        return (folder / first).read_text(encoding="utf-8").strip()
    if there:
        raise SecretsUnusable(folder=folder, reason=f"{there[0]} is there without {first}; bring that back")
    return secret.new_value()


def _write(path: Path, text: str, user: int) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
        if os.geteuid() == ROOT:
            os.fchown(file.fileno(), user, user)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
