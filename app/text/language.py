"""Which of the two languages a question is asked in."""

from __future__ import annotations

import re

from app.types import Language

_CJK = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(r"(?<![\w.+/-])[A-Za-z][a-z]*(?![\w+/-])")
_GRAMMAR = """a an and are as at be but by can could did do does for from had has have how i if in is it my not of on or
    should that the there they this to was were what when where which who why will with would you your"""
_GRAMMAR_WORDS = frozenset(_GRAMMAR.split())
_WORDS_FOR_GRAMMAR = 2.0
_WORDS_FOR_NAMES = 0.2


def detect_language(text: str) -> Language:
    """ "zh" or "en", by the share of Chinese characters; "en" where there is no letter at all.

    Codes, names and menu entries are quoted in either language, so words that carry English grammar count for
    `_WORDS_FOR_GRAMMAR` Chinese characters each and other Latin words for next to nothing:
    "AT+WSCAN 返回 OK 吗" is Chinese, "What does 打印机 mean?" is English.
    """
    chinese = len(_CJK.findall(text))
    words = [word.casefold() for word in _WORD.findall(text)]
    grammar = sum(word in _GRAMMAR_WORDS for word in words)
    english = grammar * _WORDS_FOR_GRAMMAR + (len(words) - grammar) * _WORDS_FOR_NAMES
    return "zh" if chinese and chinese >= english else "en"
