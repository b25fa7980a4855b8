"""`revisit rfi`: interference in the radar passes over a place, by the products' records and in their images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revisit.cli.terminal import meter, print_json, tell, warn
from revisit.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from aoi import AOI
    from imagery.sources.base import Source
    from revisit.interference import ImageLines, Interference

Area = Annotated[str, typer.Argument(metavar="AREA", help="A built-in site's name, or an area file.")]
From = Annotated[str, typer.Option("--from", help="First day, such as 2022-10-01.")]
To = Annotated[str, typer.Option("--to", help="Last day, included.")]
Images = Annotated[
    str,
    typer.Option(
        "--source",
        help="Where images are: auto, a source's name, or folder:PATH, which may hold .SAFE folders with records too.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Use only what is in the cache.")]
Picture = Annotated[Path | None, typer.Option("--png", help="Write a plot over time here.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _stripes(image: ImageLines | None) -> str:
    """Return the stripes of an image in words."""
    if image is None:
        return "no image"
    at = image.offset_km[image.stripes]
    if not at.size:
        return "none"
    return f"{at.size} lines, {at.min():+.1f} to {at.max():+.1f} km, {image.excess_db[image.stripes].max():.1f} dB"


def _print(found: Interference) -> None:
    """Print the dated table and what it means."""
    from revisit.digest import table
    from revisit.interference import CAVEATS, passes

    head = ("passes by (UTC)", "satellite", "polarisation", "recorded", "elsewhere", "mitigation", "stripes seen")
    rows = [head]
    for one in passes(found):
        record = one.record
        told = ("no record", "-", "-")
        if record is not None:
            told = (str(record.detections), str(record.elsewhere), record.mitigation)
        when = f"{one.when:%Y-%m-%d %H:%M:%S}"
        rows.append((when, one.platform, one.polarisation, *told, _stripes(one.image)))
    for line in table(rows):
        typer.echo(line)
    for name in found.without:
        typer.echo(f"{name}: no record, so nothing is known")
    typer.echo("")
    for line in CAVEATS:
        typer.echo(line)


def _records(source: str, aoi: AOI, days: tuple[date, date]) -> Interference:
    """Return the records of a folder; a source on the network has none."""
    from revisit.interference import Interference, find_interference

    kind, _, path = source.partition(":")
    if kind != "folder":
        return Interference(records=(), without=(), skipped=())
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UsageError(f"--source {source!r}: there is no such folder")
    return find_interference(folder, aoi, days)


def _with_images(records: Interference, source: Source, aoi: AOI, days: tuple[date, date]) -> Interference:
    """Return the records with what the images show; a folder with records alone may hold no image."""
    from imagery.errors import SceneError
    from revisit.interference import find_stripes_in

    try:
        images, skipped = find_stripes_in(source, aoi, days, progress=tell)
    except SceneError:
        # A folder of annotation alone holds no scene.
        images, skipped = (), (f"{source.name} holds no image over {aoi.name} that can be read: records alone",)
    return replace(records, images=images, skipped=(*records.skipped, *skipped))


def rfi(
    area: Area,
    *,
    first: From,
    last: To,
    source: Images = "auto",
    png: Picture = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """List radio interference in the Sentinel-1 passes over an area: as recorded in products, and as stripes in images.

    Records are read from .SAFE folders, images from any source. Interference reaches radar lines as the satellite flies
    by; where across its swath of 250 km the sender stands, this cannot tell.

    Example: revisit rfi khmeimim --from 2024-12-01 --to 2024-12-31 --source folder:products --png rfi.png
    """
    from aoi.formats import load_area
    from imagery.errors import RefusedFileError
    from revisit.interference import plain_interference
    from revisit.recipe import parse_date
    from revisit.sources import Access, open_source

    days = parse_date(first, "--from"), parse_date(last, "--to")
    if days[0] > days[1]:
        raise UsageError(f"--from {first} is later than --to {last}: exchange them")
    aoi = load_area(area)
    records = _records(source, aoi, days)
    with open_source(source, Access(offline=offline, watch=meter)) as opened:
        found = _with_images(records, opened.source, aoi, days)
    if not (found.records or found.without or found.images or records.skipped):
        raise RefusedFileError(f"{source} holds no Sentinel-1 product over {aoi.name} between {days[0]} and {days[1]}")
    if png:
        from revisit.interference_plot import write_plot

        write_plot(found, png)
    if as_json:
        print_json(plain_interference(found))
    else:
        _print(found)
    for line in found.skipped:
        warn(line)
