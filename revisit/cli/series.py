"""`revisit series`: activity per zone over all dates and both sensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revisit.cli.terminal import meter, print_json, tell, warn
from revisit.errors import SOURCE_FAILED
from revisit.journal import journal
from revisit.sources import Access

if TYPE_CHECKING:
    from revisit.series_result import SeriesResult

Area = Annotated[str, typer.Argument(metavar="AREA", help="A built-in site's name, or an area file.")]
From = Annotated[str, typer.Option("--from", help="First day, such as 2024-10-01.")]
To = Annotated[str, typer.Option("--to", help="Last day, included.")]
Sensor = Annotated[str, typer.Option(help="auto (both), s2 or s1.")]
Source = Annotated[
    str,
    typer.Option("--source", help="auto, earth-search, planetary-computer, sentinel-hub, folder:PATH or demo."),
]
Baseline = Annotated[
    int,
    typer.Option(
        help="Dates of a track that teach what is usual; where the window holds fewer, earlier ones are read."
    ),
]
Alarms = Annotated[
    float,
    typer.Option(
        "--false-alarms", help="Places that chance alone may show as changed, per km2 over all dates of a track."
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Ask nobody: only what was fetched before.")]
MaxUnits = Annotated[
    float | None,
    typer.Option(help="Processing units of Sentinel Hub that the run may spend.", show_default="no limit"),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder of the series.", show_default="runs/AREA_series_FROM_TO")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print series.json instead of the summary.")]


def _print(result: SeriesResult, folder: Path, *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        from revisit.series_plain import series_record

        print_json({"folder": str(folder), **series_record(result)})
        return
    from revisit.series_words import series_digest

    typer.echo(series_digest(result, str(folder)))


def series(  # noqa: PLR0913 - the command line's options, one a parameter
    area: Area,
    *,
    first: From,
    last: To,
    sensor: Sensor = "auto",
    source: Source = "auto",
    baseline: Baseline = 12,
    false_alarms: Alarms = 0.5,
    offline: Offline = False,
    max_units: MaxUnits = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Follow what came and went in each zone of an area over all dates and both sensors, and when.

    Exit codes: 0 done, 2 wrong input, 3 a source failed or answered in part, 4 imagery insufficient.

    Example: revisit series khmeimim --from 2024-10-01 --to 2024-12-31
    """
    from revisit.recipe import parse_date
    from revisit.series import run_series
    from revisit.series_outputs import check_series_folder, default_folder, write_series
    from revisit.series_recipe import SeriesRecipe

    recipe = SeriesRecipe(
        area=area,
        start=parse_date(first, "--from"),
        end=parse_date(last, "--to"),
        sensor=sensor,
        source=source,
        baseline=baseline,
        false_places_per_km2=false_alarms,
    )
    if out:
        check_series_folder(out)
    known_as = out or default_folder(Path(area).stem, str(recipe.start), str(recipe.end))
    access = Access(offline=offline, most_units=max_units, watch=meter)
    with journal(known_as, tell) as note:
        result = run_series(recipe, access=access, progress=note)
        target = out or default_folder(result.ground.aoi.name, str(recipe.start), str(recipe.end))
        note(f"writing {target}")
        write_series(result, target)
    for warning in result.warnings:
        warn(warning)
    _print(result, target, as_json=as_json)
    if not result.complete:
        raise typer.Exit(SOURCE_FAILED)
