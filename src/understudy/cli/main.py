"""The command line: a table of commands, each loaded when it is called."""

from __future__ import annotations

import difflib
import importlib
import sys
from importlib import metadata
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from typer.core import TyperCommand, TyperGroup

from understudy.core.errors import FaultyInputError, InputError, UnderstudyError


class Command(NamedTuple):
    """Where a command's function stands, and what it does in one line."""

    target: str
    help: str


COMMANDS: dict[str, Command] = {
    "init": Command("understudy.cli.init:init", "Look at the data and propose a task file."),
    "advise": Command("understudy.cli.advise:advise", "Say which recipes fit some data, and whether it takes a model."),
    "recipes": Command("understudy.cli.recipes:recipes", "List the ways to build a model."),
    "run": Command("understudy.cli.run:run", "From data to a checked, compiled model that goes to shadow."),
    "backtest": Command("understudy.cli.backtest:backtest", "Rehearse the whole loop over history before going live."),
    "demo": Command("understudy.cli.demo:demo", "Learn from a year of flights, and rehearse it."),
    "adopt": Command("understudy.cli.adopt:adopt", "Put a model that you already have on the ladder."),
    "predict": Command("understudy.cli.predict:predict", "Score a file of any size."),
    "models": Command("understudy.cli.models:models", "List the versions of a task."),
    "override": Command("understudy.cli.override:override", "Override a failed check of a version, with a reason."),
    "compare": Command("understudy.cli.compare:compare", "Say what one version does better or worse than another."),
    "describe": Command("understudy.cli.describe:describe", "Say what a version does, where a person can read it."),
    "explain": Command("understudy.cli.explain:explain", "Say why a version answers a case as it does."),
    "report": Command("understudy.cli.report:report", "Write a version's report to a file."),
    "next": Command("understudy.cli.next:next_", "Say what to do next about a version, the first things first."),
    "serve": Command("understudy.cli.serve:serve", "Answer over HTTP, with pages for people."),
    "export": Command("understudy.cli.export:export", "Write a version that answers without Understudy."),
    "apply": Command("understudy.cli.apply:apply", "Make the task files the ones that hold."),
    "status": Command("understudy.cli.status:status", "Say who decides, what waits, and what was done today."),
    "whatif": Command("understudy.cli.whatif:whatif", "Say what other settings would bring."),
    "history": Command("understudy.cli.history:history", "List the moves of a task with their reasons."),
    "events": Command("understudy.cli.events:events", "Print the event log of a task."),
    "learn": Command("understudy.cli.learn:learn", "Take in what has come, and make or propose moves."),
    "lookback": Command("understudy.cli.lookback:lookback", "List what it decided since a change, and look once more."),
    "approve": Command("understudy.cli.approve:approve", "Make the move that waits for a person."),
    "retrain": Command("understudy.cli.retrain:retrain", "Train a new version on the log's own labelled cases."),
    "level": Command("understudy.cli.level:level", "Change a task's level by hand."),
    "pause": Command("understudy.cli.pause:pause", "Stop automation at once."),
    "resume": Command("understudy.cli.resume:resume", "Let automation go on where it was stopped."),
    "rollback": Command("understudy.cli.rollback:rollback", "Bring an earlier champion back."),
    "labelstudio": Command("understudy.cli.labelstudio:labelstudio", "Let people review in Label Studio."),
    "token": Command("understudy.cli.token:token", "Create, list or revoke tokens and sign-in links."),
    "webhooks": Command("understudy.cli.webhooks:webhooks", "List, try and retry the programs that are told."),
    "verify": Command("understudy.cli.verify:verify", "Check event logs, sealed rows, inputs, artifacts and archives."),
    "erase": Command("understudy.cli.erase:erase", "Erase what is held about a person or a case."),
    "backup": Command("understudy.cli.backup:backup", "Write the whole workspace to one file, while it serves."),
    "restore": Command("understudy.cli.restore:restore", "Make a workspace from a backup, and verify it."),
    "migrate-store": Command("understudy.cli.migrate_store:migrate_store", "Move from SQLite to PostgreSQL."),
    "archive": Command("understudy.cli.archive:archive", "Move old, sealed rows out of the store into files."),
    "gc": Command("understudy.cli.gc:gc", "Remove artifacts that nothing names."),
    "doctor": Command("understudy.cli.doctor:doctor", "Check that everything is as it should be, and say the way out."),
}


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and loads one only to call it."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The names of the commands, in the order of a model's life."""
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | None:  # type: ignore[override]
        """A command's name and help, which is all that `--help` needs."""
        command = COMMANDS.get(cmd_name)
        return None if command is None else TyperCommand(cmd_name, help=command.help)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple[str, Any, list[str]]:  # type: ignore[override]
        """The command that is about to run, loaded."""
        name = args[0]
        if name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"No such command: {name}." + (f" Did you mean {near[0]}?" if near else ""))
        module, function = COMMANDS[name].target.split(":")
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name)(getattr(importlib.import_module(module), function))
        return name, typer.main.get_command(single), args[1:]


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(metadata.version("understudy"))
        raise typer.Exit


@app.callback()
def understudy(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Learn the decisions that people make today, and take them over as far as the evidence allows."""


def error_body(error: UnderstudyError) -> dict[str, object]:
    """An error as one JSON object: what kind, what happened, the way out, and every fault."""
    faults = error.faults if isinstance(error, FaultyInputError) else ()
    return {"error": {"kind": type(error).__name__, "message": error.message, "hint": error.hint, "faults": faults}}


def main() -> None:
    """Run the command line; errors are sentences, not stack traces.

    The exit status is 0 when it worked, 2 when the input must change, 1 for everything else, 130 when stopped.
    """
    try:
        app()
    except UnderstudyError as error:
        if "--json" in sys.argv:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(error_body(error)), indent=2).decode() + "\n")
        else:
            sys.stderr.write(f"Error: {error}\n")
        raise SystemExit(2 if isinstance(error, InputError) else 1) from error
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Nothing was registered.\n")
        raise SystemExit(130) from None
