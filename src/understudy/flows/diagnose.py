"""What holds a version back: its recipes are fitted again on fewer rows, with other settings, and without their parts.

Everything happens within a number of seconds, the most telling first. What a fit will take is foreseen from those that
went before, so that none is begun that would not end in time; what is not done is said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from understudy.core.errors import ModelError
from understudy.core.evidence import Evidence
from understudy.core.ports import Clock
from understudy.core.task import Task
from understudy.data.split import Split
from understudy.evaluation.ablation import Ablation, Without, ablation, families, short, worth_trying
from understudy.evaluation.changes import HeldOut, share, wrong
from understudy.evaluation.diagnosis import Diagnosis, Figures, Rival, judge_figures, within_reach
from understudy.evaluation.generalization import Generalization, error_gap, generalization, row_losses
from understudy.evaluation.learning_curve import LearningCurve, drawn_rows, error_curve, metric_curve
from understudy.evaluation.validation_curve import ValidationCurve, enough, validation_curve
from understudy.flows.baseline import today_scores
from understudy.flows.dataset import Dataset
from understudy.flows.folding import clock_column
from understudy.flows.refit import (
    Bench,
    Member,
    Refitted,
    boosts,
    members_of,
    permutation_importances,
    staged,
)
from understudy.flows.version import Manifest
from understudy.models.complexity import Dial, dials
from understudy.models.recipes import RECIPES
from understudy.models.schemes import Scheme
from understudy.models.steps import PLAIN

SECONDS = 30.0
MOST_TRAINED, MOST_JUDGED, MOST_STOP = 20_000, 10_000, 5_000
SIZES, DRAWS, SPREAD_KNOWN = 6, 3, 5
"""After so many fits the spread between draws is known well enough to go without further ones for want of time."""
FEWEST_TRAINED, FEWEST_JUDGED = 30, 30
LEARNING_SHARE, RIVAL_SHARE = 0.45, 0.65
"""How much of the time may be gone after the learning curve, and after other recipes."""
MOST_COLUMNS, MOST_CURVES = 8, 4
HEAVY = 0.15
"""Members of less weight are not looked at one by one."""
SHUFFLED_ROWS = 2000
STAGES, ROUNDS_COST = 40, 2.5
"""Losses by round take about as long as so many fits."""
FEWEST_FITS = 5
MARGIN = 1.15
"""A fit may take so many times as long as foreseen."""


@dataclass
class _Watch:
    """How much time is left, what a row costs, and what was left out."""

    clock: Clock
    seconds: float
    tell: Callable[[str], None]
    began: float
    missed: list[str] = field(default_factory=list)

    @property
    def spent(self) -> float:
        return self.clock.elapsed() - self.began

    @property
    def left(self) -> float:
        return self.seconds - self.spent

    def allows(self, foreseen: float, *, until: float = 1.0) -> bool:
        return self.spent + MARGIN * foreseen <= until * self.seconds

    def miss(self, what: str) -> None:
        self.missed.append(what)


@dataclass(frozen=True)
class _Timed:
    """Fitted members, and the seconds that they took."""

    refitted: Refitted
    rows: np.ndarray
    seconds: float


@dataclass(frozen=True)
class _Learned:
    """The learning curves, and the fits that can be compared further, by their number of rows."""

    curves: tuple[LearningCurve, ...]
    fits: tuple[_Timed, ...]


def diagnose(
    manifest: Manifest,
    task: Task,
    data: Dataset,
    parts: Split,
    *,
    clock: Clock,
    seconds: float = SECONDS,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _: None,
    human: Evidence | None = None,
    irreducible: Evidence | None = None,
    most_trained: int = MOST_TRAINED,
    most_judged: int = MOST_JUDGED,
) -> Diagnosis:
    """Find out what holds a version back.

    Its recipes are fitted with its settings on training rows, boosting stops on validation rows, and the test part
    judges. In the order of what they are worth: the learning curve, losses by round of boosting, other recipes, values
    around the chosen settings, and the model without its parts. Scores are not calibrated, which hardly changes what is
    decided.

    Parameters
    ----------
    manifest : Manifest
        Of a version that is registered, or about to be.
    task : Task
    data : Dataset
    parts : Split
        The parts that the version was made with.
    clock : Clock
    seconds : float
        How long it may take; a fit that was foreseen badly may overrun it by a little. With 0 nothing is done.
    seed : int
    tell : callable
        Is told what is under way, in a few words.
    human, irreducible : Evidence, optional
        The error of people, and that which no model can avoid, where they are known.
    most_trained, most_judged : int
        Of more rows a random part is taken.
    """
    watch = _Watch(clock, seconds, tell, clock.elapsed())
    try:
        members = members_of(manifest)
    except ModelError as error:
        return nothing(error.message, watch)
    if seconds <= 0:
        return nothing("No time was given for it.", watch)
    if len(parts.train) < FEWEST_TRAINED or len(parts.test) < FEWEST_JUDGED:
        few = (
            f"{len(parts.train):,} rows to learn from and {len(parts.test):,} to judge on are too few to tell anything."
        )
        return nothing(few, watch)
    bench = make_bench(manifest, task, data, parts, seed=seed, most=(most_trained, most_judged))
    together = data.together
    held = HeldOut(
        data.answers.y[bench.judged],
        task.decision.goal,
        task.decision.tolerance,
        None if together is None else together[bench.judged],
        seed,
    )
    now = len(parts.train) + len(parts.validation)
    try:
        learned = learn(bench, members, held, watch, now)
    except ModelError as error:
        return nothing(f"It could not be fitted again: {error.message}", watch)
    if not learned.fits:
        return nothing("Not even one fit would have ended in time.", watch)
    base = compared(learned.fits, bench, watch)
    rounds = by_round(bench, base, held, watch)
    rivals = other_recipes(bench, learned.fits, held, watch)
    curves = around(bench, base, held, watch)
    pieces = without_parts(bench, base, held, watch)
    top = learned.fits[0].refitted
    trained_wrong = wrong(*top.train_scores(seed), held.tolerance)
    held_wrong = held.wrong(top.scores)
    known = np.concatenate([parts.train, parts.validation])  # as the report has it: a constant is learned from both
    today = today_scores(data, task, train=known, rows=bench.judged)
    wrong_share = share(held_wrong, held.groups)
    figures = Figures(
        train=share(trained_wrong),
        held=wrong_share,
        gap=error_gap(held_wrong, trained_wrong, groups=held.groups),
        baseline_name=today.name,
        baseline=share(held.wrong(today.scores), held.groups),
        human=human,
        irreducible=irreducible,
        reaches=within_reach(wrong_share, learning=learned.curves, validation=curves, rivals=rivals, human=human),
    )
    verdict, sentence = judge_figures(figures)
    return Diagnosis(
        verdict=verdict,
        sentence=sentence,
        figures=figures,
        trained=len(learned.fits[0].rows),
        judged=len(bench.judged),
        learning=learned.curves,
        validation=curves,
        generalization=rounds,
        rivals=rivals,
        ablation=pieces,
        left_out=tuple(watch.missed),
        seconds=round(watch.spent, 2),
    )


def nothing(why: str, watch: _Watch) -> Diagnosis:
    """That nothing was done, and why."""
    return Diagnosis(
        verdict="too little data to tell",
        sentence=why,
        left_out=(f"learning, rounds, settings and parts: {why}",),
        seconds=round(watch.spent, 2),
    )


def make_bench(
    manifest: Manifest, task: Task, data: Dataset, parts: Split, *, seed: int, most: tuple[int, int]
) -> Bench:
    """The rows that are fitted, stopped and judged on; of many a random part."""
    generator = np.random.default_rng(seed)

    def some(rows: np.ndarray, limit: int) -> np.ndarray:
        return rows if len(rows) <= limit else np.sort(generator.choice(rows, limit, replace=False))

    return Bench(
        data=data,
        pool=some(parts.train, most[0]),
        stop=some(parts.validation, MOST_STOP),
        judged=some(parts.test, most[1]),
        available=len(parts.train),
        clock=clock_column(task, data.frame),
        scheme=Scheme(**manifest.learning),  # type: ignore[arg-type]
        seed=seed,
    )


def sizes_of(n: int) -> list[int]:
    """The numbers of rows to learn from: halved from all of them, as long as there are enough.

    >>> sizes_of(3200), sizes_of(60)
    ([100, 200, 400, 800, 1600, 3200], [30, 36, 42, 50, 60])
    """
    halved = [n // 2**place for place in range(SIZES) if n // 2**place >= 2 * FEWEST_TRAINED]
    if len(halved) >= SIZES - 1:
        return halved[::-1]
    return sorted({round(size) for size in np.geomspace(min(n, FEWEST_TRAINED), n, SIZES - 1)})


def learn(bench: Bench, members: Sequence[Member], held: HeldOut, watch: _Watch, now: int) -> _Learned:
    """The learning curves, from few rows to as many as the time allows.

    Raises
    ------
    ModelError
        Not even the largest number of rows can be learned from.
    """
    together = bench.data.together
    groups = None if together is None else together[bench.pool]
    draws = drawn_rows(len(bench.pool), sizes_of(len(bench.pool)), DRAWS, bench.seed, groups)
    watch.tell(f"learning curve: {len(draws)} fits on {len(draws[0]):,} to {len(draws[-1]):,} rows")
    made: list[_Timed] = []
    failure: ModelError | None = None
    for place, rows in enumerate(draws):
        again = len(made) >= SPREAD_KNOWN and len(made[-1].rows) == len(rows)
        if again and not watch.allows(sum(foreseen(made, len(one)) for one in draws[place:]), until=LEARNING_SHARE):
            continue  # larger sizes tell more than further draws of this one
        if made and not watch.allows(foreseen(made, len(rows)), until=LEARNING_SHARE):
            watch.miss(f"the learning curve from {len(rows):,} rows on: no time")
            break
        try:
            made.append(timed(bench, members, bench.pool[rows], watch))
        except ModelError as error:  # few rows may hold one answer only
            failure = error
    if not made and failure is not None:
        raise failure
    rows_each = [len(one.rows) for one in made]
    scores = [one.refitted.scores for one in made]
    curves = [error_curve(rows_each, np.stack([held.wrong(one) for one in scores]), now=now, groups=held.groups)]
    if held.metric != "accuracy":
        curves.append(metric_curve(held.metric, rows_each, held.y, scores, now=now, groups=held.groups, seed=held.seed))
    return _Learned(tuple(curves), largest_first(made))


def timed(
    bench: Bench, members: Sequence[Member], rows: np.ndarray, watch: _Watch, *, without: Collection[str] = ()
) -> _Timed:
    """A fit, and how long it took."""
    began = watch.clock.elapsed()
    made = bench.fit(members, rows, without=without)
    return _Timed(made, rows, watch.clock.elapsed() - began)


def foreseen(made: Sequence[_Timed], n: int) -> float:
    """How long a fit on n rows will take, from the last ones: as it grew so far, at least not less than before."""
    last = made[-1]
    known: dict[int, float] = {}
    for one in made:
        known[len(one.rows)] = max(known.get(len(one.rows), 1e-6), one.seconds)
    growth = 1.0
    if len(known) > 1:
        growth = float(np.clip(np.polyfit(np.log(list(known)), np.log(list(known.values())), 1)[0], 0.3, 1.3))
    return float(known[len(last.rows)] * max(1.0, n / len(last.rows)) ** growth)


def largest_first(made: Sequence[_Timed]) -> tuple[_Timed, ...]:
    """One fit of each of the three largest sizes; the others are not needed any more."""
    by_size = {len(one.rows): one for one in made}
    return tuple(by_size[size] for size in sorted(by_size, reverse=True)[:3])


def compared(fits: Sequence[_Timed], bench: Bench, watch: _Watch) -> _Timed:
    """The largest fit that leaves time for all others like it; of too few rows to tell, rather not all of them."""
    members = fits[0].refitted.members
    columns = len(families([one.name for one in bench.data.contract.used]))
    settings = 4 * sum(one.weight * len(dials(one.recipe, one.params)) for one in members)
    steps = sum(one.weight for one in members if one.steps != PLAIN)
    wanted = ROUNDS_COST + 1 + settings + steps + (min(columns, MOST_COLUMNS) + 1 if columns > 1 else 0)
    all_in_time = next((one for one in fits if one.seconds * wanted * MARGIN <= watch.left), fits[-1])
    if enough(len(all_in_time.rows), bench.available):
        return all_in_time
    telling = [one for one in fits if enough(len(one.rows), bench.available)]
    return next((one for one in telling[::-1] if one.seconds * FEWEST_FITS <= watch.left), all_in_time)


def by_round(bench: Bench, base: _Timed, held: HeldOut, watch: _Watch) -> tuple[Generalization, ...]:
    """Losses by round of the heaviest member that boosts; none where none does."""
    places = [place for place, one in enumerate(base.refitted.fitted) if boosts(one)]
    if not places:
        return ()
    if not watch.allows(ROUNDS_COST * base.seconds):
        watch.miss("losses by round of boosting: no time")
        return ()
    member, fitted = base.refitted.members[places[0]], base.refitted.fitted[places[0]]
    watch.tell(f"losses by round of {member.title}")
    longer = replace(member, params=member.params | {RECIPES[member.recipe].rounds: 2 * fitted.rounds + 50})
    part = replace(base.refitted, rows=replace(base.refitted.rows, X_stop=None, y_stop=None, weights_stop=None))
    whole = bench.rival(part, longer).fitted[0]
    last = whole.rounds
    rounds = np.unique(np.geomspace(1, last, STAGES).round().astype(int)).tolist()
    rows = part.rows
    few = np.sort(np.random.default_rng(bench.seed).permutation(len(rows.y))[:SHUFFLED_ROWS])
    variance = float(np.var(rows.y)) or 1.0
    train = np.stack([row_losses(rows.kind, rows.y[few], one, variance) for one in staged(whole, rows.X[few], rounds)])
    judged = np.stack([row_losses(rows.kind, held.y, one, variance) for one in staged(whole, part.X, rounds)])
    loss = "log loss" if rows.kind == "classification" else "squared error (share of the variance)"
    return (
        generalization(
            rounds,
            train,
            judged,
            kept=fitted.rounds,
            recipe=member.title,
            loss=loss,
            groups=held.groups,
            seed=bench.seed,
        ),
    )


def other_recipes(bench: Bench, fits: Sequence[_Timed], held: HeldOut, watch: _Watch) -> tuple[Rival, ...]:
    """What a boosted and a linear model do on the same rows, where the version has none of that family.

    They have as many rows as their usual time, beside that of the version's own recipes, allows.
    """
    kind, members = fits[0].refitted.rows.kind, fits[0].refitted.members
    known = {RECIPES[one.recipe].traits.family for one in members}
    usual = sum(RECIPES[one.recipe].traits.seconds for one in members)
    found = []
    for name in ("lightgbm", "logistic" if kind == "classification" else "ridge"):
        recipe = RECIPES[name]
        if recipe.traits.family in known:
            continue
        slower = max(1.0, recipe.traits.seconds / max(usual, 0.05))
        base = next((one for one in fits if watch.allows(slower * one.seconds, until=RIVAL_SHARE)), fits[-1])
        if not watch.allows(slower * base.seconds):
            watch.miss(f"{recipe.title} for comparison: no time")
            continue
        watch.tell(f"{recipe.title} for comparison on {len(base.rows):,} rows")
        try:
            other = bench.rival(base.refitted, Member(name, recipe.known(kind)[0], 1.0))
        except ModelError as error:
            watch.miss(f"{recipe.title} for comparison: {error.message}")
            continue
        found.append(as_rival(other, base.refitted, held, bench))
    return tuple(found)


def as_rival(other: Refitted, version: Refitted, held: HeldOut, bench: Bench) -> Rival:
    """Another recipe, compared with the version."""
    own, said = version.scores, other.scores
    fits = [wrong(*one.train_scores(bench.seed), held.tolerance).mean() for one in (other, version)]
    return Rival(
        recipe=other.members[0].recipe,
        title=other.members[0].title,
        rows=len(version.rows.y),
        now=bench.available,
        larger=bool(fits[0] < fits[1]),
        gain=held.gain(own, said),
        metric=held.metric,
        metric_gain=held.metric_gains(own, [said])[0],
        metric_level=short(held, own),
    )


def around(bench: Bench, base: _Timed, held: HeldOut, watch: _Watch) -> tuple[ValidationCurve, ...]:
    """Other values of the settings that a model's size hangs on: of each member the first, then the second."""
    members = base.refitted.members
    heavy = [place for place, one in enumerate(members) if one.weight >= HEAVY]
    turned = [(place, dials(members[place].recipe, members[place].params)) for place in heavy]
    first = [(place, found[0]) for place, found in turned if found]
    second = [(place, found[1]) for place, found in turned if len(found) > 1]
    curves = []
    for place, dial in [*first, *second][:MOST_CURVES]:
        curve = turn(bench, base, place, dial, held, watch)
        if curve is not None:
            curves.append(curve)
    return tuple(curves)


