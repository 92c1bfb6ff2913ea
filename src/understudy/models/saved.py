"""Fitted members as files: boosted trees as text, scikit-learn models by skops; a pickle is never read or written."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import lightgbm as lgb
import msgspec
import numpy as np
import skops.io

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind
from understudy.models.recipes import Fitted

TRUSTED = (
    "sklearn.tree._tree.Tree",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "lightgbm.basic.Booster",
    "collections.OrderedDict",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
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
    )
    files = {"member.json": msgspec.json.encode(member)}
    if isinstance(fitted.estimator, lgb.Booster):
        return files | {"model.txt": fitted.estimator.model_to_string(num_iteration=-1).encode()}
    return files | {"model.skops": skops.io.dumps(fitted.estimator)}


def load_fitted(files: Mapping[str, bytes]) -> Callable[[np.ndarray], np.ndarray]:
    """The function from the encoded matrix to raw scores that some files hold.

    Raises
    ------
    ModelError
        A file holds a type that is not trusted.
    """
    member = msgspec.json.decode(files["member.json"], type=MemberFile)
    if "model.txt" in files:
        estimator: object = lgb.Booster(model_str=files["model.txt"].decode())
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
    ).raw


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
