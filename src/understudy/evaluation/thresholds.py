"""From which probability on to answer yes: what each threshold costs, and what changing it would save.

The threshold with the lowest cost on some rows costs more on others, since it was chosen to suit them. So what it would
save is told by cross-fitting: each part of the rows is judged by the threshold that the other parts choose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.evaluation.cells import cell_codes, cell_counts, drawn_counts, from_edge_up, score_edges
from understudy.evaluation.estimates import mean_evidence
from understudy.evaluation.intervals import bootstrap_weights, group_codes, method_name
from understudy.evidence.fixed import clopper_pearson

FOLDS = 5
FINE = 1000
SHOWN = 120
PRESENT = 0.5
ABOVE_PRESENT = float(np.nextafter(PRESENT, 1.0))
DRAWS = 200
ALPHA = 0.05
TIE = 1e-12
NEVER = float(np.nextafter(1.0, 2.0))
"""A threshold that no probability reaches."""
FEW = 100
"""With fewer answers that change, bounds on what they save are exact ones."""


class CostPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold, and what it costs per case, with bounds that hold for it by itself."""

    threshold: float
    cost: float
    lower: float
    upper: float


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """What thresholds cost.

    Attributes
    ----------
    priced : bool
        Whether mistakes have prices; else each counts as 1 and a cost is a share of wrong answers.
    false_yes, missed_yes : float
        The price of answering yes where it is no, and no where it is yes.
    points : tuple of CostPoint
    present : Evidence
        The cost per case of the most probable answer.
    mean_price : float
        What one of its mistakes costs on average.
    optimum : Evidence
        The threshold with the lowest cost on these rows, and where it lies in bootstrap draws.
    optimum_cost : float
        Its cost on the rows that chose it: flattered.
    by_theory : float
        Where the threshold would lie if the probabilities were right: false_yes over the sum of both prices.
    saving : Evidence, optional
        What a threshold chosen on other rows costs less than the most probable answer, per case; None where that
        cannot be told.
    fewer_wrong : Evidence, optional
        How many fewer answers are wrong with it, per case; below 0 where dear mistakes are bought off with cheap ones.
    changed : float
        The share of cases that get another answer.
    """

    priced: bool
    false_yes: float
    missed_yes: float
    points: tuple[CostPoint, ...]
    present: Evidence
    mean_price: float
    optimum: Evidence
    optimum_cost: float
    by_theory: float
    saving: Evidence | None
    fewer_wrong: Evidence | None
    changed: float

    @property
    def better(self) -> bool:
        """Whether another threshold is shown to cost less."""
        return self.saving is not None and self.saving.lower > 0


