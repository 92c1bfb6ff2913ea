"""Where does it predict 12 % while 19 % happen? The mean prediction beside the mean outcome, bucket by bucket.

A model that is right on average may be wrong on average for some cases. All buckets are tested together (Holm 1979), so
predictions that are right show none, however many columns there are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import polars as pl

from understudy.core.evidence import Evidence
from understudy.evaluation.bias_causes import Cause, Known, cause_of
from understudy.evaluation.bias_gains import Scale, moving_gain, shifted
from understudy.evaluation.bias_tests import Cases, Sums, sums_of
from understudy.evaluation.buckets import BucketKind, Cut, Named, by_inputs, by_prediction, by_time, whole
from understudy.evaluation.slice_evidence import adjusted
from understudy.evaluation.words import figure

FEWEST = 30
"""Means of fewer independent observations are not near enough to a normal law."""
MOST_FOUND = 10
MOST_TRIED = 40


class BiasPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How biases are searched.

    Attributes
    ----------
    alpha : float
        The chance that any bucket is called biased that is not.
    least : int
        Buckets with fewer rows are not looked at.
    least_share : float
        A bias of shares that is smaller does not matter.
    least_spread : float
        A bias of numbers that is smaller, in standard deviations of the outcome, does not matter.
    seed : int
        Of the folds that tell what a correction would gain.
    """

    alpha: float = 0.05
    least: int = 50
    least_share: float = 0.01
    least_spread: float = 0.05
    seed: int = 0


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Some cases: what is predicted of them on average, and what happened.

    Attributes
    ----------
    kind : str
        "all", "prediction", "value", "missing", "unseen", "rare" or "period".
    column, words, condition : str
        Which column cuts it, and how it is called in words and in SQL.
    n : int
        Rows.
    share : float
        Of all rows.
    predicted, observed : float
        Means.
    bias : Evidence
        Observed less predicted, with bounds that hold for all buckets together.
    strength : float
        The bias in its standard errors.
    p, adjusted : float
        Two-sided; and with all buckets counted.
    significant : bool
    cause : Cause, optional
        What it comes from, where that can be named.
    gain : Evidence, optional
        Wrong decisions per case, of all cases, that moving the predictions of this bucket would avoid.
    sentence : str
    """

    kind: BucketKind
    column: str
    words: str
    condition: str
    n: int
    share: float
    predicted: float
    observed: float
    bias: Evidence
    strength: float
    p: float
    adjusted: float
    significant: bool
    cause: Cause | None = None
    gain: Evidence | None = None
    sentence: str = ""


class PredictionBias(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes
    ----------
    scale : {"share", "sureness", "number"}
        Whether predictions are probabilities of one answer, of being right, or numbers.
    overall : Bucket
    deciles : tuple of Bucket
        By prediction.
    found : tuple of Bucket
        The buckets that are biased, and by enough to matter, the strongest first; those whose bias is that of another
        one are left out.
    around : tuple of tuple of Bucket
        For the first of them, all buckets of the same measure.
    explained : int
        How many more are biased only because they share rows with those.
    small : int
        How many more are biased by too little to matter.
    tested : int
        How many buckets were tested together.
    alpha : float
    n : int
    """

    scale: Scale
    overall: Bucket
    deciles: tuple[Bucket, ...]
    found: tuple[Bucket, ...]
    around: tuple[tuple[Bucket, ...], ...]
    explained: int
    small: int
    tested: int
    alpha: float
    n: int

    @property
    def sentence(self) -> str:
        """The finding."""
        if not self.found:
            return f"None of {self.tested} groups of cases is shown to be predicted too high or too low."
        more = f" {len(self.found) - 1} more such groups are shown." if len(self.found) > 1 else ""
        return f"{self.found[0].sentence}{more}"


@dataclass(frozen=True)
class Tried:
    """A bucket as tested: the place of its cut and its place there."""

    cut: int
    at: int
    bucket: Bucket


