"""`revisit area define` and `revisit area show`: make an area file, and say what an area is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revisit.cli.terminal import print_json, tell
from revisit.errors import UsageError, one_line

if TYPE_CHECKING:
    from aoi import AOI
    from revisit.runs import SavedRun

area_app = typer.Typer(help="Define an area, or show what it is.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="Of the area; the file is named after it.")]
BBox = Annotated[tuple[float, float, float, float] | None, typer.Option(metavar="W S E N", help="A box, degrees.")]
Centre = Annotated[tuple[float, float] | None, typer.Option("--point", metavar="LON LAT", help="A point, degrees.")]
Radius = Annotated[str | None, typer.Option(help="Around --point, such as 4km or 500m.")]
Source = Annotated[Path | None, typer.Option("--file", help="GeoJSON, KML, GeoPackage or WKT.")]
Layer = Annotated[str | None, typer.Option(help="Of a GeoPackage that has several.")]
Wkt = Annotated[str | None, typer.Option(help="A POLYGON or MULTIPOLYGON in longitude and latitude.")]
Draw = Annotated[bool, typer.Option("--draw", help="Draw the outline and zones in a browser; alone, it needs --over.")]
Over = Annotated[
    Path | None, typer.Option(help="Folder of runs whose newest picture is drawn on.", show_default="runs, where it is")
]
Basemap = Annotated[Path | None, typer.Option(metavar="FILE", help="A GeoTIFF of your own to draw on instead.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file where it exists.")]
Area = Annotated[str, typer.Argument(metavar="AREA", help="A built-in site's name, or an area file.")]
Png = Annotated[Path | None, typer.Option(help="Write a map picture here.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_HEADINGS = ("zone", "kind", "km2", "good to", "source of the outline")


def _check_choice(given: dict[str, object], *, radius: str | None, layer: str | None) -> None:
    """Refuse anything but one way to say where, and options that belong to another way."""
    used = [option for option, value in given.items() if value is not None]
    if len(used) != 1:
        found = " and ".join(used) if used else "none"
        raise UsageError(f"say where by exactly one of {', '.join(given)}; given: {found}")
    if (used[0] == "--point") != (radius is not None):
        raise UsageError("--point LON LAT and --radius belong together, such as --point 15.96 29.20 --radius 4km")
    if layer is not None and used[0] != "--file":
        raise UsageError(f"--layer {layer!r} belongs to --file with a GeoPackage")


def _free_path(name: str, *, force: bool) -> Path:
    """Return the file that an area of that name goes to."""
    from aoi.names import clean_name, slug

    path = Path(f"{slug(clean_name(name, 'the name of the area'))}.geojson")
    if path.exists() and not force:
        raise UsageError(f"{path} exists; --force overwrites it, another NAME leaves it")
    return path


def _runs(over: Path | None) -> list[SavedRun]:
    """Return the runs whose pictures may be drawn on; none where nobody said and there is no folder `runs`."""
    from revisit.runs import find_runs

    folder = over or Path("runs")
    return find_runs(folder)[0] if over or folder.is_dir() else []


def _newest_area(over: Path | None, name: str) -> AOI:
    """Return the ground of the newest run as a new area."""
    from aoi.names import clean_name
    from revisit.viewer.draw import area_of_run

    runs = _runs(over)
    if not runs:
        raise UsageError("--draw alone draws on the newest picture of --over DIR, and there is no run; or say where")
    newest = max(runs, key=lambda run: run.acquired("after"))
    return area_of_run(newest, clean_name(name, "the name of the area"))


def _draw(aoi: AOI, path: Path, over: Path | None, own: Path | None) -> None:
    """Serve the page on which an area is drawn, until Ctrl-C; the file is written when the reader saves."""
    from revisit.cli.view import chosen_port
    from revisit.viewer.draw import Drawing, backdrop, basemap, make_drawing_app
    from revisit.viewer.server import ADDRESS, new_token, serve

    port, token = chosen_port(None), new_token()

    def ready() -> None:
        typer.echo(f"http://{ADDRESS}:{port}/{token}/")
        tell(f"open this address in a browser of this machine and draw; Save writes {path}, Ctrl-C ends")

    sheet = basemap(own.resolve(), aoi) if own else backdrop(aoi, _runs(over))
    drawing = Drawing(aoi, sheet, path, lambda saved: tell(f"{path}: {len(saved.zones)} zones"))
    serve(make_drawing_app(drawing, token=token, port=port), port, ready)


@area_app.command("define")
def define(  # noqa: PLR0913 - the command line's options, one a parameter
    name: Name,
    *,
    bbox: BBox = None,
    point: Centre = None,
    radius: Radius = None,
    file: Source = None,
    layer: Layer = None,
    wkt: Wkt = None,
    draw: Draw = False,
    over: Over = None,
    basemap: Basemap = None,
    force: Force = False,
) -> None:
    """Write NAME.geojson, an area for the other commands, into the current folder.

    Longitude comes before latitude; west and south are negative.

    Example: revisit area define al-jufra --point 15.96 29.20 --radius 4km

    Example: revisit area define montreal --bbox -73.6 45.45 -73.5 45.55

    Example: revisit area define depot --file plan.gpkg --layer outlines

    Example: revisit area define apron --draw --over runs
    """
    ways: dict[str, object] = {"--bbox": bbox, "--point": point, "--file": file, "--wkt": wkt}
    alone = draw and not any(value is not None for value in (*ways.values(), radius, layer))
    if over is not None and not draw:
        raise UsageError("--over belongs to --draw")
    if basemap is not None and not draw:
        raise UsageError("--basemap belongs to --draw")
    if not alone:
        _check_choice(ways, radius=radius, layer=layer)
    from aoi import formats
    from aoi.geojson import write_area
    from revisit.areafacts import area_facts, where

    path = _free_path(name, force=force)
    aoi: AOI
    if alone:
        _draw(_newest_area(over, name), path, over, basemap)
        return
    if bbox is not None:
        aoi = formats.area_from_bbox(name, *bbox)
    elif point is not None and radius is not None:
        aoi = formats.area_from_point(name, *point, formats.parse_radius(radius))
    elif file is not None:
        aoi = formats.read_area(file, layer=layer, name=name)
    else:
        aoi = formats.area_from_wkt(name, wkt or "")
    if draw:
        _draw(aoi, path, over, basemap)
        return
    write_area(aoi, path)
    tell(f"{aoi.name}: {where(area_facts(aoi))}; {len(aoi.zones)} zones")
    typer.echo(path)


def _cells(zone: dict[str, Any]) -> tuple[str, ...]:
    """Return a zone's row of the table."""
    accuracy = "not stated" if zone["accuracy_m"] is None else f"{zone['accuracy_m']:g} m"
    return one_line(zone["name"]), zone["kind"], f"{zone['km2']:.3f}", accuracy, one_line(zone["source"])


