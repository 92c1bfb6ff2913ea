"""The worklist: of all that could be done about a model, what to do first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Literal

import msgspec
from scipy.special import ndtr, ndtri

from understudy.core.canonical import canonical
from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action, Effort
from understudy.evaluation.words import bounds, estimate, with_bounds

State = Literal["open", "done", "again"]

MOST = 20
"""More rows are not read."""

HOURS: dict[Effort, float] = {"minutes": 0.5, "hours": 4.0, "days": 20.0, "weeks": 80.0}
"""How many hours of work an effort stands for, where the user does not say."""

ROUND = 8.0
"""What every change costs on top, in hours: train, evaluate, check and watch a new version."""

UNSURE = 0.5
"""How certain a gain without an interval is."""

CASES = 1000


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a worklist.

    Attributes
    ----------
    rank : int
        1 is first.
    action : Action
    wins : Evidence, optional
        The action's gain, in wrong decisions per 1,000 cases.
    hours : float
        How long it takes.
    own : bool
        Whether the user said so.
    tags : tuple of str
        The user's own categories.
    state : {"open", "done", "again"}
        `again`: it was set done under an earlier version, and this one shows it still.
    score : float
        What the order follows; see `rank`.
    """

    rank: int
    action: Action
    wins: Evidence | None
    hours: float
    own: bool = False
    tags: tuple[str, ...] = ()
    state: State = "open"
    score: float = 0.0

    @property
    def key(self) -> str:
        """How the user names it."""
        return key(self.action)

    @property
    def effort(self) -> str:
        """How much work it is, in words."""
        return f"{self.hours:g} h" if self.own else self.action.effort


class Worklist(msgspec.Struct, frozen=True, kw_only=True):
    """What to do about a model, in order.

    Attributes
    ----------
    items : tuple of Item
        At most 20, and those that are done.
    wrong : Evidence or float
        Of all cases, how many the model decides wrongly.
    human : Evidence, optional
        Of all cases, how many people decide wrongly, where that is known.
    others : tuple of Action
        What did not fit into the list; kept because other efforts could bring it up.
    """

    items: tuple[Item, ...]
    wrong: Evidence | float
    human: Evidence | None = None
    others: tuple[Action, ...] = ()

    @property
    def headline(self) -> str:
        """How much there is to win, in a sentence or two.

        >>> rank((), wrong=0.1).headline
        'It is wrong in 100 of 1,000 cases.'
        """
        said = f"It is wrong in {per_thousand(self.wrong)} of 1,000 cases"
        if self.human is None:
            return f"{said}."
        avoidable = CASES * (rate(self.wrong) - self.human.estimate)
        people = f"{said}, people in {per_thousand(self.human)}"
        if avoidable <= 0:
            return f"{people}: it is no worse than people are."
        return f"{people}: {avoidable:,.0f} are known to be avoidable, since people avoid them."


