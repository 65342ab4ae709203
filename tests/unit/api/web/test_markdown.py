"""What a model wrote can look like something and do nothing."""

from __future__ import annotations

import re

import pytest

from app.api.web.markdown import ALLOWED, inline

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://example.org/x.png)",
    "<https://example.org>",
    "https://example.org",
    "<svg/onload=alert(1)>",
    "**<b onmouseover=alert(1)>**",
    "`<script>`",
    "&lt;script&gt;",
    "&#x3c;img src=x&#x3e;",
    "<!-- --><style>*{}</style>",
    "# heading\n\n<iframe src=//example.org>",
    "<a href='data:text/html,x'>y</a>",
    "a\x00<b>",
]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Hold **MODE** for *5* s.", "Hold <strong>MODE</strong> for <em>5</em> s."),
        ("Type `a<b>`.", "Type <code>a&lt;b&gt;</code>."),
        ("3 * 4 * 5 = 60", "3 * 4 * 5 = 60"),
        ("part_no_12", "part_no_12"),
        ("按住 **MODE** 键 5 秒。", "按住 <strong>MODE</strong> 键 5 秒。"),
        ("5 < 6 & 7 > 2", "5 &lt; 6 &amp; 7 &gt; 2"),
        ("- Press OK", "- Press OK"),
    ],
)
def test_emphasis_and_code_are_rendered(text: str, html: str) -> None:
    assert str(inline(text)) == html


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_but_the_allowed_tags_comes_out_and_none_with_an_attribute(text: str) -> None:
    tags = re.findall(r"<(/?)([^>]*)>", str(inline(text)))
    assert {name for _, name in tags} <= ALLOWED
