"""What do reviewers say together, and how often does each of them err, where several looked at the same cases?

Nobody knows the truth, but whoever often stands alone is often wrong. The model of Dawid & Skene (1979, "Maximum
likelihood estimation of observer error-rates using the EM algorithm", Appl. Stat. 28(1)): each case has one right
answer j, drawn with the share of j, and each reviewer r says l with a probability of his own, C[r, j, l], independently
of the others. Expectation maximisation finds shares, confusion matrices, and how likely each answer is for each case.

A reviewer with few answers is drawn towards the others: `PULL` made-up answers per row of his matrix are spread as
those of all reviewers together. In simulations with 2 to 10 answers that leaves no bias in how often reviewers err,
where made-up answers spread evenly (Laplace) say up to 10 points too much.

This informs and certifies nothing. Cases that are hard for everybody, or a habit that all share, break the
independence: then answers look surer than they are, and shared errors stay unseen. (966 people foretold whether 1,000
defendants would offend again, about 20 for each: the consensus was right of 61.5 % and sure by 99.8 % on average; the
majority was right of 60.5 %, one person of 58.4 %.) What counts as the truth of a case stays with the majority of its
reviewers, or with its outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log, nan, sqrt

import numpy as np
from scipy import stats

from understudy.core.evidence import Evidence

PULL = 3.0
"""How many made-up answers, spread as those of all reviewers, each row of a reviewer's matrix begins with."""

GROUPS = 20
"""Into how many groups cases are cut, of which each is left out once to see how much the estimates move."""

THIRDS = 20
"""How many cases with three answers or more it takes: two answers tell that one is wrong, never whose."""

TOLERANCE, STEPS = 1e-6, 500
"""The change of a probability at which the iteration ends, and the steps after which it ends in any case."""

LOOSE, AGAIN = 1e-4, 60
"""The same where a group is left out: it begins close to the end."""

METHOD = "Dawid–Skene, grouped jackknife"


@dataclass(frozen=True, kw_only=True)
class Judgements:
    """Who said what of which case, a row each; everything is counted from 0.

    Attributes
    ----------
    case, reviewer, answer : ndarray of int, shape (m,)
        No reviewer has two rows for one case.
    answers : int
        k, how many answers there are to choose from, 2 at least.

    >>> said = Judgements(case=np.array([0, 0, 1]), reviewer=np.array([0, 1, 1]), answer=np.array([0, 1, 1]), answers=2)
    >>> said.cases, said.reviewers
    (2, 2)
    """

    case: np.ndarray
    reviewer: np.ndarray
    answer: np.ndarray
    answers: int

    def __post_init__(self) -> None:
        if self.answers < 2:
            raise ValueError(f"there are 2 answers or more to choose from, not {self.answers}")
        for name in ("case", "reviewer", "answer"):
            given = getattr(self, name)
            if given.shape != self.case.shape or given.ndim != 1 or not np.issubdtype(given.dtype, np.integer):
                raise ValueError(f"{name}: expected {self.case.shape} whole numbers, got {given.dtype} {given.shape}")
            if (given < 0).any():
                raise ValueError(f"{name}, row {given.argmin()}: counted from 0, got {given.min()}")
        if (self.answer >= self.answers).any():
            raise ValueError(f"answers lie from 0 to {self.answers - 1}, got {self.answer.max()}")
        pairs, times = np.unique(self.case * self.reviewers + self.reviewer, return_counts=True)
        if (times > 1).any():
            case, reviewer = divmod(int(pairs[times.argmax()]), self.reviewers)
            raise ValueError(f"reviewer {reviewer} answered case {case} {times.max()} times: keep one of his answers")

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return int(self.case.max(initial=-1)) + 1

    @property
    def reviewers(self) -> int:
        """How many reviewers there are."""
        return int(self.reviewer.max(initial=-1)) + 1


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """What reviewers say together; n cases, r reviewers, k answers.

    Attributes
    ----------
    chance : ndarray of shape (n, k)
        How likely each answer is to be the right one; by the shares where nobody looked.
    shares : ndarray of shape (k,)
        How often each answer is the right one.
    confusion : ndarray of shape (r, k, k)
        With which probability a reviewer says l (last place) where j (middle place) is right.
    steps : int
        How many steps the iteration took.
    converged : bool
        Whether it had ended by then.
    """

    chance: np.ndarray
    shares: np.ndarray
    confusion: np.ndarray
    steps: int
    converged: bool

    @property
    def errors(self) -> np.ndarray:
        """How often each reviewer errs on cases like these, shape (r,)."""
        right = np.diagonal(self.confusion, axis1=1, axis2=2)
        found: np.ndarray = 1 - right @ self.shares
        return found


