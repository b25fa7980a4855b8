"""`revisit replay`: the computation of an evidence pack, done again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from revisit.cli.terminal import tell, warn
from revisit.errors import CHANGED

Pack = Annotated[Path, typer.Argument(metavar="PACK", help="An evidence.zip of `revisit check`.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for the repeated check.", show_default="thrown away")
]
MOST_NAMED = 10


def replay(pack: Pack, out: Out = None) -> None:
    """Repeat a check from its evidence pack alone, without a network, and compare every file with the recorded one.

    Exit codes: 0 every byte is the same (but for times), 1 something differs, 2 the pack is not intact.

    Example: revisit replay dossier/evidence.zip
    """
    from revisit.replay import replay as repeat

    done = repeat(pack, out=out, tell=tell)
    for line in done.versions:
        warn(f"other software: {line}")
    if done.same:
        typer.echo(f"The same again: every byte of {done.files} files, but for the times in the manifests.")
        return
    typer.echo(f"Not the same: {len(done.differing)} of {done.files} files differ:")
    for name in done.differing[:MOST_NAMED]:
        typer.echo(f"  {name}")
    raise typer.Exit(CHANGED)
