"""Remove artifacts that nothing names."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from understudy.core.errors import StoreError
from understudy.core.ports import Artifacts
from understudy.flows.version import Manifest
from understudy.flows.workspace import Workspace
from understudy.store.upkeep import named_artifacts

DAY = 86_400_000_000
"""How old an artifact must be: files are written before the row that names them, and a run may take hours."""


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """Artifacts that nothing names: how many, and their size in bytes; `removed` unless it was only looked."""

    artifacts: int
    bytes: int
    removed: bool


def gc(work: Workspace, *, dry_run: bool = False) -> Collected:
    """Remove artifacts that no row names and that are older than a day.

    The artifact store must belong to this workspace alone.

    Raises
    ------
    StoreError
        A version's manifest is missing or damaged, so that it is not known what it names; nothing is removed.
    """
    before = work.clock.now() - DAY
    old = [file for file in work.artifacts.stored() if file.at < before]  # before the rows are read, which name more
    with work.store.reading() as connection:
        named = named_files(work.artifacts, connection)
    loose = [file for file in old if file.name not in named]
    if not dry_run:
        for file in loose:
            work.artifacts.delete(file.name)
    return Collected(artifacts=len(loose), bytes=sum(file.size for file in loose), removed=not dry_run)


def named_files(artifacts: Artifacts, connection: sa.Connection) -> set[str]:
    """The hashes of all artifacts that rows name, and of those that the manifests among them name."""
    rows = named_artifacts(connection)
    named = set(rows.versions | rows.beside | rows.snapshots)
    for version in rows.versions:
        try:
            named |= set(msgspec.json.decode(artifacts.get(version), type=Manifest).files.values())
        except msgspec.MsgspecError as error:
            raise StoreError(f"The manifest of version {version[:12]} cannot be read: {error}.") from error
    return named
