"""Writes the reference pages that follow from the code: docs/cli.md, docs/task-file.md and docs/recipes.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import typer

from understudy.cli.main import COMMANDS, app
from understudy.core.task import Task
from understudy.core.task_text import COMMENTS, EXAMPLES, SECTIONS, toml_value
from understudy.models.catalogue import Entry, catalogue

DOCS = Path(__file__).parent.parent / "docs"

CLI = """# Commands

Every command takes `--json`, which prints one JSON object to standard output, errors included:
`{"error": {"kind", "message", "hint", "faults"}}`. The exit status is 0 when it worked, 2 when what was given must
change, 1 for everything else, and 130 when it was stopped. `understudy --version` says which version runs.
"""

TASK_FILE = """# The task file

`tasks/NAME.toml` describes one decision. `understudy init` proposes it from the data, with every key commented; `run`
reads it. Everything but `name`, `question`, `target`, `kind`, `goal`, `max_error` and `confidence` may be left out. All
faults are reported at once, each with its file and line, what was expected, and the nearest key that exists.

Durations are written `90m`, `12h`, `30d` or `2w`; dates `2027-01-31`; conditions are SQL expressions over columns.
"""


def cli_page() -> str:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    blocks = [CLI]
    for name in COMMANDS:
        command = group.resolve_command(None, [name])[1]
        summary = command.help.split("\n\n")[0].replace("\n", " ")
        rows = [parameter_row(parameter) for parameter in command.params if parameter.name != "help"]
        blocks.append("\n".join([f"## `understudy {name}`", "", summary, "", "| | |", "| --- | --- |", *rows]) + "\n")
    return "\n".join(blocks)


def parameter_row(parameter: Any) -> str:
    """One argument or option as a row of a table."""
    if parameter.param_type_name == "argument":
        return f"| `{parameter.metavar or parameter.name.upper()}` | {parameter.help} |"
    default = parameter.default
    shown = "" if default is None or default is False or str(default) in (".", "()") else f" Default: `{default}`."
    return f"| `{', '.join(parameter.opts)}` | {parameter.help}{shown} |"


def task_file_page() -> str:
    """Every key of a task file with its default or an example."""
    blocks = [TASK_FILE]
    for section in msgspec.structs.fields(Task):
        name = section.encode_name
        rows = [key_row(f"{name}.{key.name}", key) for key in msgspec.structs.fields(section.type)]
        head = [f"## `[{name}]`", "", SECTIONS[name], "", "| key | what it says | default |", "| --- | --- | --- |"]
        blocks.append("\n".join([*head, *rows]) + "\n")
    return "\n".join(blocks)


def key_row(path: str, key: msgspec.structs.FieldInfo) -> str:
    """One key as a row of a table."""
    return f"| `{key.name}` | {COMMENTS[path]} | {default(path, key)} |"


def default(path: str, key: msgspec.structs.FieldInfo) -> str:
    """What holds without the key: a value, an example where there is none, or that it must be given."""
    value = key.default if key.default_factory is msgspec.NODEFAULT else key.default_factory()
    if value is msgspec.NODEFAULT:
        return "must be given"
    if value is None:
        return f"none; for example `{toml_value(EXAMPLES[path])}`"
    return f"`{toml_value(msgspec.to_builtins(value))}`"


RECIPES_PAGE = """# Recipes

A recipe is a way to build a model; [Models](models.md#recipes) says how they are raced and judged. `understudy recipes`
lists them, `understudy recipes RECIPE` says all about one, and `understudy advise` which of them fit some data.

A fit is that of 10,000 rows of 30 features and two answers on one core; an answer is that to one row, compiled where it
compiles (measured by `bench/recipes.py`). Those marked ● are raced where none is named.
"""

READS = {"whole": "all of it", "weights": "its weights", "no": "no"}


def recipes_page() -> str:
    """Every recipe with what it declares."""
    head = [
        "| recipe | what it does | read by a person | rows | direction | fit | answer | compiled |",
        "| --- " * 8 + "|",
    ]
    rows = [recipe_row(entry) for entry in catalogue()]
    blocks = [RECIPES_PAGE, "\n".join([*head, *rows]) + "\n"]
    for entry in catalogue():
        drawn = [f"`{name}` from {each}" for name, each in entry.space.items()]
        kinds = " and ".join({"classification": "answers", "regression": "numbers"}[kind] for kind in entry.kinds)
        needs = f" It needs `pip install 'understudy[{entry.extra}]'`." if entry.extra else ""
        views = ", ".join(entry.views)
        text = f"For {kinds}; it takes the views {views}.{needs} A search draws {', '.join(drawn)}."
        blocks.append(f"## `{entry.name}`\n\n{text}\n")
    return "\n".join(blocks)


def recipe_row(entry: Entry) -> str:
    """One recipe as a row of the table."""
    traits = entry.traits
    most = "from" if traits.most is None else ""
    rows = f"{most} {traits.fewest:,}".strip() + ("" if traits.most is None else f" to {traits.most:,}")
    cells = [
        f"`{entry.name}`{' ●' if entry.raced else ''}",
        f"{entry.title}. {traits.about}",
        READS[traits.reads],
        rows,
        "kept" if traits.monotone else "",
        f"{traits.seconds:g} s",
        f"{traits.micros:g} µs",
        traits.native or ("yes" if entry.onnx else "no"),
    ]
    return f"| {' | '.join(cells)} |"


PAGES = {"cli.md": cli_page, "task-file.md": task_file_page, "recipes.md": recipes_page}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
