"""`understudy webhooks`: who is told what happens, and what was not taken."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from understudy.cli.history import utc
from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import console, plain_table, show_json
from understudy.core.errors import InputError
from understudy.flows.webhooks import LetterStanding, WebhookStanding, read_webhooks, retry_webhook, try_webhook
from understudy.flows.workspace import Workspace as OpenWorkspace
from understudy.flows.workspace import open_workspace

MOST_SHOWN = 20


class Action(StrEnum):
    """What can be done with webhooks."""

    LIST = "list"
    TEST = "test"
    RETRY = "retry"


def webhooks(
    action: Annotated[Action, typer.Argument(help="list, test or retry.", metavar="ACTION")] = Action.LIST,
    name: Annotated[str | None, typer.Argument(help="Which webhook, for test and retry.", metavar="NAME")] = None,
    workspace: Workspace = Path(),
    json: AsJson = False,
) -> None:
    """List the webhooks of understudy.toml with what they have not taken, try one, or let one be tried again.

    `test` sends a message of the type webhook.test at once, signed with the secret in this environment; the exit status
    is 1 where it is not taken. `retry` lets the server send what was given up, also to a webhook that is disabled.
    """
    work = open_workspace(workspace)
    if action is Action.LIST:
        if name:
            raise InputError("list takes no name; it shows all webhooks.")
        show_webhooks(work, json=json)
    elif not name:
        raise InputError(f"{action.value} needs a name.", hint=f"understudy webhooks {action.value} NAME")
    elif action is Action.TEST:
        test(work, name, json=json)
    else:
        retry(work, name, json=json)


def test(work: OpenWorkspace, name: str, *, json: bool) -> None:
    """Send a message to try a webhook, and say what became of it."""
    posted = try_webhook(work, name)
    if json:
        show_json({"name": name, "taken": posted.taken, "status": posted.status, "error": posted.error})
    else:
        console.print(Text(f"{name} {f'took it ({posted.status})' if posted.taken else f'did not: {posted.error}'}."))
    if not posted.taken:
        raise typer.Exit(1)


def retry(work: OpenWorkspace, name: str, *, json: bool) -> None:
    """Let the server try a webhook again, and say how many messages that is."""
    count = retry_webhook(work, name)
    if json:
        show_json({"name": name, "retried": count})
    else:
        console.print(Text(f"The server sends {name} what it has not taken: {count:,} messages are tried again."))


def show_webhooks(work: OpenWorkspace, *, json: bool) -> None:
    """How every webhook stands."""
    found = read_webhooks(work)
    if json:
        show_json({"webhooks": [msgspec.structs.asdict(one) | {"stuck": one.stuck} for one in found]})
        return
    if not found:
        console.print("There is no webhook yet. Name one under \\[\\[webhooks]] in understudy.toml.")
        return
    table = plain_table("webhook", "", "to", "sent", "waiting", "given up", "last error", right=("sent", "waiting"))
    for one in found:
        error = "" if one.error_at is None or not one.error else f"{utc(one.error_at)}: {one.error}"
        counts = (f"{one.sent:,}", f"{one.waiting:,}", f"{len(one.dead):,}")
        table.add_row(one.name, one.state, Text(one.host), *counts, Text(error))
    console.print(table)
    for one in found:
        show_letters(one)


def show_letters(one: WebhookStanding) -> None:
    """The messages that a webhook has not taken."""
    for letter in (*one.letters, *one.dead)[:MOST_SHOWN]:
        console.print(Text(f"  {one.name} {letter_words(letter)}"), soft_wrap=True)


def letter_words(letter: LetterStanding) -> str:
    """A message that was not taken, on one line."""
    then = "given up" if letter.next_at is None else f"next {utc(letter.next_at)}"
    return (
        f"{letter.id} of {letter.task}: {letter.attempts} attempts since {utc(letter.first_at)}, {then}; {letter.error}"
    )
