"""When a new version is due: on a schedule, after so many new labels, or when the inputs have drifted."""

from __future__ import annotations

from understudy.core.task import Retrain, duration

DRIFTED_LABELS = 200
"""Labelled cases from after a drift that a new version needs, or it would learn the old world once more."""


def due(settings: Retrain, *, waited: int, labels: int, drifted: int = 0) -> str:
    """Why a new version is to be trained now; empty where it is not.

    Without a new label there is nothing new to learn from, whatever the schedule says.

    Parameters
    ----------
    settings : Retrain
        The section [retrain] of the task file.
    waited : int
        Microseconds since the newest version was registered.
    labels : int
        Labels that have come since.
    drifted : int
        Cases with a label among those that came since the inputs drifted: with `on_drift`, 200 of them are enough. 0
        where they have not drifted since the newest version.

    >>> due(Retrain(after_labels=500), waited=0, labels=512)
    '512 new labels have come since the newest version; after_labels = 500.'
    >>> due(Retrain(every="30d"), waited=29 * 86_400_000_000, labels=512)
    ''
    >>> due(Retrain(on_drift=True), waited=0, labels=512, drifted=230)
    'The inputs have drifted since the newest version, and 230 cases since then have a label; on_drift = true.'
    """
    if settings.after_labels is not None and labels >= settings.after_labels:
        return f"{labels:,} new labels have come since the newest version; after_labels = {settings.after_labels}."
    if settings.on_drift and drifted >= DRIFTED_LABELS:
        told = f"{drifted:,} cases since then have a label; on_drift = true."
        return f"The inputs have drifted since the newest version, and {told}"
    if settings.every is not None and labels and waited >= duration(settings.every):
        days = waited / duration("1d")
        return f'The newest version is {days:,.1f} days old, and {labels:,} labels are new; every = "{settings.every}".'
    return ""
