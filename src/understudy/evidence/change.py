"""Has the risk risen above what was promised, and since when?

An e-detector (Shin, Ramdas & Rinaldo 2024, "E-detectors: a nonparametric framework for sequential change detection",
New England J. Stat. Data Sci. 2(2)) adds up the wealth of gamblers who bet against "the risk is at most r", of whom one
starts at every look (Shiryaev–Roberts): M ← (1 + λ(ℓ − r))·(M + 1). As long as the risk is at most r given the past, M
minus the number of looks is a supermartingale: the mean run to a false alarm at M ≥ A is at least A looks, and a false
alarm within n looks has a probability of at most n/A, whatever else the losses do. A mixture of bets keeps both. (Their
e-CUSUM, with max(M, 1) for M + 1, never owns more, and so alarms later at the same promise.)
"""

from __future__ import annotations

from math import inf, log

import msgspec
import numpy as np
from msgspec.structs import replace

from understudy.core.evidence import Evidence
from understudy.evidence.betting import check_bets, check_losses, log_mixed, running

BETS = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)
"""A bet f is the best one where the risk has become r + f·(1 − r), for losses of 0 or 1."""


class DetectorPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, and how seldom it may cry wolf.

    Attributes
    ----------
    max_error : float
        r, in (0, 1).
    mean_run : float
        A, the mean number of looks to a false alarm, at least.
    bets : tuple of float
        Shares of the largest bet, 1/r.
    shares : tuple of float
        What each bet begins with.
    """

    max_error: float
    mean_run: float
    bets: tuple[float, ...] = BETS
    shares: tuple[float, ...] = (1 / len(BETS),) * len(BETS)

    def __post_init__(self) -> None:
        if not 0 < self.max_error < 1 or self.mean_run <= 1:
            raise ValueError(f"max_error lies between 0 and 1, mean_run above 1; got {self.max_error}, {self.mean_run}")
        check_bets(self.bets, self.shares)


class DetectorState(msgspec.Struct, frozen=True, kw_only=True):
    """What the detector has come to; k bets.

    Attributes
    ----------
    rows, looks : int
        Cases, and those among them with a loss.
    sums : tuple of k floats
        S, the log wealth of the gamblers who started first.
    starts : tuple of k floats
        ln Σ exp(−S) over all beginnings: together with S it gives the wealth of all.
    lows : tuple of k floats
        The lowest that S has been.
    low_rows : tuple of k ints
        After how many cases that was.
    peak : float
        The highest that ln M has been; it begins at 0, below any alarm.
    alarm_row : int
        The case that raised the first alarm, counted from 1; 0 before.
    began_row : int
        After how many cases the change began by the estimate made at that moment.
    """

    rows: int
    looks: int
    sums: tuple[float, ...]
    starts: tuple[float, ...]
    lows: tuple[float, ...]
    low_rows: tuple[int, ...]
    peak: float
    alarm_row: int
    began_row: int


def open_detector(plan: DetectorPlan) -> DetectorState:
    """The state before the first case."""
    zeros = (0.0,) * len(plan.bets)
    return DetectorState(
        rows=0,
        looks=0,
        sums=zeros,
        starts=zeros,
        lows=zeros,
        low_rows=(0,) * len(plan.bets),
        peak=0.0,
        alarm_row=0,
        began_row=0,
    )


def fold_detector(state: DetectorState, plan: DetectorPlan, loss: np.ndarray, weight: np.ndarray) -> DetectorState:
    """The detector with these cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    state : DetectorState
    plan : DetectorPlan
    loss : ndarray of shape (n,)
        In [0, 1], NaN where nobody looked, in decision order.
    weight : ndarray of shape (n,)
        π_min/π in (0, 1], as for the gate; all 1 where each case is looked at with the same probability.

    >>> plan = DetectorPlan(max_error=0.1, mean_run=1000)
    >>> loss = np.concatenate([np.tile([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 20), np.ones(10)])
    >>> state = fold_detector(open_detector(plan), plan, loss, np.ones(210))
    >>> alarmed(state), state.alarm_row, change_began(state)
    (True, 205, 200)
    """
    check_losses(loss, weight)
    seen = np.flatnonzero(~np.isnan(loss))
    if not len(seen):
        return replace(state, rows=state.rows + len(loss))
    edge = weight[seen] * (loss[seen] - plan.max_error) / plan.max_error
    sums = running(np.array(state.sums), np.log1p(edge[:, None] * np.array(plan.bets)))
    starts = np.logaddexp.accumulate(np.concatenate([[state.starts], -sums]), axis=0)
    mixed = log_mixed(sums + starts[:-1], plan.shares)
    row = state.rows + 1 + seen
    lows, low_rows = lowest(state, sums, row)
    alarm_row, began_row = state.alarm_row, state.began_row
    crossed = np.flatnonzero(mixed >= log(plan.mean_run))
    if not alarm_row and len(crossed):
        first = int(crossed[0])
        alarm_row, began_row = int(row[first]), beginning(sums[first], *lowest(state, sums[: first + 1], row))
    return DetectorState(
        rows=state.rows + len(loss),
        looks=state.looks + len(seen),
        sums=tuple(sums[-1].tolist()),
        starts=tuple(starts[-1].tolist()),
        lows=tuple(lows.tolist()),
        low_rows=tuple(low_rows.tolist()),
        peak=max(state.peak, float(mixed.max())),
        alarm_row=alarm_row,
        began_row=began_row,
    )


def lowest(state: DetectorState, sums: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest log wealth of each bet so far, and the case after which it was; the earlier one of equals."""
    lows, place = np.array(state.lows), sums.argmin(axis=0)
    low = sums[place, np.arange(len(lows))]
    return np.minimum(lows, low), np.where(low < lows, row[place], state.low_rows)


def beginning(sums: np.ndarray, lows: np.ndarray, low_rows: np.ndarray) -> int:
    """After how many cases the richest single gambler started."""
    return int(low_rows[np.argmax(sums - lows)])


def alarmed(state: DetectorState) -> bool:
    """Whether there ever was an alarm."""
    return state.alarm_row > 0


def change_began(state: DetectorState) -> int:
    """After how many cases the change began, by the start of the gambler who won most: a point estimate.

    As of the first alarm, or as of now if there was none. For known risks before and after, this is the maximum
    likelihood estimate (Page 1954; Hinkley 1970, Biometrika 57).
    """
    if alarmed(state):
        return state.began_row
    return beginning(np.array(state.sums), np.array(state.lows), np.array(state.low_rows))


def harmed(now: Evidence, before: Evidence, tolerance: float = 0.0) -> bool:
    """Whether the risk has risen by more than a tolerance since it was bounded.

    A change that does no harm raises no alarm. A false one is ever raised with a probability of at most δ of both
    bounds together, that of today's risk at any time (Podkopaev & Ramdas 2022, "Tracking the risk of a deployed model
    and detecting harmful distribution shifts", ICLR, section 2).

    Parameters
    ----------
    now : Evidence
        The risk of today's cases, its lower bound at any time.
    before : Evidence
        The risk when it went live.
    tolerance : float

    Raises
    ------
    ValueError
        The bounds of `now` hold for one look only.

    >>> before = Evidence(estimate=0.02, lower=0.0, upper=0.03, confidence=0.95, n=500, method="", anytime=True)
    >>> now = Evidence(estimate=0.07, lower=0.04, upper=0.1, confidence=0.95, n=900, method="", anytime=True)
    >>> harmed(now, before), harmed(now, before, tolerance=0.02)
    (True, False)
    """
    if not now.anytime:
        raise ValueError(
            f"{now.method} holds for one look only: whoever looks again needs a bound that holds at any time"
        )
    return now.lower > before.upper + tolerance


def looks_to_alarm(plan: DetectorPlan, risk: float) -> float:
    """About how many looks an alarm takes after the risk has jumped to `risk`; infinite if that is not above r.

    Per look the best bet gains g nats, and one gambler in about 1/g counts, so ln(A·g)/g. In simulations of losses of 0
    or 1 at r = 1 to 20 %, after a time at 0.7 r, the mean was 0.85 to 1.05 of it.

    >>> plan = DetectorPlan(max_error=0.05, mean_run=73_000)
    >>> round(looks_to_alarm(plan, 0.1)), looks_to_alarm(plan, 0.04)
    (355, inf)
    """
    odds = (1 - plan.max_error) / plan.max_error
    gain = max(risk * log(1 + bet * odds) + (1 - risk) * log(1 - bet) for bet in plan.bets)
    if risk <= plan.max_error or gain <= 0:
        return inf
    return max(log(plan.mean_run * gain), 1.0) / gain


def noticing_rate(
    volume_per_year: float,
    max_error: float,
    *,
    risk: float,
    days: float = inf,
    wrong: float = inf,
    alarms_per_year: float = 1.0,
    floor: float = 0.0,
) -> float:
    """The share of automated cases to look at so that a rise of the risk to `risk` is noticed in time, on average.

    Parameters
    ----------
    volume_per_year : float
        Automated cases.
    max_error : float
        r.
    risk : float
        What is to be noticed: 2·r for "a doubling".
    days : float
        Within so many days.
    wrong : float
        Before so many errors beyond r per case were made.
    alarms_per_year : float
        How many false alarms a year are bearable.
    floor : float
        The least share.

    Returns
    -------
    float
        1 where even a look at every case would be too late.

    >>> rates = (noticing_rate(3_650_000, 0.05, risk=0.1, days=days) for days in (7, 2))
    >>> [round(rate, 4) for rate in rates], round(noticing_rate(3_650_000, 0.05, risk=0.1, wrong=1000), 4)
    ([0.004, 0.0174], 0.0174)
    """
    for share in np.geomspace(max(floor, 1e-6), 1.0, 2000):
        mean_run = max(volume_per_year * share / alarms_per_year, 2.0)
        cases = looks_to_alarm(DetectorPlan(max_error=max_error, mean_run=mean_run), risk) / share
        if cases <= volume_per_year / 365 * days and cases * (risk - max_error) <= wrong:
            return float(share)
    return 1.0
