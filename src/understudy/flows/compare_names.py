"""Which two versions are meant, and of which task."""

from __future__ import annotations

from understudy.core.errors import InputError, NotFoundError
from understudy.flows.workspace import Workspace
from understudy.store.registry import VersionRecord, find_version, list_versions
from understudy.store.tasks import read_tasks, task_number


def find_task(work: Workspace, versions: tuple[str, str], task: str | None) -> str:
    """The task that both versions belong to.

    Raises
    ------
    InputError
        None is named, and none or several tasks know both versions.
    """
    if task is not None:
        return task
    with work.store.reading() as connection:
        known = [record.name for record in read_tasks(connection)]
    if len(known) == 1:
        return known[0]
    fitting = [name for name in known if all(has_version(work, name, version) for version in versions)]
    if len(fitting) == 1:
        return fitting[0]
    what = "several tasks have" if fitting else "no task has"
    raise InputError(
        f"Which task is meant? {what.capitalize()} versions {versions[0]!r} and {versions[1]!r}.",
        hint=f"Say --task NAME (tasks: {', '.join(known) or 'none yet'}).",
    )


def has_version(work: Workspace, task: str, version: str) -> bool:
    """Whether a task knows a version by that name."""
    try:
        named_version(work, task, version)
    except NotFoundError:
        return False
    return True


def named_version(work: Workspace, task: str, name: str) -> VersionRecord:
    """A version by its digest, the beginning of it, `latest`, `previous` or `champion`.

    Raises
    ------
    NotFoundError
        There is no such version, or several begin like this.
    """
    with work.store.reading() as connection:
        number = task_number(connection, task)
        if name != "previous":
            return find_version(connection, number, name)
        versions = list_versions(connection, number)
    if len(versions) < 2:
        raise NotFoundError(f"{task} has no version before the latest.", hint="Train one with: understudy run")
    return versions[1]
