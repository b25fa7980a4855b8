"""One comparison of many areas: made area by area, kept as each is done, and gone on with after a stop."""

from __future__ import annotations

import csv
import io
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from shapely.geometry import mapping

from aoi import AOI, AOIError
from aoi.geojson import area_as_geojson, write_area
from aoi.names import slug
from detect.errors import DetectError
from imagery.errors import ImageryError, InsufficientImageryError, NoSceneError
from revisit.errors import UsageError
from revisit.export.tables import guarded
from revisit.outputs import check_parent, write_run
from revisit.pipeline import ground_of, run
from revisit.plain import rounded, to_json
from revisit.recipe import Recipe, check_recipe, recipe_table
from revisit.runs import SavedRun, open_run
from revisit.sources import Access, check_source
from revisit.wording import BEYOND_CHANCE

SCHEMA = "revisit/survey/1"
GEOJSON, TABLE, AREAS, RUNS = "survey.geojson", "survey.csv", "areas", "runs"

Outcome = Literal["compared", "compared in part", "no usable imagery", "failed", "not compared yet"]
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    """What came of one area."""

    area: str
    outcome: Outcome
    reason: str | None = None
    """Why it was not compared, or not in full."""
    before: str | None = None
    """When the earlier scene was taken."""
    after: str | None = None
    flags: int | None = None
    beyond_chance: int | None = None
    """Flags of which fewer than 0.1 were to be expected; None while uncalibrated."""
    by_chance: float | None = None
    """Flags that chance alone was asked to give."""
    calibrated: bool | None = None
    searched_km2: float | None = None
    """Valid on both dates."""
    valid_share: float | None = None
    """Of the searched ground, on both dates."""
    simulated: bool | None = None
    run: str | None = None
    """Folder of the run, within the survey's."""


COLUMNS = tuple(field.name for field in fields(Surveyed))


def _recipe_of(recipe: Recipe, aoi: AOI, folder: Path) -> Recipe:
    """Return the recipe of one area: it names the area's own file, so that its run can be repeated by itself."""
    return replace(recipe, area=str(folder / AREAS / f"{slug(aoi.name)}.geojson"))


def _row(saved: SavedRun, folder: Path) -> Surveyed:
    """Return what a run says of its area."""
    told = saved.manifest
    calibrated = bool(told["calibrated"])
    expected = [flag.properties.get("false_alarms") for flag in saved.flags]
    ground = float(told["searched_km2"])
    complete = told.get("complete") is not False
    return Surveyed(
        area=saved.name,
        outcome="compared" if complete else "compared in part",
        reason=None if complete else "the source answered in part: another scene might have been compared",
        before=str(told["before"]),
        after=str(told["after"]),
        flags=len(expected),
        beyond_chance=sum(e is not None and e < BEYOND_CHANCE for e in expected) if calibrated else None,
        by_chance=rounded(float(told["false_alarms_per_km2"]) * ground, 4),
        calibrated=calibrated,
        searched_km2=ground,
        valid_share=told.get("searched_valid_share"),
        simulated=saved.simulated,
        run=f"{saved.folder.relative_to(folder)}",
    )


def _done(recipe: Recipe, aoi: AOI, folder: Path) -> Surveyed | None:
    """Return what an earlier call found, where it asked the same of the same area and got all of it."""
    place, file = folder / RUNS / slug(aoi.name), Path(recipe.area)
    try:
        if file.read_text(encoding="utf-8") != area_as_geojson(aoi):
            return None
        saved = open_run(place)
        row = _row(saved, folder)
        same = dict(saved.manifest["recipe"]) == recipe_table(recipe)
    except (UsageError, OSError, ValueError, KeyError, TypeError):
        return None
    return row if same and row.outcome == "compared" else None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _compared(recipe: Recipe, aoi: AOI, folder: Path, *, access: Access, tell: Tell) -> Surveyed:
    """Compare one area, and write its run; what keeps from that keeps from nothing else."""
    Path(recipe.area).parent.mkdir(parents=True, exist_ok=True)
    write_area(aoi, Path(recipe.area))
    try:
        # From its file, whose corners are rounded: what the manifest says to repeat is what was done.
        result = run(recipe, access=access, progress=tell)
    except (InsufficientImageryError, NoSceneError) as error:
        return Surveyed(area=aoi.name, outcome="no usable imagery", reason=_reason(error))
    except (ImageryError, DetectError, UsageError, AOIError) as error:
        return Surveyed(area=aoi.name, outcome="failed", reason=_reason(error))
    place = folder / RUNS / slug(aoi.name)
    write_run(result, place)
    return _row(open_run(place), folder)


