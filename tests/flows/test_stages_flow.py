"""A version's error is taken apart: by columns that earlier stages give, and by the steps of an adopted pipeline."""

import msgspec
import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import understudy
from understudy.core.errors import DataError, TaskFileError
from understudy.core.task import Task
from understudy.core.task_file import parse_task
from understudy.data.split import Split
from understudy.evaluation.stages import Stages, stage_actions
from understudy.flows import stages as flow
from understudy.flows.dataset import Dataset, assemble
from understudy.flows.stages import take_apart
from understudy.flows.version import Version, load_version
from understudy.flows.workspace import Workspace, open_workspace

N = 2400
STAGES = (
    'stages = { reading = { amount_read = "amount" }, finding = { country_found = "country" }, '
    'rating = { rate_used = "rate" } }'
)


def invented(seed: int = 0) -> pl.DataFrame:
    """Invoices, paid below a sum; reading corrupts 15 % of the amounts, finding 1 % of the countries."""
    rng = np.random.default_rng(seed)
    amount = np.round(rng.uniform(10, 1000, N), 2)
    country = rng.choice(["fr", "ch", "us"], N)
    rate = np.select([country == "fr", country == "ch"], [1.0, 1.05], 0.9)
    limit = np.where(country == "us", 700, 400)
    pay = amount * rate < limit
    read = np.where(rng.random(N) < 0.15, np.round(rng.uniform(10, 1000, N), 2), amount)
    found = np.where(rng.random(N) < 0.01, rng.choice(["fr", "ch", "us"], N), country)
    return pl.DataFrame(
        {
            "amount_read": read,
            "country_found": found,
            "rate_used": rate,
            "amount": amount,
            "country": country,
            "rate": rate,
            "pay": np.where(pay, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """A workspace with a task that names three stages, and a version of it."""
    place = tmp_path_factory.mktemp("stages")
    source = place / "invoices.csv"
    invented().write_csv(source)
    file = understudy.init(source, target="pay", name="invoices", workspace=place, time="none")
    file.write_text(file.read_text().replace("stages = {}", STAGES, 1))
    understudy.run(
        source, name="invoices", workspace=place, budget=understudy.Budget(trials=1), recipes=("lightgbm",), single=True
    )
    return open_workspace(place), str(source)


def parts_of(work: Workspace, source: str, name: str = "invoices") -> tuple[Version, dict[str, bytes], Dataset, Split]:
    task = work.read_task(name)
    version = load_version(work, name)
    files = {one: work.artifacts.get(body) for one, body in version.manifest.files.items()}
    read = pl.read_csv(source, infer_schema=False) if source.endswith("csv") else pl.read_parquet(source)
    data = assemble(read, task, seed=0)
    return version, files, data, data.split(0)


def with_stages(work: Workspace, stages: dict[str, dict[str, str]]) -> Task:
    task = work.read_task("invoices")
    return msgspec.structs.replace(task, model=msgspec.structs.replace(task.model, stages=stages))


@pytest.fixture(scope="module")
def taken(ran: tuple[Workspace, str]) -> Stages:
    version, files, data, parts = parts_of(*ran)
    found = take_apart(version, files, ran[0].read_task("invoices"), data, parts.test)
    assert found is not None
    return found


def test_the_truth_of_a_stage_is_no_input(ran: tuple[Workspace, str]) -> None:
    version = load_version(ran[0], "invoices")
    assert set(version.inputs) == {"amount_read", "country_found", "rate_used"}
    notes = {column.name: column.note for column in version.contract.columns}
    assert notes["amount"] == "the truth of a stage, known only afterwards"


def test_the_broken_stage_ranks_first(taken: Stages) -> None:
    assert taken.ranked[0].name == "reading"
    assert taken.ranked[0].differs == pytest.approx(0.15, abs=0.03)
    assert taken.share(taken.ranked[0]) > 0.5
    assert stage_actions(taken)[0].subject == "reading"
    assert next(one for one in taken.found if one.name == "rating").owns.estimate == 0.0
    assert taken.unknown == 0


def test_each_figure_is_that_of_predicting_with_the_truth(ran: tuple[Workspace, str], taken: Stages) -> None:
    version, _, data, parts = parts_of(*ran)
    rows = data.source[parts.test]
    truth = rows["pay"].to_list()

    def wrong(**columns: str) -> float:
        told = rows.with_columns(pl.col(given).alias(name) for name, given in columns.items())
        answers = version.as_columns(version.predict(told))["prediction"].to_list()
        return float(np.mean([answer != one for answer, one in zip(answers, truth, strict=True)]))

    read, found = {"amount_read": "amount"}, {"country_found": "country"}
    as_is, both = wrong(), wrong(**read, **found)
    assert taken.error.estimate == pytest.approx(as_is)
    assert taken.rest.estimate == pytest.approx(both)
    by_name = {one.name: one for one in taken.found}
    assert by_name["reading"].alone.estimate == pytest.approx(as_is - wrong(**read))
    assert by_name["finding"].left.estimate == pytest.approx(both)
    shapley = ((as_is - wrong(**read)) + (wrong(**found) - both)) / 2
    assert by_name["reading"].owns.estimate == pytest.approx(shapley)


def test_rows_without_the_truth_are_left_out_and_counted(ran: tuple[Workspace, str]) -> None:
    version, files, data, parts = parts_of(*ran)
    task = ran[0].read_task("invoices")
    blank = data.source["amount"].to_list()
    for row in parts.test[:40]:
        blank[row] = "" if row % 2 else "unreadable"
    holed = Dataset(**{**vars(data), "source": data.source.with_columns(amount=pl.Series(blank))})
    found = take_apart(version, files, task, holed, parts.test)
    assert found is not None
    assert (found.n, found.unknown) == (len(parts.test) - 40, 40)
    empty = Dataset(**{**vars(data), "source": data.source.with_columns(amount=pl.lit(""))})
    with pytest.raises(DataError, match="has the truth of every stage"):
        take_apart(version, files, task, empty, parts.test)


def test_of_very_many_rows_some_are_drawn(ran: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "MOST_PREDICTIONS", 800)
    version, files, data, parts = parts_of(*ran)
    task = ran[0].read_task("invoices")
    first, again, other = (take_apart(version, files, task, data, parts.test, seed=seed) for seed in (0, 0, 1))
    assert first is not None
    assert first.n == 100
    assert first == again != other


def test_a_task_without_stages_has_nothing_to_take_apart(ran: tuple[Workspace, str]) -> None:
    version, files, data, parts = parts_of(*ran)
    task = with_stages(ran[0], {})
    assert take_apart(version, files, task, data, parts.test) is None


def test_a_stage_that_gives_no_column_is_refused_in_words(ran: tuple[Workspace, str]) -> None:
    version, files, data, parts = parts_of(*ran)
    task = with_stages(ran[0], {"reading": {"amount_raed": "amount"}})
    with pytest.raises(DataError, match="'amount_raed', which is not a column"):
        take_apart(version, files, task, data, parts.test)


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ('{ a = { x = "x" } }', "no stage's output"),
        ('{ a = { x = "y" }, b = { y = "z" } }', "no stage's output"),
        ("{ a = {} }", "stages, each with its columns"),
        ('{ a = "x" }', "stages, each with its columns"),
    ],
)
def test_faults_of_stages_are_told(ran: tuple[Workspace, str], stages: str, said: str) -> None:
    text = ran[0].task_file("invoices").read_text().replace(STAGES, f"stages = {stages}")
    with pytest.raises(TaskFileError, match=said):
        parse_task(text)


def pipeline() -> Pipeline:
    """A model whose first step fills missing amounts with the mean."""
    old = invented(seed=9)
    prepare = make_column_transformer(
        (SimpleImputer(), ["amount_read"]), (OneHotEncoder(), ["country_found"]), verbose_feature_names_out=False
    )
    made = Pipeline(
        [("prepare", prepare), ("scale", StandardScaler(with_mean=False)), ("decide", LogisticRegression())]
    )
    return made.fit(old.select(amount_read="amount", country_found="country").to_pandas(), old["pay"].to_list())


def with_holes() -> pl.DataFrame:
    """Every fifth amount is missing, so that the first step is off there."""
    rows = invented(seed=1)
    holes = pl.int_range(N, eager=True) % 5 == 0
    return rows.with_columns(amount_read=pl.when(holes).then(None).otherwise(pl.col("amount"))).drop(
        "rate", "rate_used"
    )


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    place = tmp_path_factory.mktemp("adopted")
    skops.io.dump(pipeline(), place / "model.skops")
    source = place / "invoices.parquet"
    with_holes().write_parquet(source)
    file = understudy.init(source, target="pay", name="invoices", workspace=place, time="none")
    stages = 'stages = { prepare = { amount_read = "amount" }, finding = { country_found = "country" } }'
    file.write_text(file.read_text().replace("stages = {}", stages, 1))
    understudy.adopt(str(place / "model.skops"), source, task="invoices", workspace=place)
    return open_workspace(place), str(source)


def test_a_step_of_an_adopted_pipeline_is_a_stage(adopted: tuple[Workspace, str]) -> None:
    version, files, data, parts = parts_of(*adopted)
    found = take_apart(version, files, adopted[0].read_task("invoices"), data, parts.test)
    assert found is not None
    assert found.ranked[0].name == "prepare"
    holes = data.source[parts.test]["amount_read"].is_null()
    assert found.ranked[0].differs == pytest.approx(holes.mean())
    assert [one.subject for one in stage_actions(found)] == ["prepare"]
    frame, y = data.frame[parts.test], data.answers.y[parts.test]
    mended = frame.with_columns(amount_read=data.source[parts.test]["amount"])  # the step leaves what is known as it is
    as_is, true = ((version.scorer.frame(one).argmax(axis=1) != y).mean() for one in (frame, mended))
    assert found.ranked[0].alone.estimate == pytest.approx(as_is - true)
    assert found.error.estimate == pytest.approx(as_is)


def test_a_feature_that_a_step_does_not_have_is_named_with_those_that_it_has(adopted: tuple[Workspace, str]) -> None:
    version, files, data, parts = parts_of(*adopted)
    task = with_stages(adopted[0], {"prepare": {"amuont": "amount"}})
    with pytest.raises(DataError, match="'prepare' of the adopted pipeline has no output feature 'amuont'") as caught:
        take_apart(version, files, task, data, parts.test)
    assert "amount_read" in str(caught.value)


def test_the_last_step_is_the_decision_itself(adopted: tuple[Workspace, str]) -> None:
    version, files, data, parts = parts_of(*adopted)
    task = with_stages(adopted[0], {"decide": {"answer": "amount"}})
    with pytest.raises(DataError, match="not a column of the data") as caught:
        take_apart(version, files, task, data, parts.test)
    assert "prepare, scale" in str(caught.value)


def test_steps_without_feature_names_are_told_by_number() -> None:
    rows = invented()
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    X = rows.select("amount", "rate").to_numpy()
    model.fit(X, rows["pay"].to_list())
    part = flow.Pipeline(
        model, flow.Adopted(form="skops", inputs=("amount", "rate"), classes=("no", "yes"), labels=("no", "yes"))
    )
    names = part.features(0, X)
    assert names == ["x0", "x1"]
    given = part.scores(rows, {"simpleimputer": {"x0": pl.Series(X[::-1, 0])}})
    swapped = np.column_stack([X[::-1, 0], X[:, 1]])
    np.testing.assert_allclose(given, model.predict_proba(swapped))
