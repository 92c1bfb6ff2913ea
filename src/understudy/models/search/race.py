"""What a search is told, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from understudy.core.ports import Crew
from understudy.models.recipes import Effort, Params, Rows

Stage = Literal["portfolio", "search"]
State = Literal["complete", "pruned", "failed", "running"]
Strategy = Literal["portfolio+tpe", "grid", "random"]


@dataclass(frozen=True)
class Budget:
    """How long to search: some seconds, or, where two runs must agree exactly, a number of trials.

    >>> Budget(trials=6).trials
    6
    """

    seconds: float | None = None
    trials: int | None = None

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.trials is None):
            raise ValueError("a budget is either seconds or trials")
        if (self.seconds or self.trials or 0) <= 0:
            raise ValueError(f"a budget is positive, not {self.seconds or self.trials}")


@dataclass(frozen=True)
class Fold:
    """One fold: what is fitted on, and the rows that it is judged on.

    Attributes
    ----------
    rows : Rows
        The rows to fit on, and those to stop on.
    X, y : ndarray
        The rows to predict, encoded by this fold's own encoding.
    positions : ndarray of int64
        Where these rows stand among all training rows.
    weights : ndarray of float64, optional
        How much each of these rows counts; by default all alike.
    """

    rows: Rows
    X: np.ndarray
    y: np.ndarray
    positions: np.ndarray
    weights: np.ndarray | None = None


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of one recipe, and how it did.

    Attributes
    ----------
    number : int
    recipe : str
    params : dict
    stage : {"portfolio", "search"}
        Whether the setting was known to be strong, or drawn.
    state : {"complete", "pruned", "failed", "running"}
        Whether it was judged on all folds, or given up after some of them; `running` only while the search goes on.
    score : float, optional
        Mean over the folds of log loss or squared error; lower is better.
    fold_scores : tuple of float
        The loss on each fold, up to the last one that was judged.
    rounds : int
        Boosting rounds, the median over the folds; 0 where that means nothing.
    seconds : float
        How long its fits took, one after the other.
    error : str
        Why it failed, or was given up.
    note : str
        What a reader should know of the fits; see `Fitted`.
    drawn : dict
        The numbers that the setting was made of, where it was drawn.
    """

    number: int
    recipe: str
    params: Params
    stage: Stage
    state: State
    score: float | None = None
    fold_scores: tuple[float, ...] = ()
    rounds: int = 0
    seconds: float = 0.0
    error: str = ""
    note: str = ""
    drawn: Params = {}


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    best : Trial
    trials : tuple of Trial
    oof : ndarray of shape (n, k) or (n, 1)
        The best trial's out-of-fold predictions; NaN for rows that no fold predicts.
    stack : mapping of int to ndarray
        The same for every complete trial that is worth keeping, at most `MOST_STACKED`, by number.
    weights : mapping of int to float
        The share of each of these trials in the blend, greater than 0, with sum 1.
    reused : int
        How many trials were taken over from an earlier search that was stopped.
    stopped_after : float
        After how many seconds it was stopped.
    """

    best: Trial
    trials: tuple[Trial, ...]
    oof: np.ndarray
    stack: Mapping[int, np.ndarray] = field(default_factory=dict)
    weights: Mapping[int, float] = field(default_factory=dict)
    reused: int = 0
    stopped_after: float = 0.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a search stands at a moment.

    Attributes
    ----------
    trials : tuple of Trial
        Every trial that was begun.
    weights : dict of float
        What each would count in a blend, by number, as far as is known.
    folds : int
        On how many folds a complete trial is judged.
    running : int
        How many fits are under way.
    left : float, optional
        The seconds, or the trials, that are left of the budget.
    """

    trials: tuple[Trial, ...]
    weights: dict[int, float]
    folds: int
    running: int
    left: float


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """A line of a search's journal: trials that were decided on, together."""

    trials: tuple[Trial, ...]


class Chosen(msgspec.Struct, frozen=True, tag="chosen"):
    """A line of a search's journal: trials that go on to all folds."""

    numbers: tuple[int, ...]


class Fitting(msgspec.Struct, frozen=True, tag="fitting"):
    """A line of a search's journal: what one fit has shown, and after how many seconds of the search.

    The predictions stand in a file of their own.
    """

    number: int
    fold: int
    loss: float | None
    rounds: int
    seconds: float
    error: str
    note: str
    at: float
    rows: int | None = None


Line = Begun | Chosen | Fitting


class Journal(Protocol):
    """Keeps what a search has done, so that it can go on after it was stopped."""

    def earlier(self) -> tuple[Line, ...]:
        """What an earlier search with the same data and settings has written, in order."""

    def scores(self, number: int, fold: int) -> np.ndarray:
        """The predictions that belong to a fitting."""

    def write(self, line: Line, scores: np.ndarray | None = None) -> None:
        """Keep a line for good, with its predictions."""


class Forgetful:
    """A journal that keeps nothing."""

    def earlier(self) -> tuple[Line, ...]:
        """Nothing."""
        return ()

    def scores(self, number: int, fold: int) -> np.ndarray:
        """Nothing is known, so none can be asked for."""
        raise KeyError((number, fold))

    def write(self, line: Line, scores: np.ndarray | None = None) -> None:
        """Keep nothing."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier search has tried, and what its blend was made of."""

    trials: tuple[Trial, ...]
    weights: dict[int, float]


NO_JOURNAL = Forgetful()


@dataclass(frozen=True)
class Race:
    """How a search is run.

    Attributes
    ----------
    budget : Budget
        In seconds it holds for everything up to the calibrated model: what the refit will take is left over.
    effort : Effort
        The seed, and how many threads the refit may use. Each fit of the search has one thread.
    elapsed : callable
        Seconds since any fixed moment; asked only where the budget is in seconds, or to note how long a trial took.
    tell : callable
        Is told of every trial when its end is known.
    recipes : tuple of str
        The recipes that take part; by default all that suit the kind and are raced.
    map : callable
        Runs work on some items side by side, as an engine does.
    first : tuple of (str, dict)
        Recipes with settings to try before all others: what has proved good on earlier data. Recipes that are unknown
        or do not take part are passed over.
    started : float, optional
        When the budget in seconds began, on `elapsed`; by default when the search begins.
    crew : Crew, optional
        Who fits, side by side; by default one fit after the other, here.
    strategy : {"portfolio+tpe", "grid", "random"}
        Strong settings of every recipe first and then Optuna's estimator, or settings from a grid, or at random.
    single : bool
        Whether the answer is one member, to be read or to be fast, rather than a blend.
    max_latency : float, optional
        How many milliseconds one answer may take.
    max_size : int, optional
        How many bytes the compiled model may have.
    show : callable, optional
        Is shown how the search stands, whenever that has changed.
    journal : Journal
        Keeps what is done.
    replay : Replay, optional
        An earlier search, to be done again as it went: nothing is decided, and no clock is asked.
    """

    budget: Budget
    effort: Effort
    elapsed: Callable[[], float]
    tell: Callable[[Trial], None] = lambda _: None
    recipes: tuple[str, ...] = ()
    map: Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]] = map
    first: tuple[tuple[str, Params], ...] = ()
    started: float | None = None
    crew: Crew | None = None
    strategy: Strategy = "portfolio+tpe"
    single: bool = False
    max_latency: float | None = None
    max_size: int | None = None
    show: Callable[[Standing], None] | None = None
    journal: Journal = NO_JOURNAL
    replay: Replay | None = None
