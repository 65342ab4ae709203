"""What pydantic refuses is told in both languages."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core.core_schema import ErrorType

from app.catalogue.keys import Role
from app.validation import FAULTS, fault, faults

OWN = {"path_type", "path_not_directory", "key_length", "web_address"}


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=2, max_length=4)] = "ab"
    count: Annotated[int, Field(ge=1, le=50)] = 1
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    flag: bool = False
    language: Literal["zh", "en"] = "en"
    role: Role = Role.READER
    items: Annotated[list[str], Field(min_length=1, max_length=1)] = ["a"]


class Needed(BaseModel):
    name: str


def said(model: type[BaseModel], value: object) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    error = caught.value.errors()[0]
    return fault(error, "en"), fault(error, "zh")


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        ({"name": "a"}, "must have 2 or more characters", "至少须有 2 个字符"),
        ({"name": "abcde"}, "must have 4 or fewer characters", "最多只能有 4 个字符"),
        ({"name": 1}, "must be text", "须为文本"),
        ({"count": 0}, "must be at least 1", "不得小于 1"),
        ({"count": 51}, "must be at most 50", "不得大于 50"),
        ({"count": "x"}, "must be a whole number", "须为整数"),
        ({"count": 1.5}, "must be a whole number", "须为整数"),
        ({"share": 0}, "must be more than 0", "须大于 0"),
        ({"share": 1}, "must be less than 1", "须小于 1"),
        ({"share": []}, "must be a number", "须为数字"),
        ({"flag": "maybe"}, "must be true or false", "须为 true 或 false"),
        ({"language": "fr"}, "must be 'zh' or 'en'", "须为 'zh' 或 'en'"),
        ({"role": "king"}, "must be 'reader', 'editor' or 'admin'", "须为 'reader'、'editor' 或 'admin'"),
        ({"items": "a"}, "must be a list", "须为列表"),
        ({"items": []}, "must have 1 or more entries", "至少须有 1 项"),
        ({"items": ["a", "b"]}, "must have 1 or fewer entries", "最多只能有 1 项"),
        ({"other": 1}, "is not a known field", "没有这个字段"),
        ([], "must be a JSON object", "须为 JSON 对象"),
    ],
)
def test_common_faults(value: object, english: str, chinese: str) -> None:
    assert said(Asked, value) == (english, chinese)


def test_a_missing_field() -> None:
    assert said(Needed, {}) == ("is required", "必填")


def test_a_rare_fault_keeps_the_words_of_pydantic() -> None:
    rare: Any = {"type": "url_parsing", "loc": ("u",), "msg": "Input should be a valid URL", "input": "x"}
    assert fault(rare, "zh") == "Input should be a valid URL"


def test_every_type_is_one_of_pydantic_and_in_both_languages() -> None:
    assert set(FAULTS) <= {*get_args(ErrorType), *OWN}  # not of its core
    for english, chinese in FAULTS.values():
        assert re.findall(r"\{\w+\}", english) == re.findall(r"\{\w+\}", chinese)
        assert re.search("[\u4e00-\u9fff]", chinese)


def test_several_faults_on_one_line() -> None:
    pairs = [("a", "x"), ("b", "y")]
    assert (faults(pairs, "en"), faults(pairs, "zh")) == ("a: x; b: y", "a：x；b：y")
