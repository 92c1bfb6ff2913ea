"""How often are people wrong, and is the model better? Where several people judged the same cases.

What is right is the outcome, where one came independently of them. Without it each person is held against what the
others said together, and so is the model, on the same cases: that tells who is nearer to the consensus, not who is
right.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.evidence.people import krippendorff_alpha

STEPS = 200
"""Numbers are put into so many steps before their agreement is computed, which takes the square of their number."""


class HumanLevel(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of people's judgements, as aggregates.

    Attributes
    ----------
    cases, judgements, people : int
        Cases that two people or more judged (with an outcome: one or more), their judgements, and who gave them.
    by_outcome : bool
        Whether errors are against the outcome, or against what the others said together.
    agreement : Evidence, optional
        Krippendorff's alpha: 1 where all agree, 0 where they agree as if by chance; None where no two judged one case.
    person : Evidence
        How often one person is wrong, per case.
    together : Evidence, optional
        How often what they say together is wrong; None without outcomes.
    model : Evidence, optional
        How often the model is wrong on the same cases; None where it was not handed in.
    gap : Evidence, optional
        The model's error minus one person's, paired; above 0 the model is worse.
    gap_together : Evidence, optional
        The model's error minus that of all people together.
    """

    cases: int
    judgements: int
    people: int
    by_outcome: bool
    agreement: Evidence | None
    person: Evidence
    together: Evidence | None = None
    model: Evidence | None = None
    gap: Evidence | None = None
    gap_together: Evidence | None = None

    @property
    def sentence(self) -> str:
        """The finding."""
        against = "the outcome" if self.by_outcome else "what the others say together"
        one = f"One person is wrong in {span(self.person)} of the cases, held against {against}"
        if self.gap is None or self.model is None:
            return f"{one}."
        said = f"{one}; the model in {span(self.model)}"
        if self.gap.lower <= 0 <= self.gap.upper:
            return f"{said}: which of them is better does not show."
        return f"{said}: the model is {'worse' if self.gap.estimate > 0 else 'better'} than one person."


@dataclass(frozen=True)
class Given:
    """Judgements, a row each: of which case, by whom, what."""

    case: np.ndarray
    person: np.ndarray
    answer: np.ndarray
    cases: int


