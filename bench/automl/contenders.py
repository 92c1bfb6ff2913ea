"""Who takes part, and the environment of each."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKERS = Path(__file__).parent / "workers"
FROZEN = "frozen.txt"
OURS = "understudy"


@dataclass(frozen=True)
class Contender:
    """A tool, used in one way.

    Attributes
    ----------
    title, how : str
        For people.
    worker : str
        The module in `bench.automl.workers`.
    environment : str
        The folder of its environment below the place of all; empty where the project's own runs it.
    packages : tuple of str
        What pip is asked for; later lines after earlier ones.
    preset : str
    timed : bool
        Whether it takes a budget; otherwise one run stands for all budgets.
    """

    title: str
    how: str
    worker: str
    environment: str = ""
    packages: tuple[str, ...] = ()
    preset: str = ""
    timed: bool = True


AUTOGLUON = ("torch==2.13.0", "autogluon.tabular[lightgbm,catboost,xgboost,fastai,ray]==1.6.3")
CONTENDERS: dict[str, Contender] = {
    OURS: Contender("Understudy", "`understudy.run(…, budget=seconds)`, default dependencies", "understudy"),
    "understudy-extras": Contender(
        "Understudy + extras",
        "the same, with the extras `catboost` and `xgboost` installed",
        "understudy",
        "understudy",
        (f"{ROOT}[catboost,xgboost]",),
    ),
    "autogluon-medium": Contender(
        "AutoGluon medium", '`presets="medium_quality"`', "autogluon", "autogluon", AUTOGLUON, "medium"
    ),
    "autogluon-good": Contender(
        "AutoGluon good", '`presets="good_quality"`', "autogluon", "autogluon", AUTOGLUON, "good"
    ),
    "flaml": Contender(
        "FLAML",
        "`AutoML().fit(…)`, CatBoost beside its own learners",
        "flaml",
        "flaml",
        ("flaml[automl]==2.7.0", "catboost==1.2.10", "pandas<3"),
    ),
    "catboost": Contender(
        "CatBoost",
        "its own settings; trees counted on a fifth of the rows, then fitted on all",
        "catboost",
        "catboost",
        ("catboost==1.2.10", "pandas<3"),
        timed=False,
    ),
    "lightgbm": Contender(
        "LightGBM",
        "its own settings; trees counted on a fifth of the rows, then fitted on all; cannot read text",
        "lightgbm",
        "lightgbm",
        ("lightgbm==4.7.0", "scikit-learn==1.9.1", "pandas<3"),
        timed=False,
    ),
}
DEFAULT = [name for name in CONTENDERS if name != "understudy-extras"]
LIBRARIES = ("lightgbm", "scikit-learn", "numpy", "onnxruntime", "optuna")


def python_of(contender: Contender, place: Path) -> Path:
    """The Python that runs it."""
    return place / contender.environment / "bin" / "python" if contender.environment else Path(sys.executable)


def set_up(names: list[str], place: Path) -> None:
    """Make the environments that are not there, and note what each holds.

    Raises
    ------
    CalledProcessError
        pip could not install something; it has said what.
    """
    environments = {CONTENDERS[name].environment: CONTENDERS[name] for name in names if CONTENDERS[name].environment}
    for name, contender in environments.items():
        folder = place / name
        python = folder / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        editable = [part for package in contender.packages for part in as_arguments(package)]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *editable], check=True)
        held = subprocess.run(
            [str(python), "-m", "pip", "freeze", "--quiet"], check=True, capture_output=True, text=True
        ).stdout
        (folder / FROZEN).write_text(held, encoding="utf-8")
        print(f"{name}: {len(held.splitlines())} packages in {folder}", flush=True)


def as_arguments(package: str) -> list[str]:
    """What pip is told; the project itself is installed where it stands."""
    return ["--editable", package] if package.startswith("/") else [package]


def state_of(name: str, place: Path) -> str:
    """A digest of the code that a contender runs: what was run in one state need not be run again.

    Raises
    ------
    FileNotFoundError
        Its environment has not been set up.
    """
    contender = CONTENDERS[name]
    seen = [
        *(WORKERS / f"{part}.py" for part in (contender.worker, "job", "frames")),
        *(sorted((ROOT / "src").rglob("*.py")) if contender.worker == OURS else []),
    ]
    text = b"".join(file.read_bytes() for file in seen)
    if contender.environment:
        text += (place / contender.environment / FROZEN).read_bytes()
    else:
        text += "".join(f"{library} {metadata.version(library)}" for library in LIBRARIES).encode()
    return hashlib.sha256(text).hexdigest()[:16]
