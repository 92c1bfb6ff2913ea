"""Fitted members as files: LightGBM's trees as text, scikit-learn models by skops, what is our own as JSON.

A pickle is never read or written.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from zipfile import ZipFile, ZipInfo

import lightgbm as lgb
import msgspec
import numpy as np
import skops.io

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind
from understudy.models.blend import Blend
from understudy.models.recipes import Fitted
from understudy.models.recipes.bayes import StepSums
from understudy.models.recipes.boosted import BoostedTrees
from understudy.models.recipes.kernels import Margins
from understudy.models.recipes.neighbours import Neighbours
from understudy.models.recipes.rule_list import RuleList
from understudy.models.steps import Step

Own = BoostedTrees | Margins | Neighbours | RuleList | StepSums
"""Estimators that are values of our own."""

EPOCH = (1980, 1, 1, 0, 0, 0)
TRUSTED = (
    "sklearn.tree._tree.Tree",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "lightgbm.basic.Booster",
    "collections.OrderedDict",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
    "numpy.dtype",
)
"""Types that may be loaded beyond those that skops trusts by itself. The list stands here, never in a file."""


class MemberFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a member is, besides its estimator; see `Fitted`."""

    recipe: str
    columns: list[int]
    kind: Kind
    n_classes: int
    center: float
    scale: float
    rounds: int
    steps: tuple[Step, ...] = ()


def save_fitted(fitted: Fitted) -> dict[str, bytes]:
    """The files of a fitted member, by name."""
    member = MemberFile(
        recipe=fitted.recipe,
        columns=fitted.columns.tolist(),
        kind=fitted.kind,
        n_classes=fitted.n_classes,
        center=fitted.center,
        scale=fitted.scale,
        rounds=fitted.rounds,
        steps=fitted.steps,
    )
    files = {"member.json": msgspec.json.encode(member, enc_hook=np.ndarray.tolist)}
    if isinstance(fitted.estimator, lgb.Booster):
        text = re.sub(r"(?m)^\[num_threads: \d+\]$", "[num_threads: 0]", fitted.estimator.model_to_string())
        return files | {"model.txt": text.encode()}  # the trees do not depend on the threads that grew them
    if isinstance(fitted.estimator, Own):
        return files | {"model.json": msgspec.json.encode(fitted.estimator, enc_hook=np.ndarray.tolist)}
    return files | {"model.skops": repeatable(skops.io.dumps(fitted.estimator))}


def repeatable(data: bytes) -> bytes:
    """A skops file whose bytes depend on the model alone, so that a version trained twice has one digest.

    skops calls objects and arrays by their addresses in memory, and notes the time; here they are numbered in the
    order of the schema, and the time is that from which zip files count.
    """
    with ZipFile(io.BytesIO(data)) as written:
        schema = json.loads(written.read("schema.json"))
        names: dict[str, str] = {}
        numbered(schema, {}, names)
        parts = {new: written.read(old) for old, new in names.items()}
    parts["schema.json"] = json.dumps(schema).encode()
    with io.BytesIO() as file:
        with ZipFile(file, "w") as again:
            for name, body in parts.items():
                again.writestr(ZipInfo(name, EPOCH), body)
        return file.getvalue()


def numbered(node: Any, numbers: dict[int, int], names: dict[str, str]) -> None:
    """Number the objects and the files of a skops schema in place, in the order of their first appearance.

    >>> numbers, names = {}, {}
    >>> node = {"__id__": 140213, "content": [{"__id__": 99, "file": "99.npy"}, {"__id__": 140213}]}
    >>> numbered(node, numbers, names)
    >>> node
    {'__id__': 1, 'content': [{'__id__': 2, 'file': '1.npy'}, {'__id__': 1}]}
    """
    if isinstance(node, dict):
        if isinstance(node.get("__id__"), int):
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
        if isinstance(node.get("file"), str):
            ending = node["file"].rpartition(".")[2]
            node["file"] = names.setdefault(node["file"], f"{len(names) + 1}.{ending}")
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        numbered(part, numbers, names)


def save_blend(blend: Blend) -> dict[str, bytes]:
    """The files of a blend, by name: its weights, and each member's files under its number."""
    files = {"blend.json": msgspec.json.encode(blend.weights.tolist())}
    for place, member in enumerate(blend.members):
        files |= {f"{place}/{name}": body for name, body in save_fitted(member).items()}
    return files


def load_fitted(files: Mapping[str, bytes]) -> Callable[[np.ndarray], np.ndarray]:
    """The function from the encoded matrix to raw scores that some files hold.

    Raises
    ------
    ModelError
        A file holds a type that is not trusted.
    """
    return load_blend(files).raw


def load_blend(files: Mapping[str, bytes]) -> Blend:
    """The blend that some files hold.

    Raises
    ------
    ModelError
        A file holds a type that is not trusted.
    """
    weights = msgspec.json.decode(files["blend.json"], type=list[float])
    return Blend(tuple(load_member(within(files, str(place))) for place in range(len(weights))), np.array(weights))


def within(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """The files of a folder, by their names in it.

    >>> within({"0/a": b"1", "0/b": b"2", "10/a": b"3"}, "0")
    {'a': b'1', 'b': b'2'}
    """
    return {name.removeprefix(f"{folder}/"): body for name, body in files.items() if name.startswith(f"{folder}/")}


def load_member(files: Mapping[str, bytes]) -> Fitted:
    """The fitted member that some files hold.

    Raises
    ------
    ModelError
        A file holds a type that is not trusted.
    """
    member = msgspec.json.decode(files["member.json"], type=MemberFile, dec_hook=as_array)
    if "model.txt" in files:
        estimator: object = lgb.Booster(model_str=files["model.txt"].decode())
    elif "model.json" in files:
        estimator = msgspec.json.decode(files["model.json"], type=Own, dec_hook=as_array)
    else:
        estimator = load_skops(files["model.skops"])
    return Fitted(
        recipe=member.recipe,
        estimator=estimator,
        columns=np.array(member.columns, dtype=np.int64),
        kind=member.kind,
        n_classes=member.n_classes,
        center=member.center,
        scale=member.scale,
        rounds=member.rounds,
        steps=member.steps,
    )


def as_array(_: type, values: list[Any]) -> np.ndarray:
    """An array as it was stored, as nested lists."""
    return np.array(values)


def load_skops(data: bytes) -> object:
    """A scikit-learn object from a skops file, if all its types are trusted.

    Raises
    ------
    ModelError
        The file is not a skops file, or holds a type that is not trusted.
    """
    try:
        unknown = [name for name in skops.io.get_untrusted_types(data=data) if name not in TRUSTED]
    except Exception as error:  # skops raises whatever the broken file provokes
        raise ModelError(f"This is not a skops file: {error}", hint="Save the model with skops.io.dump.") from error
    if unknown:
        raise ModelError(
            f"The model holds types that are not trusted: {', '.join(unknown)}.",
            hint="Rebuild it from scikit-learn and LightGBM parts only.",
        )
    loaded: object = skops.io.loads(data, trusted=list(TRUSTED))
    return loaded
