"""An A/B test by logged propensities: its interval, and an alarm where cases do not go as was meant."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evidence.promises import batches, cuts, kept
from understudy.autonomy.trial import (
    GIVEN,
    HEARD,
    MISMATCH,
    Drawn,
    Trial,
    expected,
    fold_trial,
    leads,
    least_chance,
    meant,
    mismatch_text,
    mismatches,
    split_evidence,
    total,
    trial_text,
)
from understudy.core.nouns import Deployment, Level
from understudy.core.nouns import Traffic as Sharing
from understudy.core.task import Autonomy, Decision, Task, Traffic, Truth

DECISION = Decision(name="pay", question="Pay?", target="pay", kind="classification", goal="roc_auc")
TASK = Task(
    decision=DECISION, autonomy=Autonomy(max_error=0.05, confidence=0.95), traffic=Traffic(mode="split", share=0.3)
)
SHARES = {"old": 0.7, "new": 0.3}
RISK = {"old": 0.2, "new": 0.1}


def draws(rng: np.random.Generator, n: int, *, really: float = 0.3, lost: float = 0.0) -> list[Drawn]:
    """Cases, of which the challenger gets a share, and of whose outcomes a part is lost on its way."""
    found = []
    for to_new in rng.random(n) < really:
        version = "new" if to_new else "old"
        heard = not (to_new and rng.random() < lost)
        loss = float(rng.random() < RISK[version])
        found.append(Drawn(version=version, shares=SHARES, loss=loss, look=1.0, least=1.0, heard=heard))
    return found


def run(drawn: list[Drawn], task: Task = TASK) -> Trial:
    return fold_trial(Trial(), task, "old", drawn)


def test_the_lead_is_bounded_at_all_times() -> None:
    missed = np.zeros(60, dtype=bool)
    for number in range(60):
        drawn, trial = draws(np.random.default_rng(number), 1200), Trial()
        for first in range(0, 1200, 100):
            trial = fold_trial(trial, TASK, "old", drawn[first : first + 100])
            lead = leads(trial)["new"]
            missed[number] |= not lead.lower <= 0.1 <= lead.upper
    assert kept(missed, 0.05)
    assert lead.upper - lead.lower < 0.25


def test_a_split_as_it_was_meant_raises_hardly_ever_an_alarm_and_another_one_does() -> None:
    fine, off, silent = (np.zeros(100, dtype=bool) for _ in range(3))
    for number in range(100):
        rng = np.random.default_rng(number)
        fine[number] = bool(mismatches(run(draws(rng, 1500)), TASK))
        off[number] = mismatches(run(draws(rng, 1500, really=0.4)), TASK) == (GIVEN, HEARD)
        silent[number] = mismatches(run(draws(rng, 1500, lost=0.4)), TASK) == (HEARD,)
    assert kept(fine, MISMATCH)
    assert off.all()
    assert silent.all()


def test_to_count_every_case_of_a_unit_would_cry_wolf() -> None:
    """Forty cases of a unit go to one version: as draws of their own they look like a split that was not meant."""
    cried = np.zeros(40, dtype=bool)
    for number in range(40):
        each = draws(np.random.default_rng(number), 60)
        cried[number] = bool(mismatches(run([draw for draw in each for _ in range(40)]), TASK))
    assert not kept(cried, MISMATCH)


def test_outcomes_are_counted_only_where_every_one_comes_by_itself() -> None:
    hiding = replace(TASK, truth=Truth(hides_outcome=("no",)))
    trial = run(draws(np.random.default_rng(1), 1500, lost=0.9))
    assert mismatches(trial, TASK) == (HEARD,)
    assert mismatches(trial, hiding) == ()


@given(cut=cuts(90), seed=st.integers(0, 10))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = draws(rng, 30) + [replace(draw, shares={"old": 0.5, "new": 0.3, "raw": 0.2}) for draw in draws(rng, 30)]
    drawn += draws(rng, 30)
    trial = Trial()
    for where in batches(cut, 90):
        folded = fold_trial(trial, TASK, "old", drawn[where])
        trial = msgspec.json.decode(msgspec.json.encode(folded), type=Trial)
    assert trial == run(drawn)
    assert len(trial.stretches) == 3


def test_stretches_add_up() -> None:
    rng = np.random.default_rng(2)
    first = draws(rng, 500)
    then = [replace(draw, shares={"old": 0.6, "new": 0.4}) for draw in draws(rng, 500, really=0.4)]
    trial = run(first + then)
    alone = sum(split_evidence(run(part), GIVEN) for part in (first, then))
    assert split_evidence(trial, GIVEN) == pytest.approx(alone)
    assert sum(total(trial, GIVEN).values()) == 1000
    assert expected(trial, GIVEN) == pytest.approx({"old": 650.0, "new": 350.0})


def test_a_look_that_was_drawn_weighs_as_much_as_those_it_stands_for() -> None:
    """One in five answers of the champion is looked at where it was wrong or right alike, all of the challenger's."""
    audited = replace(
        TASK,
        truth=Truth(source="blind_review"),
        autonomy=replace(TASK.autonomy, audit_floor=0.2, audit_rate=0.2, blind_rate=0.9),
    )
    missed = np.zeros(100, dtype=bool)
    for number in range(100):
        rng = np.random.default_rng(number)
        drawn = [
            replace(draw, look=look, least=0.2, loss=draw.loss if rng.random() < look else None)
            for draw in draws(rng, 1500)
            for look in ((0.2 if draw.version == "old" else 1.0),)
        ]
        lead = leads(run(drawn, audited))["new"]
        missed[number] = not lead.lower <= 0.1 <= lead.upper
    assert kept(missed, 0.05)
    assert least_chance(audited, 2) == pytest.approx(0.3 * 0.2)


def test_deployments_with_a_smaller_chance_than_planned_are_left_out_for_both() -> None:
    trial = run(draws(np.random.default_rng(3), 200))
    poor = [replace(draw, least=0.01, look=0.01) for draw in draws(np.random.default_rng(4), 200)]
    assert leads(fold_trial(trial, TASK, "old", poor)) == leads(trial)


def test_what_is_meant_follows_from_the_deployment() -> None:
    deployed = Deployment(
        level=Level.ASSIST,
        champion="old",
        challengers=("new",),
        traffic=Sharing(epoch=0, shares=SHARES),
    )
    assert meant(deployed) == SHARES
    assert meant(replace(deployed, level=Level.PARTIAL)) == {}  # no thresholds of its own
    assert meant(replace(deployed, traffic=None)) == {}
    assert meant(replace(deployed, traffic=replace(deployed.traffic, gamma=9.0))) == {}  # by the case


def test_the_words_carry_their_numbers() -> None:
    trial = run(draws(np.random.default_rng(5), 1500, really=0.4))
    [told] = trial_text(TASK, trial)
    lead = leads(trial)["new"]
    assert told == (
        f"By what each was given, version new makes between {100 * lead.lower:.1f} and {100 * lead.upper:.1f} fewer "
        "mistakes per 100 than the champion, with 95 % confidence, by 1,500 cases."
    )
    said = mismatch_text(trial, GIVEN)
    counts = total(trial, GIVEN)
    assert f"old {counts['old']:,} where 1,050 were expected, new {counts['new']:,} where 450 were expected" in said
    units = replace(TASK, traffic=replace(TASK.traffic, unit="customer"))
    assert trial_text(units, trial)[0].endswith("by 1,500 values of customer, the first case of each.")
    assert trial_text(TASK, Trial()) == ()
