"""Which settings of a recipe make its model simpler or larger, and values around a chosen one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

DOUBLINGS = (-2, -1, 1, 2)


class Dial(msgspec.Struct, frozen=True):
    """A setting that a model's size hangs on.

    Attributes
    ----------
    parameter : str
    title : str
        For people.
    rises : bool
        Whether a greater value makes a larger model.
    whole : bool
        Whether its values are whole numbers.
    least, most : float
        Values that make sense.
    step : float
        Neighbours are apart by this factor, or, where `added`, by this number.
    added : bool
    """

    parameter: str
    title: str
    rises: bool = True
    whole: bool = True
    least: float = 1.0
    most: float = float("inf")
    step: float = 2.0
    added: bool = False

    def around(self, chosen: float) -> tuple[float, ...]:
        """The chosen value with up to two on either side, in increasing order.

        >>> DIALS["lightgbm"][0].around(31)
        (8, 16, 31, 62, 124)
        """
        made = {chosen}
        for place in DOUBLINGS:
            value = chosen + self.step * place if self.added else chosen * self.step**place
            value = float(round(value)) if self.whole else value
            if self.least <= value <= self.most:
                made.add(int(value) if self.whole else value)
        return tuple(sorted(made))


LEAVES = Dial("num_leaves", "leaves of a tree", least=2, most=512)
LEAF_ROWS = Dial("min_samples_leaf", "fewest rows of a leaf", rises=False)

DIALS: Mapping[str, tuple[Dial, ...]] = {
    "lightgbm": (LEAVES, Dial("min_data_in_leaf", "fewest rows of a leaf", rises=False)),
    "histogram": (Dial("leaves", "leaves of a tree", least=2, most=512), LEAF_ROWS),
    "xgboost": (Dial("max_depth", "depth of a tree", step=1, added=True, most=12),),
    "catboost": (Dial("depth", "depth of a tree", step=1, added=True, most=10),),
    "logistic": (Dial("C", "weakness of the penalty", whole=False, least=0.0, step=8.0),),
    "ridge": (Dial("alpha", "strength of the penalty", rises=False, whole=False, least=0.0, step=8.0),),
    "lasso": (Dial("strength", "strength of the penalty", rises=False, whole=False, least=0.0, most=1.0, step=4.0),),
    "elastic_net": (
        Dial("strength", "strength of the penalty", rises=False, whole=False, least=0.0, most=1.0, step=4.0),
    ),
    "linear_svm": (Dial("C", "weakness of the penalty", whole=False, least=0.0, step=8.0),),
    "svm": (Dial("C", "weakness of the penalty", whole=False, least=0.0, step=4.0),),
    "forest": (LEAF_ROWS,),
    "extra_trees": (LEAF_ROWS,),
    "tree": (Dial("leaves", "leaves", least=2), LEAF_ROWS),
    "neighbours": (Dial("neighbours", "neighbours asked", rises=False),),
    "bayes": (Dial("bins", "bins of a number", least=2, most=64),),
    "rules": (Dial("rules", "rules", most=40),),
}
"""By recipe, what matters most first."""


def dials(recipe: str, params: Mapping[str, Any]) -> tuple[Dial, ...]:
    """The settings that can be turned in a model with these ones."""
    return tuple(dial for dial in DIALS.get(recipe, ()) if isinstance(params.get(dial.parameter), int | float))
