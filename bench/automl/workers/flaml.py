"""FLAML, as it comes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from flaml import AutoML

from bench.automl.workers.frames import FrameModel, read_train
from bench.automl.workers.job import Job, Promise, perform


@dataclass
class Flaml(FrameModel):
    """What its search came to; it takes dates as dates."""

    libraries: ClassVar[tuple[str, ...]] = ("flaml", "lightgbm", "catboost", "xgboost", "scikit-learn")

    def save(self) -> Path:
        """Its own pickle."""
        path = Path(self.job.place) / "model.pkl"
        self.model.pickle(str(path))
        return path


def fit(job: Job) -> Flaml:
    """Fit within the seconds; told of an order, it validates by time."""
    rows, dates = read_train(job)
    automl = AutoML()
    told: dict[str, Any] = {"split_type": "time"} if job.time else {}
    automl.fit(
        dataframe=rows,
        label=job.target,
        task=job.kind,
        metric=job.metric,
        time_budget=job.seconds,
        n_jobs=job.threads,
        seed=job.seed,
        verbose=0,
        log_file_name=str(Path(job.place) / "flaml.log"),
        **told,
    )
    if automl.model is None:
        raise RuntimeError("it found no model in its seconds")
    labels = [str(label) for label in automl.classes_] if job.classes else []
    loss = float(automl.best_loss)
    promise = Promise(1 - loss if job.metric == "roc_auc" else loss, where="loss of its best trial")
    notes = {"model": automl.best_estimator}
    return Flaml(labels=labels, promise=promise, notes=notes, model=automl, job=job, dates=dates)


if __name__ == "__main__":
    perform(fit)
