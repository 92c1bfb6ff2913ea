"""Adoption: a model that exists already goes on the ladder; everything after it is as in a run."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import msgspec
import numpy as np

import understudy
from understudy.core.errors import InputError, ModelError
from understudy.data.answers import label_order
from understudy.data.split import Split
from understudy.flows.adopted import Adopted, FrameScorer, Raw, open_adopted
from understudy.flows.dataset import Dataset, assemble
from understudy.flows.folding import clock_column
from understudy.flows.golive import Candidate, Occasion, RunResult, Step, Tell, go_live, parquet
from understudy.flows.propose import Told
from understudy.flows.run import contract_step, ignore, quarantine, settle_task
from understudy.flows.workspace import open_workspace
from understudy.models.calibrate import Head, fit_number_head
from understudy.models.calibration_choice import choose_head
from understudy.models.session import open_session
from understudy.monitoring.strangeness import fit_strangeness
from understudy.sources.endpoint import Endpoint, check_endpoint
from understudy.sources.tables import CsvOptions, read_table

TITLES = {
    "onnx": "Adopted ONNX model",
    "skops": "Adopted scikit-learn model",
    "scores": "Adopted column of scores",
    "endpoint": "Adopted HTTP endpoint",
}


@dataclass(frozen=True)
class Origin:
    """What is adopted, and how it is asked.

    Attributes
    ----------
    source : str
        An `.onnx` or `.skops` file, an http address, or a column of scores in the data.
    inputs : tuple of str
        The columns that it takes, in its order; by default those that it names, or all that the contract uses.
    classes : tuple of str
        Its answers in the order of its probabilities; by default those that it names, or sorted.
    endpoint : Endpoint, optional
        How an address is asked; by default as MLflow's `/invocations`.
    """

    source: str
    inputs: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    endpoint: Endpoint | None = None


def adopt(
    origin: Origin | str,
    data: str | Path,
    *,
    task: str,
    target: str | None = None,
    workspace: str | Path = ".",
    seed: int = 0,
    csv: CsvOptions = CsvOptions(),  # noqa: B008  frozen
    tell: Tell = ignore,
    **told: Unpack[Told],
) -> RunResult:
    """Put an existing model on the ladder.

    Its scores are calibrated by our own head on one part of the data and judged on another; it gets the same checks,
    the same strangeness and the same registration as a trained one. Data that it was trained on flatters it: give rows
    that it has not seen.

    Parameters
    ----------
    origin : Origin or str
        What is adopted.
    data : str or Path
        Rows with their answers, which the model has not seen.
    task : str
        The task's name.
    target : str, optional
        The column with the answer; needed where the task has no file yet.
    workspace, seed, csv, tell, **told
        As in `run`.

    Raises
    ------
    InputError
        The source or the data cannot be used.
    ModelError
        The model cannot be loaded, fails, or answers what cannot be understood.
    """
    origin = Origin(origin) if isinstance(origin, str) else origin
    work = open_workspace(workspace)
    started = work.clock.elapsed()
    table = read_table(data, csv)
    form = form_of(origin.source, table.frame.columns)
    settled = settle_task(work, table, name=task, target=target, told=told)
    if form == "scores":
        settled = msgspec.structs.replace(
            settled, decision=msgspec.structs.replace(settled.decision, use=(*settled.decision.use, origin.source))
        )
    rows = assemble(table.frame, settled, seed=seed)
    tell(contract_step(rows))
    adopted, files = inspect(origin, form, rows)
    raw = open_adopted(adopted, files)
    parts = rows.split(seed)
    candidate = as_candidate(adopted, raw, files, rows, parts, clock=clock_column(settled, rows.frame))
    tell(Step(title="calibrated", detail=TITLES[form], why="an adopted model's own confidence is not trusted"))
    occasion = Occasion(
        source=Path(data).name,
        snapshot=work.artifacts.put(parquet(rows.source)),
        rows_read=table.frame.height,
        rejected=quarantine(work, settled, rows),
        started=started,
        seed=seed,
        actor=getpass.getuser(),
        tell=tell,
    )
    return go_live(work, settled, rows, parts, candidate, occasion)


def form_of(source: str, columns: list[str]) -> str:
    """What kind of thing is adopted.

    Raises
    ------
    InputError
        It is none of the four.
    """
    if source.startswith(("http://", "https://")):
        return "endpoint"
    if source in columns:
        return "scores"
    ending = Path(source).suffix
    if ending in (".onnx", ".skops"):
        if not Path(source).is_file():
            raise InputError(f"There is no file {source}.")
        return ending[1:]
    if ending in (".pkl", ".pickle", ".joblib"):
        raise InputError(
            f"{source} is a pickle, which runs code of whoever made it when it is loaded, and is not adopted.",
            hint="Load it where you trust it and save it with skops.io.dump(model, 'model.skops').",
        )
    raise InputError(
        f"{source!r} is no .onnx or .skops file, no http address and no column of the data.",
        hint=f"The columns are: {', '.join(columns[:30])}.",
    )


def inspect(origin: Origin, form: str, data: Dataset) -> tuple[Adopted, dict[str, bytes]]:
    """What the adopted model takes and answers, and its files."""
    labels = data.answers.labels
    used = tuple(column.name for column in data.contract.used)
    files: dict[str, bytes] = {}
    inputs, classes = used, tuple(sorted(labels, key=label_order))
    if form in ("onnx", "skops"):
        files[f"model.{form}"] = Path(origin.source).read_bytes()
        named, own = described(form, files[f"model.{form}"], used)
        inputs, classes = named or inputs, own or classes
    elif form == "scores":
        inputs = (origin.source,)
        check_scores(origin.source, data)
    endpoint = None
    if form == "endpoint":
        endpoint = origin.endpoint or Endpoint(url=origin.source)
        check_endpoint(endpoint)
    adopted = Adopted(
        form=form,  # type: ignore[arg-type]
        inputs=origin.inputs or inputs,
        classes=(origin.classes or classes) if labels else (),
        labels=labels,
        endpoint=endpoint,
    )
    check_fits(adopted, used)
    return adopted, files | {"adopted.json": msgspec.json.encode(adopted)}


def check_scores(name: str, data: Dataset) -> None:
    """A column of scores is there in every row, and between 0 and 1 where it stands for a probability."""
    column = next((column for column in data.contract.used if column.name == name), None)
    if column is None or column.low is None or column.high is None or column.nullable:
        raise InputError(f"The column {name!r} is no score: it must be a number that varies and is never missing.")
    if data.answers.labels and not 0 <= column.low <= column.high <= 1:
        raise InputError(
            f"The scores in {name!r} go from {column.low:g} to {column.high:g}, and are no probabilities.",
            hint="Give a column between 0 and 1, for example the score divided by its maximum.",
        )


def described(form: str, model: bytes, used: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The inputs and classes that a model names by itself; empty where it does not."""
    if form == "skops":
        loaded = understudy.load_skops(model)
        names = tuple(str(name) for name in getattr(loaded, "feature_names_in_", ()))
        classes = tuple(class_name(value) for value in getattr(loaded, "classes_", ()))
        return names, classes
    inputs = [one.name for one in open_session(model).get_inputs()]
    return (tuple(inputs) if len(inputs) > 1 or inputs[0] in used else ()), ()


