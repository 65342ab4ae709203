"""Every metric, verdict and reason has a name in both languages."""

from __future__ import annotations

import ast
import inspect
from typing import get_args

import pytest

from app.types import Language
from eval import scoring
from eval.figures import Verdict
from eval.metrics import METRICS
from eval.wording import GROUPS, REASONS, STAGES, VERDICTS, metric_name, reason_name


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_every_verdict_has_a_name() -> None:
    assert set(VERDICTS) == set(get_args(Verdict))


def test_every_reason_that_scoring_gives_has_a_name() -> None:
    """Whatever text a function that says why returns is a key of a name."""
    tree = ast.parse(inspect.getsource(scoring))
    functions = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.name.startswith("_why")]
    returned = [r.value for f in functions for r in ast.walk(f) if isinstance(r, ast.Return) and r.value]
    given = {
        constant.value
        for value in returned
        for constant in ast.walk(value)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    }
    assert len(given) > 8
    assert given <= set(REASONS)


@pytest.mark.parametrize("table", [VERDICTS, REASONS, GROUPS, STAGES])
def test_both_languages(table: dict[str, tuple[str, str]]) -> None:
    assert [key for key, (english, chinese) in table.items() if is_chinese(english) or not is_chinese(chinese)] == []


@pytest.mark.parametrize(("language", "chinese"), [("en", False), ("zh", True)])
def test_metrics_are_explained(language: Language, chinese: bool) -> None:
    assert {is_chinese(info.means(language)) for info in METRICS.values()} == {chinese}
    assert len({info.name(language) for info in METRICS.values()}) == len(METRICS)


def test_an_unknown_key_stays_readable() -> None:
    assert (reason_name("later", "zh"), reason_name(None, "zh"), metric_name("later", "en")) == ("later", "", "later")
