"""`revisit rfi`: interference records of the radar passes over a place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revisit.cli.terminal import print_json, warn
from revisit.errors import UsageError

if TYPE_CHECKING:
    from revisit.interference import Interference

Area = Annotated[str, typer.Argument(metavar="AREA", help="A built-in site's name, or an area file.")]
From = Annotated[str, typer.Option("--from", help="First day, such as 2022-10-01.")]
To = Annotated[str, typer.Option("--to", help="Last day, included.")]
Source = Annotated[str, typer.Option("--source", help="folder:PATH with Sentinel-1 .SAFE folders.")]
Picture = Annotated[Path | None, typer.Option("--png", help="Write a plot over time here.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _print(found: Interference) -> None:
    """Print the dated table and what it means."""
    from revisit.digest import table
    from revisit.interference import CAVEATS

    rows = [("passes by (UTC)", "satellite", "polarisation", "over the area", "elsewhere", "mitigation")]
    rows += [
        (
            f"{one.first:%Y-%m-%d %H:%M:%S}",
            one.platform,
            one.polarisation,
            str(one.detections),
            str(one.elsewhere),
            one.mitigation,
        )
        for one in found.records
    ]
    for line in table(rows):
        typer.echo(line)
    for name in found.without:
        typer.echo(f"{name}: no record, so nothing is known")
    typer.echo("")
    for line in CAVEATS:
        typer.echo(line)


def rfi(
    area: Area,
    *,
    first: From,
    last: To,
    source: Source,
    png: Picture = None,
    as_json: AsJson = False,
) -> None:
    """List the interference that Sentinel-1 products recorded while they flew by an area, by their own annotation.

    Example: revisit rfi khmeimim --from 2024-12-01 --to 2024-12-31 --source folder:products
    """
    from aoi.formats import load_area
    from revisit.interference import find_interference, plain_interference
    from revisit.recipe import parse_date

    kind, _, path = source.partition(":")
    if kind != "folder" or not Path(path).expanduser().is_dir():
        raise UsageError(f"--source {source!r}: interference is read from products on disk; give folder:PATH")
    days = parse_date(first, "--from"), parse_date(last, "--to")
    if days[0] > days[1]:
        raise UsageError(f"--from {first} is later than --to {last}: exchange them")
    found = find_interference(Path(path).expanduser(), load_area(area), days)
    if png:
        from revisit.interference_plot import write_plot

        write_plot(found, png)
    if as_json:
        print_json(plain_interference(found))
    else:
        _print(found)
    for line in found.skipped:
        warn(line)
