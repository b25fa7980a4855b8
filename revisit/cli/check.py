"""`revisit check`: published claims held against imagery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revisit.cli.terminal import meter, print_json, tell, warn
from revisit.errors import SOURCE_FAILED, UsageError, one_line
from revisit.sources import Access, open_source

if TYPE_CHECKING:
    from revisit.check import Dossier

STAMP_S = 60.0
"""How long a server of time stamps is waited for, with all repeats."""

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
Stamp = Annotated[
    str | None,
    typer.Option(
        "--timestamp", metavar="URL", help="A server of time stamps (RFC 3161): gets the pack's SHA-256, nothing else."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")]


def _check_stamp_url(url: str | None, *, offline: bool) -> None:
    """Refuse an address that is none before anything is fetched."""
    if url is None:
        return
    if offline:
        raise UsageError("--timestamp asks a server, and --offline asks nobody: leave one of them out")
    from imagery.addresses import parse_origin, reach_of
    from imagery.errors import AddressError
    from imagery.exchange import Hosts

    try:
        reach_of(url, Hosts(suffixes=(), configured=(str(parse_origin(url)),)))
    except AddressError as error:
        raise UsageError(f"--timestamp: {error}") from error


def _print_pdf(dossier: Dossier, folder: Path) -> None:
    """Leave the report on paper as well; without it a check is no worse."""
    from revisit.dossier_pdf import write_pdf

    try:
        write_pdf(dossier, folder)
    except (UsageError, OSError) as error:
        warn(f"no report.pdf: {one_line(str(error))}")


def _stamped(pack: Path, url: str | None) -> bool:
    """Ask for a time stamp of the pack, where one is wanted; return False where it could not be had."""
    if url is None:
        return True
    from imagery.errors import ImageryError
    from imagery.http import Client, Patience
    from revisit.stamping import stamp_file

    try:
        with Client(patience=Patience(request_s=STAMP_S)) as client:
            found = stamp_file(pack, url, send=client.send)
    except ImageryError as error:
        tell(f"revisit: the pack has no time stamp: {one_line(str(error))}. The check itself is whole")
        return False
    tell(f"time stamp: {found.moment:%Y-%m-%d %H:%M:%S} UTC, in {pack.name}.tsr; its signature was not checked here")
    return True


def check(  # noqa: PLR0917 - the command line's options, one a parameter
    claims: ClaimsFile,
    source: From = "auto",
    offline: Offline = False,
    max_units: MaxUnits = None,
    out: Out = None,
    timestamp: Stamp = None,
    as_json: AsJson = False,
) -> None:
    """Hold published claims against imagery: a verdict for each, with reasons, one report and an evidence pack.

    Exit codes: 0 done, 2 wrong input, 3 a source failed or answered in part, or the time stamp could not be had.

    Example: revisit check syria-2024-12 -o dossier
    """
    from revisit.check import check_claims
    from revisit.claims import load_claims
    from revisit.dossier import PACK, check_folder, dossier_folder, plain_verdict, write_dossier
    from revisit.dossier_text import dossier_text
    from revisit.recording import RecordingSource

    loaded = load_claims(claims)
    target = out or Path("checks") / loaded.name
    check_folder(target)
    _check_stamp_url(timestamp, offline=offline)
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
        _print_pdf(dossier, folder)
        stamped = sha256 is None or _stamped(folder / PACK, timestamp)
        for note in opened.notes():
            warn(note)
    if as_json:
        print_json({"folder": str(target), "sha256": sha256, "verdicts": list(map(plain_verdict, dossier.verdicts))})
    else:
        typer.echo(dossier_text(dossier, target, sha256))
    if dossier.failure:
        tell(f"revisit: {one_line(dossier.failure)}")
    if not dossier.complete or not stamped:
        raise typer.Exit(SOURCE_FAILED)