def votes(said: Judgements) -> np.ndarray:
    """The share of each answer among those given to a case, shape (n, k); equal shares where nobody looked.

    >>> case = np.array([0, 0, 0, 1])
    >>> said = Judgements(case=case, reviewer=np.array([0, 1, 2, 0]), answer=np.array([0, 0, 1, 1]), answers=2)
    >>> votes(said).round(2).tolist()
    [[0.67, 0.33], [0.0, 1.0]]
    """
    counts = np.bincount(said.case * said.answers + said.answer, minlength=said.cases * said.answers)
    return shares_of(counts.reshape(said.cases, said.answers).astype(float))


def dawid_skene(
    said: Judgements,
    *,
    pull: float = PULL,
    start: np.ndarray | None = None,
    tolerance: float = TOLERANCE,
    steps: int = STEPS,
) -> Consensus:
    """What reviewers say together, each weighed by how often he errs.

    Parameters
    ----------
    said : Judgements
    pull : float
        Made-up answers per row of a reviewer's matrix, spread as those of all; 0 gives the estimates of 1979.
    start : ndarray of shape (n, k), optional
        The probabilities to begin with; the votes by default.
    tolerance : float
        The change of a probability at which it ends.
    steps : int
        The steps after which it ends in any case.

    Raises
    ------
    ValueError
        `pull` is negative or not finite.

    >>> rng = np.random.default_rng(0)
    >>> truth, errs = rng.integers(2, size=500), np.array([0.05, 0.1, 0.1, 0.4, 0.4])
    >>> case, reviewer = np.repeat(np.arange(500), 5), np.tile(np.arange(5), 500)
    >>> answer = np.where(rng.random(2500) < errs[reviewer], 1 - truth[case], truth[case])
    >>> said = Judgements(case=case, reviewer=reviewer, answer=answer, answers=2)
    >>> found = dawid_skene(said)
    >>> found.errors.round(2).tolist()
    [0.07, 0.13, 0.11, 0.4, 0.38]
    >>> [round(float((chance.argmax(axis=1) == truth).mean()), 3) for chance in (votes(said), found.chance)]
    [0.93, 0.978]
    """
    if not 0 <= pull < np.inf:
        raise ValueError(f"pull, a number of made-up answers, is finite and at least 0, not {pull}")
    chance, done, moved = votes(said) if start is None else start, 0, np.inf
    shares, confusion = likeliest(said, chance, pull)
    while done < steps and moved >= tolerance:
        after = believed(said, shares, confusion)
        moved = float(abs(after - chance).max(initial=0.0))
        chance, done = after, done + 1
        shares, confusion = likeliest(said, chance, pull)
    return Consensus(chance=chance, shares=shares, confusion=confusion, steps=done, converged=moved < tolerance)


def likeliest(said: Judgements, chance: np.ndarray, pull: float) -> tuple[np.ndarray, np.ndarray]:
    """Shares and confusion matrices that fit how likely each answer is to be right (the M step)."""
    k, size = said.answers, said.reviewers * said.answers
    place = said.reviewer * k + said.answer
    rows = [np.bincount(place, chance[said.case, right], minlength=size).reshape(-1, k) for right in range(k)]
    counts = np.stack(rows, axis=1)
    typical = shares_of(counts.sum(axis=0) + min(pull, 1.0) / k)
    return shares_of(chance.sum(axis=0)), shares_of(counts + pull * typical)


