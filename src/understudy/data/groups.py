"""Whether rows belong together, as those of one customer do, where nobody has said so."""

from __future__ import annotations

import re

import msgspec
import numpy as np
import polars as pl

from understudy.data.contract import ID_NAME, Contract
from understudy.data.order import agreement, correlation
from understudy.data.profile import average_ranks

SUBJECT = re.compile(
    r"(?i:(^|_)(customer|client|patient|user|member|person|subject|household|account|applicant|borrower|employee|"
    r"student|respondent|defendant|driver|device|machine|engine|unit|vehicle|session)$)"
)
THING = re.compile(r"(?i:product|item|sku|categor|type|class|region|branch|store|shop|depart|zip|post|country|city)")
FEWEST_GROUPS = 20
REPEATED = 0.1
"""The least share of rows whose value of an identifier comes again."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A column whose rows belong together, and the figures that say so."""

    column: str
    words: str


def find_group(source: pl.DataFrame, contract: Contract, y: np.ndarray) -> Group | None:
    """The identifier that comes again and again: its rows must not stand on both sides of a split.

    It is a column named as an identifier or as somebody (customer, patient, device) with 20 different values or more,
    of which a tenth of the rows hold one that others hold too. Things that a model meets again, as products and places,
    are passed over. Of several, the one within which answers are most alike.

    Parameters
    ----------
    source : pl.DataFrame
        The rows as they were read.
    contract : Contract
    y : ndarray of shape (n,)
        Class indices or numbers.

    >>> from understudy.data.contract import infer_contract
    >>> table = pl.DataFrame({"customer_id": [f"C{i // 3}" for i in range(90)], "amount": range(0, 900, 10)})
    >>> find_group(table, infer_contract(table), np.arange(90) % 2).words
    'customer_id holds 30 different values in 90 rows'
    """
    found = []
    for column in contract.columns:
        named = ID_NAME.search(column.name) or SUBJECT.search(column.name)
        if not named or THING.search(column.name) or column.kind not in ("category", "integer", "identifier"):
            continue
        codes = source[column.name].rank("dense").fill_null(0).to_numpy().astype(np.int64)
        sizes = np.unique(codes, return_counts=True)[1]
        if len(sizes) >= FEWEST_GROUPS and np.sum(sizes[sizes > 1]) >= REPEATED * len(codes):
            words = f"{column.name} holds {len(sizes):,} different values in {len(codes):,} rows"
            found.append((likeness_within(codes, y), Group(column=column.name, words=words)))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def likeness_within(codes: np.ndarray, y: np.ndarray) -> float:
    """How alike the answers of neighbours are, once rows of one group are brought together."""
    ordered = y[np.argsort(codes, kind="stable")][None, :]
    if y.dtype.kind == "f":
        return float(correlation(average_ranks(ordered[0])[None, :]))
    return float(agreement(ordered))
