"""A batch of cases: check, predict, route, record; and only then answer."""

from __future__ import annotations

import hmac
import os
from array import array
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.exc import IntegrityError

from understudy.autonomy.bandits import race
from understudy.autonomy.router import Facts, Route, route
from understudy.autonomy.traffic import Arm, bound, chances, sharing
from understudy.core.canonical import canonical
from understudy.core.draws import draw
from understudy.core.errors import BusyError, ConflictError, ContractError, ErasedError, UnderstudyError
from understudy.core.task import duration
from understudy.flows.answers import Answer, answer_of, as_text
from understudy.flows.head import Head, load_head
from understudy.flows.version import Prediction, Version
from understudy.store.casebook import CaseRecord, NewCase, NewPrediction, append_cases, find_cases
from understudy.store.database import lock_task, select_one
from understudy.store.schema import heads

MOST_TURNS = 20
"""How often a batch is decided anew because the deployment moved or an id was taken meanwhile."""

REVISION = sa.select(heads.c.revision).where(heads.c.task == sa.bindparam("task"))


class Asked(msgspec.Struct, frozen=True):
    """A case as it came.

    Attributes
    ----------
    id : str
        The caller's, or a new one.
    named : bool
        Whether it may be recorded already: the caller named it, or an earlier attempt ended without a word.
    inputs : mapping
    """

    id: str
    named: bool
    inputs: Mapping[str, object]


Result = Answer | UnderstudyError


def decide_batch(head: Head, asked: Sequence[Asked]) -> tuple[list[Result], Head]:
    """Decide some cases of one task, and record them before anybody is answered.

    Each is decided under the deployment that its own transaction reads: where that has moved, the batch is decided
    anew. A case that is known already gets its stored answer.

    Parameters
    ----------
    head : Head
        The task as this process last saw it.
    asked : sequence of Asked

    Returns
    -------
    results : list of Answer or UnderstudyError
        One for each case, in order.
    head : Head
        The task as it stands now.

    Raises
    ------
    BusyError
        The store cannot take them now. Whether they were recorded is not known; asking again with the same ids tells.
    """
    for _ in range(MOST_TURNS):
        try:
            results = decide_once(head, asked)
        except IntegrityError:  # another process took one of the ids between our look and our write
            asked = [replace(case, named=True) for case in asked]
            continue
        if results is not None:
            return results, head
        head = load_head(head.library, head.name)
    raise BusyError(f"The deployment of {head.name} moved {MOST_TURNS} times while these cases were decided.")


def decide_once(head: Head, asked: Sequence[Asked], *, patient: bool = True) -> list[Result] | None:
    """Decide some cases under this deployment, and record them; None, and nothing recorded, where it has moved.

    Parameters
    ----------
    head, asked
        As for `decide_batch`.
    patient : bool
        Whether to wait where somebody else writes.
    """
    now = head.library.work.clock.now()
    return record(head, asked, judge(head, asked, now), now, patient=patient)


def judge(head: Head, asked: Sequence[Asked], now: int) -> list[NewCase | ContractError]:
    """What would be recorded of each case under this deployment; nothing is written, nothing is random.

    Salts aside: they only keep erased inputs from being guessed.
    """
    read = [head.read(case.inputs) for case in asked]
    sound = [place for place, (_, _, faults) in enumerate(read) if not faults]
    values = [read[place][0] for place in sound]
    inputs = [read[place][1] for place in sound]
    ids = [asked[place].id for place in sound]
    said = {head.deployed.champion: predict(head.champion, values)}
    said |= {version.digest: predict(version, values) for version in head.challengers}
    arms = give_out(head, ids, inputs, said)
    guesses = [said[arm.version][index] for index, arm in enumerate(arms)]
    routes = route_all(head, ids, inputs, arms, guesses, now)
    cases: dict[int, NewCase] = {}
    for index, place in enumerate(sound):
        predictions = tuple(
            told(version, "champion" if version == head.deployed.champion else "challenger", guess)
            for version, found in said.items()
            if (guess := found[index]) is not None
        )
        arm, way = arms[index], routes[index]
        cases[place] = new_case(head, ids[index], inputs[index], arm, guesses[index], predictions, way, now)
    return [
        ContractError("The case breaks the contract.", faults) if faults else cases[place]
        for place, (_, _, faults) in enumerate(read)
    ]


def predict(version: Version | None, values: Sequence[Sequence[object]]) -> Sequence[Prediction | None]:
    """What a version says; nothing where there is none, or where it fails, as an endpoint may."""
    if version is None or not values:
        return [None] * len(values)
    try:
        return version.predict_values(values)
    except UnderstudyError:
        return [None] * len(values)


def give_out(
    head: Head,
    ids: Sequence[str],
    inputs: Sequence[Mapping[str, object]],
    said: Mapping[str, Sequence[Prediction | None]],
) -> list[Arm]:
    """The version that each case is given to: the champion, unless versions share the cases.

    A version that has nothing to say of a case does not get it. Where that is the champion, nobody else gets it.
    """
    champion, traffic = head.deployed.champion, head.deployed.traffic
    arms = [Arm(version=champion, deployed=head.deployed)] * len(ids)
    if traffic is None:
        return arms
    versions = [version for version in sharing(head.task, head.deployed) if version in said]
    shared = [place for place, guess in enumerate(said[champion]) if guess is not None]
    if len(versions) < 2 or not shared:
        return arms
    guesses = [[said[version][place] for version in versions] for place in shared]
    sure = np.array([[np.nan if guess is None else guess.confidence for guess in row] for row in guesses])
    given = chances(traffic, versions, sure, floor=head.task.traffic.floor)
    units = [unit_of(head, ids[place], inputs[place]) for place in shared]
    draws = np.array([[draw(head.secret, unit, f"arm {version}") for version in versions] for unit, _ in units])
    limits = [bound(head.deployed, version) for version in versions]
    for place, (_, unit), row, pick in zip(shared, units, given.tolist(), race(given, draws).tolist(), strict=True):
        arms[place] = Arm(version=versions[pick], deployed=limits[pick], propensity=row[pick], unit=unit)
    return arms


