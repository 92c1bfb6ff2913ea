"""Numbers too far off are counted against the tail that the middle of the residuals foretells."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from evidence.promises import kept
from understudy.evaluation import label_numbers
from understudy.evaluation.label_numbers import NumberErrors, find_number_errors, suspected_numbers

Noise = Callable[[np.random.Generator, int], np.ndarray]


def table(seed: int, noise: Noise, n: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Numbers whose spread grows with the prediction."""
    rng = np.random.default_rng(seed)
    predicted = rng.uniform(0, 10, n)
    return predicted + (1 + predicted / 3) * noise(rng, n), predicted


NOISES: dict[str, Noise] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy": lambda rng, n: rng.standard_t(4, n),
    "very heavy": lambda rng, n: rng.standard_t(2, n),
    "light": lambda rng, n: rng.uniform(-1, 1, n),
}


@pytest.mark.parametrize("noise", NOISES)
def test_usual_errors_are_no_wrong_numbers_however_heavy_their_tail(noise: str) -> None:
    false = [find_number_errors(*table(seed, NOISES[noise])).significant for seed in range(100)]
    assert kept(np.array(false), 0.05)


def test_a_tail_that_is_taken_for_normal_would_raise_false_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_numbers, "freedom_of", lambda heavy: 200.0)
    false = [find_number_errors(*table(seed, NOISES["heavy"])).significant for seed in range(40)]
    assert not kept(np.array(false), 0.05)


def test_planted_numbers_are_found_and_first() -> None:
    y, predicted = table(1, NOISES["normal"])
    wrong = np.random.default_rng(1).choice(2000, 40, replace=False)
    y[wrong] += 40
    found, rows = find_number_errors(y, predicted), suspected_numbers(y, predicted)
    assert found.significant
    assert found.wrong.lower <= 0.02 <= found.wrong.upper + 0.002
    assert rows.height == found.suspects
    assert np.isin(rows["row"].to_numpy(), wrong).mean() >= 0.9
    assert np.isin(wrong, rows["row"].to_numpy()).mean() >= 0.95
    assert rows["times"].abs().is_sorted(descending=True)
    assert "may be recorded wrongly" in found.sentence


def test_rows_without_a_prediction_are_left_out() -> None:
    y, predicted = table(2, NOISES["normal"])
    predicted[:500] = np.nan
    found = find_number_errors(y, predicted)
    assert (found.rows, found.unknown) == (1500, 500)
    assert not suspected_numbers(y, predicted)["row"].is_in(range(500)).any()


def test_numbers_that_are_mostly_exact_do_not_fail() -> None:
    predicted = np.arange(400) / 10
    y = predicted.copy()
    y[:3] += 5
    found = find_number_errors(y, predicted)
    assert np.isfinite([found.cut, found.wrong.lower, found.wrong.upper]).all()


def test_few_numbers_and_odd_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="from 200 on"):
        find_number_errors(np.zeros(199), np.zeros(199))
    with pytest.raises(ValueError, match="a prediction for each number"):
        find_number_errors(np.zeros(300), np.zeros(299))


def test_it_survives_json() -> None:
    found = find_number_errors(*table(3, NOISES["normal"]))
    assert msgspec.json.decode(msgspec.json.encode(found), type=NumberErrors) == found
