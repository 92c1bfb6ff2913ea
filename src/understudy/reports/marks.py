"""Text as Markdown shows it: nothing in it is a mark, a link, a tag or a mention."""

from __future__ import annotations

import re

SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#$!&])")
MENTION = re.compile(r"@(?=\w)")
LEADING = re.compile(r"^([-+]|\d+[.)])(?=\s)")
ADDRESS = re.compile(r"(?i)\b(https?|ftp|www)(?=[:.])")
NOTHING = "\u2060"
"""A word joiner: not seen, and no part of a name."""


def plain(text: str) -> str:
    """Text of others on one line, with every sign that means something in Markdown taken at its face.

    >>> plain("a | b\\n<b>*c*</b> @me")
    'a \\\\| b \\\\<b\\\\>\\\\*c\\\\*\\\\</b\\\\> @\\u2060me'
    """
    line = SPECIAL.sub(r"\\\1", " ".join(text.split()))
    line = ADDRESS.sub(rf"\1{NOTHING}", MENTION.sub(f"@{NOTHING}", line))
    return LEADING.sub(lambda found: found[0][:-1] + "\\" + found[0][-1], line)


def code(text: str) -> str:
    """Text as code in a table's cell; longer fences where it holds some itself.

    >>> code("a`b"), code("a | b")
    ('``a`b``', '`a \\\\| b`')
    """
    line = " ".join(text.split()).replace("|", "\\|")
    if not line:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{fence}{space}{line}{space}{fence}"


def row(cells: list[str]) -> str:
    """One row of a table."""
    return f"| {' | '.join(cells)} |"


def table(heads: list[str], rows: list[list[str]], right: list[bool]) -> str:
    """A table; where `right` holds, a column's cells stand to the right.

    >>> print(table(["a", "b"], [["x", "1"]], [False, True]))
    | a | b |
    | :-- | --: |
    | x | 1 |
    """
    rule = ["--:" if number else ":--" for number in right]
    return "\n".join([row(heads), row(rule), *(row(cells) for cells in rows)])
