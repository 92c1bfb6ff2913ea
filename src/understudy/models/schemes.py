"""How to learn from rows that come in time: where boosting stops, and how much old rows count, tried out forwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from scipy import stats

from understudy.core.errors import ModelError
from understudy.core.evidence import Evidence
from understudy.models.recipes import RECIPES, Effort, Params, Rows

Stopping = Literal["last", "random"]
Memory = Literal["all", "fading", "recent"]

STOP_SHARE = 0.2
RECENT_SHARE = 0.5
HALF_LIFE = 0.25
"""The share of the rows after which a fading row counts half."""

BLOCKS = 12
"""Into so many blocks a window is cut: neighbouring rows are alike, blocks hardly."""

CONFIDENCE = 0.95
FEWEST_WINDOW = 60
ROUNDS, FEWEST_ROUNDS = 200, 80
PROBE: Params = {
    "learning_rate": 0.2,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
}

STOPPING_WORDS: dict[Stopping, str] = {
    "last": "boosting stops on the newest fifth of what it may see",
    "random": "boosting stops on a random fifth of what it may see",
}
MEMORY_WORDS: dict[Memory, str] = {
    "all": "all rows count alike in the final fit",
    "fading": "in the final fit a row counts half as much as one that came a quarter of the rows later",
    "recent": "the final fit is on the newer half of the rows",
}


class Scheme(msgspec.Struct, frozen=True):
    """How to learn from rows that come in time.

    Attributes
    ----------
    stopping : {"last", "random"}
        Whether boosting stops on the newest fifth of the rows or on a random one.
    memory : {"all", "fading", "recent"}
        Whether in the final fit all rows count alike, old ones fade, or only the newer half counts.
    """

    stopping: Stopping = "last"
    memory: Memory = "all"


USUAL = Scheme()
CANDIDATES = (Scheme("random", "all"), Scheme("last", "fading"), Scheme("last", "recent"))


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The scheme that is used, and what the others came to.

    Attributes
    ----------
    scheme : Scheme
    losses : dict of float
        By scheme, such as "last/all", the mean loss on windows that came after what was learned from.
    gains : dict of Evidence
        By scheme how much lower its loss is than that of the usual one; the bounds hold together.
    """

    scheme: Scheme
    losses: dict[str, float]
    gains: dict[str, Evidence]

    @property
    def words(self) -> str:
        """What is done, and why."""
        done = f"{STOPPING_WORDS[self.scheme.stopping]}; {MEMORY_WORDS[self.scheme.memory]}"
        if self.scheme == USUAL:
            return f"{done}: on later windows no other way was surely better"
        gain = self.gains[label(self.scheme)]
        return (
            f"{done}: on later windows its loss was lower by {gain.estimate:.3g} ({gain.lower:.3g} to {gain.upper:.3g})"
        )


class Window(NamedTuple):
    """Rows to learn from, in the order of time, and the rows that came next."""

    past: Rows
    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Parted:
    """Places to fit on and to stop on, both in the order of time."""

    fit: np.ndarray
    stop: np.ndarray


def part(n: int, stopping: Stopping, seed: int) -> Parted:
    """Part rows that stand in the order of time: the newest fifth, or a random one, is for stopping.

    >>> part(10, "last", 0).stop.tolist(), len(part(10, "random", 0).stop)
    ([8, 9], 2)
    """
    held = max(1, round(STOP_SHARE * n))
    if stopping == "last":
        return Parted(np.arange(n - held), np.arange(n - held, n))
    stop = np.zeros(n, dtype=bool)
    stop[np.random.default_rng(seed).choice(n, held, replace=False)] = True
    return Parted(np.flatnonzero(~stop), np.flatnonzero(stop))


def memory_weights(n: int, memory: Memory) -> np.ndarray | None:
    """How much each of n rows in the order of time counts, the newest 1; None where all count alike.

    >>> memory_weights(4, "recent").tolist(), memory_weights(5, "fading").round(2).tolist()
    ([0.0, 0.0, 1.0, 1.0], [0.11, 0.19, 0.33, 0.57, 1.0])
    """
    if memory == "all":
        return None
    age = np.arange(n, dtype=np.float64)[::-1]
    if memory == "recent":
        return np.asarray(age < np.ceil(RECENT_SHARE * n), dtype=np.float64)
    return np.asarray(np.exp2(-age / (HALF_LIFE * n)))


def weighted(own: np.ndarray | None, memory: np.ndarray | None) -> np.ndarray | None:
    """Both weights of a row together."""
    if own is None or memory is None:
        return memory if own is None else own
    return np.asarray(own * memory)


