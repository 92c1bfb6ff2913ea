"""What a version rests on, column by column, and what follows from that."""

from __future__ import annotations

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
MOST_NAMED = 12


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


def explanation_actions(found: Explanations) -> tuple[Action, ...]:
    """What the importances suggest: look at a column that carries all, leave out those that carry nothing.

    Leaving out columns wins nothing but simplicity as far as can be told without a refit, so that the gain is 0.
    """
    actions = []
    dominant = found.dominant
    if dominant is not None:
        name, whole = dominant.columns[0], found.importances.whole
        share = dominant.metric.estimate / whole.estimate
        actions.append(
            Action(
                kind="fix leak",
                subject=name,
                what=f"Make sure that {name} is known when the decision is made, and does not follow from the answer",
                why=(
                    f"Without it {min(share, 1.0):.0%} of all that the model knows is lost, and beside it no other "
                    "column adds a twentieth of that. A column that is filled in afterwards looks like this; so does "
                    "an honest one that decides alone."
                ),
                effort="hours",
                chapter="explanations",
            )
        )
    rest = [one for one in found.importances.columns if one.columns[0] in found.idle]
    actions += [drop_action(one, found) for one in rest[:MOST_NAMED] if len(found.importances.columns) > len(rest)]
    return tuple(actions)


def drop_action(one: Importance, found: Explanations) -> Action:
    """The action for a column that is not shown to matter."""
    name = one.columns[0]
    twin = next((group for group in found.importances.together if name in group.columns), None)
    others = [] if twin is None else [other for other in twin.columns if other != name]
    beside = f" It goes together with {', '.join(f'{other}' for other in others)}." if others else ""
    return Action(
        kind="drop feature",
        subject=name,
        what=f"Try it without {name}",
        why=(
            f"With its values dealt out at random, {100 * one.wrong.estimate:.2f} more of 100 decisions are wrong "
            f"({100 * one.wrong.lower:.2f} to {100 * one.wrong.upper:.2f}): it is not shown to matter.{beside} Without "
            "it the model is simpler, cheaper and asks people for less; only a refit tells for sure."
        ),
        gain=Evidence(
            estimate=0.0,
            lower=min(0.0, -one.wrong.upper),
            upper=max(0.0, -one.wrong.lower),
            confidence=one.wrong.confidence,
            n=one.wrong.n,
            method=one.wrong.method,
        ),
        share=1.0,
        effort="minutes",
        chapter="explanations",
    )
