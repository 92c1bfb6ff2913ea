"""`understudy token`: who may come in to the server."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from understudy.cli.history import utc
from understudy.cli.options import AsJson, Workspace
from understudy.cli.show import console, errors, plain_table, show_json
from understudy.core.errors import InputError
from understudy.core.nouns import Role
from understudy.flows.access import all_tokens, create_token, revoke
from understudy.flows.workspace import Workspace as OpenWorkspace
from understudy.flows.workspace import open_workspace
from understudy.store.access import TokenRecord


class Action(StrEnum):
    """What can be done with tokens."""

    CREATE = "create"
    LIST = "list"
    REVOKE = "revoke"


def token(
    action: Annotated[Action, typer.Argument(help="create, list or revoke.", metavar="ACTION")],
    name: Annotated[
        str | None, typer.Argument(help="Whose it is: of a program, or of a person.", metavar="NAME")
    ] = None,
    workspace: Workspace = Path(),
    role: Annotated[Role | None, typer.Option("--role", help=f"{', '.join(Role)}.", metavar="ROLE")] = None,
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="The only task that it opens; by default all.", metavar="NAME")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", help="How long it lasts; by default until revoked.", min=1, max=36500)
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="A link that signs a person in once, within 15 minutes.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Create, list or revoke tokens for programs, and sign-in links for people.

    A secret is printed when it is created and never again. Revoking ends all tokens and sessions of a name.
    """
    if action is not Action.CREATE and (role or task or days or link):
        raise InputError("--role, --task, --days and --link are for create only.")
    if action is Action.LIST:
        if name:
            raise InputError("list takes no name; it shows all tokens.")
        show_tokens(open_workspace(workspace), json=json)
        return
    if not name:
        raise InputError(f"{action.value} needs a name.", hint=f"understudy token {action.value} NAME")
    if action is Action.REVOKE:
        ended = revoke(open_workspace(workspace), name)
        if json:
            show_json({"name": name, "ended": ended})
        else:
            console.print(Text(f"Tokens and sessions of {name} that have ended: {ended}."))
        return
    if role is None:
        raise InputError("A token needs a role.", hint=f"Give --role with one of {', '.join(Role)}.")
    if link and days:
        raise InputError("A sign-in link lasts 15 minutes; --days is for tokens.")
    secret = create_token(open_workspace(workspace), name, role, task=task, days=days, link=link)
    show_secret(secret, name, role, task, link=link, json=json)


def show_secret(secret: str, name: str, role: Role, task: str | None, *, link: bool, json: bool) -> None:
    """Print a new secret, alone on standard output; what to do with it goes to standard error."""
    path = f"/sign-in?key={secret}"
    if json:
        said = {"name": name, "role": role, "task": task}
        show_json({**said, "kind": "link", "path": path} if link else {**said, "kind": "api", "secret": secret})
        return
    typer.echo(path if link else secret)
    if link:
        how = "Append it to the server's address. It signs a person in once, within 15 minutes."
    else:
        how = "Send it as: Authorization: Bearer TOKEN."
    errors.print(f"{how} It is not shown again.", soft_wrap=True)


def show_tokens(work: OpenWorkspace, *, json: bool) -> None:
    """Every token that was ever made, without its secret and its hash."""
    records = all_tokens(work)
    if json:
        plain = [msgspec.structs.asdict(record) for record in records]
        show_json({"tokens": [{key: value for key, value in one.items() if key != "hash"} for one in plain]})
        return
    now = work.clock.now()
    table = plain_table("name", "kind", "role", "task", "created", "expires", "")
    for record in records:
        kind = "link" if record.kind == "link" else "token"
        expires = "never" if record.expires_at is None else utc(record.expires_at)
        created = utc(record.created_at)
        table.add_row(
            Text(record.name), kind, record.role.value, record.task or "all", created, expires, standing(record, now)
        )
    console.print(table if records else "There is no token yet.")


def standing(record: TokenRecord, now: int) -> str:
    """Whether a token is in force."""
    if record.revoked_at is not None:
        return "used or revoked" if record.kind == "link" else "revoked"
    if record.expires_at is not None and record.expires_at <= now:
        return "expired"
    return "in force"
