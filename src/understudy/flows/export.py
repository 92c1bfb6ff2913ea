"""The edge export: a version as one zip file that answers with nothing but ONNX Runtime and numpy."""

from __future__ import annotations

import zipfile
from importlib import resources
from pathlib import Path

import msgspec

from understudy.core.errors import DataError, ModelError
from understudy.flows.version import Manifest
from understudy.flows.workspace import open_workspace
from understudy.store.registry import find_version
from understudy.store.tasks import task_number

SOURCES = {
    "rows.py": ("understudy.data", "rows.py"),
    "strange_rows.py": ("understudy.monitoring", "strange_rows.py"),
    "intervals.py": ("understudy.models", "interval_rows.py"),
    "__main__.py": ("understudy.flows", "edge_main.py"),
}
FILES = ("model.onnx", "encoding.json", "contract.json", "head.json", "reference.json")
START_OF_TIME = (1980, 1, 1, 0, 0, 0)


def export(task: str, out: str | Path, *, version: str = "latest", workspace: str | Path = ".") -> Path:
    """Write a version as a zip file, and return its place.

    `python FILE.zip` reads JSON objects, one a line, and writes an answer for each. It checks the contract, encodes,
    answers and says how strange a case is exactly as the service does, by the very same source files.

    Parameters
    ----------
    task : str
    out : str or Path
        Ends in `.zip`.
    version : str
        A digest, the beginning of it, `latest` or `champion`.
    workspace : str or Path

    Raises
    ------
    ModelError
        The version is served natively: it has no ONNX model.
    """
    work = open_workspace(workspace)
    with work.store.reading() as connection:
        record = find_version(connection, task_number(connection, task), version)
    manifest = msgspec.json.decode(work.artifacts.get(record.version), type=Manifest)
    if manifest.served != "onnx":
        raise ModelError(
            f"Version {record.version[:12]} is served natively ({manifest.reason}) and cannot be exported.",
            hint="Export another version; `understudy models` lists them.",
        )
    out = Path(out)
    if not out.parent.is_dir():
        raise DataError(f"There is no directory {out.parent} to write {out.name} to.")
    with zipfile.ZipFile(out, "w") as archive:
        write(archive, "manifest.json", work.artifacts.get(record.version))
        for name in FILES:
            write(archive, name, work.artifacts.get(manifest.files[name]))
        for name, (package, source) in SOURCES.items():
            write(archive, name, resources.files(package).joinpath(source).read_bytes())
    return out


def write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file without a time, so that the same version always makes the same archive."""
    archive.writestr(zipfile.ZipInfo(name, START_OF_TIME), data, zipfile.ZIP_DEFLATED)
