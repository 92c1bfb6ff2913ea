"""All chapters of a report, one after the other."""

from __future__ import annotations

from . import labels, measures, rests, said, shaken, sureness, where
from .ledger import Ledger
from .seen import Seen


def recompute(seen: Seen) -> Ledger:
    """Every figure of a report once more."""
    ledger = Ledger()
    for chapter in (measures, sureness, where, labels, rests, shaken, said):
        chapter.recompute(seen, ledger)
    return ledger
