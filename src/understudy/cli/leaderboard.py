"""How a search stands, as a table."""

from __future__ import annotations

from rich.table import Table

from understudy.cli.show import plain_table
from understudy.models.recipes import RECIPES
from understudy.models.search import Standing, Trial

ROWS = 12
ORDER = {"complete": 0, "running": 1, "pruned": 1, "failed": 2}


def leaderboard(standing: Standing, rows: int = ROWS) -> Table:
    """The best trials of a search, with rank, recipe, loss, folds, seconds and weight in the blend.

    Those that all folds have judged come first, by loss, then those that some have judged, then what failed.
    """
    table = plain_table("", "recipe", "loss", "folds", "seconds", "weight", "", right=("", "loss", "seconds", "weight"))
    ranked = sorted(standing.trials, key=place)
    for rank, trial in enumerate(ranked[:rows], start=1):
        weight = standing.weights.get(trial.number, 0.0)
        table.add_row(
            str(rank),
            RECIPES[trial.recipe].title if trial.recipe in RECIPES else trial.recipe,
            "" if trial.score is None else f"{trial.score:.5g}",
            f"{len(trial.fold_scores)} of {standing.folds}",
            f"{trial.seconds:.1f}",
            f"{weight:.0%}" if weight else "",
            f"[dim]{said(trial)}[/dim]",
        )
    if len(ranked) > rows:
        table.add_row("", f"[dim]and {len(ranked) - rows} more[/dim]")
    return table


def place(trial: Trial) -> tuple[int, float, int]:
    """Where a trial stands: by how far it came, then by its loss, then by its number."""
    return ORDER[trial.state], float("inf") if trial.score is None else trial.score, trial.number


def said(trial: Trial) -> str:
    """What is to be said of a trial, in a word or a sentence."""
    if trial.state == "complete":
        return trial.note
    return f"{trial.state}: {trial.error}" if trial.error else trial.state
