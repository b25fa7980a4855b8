"""`revisit import`: loose rasters to a folder of scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from revisit.cli.terminal import tell
from revisit.errors import UsageError

SENSORS = ("s2", "s1")
DIRECTIONS = ("ascending", "descending")

Files = Annotated[list[Path], typer.Argument(metavar="FILES...", help="GeoTIFF or JPEG 2000 files.", exists=False)]
Sensor = Annotated[str, typer.Option(help="s2 or s1.")]
Day = Annotated[str, typer.Option("--date", help="Day or UTC time, such as 2024-12-07 or 2024-12-07T08:20:00Z.")]
Bands = Annotated[str, typer.Option(help="Names in the order of FILES and of the bands in them, such as B02,B03.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder; scenes add up in it.")]
Scale = Annotated[float | None, typer.Option(help="Physical value = number x scale + offset.", show_default=False)]
Offset = Annotated[float | None, typer.Option(help="See --scale; -0.1 for raw baseline 04.00.", show_default=False)]
Nodata = Annotated[float | None, typer.Option(help="Number that means nothing.", show_default="what the files say")]
Platform = Annotated[str | None, typer.Option(help="Such as sentinel-2a.", show_default=False)]
Orbit = Annotated[int | None, typer.Option(help="Relative orbit.", show_default=False)]
Direction = Annotated[str | None, typer.Option(help="ascending or descending.", show_default=False)]
Baseline = Annotated[str | None, typer.Option("--processing-baseline", help="Such as 05.11.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace a scene of the same sensor, time and ground.")]


def _check_choice(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Refuse a word that is none of the choices."""
    if value is not None and value not in choices:
        raise UsageError(f"{name} {value!r} is not known; give {' or '.join(choices)}")


def import_scenes(  # noqa: PLR0913, PLR0917 - the command line's options, one a parameter
    files: Files,
    sensor: Sensor,
    day: Day,
    bands: Bands,
    out: Out,
    scale: Scale = None,
    offset: Offset = None,
    nodata: Nodata = None,
    platform: Platform = None,
    orbit: Orbit = None,
    direction: Direction = None,
    processing_baseline: Baseline = None,
    force: Force = False,
) -> None:
    """Make a scene out of the loose rasters of one acquisition, for `--source folder:DIR`.

    The numbers and their grid stay as they are; what they mean is written beside them. Prints the path of the Item.

    Example: revisit import B02.tif B03.tif --bands B02,B03 --sensor s2 --date 2017-10-03 --scale 1e-4 --offset 0 -o DIR
    """
    _check_choice("--sensor", sensor, SENSORS)
    _check_choice("--direction", direction, DIRECTIONS)
    from imagery.importer import Acquisition, import_rasters, parse_date

    acquired, day_only = parse_date(day)
    about = Acquisition(
        sensor=sensor,
        acquired=acquired,
        day_only=day_only,
        scale=scale,
        offset=offset,
        nodata=nodata,
        platform=platform,
        relative_orbit=orbit,
        direction=direction,
        processing_baseline=processing_baseline,
    )
    names = [name.strip() for name in bands.split(",") if name.strip()]
    tell(f"importing {', '.join(names)} of {acquired:%Y-%m-%d}")
    typer.echo(import_rasters(files, names, about=about, out=out, force=force))
