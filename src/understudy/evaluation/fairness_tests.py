"""Each group against all other cases, with all comparisons counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.core.evidence import Evidence
from understudy.evaluation.fairness_clusters import Clustered, cells_of, clustered
from understudy.evaluation.fairness_found import Comparison, FairnessPlan, Group, Standing
from understudy.evaluation.fairness_rates import (
    Apart,
    Sample,
    Tally,
    apart,
    rate,
    tally,
)
from understudy.evaluation.slice_evidence import adjusted
from understudy.evaluation.slice_facets import Predicate

OWN = 0.05
"""The chance that the bounds of one rate, taken by itself, are wrong."""

SHARES = {"error": 0.5, "other": 0.25, "crossed": 0.25}
"""How alpha is parted: half to the errors of single groups, on which the verdict rests."""


@dataclass(frozen=True)
class Cut:
    """One way to part the rows, a column or two.

    Attributes
    ----------
    rows : int
    groups : list of tuple of Predicate
    tallies : dict of Tally
        The sums of each measure in each group.
    clustered : dict of Clustered
        The same over clusters; empty where rows are independent.
    """

    rows: int
    groups: list[tuple[Predicate, ...]]
    tallies: dict[str, Tally]
    clustered: dict[str, Clustered]


@dataclass(frozen=True)
class Test:
    """One comparison: its family, and a key that is the same where two comparisons are one and the same."""

    __test__ = False

    family: str
    key: tuple[object, ...]
    apart: Apart


def cut_of(
    samples: dict[str, Sample], codes: np.ndarray, groups: list[tuple[Predicate, ...]], clusters: np.ndarray | None
) -> Cut:
    """The sums of each measure in each group."""
    tallies = {name: tally(sample, codes, len(groups)) for name, sample in samples.items()}
    if clusters is None:
        return Cut(len(codes), groups, tallies, {})
    cells = cells_of(clusters, codes, len(groups))
    return Cut(len(codes), groups, tallies, {name: clustered(sample, cells) for name, sample in samples.items()})


def present(cut: Cut) -> list[int]:
    """The groups that have rows."""
    return np.flatnonzero(cut.tallies["error"].n).tolist()


def compared(cut: Cut, measure: str, code: int, least: int) -> Apart | None:
    """One group against all other rows; None where either has too few."""
    counts = cut.tallies[measure].n
    if min(counts[code], counts.sum() - counts[code]) < least:
        return None
    return cut.clustered[measure].apart(code) if cut.clustered else apart(cut.tallies[measure], code)


Tests = dict[tuple[int, int, str], Test]


def single_tests(cuts: list[Cut], least: int) -> Tests:
    """The comparisons of all groups of single columns, by cut, group and measure; of base rates none are made."""
    tests: Tests = {}
    for place, cut in enumerate(cuts):
        codes = present(cut)
        for code in codes:
            for measure in cut.tallies:
                found = None if measure == "base" else compared(cut, measure, code, least)
                if found is not None:
                    same = min(codes) if len(codes) == 2 else code  # of two groups either comparison says both
                    family = "error" if measure == "error" else "other"
                    tests[place, code, measure] = Test(family, (place, same, measure), found)
    return tests


def crossed_tests(cuts: list[Cut], first: int, least: int) -> Tests:
    """The comparisons of intersections, by cut (from number `first` on), group and measure."""
    tests: Tests = {}
    for place, cut in enumerate(cuts, start=first):
        for code in present(cut):
            for measure in cut.tallies:
                found = compared(cut, measure, code, least)
                if found is not None:
                    tests[place, code, measure] = Test("crossed", (place, code, measure), found)
    return tests


def holm(tests: Tests) -> tuple[dict[tuple[object, ...], float], dict[str, int]]:
    """Adjusted p-values by key, to be held against alpha, and how many different comparisons each family has."""
    levels: dict[tuple[object, ...], float] = {}
    counts: dict[str, int] = {}
    for family, share in SHARES.items():
        ps = {test.key: test.apart.p for test in tests.values() if test.family == family}
        stepped = adjusted(np.array(list(ps.values())), "holm")
        counts[family] = len(ps)
        levels |= {key: min(1.0, float(p) / share) for key, p in zip(ps, stepped, strict=True)}
    return levels, counts


@dataclass(frozen=True)
class Telling:
    """What is needed to tell a group's figures."""

    plan: FairnessPlan
    tests: Tests
    levels: dict[tuple[object, ...], float]
    counts: dict[str, int]

    def group(self, place: int, cut: Cut, code: int) -> Group:
        """One group with all its figures."""
        figures = {}
        for measure in cut.tallies:
            one = self.comparison(place, cut, code, measure)
            if one is not None:
                figures[measure] = one
        n = int(cut.tallies["error"].n[code])
        return Group(
            predicates=cut.groups[code],
            n=n,
            share=n / cut.rows,
            standing=standing(figures["error"], n, self.plan),
            figures=figures,
        )

    def comparison(self, place: int, cut: Cut, code: int, measure: str) -> Comparison | None:
        """One measure of one group; None where it cannot be measured."""
        own = self.rate(cut, measure, code, OWN)
        together = self.rate(cut, measure, code, OWN / max(1, len(present(cut))))
        if own is None or together is None:
            return None
        test = self.tests.get((place, code, measure))
        if test is None:
            return Comparison(rate=own, together=together)
        level = self.levels[test.key]
        significant = level <= self.plan.alpha
        alpha = self.plan.alpha * SHARES[test.family] / self.counts[test.family]
        bounds = agreeing(test.apart.difference(alpha), test.apart.estimate, 0.0, significant=significant)
        ratio = test.apart.ratio(alpha)
        if ratio is not None:
            ratio = agreeing(ratio, test.apart.here / test.apart.there, 1.0, significant=significant)
        return Comparison(
            rate=own,
            together=together,
            rest=test.apart.there,
            difference=self.evidence(test, test.apart.estimate, bounds),
            ratio=None if ratio is None else self.evidence(test, test.apart.here / test.apart.there, ratio),
            adjusted=level,
            significant=significant,
        )

    def rate(self, cut: Cut, measure: str, code: int, alpha: float) -> Evidence | None:
        """A rate by itself."""
        return cut.clustered[measure].rate(code, alpha) if cut.clustered else rate(cut.tallies[measure], code, alpha)

    def evidence(self, test: Test, estimate: float, bounds: tuple[float, float]) -> Evidence:
        """A difference or ratio with bounds that hold for all comparisons together."""
        exact = np.isnan(test.apart.error)
        method = "exact bounds, squared and added" if exact else "Welch t"
        return Evidence(
            estimate=estimate,
            lower=bounds[0],
            upper=bounds[1],
            confidence=1 - self.plan.alpha,
            n=test.apart.n_here,
            method=f"{method}, {sum(self.counts.values())} comparisons together",
        )


def agreeing(bounds: tuple[float, float], estimate: float, none: float, *, significant: bool) -> tuple[float, float]:
    """Bounds that say the same as the test: apart from "no difference" if it is shown, else with it.

    Where Holm's procedure has shown a difference, bounds may end at "none" (Guilbaud 2008, Biometrical J. 50); wider
    bounds are never wrong.
    """
    lower, upper = bounds
    if not significant:
        return min(lower, none), max(upper, none)
    return (max(lower, none), upper) if estimate > none else (lower, min(upper, none))


def standing(error: Comparison, n: int, plan: FairnessPlan) -> Standing:
    """What is known of a group's errors."""
    gap = error.difference
    if gap is None:
        return "few" if n < plan.least else "alone"
    if error.significant:
        return "worse" if gap.estimate > 0 else "better"
    return "alike" if -plan.limit <= gap.lower and gap.upper <= plan.limit else "open"
