"""Who takes part in a search, and with which settings first."""

from __future__ import annotations

from understudy.core.errors import MissingExtraError, ModelError
from understudy.core.extras import require
from understudy.core.nouns import Kind
from understudy.models.recipes import RECIPES, Params, Recipe


def entrants(kind: Kind, names: tuple[str, ...], *, directed: bool = False) -> list[Recipe]:
    """The recipes that take part: those named, or those that are raced anyway, as far as they suit the kind of task.

    Where directions are known, those that are not named and cannot keep to them are passed over.

    Raises
    ------
    ModelError
        There is no such recipe, or none of them suits.
    MissingExtraError
        The library of a named recipe is not installed.

    >>> [recipe.name for recipe in entrants("regression", ("ridge", "logistic"))]
    ['ridge']
    """
    unknown = [name for name in names if name not in RECIPES]
    if unknown:
        raise ModelError(f"There is no recipe {unknown[0]!r}.", hint=f"The recipes are {', '.join(RECIPES)}.")
    suited = [recipe for recipe in RECIPES.values() if kind in recipe.kinds]
    if names:
        chosen = [recipe for recipe in suited if recipe.name in names]
        for recipe in chosen:
            if recipe.extra:
                require(recipe.extra, extra=recipe.extra)
    else:
        chosen = [recipe for recipe in suited if recipe.raced and is_here(recipe)]
        chosen = [recipe for recipe in chosen if recipe.traits.monotone or not directed]
    if not chosen:
        raise ModelError(
            f"None of the recipes {', '.join(names)} suits {kind}.",
            hint=f"Those that do are {', '.join(recipe.name for recipe in suited)}.",
        )
    return chosen


def is_here(recipe: Recipe) -> bool:
    """Whether the library that a recipe needs is installed."""
    try:
        return not recipe.extra or bool(require(recipe.extra, extra=recipe.extra))
    except MissingExtraError:
        return False


def known_settings(
    recipes: list[Recipe], first: tuple[tuple[str, Params], ...], kind: Kind
) -> list[tuple[Recipe, Params]]:
    """The settings that are tried before any is drawn: those that go first, then the portfolios, rank by rank."""
    named = {recipe.name: recipe for recipe in recipes}
    found = [(named[name], params) for name, params in first if name in named]
    known = {recipe.name: recipe.known(kind) for recipe in recipes}
    for rank in range(max(len(settings) for settings in known.values())):
        found += [
            (recipe, known[recipe.name][rank])
            for recipe in recipes
            if rank < len(known[recipe.name]) and (recipe.name, known[recipe.name][rank]) not in first
        ]
    return found
