"""Search tokens: what both sides of the keyword index, the manuals and the questions, are made of.

Chinese runs give dictionary words and all pairs of neighbouring characters; words are stemmed; codes (`E-04`,
`HL-L2350DW`, `rt_ota_init`, `AT+WSCAN`, `3.3V`) are kept whole and taken apart as well. Traditional and simplified
characters stay what they are: a question finds what is written as it is written.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import rjieba
import Stemmer

TOKENS_VERSION = "tokens-1"
"""Part of every index's fingerprint: raise it with any change of the tokens below."""

MAX_TOKEN = 64
"""Characters of a token; longer ones (keys in hexadecimal, base64) are cut there, in manuals and questions alike."""

_WORDS_KEPT = 16_384
"""Words whose tokens are kept, the last ones used: a manual's words come again and again. About 8 MB."""

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED = "\u0e00-\u0e7f\u3041-\u309f\u30a0-\u30ff\u1100-\u11ff\uac00-\ud7a3"
_WORD = rf"(?:(?![{_HAN}{_UNSPACED}])[^\W_])+"
_RUNS = re.compile(
    rf"(?P<han>[{_HAN}]+)|(?P<unspaced>[{_UNSPACED}]+)|(?P<latin>{_WORD}(?:[-_.+/:#&\u2010\u2011]{{1,2}}{_WORD})*)"
)
_DASHES = re.compile("[\u2010\u2011]")
_CONNECTORS = re.compile(r"[^\w.]+|_+|(?<!\d)\.+|\.+(?!\d)")  # not the point in 3.3
_PARTS = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+")
_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_POSSESSIVE = re.compile(r"(?<=\w)['\u2019]s\b")

_EMPTY_EN = """
    a an and any are as at be been by can could did do does for from had has have how i if in into is it its may me
    my of on or our please shall should so tell than that the their them then there these they this those to us was we
    were what when where which who whom whose why will with would you your"""
_EMPTY_ZH = """
    请 请问 问 如何 怎么 怎样 怎么样 怎么办 什么 什么样 是什么 为什么 为何 何 哪 哪里 哪儿 哪些 哪个 哪种 哪一 哪一个
    多少 几 几个 是否 能否 可否 吗 呢 吧 啊 呀 么 的 了 地 得 着 过 是 在 和 与 及 或 或者 也 都 就 还 把 被 对 于 从 向
    给 让 要 想 会 能 可以 应该 应 该 需要 有 有没有 这 那 这个 那个 这些 那些 我 你 您 它 我们 你们 他们 它们 一下 告诉
    时 时候 里 中 上 下 个 种"""
_STOP_WORDS = frozenset(_EMPTY_EN.split() + _EMPTY_ZH.split())


def index_tokens(text: str) -> list[str]:
    """The tokens of a piece of a manual, in order, repeated where the text repeats; none contains white space."""
    return list(_tokens(text))


def query_tokens(text: str) -> list[str]:
    """The distinct tokens of a question, in order, without its question words and other empty words.

    A question of nothing but such words keeps them: "如何" alone looks for "如何". A name such as WebNet stays whole
    here: the manual's WebNet gives "web" and "net" as well, and the question's would count three times.
    """
    telling = list(dict.fromkeys(_tokens(_without_stop_words(text), humps=False)))
    return telling or list(dict.fromkeys(_tokens(text, humps=False)))


def telling_words(text: str) -> list[str]:
    """`query_tokens` without the pairs that lie over the border of two words: of 主动上报, 主动 and 上报 but not 动上.

    For shares of a text's words, which such pairs would make small.
    """
    apart = (_words_apart(run) for run in _RUNS.finditer(_without_stop_words(text)))
    return list(dict.fromkeys(_tokens(" ".join(apart), humps=False))) or query_tokens(text)


def _words_apart(run: re.Match[str]) -> str:
    """The dictionary's words of a Chinese run, single characters left out; any other run as it is."""
    if run.lastgroup != "han":
        return run.group()
    return " ".join(word for word in rjieba.cut(run.group()) if len(word) > 1)


def _tokens(text: str, humps: bool = True) -> Iterator[str]:
    for run in _RUNS.finditer(_folded(text)):
        match run.lastgroup:
            case "han":
                yield from _han_tokens(run.group())
            case "unspaced":
                yield from _pairs(run.group())
            case _:
                word = run.group()
                yield from _kept_latin_tokens(word, humps) if len(word) <= MAX_TOKEN else _latin_tokens(word, humps)


def _folded(text: str) -> str:
    """Compatible characters as one (the full-width ones as the narrow), without the English genitive."""
    return _POSSESSIVE.sub("", text if text.isascii() else unicodedata.normalize("NFKC", text))


def _han_tokens(run: str) -> Iterator[str]:
    """Every pair of neighbours, and the dictionary's words of three characters and more (those of two are pairs)."""
    yield from _pairs(run)
    for word in rjieba.cut_for_search(run):
        if len(word) > 2:
            yield word[:MAX_TOKEN]


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for i in range(len(run) - 1):
        yield run[i : i + 2]


@lru_cache(_WORDS_KEPT)
def _kept_latin_tokens(word: str, humps: bool) -> tuple[str, ...]:
    return _latin_tokens(word, humps)


def _latin_tokens(run: str, humps: bool) -> tuple[str, ...]:
    """A plain word gives its stem; a code gives itself, itself without connectors, and its letters and numbers.

    With `humps`, a name such as WebNet gives its parts as well.
    """
    plain = _plain(run)
    seen = {_stemmed(plain): None, _stemmed(_CONNECTORS.sub("", plain)): None}
    pieces = _CONNECTORS.split(run)
    if not plain.isalpha():
        seen.update((_stemmed(_plain(piece)), None) for piece in pieces)
        seen.update((_stemmed(_plain(part)), None) for piece in pieces for part in _PARTS.findall(piece))
    if humps and _HUMPS.search(run):
        parts = [part for piece in pieces for hump in _HUMPS.split(piece) for part in _PARTS.findall(hump)]
        seen.update((_stemmed(_plain(part)), None) for part in parts)
    return tuple(token[:MAX_TOKEN] for token in seen if token)


def _plain(word: str) -> str:
    """Case and accents folded: `Größe` is `grosse`; the two dashes that are not "-" become it."""
    folded = _DASHES.sub("-", word).casefold()
    if folded.isascii():
        return folded
    bare = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    return unicodedata.normalize("NFKC", bare)


class _Stemmers(threading.local):
    """PyStemmer's objects keep state between calls, so each thread has its own."""

    def __init__(self) -> None:
        self.english: Any = Stemmer.Stemmer("english")


_stemmers = _Stemmers()


def _stemmed(word: str) -> str:
    """The stem of a word; a code as it is."""
    if not word.isalpha():
        return word
    stem: str = _stemmers.english.stemWord(word[:MAX_TOKEN])
    return stem


def _without_stop_words(text: str) -> str:
    """The question with a blank in place of each stop word; what stood together otherwise still does."""

    def keep(run: re.Match[str]) -> str:
        word = run.group()
        if run.lastgroup == "han":
            return "".join(" " if part in _STOP_WORDS else part for part in rjieba.cut(word))
        return " " if word.casefold() in _STOP_WORDS and not (len(word) > 1 and word.isupper()) else word

    return _RUNS.sub(keep, _folded(text))
