"""When a new version is due: on a schedule, or after so many new labels."""

from __future__ import annotations

from understudy.core.task import Retrain, duration


def due(settings: Retrain, *, waited: int, labels: int) -> str:
    """Why a new version is to be trained now; empty where it is not.

    Without a new label there is nothing new to learn from, whatever the schedule says.

    Parameters
    ----------
    settings : Retrain
        The section [retrain] of the task file. `on_drift` asks for nothing yet: no monitor says when inputs drift.
    waited : int
        Microseconds since the newest version was registered.
    labels : int
        Labels that have come since.

    >>> due(Retrain(after_labels=500), waited=0, labels=512)
    '512 new labels have come since the newest version; after_labels = 500.'
    >>> due(Retrain(every="30d"), waited=29 * 86_400_000_000, labels=512)
    ''
    """
    if settings.after_labels is not None and labels >= settings.after_labels:
        return f"{labels:,} new labels have come since the newest version; after_labels = {settings.after_labels}."
    if settings.every is not None and labels and waited >= duration(settings.every):
        days = waited / duration("1d")
        return f'The newest version is {days:,.1f} days old, and {labels:,} labels are new; every = "{settings.every}".'
    return ""
