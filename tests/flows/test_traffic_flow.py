"""Versions share the cases: who answers, within what bounds, with what logged chance, and how the shares follow."""

import math
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from msgspec.structs import replace
from scipy import stats

import understudy
from conftest import claims
from flows.desk import Hands, ask, desk, other, tell, to_level
from understudy.autonomy.traffic import may_answer
from understudy.autonomy.trial import GIVEN, HEARD, leads, total
from understudy.core.draws import draw
from understudy.core.errors import ModelError
from understudy.core.nouns import Decider, Level, Move, Traffic
from understudy.evidence.off_policy import fold_values, open_values, values
from understudy.evidence.pseudo_outcomes import ValuePlan, ips
from understudy.flows.head import Head, Library, load_head
from understudy.flows.learn import learn
from understudy.flows.moves import apply_task
from understudy.flows.review import give_review, next_review
from understudy.flows.status import history, task_status
from understudy.flows.traffic import PAGE, replay_tally
from understudy.flows.trial import SPLIT, read_trial, replay_trial
from understudy.flows.workspace import Workspace, open_workspace
from understudy.models.search import Budget
from understudy.store.events import read_events
from understudy.store.ledger import each_page
from understudy.store.registry import current, move_to
from understudy.store.schema import cases, predictions, tasks

TABLE = claims(2000, seed=7)
ROWS = TABLE.drop("pay", "paid_amount")
TRUE = TABLE["pay"].to_list()
EVERY = {"yes": 0.0, "no": 0.0}
MODES = ("split", "bandit", "contextual")


