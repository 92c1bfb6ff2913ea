"""How results look in a terminal, and as JSON."""

from __future__ import annotations

import sys

import msgspec
from rich.console import Console
from rich.table import Table

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def show_json(value: object) -> None:
    """Print one JSON object for machines."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def plain_table(*headers: str, right: tuple[str, ...] = ()) -> Table:
    """A table without a frame; the columns named in `right` hold numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", overflow="fold")
    return table
