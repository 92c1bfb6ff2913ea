"""New settings of a recipe: by Optuna's estimator from what its trials have shown, at random, or from a grid."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.model_selection import ParameterGrid

from understudy.models.recipes import Params, Recipe
from understudy.models.search.race import Strategy

Distributions = dict[str, BaseDistribution]

STEPS = 3
"""How many values of each number a grid has."""

MANY_STEPS_FROM = 3
"""With this many settings or more, a grid has two values of each number: it would never be walked to its end."""


@dataclass(frozen=True)
class Past:
    """What was tried: the numbers of a setting, and its loss; None where that is not known, or it failed."""

    drawn: Params
    loss: float | None
    running: bool = False


def draw(recipe: Recipe, past: Sequence[Past], strategy: Strategy, seed: int) -> tuple[Params, Params] | None:
    """A setting to try next, and the numbers that it is made of; None where a grid is at its end.

    It depends on the arguments only: the estimator is built anew from the past, so that a search can be continued.
    The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio & Kégl 2011) takes trials that still run for bad
    ones, so that several draws in a row differ.
    """
    chance = int(np.random.SeedSequence([seed, zlib.crc32(recipe.name.encode()), len(past)]).generate_state(1)[0])
    study = new_study(strategy, chance)
    for trial in past:
        distributions = distributions_of(recipe, trial.drawn)
        if distributions is not None:
            study.add_trial(frozen(trial, distributions))
    if strategy == "grid":
        point = grid_point(recipe, sum(bool(trial.drawn) for trial in past), seed)
        if point is None:
            return None
        study.enqueue_trial(point)
    asked = study.ask()
    return recipe.space(asked), dict(asked.params)


def new_study(strategy: Strategy, seed: int) -> optuna.Study:
    """A quiet study that minimises, with a seeded sampler."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=seed)
    if strategy == "portfolio+tpe":
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=5, constant_liar=True)
    return optuna.create_study(direction="minimize", sampler=sampler)


class Known:
    """Answers a recipe's space with numbers that are known, and notes where each may lie.

    Optuna's `FixedTrial` would warn of every number that lies outside.
    """

    def __init__(self, numbers: Params) -> None:
        self.numbers = numbers
        self.distributions: Distributions = {}

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> Any:
        """The number of this name; KeyError where it is not known."""
        return self._note(name, FloatDistribution(low, high, log=log, step=step))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> Any:
        """The whole number of this name; KeyError where it is not known."""
        return self._note(name, IntDistribution(low, high, log=log, step=step))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """The choice of this name; KeyError where it is not known."""
        return self._note(name, CategoricalDistribution(tuple(choices)))

    def _note(self, name: str, distribution: BaseDistribution) -> Any:
        value = self.numbers[name]
        self.distributions[name] = distribution
        return value


def distributions_of(recipe: Recipe, numbers: Params) -> Distributions | None:
    """Where the numbers of a setting may lie; None where the recipe would not draw them."""
    known = Known(numbers)
    try:
        recipe.space(known)  # type: ignore[arg-type]  # it answers like a trial
        optuna.trial.create_trial(
            params={name: numbers[name] for name in known.distributions}, distributions=known.distributions, value=0.0
        )
    except (KeyError, ValueError):
        return None
    return known.distributions


def as_drawn(recipe: Recipe, params: Params) -> Params:
    """The numbers that a known setting would be drawn from; empty where the recipe's space does not hold it."""
    distributions = distributions_of(recipe, params)
    if not distributions or recipe.space(Known(params)) != params:  # type: ignore[arg-type]
        return {}
    return {name: params[name] for name in distributions}


def frozen(trial: Past, distributions: Distributions) -> optuna.trial.FrozenTrial:
    """A trial as Optuna keeps it."""
    states = optuna.trial.TrialState
    ended = states.FAIL if trial.loss is None else states.COMPLETE
    state = states.RUNNING if trial.running else ended
    params = {name: trial.drawn[name] for name in distributions}
    return optuna.trial.create_trial(state=state, params=params, distributions=distributions, value=trial.loss)


def grid_point(recipe: Recipe, turn: int, seed: int) -> Params | None:
    """The grid's point of this turn, in an order that is drawn once; None where all have had theirs."""
    probe = new_study("random", seed).ask()
    recipe.space(probe)
    few = len(probe.distributions) < MANY_STEPS_FROM
    grid = ParameterGrid({name: points(one, STEPS if few else 2) for name, one in probe.distributions.items()})
    if turn >= len(grid):
        return None
    order = np.random.default_rng(seed).permutation(len(grid))
    return dict(grid[int(order[turn])])


def points(distribution: BaseDistribution, steps: int) -> list[Any]:
    """Values of one number, evenly over where it may lie, ends left out.

    >>> points(FloatDistribution(0.01, 100.0, log=True), 2)
    [0.1, 10.0]
    >>> points(IntDistribution(1, 9), 3)
    [2, 5, 8]
    """
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise TypeError(f"a grid over {distribution!r} is not known")
    shares = (np.arange(steps) + 0.5) / steps
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        values = np.exp(math.log(low) + shares * (math.log(high) - math.log(low)))
    else:
        values = low + shares * (high - low)
    if isinstance(distribution, IntDistribution):
        return sorted({round(value) for value in values.tolist()})
    return [float(f"{value:.12g}") for value in values.tolist()]
