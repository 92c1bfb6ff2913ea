"""Optional libraries come through here, and nowhere else."""

from __future__ import annotations

import importlib
from types import ModuleType

from understudy.core.errors import MissingExtraError


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module, or say how to install it.

    Raises
    ------
    MissingExtraError
        The module is not installed.

    >>> require("json", extra="spark").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise MissingExtraError(
            f"{module} is not installed.", hint=f"Install it with: pip install 'understudy[{extra}]'"
        ) from error
