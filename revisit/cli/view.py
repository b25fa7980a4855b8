"""`revisit view`: many runs as a page of this machine."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from revisit.cli.terminal import tell
from revisit.errors import UsageError

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder, or one that holds runs.")]
Port = Annotated[int | None, typer.Option(help="On this machine; a free one by default.", show_default=False)]

FIRST, LAST = 49152, 65535
"""Ports that no service is registered on (IANA)."""


def chosen_port(wanted: int | None) -> int:
    """Return the port to serve on, refusing one that only the system may use."""
    if wanted is None:
        return FIRST + secrets.randbelow(LAST - FIRST + 1)
    if not 1024 <= wanted <= LAST:
        raise UsageError(f"--port {wanted} is not between 1024 and {LAST}")
    return wanted


def view(folder: Folder, port: Port = None) -> None:
    """Show runs in a browser: areas, dates side by side, flags by zone, sign, size and p, and jobs as they run.

    The page is for this machine alone: it stands at 127.0.0.1 behind a word that is drawn anew each time. Ctrl-C ends.

    Example: revisit view runs
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give that of a run, or one that holds runs")
    from revisit.viewer.server import ADDRESS, make_app, new_token, serve

    number, token = chosen_port(port), new_token()

    def ready() -> None:
        typer.echo(f"http://{ADDRESS}:{number}/{token}/")
        tell("open this address in a browser of this machine; Ctrl-C ends")

    serve(make_app(folder, token=token, port=number), number, ready)
