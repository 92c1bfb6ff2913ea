"""Tables of unusual shapes, from a file to a version."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import understudy
from understudy.core.errors import DataError
from understudy.data.split import split
from understudy.flows.golive import RunResult
from understudy.flows.models import read_report

RNG = np.random.default_rng(0)
WORDS = ("bag", "stolen", "station", "window", "broke", "storm", "last", "night", "nobody", "saw", "who", "did")


def learn(tmp_path: Path, table: pl.DataFrame, trials: int = 1, **told: object) -> RunResult:
    """What a short run on a table comes to."""
    table.write_csv(tmp_path / "t.csv")
    return understudy.run(  # type: ignore[misc]
        tmp_path / "t.csv", target="y", workspace=tmp_path / "w", budget=understudy.Budget(trials=trials), **told
    )


def answers(signal: np.ndarray, share: float = 0.5) -> np.ndarray:
    """Words that follow a signal with some noise, the rarer one for so many of the rows."""
    noisy = signal + RNG.normal(0, 0.5, len(signal))
    return np.where(noisy > np.quantile(noisy, 1 - share), "yes", "no")


def texts(n: int, words: int = 9) -> list[str]:
    return [" ".join(RNG.choice(WORDS, words)) for _ in range(n)]


def sound(result: RunResult, metric: str = "roc_auc") -> None:
    """It ends with a version, a hold-out figure beside the search's own, and a verdict on every check."""
    assert result.model.version
    assert all(check.verdict in ("pass", "warn", "fail") for check in result.checks)
    assert result.expectation is not None
    assert result.expectation.held_out == result.metrics[result.expectation.metric]
    assert metric in result.metrics


def test_200_rows(tmp_path: Path) -> None:
    x = RNG.normal(size=200)
    result = learn(tmp_path, pl.DataFrame({"x": x, "z": RNG.normal(size=200), "y": answers(x)}), trials=2)
    sound(result)
    assert result.expectation is not None
    assert result.expectation.corrected is not None
    assert result.metrics["roc_auc"].upper > 0.7


def test_500_columns(tmp_path: Path) -> None:
    X = RNG.normal(size=(300, 500)).round(4)
    table = pl.DataFrame({f"c{k}": X[:, k] for k in range(500)}).with_columns(y=pl.Series(answers(X[:, 7])))
    result = learn(tmp_path, table)
    sound(result)
    assert len(understudy.load("t", workspace=tmp_path / "w").contract.used) == 500


def test_50_classes(tmp_path: Path) -> None:
    label = RNG.integers(0, 50, 1500)
    table = pl.DataFrame({"a": label % 10 + RNG.normal(0, 0.2, 1500), "b": label // 10 + RNG.normal(0, 0.2, 1500)})
    result = learn(tmp_path, table.with_columns(y=pl.Series([f"team {k}" for k in label])), recipes=("bayes",))
    sound(result, "accuracy")
    assert result.metrics["accuracy"].estimate > 0.5


def test_995_of_1000_alike(tmp_path: Path) -> None:
    x = RNG.normal(size=4000)
    result = learn(tmp_path, pl.DataFrame({"x": x, "z": RNG.normal(size=4000), "y": answers(x, 0.005)}))
    sound(result, "pr_auc")
    assert result.metrics["roc_auc"].estimate > 0.8


def test_only_categories_whose_rows_repeat_by_chance_and_stay_where_they_fall(tmp_path: Path) -> None:
    table = pl.DataFrame({f"c{k}": RNG.choice(list("abcd"), 800) for k in range(4)})
    signal = (table["c0"] == "a").to_numpy() * 2.0 + (table["c1"] == "b").to_numpy()
    result = learn(tmp_path, table.with_columns(y=pl.Series(answers(signal))))
    sound(result)
    assert not any("repeat" in note for note in result.notes)


def test_only_texts(tmp_path: Path) -> None:
    said, more = texts(500), texts(500)
    signal = np.array([text.count("stolen") + text.count("storm") for text in said], dtype=float)
    result = learn(tmp_path, pl.DataFrame({"said": said, "more": more, "y": answers(signal)}))
    sound(result)
    assert {column.kind for column in understudy.load("t", workspace=tmp_path / "w").contract.used} == {"text"}


def test_nine_of_ten_values_missing(tmp_path: Path) -> None:
    X = RNG.normal(size=(900, 8))
    y = answers(X[:, 0], 0.4)
    columns = {f"c{k}": [None if RNG.random() < 0.9 else v for v in X[:, k]] for k in range(8)}
    table = pl.DataFrame({**columns, "never": [None] * 900, "word": RNG.choice(["", "NA", "red"], 900), "y": y})
    result = learn(tmp_path, table)
    sound(result)
    assert result.quarantined == 0


@pytest.mark.parametrize(("value", "said"), [("yes", "always 'yes'"), ("", "never there")])
def test_a_constant_answer_is_refused_with_a_way_out(tmp_path: Path, value: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        learn(tmp_path, pl.DataFrame({"x": range(100), "y": [value] * 100}))
    assert "Choose another target" in str(caught.value)
    assert not (tmp_path / "w" / "tasks" / "t.toml").exists()


def test_copied_rows_are_found_told_and_kept_on_one_side_of_the_split(tmp_path: Path) -> None:
    x, z = RNG.normal(size=400), RNG.normal(size=400)
    table = pl.DataFrame({"x": x, "z": z, "y": answers(x)})
    result = learn(tmp_path, pl.concat([table, table[:100]]).sample(fraction=1.0, shuffle=True, seed=1))
    sound(result)
    assert result.notes == ("100 rows repeat another: each is kept on one side of every split",)
    rows = read_report("t", workspace=tmp_path / "w").rows
    written = pl.read_csv(tmp_path / "t.csv")
    codes = written.select("x", "z").hash_rows().to_numpy()
    labels = (written["y"] == "yes").to_numpy().astype(int)
    parts = split(500, strata=labels, copies=codes, seed=0)
    assert rows["test"] == len(parts.test)
    assert "cluster bootstrap" in result.metrics["roc_auc"].method


def test_a_date_that_nobody_named_is_used_and_said(tmp_path: Path) -> None:
    x = RNG.normal(size=500)
    day = (np.datetime64("2024-01-01") + np.arange(500) // 3).astype(str)
    result = learn(tmp_path, pl.DataFrame({"day": day, "x": x, "y": answers(x)}))
    sound(result)
    assert result.notes[-1] == "judged on rows that came after those it learned from (time = 'day')"
    assert read_report("t", workspace=tmp_path / "w").scheme == "time"
    assert 'time = "day"  # ' in (tmp_path / "w" / "tasks" / "t.toml").read_text()
    off = learn(tmp_path, pl.DataFrame({"day": day, "x": x, "y": answers(x)}), name="off", time="none")
    assert off.notes == ()
    assert read_report("off", workspace=tmp_path / "w").scheme == "stratified"