def human_level(
    said: np.ndarray,
    *,
    outcome: np.ndarray | None = None,
    model: np.ndarray | None = None,
    tolerance: float | None = None,
    alpha: float = 0.05,
) -> HumanLevel:
    """How often people are wrong, with intervals, and the model beside them.

    Each case counts alike, however many judged it. Neither judgements of one case nor those of one person are
    independent: the bounds know both (Cameron, Gelbach & Miller 2011, "Robust inference with multiway clustering",
    J. Bus. Econ. Stat. 29(2)).

    Parameters
    ----------
    said : ndarray of float, shape (n, people)
        What each person said of each case, class indices or numbers; NaN where nothing.
    outcome : ndarray of float, shape (n,), optional
        What turned out, NaN where nothing did. People must not have seen it.
    model : ndarray of float, shape (n,), optional
        What the model answered to the same cases, which it was not trained on; NaN where nothing.
    tolerance : float, optional
        For numbers, how far off an answer may be. Without it answers are classes.
    alpha : float
        The chance that an interval misses.

    Raises
    ------
    ValueError
        Shapes differ, or no case can be judged: none has an outcome, or two judgements.

    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(2, size=400)
    >>> said = np.where(rng.random((400, 5)) < 0.2, 1 - truth[:, None], truth[:, None]).astype(float)
    >>> answers = np.where(rng.random(400) < 0.1, 1 - truth, truth).astype(float)
    >>> found = human_level(said, outcome=truth.astype(float), model=answers)
    >>> for part in found.sentence.split("; "):
    ...     print(part)
    One person is wrong in 21.7 % (19.9 to 23.5 %) of the cases, held against the outcome
    the model in 12.0 % (9.2 to 15.6 %): the model is better than one person.
    """
    n = len(said)
    for name, values in (("outcome", outcome), ("model", model)):
        if values is not None and values.shape != (n,):
            raise ValueError(f"{name}: expected one number for each of {n} cases, got shape {values.shape}")
    if said.ndim != 2:
        raise ValueError(f"expected judgements of shape (cases, people), got {said.shape}")
    use = ~np.isnan(said) if outcome is None else ~np.isnan(said) & ~np.isnan(outcome)[:, None]
    counts = use.sum(axis=1)
    use &= (counts >= (2 if outcome is None else 1))[:, None]
    if not use.any():
        raise ValueError("no case has an outcome and a judgement, or two judgements: people's errors cannot be told")
    case, person = np.nonzero(use)
    given = Given(case=case, person=person, answer=said[case, person], cases=n)
    answers = None if model is None else model[case]
    if outcome is None:
        wrong, model_wrong = against_others(given, answers, tolerance)
        everyone = None
    else:
        wrong = off(given.answer, outcome[case], tolerance)
        model_wrong = None if answers is None else off(answers, outcome[case], tolerance)
        everyone = off(combined(np.where(use, said, np.nan), tolerance)[case], outcome[case], tolerance)
    return HumanLevel(
        cases=len(np.unique(case)),
        judgements=len(case),
        people=len(np.unique(person)),
        by_outcome=outcome is not None,
        agreement=agreement(said[(~np.isnan(said)).sum(axis=1) >= 2], tolerance, alpha),
        person=rate(wrong, given, alpha),
        together=rate_known(everyone, given, alpha),
        model=rate_known(model_wrong, given, alpha),
        gap=None if model_wrong is None else rate_known(model_wrong - wrong, given, alpha, signed=True),
        gap_together=(
            None
            if model_wrong is None or everyone is None
            else rate_known(model_wrong - everyone, given, alpha, signed=True)
        ),
    )


def off(answer: np.ndarray, right: np.ndarray, tolerance: float | None) -> np.ndarray:
    """1 where an answer is wrong, NaN where there is none."""
    wrong = answer != right if tolerance is None else np.abs(answer - right) > tolerance
    return np.where(np.isnan(answer) | np.isnan(right), np.nan, wrong)


def combined(said: np.ndarray, tolerance: float | None) -> np.ndarray:
    """What all say together, shape (n,): the most frequent class, the first of several, or the median; NaN if none."""
    seen = ~np.isnan(said)
    found = np.full(len(said), np.nan)
    some = seen.any(axis=1)
    if tolerance is not None:
        found[some] = np.nanmedian(said[some], axis=1)
        return found
    counts = class_counts(np.nonzero(seen)[0], said[seen], len(said))
    found[some] = counts[some].argmax(axis=1)
    return found


def class_counts(case: np.ndarray, answer: np.ndarray, cases: int) -> np.ndarray:
    """How many gave each class to each case, shape (cases, k)."""
    k = int(answer.max()) + 1
    return np.bincount(case * k + answer.astype(np.int64), minlength=cases * k).reshape(cases, k)