@pytest.fixture(scope="module")
def arena(ran, tmp_path_factory) -> Path:
    """A workspace with a champion, and a challenger that has learned the opposite."""
    place = tmp_path_factory.mktemp("arena")
    library = desk(ran[0], place)
    ask(load_head(library, "claims"), ["first"])
    tell(library, ["first"], ["yes"])
    learn(library, "claims")
    table = claims().with_columns(pay=pl.when(pl.col("pay") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes")))
    table.write_csv(place / "turned.csv")
    understudy.run(place / "turned.csv", name="claims", workspace=place / "work", budget=Budget(trials=1))
    return place / "work"


def opened(place: Path, at: int = 1_700_000_000_000_000) -> Library:
    """A workspace as a process finds it that has just started."""
    found = open_workspace(place)
    return Library(Workspace(found.root, found.settings, found.store, found.artifacts, found.engine, Hands(at)))


def stage(arena: Path, place: Path, mode: str, *edits: tuple[str, str], level: Level = Level.ASSIST) -> Library:
    """The workspace once more, with a mode of sharing, at a level."""
    shutil.copytree(arena, place / "work")
    library = opened(place / "work")
    with library.work.store.writing() as connection:
        connection.execute(tasks.update().values(secret=b"k" * 32))  # the same draws each time
    edit(library, ('mode = "champion"', f'mode = "{mode}"'), ("adverse = false", "adverse = true"), *edits)
    to_level(library, level, EVERY)
    return library


def edit(library: Library, *edits: tuple[str, str]) -> None:
    """Change the task file, and apply it."""
    file = library.work.task_file("claims")
    text = file.read_text()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)
    apply_task(library.work, "claims", actor="ann")


def share(library: Library, part: float = 0.3, *, gamma: float = 0.0, own: dict[str, float] | None = None) -> Head:
    """Give the challenger a part of the cases, and thresholds of its own, by hand."""
    with library.work.store.writing() as connection:
        now = current(connection, 1)
        [challenger] = now.challengers
        traffic = Traffic(
            epoch=now.epoch,
            shares={now.champion: 1 - part, challenger: part},
            thresholds={} if own is None else {challenger: own},
            gamma=gamma,
            offsets={now.champion: 0.02, challenger: -0.01} if gamma else {},
        )
        move_to(connection, 1, Move(kind="traffic", to=replace(now, traffic=traffic), reasons=()), actor="ann", at=1)
    return load_head(library, "claims")


def recorded(library: Library) -> pl.DataFrame:
    """What the log holds of the cases, in their order, each with what both versions said."""
    mine = (cases.c.id, cases.c.seq, cases.c.version, cases.c.arm_propensity, cases.c.unit)
    theirs = (predictions.c.version.label("by"), predictions.c.prediction, predictions.c.confidence.label("sure"))
    query = sa.select(*mine, *theirs).join(predictions, predictions.c.seq == cases.c.seq).where(cases.c.id != "first")
    with library.work.store.reading() as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    frame = pl.DataFrame(rows, schema_overrides={"unit": pl.Binary})
    return frame.pivot("by", index=[column.name for column in mine], values=["prediction", "sure"]).sort("seq")


def ids(count: int, name: str = "c") -> list[str]:
    return [f"{name}{number}" for number in range(count)]


def clock_rings(head: Head, name: str, shares: dict[str, float]) -> str:
    """The version whose exponential clock rings first, by the book."""
    return min(shares, key=lambda version: -math.log1p(-draw(head.secret, name, f"arm {version}")) / shares[version])


def test_without_traffic_the_champion_answers_all_and_the_log_says_so(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split")
    head = load_head(library, "claims")
    ask(head, ids(20), ROWS)
    log = recorded(library)
    assert set(log["version"]) == {head.deployed.champion}
    assert (set(log["arm_propensity"]), set(log["unit"])) == ({1.0}, {None})


def test_each_case_goes_where_its_draws_say_and_its_chance_is_logged_exactly(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split")
    head = share(library)
    ask(head, ids(1000), ROWS)
    log, shares = recorded(library), head.deployed.traffic.shares
    assert log["version"].to_list() == [clock_rings(head, name, shares) for name in ids(1000)]
    assert log["arm_propensity"].to_list() == [shares[version] for version in log["version"]]
    [challenger] = head.deployed.challengers
    given = log["version"].to_list().count(challenger)
    assert stats.binomtest(given, 1000, 0.3).pvalue > 1e-6  # the draws depend on the versions' digests


def test_by_case_the_chance_follows_what_each_version_expects_to_lose(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "contextual")
    head = share(library, 0.5, gamma=60.0)
    ask(head, ids(1000), ROWS)
    log = recorded(library)
    champion, [challenger] = head.deployed.champion, head.deployed.challengers
    wins, expected = 0, 0.0
    for row in log.iter_rows(named=True):
        lost = {champion: 1.02 - row[f"sure_{champion}"], challenger: 0.99 - row[f"sure_{challenger}"]}
        best, worst = sorted(lost, key=lost.__getitem__)
        low = 1 / (2 + 60 * (lost[worst] - lost[best]))
        chances = {best: 0.05 + 0.9 * (1 - low), worst: 0.05 + 0.9 * low}
        assert row["arm_propensity"] == pytest.approx(chances[row["version"]])
        assert row["version"] == clock_rings(head, row["id"], chances)
        wins, expected = wins + (row["version"] == challenger), expected + chances[challenger]
    assert len(set(log["arm_propensity"])) > 100
    assert abs(wins - expected) < 4 * math.sqrt(len(log) / 4)


def test_cases_of_a_unit_go_to_one_version_and_stay_there_while_its_share_grows(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split", ('# unit = "customer_id"', 'unit = "age"'))
    units = ROWS["age"].head(500).to_list()
    grown: dict[str, str] = {}
    for turn, part in enumerate((0.1, 0.3, 0.4)):
        head = share(library, part)
        ask(head, ids(500, f"{turn}-"), ROWS)
        log = recorded(library).filter(pl.col("id").str.starts_with(f"{turn}-"))
        found: dict[str, set[str]] = {}
        for age, version in zip(units, log["version"], strict=True):
            found.setdefault(age, set()).add(version)
        assert [age for age, versions in found.items() if len(versions) > 1] == [""]  # no age: drawn by itself
        assert log.filter(pl.col("unit").is_null()).height == units.count("")
        assert log["unit"].n_unique() == len(set(units))
        [challenger] = head.deployed.challengers
        ages = {age for age, versions in found.items() if versions == {challenger}}
        assert ages > grown.keys()
        grown = dict.fromkeys(ages, challenger)
    assert len(grown) > 10


def test_the_same_id_gets_the_same_answer_whatever_the_shares_become_and_after_a_restart(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split", level=Level.PARTIAL)
    first = ask(share(library, 0.4, own=EVERY), ids(200), ROWS)
    assert {answer.model for answer in first if answer.model} == set(recorded(library)["version"])
    assert ask(share(library, 0.05, own=EVERY), ids(200), ROWS) == first
    again = opened(tmp_path / "work")
    assert ask(load_head(again, "claims"), ids(200), ROWS) == first
    assert recorded(again).height == 200


def test_two_processes_give_a_new_case_to_the_same_version(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split")
    share(library)
    shutil.copytree(tmp_path / "work", tmp_path / "twin")
    for one in (library, opened(tmp_path / "twin")):
        ask(load_head(one, "claims"), ids(300), ROWS)
    assert recorded(library)["version"].to_list() == recorded(opened(tmp_path / "twin"))["version"].to_list()


@pytest.mark.parametrize("mode", [*MODES, "champion"])
def test_no_claim_is_refused_and_none_beyond_the_limit_is_granted_by_any_version_in_ten_thousand(
    arena, tmp_path, mode: str
) -> None:
    """Half a thousand cases at each level in each mode, the process started anew in between."""
    grants = (("allow = []", 'allow = ["yes"]'), ("limit = []", 'limit = ["amount < 900"]'))
    library = stage(arena, tmp_path, mode, *grants, ('max_level = "partial"', 'max_level = "full"'))
    own = {"yes": 0.55, "no": 0.0}
    amounts = dict(zip(ids(2000), ROWS["amount"].cast(float), strict=True))
    automatic: Counter[tuple[Level, str]] = Counter()
    for level in Level:
        to_level(library, level, {"yes": 0.7, "no": 0.0})
        share(library, 0.4, gamma=20.0 if mode == "contextual" else 0.0, own=own)
        library = opened(tmp_path / "work")
        head = load_head(library, "claims")
        for turn in range(4):
            names = [f"{level.value}-{turn}-{number}" for number in range(500)]
            for name, answer in zip(names, ask(head, names, ROWS.slice(500 * turn)), strict=True):
                if answer.decided_by is None:
                    assert answer.decision is answer.confidence is answer.model is None
                    continue
                automatic[level, answer.model] += 1
                number = 500 * turn + int(name.rpartition("-")[2])
                assert answer.decided_by is Decider.MODEL
                assert (answer.decision, amounts[f"c{number}"] < 900) == ("yes", True)
                assert answer.strangeness <= head.deployed.strange_limit
                floor = {Level.PARTIAL: 0.7, Level.FULL: 0.0}[level]
                assert answer.confidence >= (floor if answer.model == head.deployed.champion else own["yes"])
    champion, [challenger] = head.deployed.champion, head.deployed.challengers
    answered = {champion} if mode == "champion" else {champion, challenger}
    assert set(automatic) == {(level, one) for level in (Level.PARTIAL, Level.FULL) for one in answered}
    assert min(automatic.values()) > 20


def test_a_challenger_without_thresholds_of_its_own_answers_nothing_alone(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split", level=Level.PARTIAL)
    for own in (None, {}):
        head = share(library, 0.4, own=own)
        answers = ask(head, ids(200, str(own)), ROWS)
        assert {answer.model for answer in answers if answer.model} == {head.deployed.champion}
    assert set(recorded(library)["arm_propensity"]) == {1.0}


def test_in_assist_people_are_shown_what_the_version_of_the_case_suggests(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split", ("blind_rate = 0.2", "blind_rate = 0.05"))
    head = share(library, 0.4)
    ask(head, ids(40), ROWS)
    log = {row["id"]: row for row in recorded(library).iter_rows(named=True)}
    shown = Counter()
    while (place := next_review(head, "ann")) is not None:
        if place.suggestion is not None:
            row = log[place.id]
            assert place.suggestion.decision == row[f"prediction_{row['version']}"]
            assert place.suggestion.model == row["version"]
            shown[row["version"]] += 1
        give_review(head, "ann", place.id, "yes")
    assert len(shown) == 2


def test_a_version_that_fails_leaves_its_cases_to_the_champion_with_certainty(arena, tmp_path, monkeypatch) -> None:
    library = stage(arena, tmp_path, "split")
    head = share(library, 0.4)

    def fail(*_: object) -> None:
        raise ModelError("It is broken.")

    object.__setattr__(head.challengers[0], "predict_values", fail)
    ask(head, ids(50), ROWS)
    with library.work.store.reading() as connection:
        rows = connection.execute(sa.select(cases.c.version, cases.c.arm_propensity).where(cases.c.id != "first"))
        assert {tuple(row) for row in rows} == {(head.deployed.champion, 1.0)}


def test_where_the_champion_fails_people_decide(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split", level=Level.PARTIAL)
    head = share(library, 0.4, own=EVERY)
    object.__setattr__(head.champion, "predict_values", lambda _: (_ for _ in ()).throw(ModelError("It is broken.")))
    assert {answer.reasons for answer in ask(head, ids(20), ROWS)} == {("no_prediction",)}


def test_the_task_file_ends_it_at_once(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split")
    share(library)
    edit(library, ('mode = "split"', 'mode = "champion"'))
    head = load_head(library, "claims")
    assert head.deployed.traffic is not None
    ask(head, ids(50), ROWS)
    assert set(recorded(library)["version"]) == {head.deployed.champion}
    learn(library, "claims")
    assert load_head(library, "claims").deployed.traffic is None


def parts(library: Library) -> tuple[float, ...]:
    """The shares of the champion and the challenger; none where the champion answers all."""
    deployed = load_head(library, "claims").deployed
    shares = {} if deployed.traffic is None else deployed.traffic.shares
    return tuple(shares[version] for version in (deployed.champion, *deployed.challengers) if version in shares)


def said(library: Library, names: list[str]) -> list[str]:
    """What the champion thinks of recorded cases."""
    log = {row["id"]: row for row in recorded(library).iter_rows(named=True)}
    champion = load_head(library, "claims").deployed.champion
    return [log[name][f"prediction_{champion}"] for name in names]


def come(library: Library, first: int, last: int, *, turned: bool = False) -> None:
    """Cases come, and their outcomes: all are as the champion says, or all are not."""
    names = ids(last)[first:]
    ask(load_head(library, "claims"), names, ROWS.slice(first, last - first))
    answers = said(library, names)
    tell(library, names, [other(answer) for answer in answers] if turned else answers)


def test_the_steward_shares_the_cases_as_the_task_file_says(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split", ("share = 0.1", "share = 0.25"))
    before = load_head(library, "claims").deployed
    learn(library, "claims")
    after = load_head(library, "claims").deployed
    assert parts(library) == (0.75, 0.25)
    assert replace(after, traffic=None, revision=0) == replace(before, traffic=None, revision=0)
    learn(library, "claims")
    assert load_head(library, "claims").deployed == after
    with library.work.store.reading() as connection:
        assert [event.kind for event in read_events(connection, 1)][-1] == "moved.traffic"


def tally(library: Library):
    """The tally as it is kept, and folded anew."""
    head = load_head(library, "claims")
    with library.work.store.reading() as connection:
        return replay_tally(connection, head, head.deployed, may_answer(head.deployed, {}))


def test_a_bandit_follows_outcomes_as_they_come_after_a_restart_and_when_they_are_corrected(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "bandit")
    learn(library, "claims")
    assert parts(library) == (0.5, 0.5)
    come(library, 0, 60, turned=True)
    learn(library, "claims")
    leaning = parts(library)
    assert leaning[1] > 0.9
    ask(load_head(library, "claims"), ids(160)[60:], ROWS.slice(60, 100))
    learn(library, "claims")
    assert parts(library) == leaning  # outcomes are under way
    library = opened(tmp_path / "work")
    late = ids(160)[60:]
    tell(library, late, said(library, late))
    learn(library, "claims")
    kept_tally, anew = tally(library)
    assert kept_tally == anew
    assert kept_tally.weight == pytest.approx(160, abs=20)  # strange cases do not count
    assert parts(library)[1] < 0.2
    early = ids(60)
    tell(library, early, said(library, early))
    tell(library, late, [other(answer) for answer in said(library, late)])
    learn(library, "claims")
    kept_tally, anew = tally(library)
    assert kept_tally == anew
    assert parts(library)[1] > 0.9


def test_one_pass_or_many_give_the_same_tally_to_the_last_bit(arena, tmp_path) -> None:
    at_once, bit_by_bit = (stage(arena, tmp_path / name, "bandit") for name in ("one", "many"))
    for first in range(0, 120, 17):
        for library in (at_once, bit_by_bit):  # in the same batches: a confidence's last bit depends on its batch
            come(library, first, min(first + 17, 120))
        learn(bit_by_bit, "claims")
    learn(at_once, "claims")
    assert tally(at_once)[0] == tally(bit_by_bit)[0] == tally(bit_by_bit)[1]


def test_a_contextual_bandit_learns_how_far_each_version_is_off(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "contextual")
    learn(library, "claims")
    assert load_head(library, "claims").deployed.traffic.gamma == 0
    come(library, 0, 200, turned=True)
    learn(library, "claims")
    head = load_head(library, "claims")
    traffic, champion = head.deployed.traffic, head.deployed.champion
    assert traffic.gamma == pytest.approx(math.sqrt(2 * tally(library)[0].weight))
    assert traffic.offsets[champion] > 0.5
    come(library, 200, 400, turned=True)
    log = recorded(library).tail(200)
    assert (log["version"] == champion).mean() < 0.15


def test_from_partial_on_the_steward_lets_a_challenger_answer_by_its_own_certificate(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split")
    to_level(library, Level.PARTIAL, {"yes": 0.999})  # the champion answers next to nothing, so as not to err
    learn(library, "claims")
    assert parts(library) == ()
    come(library, 0, 1600, turned=True)
    [rival] = learn(library, "claims").rivals
    head = load_head(library, "claims")
    assert head.deployed.level is Level.PARTIAL
    assert head.deployed.traffic.thresholds == {rival.version: rival.certified}
    answers = ask(head, ids(500, "new"), ROWS)
    alone = [answer for answer in answers if answer.model == rival.version]
    assert len(alone) > 10
    assert all(answer.confidence >= rival.certified[answer.decision] for answer in alone)
    early = ids(1600)
    tell(library, early, said(library, early))  # all was wrong: the certificate is void
    assert learn(library, "claims").rivals[0].certified == {}
    assert parts(library) == ()


def test_a_policy_that_was_not_in_charge_is_valued_by_the_logged_chances(arena, tmp_path) -> None:
    """The challenger's accuracy, by those cases alone that were given to it."""
    library = stage(arena, tmp_path, "contextual")
    head = share(library, 0.5, gamma=10.0)
    ask(head, ids(2000), ROWS)
    log, [challenger] = recorded(library), head.deployed.challengers
    reward = np.array([a == b for a, b in zip(log[f"prediction_{challenger}"], TRUE, strict=True)], dtype=float)
    given = (log["version"] == challenger).to_numpy()
    plan = ValuePlan(alpha=0.05, largest=20.0)
    scores = ips(plan, np.where(given, reward, 0.0), log["arm_propensity"].to_numpy(), given.astype(float))
    [value] = values(fold_values(open_values(plan), plan, scores), plan)
    assert value.lower <= reward.mean() <= value.upper
    assert value.upper - value.lower < 0.25


def test_arms_and_audits_are_drawn_apart(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split")
    head = share(library, 0.4)
    ask(head, ids(2000), ROWS)
    with library.work.store.reading() as connection:
        rows = connection.execute(sa.select(cases.c.version, cases.c.blind).where(cases.c.id != "first")).all()
    versions = (head.deployed.champion, *head.deployed.challengers)
    table = [[sum(row == (version, blind) for row in rows) for version in versions] for blind in (True, False)]
    assert stats.chi2_contingency(np.array(table)).pvalue > 0.01
    assert stats.binomtest(sum(table[0]), 2000, head.deployed.blind_rate).pvalue > 0.01


def entries(library: Library, version: str) -> list[tuple]:
    """What the ledger says of a version, case by case."""
    with library.work.store.reading() as connection:
        epoch = current(connection, 1).epoch
        page = next(each_page(connection, 1, version, epoch, after=0, size=PAGE))
        return [(one.side, one.loss, one.eligible, one.confidence, one.strangeness) for one in page]


def test_the_evidence_of_a_version_does_not_depend_on_which_version_a_case_was_given_to(arena, tmp_path) -> None:
    grants = ("allow = []", 'allow = ["yes"]')
    alone, shared = (stage(arena, tmp_path / name, "split", grants) for name in ("alone", "shared"))
    deployed = share(shared, 0.4).deployed
    for library in (alone, shared):
        come(library, 0, 500)
        learn(library, "claims")
    assert recorded(shared)["version"].n_unique() == 2
    for version in (deployed.champion, *deployed.challengers):
        assert entries(shared, version) == entries(alone, version)
        assert {side for side, _, eligible, *_ in entries(alone, version) if eligible} == {"yes"}


def trial_of(library: Library):
    """The trial as it is kept, and folded anew."""
    head = load_head(library, "claims")
    with library.work.store.reading() as connection:
        return replay_trial(connection, head, head.deployed)


def test_the_running_comparison_is_told_with_its_interval_and_replays(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split", ("share = 0.1", "share = 0.4"))
    learn(library, "claims")
    for first in range(0, 450, 150):  # from 500 on it would be retired
        come(library, first, first + 150)
        learn(library, "claims")
    head = load_head(library, "claims")
    [challenger] = head.deployed.challengers
    kept_trial, anew = trial_of(library)
    assert kept_trial == anew
    log = recorded(library)
    assert total(kept_trial, GIVEN) == Counter(log["version"].to_list())
    lead = leads(kept_trial)[challenger]
    theirs = log.filter(pl.col("version") == challenger)
    wrong = (theirs[f"prediction_{challenger}"] != theirs[f"prediction_{head.deployed.champion}"]).mean()
    assert lead.lower <= -wrong <= lead.upper < 0  # the champion is always right, by what comes
    assert (lead.n, lead.anytime) == (450, True)
    [told] = task_status(library.work, "claims").trial
    assert told.startswith(f"By what each was given, version {challenger[:12]} makes between -")
    assert told.endswith("by 450 cases.")
    early = ids(100)
    tell(library, early, [other(answer) for answer in said(library, early)])
    learn(library, "claims")
    kept_trial, anew = trial_of(library)
    assert kept_trial == anew
    assert leads(kept_trial)[challenger].estimate > lead.estimate


def test_with_a_unit_its_values_are_counted_and_not_their_cases(arena, tmp_path) -> None:
    library = stage(
        arena, tmp_path, "split", ("share = 0.1", "share = 0.4"), ('# unit = "customer_id"', 'unit = "region"')
    )
    learn(library, "claims")
    come(library, 0, 150)
    learn(library, "claims")
    come(library, 150, 300)
    learned = learn(library, "claims")
    kept_trial, anew = trial_of(library)
    assert kept_trial == anew
    assert sum(total(kept_trial, GIVEN).values()) == ROWS["region"].n_unique()
    assert not any("in the shares meant" in alarm for alarm in learned.alarms)
    assert task_status(library.work, "claims").trial[0].endswith("values of region, the first case of each.")


def test_outcomes_that_get_lost_on_the_way_back_from_one_version_raise_an_alarm_once(arena, tmp_path) -> None:
    library = stage(
        arena, tmp_path, "split", ("share = 0.1", "share = 0.4"), ('mature_after = "30d"', 'mature_after = "1d"')
    )
    learn(library, "claims")
    [challenger] = load_head(library, "claims").deployed.challengers
    ask(load_head(library, "claims"), ids(800), ROWS)
    log = {row["id"]: row["version"] for row in recorded(library).iter_rows(named=True)}
    heard = [name for place, name in enumerate(ids(800)) if log[name] != challenger or place % 2]
    tell(library, heard, said(library, heard))
    library.work.clock.at += 2 * 86_400_000_000
    alarms = learn(library, "claims").alarms
    assert any(alarm.startswith("Outcomes do not come for the versions in the shares meant:") for alarm in alarms)
    assert not any("in the shares meant" in alarm for alarm in learn(library, "claims").alarms)
    [event] = [event for event in history(library.work, "claims") if event.kind == SPLIT]
    assert event.body["what"] == HEARD
    assert sum(event.body["counts"].values()) == len(heard)
    assert "the comparison is not valid until it is found." in task_status(library.work, "claims").trial[-1]
    head = load_head(library, "claims")
    with library.work.store.reading() as connection:
        assert read_trial(connection, head.number, head.deployed).stretches[0].shares == pytest.approx(
            {head.deployed.champion: 0.6, challenger: 0.4}
        )


def test_without_shared_cases_there_is_no_trial(arena, tmp_path) -> None:
    library = stage(arena, tmp_path, "split")
    edit(library, ('mode = "split"', 'mode = "champion"'))
    come(library, 0, 30)
    learn(library, "claims")
    assert trial_of(library) is None
    assert task_status(library.work, "claims").trial == ()
