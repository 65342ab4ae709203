"""What is wrong with a value that a model refused, in English and Chinese, by the type of pydantic's error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.types import Language

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WHOLE_NUMBER = ("must be a whole number", "须为整数")
_NUMBER = ("must be a number", "须为数字")
_TRUTH = ("must be true or false", "须为 true 或 false")
_OBJECT = ("must be a JSON object", "须为 JSON 对象")
_CHOICE = ("must be {expected}", "须为 {expected}")

FAULTS: Final[dict[str, tuple[str, str]]] = {
    "missing": ("is required", "必填"),
    "extra_forbidden": ("is not a known field", "没有这个字段"),
    "json_invalid": ("is not valid JSON", "不是有效的 JSON"),
    "string_type": ("must be text", "须为文本"),
    "string_unicode": ("is not valid Unicode", "不是有效的 Unicode 文本"),
    "string_too_short": ("must have {min_length} or more characters", "至少须有 {min_length} 个字符"),
    "string_too_long": ("must have {max_length} or fewer characters", "最多只能有 {max_length} 个字符"),
    "list_type": ("must be a list", "须为列表"),
    "too_short": ("must have {min_length} or more entries", "至少须有 {min_length} 项"),
    "too_long": ("must have {max_length} or fewer entries", "最多只能有 {max_length} 项"),
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "greater_than": ("must be more than {gt}", "须大于 {gt}"),
    "greater_than_equal": ("must be at least {ge}", "不得小于 {ge}"),
    "less_than": ("must be less than {lt}", "须小于 {lt}"),
    "less_than_equal": ("must be at most {le}", "不得大于 {le}"),
    "literal_error": _CHOICE,
    "enum": _CHOICE,
    "path_type": ("must be a path", "须为路径"),
    "path_not_directory": ("must be a folder that is there", "须为已存在的文件夹"),
    "web_address": ("must be an address that begins with http:// or https://", "须为以 http:// 或 https:// 开头的地址"),
    "key_length": ("must have {least} to {most} characters", "须为 {least} 到 {most} 个字符"),
}


def fault(error: ErrorDetails, language: Language) -> str:
    """What is wrong with one value, without its name; pydantic's own words where the type is a rare one."""
    known = FAULTS.get(error["type"])
    if known is None:
        return error["msg"]
    facts = {name: str(value).removesuffix(".0") for name, value in error.get("ctx", {}).items()}
    if language == "zh" and "expected" in facts:
        facts["expected"] = facts["expected"].replace(", ", "、").replace(" or ", " 或 ")
    return known[language == "zh"].format_map(facts)


def faults(errors: list[tuple[str, str]], language: Language) -> str:
    """One line of (name, what is wrong with it) pairs."""
    between, after = ("；", "：") if language == "zh" else ("; ", ": ")
    return between.join(f"{name}{after}{text}" for name, text in errors)
