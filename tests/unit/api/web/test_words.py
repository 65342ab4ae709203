"""The two catalogues say the same things, and the pages say nothing that is in no catalogue."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from app.api.web.words import IN_BROWSER, catalogue, words_in

WEB = Path(__file__).parents[4] / "app" / "api" / "web"
EN, ZH = catalogue("en"), catalogue("zh")
PLURALS = (".one", ".other")
_CHINESE = re.compile("[\u4e00-\u9fff]")
_LETTERS = re.compile("[A-Za-z]{2,}")
SAME_IN_BOTH = {"language.name", "settings.language_zh", "settings.language_en", "language.switch"}
"""They name a language in itself."""


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def literals(folder: str, pattern: str) -> set[str]:
    """What a pattern finds in the files of a folder, nearest to how the code writes keys."""
    found: set[str] = set()
    for path in (WEB / folder).rglob("*.*"):
        if path.suffix in (".html", ".js"):
            found |= set(re.findall(pattern, path.read_text(encoding="utf-8")))
    return found


def test_both_catalogues_have_the_same_keys_in_the_same_order() -> None:
    assert list(EN) == list(ZH)
    assert len(EN) > 200


@pytest.mark.parametrize("key", EN)
def test_a_text_has_the_same_blanks_in_both_languages(key: str) -> None:
    assert fields(EN[key]) >= fields(ZH[key])
    assert fields(EN[key]) - fields(ZH[key]) == set(), key
    assert EN[key].strip() == EN[key] != ""
    assert ZH[key].strip() == ZH[key] != ""


@pytest.mark.parametrize("key", sorted(set(EN) - SAME_IN_BOTH))
def test_each_text_is_in_its_language(key: str) -> None:
    assert not _CHINESE.search(EN[key]), EN[key]
    assert _CHINESE.search(ZH[key]) or not _LETTERS.search(re.sub(r"\{\w+\}", "", ZH[key])), ZH[key]


def test_plurals_come_in_pairs() -> None:
    stems = {key.removesuffix(ending) for key in EN for ending in PLURALS if key.endswith(ending)}
    assert [stem for stem in stems if {stem + ending for ending in PLURALS} - EN.keys()] == []


def test_pages_use_only_keys_that_are_there() -> None:
    plain = literals("templates", r"""words\(["']([\w.-]+)["'](?! ~)""")
    counted = literals("templates", r"""words\.count\(["']([\w.-]+)["']""")
    assert len(plain) > 100
    assert plain - EN.keys() == set()
    assert {key for key in counted if key + ".one" not in EN} == set()


def test_scripts_use_only_keys_that_are_there() -> None:
    plain = {IN_BROWSER + key for key in literals("static", r"""\bsay\("([\w.]+)\"""")}
    counted = {IN_BROWSER + key for key in literals("static", r"""\bsayCount\("([\w.]+)\"""")}
    assert len(plain) > 30
    assert plain - EN.keys() == set()
    assert {key for key in counted if key + ".one" not in EN} == set()


def test_every_key_is_used() -> None:
    texts = "\n".join(
        path.read_text(encoding="utf-8") for path in WEB.rglob("*.*") if path.suffix in (".html", ".js", ".py")
    )
    built = set(re.findall(r"""["'`]([\w.]+[._])(?:["'] ~|\$\{)""", texts))

    def used(key: str) -> bool:
        stem = key.removeprefix(IN_BROWSER)
        for ending in PLURALS:
            stem = stem.removesuffix(ending)
        return f'"{stem}"' in texts or f"'{stem}'" in texts or any(stem.startswith(prefix) for prefix in built)

    assert [key for key in EN if not used(key)] == []


def test_values_are_no_templates() -> None:
    words = words_in("en")
    assert words("base.all") == EN["base.all"]
    assert "{0.__class__}" in words("ask.welcome", name="{0.__class__}")
    assert words.count("bases.documents", 1) == "1 document"
    assert words.count("bases.documents", 1500) == "1,500 documents"
    assert words_in("zh").count("bases.documents", 1) == words_in("zh").count("bases.documents", 2).replace("2", "1")
    with pytest.raises(KeyError):
        words("no.such.key")


def test_scripts_get_their_words_alone() -> None:
    given = words_in("zh").in_browser()
    assert given["searching"] == ZH["js.searching"]
    assert not any(key.startswith(IN_BROWSER) for key in given)
    assert "sign_in.title" not in given
