"""Explain one case from outside the server: a recorded one by its id, or inputs that somebody gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from understudy.core.errors import ContractError
from understudy.core.nouns import Kind
from understudy.flows.facts import case_to_explain
from understudy.flows.head import Library, load_head
from understudy.flows.reasons import Reasons, explainer
from understudy.flows.version import load_version
from understudy.flows.workspace import open_workspace


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Why a version answers a case as it does.

    Attributes
    ----------
    task, kind : str
    case : str
        The id of a recorded case; empty for others.
    confidence : float
        How sure the version is.
    reasons : Reasons
    """

    task: str
    kind: Kind
    case: str
    confidence: float
    reasons: Reasons


def explain_case(
    task: str, case: str | Mapping[str, object], *, version: str | None = None, workspace: str | Path = "."
) -> Explained:
    """Why a version answers a case as it does.

    Parameters
    ----------
    task : str
    case : str or mapping
        The id of a recorded case, or the inputs of one.
    version : str, optional
        A digest, the beginning of it, `latest` or `champion`. By default the one that spoke of the recorded case, else
        the champion, or the newest where there is none.
    workspace : str or Path

    Raises
    ------
    NotFoundError
        There is no such case or version.
    ContractError
        The inputs break the contract.
    ConflictError
        Somebody is still to judge the case blindly.
    ErasedError
        The case was erased.
    """
    work = open_workspace(workspace)
    head = load_head(Library(work), task)
    said: str | float | None = None
    inputs: Mapping[str, object] = {}
    usual = "champion" if head.deployed.champion else "latest"
    if isinstance(case, str):
        inputs, spoke, said = case_to_explain(head, case)
        usual = spoke or usual
        said = None if version else said
    else:
        inputs = case
    loaded = load_version(work, task, version or usual)
    values, faults = loaded.read({name: inputs.get(name) for name in loaded.inputs})
    if faults:
        raise ContractError("The case breaks the contract.", faults)
    return Explained(
        task=task,
        kind=loaded.manifest.kind,
        case=case if isinstance(case, str) else "",
        confidence=loaded.predict_values([values])[0].confidence,
        reasons=explainer(loaded).explain(values, said),
    )
