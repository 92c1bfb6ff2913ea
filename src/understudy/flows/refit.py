"""The recipes of a version, fitted again on other rows, without some columns, or with another setting."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np
from scipy.special import expit, softmax

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind
from understudy.data.prepare import encode, fit_encoding
from understudy.flows.dataset import Dataset
from understudy.flows.folding import rows_of, weights_in_time
from understudy.flows.version import BLEND, Manifest
from understudy.models.recipes import RECIPES, Effort, Fitted, Params, Rows
from understudy.models.recipes.boosted import BoostedTrees
from understudy.models.schemes import USUAL, Scheme
from understudy.models.steady import STEADY
from understudy.models.steps import PLAIN, apply_steps

SPARE_ROUNDS, MORE_ROUNDS = 50, 1.5
TRAIN_SEEN = 5000
"""The error on training rows is told from at most so many of them."""


@dataclass(frozen=True)
class Member:
    """A recipe with its settings, and its share of the answer."""

    recipe: str
    params: Params
    weight: float

    @property
    def title(self) -> str:
        """The recipe, for people."""
        return RECIPES[self.recipe].title

    @property
    def steps(self) -> str:
        """The name of its preparation."""
        return str(self.params.get("steps", PLAIN))


def members_of(manifest: Manifest) -> tuple[Member, ...]:
    """What a version is made of, ready to be fitted again.

    Boosting may go on for half as many rounds more than the search thought right, and stops where validation rows say.

    Raises
    ------
    ModelError
        It was not made of recipes of the catalogue, as an adopted model.
    """
    alone = [{"recipe": manifest.recipe, "weight": 1.0, "params": manifest.params}]
    every: list[dict[str, Any]] = manifest.params["members"] if manifest.recipe == BLEND else alone
    unknown = [one["recipe"] for one in every if one["recipe"] not in RECIPES]
    if unknown:
        raise ModelError(f"A model of the kind {unknown[0]!r} was made elsewhere and cannot be fitted again here.")
    total = sum(one["weight"] for one in every)
    return tuple(Member(one["recipe"], limited(one["recipe"], one["params"]), one["weight"] / total) for one in every)


def limited(recipe: str, params: Params) -> Params:
    """The settings without the number of rounds that was found, which becomes a limit instead."""
    settings = {key: value for key, value in params.items() if key != "rounds"}
    name = RECIPES[recipe].rounds
    if "rounds" in params and name in settings:
        settings[name] = min(settings[name], int(MORE_ROUNDS * params["rounds"]) + SPARE_ROUNDS)
    return settings


@dataclass(frozen=True)
class Refitted:
    """Members fitted on the same rows.

    Attributes
    ----------
    members : tuple of Member
    fitted : tuple of Fitted
    rows : Rows
        What they were fitted on, encoded.
    X : ndarray of float32, shape (n, d)
        The rows that judge, encoded likewise.
    said : ndarray of shape (m, n, k)
        What each member says of them, uncalibrated.
    columns : tuple of str
        The column that each feature comes from.
    """

    members: tuple[Member, ...]
    fitted: tuple[Fitted, ...]
    rows: Rows
    X: np.ndarray
    said: np.ndarray
    columns: tuple[str, ...]

    @property
    def scores(self) -> np.ndarray:
        """What they say together."""
        return mixed(self.said, [one.weight for one in self.members])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """What they say together of encoded rows."""
        return mixed(np.stack([one.raw(X) for one in self.fitted]), [one.weight for one in self.members])

    def train_scores(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The answers of some of the rows that they were fitted on, and what they say of them."""
        n = len(self.rows.y)
        some = np.arange(n)
        if n > TRAIN_SEEN:
            some = np.sort(np.random.default_rng(seed).choice(n, TRAIN_SEEN, replace=False))
        return self.rows.y[some], self.predict(self.rows.X[some])

    def without_member(self, place: int) -> np.ndarray:
        """What the others say, their shares made to sum to one."""
        weights = [0.0 if index == place else one.weight for index, one in enumerate(self.members)]
        return mixed(self.said, weights)


