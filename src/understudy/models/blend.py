"""Several members that answer together: the weighted mean of what each of them says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.core.nouns import Kind
from understudy.models.recipes import RECIPES, Fitted


@dataclass(frozen=True)
class Blend:
    """Fitted members with their weights.

    Attributes
    ----------
    members : tuple of Fitted
        At least one; all of one kind, on one encoded matrix.
    weights : ndarray of float64, shape (m,)
        Positive, with sum 1.

    Raises
    ------
    ValueError
        The weights do not fit the members, or these do not belong together.
    """

    members: tuple[Fitted, ...]
    weights: np.ndarray

    def __post_init__(self) -> None:
        if not self.members or self.weights.shape != (len(self.members),):
            raise ValueError(f"{len(self.members)} members need as many weights, got shape {self.weights.shape}")
        if not (self.weights > 0).all() or abs(self.weights.sum() - 1) > 1e-9:
            raise ValueError(f"weights are positive with sum 1, got {self.weights.tolist()}")
        if len({(member.kind, member.n_classes) for member in self.members}) > 1:
            raise ValueError("the members of a blend are of one kind and know the same classes")

    @property
    def kind(self) -> Kind:
        """Whether it answers with classes or numbers."""
        return self.members[0].kind

    @property
    def n_classes(self) -> int:
        """How many classes there are; 0 for numbers."""
        return self.members[0].n_classes

    @property
    def scale(self) -> float:
        """For numbers the target's standard deviation, else 1."""
        return self.members[0].scale

    def raw(self, X: np.ndarray) -> np.ndarray:
        """Uncalibrated probabilities of shape (n, n_classes), or numbers of shape (n, 1), as float64."""
        total = np.zeros((len(X), self.n_classes or 1))
        for weight, member in zip(self.weights, self.members, strict=True):
            total += weight * member.raw(X)
        return total


def alone(fitted: Fitted) -> Blend:
    """One member that answers by itself."""
    return Blend((fitted,), np.ones(1))


def blend_title(blend: Blend) -> str:
    """The recipes in it, for people: the heaviest first, those of one recipe together."""
    if len(blend.members) == 1:
        return RECIPES[blend.members[0].recipe].title
    shares: dict[str, float] = {}
    for weight, member in zip(blend.weights.tolist(), blend.members, strict=True):
        shares[member.recipe] = shares.get(member.recipe, 0.0) + weight
    if len(shares) == 1:
        return f"Blend of {len(blend.members)} × {RECIPES[blend.members[0].recipe].title}"
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    return "Blend of " + ", ".join(f"{RECIPES[name].title} {share:.2g}" for name, share in ranked)