def rank(
    actions: Iterable[Action],
    *,
    wrong: Evidence | float,
    efforts: Mapping[str, float] | None = None,
    tags: Mapping[str, tuple[str, ...]] | None = None,
    states: Mapping[str, State] | None = None,
    human: Evidence | None = None,
) -> Worklist:
    """What to do first.

    Blocking actions come first, since a version with one decides nothing whatever it would gain. Of these, and of all
    others, leaks come first, since no other figure can be believed beside one. Then the order follows

        score = 1000 × expected gain × certainty × ease

    the wrong decisions per 1,000 cases that a day of work can be expected to avoid, greatest first: with limited time,
    taking up whatever yields most per hour is the best order as long as one thing does not change the others.

    - *Expected gain*: the estimate of the gain. Where the gap to people is known, at most gap × share of cases: that
      people decide these cases better shows that it can be done; what lies beyond them is hope. Where only the gap is
      known, gap × share. Never more than `wrong`, never less than 0.
    - *Certainty*: the chance that there is a gain at all, Φ(z · estimate/(estimate − lower)), with z of the interval's
      confidence. The lower half of the interval is used: how much more it could win says nothing of whether it wins.
      ½ where there is no interval.
    - *Ease*: 8/(8 + hours). Every change costs a round of about a day, however small it is.

    Of rows of equal score, as where nothing is expected, those come first whose gain is not known, by the share of the
    cases that they touch; then the others by estimate; then by name. So the same actions give the same list in whatever
    order they come. Rows of the same kind and subject become one: the first of them by these rules, with the
    reasons of all.

    Parameters
    ----------
    actions : iterable of Action
        An action whose gain is not finite is one whose gain is not known.
    wrong : Evidence or float
        Of all cases, the share that the model decides wrongly, in [0, 1].
    efforts : mapping of str to float, optional
        Hours of work as the user knows them, by "kind: subject" or by subject alone.
    tags : mapping of str to tuple of str, optional
        The user's categories, by the same names.
    states : mapping of str to {"open", "done", "again"}, optional
        What is done goes to the end, and takes nobody's place.
    human : Evidence, optional
        Of all cases, the share that people decide wrongly.

    Returns
    -------
    Worklist

    Raises
    ------
    ValueError
        A share lies outside [0, 1], or hours are negative or not finite.

    Examples
    --------
    >>> bounds = dict(confidence=0.95, n=900, method="paired bootstrap")
    >>> clean = Action(kind="clean labels", subject="pay", what="Look at 40 labels", why="They contradict the model.",
    ...                gain=Evidence(estimate=0.012, lower=0.004, upper=0.02, **bounds))
    >>> leak = Action(kind="fix leak", subject="paid_amount", what="Leave out paid_amount", why="It is known later.",
    ...               blocking=True)
    >>> worklist = rank([clean, leak], wrong=0.1)
    >>> [(item.rank, item.key) for item in worklist.items]
    [(1, 'fix leak: paid_amount'), (2, 'clean labels: pay')]
    >>> worklist.items[1].wins.estimate, round(worklist.items[1].score, 1)
    (12.0, 8.0)

    References
    ----------
    Ng (2018), Machine Learning Yearning, chapters 14 to 19 and 33 to 35, for error analysis by category and for
    people's level as the measure of what can be won. Dantzig (1957), Discrete-variable extremum problems, Operations
    Research 5, for the order by gain per hour.
    """
    told_hours, told_tags, told_states = efforts or {}, tags or {}, states or {}
    most = in_unit("wrong", rate(wrong))
    judged = sorted(
        (judge(action, most, told_hours, told_tags, told_states) for action in actions),
        key=lambda item: (item.key, *place(item), canonical(item.action)),
    )
    merged = [merge(tuple(same)) for _, same in groupby(judged, key=lambda item: item.key)]
    ordered = sorted(merged, key=lambda item: (*place(item), item.key))
    shown = [item for item in ordered if item.state != "done"]
    listed = [*shown[:MOST], *(item for item in ordered if item.state == "done")]
    return Worklist(
        items=tuple(msgspec.structs.replace(item, rank=number) for number, item in enumerate(listed, 1)),
        wrong=wrong,
        human=human,
        others=tuple(item.action for item in shown[MOST:]),
    )


def ranked_again(
    worklist: Worklist,
    *,
    efforts: Mapping[str, float],
    tags: Mapping[str, tuple[str, ...]],
    states: Mapping[str, State],
) -> Worklist:
    """The same actions with what the user has said of them since."""
    actions = (*(item.action for item in worklist.items), *worklist.others)
    return rank(actions, wrong=worklist.wrong, efforts=efforts, tags=tags, states=states, human=worklist.human)


def key(action: Action) -> str:
    """An action's name, which stays the same from version to version."""
    return f"{action.kind}: {action.subject}"


