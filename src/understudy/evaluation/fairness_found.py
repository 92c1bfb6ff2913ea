"""What is known of groups: their rates and errors, beside all other cases, and what could not be told."""

from __future__ import annotations

from typing import Literal

import msgspec

from understudy.core.evidence import Evidence
from understudy.evaluation.slice_facets import Predicate

Standing = Literal["worse", "better", "alike", "open", "few", "alone"]


class FairnessPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How groups are compared.

    Attributes
    ----------
    alpha : float
        At most this is the chance that any group is said to differ in anything while none does.
    least : int
        The fewest rows of a group that is compared; of smaller ones only bounds are told.
    limit : float
        How much more often it may be wrong for a group than for all other cases.
    stated : bool
        Whether somebody has stated this limit; a version fails only on a stated one.
    threshold : float, optional
        The confidence from which it would decide by itself; None where it never would.
    favourable : int
        Of two answers, the one whose rate is compared: that which people hope for.
    """

    alpha: float = 0.05
    least: int = 30
    limit: float = 0.1
    stated: bool = False
    threshold: float | None = None
    favourable: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or not 0 < self.limit <= 1:
            raise ValueError(f"alpha and limit lie between 0 and 1; got {self.alpha} and {self.limit}")
        if self.least < 2:
            raise ValueError(f"a group that is compared has two rows at least, not {self.least}")


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of one group.

    Attributes
    ----------
    rate : Evidence
        Its value, with bounds that hold for it alone with 95 %.
    together : Evidence
        The same with bounds that hold for all groups of the column together.
    rest : float, optional
        Its value for all other cases.
    difference, ratio : Evidence, optional
        Against all other cases, with bounds that hold for all comparisons together; None where rows are too few, and
        for ratios also where the other cases' rate may be 0.
    adjusted : float, optional
        The p-value of the difference, all comparisons counted.
    significant : bool
        Whether there is a difference, beyond chance.
    """

    rate: Evidence
    together: Evidence
    rest: float | None = None
    difference: Evidence | None = None
    ratio: Evidence | None = None
    adjusted: float | None = None
    significant: bool = False


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group of cases.

    Attributes
    ----------
    predicates : tuple of Predicate
        One, or two of an intersection.
    n : int
        Its rows in the test part.
    share : float
        Of all rows.
    standing : {"worse", "better", "alike", "open", "few", "alone"}
        By errors: shown to be wrong more or less often than for other cases; shown to differ by less than the limit;
        neither; too few rows to tell; or too few others to compare it with.
    figures : dict of Comparison
        By measure. Always `error` (for numbers beyond the tolerance) and `surprise`, how much more often it is wrong
        than its own confidence says; with a threshold `automated` (it would decide by itself). For two classes also
        `selected` (the favourable answer is given), `base` (it would have been right), `false_positive` and
        `false_negative` (the favourable answer wrongly given, wrongly withheld) and `calibration` (its mean probability
        less its share); for numbers `bias` (mean prediction less mean truth) and `size` (mean absolute error).
    """

    predicates: tuple[Predicate, ...]
    n: int
    share: float
    standing: Standing
    figures: dict[str, Comparison]

    @property
    def words(self) -> str:
        """The group in plain words."""
        return " and ".join(one.words for one in self.predicates)

    @property
    def condition(self) -> str:
        """The group as a SQL condition over canonical types, fit for a mandate."""
        return " AND ".join(one.condition for one in self.predicates)

    @property
    def error(self) -> Comparison:
        """How often it is wrong for the group."""
        return self.figures["error"]

    @property
    def sentence(self) -> str:
        """What is known of its errors; it is never called fair."""
        error, gap = self.error.rate, self.error.difference
        start = f"{self.words} ({self.n:,} rows): wrong in {error.estimate:.1%}"
        if gap is None:
            few = "too few others to compare with" if self.standing == "alone" else "too few to tell"
            return f"{start}, {few}; an error rate above {error.upper:.0%} is excluded."
        span = f"{gap.lower:+.1%} to {gap.upper:+.1%} against all other cases"
        if self.standing in ("worse", "better"):
            return f"{start}, {'more' if self.standing == 'worse' else 'less'} often than elsewhere: {span}."
        if self.standing == "alike":
            return f"{start}, shown to lie within the limit: {span}."
        return f"{start}, no difference shown, and a large one not excluded: {span}."


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The four-fifths rule for one column: the lowest rate of the favourable answer over the highest.

    Attributes
    ----------
    column, lowest, highest : str
        The column, and the groups with the lowest and the highest rate as they are seen.
    ratio : Evidence
        Its bounds come from those of all groups together, so that it does not matter that the two were chosen.
    """

    column: str
    lowest: str
    highest: str
    ratio: Evidence


class Fairness(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison of groups has come to.

    Attributes
    ----------
    columns : tuple of str
    rows : int
        Of the test part.
    groups : tuple of Group
        Column by column.
    crossed : tuple of Group
        Intersections of two columns that have enough rows, those first that are wrong most surely; 30 at most.
    crossed_compared, crossed_few, crossed_few_rows : int
        How many intersections were compared, how many have too few rows, and how many rows those hold.
    selection : tuple of Selection
        For two classes, by column.
    error : float
        How often it is wrong over all.
    tests : int
        How many different comparisons were made.
    plan : FairnessPlan
    """

    columns: tuple[str, ...]
    rows: int
    groups: tuple[Group, ...]
    crossed: tuple[Group, ...]
    crossed_compared: int
    crossed_few: int
    crossed_few_rows: int
    selection: tuple[Selection, ...]
    error: float
    tests: int
    plan: FairnessPlan

    def of(self, column: str) -> tuple[Group, ...]:
        """The groups of one column."""
        return tuple(group for group in self.groups if group.predicates[0].column == column)

    @property
    def few(self) -> tuple[Group, ...]:
        """The groups with too few rows to tell."""
        return tuple(group for group in self.groups if group.n < self.plan.least)

    @property
    def worse(self) -> tuple[Group, ...]:
        """The groups for which it is wrong more often, the surest first."""
        found = [group for group in self.groups if group.standing == "worse"]
        return tuple(sorted(found, key=lambda group: -lowest_gap(group)))


def lowest_gap(group: Group) -> float:
    """The least by which its error rate lies above that of others."""
    gap = group.error.difference
    return 0.0 if gap is None else gap.lower
