"""What a version does, where a person can read it: its rules, its tree, or its weights and how sure they are."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from understudy.core.errors import ModelError, StoreError
from understudy.core.evidence import Evidence
from understudy.core.nouns import Kind
from understudy.core.task import Task
from understudy.core.task_file import parse_task
from understudy.data.contract import Contract
from understudy.data.prepare import Encoding, encode
from understudy.data.reading import read_frame
from understudy.flows.dataset import assemble
from understudy.flows.folding import views
from understudy.flows.version import Manifest
from understudy.flows.workspace import Workspace, open_workspace
from understudy.models.blend import Blend, blend_title
from understudy.models.describe import describe as in_words
from understudy.models.describe import step_words
from understudy.models.odds import Effect, effects
from understudy.models.recipes import RECIPES, Fitted, Rows
from understudy.models.saved import load_blend
from understudy.store.registry import find_version
from understudy.store.tasks import read_task

SELECTING = ("lasso", "elastic_net")
"""Recipes that choose features: their effects need rows that did not choose."""


class NamedEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What one more of something is worth; see `Effect`."""

    name: str
    state: str
    weight: float
    effect: Evidence | None = None


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A version in words.

    Attributes
    ----------
    task, version, kind, recipe : str
    text : str
        Its rules, its tree or its weights.
    effects : tuple of NamedEffect
        For a linear model of two answers the factors by which the odds are multiplied, for one of numbers what is
        added; empty for others. Of a blend they are those of its heaviest linear member, by itself.
    rows : int
        On how many rows the effects were estimated.
    note : str
        Why there are no effects, where there could be some.
    """

    task: str
    version: str
    kind: Kind
    recipe: str
    text: str
    effects: tuple[NamedEffect, ...] = ()
    rows: int = 0
    note: str = ""


def describe(task: str, *, version: str = "latest", workspace: str | Path = ".") -> Description:
    """Say what a version does, in words.

    Parameters
    ----------
    task : str
    version : str
        A digest, the beginning of it, `latest` or `champion`.
    workspace : str or Path

    Raises
    ------
    NotFoundError
        There is no such version.
    ModelError
        It is not one that a person can read.
    """
    work = open_workspace(workspace)
    with work.store.reading() as connection:
        known = read_task(connection, task)
        record = find_version(connection, known.number, version)
    manifest = msgspec.json.decode(work.artifacts.get(record.version), type=Manifest)
    files = {name: work.artifacts.get(body) for name, body in manifest.files.items() if name != "model.onnx"}
    if "encoding.json" not in files:
        raise ModelError(f"Version {record.version[:12]} was made elsewhere: what it does cannot be read.")
    encoding = msgspec.json.decode(files["encoding.json"], type=Encoding)
    parts = {name.removeprefix("members/"): data for name, data in files.items() if name.startswith("members/")}
    blend = load_blend(parts)
    text = blend_text(blend, encoding, manifest.labels)
    fitted = next((member for member in blend.members if hasattr(member.estimator, "coef_")), blend.members[0])
    found, rows, note = measured(
        work, manifest, parse_task(known.body.decode(), file=f"tasks/{task}.toml"), files, fitted, encoding
    )
    return Description(
        task=task,
        version=record.version,
        kind=manifest.kind,
        recipe=manifest.recipe,
        text=text,
        effects=found,
        rows=rows,
        note=note,
    )


def blend_text(blend: Blend, encoding: Encoding, labels: tuple[str, ...]) -> str:
    """What a member does; of several, what each does that can be read, the heaviest first.

    Raises
    ------
    ModelError
        None can be read.
    """
    if len(blend.members) == 1:
        return in_words(blend.members[0], encoding, labels)
    parts: list[str] = []
    refused: list[ModelError] = []
    for weight, member in zip(blend.weights.tolist(), blend.members, strict=True):
        title = f"{weight:.0%} {RECIPES[member.recipe].title}"
        try:
            parts.append(f"{title}:\n{in_words(member, encoding, labels)}")
        except ModelError as error:
            refused.append(error)
            parts.append(f"{title}: too large to be read.")
    if len(refused) == len(parts):
        raise ModelError(f"{blend_title(blend)}: each of them is too large to be read.", hint=refused[0].hint)
    return "\n\n".join(parts)


def measured(
    work: Workspace, manifest: Manifest, task: Task, files: dict[str, bytes], fitted: Fitted, encoding: Encoding
) -> tuple[tuple[NamedEffect, ...], int, str]:
    """The effects of a linear model with their intervals, on how many rows, and why there are none."""
    if not hasattr(fitted.estimator, "coef_"):
        return (), 0, ""
    try:
        source = pl.read_parquet(io.BytesIO(work.artifacts.get(manifest.snapshot)))
    except StoreError:
        return (), 0, "the rows that it was trained on are gone"
    contract = msgspec.json.decode(files["contract.json"], type=Contract)
    rows = rows_to_judge(source, task, manifest, contract, encoding, fresh=fitted.recipe in SELECTING)
    try:
        found = effects(fitted, rows)
    except ModelError as error:
        return (), 0, error.message
    return tuple(named(one, encoding) for one in found), len(rows.y), ""


def rows_to_judge(
    source: pl.DataFrame, task: Task, manifest: Manifest, contract: Contract, encoding: Encoding, *, fresh: bool
) -> Rows:
    """The rows that the version was judged on where fresh ones are needed, else those that it was fitted on."""
    data = assemble(source, task, seed=manifest.seed)
    parts = data.split(manifest.seed)
    chosen = parts.test if fresh else np.concatenate([parts.train, parts.validation])
    frame, _ = read_frame(contract, data.source[chosen])
    return Rows(
        kind=manifest.kind,
        n_classes=len(manifest.labels),
        X=encode(encoding, frame),
        y=data.answers.y[chosen],
        views=views(encoding),
        weights=data.weights_of(chosen),
    )


def named(effect: Effect, encoding: Encoding) -> NamedEffect:
    """An effect with its name."""
    return NamedEffect(
        name=step_words(encoding, effect.feature), state=effect.state, weight=effect.weight, effect=effect.effect
    )
