"""Every phrase that the code puts into a sentence has its Chinese, and what users wrote is left alone."""

from __future__ import annotations

import ast
import errno
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from app.api.problems import reason
from app.errors import (
    DataFolderLocked,
    DocumentTooCostly,
    KnowledgeBaseNotFound,
    ModelUnavailable,
    Unreadable,
    WeightsMissing,
    errors_by_code,
)
from app.phrases import CHINESE, PHRASE_PARAMETERS, chinese, translated
from app.validation import FAULTS

APP = Path(__file__).parents[2] / "app"
SOURCES = (APP, APP.parent / "eval")
ERRORS = {kind.__name__ for kind in errors_by_code().values()} | {"kind"}
PLACES = {"missing": 0, "_missing": 1, "_set": 1, "ModelStatus": 2, "PartState": 2, "begin": 0, "note": 0}
PLACES |= {"BadRowError": 0, "Row": 2, "_said": 0}
"""Calls that carry a phrase to a user, and which of their arguments it is."""

BUILT = {f"7 {english}" for english, _ in FAULTS.values()}
BUILT |= {"7 is worse by 7 points: 7 before, 7 after"}
BUILT |= {"replica 7: 7", "7 is not valid", "line 7: 7", "7 more lines", "called unanswerable, yet it has answers"}
"""Put together from parts, which no scan sees; the tests of question sets and replicas provoke them."""

STATES = {"ready", "starting", "down", "off", "degraded"}


@dataclass
class Module:
    """One source file: where its names get their values, and what its functions return."""

    tree: ast.Module
    seen: set[int] = field(default_factory=set)

    def phrases(self) -> Iterator[str]:
        for call in (node for node in ast.walk(self.tree) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name in ERRORS:
                for keyword in call.keywords:
                    if keyword.arg in PHRASE_PARAMETERS:
                        yield from self.texts(keyword.value)
            if name in PLACES:
                yield from (text for argument in call.args[PLACES[name] :][:1] for text in self.texts(argument))
                yield from (text for word in call.keywords if word.arg == "detail" for text in self.texts(word.value))

    def texts(self, node: ast.expr) -> Iterator[str]:
        """The texts that an expression may be, with 7 for each value in them, and the texts of those values."""
        if id(node) in self.seen:
            return
        self.seen.add(id(node))
        if isinstance(node, ast.Constant) and re.search("[a-z]", str(node.value)):
            yield str(node.value)
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
        for inner in self._inside(node):
            yield from self.texts(inner)

    def _inside(self, node: ast.expr) -> Iterable[ast.expr]:
        match node:
            case ast.JoinedStr(values=parts):
                return [part.value for part in parts if isinstance(part, ast.FormattedValue)]
            case ast.IfExp(body=one, orelse=other):
                return [one, other]
            case ast.BoolOp(values=values):
                return values
            case ast.Name(id=name):
                return self._values_of(name)
            case ast.Call(func=ast.Name(id=name)):
                return self._returns_of(name)
            case _:
                return []

    def _values_of(self, name: str) -> Iterator[ast.expr]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == name for target in node.targets):
                yield node.value

    def _returns_of(self, name: str) -> Iterator[ast.expr]:
        for function in self.tree.body:
            if isinstance(function, ast.FunctionDef) and function.name == name:
                for node in ast.walk(function):
                    if isinstance(node, ast.Return) and node.value is not None:
                        yield node.value


@cache
def used() -> dict[str, str]:
    """Phrase -> file, for all of the source; a text with Chinese in it needs none."""
    found = {}
    for path in (path for source in SOURCES for path in sorted(source.rglob("*.py"))):
        for text in Module(ast.parse(path.read_text(encoding="utf-8"))).phrases():
            if not re.search("[\u4e00-\u9fff]", text):
                found[text] = path.relative_to(APP.parent).as_posix()
    return found


def filled(phrase: str) -> str:
    return re.sub(r"\{\w+\}", "7", phrase)


def test_every_phrase_in_the_source_has_its_chinese() -> None:
    phrases = used()
    assert {phrase: place for phrase, place in phrases.items() if chinese(phrase) is None} == {}
    known = {"too slow", "7 characters", "process 7, 7", "the model hub does not answer", "7: checking", "HTTP 7"}
    assert known <= set(phrases), "the scan lost what it has to find"


def test_every_phrase_of_the_table_is_used() -> None:
    from_outside = STATES | {os.strerror(number) for number in errno.errorcode}
    built = {filled(phrase) for phrase in BUILT}
    unused = {phrase for phrase in CHINESE if filled(phrase) not in used().keys() | built} - from_outside
    assert unused <= {"The local model server"}


@pytest.mark.parametrize("phrase", CHINESE)
def test_a_phrase_is_taken_for_no_other(phrase: str) -> None:
    assert chinese(filled(phrase)) == filled(CHINESE[phrase])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("20000000 characters", "20000000 个字符"),
        ("ended with code -9", "进程已退出，退出码 -9"),
        ("process 123, http://127.0.0.1:8080", "进程 123，http://127.0.0.1:8080"),
        ("cannot start: Permission denied", "无法启动：没有权限"),
        (
            "the model hub does not answer; no wheel of x; the download stood still",
            "模型库没有应答；没有 x 的 wheel 包；下载停滞",
        ),
        ("m: trying the model hub (owner/m)", "m：尝试来源：模型库（owner/m）"),
        (
            "m: checking: 25%, 50 of 200 MB, 3.5 MB/s, 43 s left",
            "m：正在校验：25%，50/200 MB，3.5 MB/s，剩余 43 秒",
        ),
    ],
)
def test_values_and_phrases_inside_a_phrase(text: str, words: str) -> None:
    assert translated(text, "zh") == words
    assert translated(text, "en") == text


@pytest.mark.parametrize("text", ["", "?", "{0}", "many characters", "something else; too slow", "无法连接"])
def test_what_is_no_phrase_stays(text: str) -> None:
    assert translated(text, "zh") == text


def test_errors_speak_chinese_throughout() -> None:
    assert ModelUnavailable(reason="too slow").message("zh") == "语言模型没有应答：响应太慢。"
    assert ModelUnavailable(reason="too slow").message("en") == "The language model does not answer: too slow."
    assert "（进程 7，http://h）" in DataFolderLocked(folder="/d", owner="process 7, http://h").message("zh")
    assert "超过上限（20 秒）" in DocumentTooCostly(name="a.pdf", limit="20 s").message("zh")
    assert "（3 个文件中只有 1 个）" in WeightsMissing(name="m", reason="1 of 3 files are there").message("zh")


def test_names_of_users_are_never_translated() -> None:
    assert "too slow" in KnowledgeBaseNotFound(ref="too slow").message("zh")
    assert "no connection" in Unreadable(name="no connection", reason="it stops the reader").message("zh")


def test_a_stored_error_is_translated_when_it_is_shown() -> None:
    stored = {"name": "a.pdf", "reason": "it does not begin like a PDF"}
    shown = reason("unreadable", stored, "zh")
    assert shown is not None
    assert "文件开头不是 PDF 格式" in shown.message