def turn(bench: Bench, base: _Timed, place: int, dial: Dial, held: HeldOut, watch: _Watch) -> ValidationCurve | None:
    """One setting of one member, turned both ways; None where there is no time for as little as two values."""
    member = base.refitted.members[place]
    chosen = member.params[dial.parameter]
    values = dial.around(chosen)
    # the nearest first, so that little time still shows both sides
    ranked = sorted((one for one in values if one != chosen), key=lambda one: abs(np.log((one + 1) / (chosen + 1))))
    made, last = {chosen: base.refitted}, base.seconds * max(member.weight, 1 / len(base.refitted.members))
    watch.tell(f"{dial.parameter} of {member.title}")
    for value in ranked:
        if not watch.allows(1.5 * last if value > chosen and dial.rises else last):
            break
        began = watch.clock.elapsed()
        try:
            made[value] = bench.changed(base.refitted, place, {dial.parameter: value})
        except ModelError as error:
            watch.miss(f"{dial.parameter} {value:.3g} of {member.title}: {error.message}")
            continue
        last = max(last, watch.clock.elapsed() - began)
    absent = [value for value in ranked if value not in made]
    if absent:
        watch.miss(f"{dial.parameter} of {member.title} at {', '.join(f'{one:.3g}' for one in absent)}: no time")
    if len(made) < 2:
        return None
    tried = sorted(made)
    train = [made[value].train_scores(bench.seed) for value in tried]
    return validation_curve(
        held,
        recipe=member.recipe,
        parameter=dial.parameter,
        title=f"{dial.title} ({named(base.refitted, place)})",
        values=tried,
        scores=[made[value].scores for value in tried],
        train=[float(wrong(y, scores, held.tolerance).mean()) for y, scores in train],
        chosen=chosen,
        rises=dial.rises,
        rows=len(base.rows),
        now=bench.available,
        logarithmic=not dial.added,
    )