def class_name(value: object) -> str:
    """A class as the word that the task knows it by."""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def check_fits(adopted: Adopted, used: tuple[str, ...]) -> None:
    """The model's inputs are columns of the contract, and its classes the task's answers."""
    absent = [name for name in adopted.inputs if name not in used]
    if absent:
        raise InputError(
            f"The adopted model takes {', '.join(absent)}, which the contract does not use.",
            hint="Name them in `use` of the task file, or say the model's columns in order with --inputs.",
        )
    if set(adopted.classes) != set(adopted.labels):
        raise InputError(
            f"The adopted model answers {', '.join(adopted.classes)}, but the task's answers are "
            f"{', '.join(adopted.labels)}.",
            hint="Say its answers in the order of its probabilities with --classes.",
        )


def as_candidate(
    adopted: Adopted, raw: Raw, files: dict[str, bytes], data: Dataset, parts: Split, *, clock: str | None
) -> Candidate:
    """The adopted model with a head of our own, calibrated on rows that do not judge it."""
    rows = np.concatenate([parts.train, parts.validation])
    scores = raw(data.frame[rows])
    if len(scores) != len(rows):
        raise ModelError(f"The adopted model answered {len(scores)} predictions for {len(rows)} rows.")
    fit = choose_head if adopted.labels else fit_number_head
    head: Head = fit(scores, data.answers.y[rows])
    return Candidate(
        recipe=f"adopted-{adopted.form}",
        title=TITLES[adopted.form],
        params={},
        served="native",
        reason="it was adopted",
        head=head,
        reference=fit_strangeness(
            data.frame[parts.train],
            data.frame[parts.validation],
            data.contract,
            clock_column=clock,
            held_out=data.frame[parts.beside_train],
        ),
        scorer=FrameScorer(raw, head, data.frame.schema),
        files=files,
        compiled=None,
        leaderboard=(),
        oof=None,
        stages=(adopted.form, "calibration"),
        compared=20 if adopted.form == "endpoint" else 300,
    )
