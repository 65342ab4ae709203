"""The documents are true: every setting, route, error, command and dependency that there is stands in them."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from app.cli.main import cli
from app.errors import errors_by_code
from app.settings import Settings
from app.types import Language
from tests.unit.api.test_bad_requests import described_routes

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["docs/settings.md", "docs/settings.zh-CN.md"])
def test_every_setting_is_documented(name: str) -> None:
    text = read(name)
    assert [field for field in Settings.model_fields if f"`MQA_{field.upper()}`" not in text] == []
    known = {f"MQA_{field.upper()}" for field in Settings.model_fields}
    assert set(re.findall(r"`(MQA_[A-Z_]+)`", text)) <= known


@pytest.mark.parametrize("name", ["docs/api.md", "docs/api.zh-CN.md"])
def test_every_route_and_error_is_documented(name: str) -> None:
    text = read(name)
    assert [f"{method} {path}" for method, path in described_routes() if f"`{method} {path}" not in text] == []
    assert [code for code in errors_by_code() if f"`{code}`" not in text] == []


@pytest.mark.parametrize(("name", "language"), [("docs/api.md", "en"), ("docs/api.zh-CN.md", "zh")])
def test_an_error_is_documented_in_its_own_words(name: str, language: Language) -> None:
    words = dict(re.findall(r"^\| `(\w+)` \| \d+ \| (.*) \|$", read(name), re.MULTILINE))
    said = {
        code: kind.zh if language == "zh" else " ".join((inspect.getdoc(kind) or "").split())
        for code, kind in errors_by_code().items()
    }
    assert {code: text for code, text in words.items() if code in said and said[code] != text} == {}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_names_what_exists(name: str) -> None:
    text = read(name)
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", text)) <= targets
    commands = set(get_command(cli).commands)  # type: ignore[attr-defined]
    assert (
        set(re.findall(r"manualqa (serve|ingest|ask|search|models|keys|bases|documents|jobs|doctor)\b", text))
        <= commands
    )
    assert {"serve", "test"} <= set(re.findall(r"make ([a-z-]+)", text))
    assert set(re.findall(r"MQA_[A-Z_]+", text)) <= {f"MQA_{field.upper()}" for field in Settings.model_fields}
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_every_dependency_is_pinned_and_explained() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    names = {re.split(r"[\[<>=; ]", entry)[0] for entry in project["dependencies"] + extras}
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in read("constraints.txt").splitlines()}
    assert {name for name in names if name.lower().replace("_", "-") not in pinned} == set()
    explained = read("docs/architecture.md").lower()
    assert {name for name in names if name.lower() not in explained} == set()


def test_the_project_speaks_of_no_machine() -> None:
    for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"):
        assert not re.search(r"/(root|home|work|tmp)/\w", path.read_text(encoding="utf-8")), path
