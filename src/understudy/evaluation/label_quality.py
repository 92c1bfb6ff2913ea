"""Which labels are probably wrong, and how many of them: more than honest doubt explains, or no more?

Confident learning (`label_joint`) names suspects, on clean labels of a hard question too. What `label_chance` adds is
how many of them are wrong beyond what the model's own doubt explains: on clean labels none, with its interval.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from understudy.core.evidence import Evidence
from understudy.evaluation.label_chance import Chance, Contradictions, beyond_doubt, contradicted, contradictions
from understudy.evaluation.label_joint import ConfidentJoint, Cut, confident_joint, confident_share, quality, suspects
from understudy.evidence.fixed import clopper_pearson

FEWEST = 5
"""Labels of a rarer class are not judged: models of some folds may never have seen it."""

MOST_PAIRS = 12
BINS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
"""Shares of the rows, from the least sure to the surest, at which contradictions are counted."""

LITTLE, NEARLY = 0.01, 1 / 3
"""Contradictions linger that are more than this share where the model is surest, and than this part of all."""

LINGERING = " But contradictions do not fade: where the model is surest, {:.1%} of the labels still are another answer."

TOLERANCE = 0.01
"""By how much probabilities may miss a sum of 1."""


class SuspectedPair(msgspec.Struct, frozen=True, kw_only=True):
    """Labels that say one class where another is likelier: how many, and how many of them beyond honest doubt.

    Attributes
    ----------
    said, probably : str
    suspects : int
    wrong : Evidence
        How many of them are wrong, by the likelihood.
    """

    said: str
    probably: str
    suspects: int
    wrong: Evidence

    @property
    def words(self) -> str:
        """The pair in words."""
        return f"said {self.said}, probably {self.probably}: {self.suspects:,}"


class SuspectedClass(msgspec.Struct, frozen=True, kw_only=True):
    """The suspects among the labels of one class: `rows` with it, and as in `SuspectedPair`."""

    label: str
    rows: int
    suspects: int
    wrong: Evidence


class SureBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of which the model is about equally sure.

    Attributes
    ----------
    n : int
    claimed : float
        How often it says that the likeliest class is not the answer.
    contradicted, lower, upper : float
        How often the label is another class, with exact 95 % bounds.
    doubt : float
        How often honest doubt alone would make it so.
    explained : float
        The same with the wrong labels that the likelihood finds.
    """

    n: int
    claimed: float
    contradicted: float
    lower: float
    upper: float
    doubt: float
    explained: float


