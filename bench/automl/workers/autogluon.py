"""AutoGluon, by one of its presets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from autogluon.tabular import TabularPredictor

from bench.automl.workers.frames import LAST, FrameModel
from bench.automl.workers.job import Job, Promise, perform

METRICS = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "root_mean_squared_error"}


@dataclass
class AutoGluon(FrameModel):
    """A predictor; it reads dates by itself."""

    libraries: ClassVar[tuple[str, ...]] = (
        "autogluon.tabular",
        "lightgbm",
        "catboost",
        "xgboost-cpu",
        "torch",
        "fastai",
        "ray",
    )

    def ready(self) -> None:
        """Keep the models in memory, as its documentation asks for where answers must be quick."""
        self.model.persist()

    def save(self) -> Path:
        """Its own copy for deployment."""
        return Path(self.model.clone_for_deployment(str(Path(self.job.place) / "deployed")))


def fit(job: Job) -> AutoGluon:
    """Fit within the seconds; told of an order, it validates on the last rows."""
    rows = pd.read_csv(job.train)
    predictor = TabularPredictor(
        label=job.target,
        eval_metric=METRICS[job.metric],
        path=str(Path(job.place) / "models"),
        verbosity=1,
        problem_type=problem(job, rows),
        learner_kwargs={"random_state": job.seed},
    )
    told: dict[str, Any] = {}
    if job.time:
        cut = round(len(rows) * (1 - LAST))
        rows, told = rows.iloc[:cut], {"tuning_data": rows.iloc[cut:], "use_bag_holdout": job.preset != "medium"}
    predictor.fit(
        rows, presets=f"{job.preset}_quality", time_limit=job.seconds, num_cpus=job.threads, num_gpus=0, **told
    )
    labels = [str(label) for label in predictor.class_labels] if job.classes else []
    notes = {"model": predictor.model_best, "models": len(predictor.model_names())}
    return AutoGluon(labels=labels, promise=promised(predictor), notes=notes, model=predictor, job=job)


def problem(job: Job, rows: Any) -> str:
    """Its word for the kind of answer."""
    if not job.classes:
        return "regression"
    return "binary" if rows[job.target].nunique() == 2 else "multiclass"


def promised(predictor: Any) -> Promise:
    """The validation score of the model that answers, or of that which it was fitted again from."""
    board = predictor.leaderboard(silent=True).set_index("model")["score_val"]
    again = {after: before for before, after in predictor.model_refit_map().items()}
    score = float(board[again.get(predictor.model_best, predictor.model_best)])
    return Promise(abs(score), where="validation score of its best model")


if __name__ == "__main__":
    perform(fit)
