"""The edge export: a version as files that answer with nothing but ONNX Runtime and numpy."""

from __future__ import annotations

import json
import platform
import zipfile
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from understudy.core.errors import DataError, InputError, ModelError
from understudy.data.contract import Contract
from understudy.flows.version import Manifest
from understudy.flows.workspace import Workspace, open_workspace
from understudy.store.registry import VersionRecord, find_version
from understudy.store.tasks import task_number

Format = Literal["onnx", "python", "mlflow"]

SOURCES = {
    "rows.py": ("understudy.data", "rows.py"),
    "strange_rows.py": ("understudy.monitoring", "strange_rows.py"),
    "intervals.py": ("understudy.models", "interval_rows.py"),
    "model.py": ("understudy.flows", "edge_main.py"),
}
MLFLOW_SOURCES = {"pyfunc.py": ("understudy.flows", "edge_mlflow.py")}
IMPORTS = {
    "from understudy.data.rows import": "from .rows import",
    "from understudy.monitoring.strange_rows import": "from .strange_rows import",
    "from understudy.models.interval_rows import": "from .intervals import",
    "from understudy.flows.edge_main import": "from .model import",
}
"""Files import each other by other names where they travel."""

FILES = ("model.onnx", "encoding.json", "contract.json", "head.json", "reference.json")
OPENING = '''"""A version of the task {task}, exported by Understudy; needs numpy and onnxruntime."""

from .model import ContractError, Model

__all__ = ["ContractError", "Model"]
'''
STARTING = "from {package}.model import main\n\nmain()\n"
START_OF_TIME = (1980, 1, 1, 0, 0, 0)


def export(
    task: str,
    out: str | Path,
    *,
    format: Format = "onnx",  # noqa: A002  as on the command line
    version: str = "latest",
    workspace: str | Path = ".",
) -> Path:
    """Write a version so that it answers without Understudy, and return its place.

    It checks the contract, encodes, answers and says how strange a case is exactly as the service does, by the very
    same source files. Each format holds the same small package, named after the task: `onnx` in one zip file, which
    `python FILE.zip` runs over JSON objects, one a line; `python` in a folder to import from; `mlflow` in a folder that
    is an MLflow model.

    Parameters
    ----------
    task : str
    out : str or Path
        The zip file or the folder; a folder must not be there yet.
    format : {"onnx", "python", "mlflow"}
    version : str
        A digest, the beginning of it, `latest` or `champion`.
    workspace : str or Path

    Raises
    ------
    ModelError
        The version is served natively: it has no ONNX model.
    DataError
        The place cannot be written to.
    """
    if format not in get_args(Format):
        raise InputError(f"There is no format {format!r}.", hint=f"There are {', '.join(get_args(Format))}.")
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
    name = package_name(task)
    if format == "onnx":
        write_zip(out, package_files(work, record, manifest, name) | {"__main__.py": STARTING.format(package=name)})
    elif format == "python":
        write_folder(out, package_files(work, record, manifest, name))
    else:
        write_folder(out, mlflow_files(work, record, manifest, name))
    return out


def package_name(task: str) -> str:
    """What the package of a task is called.

    >>> package_name("late-flights"), package_name("2024")
    ('late_flights_model', 'task_2024_model')
    """
    return f"{'task_' * task[0].isdigit()}{task.replace('-', '_')}_model"


def package_files(work: Workspace, record: VersionRecord, manifest: Manifest, name: str) -> dict[str, bytes | str]:
    """The files of the package, by their paths."""
    files: dict[str, bytes | str] = {
        "__init__.py": OPENING.format(task=manifest.task),
        "__main__.py": STARTING.format(package=name),
        "manifest.json": work.artifacts.get(record.version),
    }
    files |= {file: work.artifacts.get(manifest.files[file]) for file in FILES}
    files |= travelling(SOURCES)
    return {f"{name}/{file}": body for file, body in files.items()}


def travelling(sources: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Source files of ours, as they are where they travel."""
    made = {}
    for file, (package, source) in sources.items():
        text = resources.files(package).joinpath(source).read_text(encoding="utf-8")
        for here, there in IMPORTS.items():
            text = text.replace(here, there)
        made[file] = text
    return made


def mlflow_files(work: Workspace, record: VersionRecord, manifest: Manifest, name: str) -> dict[str, bytes | str]:
    """The files of an MLflow model: `MLmodel` says how the package is loaded, and what it needs.

    The format is MLflow's own (https://mlflow.org/docs/latest/ml/model); JSON is YAML, so no library writes it.
    """
    needed = [f"{library}=={metadata.version(library)}" for library in ("numpy", "onnxruntime")]
    python = platform.python_version()
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    flavor = {
        "loader_module": f"{name}.pyfunc",
        "code": "code",
        "env": {"virtualenv": "python_env.yaml"},
        "python_version": python,
    }
    contract = msgspec.json.decode(work.artifacts.get(manifest.files["contract.json"]), type=Contract)
    described = {
        "flavors": {"python_function": flavor},
        "signature": {"inputs": json.dumps(mlflow_inputs(contract)), "outputs": None, "params": None},
        "metadata": {"task": manifest.task, "version": record.version, "recipe": manifest.recipe},
    }
    package = package_files(work, record, manifest, name)
    package |= {f"{name}/{file}": text for file, text in travelling(MLFLOW_SOURCES).items()}
    return {
        "MLmodel": json.dumps(described, indent=2) + "\n",
        "python_env.yaml": json.dumps(environment, indent=2) + "\n",
        "requirements.txt": "\n".join(["mlflow", "pandas", *needed]) + "\n",
        **{f"code/{file}": body for file, body in package.items()},
    }


def mlflow_inputs(contract: Contract) -> list[dict[str, Any]]:
    """The columns for MLflow to ask for: any type, since the contract itself reads numbers, text and times."""
    return [{"type": "any", "name": column.name, "required": not column.nullable} for column in contract.used]


def write_folder(out: Path, files: dict[str, bytes | str]) -> None:
    """Write files into a folder that is not there yet."""
    if out.exists():
        raise DataError(f"{out} is there already.", hint="Name another folder, or remove it first.")
    for name, body in files.items():
        place = out / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body if isinstance(body, bytes) else body.encode())


def write_zip(out: Path, files: dict[str, bytes | str]) -> None:
    """Write files into one archive, without times, so that the same version always makes the same archive."""
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name, START_OF_TIME), body, zipfile.ZIP_DEFLATED)
