"""`revisit check`: published claims held against imagery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from revisit.cli.terminal import meter, print_json, tell, warn
from revisit.errors import SOURCE_FAILED, one_line
from revisit.sources import Access, open_source

ClaimsFile = Annotated[
    str, typer.Argument(metavar="CLAIMS", help="A file of claims (TOML), or the built-in syria-2024-12.")
]
From = Annotated[
    str,
    typer.Option("--source", help="auto, earth-search, planetary-computer, sentinel-hub, folder:PATH or demo."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Ask nobody: only what was fetched before.")]
MaxUnits = Annotated[
    float | None,
    typer.Option(help="Processing units of Sentinel Hub that the check may spend.", show_default="no limit"),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the check.", show_default="checks/CLAIMS")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")]


def check(  # noqa: PLR0917 - the command line's options, one a parameter
    claims: ClaimsFile,
    source: From = "auto",
    offline: Offline = False,
    max_units: MaxUnits = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Hold published claims against imagery: a verdict for each, with reasons, one report and an evidence pack.

    Exit codes: 0 done, 2 wrong input, 3 a source failed or answered in part.

    Example: revisit check syria-2024-12 -o dossier
    """
    from revisit.check import check_claims
    from revisit.claims import load_claims
    from revisit.dossier import check_folder, dossier_folder, plain_verdict, write_dossier
    from revisit.dossier_text import dossier_text
    from revisit.recording import RecordingSource

    loaded = load_claims(claims)
    target = out or Path("checks") / loaded.name
    check_folder(target)
    access = Access(offline=offline, most_units=max_units, watch=meter)
    with dossier_folder(target) as folder, open_source(source, access) as opened:
        dossier = check_claims(
            loaded,
            spec=source,
            folder=folder,
            source_of=lambda place: RecordingSource(source=opened.source, folder=place),
            tell=tell,
        )
        sha256 = write_dossier(dossier, folder)
        for note in opened.notes():
            warn(note)
    if as_json:
        print_json({"folder": str(target), "sha256": sha256, "verdicts": list(map(plain_verdict, dossier.verdicts))})
    else:
        typer.echo(dossier_text(dossier, target, sha256))
    if dossier.failure:
        tell(f"revisit: {one_line(dossier.failure)}")
    if not dossier.complete:
        raise typer.Exit(SOURCE_FAILED)
