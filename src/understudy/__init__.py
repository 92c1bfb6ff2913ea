"""Understudy learns decisions, and takes them over as far as the evidence allows.

The public names below are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from understudy.client.shells import AsyncClient, Client
    from understudy.flows.adopt import Origin, adopt
    from understudy.flows.advise import advise
    from understudy.flows.predict import load, score_file
    from understudy.flows.report import load_report
    from understudy.flows.run import init, run
    from understudy.flows.whatif import whatif
    from understudy.flows.workspace import open_workspace
    from understudy.models.saved import load_fitted, load_skops
    from understudy.models.search import Budget
    from understudy.reports.notebook import Report

__all__ = [
    "AsyncClient",
    "Budget",
    "Client",
    "Origin",
    "Report",
    "adopt",
    "advise",
    "init",
    "load",
    "load_fitted",
    "load_report",
    "load_skops",
    "open_workspace",
    "run",
    "score_file",
    "whatif",
]

_WHERE = {
    "AsyncClient": "understudy.client.shells",
    "Budget": "understudy.models.search",
    "Client": "understudy.client.shells",
    "Origin": "understudy.flows.adopt",
    "Report": "understudy.reports.notebook",
    "adopt": "understudy.flows.adopt",
    "advise": "understudy.flows.advise",
    "init": "understudy.flows.run",
    "load": "understudy.flows.predict",
    "load_fitted": "understudy.models.saved",
    "load_report": "understudy.flows.report",
    "load_skops": "understudy.models.saved",
    "open_workspace": "understudy.flows.workspace",
    "run": "understudy.flows.run",
    "score_file": "understudy.flows.predict",
    "whatif": "understudy.flows.whatif",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'understudy' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
