"""What a mark of a picture says when it is pointed at, without a script."""

from __future__ import annotations

import re

MARK = re.compile(
    r'<(?P<tag>\w+) aria-label="(?P<label>[^"]*)" role="graphics-symbol"'
    r' aria-roledescription="(?P<kind>[^"]*)"(?P<rest>[^>]*?)/>'
)
WITHIN = re.compile(r' (?:role="graphics-[a-z]+"|aria-[a-z]+="[^"]*")')
DIGITS = re.compile(r"-?\d+\.\d{3,}(?:e[-+]\d+)?")
INNER = re.compile(r"[a-z][a-z0-9]?: ")
"""Fields of the chart's own, such as `u`, that have no title."""

POINTED_AT = ("point", "bar", "circle", "square", "rect mark", "tick")
"""Lines and areas are drawn as one mark, which would say what holds of its first point alone."""


def with_tooltips(svg: str) -> str:
    """A picture whose points and bars carry their figures as `<title>`, which browsers show.

    The roles of the marks are dropped: a picture is read out by its own text, as a whole.

    >>> with_tooltips('<svg role="img"><path aria-label="share: 8.25000%; u: 1" role="graphics-symbol"'
    ...               ' aria-roledescription="bar" d="M0,0"/></svg>')
    '<svg role="img"><path d="M0,0"><title>share: 8.25%</title></path></svg>'
    """
    head, end, body = svg.partition(">")
    return head + end + WITHIN.sub("", MARK.sub(pointed_at, body))


def pointed_at(mark: re.Match[str]) -> str:
    """A mark with its figures."""
    said = "; ".join(part for part in mark["label"].split("; ") if not INNER.match(part))
    opened = f"<{mark['tag']}{mark['rest']}"
    if mark["kind"] not in POINTED_AT or not said:
        return f"{opened}/>"
    return f"{opened}><title>{DIGITS.sub(short, said)}</title></{mark['tag']}>"


def short(number: re.Match[str]) -> str:
    """A number with four significant digits.

    >>> DIGITS.sub(short, "81.666667%")
    '81.67%'
    """
    return f"{float(number[0]):.4g}"
