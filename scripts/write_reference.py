"""Writes the reference pages that follow from the code: docs/cli.md and docs/task-file.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import typer

from understudy.cli.main import COMMANDS, app
from understudy.core.task import Task
from understudy.core.task_text import COMMENTS, EXAMPLES, SECTIONS, toml_value

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


PAGES = {"cli.md": cli_page, "task-file.md": task_file_page}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
