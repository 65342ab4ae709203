"""Settings come from the environment and from the files of a folder of secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.cli.terminal import bad_setting
from app.settings import Settings
from app.validation import fault

KEY = "mqa_" + "k" * 40


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_a_file_holds_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mqa_first_key").write_text(KEY + "\n")
    read = settings(monkeypatch, MQA_SECRETS_DIR=str(tmp_path))
    assert read.first_key is not None
    assert read.first_key.get_secret_value() == KEY
    assert KEY not in repr(read)


def test_the_environment_goes_before_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mqa_port").write_text("1234")
    assert settings(monkeypatch, MQA_SECRETS_DIR=str(tmp_path)).port == 1234
    assert settings(monkeypatch, MQA_PORT="4321").port == 4321


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(monkeypatch, MQA_SECRETS_DIR=str(tmp_path / "none"))
    (error,) = caught.value.errors()
    assert error["loc"] == ("secrets_dir",)
    assert fault(error, "zh") == "须为已存在的文件夹"


@pytest.mark.parametrize("name", ["MQA_FIRST_KEY", "MQA_METRICS_KEY"])
def test_a_key_that_can_be_guessed_is_refused_and_not_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(monkeypatch, **{name: "letmein"})
    (error,) = caught.value.errors()
    assert fault(error, "en") == "must have 32 to 200 characters"
    assert "letmein" not in bad_setting(caught.value)