def judge(
    action: Action,
    most: float,
    efforts: Mapping[str, float],
    tags: Mapping[str, tuple[str, ...]],
    states: Mapping[str, State],
) -> Item:
    """An action with what the user says of it, and its score; it has no rank yet."""
    if action.share is not None:
        in_unit(f"the share of {key(action)!r}", action.share)
    named = key(action)
    told = efforts.get(named, efforts.get(action.subject))
    hours = HOURS[action.effort] if told is None else told
    if not (math.isfinite(hours) and hours >= 0):
        raise ValueError(f"The effort of {named!r} must be hours of at least 0, got {hours}.")
    gain = known(action.gain)
    return Item(
        rank=0,
        action=action if gain is action.gain else msgspec.structs.replace(action, gain=None),
        wins=None if gain is None else times(gain, CASES),
        hours=hours,
        own=told is not None,
        tags=tuple(tags.get(named, tags.get(action.subject, ()))),
        state=states.get(named, states.get(action.subject, "open")),
        score=CASES * expected(action, gain, most) * certainty(gain) * ease(hours),
    )


def place(item: Item) -> tuple[bool, bool, bool, float, bool, float]:
    """Where it belongs: what comes first is least."""
    action = item.action
    tie = (False, -(action.share or 0.0)) if item.wins is None else (True, -item.wins.estimate)
    return item.state == "done", not action.blocking, action.kind != "fix leak", -item.score, *tie


def merge(same: tuple[Item, ...]) -> Item:
    """Rows of the same kind and subject as one: the first, with the reasons of all."""
    first = same[0]
    if len(same) == 1:
        return first
    why = " ".join(dict.fromkeys(item.action.why for item in same))
    blocking = any(item.action.blocking for item in same)
    return msgspec.structs.replace(first, action=msgspec.structs.replace(first.action, why=why, blocking=blocking))


def known(gain: Evidence | None) -> Evidence | None:
    """A gain whose figures can be reckoned with, or None."""
    finite = gain is not None and all(map(math.isfinite, (gain.estimate, gain.lower, gain.upper)))
    return gain if finite else None


def expected(action: Action, gain: Evidence | None, most: float) -> float:
    """How much of all cases it can be expected to put right."""
    room = most
    if action.gap is not None and action.share is not None and math.isfinite(action.gap):
        room = min(room, action.gap * action.share)
        wanted = room if gain is None else gain.estimate
    else:
        wanted = 0.0 if gain is None else gain.estimate
    return max(0.0, min(wanted, room))


def certainty(gain: Evidence | None) -> float:
    """The chance that there is a gain at all.

    >>> sure = Evidence(estimate=0.01, lower=0.01, upper=0.01, confidence=0.95, n=9, method="exact")
    >>> certainty(sure), certainty(None)
    (1.0, 0.5)
    """
    if gain is None:
        return UNSURE
    below = gain.estimate - gain.lower
    if below <= 0:
        return 1.0 if gain.estimate > 0 else 0.0
    return float(ndtr(ndtri((1 + gain.confidence) / 2) * gain.estimate / below))


def ease(hours: float) -> float:
    """How much of a day's work goes on, against a change that takes no time.

    >>> ease(0), ease(8)
    (1.0, 0.5)
    """
    return ROUND / (ROUND + hours)


def times(evidence: Evidence, factor: float) -> Evidence:
    """A statement in another unit."""
    return msgspec.structs.replace(
        evidence,
        estimate=evidence.estimate * factor,
        lower=evidence.lower * factor,
        upper=evidence.upper * factor,
    )


def rate(wrong: Evidence | float) -> float:
    """The share itself, of a statement or of a number."""
    return wrong.estimate if isinstance(wrong, Evidence) else wrong


def per_thousand(share: Evidence | float) -> str:
    """A share as so many of 1,000, with its bounds where it has some.

    >>> per_thousand(0.1023)
    '102'
    """
    return with_bounds(times(share, CASES)) if isinstance(share, Evidence) else f"{CASES * share:,.3g}"


def wins_words(item: Item) -> tuple[str, str]:
    """What it wins per 1,000 cases and the bounds of that, both empty where it is not known."""
    if item.wins is None:
        return "", ""
    return estimate(item.wins), bounds(item.wins)


def in_unit(name: str, share: float) -> float:
    """A share, once it is known to be one."""
    if not 0 <= share <= 1:
        raise ValueError(f"{name} must be a share in [0, 1], got {share}.")
    return share