def choose_scheme(windows: tuple[Window, ...], effort: Effort) -> Chosen:
    """The scheme that would have done best on the rows that came next, if it is surely better than the usual one.

    On each window of a rolling origin a small LightGBM is fitted on what came before: it stops as the scheme says, is
    fitted again for as many rounds on all rows as the scheme counts them, and is judged on what came next, just as the
    final model is made. Schemes are compared in pairs by blocks of neighbouring rows, by Student's interval, at a
    confidence that holds for all of them together (Bonferroni); a scheme that is not surely better stays unused.

    Parameters
    ----------
    windows : tuple of Window
        Of at least 60 rows each; others are passed over.
    effort : Effort
    """
    blocks = losses_of([window for window in windows if len(window.y) >= FEWEST_WINDOW], effort)
    if not len(blocks[USUAL]):
        return Chosen(scheme=USUAL, losses={}, gains={})
    gains = {scheme: block_gain(blocks[USUAL] - blocks[scheme]) for scheme in CANDIDATES}
    better = [scheme for scheme in CANDIDATES if gains[scheme].lower > 0]
    return Chosen(
        scheme=max(better, key=lambda scheme: gains[scheme].estimate, default=USUAL),
        losses={label(scheme): float(losses.mean()) for scheme, losses in blocks.items()},
        gains={label(scheme): gain for scheme, gain in gains.items()},
    )


def label(scheme: Scheme) -> str:
    """A scheme's name."""
    return f"{scheme.stopping}/{scheme.memory}"


def losses_of(windows: list[Window], effort: Effort) -> dict[Scheme, np.ndarray]:
    """For each scheme the mean loss of each block of each window."""
    made: dict[Scheme, list[np.ndarray]] = {scheme: [] for scheme in (USUAL, *CANDIDATES)}
    for window in windows:
        try:
            rounds = {stopping: best_rounds(window.past, stopping, effort) for stopping in STOPPING_WORDS}
            found = {
                scheme: window_losses(window, forecast(window, scheme, rounds[scheme.stopping], effort))
                for scheme in made
            }
        except ModelError:  # the rows before it may hold one class only
            continue
        for scheme, losses in found.items():
            made[scheme].append(losses)
    return {scheme: np.concatenate(losses) if losses else np.empty(0) for scheme, losses in made.items()}


def window_losses(window: Window, scores: np.ndarray) -> np.ndarray:
    """The mean loss of each block of a window."""
    losses = row_losses(window, scores)
    weights = np.ones(len(losses)) if window.weights is None else window.weights
    starts = np.linspace(0, len(losses), BLOCKS + 1)[:-1].astype(np.int64)
    counted = np.maximum(np.add.reduceat(weights, starts), 1e-12)
    return np.asarray(np.add.reduceat(losses * weights, starts) / counted)


def settings(rows: Rows) -> Params:
    """The probe's settings; of several classes each needs trees of its own."""
    return {**PROBE, "n_estimators": max(FEWEST_ROUNDS, ROUNDS // max(1, rows.n_classes - 1))}


def best_rounds(past: Rows, stopping: Stopping, effort: Effort) -> int:
    """After how many rounds the probe stops."""
    places = part(len(past.y), stopping, effort.seed)
    return max(1, RECIPES["lightgbm"].fit(settings(past), stopping_rows(past, places), effort).rounds)


def forecast(window: Window, scheme: Scheme, rounds: int, effort: Effort) -> np.ndarray:
    """What the probe, fitted on all that came before, says of the rows that came next: of shape (n, k) or (n, 1)."""
    past = window.past
    rows = replace(past, weights=weighted(past.weights, memory_weights(len(past.y), scheme.memory)))
    return RECIPES["lightgbm"].fit({**PROBE, "n_estimators": rounds}, rows, effort).raw(window.X)


def stopping_rows(past: Rows, places: Parted) -> Rows:
    """The rows, some to fit on and others to stop on."""

    def some(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
        return None if values is None else values[rows]

    return replace(
        past,
        X=past.X[places.fit],
        y=past.y[places.fit],
        weights=some(past.weights, places.fit),
        X_stop=past.X[places.stop],
        y_stop=past.y[places.stop],
        weights_stop=some(past.weights, places.stop),
    )


def row_losses(window: Window, scores: np.ndarray) -> np.ndarray:
    """Log loss, or squared error over the variance of what came before, row by row."""
    if window.past.kind == "regression":
        return np.asarray((window.y - scores[:, 0]) ** 2 / (np.var(window.past.y) or 1.0))
    return np.asarray(-np.log(np.clip(scores[np.arange(len(window.y)), window.y], 1e-6, 1.0)))


def block_gain(differences: np.ndarray) -> Evidence:
    """The mean of block differences, with bounds that hold for all candidates together."""
    n, estimate = len(differences), float(differences.mean())
    alpha = (1 - CONFIDENCE) / len(CANDIDATES)
    half = float(stats.t.ppf(1 - alpha / 2, n - 1) * differences.std(ddof=1) / np.sqrt(n))
    return Evidence(
        estimate=estimate,
        lower=estimate - half,
        upper=estimate + half,
        confidence=1 - alpha,
        n=n,
        method="Student's t over blocks of rows",
    )
