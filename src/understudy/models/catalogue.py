"""The catalogue as data: what each recipe is for, what it costs, and what may be set."""

from __future__ import annotations

from importlib.util import find_spec

import msgspec
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from understudy.core.nouns import Kind
from understudy.models.recipes import RECIPES, Params, Recipe, Traits


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """What a search draws a setting from: numbers between two, evenly or by their logarithm, or one of some choices."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.choices) or f"{self.low:g} to {self.high:g}{' (log)' if self.log else ''}"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe of the catalogue.

    Attributes
    ----------
    name, title : str
    kinds : tuple of str
        Whether it tells answers apart, estimates numbers, or both.
    views : tuple of str
        The views of the encoding that it takes.
    traits : Traits
        What it is good for, and what it costs.
    onnx : bool
        Whether it compiles; `traits.native` says where it does not.
    extra : str
        The optional library that it needs.
    installed : bool
        Whether that library is there.
    raced : bool
        Whether it takes part in a search that names no recipes.
    portfolio, portfolio_numbers : tuple of dict
        Settings that are tried first for answers, and for numbers.
    space : dict of Range
        What the others are drawn from.
    """

    name: str
    title: str
    kinds: tuple[Kind, ...]
    views: tuple[str, ...]
    traits: Traits
    onnx: bool
    extra: str
    installed: bool
    raced: bool
    portfolio: tuple[Params, ...]
    portfolio_numbers: tuple[Params, ...]
    space: dict[str, Range]


def catalogue() -> tuple[Entry, ...]:
    """Every recipe, those first that are raced anyway.

    >>> [entry.name for entry in catalogue()][:3]
    ['lightgbm', 'logistic', 'ridge']
    """
    return tuple(entry(recipe) for recipe in RECIPES.values())


def entry(recipe: Recipe) -> Entry:
    """A recipe as data."""
    return Entry(
        name=recipe.name,
        title=recipe.title,
        kinds=tuple(sorted(recipe.kinds)),
        views=tuple(sorted(recipe.views)),
        traits=recipe.traits,
        onnx=recipe.nodes is not None,
        extra=recipe.extra,
        installed=not recipe.extra or find_spec(recipe.extra) is not None,
        raced=recipe.raced,
        portfolio=recipe.portfolio,
        portfolio_numbers=recipe.known("regression"),
        space=space(recipe),
    )


def space(recipe: Recipe) -> dict[str, Range]:
    """What a recipe's settings are drawn from, by asking it for a draw.

    >>> {name: str(range) for name, range in space(RECIPES["logistic"]).items()}
    {'C': '0.001 to 100 (log)', 'steps': 'curves, curves+crosses, means+curves, bins, plain'}
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    draw = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    recipe.space(draw)
    return {name: as_range(distribution) for name, distribution in draw.distributions.items()}


def as_range(distribution: BaseDistribution) -> Range:
    """One of Optuna's distributions as data."""
    if isinstance(distribution, FloatDistribution | IntDistribution):
        return Range(low=distribution.low, high=distribution.high, log=distribution.log)
    if isinstance(distribution, CategoricalDistribution):
        return Range(choices=tuple(str(choice) for choice in distribution.choices))
    raise ValueError(f"a setting is drawn from numbers or from choices, not from {distribution}")
