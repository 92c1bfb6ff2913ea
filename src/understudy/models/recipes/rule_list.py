"""Rule lists: the first rule that holds gives the answer."""

from __future__ import annotations

import msgspec
import numpy as np


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """That a feature is above a threshold, or that it is not."""

    feature: int
    threshold: float
    above: bool


class LearnedRule(msgspec.Struct, frozen=True, kw_only=True):
    """All of its conditions hold, and what is said then: a share for each class, or a number.

    `rows` is the weight of the training rows that it decides.
    """

    conditions: tuple[Condition, ...]
    says: tuple[float, ...]
    rows: float


class RuleList(msgspec.Struct, frozen=True, tag="rule_list"):
    """Rules in their order; the last one has no condition. `classes_` are the classes that were seen."""

    rules: tuple[LearnedRule, ...]
    classes_: np.ndarray | None = None

    def said(self, X: np.ndarray) -> np.ndarray:
        """What the first rule that holds says of each row, of shape (n, k)."""
        answers = np.empty((len(X), len(self.rules[0].says)))
        open_rows = np.ones(len(X), dtype=bool)
        for rule in self.rules:
            holds = open_rows.copy()
            for condition in rule.conditions:
                holds &= (X[:, condition.feature] > condition.threshold) == condition.above
            answers[holds] = rule.says
            open_rows &= ~holds
        return answers

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of shape (n, k)."""
        return self.said(X)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Numbers of shape (n,)."""
        return self.said(X)[:, 0]
