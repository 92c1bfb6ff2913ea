"""Do cases go to the arms of an experiment in the shares that were meant (sample ratio mismatch)?

If they do not, something decides who is seen in which arm, such as answers that get lost, and no comparison is valid.
The test may be looked at after every case: under the shares meant, the likelihood of the counts under a Dirichlet
mixture of other shares, over their likelihood under those meant, is a martingale that begins with 1, so it ever reaches
1/α with probability at most α (Lindon & Malek 2022, "Anytime-valid inference for multinomial count data", NeurIPS 35).
The counts are the whole state; counts of several streams with the same shares add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, nan

import numpy as np
from scipy import special

from understudy.core.evidence import Evidence
from understudy.evidence.betting import log_mixed
from understudy.evidence.means import last_refuted

CONCENTRATIONS = (10.0, 1_000.0, 100_000.0)
"""How closely the alternatives gather around the shares meant: by about 0.16, 0.016 and 0.0016 at one half."""


def split_log_e(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The log of the e-process against "each case goes to the arms with these probabilities".

    A mismatch is proven at level α where it has ever reached ln(1/α); one in a thousand is usual for α. Where the
    shares were changed, count anew: the logs of consecutive stretches add up.

    Parameters
    ----------
    counts : sequence of k ints
        How many cases went to each arm, each by a draw of its own: count units, where all cases of a unit go together.
    shares : sequence of k floats
        Positive, of one in all.

    Raises
    ------
    ValueError
        A count is negative, or the shares are none.

    >>> round(split_log_e([5050, 4950], [0.5, 0.5]), 2), round(split_log_e([5300, 4700], [0.5, 0.5]), 2)
    (-0.68, 14.49)
    """
    check_split(counts, shares)
    seen, meant = np.array(counts, dtype=np.float64), np.array(shares)
    logs = [log_dirichlet(seen, concentration * meant) for concentration in CONCENTRATIONS]
    return mixed(logs) - float(special.xlogy(seen, meant).sum())


def arm_shares(counts: Sequence[int], shares: Sequence[float], *, alpha: float = 0.05) -> tuple[Evidence, ...]:
    """The shares in which cases go to the arms, with bounds that hold for all arms at all times together.

    Each inverts the test of an arm against the rest, at α over the number of arms.

    Parameters
    ----------
    counts, shares : sequences of k numbers
        As for `split_log_e`; the shares meant say where the bounds are tightest.
    alpha : float
        The chance that any bound ever fails, in (0, 1).

    Raises
    ------
    ValueError
        A number lies outside its range.

    >>> first, _ = arm_shares([5300, 4700], [0.5, 0.5])
    >>> round(first.lower, 3), first.estimate, round(first.upper, 3)
    (0.511, 0.53, 0.549)
    """
    check_split(counts, shares)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not at {alpha}")
    total = sum(counts)
    return tuple(
        one_arm(count, total, share, alpha, alpha / len(counts)) for count, share in zip(counts, shares, strict=True)
    )


def one_arm(count: int, total: int, share: float, alpha: float, level: float) -> Evidence:
    """The share of one arm, bounded at `level`, as part of what is said at `alpha`."""
    seen, meant = np.array([count, total - count], dtype=np.float64), np.array([share, 1 - share])
    top = mixed([log_dirichlet(seen, concentration * meant) for concentration in CONCENTRATIONS])

    def refuted(value: float) -> bool:
        return top - float(special.xlogy(seen, [value, 1 - value]).sum()) >= -log(level)

    estimate = count / total if total else nan
    return Evidence(
        estimate=estimate,
        lower=last_refuted(refuted, 0.0, estimate) if total else 0.0,
        upper=last_refuted(refuted, 1.0, estimate) if total else 1.0,
        confidence=1 - alpha,
        n=total,
        method="Dirichlet mixture, simultaneous",
        anytime=True,
    )


def log_dirichlet(seen: np.ndarray, prior: np.ndarray) -> float:
    """The log probability of one order of these counts, with shares drawn from a Dirichlet law."""
    whole = special.gammaln(prior.sum()) - special.gammaln(prior.sum() + seen.sum())
    return float(whole + (special.gammaln(prior + seen) - special.gammaln(prior)).sum())


def mixed(logs: Sequence[float]) -> float:
    """The log of the mean over the concentrations."""
    return float(log_mixed(np.array(logs), (1 / len(logs),) * len(logs)))


def check_split(counts: Sequence[int], shares: Sequence[float]) -> None:
    """Two arms or more, with counts of at least 0 and positive shares of one in all.

    Raises
    ------
    ValueError
        They are not.
    """
    if len(counts) != len(shares) or len(shares) < 2:
        raise ValueError(f"two arms or more need a count and a share each, got {len(counts)} and {len(shares)}")
    if min(counts) < 0 or not min(shares) > 0 or not abs(sum(shares) - 1) <= 1e-9:
        raise ValueError(f"counts are at least 0, shares positive and 1 in all; got {tuple(counts)}, {tuple(shares)}")