def mixed(said: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """The weighted mean of what members say."""
    shares = np.asarray(weights) / np.sum(weights)
    return np.asarray(np.tensordot(shares, said, axes=1))


@dataclass(frozen=True)
class Bench:
    """The rows that models are fitted, stopped and judged on, and how.

    Attributes
    ----------
    data : Dataset
    pool, stop, judged : ndarray of int64
        Rows of the dataset to fit on, to stop boosting on, and to judge on.
    available : int
        How many rows there are to fit on, beyond those of the pool.
    clock : str, optional
        The column of time among the inputs.
    scheme : Scheme
        How much old rows count.
    seed : int
    """

    data: Dataset
    pool: np.ndarray
    stop: np.ndarray
    judged: np.ndarray
    available: int
    clock: str | None = None
    scheme: Scheme = USUAL
    seed: int = 0

    @property
    def effort(self) -> Effort:
        """One thread: whoever diagnoses shares the machine, and the bits do not depend on it."""
        return Effort(self.seed, threads=1)

    def fit(self, members: Sequence[Member], rows: np.ndarray, *, without: Collection[str] = ()) -> Refitted:
        """Fit members on some rows of the dataset, without some columns.

        Raises
        ------
        ModelError
            A recipe cannot learn from these rows, or no column is left.
        """
        part, X, columns = self.encoded(rows, without)
        fitted = tuple(fit_member(one, part, self.effort) for one in members)
        return Refitted(tuple(members), fitted, part, X, said_of(fitted, X), columns)

    def encoded(self, rows: np.ndarray, without: Collection[str]) -> tuple[Rows, np.ndarray, tuple[str, ...]]:
        """Rows to fit on and rows to judge, encoded by what the first ones show."""
        data = lacking(self.data, without)
        encoding = fit_encoding(data.frame[rows], data.contract, clock_column=self.clock)
        part = replace(
            rows_of(data, encoding, rows),
            weights=weights_in_time(data, rows, self.scheme),
            X_stop=encode(encoding, data.frame[self.stop]),
            y_stop=data.answers.y[self.stop],
            weights_stop=data.weights_of(self.stop),
        )
        return part, encode(encoding, data.frame[self.judged]), tuple(one.column for one in encoding.features)

    def changed(self, base: Refitted, place: int, changes: Mapping[str, Any]) -> Refitted:
        """The same members on the same rows, one of them with other settings."""
        member = replace(base.members[place], params=base.members[place].params | dict(changes))
        fitted = fit_member(member, base.rows, self.effort)
        members, every = list(base.members), list(base.fitted)
        members[place], every[place] = member, fitted
        said = base.said.copy()
        said[place] = said_of([fitted], base.X)[0]
        return replace(base, members=tuple(members), fitted=tuple(every), said=said)

    def rival(self, base: Refitted, member: Member) -> Refitted:
        """Another recipe on the same rows."""
        fitted = (fit_member(member, base.rows, self.effort),)
        return replace(base, members=(member,), fitted=fitted, said=said_of(fitted, base.X))


def lacking(data: Dataset, without: Collection[str]) -> Dataset:
    """The same rows without some columns.

    Raises
    ------
    ModelError
        No column is left.
    """
    if not without:
        return data
    columns = tuple(
        msgspec.structs.replace(one, used=False) if one.name in without else one for one in data.contract.columns
    )
    contract = msgspec.structs.replace(data.contract, columns=columns)
    if not contract.used:
        raise ModelError("No column is left to learn from.")
    monotone = {name: sign for name, sign in data.monotone.items() if name not in without}
    return replace(data, contract=contract, monotone=monotone)


def fit_member(member: Member, rows: Rows, effort: Effort) -> Fitted:
    """Fit a member; what libraries warn of is known, and BLAS has one thread."""
    with STEADY:
        return RECIPES[member.recipe].fit(member.params, rows, effort)


def said_of(fitted: Sequence[Fitted], X: np.ndarray) -> np.ndarray:
    """What members say of encoded rows, of shape (m, n, k).

    Raises
    ------
    ModelError
        It is not finite.
    """
    with STEADY:
        said = np.stack([one.raw(X) for one in fitted])
    if not np.isfinite(said).all():
        raise ModelError("Its predictions are not finite numbers.")
    return said


def staged(fitted: Fitted, X: np.ndarray, rounds: Sequence[int]) -> Iterator[np.ndarray]:
    """What boosted trees say after each of so many rounds, of shape (n, k) or (n, 1).

    Parameters
    ----------
    fitted : Fitted
        Of a recipe that boosts; see `boosts`.
    X : ndarray of float32, shape (n, d)
    rounds : sequence of int
        In increasing order, at most as many as there are.
    """
    part = apply_steps(fitted.steps, X[:, fitted.columns])
    trees = fitted.estimator
    if isinstance(trees, lgb.Booster):
        k = trees.num_model_per_iteration()
        sums, done = np.zeros((len(X), k)), 0
        for stop in rounds:
            more = trees.predict(part, raw_score=True, start_iteration=done, num_iteration=stop - done, num_threads=1)
            sums, done = sums + np.reshape(more, (len(X), k)), stop
            yield linked(sums, fitted)
        return
    grown = trees.trees()
    width = max(1, len(grown) // max(1, fitted.rounds))
    sums, done = np.tile(trees.start, (len(X), 1)), 0
    for stop in rounds:
        more = replace_trees(trees, grown[done * width : stop * width])
        sums, done = sums + more.sums(part), stop
        yield linked(sums, fitted, trees.classes_)


def replace_trees(trees: BoostedTrees, some: Sequence[Any]) -> BoostedTrees:
    """Some of the trees, which begin with nothing."""
    feature, threshold, left, right, value = (np.concatenate(column) for column in zip(*some, strict=True))
    sizes = np.array([len(tree.left) for tree in some])
    return BoostedTrees(feature, threshold, left, right, value, sizes, np.zeros_like(trees.start), trees.classes_)


def linked(sums: np.ndarray, fitted: Fitted, classes: np.ndarray | None = None) -> np.ndarray:
    """Probabilities, or numbers in the target's unit, from the sums of leaves."""
    if fitted.kind == "regression":
        return sums * fitted.scale + fitted.center
    shares = np.asarray(softmax(sums, axis=1)) if sums.shape[1] > 1 else np.column_stack([expit(-sums), expit(sums)])
    if classes is None:
        return shares
    whole = np.zeros((len(sums), fitted.n_classes))
    whole[:, classes] = shares
    return whole


def boosts(fitted: Fitted) -> bool:
    """Whether it is made of rounds that can be taken one after the other."""
    return isinstance(fitted.estimator, lgb.Booster | BoostedTrees) and fitted.rounds > 1


def permutation_importances(
    refitted: Refitted, groups: Mapping[str, Sequence[str]], y: np.ndarray, kind: Kind, *, most: int, seed: int
) -> dict[str, float]:
    """How much the loss rises when the columns of a group are shuffled together among the rows that judge.

    Nothing is fitted again, so this is a first look only: columns that stand in for each other all look useless.
    """
    generator = np.random.default_rng(seed)
    X = refitted.X[:most]
    y = y[:most]
    columns = np.array(refitted.columns)
    with STEADY:
        whole = mean_loss(kind, y, refitted.predict(X))
        found = {}
        for name, members in groups.items():
            shuffled = X.copy()
            places = np.flatnonzero(np.isin(columns, list(members)))
            shuffled[:, places] = X[generator.permutation(len(X))][:, places]
            found[name] = mean_loss(kind, y, refitted.predict(shuffled)) - whole
    return found


def mean_loss(kind: Kind, y: np.ndarray, scores: np.ndarray) -> float:
    """Mean log loss or mean squared error."""
    if kind == "regression":
        return float(np.mean((y - scores[:, 0]) ** 2))
    return float(-np.mean(np.log(np.clip(scores[np.arange(len(y)), y], 1e-15, 1.0))))
