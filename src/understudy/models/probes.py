"""What a first look at some data shows: whether it takes a model, and which kinds of model keep up with the best.

One recipe of each family is tried on folds of some of the rows, and compared in pairs with the best one and with
knowing nothing of the case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from understudy.core.evidence import Evidence
from understudy.core.nouns import Kind

Enough = Literal["nothing", "today", "rules", "model"]

MARGIN = 0.1
"""What costs at most a tenth of the best one's gain over the baseline counts as as good."""

PROBES: Mapping[str, str] = {
    "rules": "rules",
    "tree": "tree",
    "linear": "logistic",
    "bayes": "bayes",
    "neighbours": "neighbours",
    "kernels": "svm",
    "forests": "forest",
    "boosting": "lightgbm",
    "network": "network",
}
"""The recipe that stands for each family; for numbers `ridge` stands for the linear ones."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the data is like.

    Attributes
    ----------
    kind : {"classification", "regression"}
    rows, columns, features : int
        Rows with an answer; columns that are used; what they are encoded to.
    texts : int
        How many of the columns are prose.
    classes, rarest : int
        How many answers there are, and how many rows the rarest has; 0 for numbers.
    measured : int
        On how many rows recipes were tried.
    """

    kind: Kind
    rows: int
    columns: int
    features: int
    texts: int = 0
    classes: int = 0
    rarest: int = 0
    measured: int = 0


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """How one recipe, or what decides today, did on folds of some of the rows.

    Attributes
    ----------
    name, title : str
    family : str
        Empty for what decides today.
    value : Evidence, optional
        The metric.
    gain : Evidence, optional
        By how much it beats knowing nothing of the case; positive is better, whatever the metric.
    behind : Evidence, optional
        By how much the best one beats it.
    error : str
        Why it could not be tried.
    """

    name: str
    title: str
    family: str
    value: Evidence | None = None
    gain: Evidence | None = None
    behind: Evidence | None = None
    error: str = ""


def best_of(probes: Sequence[Probe]) -> Probe | None:
    """The recipe with the largest gain; None where none could be tried. What decides today does not compete."""
    tried = [probe for probe in probes if probe.gain is not None and probe.family]
    return max(tried, key=lambda probe: probe.gain.estimate if probe.gain else 0.0, default=None)


def as_good(probe: Probe, best: Probe) -> bool:
    """Whether it surely loses at most a tenth of the best one's gain over knowing nothing."""
    if probe.behind is None or best.gain is None:
        return probe is best
    return probe.behind.upper <= MARGIN * best.gain.estimate


def not_worse(probe: Probe, best: Probe) -> bool:
    """Whether it surely loses little, or is not shown to lose anything."""
    return as_good(probe, best) or probe.behind is None or probe.behind.lower <= 0


def far_behind(probe: Probe, best: Probe) -> bool:
    """Whether it loses more than it may, and probably a third of the best one's gain."""
    if probe.behind is None or best.gain is None or not_worse(probe, best):
        return False
    return probe.behind.estimate > best.gain.estimate / 3


def what_is_enough(probes: Sequence[Probe], facts: Facts) -> tuple[Enough, str]:
    """Whether it takes a model at all, and why.

    Parameters
    ----------
    probes : sequence of Probe
        Their intervals hold together.
    facts : Facts
    """
    best = best_of(probes)
    if best is None or best.gain is None:
        return "nothing", f"no recipe could be tried: {'; '.join(probe.error for probe in probes if probe.error)}"
    signals = [probe for probe in probes if probe.gain is not None and probe.gain.lower > 0]
    if not signals:
        reach = max(probe.gain.upper for probe in probes if probe.gain is not None)
        return "nothing", (
            "no recipe is surely better than knowing nothing of the case: the columns tell too little, or "
            f"{facts.measured:,} rows are too few to show it. A gain of up to {reach:.3g} remains possible"
        )
    today = next((probe for probe in probes if not probe.family), None)
    if today is not None and as_good(today, best):
        return "today", f"{today.title} {kept(today, best)}: a model has little to add"
    rules = next((probe for probe in probes if probe.family == "rules"), None)
    if rules is not None and as_good(rules, best):
        return "rules", f"a list of rules {kept(rules, best)}: it can be applied without machine learning"
    lost = "" if rules is None or rules.behind is None else f"; a list of rules {kept(rules, best)}"
    return "model", f"{best.title} is surely better than knowing nothing of the case{lost}"


def kept(probe: Probe, best: Probe) -> str:
    """How much of the best one's gain it has, in words."""
    share = share_of(probe, best)
    return f"gains no less than {best.title}" if share >= 1 else f"has {share:.0%} of the gain of {best.title}"


def share_of(probe: Probe, best: Probe) -> float:
    """What share of the best one's gain it has, at least 0."""
    if probe.gain is None or best.gain is None or best.gain.estimate <= 0:
        return 0.0
    return max(0.0, probe.gain.estimate / best.gain.estimate)
