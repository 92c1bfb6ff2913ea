"""How good is the best one really, when it was picked by the same numbers?

The estimate of a winner is too good: it was picked for its luck as well. Bounds that hold for all candidates at once
hold for whichever is picked, by whatever rule, and however often the pick changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from understudy.core.evidence import Evidence


class Winner(msgspec.Struct, frozen=True, kw_only=True):
    """The candidate that promises most.

    Attributes
    ----------
    place : int
        Which one it is.
    value : Evidence
        What it is worth, with the confidence that holds for all candidates at once.
    regret : float
        By how much another candidate may be better, at most.
    contenders : tuple of int
        The places of those that may be the best one, itself included.
    """

    place: int
    value: Evidence
    regret: float
    contenders: tuple[int, ...]


def winner(statements: Sequence[Evidence], *, smallest: bool = True) -> Winner:
    """The candidate with the best worst case, and what is sure about it although it was picked.

    All that it says holds together with the probability 1 − Σ(1 − confidence) over the candidates (union bound), at any
    time if each statement does. So for k candidates and α in all, make each statement at α/k.

    Parameters
    ----------
    statements : sequence of Evidence
        One per candidate, all about the same number, however they depend on each other.
    smallest : bool
        Whether less is better, as for errors, or more, as for leads and rewards.

    Raises
    ------
    ValueError
        There is no candidate, or nothing holds for all of them together.

    >>> def rate(estimate, lower, upper):
    ...     return Evidence(estimate=estimate, lower=lower, upper=upper, confidence=0.98, n=500, method="betting")
    >>> found = winner([rate(0.06, 0.04, 0.09), rate(0.05, 0.03, 0.07), rate(0.11, 0.08, 0.15)])
    >>> found.place, round(found.value.confidence, 2), round(found.regret, 2), found.contenders
    (1, 0.94, 0.03, (0, 1))
    """
    confidence = 1 - sum(1 - statement.confidence for statement in statements)
    if not statements or confidence <= 0:
        raise ValueError(f"nothing holds for {len(statements)} candidates together; make each statement at α/{{k}}")
    worst = [statement.upper if smallest else -statement.lower for statement in statements]
    best = [statement.lower if smallest else -statement.upper for statement in statements]
    place = min(range(len(worst)), key=worst.__getitem__)
    picked = statements[place]
    value = replace(
        picked,
        confidence=confidence,
        method=f"{picked.method}, simultaneous over {len(statements)}",
        anytime=all(statement.anytime for statement in statements),
    )
    return Winner(
        place=place,
        value=value,
        regret=max([0.0, *(worst[place] - hope for other, hope in enumerate(best) if other != place)]),
        contenders=tuple(other for other, hope in enumerate(best) if hope <= worst[place]),
    )


def selected_alpha(alpha: float, chosen: int, candidates: int) -> float:
    """The α at which bounds of chosen candidates are made so that their false coverage rate is at most `alpha`.

    Among the bounds shown for the candidates chosen, whatever the rule, the mean share of those that miss is at most
    `alpha`, at any stopping time. It holds for bounds that invert e-values, as those of `means`, `pairs` and
    `comparison` do (e-BY; Xu, Wang & Ramdas 2024, "Post-selection inference for e-value based confidence intervals",
    Electron. J. Stat. 18(1)). For one chosen candidate that is the α of `winner`.

    Parameters
    ----------
    alpha : float
        The false coverage rate, in (0, 1).
    chosen, candidates : int
        1 ≤ chosen ≤ candidates.

    Raises
    ------
    ValueError
        A number lies outside its range.

    >>> round(selected_alpha(0.1, chosen=3, candidates=12), 3)
    0.025
    """
    if not 0 < alpha < 1 or not 1 <= chosen <= candidates:
        raise ValueError(f"alpha lies in (0, 1), chosen in [1, candidates]; got {alpha}, {chosen} and {candidates}")
    return alpha * chosen / candidates