def against_others(
    given: Given, model: np.ndarray | None, tolerance: float | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """How wrong each judgement is by what the others of its case say together, and the model by the same.

    Where the others tie, each of their answers is right in part.
    """
    if tolerance is not None:
        others = other_medians(given)
        return off(given.answer, others, tolerance), None if model is None else off(model, others, tolerance)
    counts = class_counts(given.case, given.answer, given.cases)[given.case]
    place, said = np.arange(len(given.case)), given.answer.astype(np.int64)
    counts[place, said] -= 1
    best = counts == counts.max(axis=1, keepdims=True)
    right = best / best.sum(axis=1, keepdims=True)
    wrong = 1 - right[place, said]
    if model is None:
        return wrong, None
    known = ~np.isnan(model)
    answer = np.where(known, model, 0).astype(np.int64)
    inside = answer < right.shape[1]
    by_model = 1 - np.where(inside, right[place, np.where(inside, answer, 0)], 0.0)
    return wrong, np.where(known, by_model, np.nan)


def other_medians(given: Given) -> np.ndarray:
    """For each judgement the median of the others of its case."""
    order = np.lexsort((given.answer, given.case))
    case, answer = given.case[order], given.answer[order]
    size = np.bincount(case, minlength=given.cases)
    start = np.concatenate([[0], np.cumsum(size)[:-1]])[case]
    rest, mine = size[case] - 1, np.arange(len(case)) - start

    def other(rank: np.ndarray) -> np.ndarray:
        return np.asarray(answer[start + rank + (rank >= mine)])

    found = np.empty(len(case))
    found[order] = (other((rest - 1) // 2) + other(rest // 2)) / 2
    return found


def agreement(said: np.ndarray, tolerance: float | None, alpha: float) -> Evidence | None:
    """Krippendorff's alpha; numbers are put into steps first. None where it is not defined."""
    if not said.size:
        return None
    if tolerance is None:
        found = krippendorff_alpha(said, alpha=alpha)
    else:
        low, high = np.nanmin(said), np.nanmax(said)
        step = (high - low) / STEPS or 1.0
        found = krippendorff_alpha(np.round((said - low) / step), scale="interval", alpha=alpha)
    return found if np.isfinite([found.estimate, found.lower, found.upper]).all() else None


def rate_known(wrong: np.ndarray | None, given: Given, alpha: float, *, signed: bool = False) -> Evidence | None:
    """The mean over cases; None where none is known."""
    if wrong is None or np.isnan(wrong).all():
        return None
    return rate(wrong, given, alpha, signed=signed)


def rate(wrong: np.ndarray, given: Given, alpha: float, *, signed: bool = False) -> Evidence:
    """The mean over cases, with bounds that know that judgements of one case or one person belong together.

    Parameters
    ----------
    wrong : ndarray of shape (judgements,)
        NaN where it is not known.
    given : Given
    alpha : float
    signed : bool
        Whether it is a difference, from −1 to 1, and no share.
    """
    known = ~np.isnan(wrong)
    case, person, values = given.case[known], given.person[known], wrong[known]
    method = "errors by case, two-way clustered by case and person"
    counts = np.bincount(case, minlength=given.cases)
    cases = int((counts > 0).sum())
    weight = 1 / counts[case] / cases
    mean = float(weight @ values)
    moves = weight * (values - mean)
    by_case, by_person = (float(np.sum(np.bincount(codes, moves) ** 2)) for codes in (case, person))
    both = float(np.sum(moves**2))
    spread = float(np.sqrt(max(by_case, by_case + by_person - both) * cases / max(cases - 1, 1)))
    reach = float(stats.t.isf(alpha / 2, max(cases - 1, 1))) * spread
    lower, upper = bounds_of(mean, reach, cases, alpha, signed=signed)
    return Evidence(estimate=mean, lower=lower, upper=upper, confidence=1 - alpha, n=cases, method=method)


def bounds_of(mean: float, reach: float, cases: int, alpha: float, *, signed: bool) -> tuple[float, float]:
    """Bounds of a mean: on the scale of log odds for a share; from the number of cases where nothing varies."""
    if reach == 0:
        least = 1 - (alpha / 2) ** (1 / cases)
        return max(mean - least, -1.0 if signed else 0.0), min(mean + least, 1.0)
    if signed:
        return max(mean - reach, -1.0), min(mean + reach, 1.0)
    middle, wide = np.log(mean / (1 - mean)), reach / (mean * (1 - mean))
    return float(1 / (1 + np.exp(wide - middle))), float(1 / (1 + np.exp(-wide - middle)))


def span(error: Evidence) -> str:
    """An error with its bounds in per cent.

    >>> span(Evidence(estimate=0.095, lower=0.07, upper=0.128, confidence=0.95, n=400, method=""))
    '9.5 % (7.0 to 12.8 %)'
    """
    return f"{error.estimate * 100:.1f} % ({error.lower * 100:.1f} to {error.upper * 100:.1f} %)"
