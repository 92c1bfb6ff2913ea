"""What an owner reads: how much it may decide, what is promised, by what, and how it is stopped."""

from __future__ import annotations

from math import ceil

import msgspec

from understudy.autonomy.groups import divided
from understudy.core.nouns import Level
from understudy.core.task import Task

MOST_SHOWN = 5

VOIDED = "what was proven once, and is no longer"
"""What deploys an answer that is neither proven nor given by a word: the next pass takes it back."""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The newest cases since the machine may decide what it may decide now, within 30 days.

    Attributes
    ----------
    cases, alone : int
        All, and those that it decided by itself.
    since : str
        The day of the first one, or of the move where none has come.
    """

    cases: int
    alone: int
    since: str


class Budgeted(msgspec.Struct, frozen=True, kw_only=True):
    """What automation may have cost this year by the accounts of its error budget.

    Attributes
    ----------
    allowed : float
        Automation stops before its errors are more.
    bound : float
        They are at most so many now, by the looks at settled cases.
    unsettled : int
        Decisions that are not counted yet.
    many : bool
        Whether there are more of these than were counted.
    """

    allowed: float
    bound: float
    unsettled: int
    many: bool = False


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the owner's sentence tells.

    Attributes
    ----------
    level : Level
    paused, champion, expired : bool
        Whether it was stopped by hand; whether there is a model; whether the mandate has ended.
    decided : Decided, optional
        None where it decides nothing.
    proven : tuple of str
        Answers that it gives by itself, each proven from its threshold on.
    unproven : tuple of str
        Answers that it gives by itself by somebody's word.
    word : str
        Whose, when and why.
    certified : tuple of str
        Below `partial`, what it is proven good enough for, in words.
    closest : str
        Below `partial`, where nothing is proven, how close it comes to that.
    waits : bool
        Whether a step up waits for a person.
    taken_back : str
        Below `partial`, when and why it stopped deciding by itself; empty where it never did.
    left : tuple of str
        Where the promise holds for each group by itself, groups for which it decides nothing.
    raised : bool
        Whether a suspicion has raised its thresholds.
    budget : Budgeted, optional
        None where it decides nothing, or nothing was folded yet.
    """

    level: Level
    paused: bool = False
    champion: bool = True
    expired: bool = False
    decided: Decided | None = None
    proven: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    word: str = ""
    certified: tuple[str, ...] = ()
    closest: str = ""
    waits: bool = False
    taken_back: str = ""
    left: tuple[str, ...] = ()
    raised: bool = False
    budget: Budgeted | None = None


def owner_sentence(task: Task, figures: Figures) -> tuple[str, ...]:
    """How a task stands, as its owner reads it: a few sentences, of which none says more than is known.

    >>> from understudy.core.task import Autonomy, Decision, Mandate, Truth
    >>> decision = Decision(name="claims", question="Pay?", target="pay", kind="classification", goal="roc_auc")
    >>> task = Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95),
    ...             truth=Truth(source="blind_review"), mandate=Mandate(owner="A. Rossi", expires="2027-12-31"))
    >>> decided = Decided(cases=1204, alone=493, since="2027-03-03")
    >>> budget = Budgeted(allowed=1239.2, bound=83.4, unsettled=41)
    >>> figures = Figures(level=Level.PARTIAL, decided=decided, proven=("yes", "no"), budget=budget)
    >>> for line in owner_sentence(task, figures): print(line)
    It may decide 41 % by itself: 493 of the newest 1,204 cases, since 2027-03-03.
    Of 100 that it decides, at most 5 are wrong, against blind reviewers, with 95 % confidence, look as often as you \
like, as long as cases stay as they were; and whatever the world does, the errors that it has made this year stay \
under 1,240, or it stops.
    By what was looked at they are at most 84 so far; 41 of its decisions are not settled yet.
    Responsible: A. Rossi, until 2027-12-31. Stop it with: understudy pause --task claims
    """
    if figures.level.height < Level.PARTIAL.height:
        return (*below_text(task, figures), *responsible_text(task, stop=""))
    if figures.expired:
        ended = f"The mandate ended on {task.mandate.expires}: people decide every case until it is renewed."
        return (ended, *responsible_text(task, stop=""))
    if figures.paused:
        stopped = "Automation is stopped: people decide every case."
        return (stopped, *responsible_text(task, stop=f"Let it go on with: understudy resume --task {task.name}"))
    stop = f"Stop it with: understudy pause --task {task.name}"
    told = (*coverage_text(figures), *promise_text(task, figures), *left_text(figures))
    return (*told, *responsible_text(task, stop=stop))


def below_text(task: Task, figures: Figures) -> tuple[str, ...]:
    """How it stands where it decides nothing."""
    deciders = "the rules of today and people decide" if task.today.rules else "people decide"
    if not figures.champion:
        return (f"No model has passed its checks: {deciders} every case.",)
    if figures.level is Level.HUMAN:
        found = [f"It does nothing: {deciders} every case."]
    elif figures.level is Level.SHADOW:
        found = [f"It watches and decides nothing: {deciders} every case."]
    else:
        found = ["It suggests and decides nothing: people decide every case."]
    if figures.taken_back:
        found.append(figures.taken_back)
    if figures.level is Level.HUMAN:
        return tuple(found)
    if not figures.certified:
        found.append("Nothing is proven yet that it could decide by itself.")
        return (*found, *([figures.closest] if figures.closest else []))
    next_step = "that waits for a confirmation" if figures.waits else "the task file or a person holds it back"
    return (*found, f"It is proven good enough to decide {' and '.join(figures.certified)}; {next_step}.")