def prediction_bias(
    frame: pl.DataFrame,
    predicted: np.ndarray,
    outcome: np.ndarray,
    *,
    scale: Scale,
    plan: BiasPlan | None = None,
    groups: np.ndarray | None = None,
    time: pl.Series | None = None,
    train: pl.DataFrame | None = None,
    train_outcome: np.ndarray | None = None,
    tolerance: float | None = None,
    prose: Collection[str] = (),
) -> PredictionBias:
    """The mean prediction against the mean outcome, overall and by prediction, by each input, and by time.

    Parameters
    ----------
    frame : pl.DataFrame
        The inputs of the test rows, in canonical types.
    predicted, outcome : ndarray of shape (n,)
        A probability and whether it came true (0 or 1), or two numbers.
    scale : {"share", "sureness", "number"}
        `share`: the probability of the second of two answers; `sureness`: the probability that the answer is right;
        `number`: the target itself.
    plan : BiasPlan, optional
    groups : ndarray of shape (n,), optional
        Rows of one group count as one observation.
    time : pl.Series, optional
        When the cases happened, if that is none of the frame's columns.
    train : pl.DataFrame, optional
        The rows that the model learned from, to name causes.
    train_outcome : ndarray, optional
        What happened there.
    tolerance : float, optional
        For numbers, how far an answer may be off and still be right.
    prose : collection of str
        Columns of text that are read by their words.

    Raises
    ------
    ValueError
        Lengths differ, there are no rows, or a figure is not finite.

    >>> rng = np.random.default_rng(0)
    >>> region = rng.choice(["north", "south"], 4000)
    >>> true = np.where(region == "north", 0.19, 0.12)
    >>> happened = (rng.random(4000) < true).astype(float)
    >>> found = prediction_bias(pl.DataFrame({"region": region}), np.full(4000, 0.12), happened, scale="share")
    >>> found.found[0].words
    'region is north'
    """
    plan = plan or BiasPlan()
    cases = cases_of(frame, predicted, outcome, scale, groups)
    cuts = [whole(cases.n), by_prediction(cases.predicted, shares=scale != "number")]
    cuts += by_inputs(frame, least=plan.least, prose=prose, train=train)
    cuts += [] if time is None else by_time(time, least=plan.least)
    tried = judged(cases, cuts, scale, plan)
    kept, explained, small = strongest(cases, cuts, tried, plan)
    known = Known(train, None if train_outcome is None else np.asarray(train_outcome, dtype=np.float64))
    found = tuple(told(cases, cuts[one.cut], one, known, scale, plan, tolerance) for one in kept)
    measures = list(dict.fromkeys(one.cut for one in kept if one.cut > 1))[:3]
    return PredictionBias(
        scale=scale,
        overall=tried[0].bucket,
        deciles=tuple(one.bucket for one in tried if one.cut == 1),
        found=found,
        around=tuple(tuple(one.bucket for one in tried if one.cut == cut) for cut in measures),
        explained=explained,
        small=small,
        tested=len(tried),
        alpha=plan.alpha,
        n=cases.n,
    )


