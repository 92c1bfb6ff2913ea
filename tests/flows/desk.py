"""A workspace that serves, for the tests of its flows."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from conftest import claims
from understudy.core.nouns import Level
from understudy.flows.decide import Asked, Result, decide_batch
from understudy.flows.head import Head, Library, load_head
from understudy.flows.moves import apply_task, set_level
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.workspace import Workspace, open_workspace
from understudy.store.casebook import find_seqs
from understudy.store.ledger import guesses

FRESH = claims(400, seed=7).drop("pay", "paid_amount")
WHY = "A trial on the tests' own claims."


class Hands:
    """A clock that stands until it is set."""

    def __init__(self, at: int = 1_700_000_000_000_000) -> None:
        self.at = at

    def now(self) -> int:
        return self.at

    def elapsed(self) -> float:
        return self.at / 1e6


def desk(ran: Path, place: Path, *edits: tuple[str, str], clock: Hands | None = None) -> Library:
    """A copy of a workspace that has been run, its task file edited and applied, and its clock in our hands."""
    root = place / "work"
    shutil.copytree(ran, root)
    file = root / "tasks" / "claims.toml"
    text = file.read_text()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)
    found = open_workspace(root)
    work = Workspace(found.root, found.settings, found.store, found.artifacts, found.engine, clock or Hands())
    apply_task(work, "claims", actor="ann")
    return Library(work)


def to_level(library: Library, level: Level, thresholds: dict[str, float] | None = None) -> Head:
    """The task at a level, by override."""
    set_level(library.work, "claims", level, actor="ann", why=WHY, thresholds=thresholds, overriding=True)
    return load_head(library, "claims")


def ask(head: Head, ids: Iterable[str], rows: pl.DataFrame = FRESH, *, named: bool = True) -> list[Result]:
    """Ask for decisions on the first rows."""
    cases = zip(ids, rows.iter_rows(named=True), strict=False)
    return decide_batch(head, [Asked(name, named, row) for name, row in cases])[0]


def said(library: Library, ids: Iterable[str]) -> list[str]:
    """What the champion thinks of recorded cases."""
    head = load_head(library, "claims")
    with library.work.store.reading() as connection:
        seqs = find_seqs(connection, head.number, ids)
        found = guesses(connection, list(seqs.values()))
    return [found[seqs[name]][0].prediction for name in ids]


def other(answer: str) -> str:
    """The other of the two answers."""
    return "no" if answer == "yes" else "yes"


def tell(library: Library, ids: Iterable[str], answers: Iterable[str]) -> None:
    """Outcomes come."""
    given = [Outcome(id=name, outcome=answer) for name, answer in zip(ids, answers, strict=True)]
    give_outcomes(load_head(library, "claims"), "shop", given)
