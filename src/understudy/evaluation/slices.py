"""Where is the model wrong? Sub-populations whose loss is above that of the other cases, found and then tested.

Half of the rows are searched for the slices that lose most; the other half, which had no part in the choice, tells
whether they are really worse and by how much (sample splitting; Cox 1975, "A note on data-dependent choice of
hypotheses", Biometrika 62). So a table without any weak spot shows none, however many slices were compared.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import polars as pl

from understudy.core.evidence import Evidence
from understudy.evaluation.slice_evidence import Control, Gap, adjusted, gap, gap_evidence
from understudy.evaluation.slice_facets import Facet, Predicate
from understudy.evaluation.slice_rows import Rows, all_facets, board_of, halves, known_rows, tail_cap
from understudy.evaluation.slice_search import Terms, search
from understudy.evaluation.slice_sums import Place
from understudy.evaluation.words import bounds, estimate


class SlicePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How slices are searched and tested.

    Attributes
    ----------
    alpha : float
        At most this is the chance that any slice is called worse that is not (`holm`), or the expected share of such
        ones among those called worse (`bh`).
    control : {"holm", "bh"}
    most : int
        The most slices that are tested.
    least : int
        The fewest rows of a slice in the half that is searched.
    largest : float
        The largest share of all cases that is a slice, in (0, 1): of most cases one would say where they are not.
    pairs : bool
        Whether slices of two predicates are searched besides those of one.
    most_facets : int
        So many measures of columns are paired, those that tell most alone; all of them are searched alone.
    seed : int
        Which rows go to which half.
    """

    alpha: float = 0.05
    control: Control = "holm"
    most: int = 10
    least: int = 30
    largest: float = 0.5
    pairs: bool = True
    most_facets: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not at {self.alpha}")
        if not 0 < self.largest < 1:
            raise ValueError(f"a slice's largest share lies between 0 and 1, not at {self.largest}")
        if self.most < 1 or self.least < 2 or self.most_facets < 1:
            raise ValueError(
                "at least one slice of two rows and one facet are searched; "
                f"got most={self.most}, least={self.least}, most_facets={self.most_facets}"
            )


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A sub-population, as the half of the rows sees it that had no part in finding it.

    Attributes
    ----------
    predicates : tuple of Predicate
        One or two, all of which hold.
    n : int
        Rows in that half.
    share : float
        Of all cases, weighted.
    loss, rest : float
        The mean loss inside and outside.
    excess : Evidence
        How much higher it is inside, per case of the slice.
    recoverable : Evidence
        By how much the mean loss of all cases would fall if the slice were like the rest: excess times share, without
        the rows of slices found before it, so that the slices' figures add up. The share is taken as it is seen here.
    effect : float
        √2 times the excess over the root of the sum of both variances.
    p, adjusted : float
        The larger p-value of both tests, that of the excess and that without the rows of slices found before; and
        the same with all tested slices counted.
    significant : bool
        Whether the adjusted p-value is at most alpha.

    The bounds of one figure, `excess` or `recoverable`, hold for all tested slices together with their confidence.
    """

    predicates: tuple[Predicate, ...]
    n: int
    share: float
    loss: float
    rest: float
    excess: Evidence
    recoverable: Evidence
    effect: float
    p: float
    adjusted: float
    significant: bool

    @property
    def words(self) -> str:
        """The slice in plain words."""
        return " and ".join(one.words for one in self.predicates)

    @property
    def condition(self) -> str:
        """The slice as a SQL condition over canonical types, fit for a mandate."""
        return " AND ".join(one.condition for one in self.predicates)

    @property
    def sentence(self) -> str:
        """What is known of it."""
        worse = f"by {estimate(self.excess)} ({bounds(self.excess)})"
        if not self.significant:
            return f"{self.words}: not shown to be worse; the mean loss may differ {worse}."
        return f"{self.words}: {self.share:.1%} of the cases, with a mean loss that is higher {worse} than elsewhere."


class Slices(msgspec.Struct, frozen=True, kw_only=True):
    """What a search has come to.

    Attributes
    ----------
    found : tuple of Slice
        The significant ones first, in the order of the lower bound of what is recoverable.
    compared : int
        How many slices were compared in the half that was searched.
    searched, tested : int
        The rows of either half.
    unknown : int
        Rows without a loss, which were left out.
    loss : float
        The mean loss in the half that tested.
    cap : float, optional
        Larger losses count as this much in every figure, since a heavy tail would hide everything else.
    capped : float
        The share of tested rows with a larger loss.
    alpha : float
    control : str
    """

    found: tuple[Slice, ...]
    compared: int
    searched: int
    tested: int
    unknown: int
    loss: float
    cap: float | None
    capped: float
    alpha: float
    control: Control

    @property
    def significant(self) -> tuple[Slice, ...]:
        """The slices that are worse than the rest."""
        return tuple(one for one in self.found if one.significant)


def find_slices(
    frame: pl.DataFrame,
    loss: np.ndarray,
    plan: SlicePlan | None = None,
    *,
    prose: Collection[str] = (),
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Slices:
    """The sub-populations that lose most, of one or two predicates.

    Parameters
    ----------
    frame : pl.DataFrame
        The cases, in canonical types; all columns are searched, also those that the model does not see.
    loss : ndarray of shape (n,)
        What each case's answer cost, by a model that was not trained on it: 0 or 1, log loss, a cost, a squared or
        absolute error; NaN where it is not known. Losses with more than 20 different values are winsorised: the
        largest 1 % above 0 (5 % where the tail is heavy) count as much as the smallest of them. The cut is taken from
        the half that is searched.
    plan : SlicePlan, optional
    prose : collection of str
        Columns of text that are searched by their words.
    weights : ndarray of shape (n,), optional
        How many cases each row stands for.
    groups : ndarray of shape (n,), optional
        Rows that belong together, as those of one customer: they go to one half, and count as one observation.

    Raises
    ------
    ValueError
        Lengths differ, no loss is known, a loss is infinite, or a weight is not a number from 0 on.

    >>> rng = np.random.default_rng(0)
    >>> table = pl.DataFrame({"month": rng.choice(["March", "May"], 4000), "amount": rng.integers(0, 50, 4000) * 100})
    >>> bad = (table["amount"] >= 4000).to_numpy() & (table["month"] == "March").to_numpy()
    >>> wrong = rng.random(4000) < np.where(bad, 0.5, 0.05)
    >>> result = find_slices(table, wrong * 1.0)
    >>> result.found[0].words
    'month is March and amount is 4,000 or more'
    >>> result.found[0].condition
    '"month" = \\'March\\' AND "amount" >= 4000'
    """
    plan = plan or SlicePlan()
    rows = known_rows(frame, loss, weights, groups)
    searched, tested = halves(rows, plan.seed)
    cap = tail_cap(searched.loss)
    facets = all_facets(capped(searched, cap), prose, plan.least)
    terms = Terms(
        most=plan.most, least=plan.least, largest=plan.largest, most_facets=plan.most_facets, pairs=plan.pairs
    )
    places, compared = search(board_of(capped(searched, cap), facets), terms)
    confirmed = capped(tested, cap)
    mean = float(np.average(confirmed.loss, weights=confirmed.weights))
    return Slices(
        found=judged(confirmed, facets, places, plan),
        compared=compared,
        searched=len(searched.loss),
        tested=len(tested.loss),
        unknown=int(np.isnan(loss).sum()),
        loss=mean,
        cap=cap,
        capped=0.0 if cap is None else float(np.average(tested.loss > cap, weights=tested.weights)),
        alpha=plan.alpha,
        control=plan.control,
    )


def capped(rows: Rows, cap: float | None) -> Rows:
    """The rows with their tail cut."""
    return rows if cap is None else replace(rows, loss=np.minimum(rows.loss, cap))


@dataclass(frozen=True)
class Tried:
    """A slice on the rows that test it: with all rows, and without those of slices found before."""

    predicates: tuple[Predicate, ...]
    rows: int
    share: float
    whole: Gap
    fresh_share: float
    fresh: Gap

    @property
    def p(self) -> float:
        """The larger p-value: both must show it."""
        return max(self.whole.p, self.fresh.p)


def judged(rows: Rows, facets: list[Facet], found: list[tuple[Place, ...]], plan: SlicePlan) -> tuple[Slice, ...]:
    """The slices as tested, the significant ones first, in the order of what is surely recoverable."""
    before = np.zeros(len(rows.loss), dtype=bool)
    tried = []
    for places in found:
        inside = slice_mask(rows, facets, places)
        one = try_slice(rows, tuple(facets[facet].predicates[at] for facet, at in places), inside, before)
        tried += [] if one is None else [one]
        before |= inside
    levels = adjusted(np.array([one.p for one in tried]), plan.control)
    slices = [told(one, float(level), len(tried), plan) for one, level in zip(tried, levels, strict=True)]
    return tuple(sorted(slices, key=lambda one: (-one.significant, -one.recoverable.lower, -one.recoverable.estimate)))


def slice_mask(rows: Rows, facets: list[Facet], places: tuple[Place, ...]) -> np.ndarray:
    """Which rows a slice takes in."""
    held = [facets[facet].holds[at][facets[facet].read(rows.column(facets[facet].column))] for facet, at in places]
    return np.asarray(np.logical_and.reduce(held))


def try_slice(rows: Rows, predicates: tuple[Predicate, ...], inside: np.ndarray, before: np.ndarray) -> Tried | None:
    """A slice's excess, and that of its rows which are in no slice found before; None where rows are too few."""
    left = rows.only(~before)
    fresh = inside[~before]
    whole, apart = (gap(one.loss, mask, one.weights, one.groups) for one, mask in ((rows, inside), (left, fresh)))
    if whole is None or apart is None:
        return None
    weight = np.ones(len(rows.loss)) if rows.weights is None else rows.weights
    return Tried(
        predicates=predicates,
        rows=int(inside.sum()),
        share=float(weight[inside].sum() / weight.sum()),
        whole=whole,
        fresh_share=float(weight[inside & ~before].sum() / weight.sum()),
        fresh=apart,
    )


def told(one: Tried, level: float, tested: int, plan: SlicePlan) -> Slice:
    """A slice with what was found of it."""
    significant = level <= plan.alpha
    above_zero = significant and plan.control == "holm"
    return Slice(
        predicates=one.predicates,
        n=one.rows,
        share=one.share,
        loss=one.whole.inside,
        rest=one.whole.outside,
        excess=gap_evidence(one.whole, times=1.0, alpha=plan.alpha, tested=tested, above_zero=above_zero),
        recoverable=gap_evidence(
            one.fresh, times=one.fresh_share, alpha=plan.alpha, tested=tested, above_zero=above_zero
        ),
        effect=one.whole.effect,
        p=one.p,
        adjusted=level,
        significant=significant,
    )
