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

    The SHA-256 that is printed names the whole pack: compare it with the one that was published beside it. A time stamp
    beside the pack (PACK.tsr) must be for this pack; whose signature it bears is for `openssl ts -verify` to say.

    Example: revisit verify dossier/evidence.zip
    """
    from revisit.pack import verify_pack
    from revisit.plain import iso_time
    from revisit.stamping import SUFFIX, check_stamp

    found = verify_pack(pack)
    stamp = check_stamp(pack, found.sha256)
    members = found.manifest["members"]
    if as_json:
        told = {"pack": str(pack), "sha256": found.sha256, "intact": True, "members": len(members)}
        print_json(told | ({"time_stamp": iso_time(stamp.moment), "signature_checked": False} if stamp else {}))
        return
    typer.echo(f"Every one of {len(members)} files is as it was recorded. `revisit replay` repeats the computation.")
    typer.echo(f"sha256 {found.sha256}")
    if stamp:
        typer.echo(
            f"A time stamp for this pack states {stamp.moment:%Y-%m-%d %H:%M:%S} UTC. Its signature is not checked"
        )
        typer.echo(f"here: openssl ts -verify -data {pack} -in {pack}{SUFFIX} -CAfile CERTIFICATES-OF-THE-SERVER")
