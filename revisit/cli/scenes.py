"""`revisit scenes`: what imagery of a place there is, and what would be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from revisit.cli.terminal import meter, print_json, tell, warn
from revisit.errors import SOURCE_FAILED, UsageError

if TYPE_CHECKING:
    from revisit.listing import Listing, Pass

Area = Annotated[str, typer.Argument(metavar="AREA", help="A built-in site's name, or an area file.")]
From = Annotated[str, typer.Option("--from", help="First day, such as 2024-11-28.")]
To = Annotated[str, typer.Option("--to", help="Last day, included.")]
Sensor = Annotated[str, typer.Option(help="s2 or s1.")]
Source = Annotated[
    str, typer.Option("--source", help="auto, earth-search, planetary-computer, sentinel-hub or folder:PATH.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Ask nobody: only what was fetched before.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_HEADINGS = ("pass (UTC)", "satellite", "orbit", "tile", "baseline", "covers", "clear", "source", "")


def _percent(share: float | None) -> str:
    """Return a share as text, never rounding something up to everything."""
    return "-" if share is None else f"{int(share * 100)} %"


def _row(listed: Pass, roles: dict[str, str]) -> tuple[str, ...]:
    """Return one line of the table."""
    scene = listed.scene
    orbit = "-" if scene.relative_orbit is None else f"{scene.relative_orbit}{(scene.direction or ' ')[0].strip()}"
    return (
        f"{scene.acquired:%Y-%m-%d %H:%M:%S}",
        scene.platform or "-",
        orbit,
        "+".join(part.tile or "?" for part in (scene, *scene.parts)) if scene.tile else "-",
        scene.processing_baseline or "-",
        _percent(listed.coverage),
        _percent(listed.clear),
        scene.source,
        roles.get(scene.id, ""),
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows as lines of equal columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _print_table(listing: Listing) -> None:
    """Print who had what, the passes, and what would be compared."""
    for asked in listing.found.asked:
        state = "answered completely" if asked.complete else "did not answer completely"
        typer.echo(f"{asked.name}: {asked.scenes} scene(s), {state}{f'; {asked.note}' if asked.note else ''}")
    choice = listing.choice
    roles = {choice.before.id: "before", choice.after.id: "after"} if choice else {}
    if listing.passes:
        for line in _aligned([_HEADINGS, *(_row(listed, roles) for listed in listing.passes)]):
            typer.echo(line)
    else:
        typer.echo("no pass was found" if listing.found.complete else "no pass was found; absence is not proved")
    if listing.reasons:
        typer.echo(f"{len(listing.reasons)} more file(s) of the same passes left out; --json says why")
    for reason in choice.reasons if choice else ():
        typer.echo(f"compare would take {reason}")
    if listing.refusal:
        typer.echo(f"compare would refuse: {listing.refusal}")
    for line in (*listing.found.warnings, *listing.problems, *(choice.warnings if choice else ())):
        warn(line)


def scenes(
    area: Area,
    *,
    first: From,
    last: To,
    sensor: Sensor = "s2",
    source: Source = "auto",
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """List the passes over an area, with cloud and coverage over the area itself, and what would be compared.

    Orbits end in a (ascending) or d (descending). "clear" is the share of the searched ground that is valid.

    Example: revisit scenes khmeimim --from 2024-11-28 --to 2024-12-22
    """
    from aoi.formats import load_area
    from aoi.geometry import grid_for
    from revisit.ground import lay_out
    from revisit.listing import list_scenes, plain_listing
    from revisit.pipeline import GSD_M
    from revisit.recipe import SENSORS, parse_date
    from revisit.sources import Access, open_source

    days = parse_date(first, "--from"), parse_date(last, "--to")
    if days[0] > days[1]:
        raise UsageError(f"--from {first} is later than --to {last}: exchange them")
    if sensor not in SENSORS or sensor == "auto":
        raise UsageError(f"--sensor {sensor!r}: choose s2 or s1")
    aoi = load_area(area)
    ground = lay_out(aoi, grid_for(aoi, GSD_M))
    with open_source(source, Access(offline=offline, watch=meter)) as opened:
        listing = list_scenes(
            opened.source, aoi, days, grid=ground.grid, searched=ground.searched, sensor=sensor, progress=tell
        )
    if as_json:
        print_json(plain_listing(listing))
    else:
        _print_table(listing)
    if not listing.found.complete:
        raise typer.Exit(SOURCE_FAILED)
