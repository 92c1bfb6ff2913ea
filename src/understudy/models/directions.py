"""What is known beforehand: that an answer may only rise, or only fall, with a column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from understudy.core.errors import InputError
from understudy.core.task import Direction
from understudy.data.prepare import BooleanPart, Encoding, NumberPart


def directions(encoding: Encoding, known: Mapping[str, Direction]) -> np.ndarray:
    """The direction of each feature, for `Rows.monotone`.

    Parameters
    ----------
    encoding : Encoding
    known : mapping of str to {"rises", "falls"}
        Columns with which the number, or the probability of the second of two answers, may only rise or only fall. That
        a value is missing has no direction.

    Returns
    -------
    ndarray of int64, shape (d,)

    Raises
    ------
    InputError
        A column is not used, or is neither a number nor true or false.

    >>> from understudy.data.prepare import Feature
    >>> part = NumberPart(column="amount", center=0, scale=1, fill=0, flag=True)
    >>> names = (("amount", "number"), ("amount is missing", "flag"))
    >>> features = tuple(Feature(name=name, column="amount", view=view) for name, view in names)
    >>> directions(Encoding(parts=(part,), features=features), {"amount": "falls"}).tolist()
    [-1, 0]
    """
    able = [part.column for part in encoding.parts if isinstance(part, NumberPart | BooleanPart)]
    for column, sign in known.items():
        if column not in able:
            raise InputError(
                f"A direction is given for {column!r}, which is not a column of numbers or truth values that is used.",
                hint=f"These are: {', '.join(able) or 'none'}.",
            )
        if sign not in ("rises", "falls"):
            raise InputError(f"The direction of {column!r} is {sign!r}; it is 'rises' or 'falls'.")
    signs = {column: 1 if sign == "rises" else -1 for column, sign in known.items()}
    features = encoding.features
    return np.array([signs.get(one.column, 0) if one.view == "number" else 0 for one in features], dtype=np.int64)
