"""Which recipes fit some data, and why: what each declares, held against what was measured and what is asked for.

In the spirit of scikit-learn's chooser ("Choosing the right estimator"), but the questions whose answer lies in the
data are put to the data: one recipe of each family is tried on folds of some of the rows, and compared in pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from understudy.models.probes import Facts, Probe, as_good, best_of, far_behind, not_worse, share_of
from understudy.models.recipes import RECIPES, Recipe

Criterion = Literal[
    "metric",
    "linearity",
    "rows",
    "dimensions",
    "classes",
    "columns",
    "interpretability",
    "training time",
    "answering time",
    "online",
    "direction",
    "installation",
]
Bearing = Literal["for", "against", "bars"]
Fit = Literal["good", "possible", "poor", "barred"]
WIDE = 0.2
"""From so many features for each row on, data is wide."""
MANY_CLASSES = 20
FEATURES, ROWS = 30, 10_000
"""What `Traits.seconds` was measured on."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a model beside being right.

    Attributes
    ----------
    interpretable : bool
        A person must be able to follow it.
    online : bool
        It must take in row after row.
    monotone : bool
        The direction of a column is known, and must be kept.
    answer_micros, train_seconds : float, optional
        How long an answer, and a fit on all rows, may take.
    """

    interpretable: bool = False
    online: bool = False
    monotone: bool = False
    answer_micros: float | None = None
    train_seconds: float | None = None


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """What a criterion says of a recipe, and whether that speaks for it, against it, or bars it."""

    criterion: Criterion
    bearing: Bearing
    text: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How a recipe fits some data, and why."""

    recipe: str
    title: str
    family: str
    fit: Fit
    reasons: tuple[Reason, ...]


def judge(facts: Facts, probes: Sequence[Probe], wishes: Wishes, installed: Sequence[str]) -> tuple[Verdict, ...]:
    """How each recipe of the catalogue fits, the best first.

    Parameters
    ----------
    facts : Facts
    probes : sequence of Probe
    wishes : Wishes
    installed : sequence of str
        The optional libraries that are there.
    """
    best = best_of(probes)
    measured = {probe.family: probe for probe in probes if probe.family}
    found = []
    for recipe in RECIPES.values():
        if facts.kind not in recipe.kinds:
            continue
        probe = measured.get(recipe.traits.family)
        reasons = (
            *measured_reasons(recipe, probe, best, measured),
            *data_reasons(recipe, facts),
            *wish_reasons(recipe, facts, wishes),
            *installation(recipe, installed),
        )
        found.append(
            Verdict(
                recipe=recipe.name,
                title=recipe.title,
                family=recipe.traits.family,
                fit=fit_of(probe, best, reasons),
                reasons=reasons,
            )
        )
    gains = {family: probe.gain.estimate for family, probe in measured.items() if probe.gain is not None}
    order = {"good": 0, "possible": 1, "poor": 2, "barred": 3}
    return tuple(sorted(found, key=lambda one: (order[one.fit], -gains.get(one.family, float("-inf")))))


def fit_of(probe: Probe | None, best: Probe | None, reasons: Sequence[Reason]) -> Fit:
    """What the reasons come to."""
    bearings = {reason.bearing for reason in reasons}
    if "bars" in bearings:
        return "barred"
    if probe is None or best is None or probe.gain is None or far_behind(probe, best):
        return "poor"
    sure = probe.gain.lower > 0 and not_worse(probe, best)
    return "good" if sure and "against" not in bearings else "possible"


def measured_reasons(
    recipe: Recipe, probe: Probe | None, best: Probe | None, measured: Mapping[str, Probe]
) -> list[Reason]:
    """What the trial of its family says, and what it says about straight lines."""
    if probe is None or best is None:
        return []
    if probe.gain is None or probe.value is None:
        return [Reason(criterion="metric", bearing="against", text=f"it could not be tried: {probe.error}")]
    by = "" if probe.name == recipe.name else f" ({probe.title} tried)"
    text = f"{probe.value.estimate:.4g} [{probe.value.lower:.4g}, {probe.value.upper:.4g}]{by}"
    if probe is best:
        reason = Reason(criterion="metric", bearing="for", text=f"{text}, the best tried")
    elif probe.behind is not None and probe.behind.lower <= 0:
        reason = Reason(criterion="metric", bearing="for", text=f"{text}, not shown to be worse than the best")
    else:
        bearing: Bearing = "for" if as_good(probe, best) else "against"
        reason = Reason(
            criterion="metric", bearing=bearing, text=f"{text}, {share_of(probe, best):.0%} of the best gain"
        )
    return [reason, *linearity(recipe, best, measured)]