def coverage_text(figures: Figures) -> tuple[str, ...]:
    """How much it decides, and whether it decided more before a suspicion."""
    raised = "Something is suspected: until that has passed, it must be surer than before to decide."
    return (covered_text(figures), *((raised,) if figures.raised else ()))


def covered_text(figures: Figures) -> str:
    """How much it decides."""
    odd = ", all but what is strange or outside its mandate" if figures.level is Level.FULL else ""
    decided = figures.decided
    if decided is None or not decided.cases:
        since = "" if decided is None else f" since {decided.since}"
        return f"It may decide by itself{odd}; no case has come{since}."
    cases = f"{decided.alone:,} of the newest {decided.cases:,} cases, since {decided.since}"
    return f"It may decide {share(decided.alone / decided.cases)} by itself{odd}: {cases}."


def share(part: float) -> str:
    """A part in whole percent, which says neither nothing nor all unless it is.

    >>> share(0.4095), share(0.9971), share(0.0001), share(1.0)
    ('41 %', '99.7 %', 'less than 0.1 %', '100 %')
    """
    whole = round(100 * part)
    if 0 < whole < 100 or part in (0.0, 1.0):
        return f"{whole} %"
    if part < 0.0005:
        return "less than 0.1 %"
    return "more than 99.9 %" if part >= 0.9995 else f"{100 * part:.1f} %"


def promise_text(task: Task, figures: Figures) -> tuple[str, ...]:
    """What is promised of what it decides, and what bounds it whatever comes."""
    budget = "" if figures.budget is None else budget_text(task, figures.budget)
    lines = []
    if figures.proven:
        named = f" it says {' or '.join(map(repr, figures.proven))}" if figures.unproven else ""
        lines.append(proven_text(task, named or " it decides") + (f"; and {budget}." if budget else "."))
    if figures.unproven and figures.proven:
        lines.append(f"{' and '.join(map(repr, figures.unproven))} it says without proof, by {figures.word or VOIDED}.")
    elif not figures.proven:
        lines.append(f"Nothing proves that it is good enough: it decides by {figures.word or VOIDED}.")
        lines += [f"{budget[:1].upper()}{budget[1:]}."] if budget else []
    if figures.budget is not None:
        lines.append(bound_text(figures.budget))
    return tuple(lines)


def left_text(figures: Figures) -> tuple[str, ...]:
    """Which groups are left to people, where the promise holds for each by itself."""
    if not figures.left:
        return ()
    shown = "; ".join(figures.left[:MOST_SHOWN]) + ("; …" if len(figures.left) > MOST_SHOWN else "")
    return (f"People decide all cases of groups for which nothing is proven: {shown}; and of any other group.",)


def proven_text(task: Task, decides: str) -> str:
    """The promise of the gate: for cases like those that it was proven on."""
    base, errors = of_many(task.autonomy.max_error)
    if task.cost.mistakes:
        promise = f"the mistakes cost at most as much as {errors} of the dearest"
    elif task.decision.kind == "regression":
        promise = f"at most {errors} are off by more than {task.decision.tolerance or 0:g}"
    else:
        promise = f"at most {errors} are wrong"
    sure = f"with {100 * task.autonomy.confidence:g} % confidence, look as often as you like"
    each = f", in each group by {' and '.join(task.decision.groups)}" if divided(task) else ""
    return f"Of {base} that{decides}{each}, {promise}, {against(task)}, {sure}, as long as cases stay as they were"


def of_many(risk: float) -> tuple[str, str]:
    """A risk as so many of so many.

    >>> of_many(0.05), of_many(0.025), of_many(0.0003)
    (('100', '5'), ('1,000', '25'), ('10,000', '3'))
    """
    for base in (100, 1000, 10_000, 100_000):
        if abs(base * risk - round(base * risk)) < 1e-9:
            return f"{base:,}", f"{round(base * risk):,}"
    return "100", f"{100 * risk:.3g}"


def against(task: Task) -> str:
    """By whose word an answer is wrong."""
    if task.truth.source == "review":
        return "against reviewers"
    if task.truth.source == "blind_review":
        return "against blind reviewers"
    hidden = " and, where an answer hides it, against blind reviewers" if task.truth.hides_outcome else ""
    return f"against the outcome{hidden}"


def budget_text(task: Task, budget: Budgeted) -> str:
    """What holds whatever the world does."""
    allowed = f"{ceil(budget.allowed):,}"
    if task.cost.mistakes:
        return (
            f"whatever the world does, its mistakes of this year weigh less than {allowed} of the dearest, or it stops"
        )
    return f"whatever the world does, the errors that it has made this year stay under {allowed}, or it stops"


def bound_text(budget: Budgeted) -> str:
    """How far it has come, and what is not counted yet."""
    bound = f"By what was looked at they are at most {ceil(budget.bound - 1e-9):,} so far"
    if not budget.unsettled:
        return f"{bound}."
    verb = "is" if budget.unsettled == 1 else "are"
    return f"{bound}; {'more than ' * budget.many}{budget.unsettled:,} of its decisions {verb} not settled yet."


def responsible_text(task: Task, *, stop: str) -> tuple[str, ...]:
    """Who answers for it and until when, and how it is stopped."""
    owner = f"Responsible: {task.mandate.owner}" if task.mandate.owner else "Nobody is named as responsible"
    until = f", until {task.mandate.expires}" if task.mandate.expires else ""
    return (f"{owner}{until}. {stop}".strip(),)
