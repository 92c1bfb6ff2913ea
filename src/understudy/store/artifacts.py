"""Files by their content: every file once, under its SHA-256, in a directory or an object store."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from understudy.core.canonical import digest
from understudy.core.errors import StoreError
from understudy.core.ports import Stored

NAME = re.compile(r"[0-9a-f]{64}")
PARTIAL = re.compile(r"[0-9a-f]{64}\.[0-9a-f]{32}\.partial")
"""What a process that was killed while it wrote has left behind."""


class ArtifactStore:
    """Files by their hash, below a root.

    Parameters
    ----------
    filesystem : fsspec filesystem
    root : str
        A path on it.
    """

    def __init__(self, filesystem: Any, root: str) -> None:
        self._files = filesystem
        self._root = root.rstrip("/")

    def put(self, data: bytes) -> str:
        """Keep some bytes for good and return their hash; the same bytes again change nothing."""
        name = digest(data)
        place = self._place(name)
        if not self._files.exists(place):
            try:
                self._write(place, data)
            except OSError as error:
                raise StoreError(f"The artifact {name[:12]} cannot be written to {self._root}: {error}.") from error
        elif isinstance(self._files, LocalFileSystem):
            os.utime(place)  # nobody may take it for a leftover before its row is written
        return name

    def get(self, name: str) -> bytes:
        """The bytes with this hash, checked.

        Raises
        ------
        StoreError
            They are missing or damaged.
        """
        place = self._place(name)
        try:
            data: bytes = self._files.cat_file(place)
        except OSError as error:
            raise StoreError(f"The artifact {name[:12]} is missing from {self._root}.") from error
        if digest(data) != name:
            raise StoreError(
                f"The artifact {place} is damaged: its content has another hash.", hint="Restore it from a backup."
            )
        return data

    def delete(self, name: str) -> None:
        """Remove what is kept under a name; nothing happens where nothing is."""
        try:
            self._files.rm_file(self._place(name, NAME, PARTIAL))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"The artifact {name[:12]} cannot be removed from {self._root}: {error}.") from error

    def stored(self) -> Iterator[Stored]:
        """Everything that is kept, and what half-finished writes have left."""
        for place, about in self._files.find(f"{self._root}/objects", detail=True).items():
            name = "".join(place.rsplit("/", 2)[1:])
            if NAME.fullmatch(name) or PARTIAL.fullmatch(name):
                at = about["mtime"] if "mtime" in about else self._files.modified(place).timestamp()
                yield Stored(name=name, size=about["size"], at=int(at * 1e6))

    def _place(self, name: str, *forms: re.Pattern[str]) -> str:
        if not any(form.fullmatch(name) for form in forms or (NAME,)):
            raise StoreError(f"{name[:80]!r} is not the name of an artifact.")
        return f"{self._root}/objects/{name[:2]}/{name[2:]}"

    def _write(self, place: str, data: bytes) -> None:
        if not isinstance(self._files, LocalFileSystem):
            self._files.pipe_file(place, data)
            return
        final = Path(place)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial = final.with_name(f"{final.name}.{uuid.uuid4().hex}.partial")
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(final)
        directory = os.open(final.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)


def open_artifacts(root: str) -> ArtifactStore:
    """Artifacts in a directory, or wherever an fsspec URL points."""
    filesystem, path = fsspec.core.url_to_fs(root)
    return ArtifactStore(filesystem, path)
