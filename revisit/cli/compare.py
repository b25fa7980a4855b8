"""`revisit compare`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revisit.cli.terminal import meter, print_json, tell, warn
from revisit.errors import CHANGED, SOURCE_FAILED, UsageError
from revisit.journal import journal
from revisit.recipe import Recipe, read_table, recipe_from
from revisit.sources import Access

if TYPE_CHECKING:
    from imagery.sources.base import Source
    from revisit.result import Result

Area = Annotated[
    str | None, typer.Argument(metavar="AREA", help="A built-in site's name, or an area file.", show_default=False)
]
Before = Annotated[str | None, typer.Option(help="Day of the earlier scene, such as 2024-12-07.", show_default=False)]
After = Annotated[str | None, typer.Option(help="Day of the later scene.", show_default=False)]
Sensor = Annotated[
    str | None, typer.Option(help="auto (both, as far as there are dates), s2 or s1.", show_default="auto")
]
From = Annotated[
    str | None,
    typer.Option(
        "--source",
        help="auto, earth-search, planetary-computer, sentinel-hub, folder:PATH or demo.",
        show_default="auto",
    ),
]
Within = Annotated[int | None, typer.Option(help="Days that a scene may lie from its day.", show_default="10")]
Baseline = Annotated[
    int | None,
    typer.Option(
        help="Most earlier dates from which the noise of unchanged ground is learned; 0 compares two dates alone.",
        show_default="20",
    ),
]
Alarms = Annotated[
    float | None,
    typer.Option(
        "--false-alarms",
        help="Flags that chance alone may give per km2 of searched ground, both scales and all sensors together.",
        show_default="1.0",
    ),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option("--recipe", help="TOML file with any of these; options given override it.", show_default=False),
]
Offline = Annotated[bool, typer.Option("--offline", help="Ask nobody: only what was fetched before.")]
MaxUnits = Annotated[
    float | None,
    typer.Option(help="Processing units of Sentinel Hub that the run may spend.", show_default="no limit"),
]
FailOnChange = Annotated[bool, typer.Option("--fail-on-change", help="Exit with 1 when a change is flagged.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder of the run.", show_default="runs/AREA_BEFORE_AFTER")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the manifest and the flags as JSON.")]


def make_recipe(file: Path | None, options: dict[str, object]) -> Recipe:
    """Return the recipe of a file and of the options that were given, which override it.

    Raises
    ------
    UsageError
        Where something is wrong or missing.
    """
    table = read_table(file) if file else {}
    table |= {key: value for key, value in options.items() if value is not None}
    missing = [name for name in ("area", "before", "after") if name not in table]
    if missing:
        words = {"area": "AREA", "before": "--before DAY", "after": "--after DAY"}
        raise UsageError(f"{', '.join(words[name] for name in missing)} missing; see `revisit compare --help`")
    return recipe_from(table)


def run_and_write(
    recipe: Recipe, folder: Path | None, *, source: Source | None = None, access: Access | None = None
) -> tuple[Result, Path]:
    """Check where the run will go, run it, write it, and say on the way what is done and what is doubtful."""
    from revisit.outputs import check_target, default_folder, write_run
    from revisit.pipeline import run
    from revisit.unfinished import write_unfinished
    from revisit.watched import UnfinishedRunError

    if folder:
        check_target(folder)
    # The area's own name is known only when it has been read; until then a job is known by what was asked.
    known_as = folder or default_folder(Path(recipe.area).stem, str(recipe.before), str(recipe.after))
    with journal(known_as, tell) as note:
        try:
            result = run(recipe, source=source, access=access, progress=note)
        except UnfinishedRunError as error:
            place = folder or default_folder(error.area, str(recipe.before), str(recipe.after))
            if written := write_unfinished(recipe, error, place):
                tell(f"{written}/run.json says what was read and what is missing")
            raise
        target = folder or default_folder(result.aoi.name, str(recipe.before), str(recipe.after))
        note(f"writing {target}")
        write_run(result, target)
    for warning in result.warnings:
        warn(warning)
    return result, target


def _print(result: Result, folder: Path, *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        from revisit.flags import flag_properties
        from revisit.manifest import manifest

        flags = [flag_properties(flag, part) for flag, part in result.each_flag()]
        print_json({"folder": str(folder), "run": manifest(result), "flags": flags})
        return
    from revisit.digest import digest

    typer.echo(digest(result, folder))


def compare(  # noqa: PLR0913, PLR0917 - the command line's options, one a parameter
    area: Area = None,
    before: Before = None,
    after: After = None,
    sensor: Sensor = None,
    source: From = None,
    within: Within = None,
    baseline: Baseline = None,
    false_alarms: Alarms = None,
    recipe: RecipeFile = None,
    offline: Offline = False,
    max_units: MaxUnits = None,
    fail_on_change: FailOnChange = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Compare two dates of a place and flag what changed on the ground.

    Exit codes: 0 done, 1 done and --fail-on-change saw a change, 2 wrong input, 3 a source failed, 4 no usable pair.

    Example: revisit compare khmeimim --before 2024-11-30 --after 2024-12-20
    """
    options: dict[str, object] = {
        "area": area,
        "before": before,
        "after": after,
        "sensor": sensor,
        "source": source,
        "within_days": within,
        "baseline": baseline,
        "false_alarms_per_km2": false_alarms,
    }
    access = Access(offline=offline, most_units=max_units, watch=meter)
    result, folder = run_and_write(make_recipe(recipe, options), out, access=access)
    _print(result, folder, as_json=as_json)
    if not result.complete:
        raise typer.Exit(SOURCE_FAILED)
    if fail_on_change and result.flags:
        raise typer.Exit(CHANGED)