def _table(facts: dict[str, Any]) -> list[str]:
    """Return the lines of the table of zones; the last column is as long as it is."""
    rows = [_HEADINGS, *(_cells(zone) for zone in facts["zones"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    return [
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])) for row in rows
    ]


def _lines(facts: dict[str, Any]) -> list[str]:
    """Return what `area show` prints."""
    from revisit.areafacts import degrees

    lon, lat = facts["centre"]
    across, along = facts["size_km"]
    lines = [
        one_line(facts["name"]),
        f"centre  {degrees(lon, lat)}  (longitude {lon:.5f}, latitude {lat:.5f})",
        f"size    {across:.2f} x {along:.2f} km (east-west x north-south), {facts['km2']:.2f} km2",
        f"UTM     {facts['utm_zone']}, EPSG:{facts['epsg']}",
        f"tiles   {' '.join(facts['tiles'])}  (MGRS squares whose Sentinel-2 granules touch it)",
    ]
    if not facts["zones"]:
        return [*lines, "zones   none: the whole area is searched"]
    return [*lines, f"zones   {len(facts['zones'])}, {facts['searched_km2']:.2f} km2 searched", "", *_table(facts)]


def _write_map(aoi: AOI, path: Path) -> None:
    from revisit.areamap import area_map

    try:
        area_map(aoi).save(path, format="PNG")
    except OSError as error:
        raise UsageError(f"the map cannot be written to {path}: {error.strerror or error}") from error
    tell(f"map: {path}")


@area_app.command("show")
def show(area: Area, png: Png = None, json: Json = False) -> None:
    """Show where an area is, how large, which tiles hold it, and its zones with the accuracy of their outlines.

    Example: revisit area show khmeimim --png khmeimim.png
    """
    from aoi.formats import load_area
    from revisit.areafacts import area_facts

    aoi = load_area(area)
    facts = area_facts(aoi)
    if png is not None:
        _write_map(aoi, png)
    if json:
        print_json(facts)
    else:
        typer.echo("\n".join(_lines(facts)))
