"""Every error that Understudy raises on purpose.

::

    UnderstudyError              what happened, and the way out
    ├── InputError               something that the user gave is wrong
    │   ├── DataError            a file or table cannot be used
    │   ├── NotFoundError        there is no such task, case or version
    │   └── FaultyInputError     several things at once, each a fault
    │       ├── TaskFileError    faults in a task file
    │       └── ContractError    rows break the contract
    ├── ConflictError            it contradicts what has been recorded
    ├── ErasedError              it was erased, at a person's request or by age
    ├── DeniedError              the caller may not do this
    ├── BusyError                not now: try again after a while
    ├── ModelError               a model cannot be loaded, trained, compiled or called
    ├── StoreError               the store or an artifact is missing, damaged or too new
    └── MissingExtraError        an optional library is not installed
"""

from __future__ import annotations

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong: where, what was found, what was expected, and how to mend it.

    Attributes
    ----------
    where : str
        The column, field, row or `file:line` that is at fault.
    found : str
        What stands there, shortened for a message.
    expected : str
        What should stand there.
    hint : str
        The way out, empty where `expected` already says it.
    """

    where: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: expected {self.expected}, got {self.found}"
        return f"{text} ({self.hint})" if self.hint else text


class UnderstudyError(Exception):
    """What happened, and the way out.

    Parameters
    ----------
    message : str
        What happened, with the name of the column, file, row or key and its value.
    hint : str
        What to do next.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.message = message
        self.hint = hint


class InputError(UnderstudyError):
    """Something that the user gave is wrong."""


class NotFoundError(InputError):
    """There is no such task, case or version."""


class FaultyInputError(InputError):
    """Input with one or more faults, all of which are listed."""

    def __init__(self, message: str, faults: tuple[Fault, ...], *, hint: str = "") -> None:
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"{message}\n{lines}", hint=hint)
        self.faults = faults


class TaskFileError(FaultyInputError):
    """A task file has faults; all of them are listed."""


class DataError(InputError):
    """A file or table cannot be used."""


class ContractError(FaultyInputError):
    """Rows break the contract; every fault is listed."""


class ConflictError(UnderstudyError):
    """It contradicts what has been recorded."""


class ErasedError(UnderstudyError):
    """It was erased, at a person's request or by age."""


class DeniedError(UnderstudyError):
    """The caller may not do this."""


class BusyError(UnderstudyError):
    """Not now: try again after a while."""


class ModelError(UnderstudyError):
    """A model cannot be loaded, trained, compiled or called."""


class StoreError(UnderstudyError):
    """The store or one of its artifacts is missing, damaged or too new."""


class MissingExtraError(UnderstudyError):
    """An optional library is needed and is not installed."""
