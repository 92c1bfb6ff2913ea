"""The documentation cannot lie: its examples run, and its reference pages are what the code says."""

import os
import re
import runpy
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from understudy.core import errors

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(python|console|bash)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REFERENCE = runpy.run_path(str(ROOT / "scripts" / "write_reference.py"))


def examples(page: Path) -> list[tuple[str, str]]:
    return FENCE.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=lambda page: page.name)
def test_the_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a workspace that holds nothing but the example data; the blocks of one page follow each other."""
    flights = tmp_path / "examples" / "flights"
    flights.mkdir(parents=True)
    source = ROOT / "examples" / "flights" / "flights.csv.gz"
    (flights / "flights.csv.gz").write_bytes(source.read_bytes())
    scored = pl.read_csv(source).select(
        late=pl.col("arr_delay") > 15,
        distance="distance",
        dep_delay_score=1 / (1 + (-(pl.col("dep_delay") - 10) / 20).exp()),
    )
    scored.write_csv(flights / "scored.csv")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, text in examples(page):
        if language == "python":
            exec(compile(text, str(page), "exec"), names)
            continue
        if language == "bash":
            assert run_shell(text, tmp_path).count('"applied"') == 1
            continue
        for line in text.splitlines():
            if line.startswith("$ "):
                command = shlex.split(line[2:])
                assert command[0] == "understudy"
                done = subprocess.run(
                    [sys.executable, "-m", "understudy", *command[1:]], capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, done.stderr


def run_shell(text: str, place: Path) -> str:
    """Run a block in a shell whose background processes end with it, on a port that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        text = text.replace("8000", str(free.getsockname()[1]))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = f"set -e\ntrap 'kill 0' EXIT\n{text}"
    with (place / "shell.log").open("wb+") as log:
        shell = subprocess.Popen(
            ["bash", "-c", script], stdout=log, stderr=log, env=environment, cwd=place, start_new_session=True
        )
        shell.wait(timeout=120)
        log.seek(0)
        return log.read().decode()


@pytest.mark.parametrize("page", REFERENCE["PAGES"])
def test_the_reference_is_what_the_code_says(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert text == REFERENCE["PAGES"][page](), "run: python scripts/write_reference.py"


def test_every_error_is_in_the_tree_that_opens_its_module() -> None:
    tree = errors.__doc__ or ""
    family = [name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")]
    assert [name for name in family if name not in tree] == []


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
