"""Every trial in MLflow, where `MLFLOW_TRACKING_URI` says that somebody wants it there."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from understudy.core.errors import InputError
from understudy.core.extras import require
from understudy.flows.golive import Step, Tell
from understudy.flows.runs import Wanted
from understudy.models.search import Trial

VARIABLE = "MLFLOW_TRACKING_URI"
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
PATIENCE = 60.0
"""The seconds that MLflow has at the end for what is still to be written."""

MOST_TEXT = 500
"""MLflow refuses longer values."""

Told = Callable[[Trial], None]


@contextmanager
def tracked(task: str, wanted: Wanted, tell_trial: Told, *, tell: Tell) -> Iterator[Told]:
    """Who is told of every trial: `tell_trial` alone, or MLflow as well.

    The search is a run of the experiment `understudy/TASK`, and each trial a run beneath it, with its settings, loss
    and seconds. They are written beside the search, which does not wait for them.

    Raises
    ------
    InputError
        MLflow cannot be reached at the address that the variable names.
    MissingExtraError
        It is not installed.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        yield tell_trial
        return
    log = TrialLog(address, task, wanted)

    def both(trial: Trial) -> None:
        tell_trial(trial)
        log.add(trial)

    try:
        yield both
    finally:
        trouble = log.close()
        if trouble:
            tell(Step(title="not all in MLflow", detail=trouble))


class TrialLog:
    """Writes trials to MLflow from a thread of its own, in the order in which they ended."""

    def __init__(self, address: str, task: str, wanted: Wanted) -> None:
        mlflow = require("mlflow", extra="mlflow")
        self._entities = require("mlflow.entities", extra="mlflow")
        try:
            self._client = mlflow.MlflowClient(address)
            self._experiment = experiment_of(self._client, f"understudy/{task}")
            self._run = self._client.create_run(self._experiment, run_name=task).info.run_id
            self._write(self._run, msgspec.to_builtins(wanted), {})
        except mlflow.exceptions.MlflowException as error:
            raise InputError(
                f"MLflow cannot be used at {address}: {error}",
                hint=f"Unset {VARIABLE} to go without it, or mend the address.",
            ) from error
        self._trouble = ""
        self._waiting: queue.SimpleQueue[Trial | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, daemon=True)
        self._thread.start()

    def add(self, trial: Trial) -> None:
        """Have a trial written."""
        self._waiting.put(trial)

    def close(self) -> str:
        """Wait for what is still to be written, and say what went wrong; empty where nothing did."""
        self._waiting.put(None)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            return f"it took longer than {PATIENCE:.0f} s to write what was left"
        return self._trouble

    def _write_all(self) -> None:
        try:
            while (trial := self._waiting.get()) is not None:
                self._write_trial(trial)
            self._client.set_terminated(self._run)
        except Exception as error:  # whatever a server or its client raises costs its own log only
            self._trouble = f"{type(error).__name__}: {error}"

    def _write_trial(self, trial: Trial) -> None:
        run = self._client.create_run(
            self._experiment,
            tags={"mlflow.parentRunId": self._run, "stage": trial.stage, "state": trial.state, "error": trial.error},
            run_name=f"{trial.number} {trial.recipe}",
        ).info.run_id
        measured = {"seconds": trial.seconds} | ({} if trial.score is None else {"loss": trial.score})
        measured |= {f"loss_fold_{fold}": loss for fold, loss in enumerate(trial.fold_scores)}
        self._write(run, {"recipe": trial.recipe, **trial.params}, measured)
        self._client.set_terminated(run, STATUS.get(trial.state, "FINISHED"))

    def _write(self, run: str, params: dict[str, Any], metrics: dict[str, float]) -> None:
        self._client.log_batch(
            run,
            metrics=[self._entities.Metric(name, value, 0, 0) for name, value in metrics.items()],
            params=[self._entities.Param(name, str(value)[:MOST_TEXT]) for name, value in params.items()],
        )


def experiment_of(client: Any, name: str) -> str:
    """The number of the experiment with this name, which is made where it is not there."""
    found = client.get_experiment_by_name(name)
    number: str = client.create_experiment(name) if found is None else found.experiment_id
    return number