def unit_of(head: Head, case_id: str, inputs: Mapping[str, object]) -> tuple[str, bytes | None]:
    """What a case is drawn for: itself, or the unit that it belongs to, with that one's keyed hash."""
    column = head.task.traffic.unit
    value = None if column is None else inputs.get(column)
    if value is None:
        return case_id, None
    return str(value), hmac.digest(head.secret, b"unit\0" + str(value).encode(), "sha256")


def route_all(
    head: Head,
    ids: Sequence[str],
    inputs: Sequence[Mapping[str, object]],
    arms: Sequence[Arm],
    guesses: Sequence[Prediction | None],
    now: int,
) -> list[Route]:
    """Who answers each case, and who looks at it."""
    outside, ruled = head.outside(inputs, now), head.ruled(inputs)
    allow, rules_fill = head.allow, head.task.review.per_day == 0
    routes = []
    groups = head.groups(inputs)
    for case_id, arm, guess, against, rule, group in zip(ids, arms, guesses, outside, ruled, groups, strict=True):
        facts = Facts(
            answer=None if guess is None else guess.prediction,
            confidence=0.0 if guess is None else guess.confidence,
            strangeness=1.0 if guess is None else guess.strangeness,
            outside=against,
            allowed=guess is None or not allow or guess.prediction in allow,
            rule=rule,
            rules_fill=rules_fill,
            audit_draw=draw(head.secret, case_id, "audit"),
            blind_draw=draw(head.secret, case_id, "blind"),
            group=group,
        )
        routes.append(route(arm.deployed, facts))
    return routes


def new_case(
    head: Head,
    case_id: str,
    inputs: Mapping[str, object],
    arm: Arm,
    guess: Prediction | None,
    predictions: tuple[NewPrediction, ...],
    way: Route,
    now: int,
) -> NewCase:
    """What is recorded of a case."""
    body, salt = canonical(inputs), os.urandom(16)
    return NewCase(
        id=case_id,
        received_at=now,
        digest=hmac.digest(salt, body, "sha256"),
        salt=salt,
        body=body,
        subject=head.subject_of(inputs),
        revision=head.deployed.revision,
        level=head.deployed.level,
        version=None if guess is None else arm.version,
        arm_propensity=arm.propensity,
        unit=arm.unit,
        reasons=way.reasons,
        review_kind=way.review_kind,
        review_propensity=way.review_propensity,
        blind=way.blind,
        decision=None if way.decision is None else as_text(way.decision),
        decided_by=way.decided_by,
        confidence=None if guess is None else guess.confidence,
        strangeness=None if guess is None else guess.strangeness,
        predictions=predictions,
        due_at=now + duration(head.task.review.answer_within),
        wanted=head.task.review.wanted,
    )


def told(version: str, role: str, guess: Prediction) -> NewPrediction:
    """What a version says, as it is recorded."""
    probabilities = guess.probabilities
    scores = [float(guess.prediction)] if probabilities is None else probabilities.values()
    return NewPrediction(
        version=version,
        role=role,
        prediction=as_text(guess.prediction),
        confidence=guess.confidence,
        strangeness=guess.strangeness,
        scores=array("f", scores).tobytes(),
    )


def record(
    head: Head, asked: Sequence[Asked], judged: Sequence[NewCase | ContractError], now: int, *, patient: bool = True
) -> list[Result] | None:
    """Record the cases that are new and answer all; None where the deployment has moved, and nothing is recorded."""
    results: list[Result | None] = [case if isinstance(case, ContractError) else None for case in judged]
    with head.library.work.store.writing(patient=patient) as connection:
        lock_task(connection, head.number, shared=True)
        if select_one(connection, REVISION, {"task": head.number}) != head.deployed.revision:
            return None
        named = [case.id for case in asked if case.named]
        known = find_cases(connection, head.number, named) if named else {}
        new: dict[str, NewCase] = {}
        for place, case in enumerate(judged):
            if isinstance(case, ContractError):
                continue
            earlier = known.get(case.id)
            if earlier is not None:
                results[place] = known_answer(head, earlier, case, now)
            elif case.id in new:
                results[place] = twice(head, new[case.id], case, now)
            else:
                new[case.id] = case
                results[place] = answer_of(head, case, now)
        if new:
            append_cases(connection, head.number, list(new.values()))
    return [result for result in results if result is not None]


def known_answer(head: Head, earlier: CaseRecord, case: NewCase, now: int) -> Result:
    """The answer to a case that is recorded already: the stored one, unless the inputs differ or are gone."""
    if earlier.salt is None:
        return ErasedError(f"The case {case.id!r} was erased.")
    if hmac.compare_digest(hmac.digest(earlier.salt, case.body, "sha256"), earlier.digest):
        return answer_of(head, earlier, now)
    return different(case.id)


def twice(head: Head, first: NewCase, case: NewCase, now: int) -> Result:
    """The answer to a case that stands in the same batch twice."""
    return answer_of(head, first, now) if first.body == case.body else different(case.id)


def different(case_id: str) -> ConflictError:
    """The error for an id that comes again with other inputs."""
    return ConflictError(
        f"The case {case_id!r} was recorded with other inputs.", hint="Give every case an id of its own."
    )