def threshold_costs(
    y: np.ndarray,
    positive: np.ndarray,
    prices: np.ndarray,
    *,
    priced: bool,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Thresholds | None:
    """What thresholds cost, and whether another one than that of the most probable answer would save something.

    Parameters
    ----------
    y : ndarray of shape (n,)
        1 for yes, else 0.
    positive : ndarray of shape (n,)
        The probability of yes.
    prices : ndarray of shape (2, 2)
        Rows by truth, columns by answer, as from `price_table`.
    priced : bool
        Whether the prices are the task's.
    seed : int
        Of the bootstrap and of the folds.
    groups : ndarray of shape (n,), optional
        Rows of one group are drawn together and lie in one fold.

    Returns
    -------
    Thresholds, or None where only one class occurs or both mistakes cost nothing.
    """
    false_yes, missed_yes = float(prices[0, 1]), float(prices[1, 0])
    units = len(y) if groups is None else group_codes(groups)[0]
    if not 0 < np.mean(y) < 1 or false_yes + missed_yes == 0 or units < 2:
        return None
    edges = np.unique(np.append(score_edges(y, positive, FINE), [ABOVE_PRESENT, NEVER]))
    costs = per_threshold(cell_counts(y, positive, edges), prices)
    drawn = drawn_counts(y, positive, edges, seed=seed, groups=groups)
    draws = per_threshold(drawn[drawn.sum(axis=(1, 2)) > 0], prices)
    best = int(cheapest(edges, costs))
    now = positive > PRESENT
    enough = units >= 2 * FOLDS
    cross = CrossFit.of(y, positive, edges, prices, seed=seed, groups=groups)
    return Thresholds(
        priced=priced,
        false_yes=false_yes,
        missed_yes=missed_yes,
        points=points(edges, costs, draws),
        present=mean_evidence(prices[y, now.astype(np.int64)], groups=groups),
        mean_price=float(prices[y, now.astype(np.int64)].sum() / max(np.count_nonzero(now != y), 1)) or 1.0,
        optimum=optimum(edges, best, draws, units, groups),
        optimum_cost=float(costs[best]),
        by_theory=false_yes / (false_yes + missed_yes),
        saving=cross.saving(prices) if enough else None,
        fewer_wrong=cross.saving(1.0 - np.eye(2)) if enough else None,
        changed=float(np.mean(now != cross.later)),
    )


def per_threshold(counts: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """The cost per case of answering yes from each edge on, for counts of shape (…, 2, cells)."""
    above, totals = from_edge_up(counts), counts.sum(axis=-1)
    missed = totals[..., 1, None] - above[..., 1, :]
    whole = np.maximum(totals.sum(axis=-1), 1.0)
    return np.asarray((prices[0, 1] * above[..., 0, :] + prices[1, 0] * missed) / whole[..., None])


def cheapest(edges: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """The place of the threshold with the lowest cost along the last axis, of equals the nearest to the present one."""
    equal = costs <= costs.min(axis=-1, keepdims=True) + TIE
    return np.asarray(np.where(equal, np.abs(edges - PRESENT), np.inf).argmin(axis=-1))


@dataclass(frozen=True)
class CrossFit:
    """Rows that are judged by thresholds that other rows chose.

    Attributes
    ----------
    y, positive : ndarray of shape (n,)
    edges : ndarray of shape (e,)
        The thresholds to choose from; the present one is among them.
    prices : ndarray of shape (2, 2)
        By which they are chosen.
    counts : ndarray of shape (folds, 2, e + 1)
        How many of each class lie in each cell.
    draws : ndarray of shape (draws, folds, 2, e + 1)
        The same in bootstrap draws.
    later : ndarray of bool, shape (n,)
        Whether each row is answered yes by the threshold that the other folds choose.
    groups : ndarray of shape (n,), optional
    """

    y: np.ndarray
    positive: np.ndarray
    edges: np.ndarray
    prices: np.ndarray
    counts: np.ndarray
    draws: np.ndarray
    later: np.ndarray
    groups: np.ndarray | None

    @classmethod
    def of(
        cls,
        y: np.ndarray,
        positive: np.ndarray,
        edges: np.ndarray,
        prices: np.ndarray,
        *,
        seed: int,
        groups: np.ndarray | None,
    ) -> CrossFit:
        """Part the rows, and let each part be judged by the others."""
        fold, shape = folds(len(y), seed, groups), (FOLDS, 2, len(edges) + 1)
        codes = fold * (2 * shape[2]) + cell_codes(y, positive, edges)
        counts = np.bincount(codes, minlength=math.prod(shape)).reshape(shape).astype(np.float64)
        chosen = edges[cheapest(edges, per_threshold(counts.sum(axis=0) - counts, prices))]
        if groups is None:
            draws = np.random.default_rng(seed).poisson(counts, (DRAWS, *shape)).astype(np.float64)
        else:
            weighted = bootstrap_weights(len(y), DRAWS, seed, groups)
            draws = np.array([np.bincount(codes, w, minlength=math.prod(shape)).reshape(shape) for w in weighted])
        return cls(y, positive, edges, prices, counts, draws, positive >= chosen[fold], groups)

    def saved(self, counts: np.ndarray, judged: np.ndarray) -> np.ndarray:
        """What the thresholds of the other folds save per case, at the given prices."""
        rest = counts.sum(axis=-3, keepdims=True) - counts
        chosen = cheapest(self.edges, per_threshold(rest, self.prices))
        now = int(np.searchsorted(self.edges, ABOVE_PRESENT))
        costs, sizes = per_threshold(counts, judged), counts.sum(axis=(-1, -2))
        saved = costs[..., now] - np.take_along_axis(costs, chosen[..., None], axis=-1)[..., 0]
        return np.asarray((saved * sizes).sum(axis=-1) / np.maximum(sizes.sum(axis=-1), 1.0))

    def saving(self, judged: np.ndarray) -> Evidence:
        """What is saved per case, with bounds that count that the thresholds were chosen by chance, too.

        The rows of a fold judge thresholds to whose choice the others lent their chance, so folds hang together and the
        standard error of the mean is too small. That of the whole choice in bootstrap draws is not. Where few answers
        change, the bounds are widened to exact ones.
        """
        plain = switch_evidence(self.y, self.positive > PRESENT, self.later, judged, self.groups)
        error = float(self.saved(self.draws, judged).std(ddof=1))
        half = float(stats.norm.isf(ALPHA / 2)) * error
        return msgspec.structs.replace(
            plain,
            lower=min(plain.lower, plain.estimate - half),
            upper=max(plain.upper, plain.estimate + half),
            method=f"cross-fitted in {FOLDS} folds, {method_name(len(self.draws), self.groups)}",
        )


def folds(n: int, seed: int, groups: np.ndarray | None) -> np.ndarray:
    """The fold of each row by lot, in equal parts; the rows of one group stay together."""
    units, member = (n, None) if groups is None else group_codes(groups)
    lot = np.random.default_rng(seed).permutation(units) % FOLDS
    return lot if member is None else lot[member]


def switch_evidence(
    y: np.ndarray, now: np.ndarray, later: np.ndarray, prices: np.ndarray, groups: np.ndarray | None
) -> Evidence:
    """What answers that change save per case.

    Where many change the bounds are Student's; where few do they are exact given which ones change, as in McNemar's
    test (1947, Psychometrika 12): of those that change in one direction, the share that wins has Clopper & Pearson's
    bounds.
    """
    switched = now != later
    if groups is not None or np.count_nonzero(switched) >= FEW:
        saved = prices[y, now.astype(np.int64)] - prices[y, later.astype(np.int64)]
        return mean_evidence(saved, groups=groups)
    ways = [(switched & later, prices[1, 0], prices[0, 1]), (switched & now, prices[0, 1], prices[1, 0])]
    taken = [(way, won, lost) for way, won, lost in ways if way.any()]
    found = np.zeros(3)
    for way, won, lost in taken:
        wins = y[way] == later[way]
        share = clopper_pearson(int(wins.sum()), len(wins), alpha=ALPHA / len(taken))
        for place, held in enumerate((share.estimate, share.lower, share.upper)):
            found[place] += len(wins) * (won * held - lost * (1 - held)) / len(y)
    estimate, lower, upper = found.tolist()
    return Evidence(
        estimate=estimate,
        lower=lower,
        upper=upper,
        confidence=1 - ALPHA,
        n=len(y),
        method="Clopper–Pearson of the answers that change",
    )


def optimum(edges: np.ndarray, best: int, draws: np.ndarray, units: int, groups: np.ndarray | None) -> Evidence:
    """The cheapest threshold, and where it lies in the middle of the draws."""
    lower, upper = np.quantile(edges[cheapest(edges, draws)], [ALPHA / 2, 1 - ALPHA / 2]).tolist()
    at = float(edges[best])
    return Evidence(
        estimate=at,
        lower=min(lower, at),
        upper=max(upper, at),
        confidence=1 - ALPHA,
        n=units,
        method=method_name(len(draws), groups),
    )


def points(edges: np.ndarray, costs: np.ndarray, draws: np.ndarray) -> tuple[CostPoint, ...]:
    """The costs at about evenly spaced thresholds, with bounds."""
    wanted = np.linspace(edges[0], edges[-1], SHOWN)
    shown = np.unique(np.append(np.searchsorted(edges, wanted), int(cheapest(edges, costs))))
    lower, upper = np.quantile(draws[:, shown], [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    return tuple(
        CostPoint(threshold=t, cost=c, lower=min(low, c), upper=max(high, c))
        for t, c, low, high in zip(*(one.tolist() for one in (edges[shown], costs[shown], lower, upper)), strict=True)
    )