def without_parts(bench: Bench, base: _Timed, held: HeldOut, watch: _Watch) -> Ablation | None:
    """The model without its members, its preparations and its columns, those that cost least time first."""
    tried = [*without_members(base.refitted), *without_steps(bench, base, watch)]
    columns = [one.name for one in bench.data.contract.used]
    groups = families(columns)
    if len(groups) > 1:
        tried += without_columns(bench, base, groups, held, watch)
    if not tried:
        return None
    left_out = tuple(one for one in groups if one not in {drop.name for drop in tried})
    return ablation(held, base.refitted.scores, tried, rows=len(base.rows), now=bench.available, left_out=left_out)


def without_members(whole: Refitted) -> list[Without]:
    """The members left out one at a time, the others' shares grown to sum to one; nothing is fitted."""
    if len(whole.members) == 1:
        return []
    places = range(len(whole.members))
    return [Without("member", named(whole, place), (), whole.without_member(place)) for place in places]


def named(whole: Refitted, place: int) -> str:
    """A member's title, with its number where others have the same."""
    titles = [one.title for one in whole.members]
    return f"{titles[place]}, member {place + 1}" if titles.count(titles[place]) > 1 else titles[place]


def without_steps(bench: Bench, base: _Timed, watch: _Watch) -> list[Without]:
    """Each member's preparation left out."""
    made = []
    for place, member in enumerate(base.refitted.members):
        name = f"preparation {member.steps!r} of {named(base.refitted, place)}"
        if member.steps == PLAIN:
            continue
        if not watch.allows(base.seconds):
            watch.miss(f"{name}: no time")
            continue
        watch.tell(f"without {name}")
        try:
            made.append(Without("step", name, (), bench.changed(base.refitted, place, {"steps": PLAIN}).scores))
        except ModelError as error:
            watch.miss(f"{name}: {error.message}")
    return made


