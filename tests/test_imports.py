"""Importing costs next to nothing: heavy libraries load when they are needed."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "polars", "sklearn", "lightgbm", "onnxruntime", "onnx", "sqlalchemy", "altair", "pyarrow", "scipy")

LOADED = "import sys; print([name for name in {heavy!r} if name in sys.modules])"


def loaded_by(code: str) -> str:
    """Which heavy libraries a fresh interpreter has loaded after the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{LOADED.format(heavy=HEAVY)}"], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


HELP = """
import sys
sys.argv = ["understudy", "--help"]
from understudy.cli.main import main
try: main()
except SystemExit: pass
"""


@pytest.mark.parametrize(
    "code", ["import understudy", "import understudy; dir(understudy)", HELP], ids=["import", "dir", "help"]
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded_by(code) == "[]"


def test_a_public_name_loads_what_it_needs() -> None:
    assert "polars" in loaded_by("import understudy; understudy.run")


def test_every_public_name_resolves() -> None:
    import understudy

    assert [name for name in understudy.__all__ if getattr(understudy, name) is None] == []


def test_an_unknown_name_says_so() -> None:
    import understudy

    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        understudy.trian  # noqa: B018


SERVING = """
from understudy.server.serve import application
from understudy.server.service import open_service
from understudy.flows.workspace import open_workspace
import sys
open_service(open_workspace({root!r})).warm()
print([name for name in ("sklearn", "skops", "lightgbm", "onnx", "optuna", "altair") if name in sys.modules])
"""


def test_serving_a_compiled_version_loads_no_training_library(ran) -> None:
    assert ran[1].model.compiled
    code = SERVING.format(root=str(ran[0]))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