def cases_of(
    frame: pl.DataFrame, predicted: np.ndarray, outcome: np.ndarray, scale: Scale, groups: np.ndarray | None
) -> Cases:
    """The rows, if they are in order."""
    for name, array in (("prediction", predicted), ("outcome", outcome), ("group", groups)):
        if array is not None and np.shape(array) != (frame.height,):
            raise ValueError(f"one {name} per row: got shape {np.shape(array)} for {frame.height:,} rows")
    if not frame.height:
        raise ValueError("there are no rows to compare predictions and outcomes on")
    predicted, outcome = np.asarray(predicted, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if not (np.isfinite(predicted).all() and np.isfinite(outcome).all()):
        raise ValueError("predictions and outcomes are finite numbers; leave out rows without an outcome")
    return Cases.of(predicted, outcome, shares=scale != "number", groups=groups)


def judged(cases: Cases, cuts: list[Cut], scale: Scale, plan: BiasPlan) -> list[Tried]:
    """Every bucket with enough rows, tested together."""
    sums = [sums_of(cases, cut.codes, len(cut.buckets)) for cut in cuts]
    places = [
        (cut, at)
        for cut, one in enumerate(sums)
        for at in np.flatnonzero((one.n >= plan.least) & (one.units >= FEWEST)).tolist() or [0] * (not cut)
    ]
    p = np.array([sums[cut].p[at] for cut, at in places])
    levels = adjusted(p, "holm")
    made = []
    for (cut, at), level in zip(places, levels.tolist(), strict=True):
        bucket = bucket_of(cuts[cut].buckets[at], sums[cut], at, level, len(places), cases, plan)
        made.append(Tried(cut, at, msgspec.structs.replace(bucket, sentence=sentence(bucket, scale))))
    return made


def bucket_of(named: Named, sums: Sums, at: int, level: float, tested: int, cases: Cases, plan: BiasPlan) -> Bucket:
    """A bucket with its bias."""
    bias, n = float(sums.bias[at]), int(sums.n[at])
    significant = level <= plan.alpha
    lower, upper = sums.bounds(at, plan.alpha / tested)
    if significant:  # the direction is shown, so the bounds need not cross 0 (Guilbaud 2008)
        lower, upper = (max(lower, 0.0), upper) if bias > 0 else (lower, min(upper, 0.0))
    return Bucket(
        kind=named.kind,
        column=named.column,
        words=named.words,
        condition=named.condition,
        n=n,
        share=n / cases.n,
        predicted=float(sums.predicted[at]),
        observed=float(sums.observed[at]),
        bias=Evidence(
            estimate=bias,
            lower=min(lower, bias),
            upper=max(upper, bias),
            confidence=1 - plan.alpha,
            n=int(sums.units[at]),
            method=f"{cases.method}, {tested} buckets together",
        ),
        strength=float(sums.strength[at]),
        p=float(sums.p[at]),
        adjusted=level,
        significant=significant,
    )


def sentence(one: Bucket, scale: Scale) -> str:
    """What is known of a bucket."""
    where = "" if one.kind == "all" else f" when {one.words}"
    if scale == "number":
        said = f"On average it predicts {figure(one.predicted)} and the truth is {figure(one.observed)}{where}"
    elif scale == "share":
        said = f"It predicts {one.predicted:.1%} where {one.observed:.1%} happen{where}"
    else:
        said = f"It is sure to {one.predicted:.1%} where it is right in {one.observed:.1%}{where}"
    size = "all cases" if one.kind == "all" else f"{one.share:.1%} of the cases"
    return f"{said} ({size})." if one.significant else f"{said} ({size}); that may be chance."


def matters(one: Bucket, cases: Cases, plan: BiasPlan) -> bool:
    """Whether a bias is large enough to care."""
    floor = plan.least_share if cases.shares else plan.least_spread * float(cases.outcome.std())
    return abs(one.bias.estimate) >= floor


def strongest(cases: Cases, cuts: list[Cut], tried: list[Tried], plan: BiasPlan) -> tuple[list[Tried], int, int]:
    """The biased buckets that no stronger one explains, and how many are explained, or too small to matter.

    A bucket is tested again without the rows of stronger ones, and, once all cases are known to be biased, with
    predictions that are moved to be right on average.
    """
    shown = [one for one in tried if one.bucket.significant]
    large = [one for one in shown if matters(one.bucket, cases, plan)]
    large.sort(key=lambda one: -abs(one.bucket.strength))
    kept: list[Tried] = []
    left, moved = np.ones(cases.n, dtype=bool), cases
    for one in large[:MOST_TRIED]:
        inside = cuts[one.cut].codes == one.at
        fresh = inside & left
        if kept and (np.count_nonzero(fresh) < plan.least or not still_biased(moved, fresh, len(tried), plan)):
            continue
        if len(kept) == MOST_FOUND:
            break
        kept.append(one)
        if one.bucket.kind == "all":
            moved = replace(cases, predicted=shifted(cases, np.ones(cases.n, dtype=bool)))
        else:
            left &= ~inside
    return kept, len(large) - len(kept), len(shown) - len(large)


def still_biased(cases: Cases, inside: np.ndarray, tested: int, plan: BiasPlan) -> bool:
    """Whether some rows are biased for themselves."""
    found = sums_of(cases, np.where(inside, 0, -1), 1)
    return bool(found.p[0] * tested <= plan.alpha)


def told(
    cases: Cases, cut: Cut, one: Tried, known: Known, scale: Scale, plan: BiasPlan, tolerance: float | None
) -> Bucket:
    """A biased bucket with its cause and with what moving its predictions would gain."""
    inside = cut.codes == one.at
    cause = cause_of(cut, one.at, cases.outcome, one.bucket.bias.estimate, known, shares=cases.shares)
    gain = moving_gain(cases, inside, scale, plan.seed, tolerance)
    said = one.bucket.sentence if cause is None else f"{one.bucket.sentence} {cause.words}"
    return msgspec.structs.replace(one.bucket, cause=cause, gain=gain, sentence=said)