def without_columns(
    bench: Bench, base: _Timed, groups: dict[str, tuple[str, ...]], held: HeldOut, watch: _Watch
) -> list[Without]:
    """Columns left out: those that look useless all together, then one by one the least and the most important."""
    began = watch.clock.elapsed()
    if not watch.allows(base.seconds):
        watch.miss("the model without its columns: no time")
        return []
    kind = base.refitted.rows.kind
    found = permutation_importances(base.refitted, groups, held.y, kind, most=SHUFFLED_ROWS, seed=bench.seed)
    chosen = [(name, groups[name]) for name in worth_trying(found, MOST_COLUMNS)]
    useless = tuple(name for name in groups if found[name] <= 0)
    if 1 < len(useless) < len(groups):
        chosen.insert(0, (listed(useless), tuple(column for name in useless for column in groups[name])))
    watch.tell(f"without columns: {len(chosen)} fits (looked at in {watch.clock.elapsed() - began:.1f} s)")
    made: list[Without] = []
    last = base.seconds
    for name, columns in chosen:
        if not watch.allows(last):
            watch.miss(f"the model without {len(chosen) - len(made)} more columns: no time")
            break
        try:
            one = timed(bench, base.refitted.members, base.rows, watch, without=columns)
        except ModelError as error:
            watch.miss(f"without {name}: {error.message}")
            continue
        last = max(0.8 * last, one.seconds)
        made.append(Without("column" if len(columns) == 1 else "columns", name, columns, one.refitted.scores))
    return made


def listed(names: Sequence[str]) -> str:
    """A few names, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more together'
    """
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more} together"
