"""LightGBM untuned: its own settings, trees counted on a fifth of the rows, then fitted on all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor, early_stopping

from bench.automl.workers.frames import FrameModel, date_parts, held_out, read_train
from bench.automl.workers.job import Job, Promise, perform

METRICS = {"roc_auc": "auc", "log_loss": "multi_logloss", "rmse": "rmse"}
MOST_TREES, PATIENCE = 1000, 50


@dataclass
class LightGbm(FrameModel):
    """Takes words as categories, dates as numbers; it has no way to read text."""

    libraries: ClassVar[tuple[str, ...]] = ("lightgbm",)
    levels: dict[str, Any] = field(default_factory=dict)

    def prepared(self, frame: Any) -> Any:
        """The inputs with words as categories and dates as numbers."""
        frame = date_parts(frame, self.dates)
        return frame.assign(**{name: pd.Categorical(frame[name], levels) for name, levels in self.levels.items()})

    def save(self) -> Path:
        """Its own file."""
        path = Path(self.job.place) / "model.txt"
        self.model.booster_.save_model(str(path))
        return path


def fit(job: Job) -> LightGbm:
    """Fit twice: to count trees, and on all rows."""
    rows, dates = read_train(job)
    y, X = rows[job.target], rows.drop(columns=job.target)
    levels = {str(name): sorted(X[name].dropna().unique()) for name in X.select_dtypes("object")}
    found = LightGbm(labels=[], promise=Promise(), job=job, dates=dates, levels=levels)
    X = found.prepared(X)
    settings = {"random_state": job.seed, "n_jobs": job.threads, "verbose": -1}
    kind = LGBMClassifier if job.classes else LGBMRegressor
    early, late = held_out(job, y)
    trial = kind(n_estimators=MOST_TREES, **settings).fit(
        X.iloc[early],
        y.iloc[early],
        eval_set=[(X.iloc[late], y.iloc[late])],
        eval_metric=METRICS[job.metric],
        callbacks=[early_stopping(PATIENCE, first_metric_only=True, verbose=False)],
    )
    trees = trial.best_iteration_ or MOST_TREES
    found.model = kind(n_estimators=trees, **settings).fit(X, y)
    found.labels = [str(label) for label in found.model.classes_] if job.classes else []
    score = float(trial.best_score_["valid_0"][METRICS[job.metric]])
    found.promise, found.notes = Promise(score, where="score on the fifth that counted the trees"), {"trees": trees}
    return found


if __name__ == "__main__":
    perform(fit)
