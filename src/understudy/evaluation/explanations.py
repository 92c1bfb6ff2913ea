"""What a version rests on, column by column, and what follows from that."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action
from understudy.evaluation.effects import ColumnEffect
from understudy.evaluation.importance import Importance, Importances
from understudy.evaluation.words import bounds, estimate

DOMINANT = 0.5
"""Of all that a model knows, the share that is lost without a suspicious column: the others may know some of it too."""

BESIDE = 0.05
"""What each other column adds beside a suspicious one, at most, as a share of what that adds."""

FEWEST_COLUMNS = 3
MOST_NAMED = 5
IDLE = "columns not shown to matter"
"""The row of the worklist that they share; its name stays the same from version to version."""


class NamedEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What one more of something is worth in a linear member: a factor on the odds, or what it adds to the number."""

    name: str
    effect: Evidence


class Explanations(msgspec.Struct, frozen=True, kw_only=True):
    """What a version rests on.

    Attributes
    ----------
    importances : Importances
    effects : tuple of ColumnEffect
        How the answer moves along the most important columns.
    coefficients : tuple of NamedEffect
        Of a linear member, estimated without its penalty on rows that did not choose its columns.
    member : str
        Which member that is; empty where there is none.
    positive : str
        The answer whose odds they multiply; empty for numbers.
    """

    importances: Importances
    effects: tuple[ColumnEffect, ...]
    coefficients: tuple[NamedEffect, ...] = ()
    member: str = ""
    positive: str = ""

    @property
    def idle(self) -> tuple[str, ...]:
        """Columns that the model is not shown to rest on, neither alone nor with those that stand for them."""
        held = {name for group in self.importances.together if group.shown for name in group.columns}
        return tuple(one.columns[0] for one in self.importances.columns if not one.shown and one.columns[0] not in held)

    @property
    def dominant(self) -> Importance | None:
        """The column that carries nearly all that the model knows while no other matters, if there is one."""
        found, whole = self.importances.columns, self.importances.whole
        if len(found) < FEWEST_COLUMNS or whole.lower <= 0 or not found[0].shown:
            return None
        own = found[0].metric.estimate
        beside = max(one.metric.estimate for one in found[1:])
        return found[0] if own > DOMINANT * whole.estimate and beside < BESIDE * own else None

    @property
    def words(self) -> str:
        """The finding in a sentence or two."""
        shown = [one for one in self.importances.columns if one.shown]
        if not shown:
            return "No single column is shown to matter: what it knows, it knows from several at once, or not at all."
        first = shown[0]
        names = " and ".join(one.columns[0] for one in shown[1:3])
        more = f" Next come {names}." if names else " No other column is shown to matter."
        return (
            f"It rests most on {first.columns[0]}: with its values dealt out at random, {self.importances.title} gets "
            f"worse by {estimate(first.metric)} ({bounds(first.metric)}).{more}"
        )


def explanation_actions(found: Explanations, *, refitted: Collection[str] = ()) -> tuple[Action, ...]:
    """What the importances suggest: look at a column that carries all, leave out those that carry nothing.

    Columns that carry nothing share one row, without a gain: what leaving them out wins only a refit tells.

    Parameters
    ----------
    found : Explanations
    refitted : collection of str
        Columns without which it was fitted again: that says more of them than what is said here.
    """
    dominant = found.dominant
    actions = [] if dominant is None else [ask_about(dominant, found)]
    idle = set(found.idle)
    rest = [one for one in reversed(found.importances.columns) if one.columns[0] in idle]
    asked = [one for one in rest if one.columns[0] not in refitted]
    if asked and len(rest) < len(found.importances.columns):
        actions.append(drop_action(asked))
    return tuple(actions)


def ask_about(dominant: Importance, found: Explanations) -> Action:
    """The action for a column that carries all."""
    name = dominant.columns[0]
    share = dominant.metric.estimate / found.importances.whole.estimate
    return Action(
        kind="fix leak",
        subject=name,
        what=f"Make sure that {name} is known when the decision is made, and does not follow from the answer",
        why=(
            f"Without it {min(share, 1.0):.0%} of all that the model knows is lost, and beside it no other "
            "column adds a twentieth of that. A column that is filled in afterwards looks like this; so does "
            "an honest one that decides alone."
        ),
        effort="minutes",
        chapter="explanations",
    )


def drop_action(idle: Sequence[Importance]) -> Action:
    """The action for the columns that are not shown to matter, the least important first."""
    names = [one.columns[0] for one in idle]
    most = 100 * max(one.wrong.upper for one in idle)
    if len(names) == 1:
        dealt = f"With its values dealt out at random at most {most:.2f} more of 100 decisions are wrong"
        ends = "it is not shown to matter. Without it"
    else:
        dealt = (
            f"With the values of any one of these {len(names)} columns dealt out at random at most {most:.2f} more of "
            "100 decisions are wrong"
        )
        ends = "none is shown to matter, though one may stand in for another. Without them"
    return Action(
        kind="drop feature",
        subject=IDLE,
        what=f"Try it without {listed(names)}",
        why=f"{dealt}: {ends} the model is simpler, cheaper and asks people for less; only a refit tells for sure.",
        effort="minutes",
        chapter="explanations",
    )


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c", "d", "e", "f", "g"])
    ('a, b and c', 'a, b, c, d, e and 2 more')
    """
    if len(names) > MOST_NAMED + 1:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])
