"""Preparations: steps between the encoded matrix and an estimator, fitted on the rows of a fold and on no others.

A step is a small value: what was learned, a function from a matrix to a matrix, and the same as ONNX nodes. A
preparation is a few of them in order, by a name that stands among a recipe's settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from understudy.core.errors import ModelError
from understudy.models.nodes import Graph
from understudy.models.rows import Effort, Rows, notes
from understudy.models.steps.bins import Bins, fit_bins
from understudy.models.steps.crosses import Crosses, fit_crosses
from understudy.models.steps.curves import Curves, fit_curves
from understudy.models.steps.kept import Kept, fit_stable
from understudy.models.steps.projection import Projection, fit_standard, fit_topics, fit_whitened
from understudy.models.steps.ranks import fit_ranks
from understudy.models.steps.step import Made, Name
from understudy.models.steps.target_means import MANY_CODES, MORE_CODES, TargetMeans, fit_target_means

Step = Bins | Crosses | Curves | Kept | Projection | TargetMeans

PLAIN = "plain"


class Preparation(msgspec.Struct, frozen=True):
    """Steps in order, and what they are for.

    Attributes
    ----------
    about : str
    fits : tuple of callable
        How each step is fitted on the rows that the one before it leaves.
    takes_codes : bool
        Whether it makes something of codes for a recipe that cannot take them itself.
    """

    about: str
    fits: tuple[Callable[[Rows, Effort], Made], ...] = ()
    takes_codes: bool = False


PREPARATIONS: dict[str, Preparation] = {
    PLAIN: Preparation("The features as they are encoded."),
    "curves": Preparation("Each number becomes a curve of straight pieces.", (fit_curves,)),
    "curves+crosses": Preparation(
        "Curves, and products of the pairs of columns that matter differently by each other.", (fit_curves, fit_crosses)
    ),
    "bins": Preparation("Each number becomes stairs, one for each of a few quantiles.", (fit_bins,)),
    "means+curves": Preparation(
        "Curves, and the usual answer at each level where there are too many for a feature each.",
        (fit_target_means(fewest=MORE_CODES, keep_codes=False), fit_curves),
        takes_codes=True,
    ),
    "means": Preparation(
        "The usual answer at each level of columns with many levels, beside the levels.",
        (fit_target_means(fewest=MANY_CODES, keep_codes=True),),
    ),
    "standard": Preparation("Every feature in units of its standard deviation.", (fit_standard,)),
    "ranks": Preparation("Numbers by their place in the order of the rows.", (fit_ranks,)),
    "whitened": Preparation("Uncorrelated components of all features.", (fit_whitened,)),
    "topics": Preparation("A few dozen topics in place of many words.", (fit_topics,)),
    "stable": Preparation("Only the features that are chosen again and again on halves of the rows.", (fit_stable,)),
}
"""Every preparation by its name."""


def prepared(rows: Rows, name: str, effort: Effort) -> tuple[Rows, tuple[Step, ...], str]:
    """Fit a preparation: the rows as it leaves them, its steps, and what there is to say of it.

    Raises
    ------
    ModelError
        There is no preparation of that name.

    >>> rows = Rows("regression", 0, np.arange(8.0, dtype=np.float32)[:, None], np.zeros(8), ["number"])
    >>> after, steps, _ = prepared(rows, "standard", Effort(0, 1))
    >>> after.X[[0, -1], 0].round(2).tolist(), len(steps)
    ([-1.53, 1.53], 1)
    """
    steps: list[Step] = []
    said = ""
    for fit in preparation(name).fits:
        made = fit(rows, effort)
        rows, said = made.rows, notes(said, made.note)
        steps += made.steps
    return rows, tuple(steps), said


def preparation(name: str) -> Preparation:
    """The preparation of that name.

    Raises
    ------
    ModelError
        There is none.
    """
    if name not in PREPARATIONS:
        raise ModelError(f"There is no preparation {name!r}.", hint=f"There are {', '.join(PREPARATIONS)}.")
    return PREPARATIONS[name]


def apply_steps(steps: Sequence[Step], X: np.ndarray) -> np.ndarray:
    """The matrix after all steps."""
    for step in steps:
        X = step.apply(X)
    return X


def add_steps(graph: Graph, steps: Sequence[Step], source: str, target: str) -> None:
    """Write all steps as nodes, from one matrix to another."""
    for step in steps:
        source = step.add(graph, source)
    graph.add("Identity", [source], target)


def step_names(steps: Sequence[Step], names: Sequence[Name]) -> tuple[Name, ...]:
    """What each column after all steps is called, given what the columns before them are."""
    said = tuple(names)
    for step in steps:
        said = step.names(said)
    return said
