"""`manualqa init`: it makes what is missing, leaves alone what is there, and tells no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.secret_files import SECRETS, write_missing
from app.errors import SecretsUnusable
from tests.unit.cli.conftest import Manualqa

NAMES = [file.name for secret in SECRETS for file in secret.files]


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def test_each_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert write_missing(folder, SECRETS) == (NAMES, [])
    made = contents(folder)
    assert set(made) == set(NAMES)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o066 == 0
    assert write_missing(folder, SECRETS) == ([], NAMES)
    assert contents(folder) == made


def test_two_folders_have_nothing_in_common(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_missing(tmp_path / name, SECRETS)
    assert not set(contents(tmp_path / "one").values()) & set(contents(tmp_path / "two").values())


def test_what_is_made_of_a_value_is_made_of_the_one_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "postgres_password").write_text("chosen\n")
    write_missing(tmp_path, SECRETS)
    made = contents(tmp_path)
    assert made["postgres_password"] == "chosen\n"
    assert made["mqa_database_url"] == "postgresql://manualqa:chosen@postgres:5432/manualqa\n"
    assert made["mqa_milvus_token"] == f"root:{made['milvus_root_password']}"
    assert made["mqa_metrics_key"] == made["metrics_key"]


def test_what_cannot_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mqa_database_url").write_text("postgresql://elsewhere\n")
    with pytest.raises(SecretsUnusable) as caught:
        write_missing(tmp_path, SECRETS)
    assert contents(tmp_path) == {"mqa_database_url": "postgresql://elsewhere\n"}
    assert caught.value.message("zh").startswith(f"{tmp_path} 中的密钥无法使用：mqa_database_url 存在")


def test_the_command_tells_names_and_no_value(manualqa: Manualqa, tmp_path: Path) -> None:
    first = manualqa("init", str(tmp_path / "made"))
    again = manualqa("init", str(tmp_path / "made"), "--json")
    assert (first.code, again.code) == (0, 0)
    assert again.json() == {"folder": str(tmp_path / "made"), "made": [], "kept": NAMES}
    said = first.out + first.err + again.out + again.err
    assert not [value for value in contents(tmp_path / "made").values() if value.strip() in said]
