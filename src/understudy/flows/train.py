"""From clean rows to a trained, calibrated model and everything that is served with it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from understudy.core.errors import ModelError
from understudy.core.task import Task
from understudy.data.dirty import dirty_rows
from understudy.data.prepare import Encoding, encode, fit_encoding
from understudy.data.rows import RowReader
from understudy.data.split import Split
from understudy.flows.dataset import Dataset
from understudy.flows.folding import calibration_rows, clock_column, make_folds, views
from understudy.flows.golive import Candidate
from understudy.flows.version import MatrixScorer, SelfCheck
from understudy.models.calibrate import Head, apply_head, fit_number_head, fit_probability_head
from understudy.models.compile import compile_model, difference
from understudy.models.recipes import RECIPES, Fitted, Rows
from understudy.models.saved import save_fitted
from understudy.models.search import Found, Race, refit, search
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
    encoding, fitted, head : Encoding, Fitted, Head
        From inputs to calibrated scores.
    reference : Strangeness
        What ordinary cases look like.
    """

    found: Found
    positions: np.ndarray
    encoding: Encoding
    fitted: Fitted
    head: Head
    reference: Strangeness


def find_model(data: Dataset, task: Task, parts: Split, race: Race) -> Trained:
    """Search, refit the best on train and validation rows, calibrate it out of fold, and freeze what is ordinary."""
    clock = clock_column(task, data.frame)
    made = make_folds(data, parts, seed=race.effort.seed, clock=clock)
    found = search(made, len(parts.train), race)
    everything = np.concatenate([parts.train, parts.validation])
    encoding = fit_encoding(data.frame[everything], data.contract, clock_column=clock)
    rows = Rows(
        kind=task.decision.kind,
        n_classes=len(data.answers.labels),
        X=encode(encoding, data.frame[everything]),
        y=data.answers.y[everything],
        views=views(encoding),
        weights=data.weights_of(everything),
    )
    fitted = refit(found.best, rows, race.effort)
    scored = calibration_rows(made, len(parts.train), newest=parts.scheme == "time")
    fit_head = fit_probability_head if data.answers.labels else fit_number_head
    return Trained(
        found=found,
        positions=parts.train,
        encoding=encoding,
        fitted=fitted,
        head=fit_head(
            found.oof[scored], data.answers.y[parts.train][scored], data.weights_of(parts.train[np.flatnonzero(scored)])
        ),
        reference=fit_strangeness(
            data.frame[parts.train],
            data.frame[parts.validation],
            data.contract,
            clock_column=clock,
            held_out=data.frame[parts.beside_train],
        ),
    )


def as_candidate(trained: Trained, data: Dataset, parts: Split) -> Candidate:
    """Compile the model, compare it with itself on held-out and dirty rows, and serve it natively if they differ."""
    native = MatrixScorer(trained.encoding, lambda X: apply_head(trained.head, trained.fitted.raw(X)))
    matrix = compared_matrix(trained, data, parts)
    files = {"encoding.json": msgspec.json.encode(trained.encoding)}
    files |= {f"members/{name}": body for name, body in save_fitted(trained.fitted).items()}
    scorer, compiled, reason = native, None, ""
    try:
        model = compile_model(trained.fitted, trained.head, len(trained.encoding.features))
        session = open_session(model)
        apart = difference(
            native.run(matrix), run_session(session, matrix), kind=trained.fitted.kind, scale=trained.fitted.scale
        )
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
    best = trained.found.best
    return Candidate(
        recipe=best.recipe,
        title=RECIPES[best.recipe].title,
        params={**best.params, "rounds": best.rounds} if best.rounds else best.params,
        served="native" if reason else "onnx",
        reason=reason,
        head=trained.head,
        reference=trained.reference,
        scorer=scorer,
        files=files,
        compiled=compiled,
        leaderboard=tuple(msgspec.to_builtins(trial) for trial in trained.found.trials),
        oof=oof_table(trained, data),
        stages=("encoding", best.recipe, "calibration"),
    )


def compared_matrix(trained: Trained, data: Dataset, parts: Split) -> np.ndarray:
    """Held-out rows and rows with one dirty value each, encoded."""
    held_out = data.frame[parts.test[:COMPARED_ROWS]]
    reader = RowReader(msgspec.to_builtins(data.contract))
    dirty = [reader.read(row)[0] for row in dirty_rows(data.contract, held_out)]
    frame = pl.concat([held_out, pl.DataFrame(dirty, schema=held_out.schema, orient="row")])
    return encode(trained.encoding, frame)


def oof_table(trained: Trained, data: Dataset) -> pl.DataFrame:
    """The out-of-fold predictions, row by row of the clean data."""
    oof, labels = trained.found.oof, data.answers.labels
    names = [f"probability_{label}" for label in labels] or ["prediction"]
    columns = {"row": trained.positions, "truth": data.answers.y[trained.positions]}
    return pl.DataFrame(columns | {name: oof[:, index] for index, name in enumerate(names)})
