"""Every error speaks both languages, has a code of its own, and survives a pickle (durable steps store them)."""

import pickle
import string

import pytest

from app.errors import DocumentTooCostly, ManualqaError, errors_by_code

KINDS = sorted(errors_by_code().items())


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize(("code", "kind"), KINDS)
def test_both_languages_say_the_same_things(code: str, kind: type[ManualqaError]) -> None:
    error = kind("inner-state-7", name="x")
    english = kind.__doc__ or ""
    assert fields(english) == fields(kind.zh), code
    assert error.message("en") != error.message("zh")
    assert "inner-state-7" not in error.message("en")
    assert any("\u4e00" <= character <= "\u9fff" for character in error.message("zh"))
    assert 400 <= kind.status < 600


def test_codes_are_unique() -> None:
    assert len(KINDS) == len({kind for _, kind in KINDS})


def test_an_error_survives_a_pickle() -> None:
    error = DocumentTooCostly("secret detail", name="a.pdf", limit="20 s", setting="MQA_PARSE_SECONDS")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (copy.params, copy.detail, copy.message("zh")) == (error.params, error.detail, error.message("zh"))


def test_a_missing_parameter_does_not_hide_the_error() -> None:
    assert "?" in DocumentTooCostly().message("en")
