"""`revisit verify`: whether an evidence pack is as it was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from revisit.cli.terminal import print_json

Pack = Annotated[Path, typer.Argument(metavar="PACK", help="An evidence.zip of `revisit check`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def verify(pack: Pack, *, as_json: AsJson = False) -> None:
    """Check every bit of an evidence pack against what was recorded; exit 2 where one differs.

    The SHA-256 that is printed names the whole pack: compare it with the one that was published beside it.

    Example: revisit verify dossier/evidence.zip
    """
    from revisit.pack import verify_pack

    found = verify_pack(pack)
    members = found.manifest["members"]
    if as_json:
        print_json({"pack": str(pack), "sha256": found.sha256, "intact": True, "members": len(members)})
        return
    typer.echo(f"Every one of {len(members)} files is as it was recorded. `revisit replay` repeats the computation.")
    typer.echo(f"sha256 {found.sha256}")
