"""`revisit survey`: one comparison of many areas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revisit.cli.compare import Alarms, Baseline, FailOnChange, From, MaxUnits, Offline, Sensor, Within, make_recipe
from revisit.cli.terminal import meter, print_json, tell
from revisit.errors import CHANGED, DONE, INSUFFICIENT, SOURCE_FAILED, one_line
from revisit.sources import Access

if TYPE_CHECKING:
    from revisit.survey import Surveyed

AreasFile = Annotated[Path, typer.Argument(metavar="AREAS", help="GeoJSON file with any number of areas.")]
Before = Annotated[str, typer.Option(help="Day of the earlier scene, such as 2024-12-07.")]
After = Annotated[str, typer.Option(help="Day of the later scene.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder.", show_default="surveys/AREAS_BEFORE_AFTER")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")]

HEADS = ("area", "outcome", "before", "after", "flags", "by chance", "beyond chance", "valid")


def _cells(row: Surveyed) -> tuple[str, ...]:
    """Return the cells of one area."""
    from revisit.wording import number, percent

    if row.flags is None:
        return one_line(row.area), row.outcome, "-", "-", "-", "-", "-", "-"
    beyond = "not known" if row.beyond_chance is None else f"{row.beyond_chance}"
    days = (row.before or "-")[:10], (row.after or "-")[:10]
    chance, valid = number(row.by_chance, 2), percent(row.valid_share)
    return one_line(row.area), row.outcome, *days, f"{row.flags}", chance, beyond, valid


def _summary(rows: Sequence[Surveyed]) -> list[str]:
    """Return how many areas ended how, and what chance alone would give in all of them together."""
    from revisit.flags import SIMULATED
    from revisit.wording import number, plural

    counts = Counter(row.outcome for row in rows)
    lines = [f"{plural(len(rows), 'area')}: " + ", ".join(f"{count} {name}" for name, count in counts.items())]
    made = [row for row in rows if row.flags is not None]
    flags, chance = sum(row.flags or 0 for row in made), sum(row.by_chance or 0 for row in made)
    if made:
        about = f"about {number(chance, 2)}"
        doubt = any(not row.calibrated for row in made)
        unknown = f"{about} by chance were asked for, but the true number is not known"
        rate = unknown if doubt else f"chance alone would give {about}"
        lines.append(f"{plural(flags, 'change')} flagged in all; {rate}")
    if any(row.simulated for row in made):
        lines.insert(0, SIMULATED)
    return lines


def _print(rows: Sequence[Surveyed], folder: Path) -> None:
    """Print the table, why areas are missing in it, and the sums."""
    from revisit.digest import table

    lines = [*table([HEADS, *map(_cells, rows)]), ""]
    lines += [one_line(f"{row.area}: {row.outcome}: {row.reason}") for row in rows if row.reason]
    typer.echo("\n".join([*lines, *_summary(rows), f"Summary: {folder / 'survey.csv'}, {folder / 'survey.geojson'}"]))


def _code(rows: Sequence[Surveyed], *, fail_on_change: bool) -> int:
    """Return the exit code: what is to be called again comes first, since nothing is forgotten by then."""
    outcomes = {row.outcome for row in rows}
    if outcomes & {"failed", "compared in part"}:
        return SOURCE_FAILED
    if fail_on_change and any(row.flags for row in rows):
        return CHANGED
    return DONE if "compared" in outcomes else INSUFFICIENT


def survey(  # noqa: PLR0913 - the command line's options, one a parameter
    areas: AreasFile,
    *,
    before: Before,
    after: After,
    sensor: Sensor = None,
    source: From = None,
    within: Within = None,
    baseline: Baseline = None,
    false_alarms: Alarms = None,
    offline: Offline = False,
    max_units: MaxUnits = None,
    fail_on_change: FailOnChange = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Make one comparison of many areas, one after the other; called again, it goes on where it was stopped.

    Exit codes: 0 done, 1 done and --fail-on-change saw a change, 2 wrong input, 3 an area failed or was compared in
    part, 4 of no area there is usable imagery.

    Example: revisit survey airfields.geojson --before 2024-12-01 --after 2024-12-20 -o airfields
    """
    from revisit.survey import run_survey
    from revisit.survey_areas import read_areas

    options: dict[str, object] = {
        "area": str(areas),
        "before": before,
        "after": after,
        "sensor": sensor,
        "source": source,
        "within_days": within,
        "baseline": baseline,
        "false_alarms_per_km2": false_alarms,
    }
    recipe = make_recipe(None, options)
    folder = out or Path("surveys") / f"{areas.stem}_{recipe.before}_{recipe.after}"
    access = Access(offline=offline, most_units=max_units, watch=meter)
    loaded = read_areas(areas)
    rows = run_survey(loaded, recipe, folder, access=access, tell=tell, done=lambda row: tell(_told(row)))
    if as_json:
        print_json({"folder": str(folder), "areas": [asdict(row) for row in rows]})
    else:
        _print(rows, folder)
    raise typer.Exit(_code(rows, fail_on_change=fail_on_change))


def _told(row: Surveyed) -> str:
    """Return what came of an area, in one line."""
    return f"{row.area}: {row.outcome}" + (f": {row.reason}" if row.reason else "")