def linearity(recipe: Recipe, best: Probe, measured: Mapping[str, Probe]) -> list[Reason]:
    """Whether straight lines and sums are enough, for those recipes that know nothing else."""
    linear = measured.get("linear")
    if recipe.traits.bends or linear is None or linear.gain is None:
        return []
    if as_good(linear, best):
        text = "straight lines and sums do nearly as well as anything tried"
        return [Reason(criterion="linearity", bearing="for", text=text)]
    if not_worse(linear, best):
        return []
    return [Reason(criterion="linearity", bearing="against", text="curves or crossings matter, and it finds none")]


def data_reasons(recipe: Recipe, facts: Facts) -> list[Reason]:
    """What rows, dimensions, classes and kinds of columns say."""
    traits, reasons = recipe.traits, []
    if facts.rows < traits.fewest:
        text = f"{facts.rows:,} rows; it is worth a try from about {traits.fewest:,} on"
        reasons.append(Reason(criterion="rows", bearing="against", text=text))
    elif traits.most is not None and facts.rows > traits.most:
        text = f"of {facts.rows:,} rows it learns from {traits.most:,} only"
        reasons.append(Reason(criterion="rows", bearing="against", text=text))
    if not traits.wide and facts.features > WIDE * facts.rows:
        text = f"{facts.features:,} features for {facts.rows:,} rows: in so many dimensions nothing is near"
        reasons.append(Reason(criterion="dimensions", bearing="against", text=text))
    if facts.classes > MANY_CLASSES and traits.per_class:
        text = f"{facts.classes:,} answers: it needs a model for each"
        reasons.append(Reason(criterion="classes", bearing="against", text=text))
    if facts.texts and "word" not in recipe.views:
        text = "it does not read words"
        reasons.append(Reason(criterion="columns", bearing="against", text=text))
    return reasons


def wish_reasons(recipe: Recipe, facts: Facts, wishes: Wishes) -> list[Reason]:
    """What is asked for beside being right, each kept or not."""
    traits = recipe.traits
    training = training_seconds(recipe, facts)
    asked: list[tuple[Criterion, bool, bool, str]] = [
        ("interpretability", wishes.interpretable, traits.reads != "no", READS[traits.reads]),
        ("online", wishes.online, traits.online, ONLINE[traits.online]),
        ("direction", wishes.monotone, traits.monotone, DIRECTION[traits.monotone]),
        (
            "answering time",
            wishes.answer_micros is not None,
            wishes.answer_micros is None or traits.micros <= wishes.answer_micros,
            f"about {traits.micros:,.0f} µs an answer",
        ),
        (
            "training time",
            wishes.train_seconds is not None,
            wishes.train_seconds is None or training <= wishes.train_seconds,
            f"about {training:,.2g} s to fit on all rows",
        ),
    ]
    return [
        Reason(criterion=criterion, bearing="for" if holds else "bars", text=text)
        for criterion, wished, holds, text in asked
        if wished
    ]


READS = {
    "whole": "all of it can be read",
    "weights": "its weights can be read",
    "no": "a person cannot follow it",
}
ONLINE = {True: "it can take in row after row", False: "it must be fitted again on all rows"}
DIRECTION = {True: "it keeps to a known direction", False: "it cannot keep to a known direction"}


def installation(recipe: Recipe, installed: Sequence[str]) -> list[Reason]:
    """Whether its library is there."""
    if not recipe.extra or recipe.extra in installed:
        return []
    text = f"pip install 'understudy[{recipe.extra}]'"
    return [Reason(criterion="installation", bearing="against", text=text)]


def training_seconds(recipe: Recipe, facts: Facts) -> float:
    """About how long one fit takes on all rows, on one core of the machine that the traits were measured on."""
    traits = recipe.traits
    rows = min(facts.rows, traits.most or facts.rows)
    each = max(1, facts.classes - 1) if traits.per_class else 1
    return float(traits.seconds * (rows / ROWS) ** traits.growth * max(facts.features / FEATURES, 0.1) * each)
