"""Groups for each of which the promise holds by itself: which group a case is in, and what is certified for whom.

A group is a combination of the values of the columns in `[task] groups`; those that held-out rows show often enough are
fixed when an epoch opens. With `[autonomy] groups = "own"` each has thresholds of its own, and δ is divided; with
"shared" an answer has one threshold, certified once the risk of every group is proven there, and δ is not divided. What
is not certified for a group, and every other group, stays with people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from understudy.core.task import Task
from understudy.evidence.gate import GatePlan

FEWEST_ROWS = 30
"""Held-out rows that a group needs: with fewer there is no grid worth walking."""

MOST_GROUPS = 20
"""More of them would each get next to nothing of δ; the largest count."""

ERASED = "(erased)"
"""The group of a case whose inputs were erased before it was settled."""

BETWEEN = " · "

Found = TypeVar("Found")


def divided(task: Task) -> bool:
    """Whether the promise holds for each group by itself."""
    return task.autonomy.groups != "whole"


def group_of(task: Task, inputs: Mapping[str, object]) -> str:
    """The group of a case, by its inputs; empty where the promise is for all cases together.

    >>> from understudy.core.task import Autonomy, Decision
    >>> decision = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc",
    ...                     groups=("sex", "member"))
    >>> task = Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95, groups="own"))
    >>> group_of(task, {"sex": "f", "member": True}), group_of(task, {"sex": "f"})
    ('sex = f, member = true', 'sex = f, member missing')
    """
    if not divided(task):
        return ""
    return ", ".join(f"{column} {value_text(inputs.get(column))}" for column in task.decision.groups)


def value_text(value: object) -> str:
    """The value of a column, the same whether it was read from a file or from a request."""
    if value is None or value == "":
        return "missing"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"= {value}" if isinstance(value, str) else f"= {msgspec.json.encode(value, enc_hook=str).decode()}"


def cell(answer: str, group: str) -> str:
    """An answer given to a group, as thresholds and the ledger name it; the answer alone where there are no groups.

    >>> cell("pay", "sex = f"), cell("pay", "")
    ('pay · sex = f', 'pay')
    """
    return f"{answer}{BETWEEN}{group}" if group else answer


def answer_of(name: str) -> str:
    """The answer of a cell.

    >>> answer_of("pay · sex = f"), answer_of("pay")
    ('pay', 'pay')
    """
    return name.partition(BETWEEN)[0]


def group_part(name: str) -> str:
    """The group of a cell; empty where it has none.

    >>> group_part("pay · sex = f"), group_part("pay")
    ('sex = f', '')
    """
    return name.partition(BETWEEN)[2]


def known_groups(groups: Sequence[str]) -> tuple[str, ...]:
    """The groups that held-out rows show often enough, by name.

    >>> known_groups(["sex = f"] * 40 + ["sex = m"] * 50 + ["sex missing"] * 3)
    ('sex = f', 'sex = m')
    """
    counts = Counter(group for group in groups if group)
    largest = sorted(counts, key=lambda group: (-counts[group], group))[:MOST_GROUPS]
    return tuple(sorted(group for group in largest if counts[group] >= FEWEST_ROWS))


def places(plan: GatePlan) -> dict[str, tuple[int, int]]:
    """By cell the place of its side and of its group in a plan."""
    return {
        cell(side, group): (place, number)
        for place, side in enumerate(plan.sides)
        for number, group in enumerate(plan.groups)
    }


def by_cell(plan: GatePlan, by_side: Mapping[str, Found]) -> dict[str, Found]:
    """What holds of a side, told of each of its cells."""
    return {cell(side, group): found for side, found in by_side.items() for group in plan.groups}


def side_of(plan: GatePlan, name: str) -> str:
    """The side of a plan that a cell belongs to."""
    return name if name in plan.sides else answer_of(name)


def groups_of(plan: GatePlan) -> tuple[str, ...]:
    """The groups of a plan; none where the promise is for all cases together."""
    return tuple(dict.fromkeys(group for name in places(plan) if (group := group_part(name))))