class LabelErrors(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of wrong labels, as aggregates.

    Attributes
    ----------
    labels : tuple of str
        The classes.
    rows, unknown : int
        Rows that were looked at, and rows left out: no model that had not seen them predicted them, or their class is
        too rare.
    suspects : int
        Labels that confident learning suspects.
    wrong : Evidence
        The share of wrong labels beyond what honest doubt explains. Its lower bound is above 0 only where they show;
        its estimate is then a cautious one, since models learn wrong labels too.
    suspects_wrong : Evidence
        How many of the suspects that makes wrong; the rest is honest doubt.
    surest : Evidence
        How often labels contradict the model where it is surest: no more labels than its upper bound are wrong at
        random.
    confident : Evidence
        The share off the diagonal of the confident joint, with honest doubt in it.
    noise : tuple of tuple of float
        By the joint, with which probability a row of a class (second place) has a label (first place); empty for more
        than 12 classes.
    pairs : tuple of SuspectedPair
        The largest, the one with most suspects first.
    classes : tuple of SuspectedClass
        By label, without those that have no suspects.
    bins : tuple of SureBin
        From the least sure to the surest.
    """

    labels: tuple[str, ...]
    rows: int
    unknown: int
    suspects: int
    wrong: Evidence
    suspects_wrong: Evidence
    surest: Evidence
    confident: Evidence
    noise: tuple[tuple[float, ...], ...]
    pairs: tuple[SuspectedPair, ...]
    classes: tuple[SuspectedClass, ...]
    bins: tuple[SureBin, ...]

    @property
    def significant(self) -> bool:
        """Whether wrong labels show beyond what honest doubt explains."""
        return self.wrong.lower > 0

    @property
    def contradicted(self) -> float:
        """How often labels contradict the model at all."""
        return sum(one.contradicted * one.n for one in self.bins) / self.rows

    @property
    def lingering(self) -> bool:
        """Whether labels contradict the model where it is surest nearly as often as elsewhere.

        They may be wrong, and learned by the model with the rest, or chance that no column foretells. A look tells.
        """
        return self.surest.lower > LITTLE and self.surest.estimate > NEARLY * self.contradicted

    @property
    def sentence(self) -> str:
        """The finding, as much as is shown."""
        if not self.suspects:
            return f"No label is suspect; at most {self.wrong.upper:.1%} of them are wrong at random."
        if not self.significant:
            return (
                f"{self.suspects:,} labels contradict the model with confidence, which honest doubt alone can explain: "
                f"wrong labels do not show, and at most {self.wrong.upper:.1%} of all labels are wrong at random."
                + (LINGERING.format(self.surest.estimate) if self.lingering else "")
            )
        known = self.suspects_wrong
        return (
            f"About {self.wrong.estimate:.1%} of the labels ({self.wrong.lower:.1%} to {self.wrong.upper:.1%}) are "
            f"wrong beyond what honest doubt explains: of {self.suspects:,} suspects about {known.estimate:,.0f} "
            f"({known.lower:,.0f} to {known.upper:,.0f})."
        )


@dataclass(frozen=True)
class Looked:
    """The rows that can be looked at, with what was computed of them once."""

    places: np.ndarray
    y: np.ndarray
    p: np.ndarray
    joint: ConfidentJoint
    rows: Contradictions
    chance: Chance


def find_label_errors(
    y: np.ndarray,
    probabilities: np.ndarray,
    labels: tuple[str, ...],
    *,
    groups: np.ndarray | None = None,
    alpha: float = 0.05,
) -> LabelErrors:
    """How many labels are suspect, and how many of them are wrong beyond what honest doubt explains.

    The probabilities are tempered here. A free calibration, as an isotonic one, would bend around wrong labels and hide
    them: hand in what the models said, not calibrated.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        The labels' classes.
    probabilities : ndarray of shape (n, k)
        From models that have not seen the row (out of fold); NaN where there are none.
    labels : tuple of str
        The k classes.
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent.
    alpha : float
        The chance that an interval misses.

    Raises
    ------
    ValueError
        Shapes differ, there are fewer than two classes, a label or probability is out of range, or no row has
        probabilities and a class with 5 labels or more.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(0.2, 0.6, 4000)
    >>> true = (rng.random(4000) < p).astype(int)
    >>> said = np.where(rng.random(4000) < 0.05, 1 - true, true)
    >>> found = find_label_errors(said, np.stack([1 - p, p], axis=1), ("ham", "spam"))
    >>> found.pairs[0].words
    'said ham, probably spam: 180'
    >>> found.wrong.lower > 0.03, find_label_errors(true, np.stack([1 - p, p], axis=1), ("ham", "spam")).wrong.lower
    (True, 0.0)
    """
    looked = look(y, probabilities, len(labels), groups, alpha)
    flagged = suspects(looked.y, looked.p, looked.joint)
    wrong, k = looked.chance.wrong, len(labels)
    shares = (wrong.estimate, wrong.lower, wrong.upper)
    each = [looked.chance.wrong_chance(looked.rows, share) * flagged for share in shares]
    pair = looked.y * k + looked.rows.likeliest
    by_pair = [np.bincount(pair, weights, minlength=k * k) for weights in each]
    count = np.bincount(pair[flagged], minlength=k * k)
    largest = [place for place in np.argsort(-count, kind="stable")[:MOST_PAIRS].tolist() if count[place]]
    by_class = [sums.reshape(k, k).sum(axis=1) for sums in by_pair]
    class_count, n_class = count.reshape(k, k).sum(axis=1), np.bincount(looked.y, minlength=k)
    return LabelErrors(
        labels=labels,
        rows=len(looked.y),
        unknown=len(y) - len(looked.y),
        suspects=int(flagged.sum()),
        wrong=wrong,
        suspects_wrong=counted([sums.sum() for sums in each], wrong),
        surest=looked.chance.surest,
        confident=confident_share(looked.y, looked.joint, alpha=alpha, groups=looked.rows.groups),
        noise=tuple(tuple(row) for row in looked.joint.noise.tolist()) if k <= MOST_PAIRS else (),
        pairs=tuple(
            SuspectedPair(
                said=labels[place // k],
                probably=labels[place % k],
                suspects=int(count[place]),
                wrong=counted([sums[place] for sums in by_pair], wrong),
            )
            for place in largest
        ),
        classes=tuple(
            SuspectedClass(
                label=labels[place],
                rows=int(n_class[place]),
                suspects=int(class_count[place]),
                wrong=counted([sums[place] for sums in by_class], wrong),
            )
            for place in np.argsort(-class_count, kind="stable").tolist()
            if class_count[place]
        ),
        bins=sure_bins(looked),
    )


def suspected_labels(
    y: np.ndarray,
    probabilities: np.ndarray,
    labels: tuple[str, ...],
    *,
    groups: np.ndarray | None = None,
    cut: Cut = "confident",
) -> pl.DataFrame:
    """The suspected rows for a person to look at, the most doubtful label first.

    Parameters
    ----------
    y, probabilities, labels, groups
        As for `find_label_errors`.
    cut : {"confident", "noise rate"}
        See `label_joint.suspects`.

    Returns
    -------
    pl.DataFrame
        `row`, its place in `y`; `label` and `probably`; `wrong`, how likely the label is wrong (0 throughout where
        wrong labels do not show); `self_confidence`, the label's probability; `margin`, its lead from 0 to 1.

    Raises
    ------
    ValueError
        As for `find_label_errors`.

    >>> said, sure = np.array([0] * 30 + [1] * 30), np.array([0.95] * 29 + [0.03] + [0.04] * 30)
    >>> suspected_labels(said, np.stack([sure, 1 - sure], axis=1), ("ham", "spam"))["row", "label", "probably"].rows()
    [(29, 'ham', 'spam')]
    """
    looked = look(y, probabilities, len(labels), groups, 0.05)
    flagged = suspects(looked.y, looked.p, looked.joint, cut)
    wrong = looked.chance.wrong_chance(looked.rows, looked.chance.wrong.estimate)
    own, margin = quality(looked.y, looked.p)
    order = np.flatnonzero(flagged)
    order = order[np.lexsort((margin[order], -wrong[order]))]
    names = np.array(labels, dtype=object)
    return pl.DataFrame(
        {
            "row": looked.places[order],
            "label": pl.Series(names[looked.y[order]].tolist(), dtype=pl.String),
            "probably": pl.Series(names[looked.rows.likeliest[order]].tolist(), dtype=pl.String),
            "wrong": wrong[order],
            "self_confidence": own[order],
            "margin": margin[order],
        }
    )


def look(y: np.ndarray, probabilities: np.ndarray, k: int, groups: np.ndarray | None, alpha: float) -> Looked:
    """The rows that have probabilities, and what both methods make of them."""
    if probabilities.ndim != 2 or probabilities.shape != (len(y), k):
        raise ValueError(f"expected probabilities of shape ({len(y)}, {k}), rows by classes; got {probabilities.shape}")
    if k < 2:
        raise ValueError("labels of one class cannot be told from wrong ones: there is nothing else to be")
    said = np.asarray(y, dtype=np.int64)
    if len(said) and (said.min() < 0 or said.max() >= k):
        raise ValueError(f"labels are classes from 0 to {k - 1}; there are {said.min()} to {said.max()}")
    known = np.isfinite(probabilities).all(axis=1)
    learned = (np.bincount(said[known], minlength=k) >= FEWEST) & (probabilities[known].max(axis=0, initial=0) > 0)
    places = np.flatnonzero(known & learned[said])
    if not len(places):
        raise ValueError(
            f"no label can be judged: that takes out-of-fold probabilities, and {FEWEST} labels of a class or more"
        )
    said, p = said[places], probabilities[places]
    if p.min() < 0 or np.abs(p.sum(axis=1) - 1).max() > TOLERANCE:
        raise ValueError("probabilities are not negative, and those of a row add up to 1")
    rows = contradictions(said, p, None if groups is None else groups[places])
    joint = confident_joint(said, p)
    return Looked(places=places, y=said, p=p, joint=joint, rows=rows, chance=beyond_doubt(rows, alpha=alpha))


def counted(sums: list[float], wrong: Evidence) -> Evidence:
    """How many labels a share of wrong ones makes wrong: estimate, and at either bound."""
    middle, low, high = (float(one) for one in sums)
    return Evidence(
        estimate=middle,
        lower=min(low, middle),
        upper=max(high, middle),
        confidence=wrong.confidence,
        n=wrong.n,
        method=wrong.method,
    )


def sure_bins(looked: Looked) -> tuple[SureBin, ...]:
    """How often labels contradict the model, by how sure it is, beside what doubt and wrong labels explain."""
    rows, chance = looked.rows, looked.chance
    rho = chance.wrong.estimate
    sure = chance.sure(rows, rho)
    explained = contradicted(sure, rho, rows.classes)
    order = np.argsort(rows.odds, kind="stable")
    edges = np.unique((np.array(BINS) * len(order)).round().astype(int))
    made = []
    for first, last in itertools.pairwise(edges.tolist()):
        inside = order[first:last]
        off = clopper_pearson(int(rows.off[inside].sum()), len(inside))
        made.append(
            SureBin(
                n=len(inside),
                claimed=float(1 - looked.p[inside].max(axis=1).mean()),
                contradicted=off.estimate,
                lower=off.lower,
                upper=off.upper,
                doubt=float(1 - sure[inside].mean()),
                explained=float(explained[inside].mean()),
            )
        )
    return tuple(made)
