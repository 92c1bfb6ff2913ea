"""CatBoost untuned: its own settings, trees counted on a fifth of the rows, then fitted on all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from catboost import CatBoostClassifier, CatBoostRegressor

from bench.automl.workers.frames import FrameModel, date_parts, held_out, read_train
from bench.automl.workers.job import Job, Promise, perform

METRICS = {"roc_auc": "AUC", "log_loss": "MultiClass", "rmse": "RMSE"}
LONG = 30
"""Words of more letters on average are text."""


@dataclass
class CatBoost(FrameModel):
    """Takes categories and text as they are, dates as numbers."""

    libraries: ClassVar[tuple[str, ...]] = ("catboost",)
    words: list[str] = field(default_factory=list)

    def prepared(self, frame: Any) -> Any:
        """The inputs with dates as numbers, and no missing words."""
        frame = date_parts(frame, self.dates)
        return frame.assign(**{name: frame[name].fillna("").astype(str) for name in self.words})

    def save(self) -> Path:
        """Its own file."""
        path = Path(self.job.place) / "model.cbm"
        self.model.save_model(str(path))
        return path


def fit(job: Job) -> CatBoost:
    """Fit twice: to count trees, and on all rows."""
    rows, dates = read_train(job)
    y, X = rows[job.target], rows.drop(columns=job.target)
    words = [str(name) for name in X.select_dtypes("object")]
    texts = [name for name in words if X[name].dropna().str.len().mean() > LONG]
    found = CatBoost(labels=[], promise=Promise(), job=job, dates=dates, words=words)
    X = found.prepared(X)
    settings = {
        "random_seed": job.seed,
        "thread_count": job.threads,
        "allow_writing_files": False,
        "verbose": False,
        "eval_metric": METRICS[job.metric],
        "cat_features": [name for name in words if name not in texts],
        "text_features": texts,
    }
    kind = CatBoostClassifier if job.classes else CatBoostRegressor
    early, late = held_out(job, y)
    trial = kind(**settings).fit(X.iloc[early], y.iloc[early], eval_set=(X.iloc[late], y.iloc[late]))
    score = float(trial.get_best_score()["validation"][METRICS[job.metric]])
    trees = trial.get_best_iteration() + 1
    found.model = kind(iterations=trees, **settings).fit(X, y)
    found.labels = [str(label) for label in found.model.classes_] if job.classes else []
    found.promise, found.notes = Promise(score, where="score on the fifth that counted the trees"), {"trees": trees}
    return found


if __name__ == "__main__":
    perform(fit)
