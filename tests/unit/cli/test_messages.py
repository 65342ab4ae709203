"""The command line says everything in the language of its user, and keeps commands on one line."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from app.cli import main
from app.cli.doctor import examine
from app.cli.output import print_hits
from app.cli.terminal import Terminal
from app.cli.words import WORDS, Words, spoken_language
from app.models.progress import BarProgress, LineProgress
from app.settings import Settings, load_settings
from app.types import Language


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["manualqa", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(str(ended.value.code))


def a_terminal(folder: Path, language: Language, width: int = 60) -> Terminal:
    settings = Settings(data_dir=folder / "data", models_dir=folder / "models", language=language)
    out = Console(file=io.StringIO(), width=width)
    return Terminal(settings, Words(language), out, out)


def printed(at: Terminal) -> str:
    assert isinstance(at.out.file, io.StringIO)
    return at.out.file.getvalue()


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("zh", "设置无效：MQA_PORT：须为整数；MQA_TOP_K：不得大于 50"),
        ("en", "The setting cannot be used: MQA_PORT: must be a whole number; MQA_TOP_K: must be at most 50"),
    ],
)
def test_a_bad_setting_is_told_in_the_language_set(
    language: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MQA_LANGUAGE", language)
    monkeypatch.setenv("MQA_PORT", "eighty")
    monkeypatch.setenv("MQA_TOP_K", "51")
    assert run(monkeypatch, "doctor") == 2
    assert capsys.readouterr().err.strip() == line


def test_a_bad_language_is_a_bad_setting_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MQA_LANGUAGE", "fr")
    assert run(monkeypatch, "doctor") == 2
    assert "MQA_LANGUAGE" in capsys.readouterr().err


def test_a_command_in_an_error_is_not_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in {"MQA_LANGUAGE": "en", "MQA_DATA_DIR": str(tmp_path), "COLUMNS": "50"}.items():
        monkeypatch.setenv(name, value)
    assert run(monkeypatch, "keys", "list") == 4
    error = capsys.readouterr().err
    assert "`manualqa serve`" in error
    assert error.count("\n") == 1


def test_doctor_speaks_chinese_and_its_json_keeps_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = a_terminal(tmp_path, "zh")
    assert examine(at, as_json=False) == 1
    lines = printed(at).splitlines()
    assert [re.split("[ ：]", line)[1] for line in lines] == ["模型权重", "模型权重", "磁盘", "服务器"]
    assert "`manualqa models pull multilingual-e5-small`" in lines[0]
    assert "（尚未下载）" in lines[0]
    assert re.search(r"剩余 \d+ MB$", lines[2])
    examine(at, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [finding["check"] for finding in found] == ["weights", "weights", "disk", "server"]


def test_hits_have_chinese_columns_and_places(tmp_path: Path) -> None:
    at = a_terminal(tmp_path, "zh", width=200)
    scores = {"rank": 1, "cosine": 0.9, "passed": True, "bm25": 3.0, "bm25_rank": 1, "vector_rank": 1}
    hit = {"scores": scores, "chunk": {"page_start": 3, "text": "文字"}, "document_name": "a.pdf"}
    print_hits(at.out, {"hits": [hit], "rejected": [], "threshold": 0.8}, at.words)
    assert "余弦相似度" in printed(at)
    assert "a.pdf，第 3 页" in printed(at)


def test_a_pull_is_told_in_chinese() -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append, every_seconds=0, language="zh")
    progress.note("tiny: trying 2 pinned wheels")
    progress.begin("tiny: checking", 100_000_000)
    progress.advance(100_000_000)
    out = io.StringIO()
    with BarProgress(Console(file=out, force_terminal=True, width=140), "zh") as bars:
        bars.begin("tiny: unpacking", 1)
    assert lines == [
        "tiny：尝试来源：2 个固定版本的 wheel 包",
        "tiny：正在校验：100%，100/100 MB，0.0 MB/s，剩余时间未知",
    ]
    assert "tiny：正在解包" in out.getvalue()


def test_both_languages_have_the_same_places() -> None:
    for english, chinese in WORDS.values():
        assert sorted(re.findall(r"\{\w+", english)) == sorted(re.findall(r"\{\w+", chinese))


def test_the_setting_decides_the_language() -> None:
    assert (spoken_language("zh"), spoken_language("en")) == ("zh", "en")
