"""`revisit detectability`: what could have been seen of a place on two dates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revisit.cli.compare import After, Alarms, Area, AsJson, Baseline, Before, From, Within
from revisit.cli.terminal import meter, print_json, tell, warn
from revisit.errors import SOURCE_FAILED, UsageError
from revisit.recipe import Recipe, parse_date, recipe_from

if TYPE_CHECKING:
    from detect.detectability import ClassDetectability
    from imagery.sources.base import Source
    from revisit.result import Result

Day = Annotated[
    str | None,
    typer.Option("--date", help="One day, held against the scene before it, instead of two.", show_default=False),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder to keep the run in.", show_default="nothing is written")
]
Least = Annotated[int, typer.Option("--placements", help="Objects of a class per kind of ground and direction.", min=1)]
HEADS = ("object", "Pd appeared", "Pd vanished", "by chance", "")
NOT_OBSERVABLE = "not observable"
Offline = Annotated[bool, typer.Option("--offline", help="Ask nobody: only what was fetched before.")]


def _check_days(day: str | None, before: str | None, after: str | None) -> None:
    """Refuse anything but one day or two."""
    two = before is not None and after is not None
    if two != (day is None) or (day is not None and (before is not None or after is not None)):
        raise UsageError("give either --date DAY, or both --before DAY and --after DAY")


def _recipe(source: Source, options: dict[str, object], day: date | None) -> Recipe:
    """Return the recipe of two days, or of one and of the scene before it."""
    given = {key: value for key, value in options.items() if value is not None}
    if day is None:
        return recipe_from(given)
    from aoi.formats import load_area
    from revisit.detectability import scene_before

    draft = recipe_from(given | {"before": day, "after": day})
    earlier = scene_before(source, load_area(draft.area), day, within_days=draft.within_days)
    tell(f"{day} is held against the scene before it, of {earlier}")
    return recipe_from(given | {"before": earlier, "after": day})


def _share(row: ClassDetectability) -> str:
    """Return a probability with its interval."""
    return "-" if math.isnan(row.pd) else f"{row.pd:.2f} ({row.low:.2f} to {row.high:.2f})"


def _cells(rows: list[ClassDetectability]) -> tuple[str, ...]:
    """Return the cells of one class on one kind of ground: appeared, then vanished."""
    known = [row.blank_rate for row in rows if not math.isnan(row.blank_rate)]
    chance = f"{sum(known) / len(known):.2f}" if known else "-"
    unseen = [row.direction for row in rows if not row.observable and row.placements]
    verdict = f"{NOT_OBSERVABLE}{'' if len(unseen) == len(rows) else f' when {unseen[0]}'}" if unseen else ""
    return rows[0].object, *(_share(row) for row in rows), chance, verdict


def _ground_lines(ground: str, rows: list[ClassDetectability]) -> Iterator[str]:
    """Yield what could have been seen on one kind of ground."""
    from revisit.digest import table

    yield f"{ground}:{f' {rows[0].reason}' if rows[0].reason else ''}"
    if not rows[0].placements:
        return
    names = dict.fromkeys(row.object for row in rows)
    yield from (f"  {line}" for line in table([HEADS, *(_cells([r for r in rows if r.object == n]) for n in names)]))
    least = {row.direction: row.least_contrast_area_m2 for row in rows}
    told = [f"{value:.0f} m2 {direction}" for direction, value in least.items() if not math.isnan(value)]
    if told:
        yield f"  half are seen from a contrast times area of {', '.join(told)}"


def _lines(result: Result) -> Iterator[str]:
    """Yield what could have been seen, and what that holds for."""
    from revisit.wording import why_uncalibrated

    rate, reason = result.recipe.false_alarms_per_km2, why_uncalibrated(result)
    yield f"What could have been seen on {result.before.acquired.date()} and {result.after.acquired.date()},"
    yield f"at {rate:g} false alarms per km2 ({'calibrated' if reason is None else f'uncalibrated: {reason}'}):"
    for ground in dict.fromkeys(row.ground for row in result.detectability):
        yield ""
        yield from _ground_lines(ground, [row for row in result.detectability if row.ground == ground])


def _keep(result: Result, folder: Path | None) -> None:
    """Write the run where that is asked for, and say what is doubtful."""
    from revisit.outputs import write_run

    if folder:
        tell(f"writing {folder}")
        write_run(result, folder)
    for warning in result.warnings:
        warn(warning)


def _print(result: Result, *, as_json: bool) -> None:
    """Print what could have been seen."""
    if not as_json:
        typer.echo("\n".join(_lines(result)))
        return
    from revisit.plain import iso_time
    from revisit.seen import detectability_table

    acquired = {"before": iso_time(result.before.acquired), "after": iso_time(result.after.acquired)}
    print_json({"area": result.aoi.name} | acquired | detectability_table(result))


def detectability(  # noqa: PLR0913, PLR0917 - the command line's options, one a parameter
    area: Area = None,
    day: Day = None,
    before: Before = None,
    after: After = None,
    source: From = None,
    within: Within = None,
    baseline: Baseline = None,
    false_alarms: Alarms = None,
    placements: Least = 120,
    offline: Offline = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Measure what could have been seen of a place: each class of object is put into its images and looked for.

    The objects appear, or vanish, on each kind of ground of the area; Pd is the share of them that is flagged, with its
    95 % interval. What chance flags in the same places stands beside it.

    Example: revisit detectability khmeimim --before 2024-12-07 --after 2024-12-17 --source folder:scenes
    """
    if area is None:
        raise UsageError("AREA missing; see `revisit detectability --help`")
    _check_days(day, before, after)
    from detect.detectability import THOROUGH
    from revisit.outputs import check_target
    from revisit.pipeline import run
    from revisit.sources import Access, open_source

    if out:
        check_target(out)
    options: dict[str, object] = {
        "area": area,
        "before": before,
        "after": after,
        # The objects are put into optical images; `compare` measures what radar would have seen.
        "sensor": "s2",
        "source": source,
        "within_days": within,
    }
    options |= {"baseline": baseline, "false_alarms_per_km2": false_alarms}
    wanted = None if day is None else parse_date(day, "--date")
    plan = replace(THOROUGH, placements=placements)
    with open_source(source or "auto", Access(offline=offline, watch=meter)) as opened:
        result = run(_recipe(opened.source, options, wanted), source=opened.source, progress=tell, plan=plan)
    _keep(result, out)
    _print(result, as_json=as_json)
    if not result.complete:
        raise typer.Exit(SOURCE_FAILED)