def survey_document(rows: Sequence[Surveyed], areas: Sequence[AOI]) -> dict[str, Any]:
    """Return the summary as an RFC 7946 FeatureCollection: one feature an area."""
    features = [
        {"type": "Feature", "id": row.area, "geometry": mapping(aoi.geometry), "properties": asdict(row)}
        for row, aoi in zip(rows, areas, strict=True)
    ]
    return {"type": "FeatureCollection", "schema": SCHEMA, "features": features}


def survey_table(rows: Sequence[Surveyed]) -> str:
    """Return the summary as a table for spreadsheets: one row an area."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        values = asdict(row)
        writer.writerow(["" if values[name] is None else guarded(values[name]) for name in COLUMNS])
    return text.getvalue()


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    stage = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with stage.open("x", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        stage.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        stage.unlink(missing_ok=True)


def _write(rows: Sequence[Surveyed], areas: Sequence[AOI], folder: Path) -> None:
    """Write both summaries."""
    _replace(folder / GEOJSON, to_json(survey_document(rows, areas)))
    _replace(folder / TABLE, survey_table(rows))


def check_survey(folder: Path) -> None:
    """Refuse a place where no survey may be written.

    Raises
    ------
    UsageError
        With what is in the way.
    """
    if not os.path.lexists(folder):
        check_parent(folder)
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file; choose another folder with -o")
    foreign = sorted({p.name for p in folder.iterdir() if not p.name.startswith(".")} - {GEOJSON, TABLE, AREAS, RUNS})
    if foreign:
        raise UsageError(f"{folder} holds {foreign[0]}, which no survey wrote; choose another folder with -o")


def run_survey(
    areas: Sequence[AOI],
    recipe: Recipe,
    folder: Path,
    *,
    access: Access,
    tell: Tell,
    done: Callable[[Surveyed], None] | None = None,
) -> tuple[Surveyed, ...]:
    """Make one comparison of many areas.

    What an earlier call compared in full, asked the same, is taken from its run; everything else is tried again. Both
    summaries are written anew after each area, so that a call that is killed loses the area it was at and no other.

    Parameters
    ----------
    areas
        Of different names.
    recipe
        What to compare, and how; its `area` does not count.
    folder
        For the summaries, the areas' files and the runs.
    access
        How the network may be used.
    tell
        Told of each step.
    done
        Told of each area when it is done.

    Returns
    -------
    rows
        One an area, in their order.

    Raises
    ------
    UsageError
        Where an area is too large, or something cannot be written.
    """
    check_survey(folder)
    check_recipe(recipe, today=datetime.now(UTC).date())
    check_source(recipe.source)
    for aoi in areas:
        ground_of(aoi)
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    rows = [Surveyed(area=aoi.name, outcome="not compared yet") for aoi in areas]
    for number, aoi in enumerate(areas):
        own = _recipe_of(recipe, aoi, folder)
        row = _done(own, aoi, folder)
        if row is None:
            tell(f"area {number + 1} of {len(areas)}: {aoi.name}")
            row = _compared(own, aoi, folder, access=access, tell=tell)
        rows[number] = row
        _write(rows, areas, folder)
        if done:
            done(row)
    return tuple(rows)
