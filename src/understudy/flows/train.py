"""From clean rows to a trained, calibrated model and everything that is served with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import polars as pl

from understudy.core.errors import ModelError
from understudy.core.task import Task
from understudy.data.dirty import dirty_rows
from understudy.data.prepare import Encoding, encode, fit_encoding
from understudy.data.rows import RowReader
from understudy.data.split import Split
from understudy.flows.blending import Judge, Settled, settle
from understudy.flows.dataset import Dataset
from understudy.flows.expected import Expected, expect
from understudy.flows.folding import (
    calibration_rows,
    clock_column,
    find_scheme,
    make_folds,
    rows_of,
    weights_in_time,
)
from understudy.flows.golive import Candidate, Step
from understudy.flows.version import BLEND, MatrixScorer, SelfCheck
from understudy.models.blend import Blend, blend_title
from understudy.models.calibrate import Head, apply_head, fit_number_head
from understudy.models.calibration_choice import choose_head
from understudy.models.compile import compile_model, difference
from understudy.models.saved import save_blend
from understudy.models.schemes import Chosen
from understudy.models.search import Fold, Found, Race, search
from understudy.models.selection import blended
from understudy.models.session import open_session, run_session
from understudy.monitoring.strangeness import Strangeness, fit_strangeness

COMPARED_ROWS = 2000
SELF_CHECK_ROWS = 16


@dataclass(frozen=True)
class Trained:
    """The model that a search found, fitted on all training rows, with its calibration and its reference.

    Attributes
    ----------
    found : Found
        The search: every trial, the best one, and its out-of-fold predictions.
    positions : ndarray of int64
        The rows of the dataset that the out-of-fold predictions belong to.
    folds : ndarray of int64
        The fold that predicted each of them; -1 where none did.
    settled : Settled
        The members that serve, with the weights of their trials.
    encoding, head : Encoding, Head
        From inputs to the matrix, and from raw to calibrated scores.
    reference : Strangeness
        What ordinary cases look like.
    chosen : Chosen
        How it learned from rows that come in time.
    expected : Expected
        What the search expects of it.
    """

    found: Found
    positions: np.ndarray
    folds: np.ndarray
    settled: Settled
    encoding: Encoding
    head: Head
    reference: Strangeness
    chosen: Chosen
    expected: Expected

    @property
    def blend(self) -> Blend:
        """The members that serve."""
        return self.settled.blend


def find_model(data: Dataset, task: Task, parts: Split, race: Race) -> Trained:
    """Search, refit what was chosen on train and validation rows, calibrate it out of fold, freeze what is ordinary."""
    clock = clock_column(task, data.frame)
    chosen = find_scheme(data, parts, effort=race.effort, clock=clock)
    made = make_folds(data, parts, seed=race.effort.seed, clock=clock, scheme=chosen.scheme)
    everything = np.concatenate([parts.train, parts.validation])
    encoding = fit_encoding(data.frame[everything], data.contract, clock_column=clock)
    rows = replace(rows_of(data, encoding, everything), weights=weights_in_time(data, everything, chosen.scheme))
    judge = Judge(data.answers.y[parts.train], data.weights_of(parts.train))
    reference = fit_strangeness(
        data.frame[parts.train],
        data.frame[parts.validation],
        data.contract,
        clock_column=clock,
        held_out=data.frame[parts.beside_train],
    )
    found = search(made, len(parts.train), race)  # after all that can be done before: it leaves time for the refit only
    settled = settle(found, rows, judge, race)
    oof = blended_oof(found, settled)
    scored = calibration_rows(made, len(parts.train)) & np.isfinite(oof).all(axis=1)
    fit_head = choose_head if data.answers.labels else fit_number_head
    head = fit_head(oof[scored], judge.y[scored], data.weights_of(parts.train[np.flatnonzero(scored)]))
    return Trained(
        found=found,
        positions=parts.train,
        folds=fold_of_each(made, len(parts.train)),
        settled=settled,
        encoding=encoding,
        head=head,
        reference=reference,
        chosen=chosen,
        expected=expect(data, task, parts, found, settled.weights, head, seed=race.effort.seed),
    )


def fold_of_each(made: tuple[Fold, ...], n: int) -> np.ndarray:
    """The number of the fold that predicts each of n training rows; -1 where none does."""
    found = np.full(n, -1, dtype=np.int64)
    for number, fold in enumerate(made):
        found[fold.positions] = number
    return found


def blended_oof(found: Found, settled: Settled) -> np.ndarray:
    """What the members that serve said together of rows that they had not seen, of shape (n, k) or (n, 1)."""
    stack = np.stack([found.stack[number] for number in settled.weights])
    return blended(stack, np.array([*settled.weights.values()]))


def as_candidate(trained: Trained, data: Dataset, parts: Split) -> Candidate:
    """Compile the model, compare it with itself on held-out and dirty rows, and serve it natively if they differ."""
    blend = trained.blend
    native = MatrixScorer(trained.encoding, lambda X: apply_head(trained.head, blend.raw(X)))
    matrix = compared_matrix(trained, data, parts)
    files = {"encoding.json": msgspec.json.encode(trained.encoding)}
    files |= {f"members/{name}": body for name, body in save_blend(blend).items()}
    scorer, compiled, reason = native, None, ""
    try:
        model = compile_model(blend, trained.head, len(trained.encoding.features))
        session = open_session(model)
        apart = difference(native.run(matrix), run_session(session, matrix), kind=blend.kind, scale=blend.scale)
        if apart.agrees:
            files["model.onnx"] = model
            scorer = MatrixScorer(trained.encoding, lambda X: run_session(session, X))
            compiled = apart.largest
        else:
            reason = f"compiled it differs by {apart.largest:.2g} on {apart.rows:,} rows"
    except ModelError as error:
        reason = error.message
    check = matrix[:: max(1, len(matrix) // SELF_CHECK_ROWS)][:SELF_CHECK_ROWS]
    files["selfcheck.json"] = msgspec.json.encode(SelfCheck(X=check.tolist(), scores=scorer.run(check).tolist()))
    recipe, params = settings(trained)
    return Candidate(
        recipe=recipe,
        title=blend_title(blend),
        params=params,
        served="native" if reason else "onnx",
        reason=reason,
        head=trained.head,
        reference=trained.reference,
        scorer=scorer,
        files=files,
        compiled=compiled,
        leaderboard=leaderboard(trained),
        oof=oof_table(trained, data),
        stages=("encoding", recipe, "calibration"),
        learning=msgspec.to_builtins(trained.chosen.scheme) if parts.scheme == "time" else {},
        expected=trained.expected,
        notes=(trained.settled.note,) if trained.settled.note else (),
    )


def settings(trained: Trained) -> tuple[str, dict[str, Any]]:
    """The recipe and its settings; of a blend, those of each member with its weight, the heaviest first."""
    trials = {trial.number: trial for trial in trained.found.trials}
    weights = trained.settled.weights
    made = [trials[number] for number in sorted(weights, key=lambda number: (-weights[number], number))]
    every = [trial.params | ({"rounds": trial.rounds} if trial.rounds else {}) for trial in made]
    if len(made) == 1:
        return made[0].recipe, every[0]
    members = [
        {"recipe": trial.recipe, "weight": round(weights[trial.number], 4), "params": params}
        for trial, params in zip(made, every, strict=True)
    ]
    return BLEND, {"members": members}


def leaderboard(trained: Trained) -> tuple[dict[str, Any], ...]:
    """Every trial, with its weight in the answer."""
    weights = trained.settled.weights
    return tuple(
        msgspec.to_builtins(trial) | {"weight": weights.get(trial.number, 0.0)} for trial in trained.found.trials
    )


def blend_step(trained: Trained) -> Step:
    """What the answer is made of, for whoever watches, and how it is calibrated."""
    head, settled = trained.head, trained.settled
    parts = [blend_title(settled.blend)]
    if settled.blend.n_classes:
        parts.append("not calibrated: it is as good without" if head.method == "none" else f"calibrated: {head.method}")
    return Step(title="settled", detail="; ".join(parts), why=settled.note)


def compared_matrix(trained: Trained, data: Dataset, parts: Split) -> np.ndarray:
    """Held-out rows and rows with one dirty value each, encoded."""
    held_out = data.frame[parts.test[:COMPARED_ROWS]]
    reader = RowReader(msgspec.to_builtins(data.contract))
    dirty = [reader.read(row)[0] for row in dirty_rows(data.contract, held_out)]
    frame = pl.concat([held_out, pl.DataFrame(dirty, schema=held_out.schema, orient="row")])
    return encode(trained.encoding, frame)


def oof_table(trained: Trained, data: Dataset) -> pl.DataFrame:
    """The out-of-fold predictions, row by row of the clean data."""
    oof, labels = blended_oof(trained.found, trained.settled), data.answers.labels
    names = [f"probability_{label}" for label in labels] or ["prediction"]
    columns = {"row": trained.positions, "truth": data.answers.y[trained.positions], "fold": trained.folds}
    return pl.DataFrame(columns | {name: oof[:, index] for index, name in enumerate(names)})
