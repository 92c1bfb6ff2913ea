"""`understudy serve`: answer over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import Workspace
from understudy.server.serve import Place
from understudy.server.serve import serve as serve_flow


def serve(
    workspace: Workspace = Path(),
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[
        int, typer.Option("--workers", help="Processes that answer; above 1 only on PostgreSQL.", min=1)
    ] = 1,
) -> None:
    """Answer over HTTP, with pages for people.

    Every route asks for a token (`understudy token create`). The first start prints a link that signs in once.
    """
    serve_flow(workspace, Place(host, port, workers), tell=typer.echo)