def believed(said: Judgements, shares: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """How likely each answer is to be right, given what was said (the E step)."""
    with np.errstate(divide="ignore"):
        told, prior = np.log(np.maximum(confusion, 1e-300)), np.log(np.maximum(shares, 1e-300))
    heard = told[said.reviewer, :, said.answer]
    logs = prior + np.stack(
        [np.bincount(said.case, heard[:, right], minlength=said.cases) for right in range(said.answers)], axis=1
    )
    return shares_of(np.exp(logs - logs.max(axis=1, keepdims=True, initial=-np.inf)))


def shares_of(amounts: np.ndarray) -> np.ndarray:
    """Each row over its sum; equal shares where that is 0."""
    total = amounts.sum(axis=-1, keepdims=True)
    return np.where(total > 0, amounts / np.where(total > 0, total, 1), 1 / amounts.shape[-1])


def reviewer_errors(
    said: Judgements, *, alpha: float = 0.05, pull: float = PULL, found: Consensus | None = None
) -> tuple[Evidence, ...]:
    """How often each reviewer errs, from what the others said of his cases.

    The bounds are approximate and for one look. They come from how much the estimates move, as log odds, when each of
    `GROUPS` groups of cases is left out (Kott 2001, "The delete-a-group jackknife", J. Off. Stat. 17(4)), and are no
    narrower than if the truth of his cases were known. They are about errors that reviewers do not share; see above.

    Where one reviewer more is asked because others disagreed, his answers may be used: whom to ask depended on nothing
    but what was said before.

    Parameters
    ----------
    said : Judgements
    alpha : float
        The chance that the bounds miss, of each reviewer for himself.
    pull : float
        As for `dawid_skene`.
    found : Consensus, optional
        What that function said of the same judgements.

    Returns
    -------
    tuple of Evidence
        One per reviewer; `n` counts his cases that others saw too. NaN within [0, 1] where fewer than `THIRDS` cases
        have three answers, or where he shares none.

    Raises
    ------
    ValueError
        `alpha` lies outside (0, 1).

    >>> rng = np.random.default_rng(0)
    >>> truth, errs = rng.integers(2, size=500), np.array([0.05, 0.1, 0.3])
    >>> case, reviewer = np.repeat(np.arange(500), 3), np.tile(np.arange(3), 500)
    >>> answer = np.where(rng.random(1500) < errs[reviewer], 1 - truth[case], truth[case])
    >>> said = Judgements(case=case, reviewer=reviewer, answer=answer, answers=2)
    >>> [(round(one.lower, 2), round(one.estimate, 2), round(one.upper, 2)) for one in reviewer_errors(said)]
    [(0.04, 0.08, 0.13), (0.04, 0.07, 0.14), (0.22, 0.26, 0.31)]
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}")
    given = np.bincount(said.case, minlength=said.cases)
    shared = np.bincount(said.reviewer[given[said.case] > 1], minlength=said.reviewers)
    if (given >= 3).sum() < THIRDS:
        return tuple(silent(int(n), alpha) for n in shared)
    whole = found or dawid_skene(said, pull=pull)
    left_out = [errors_without(said, whole, group, pull) for group in range(GROUPS)]
    odds = log_odds(np.array(left_out))
    moves = odds - odds.mean(axis=0)
    spread = np.sqrt((GROUPS - 1) / GROUPS * (moves**2).sum(axis=0))
    return tuple(
        stated(float(error), float(jackknife), int(n), alpha) if n else silent(0, alpha)
        for error, jackknife, n in zip(whole.errors, spread, shared, strict=True)
    )


def errors_without(said: Judgements, whole: Consensus, group: int, pull: float) -> np.ndarray:
    """How often each reviewer errs without the cases of a group, begun where all cases ended."""
    kept = said.case % GROUPS != group
    cases, case = np.unique(said.case[kept], return_inverse=True)
    some = replace(said, case=case, reviewer=said.reviewer[kept], answer=said.answer[kept])
    errors = np.full(said.reviewers, nan)
    found = dawid_skene(some, pull=pull, start=whole.chance[cases], tolerance=LOOSE, steps=AGAIN)
    errors[: some.reviewers] = found.errors
    return np.where(np.isnan(errors), whole.errors, errors)


def log_odds(share: np.ndarray) -> np.ndarray:
    """ln(e/(1 − e)), finite for 0 and 1 too."""
    inside = np.clip(share, 1e-6, 1 - 1e-6)
    found: np.ndarray = np.log(inside) - np.log1p(-inside)
    return found


def stated(error: float, jackknife: float, n: int, alpha: float) -> Evidence:
    """One reviewer's error, with bounds on the scale of log odds."""
    inside = min(max(error, 0.5 / (n + 1)), 1 - 0.5 / (n + 1))
    known = 1 / sqrt(n * inside * (1 - inside))  # the standard error of the log odds if the truth were known
    reach = float(stats.t.isf(alpha / 2, GROUPS - 1)) * max(jackknife, known)
    middle = log(inside / (1 - inside))
    return Evidence(
        estimate=error,
        lower=min(error, 1 / (1 + exp(reach - middle))),
        upper=max(error, 1 / (1 + exp(-reach - middle))),
        confidence=1 - alpha,
        n=n,
        method=METHOD,
    )


def silent(n: int, alpha: float) -> Evidence:
    """What is said of a reviewer where nothing can be said."""
    return Evidence(estimate=nan, lower=0.0, upper=1.0, confidence=1 - alpha, n=n, method=f"{METHOD}: too few thirds")
