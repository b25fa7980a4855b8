"""What is told of new changes: the same words on the terminal, in the feed and to the webhook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely.geometry import mapping

from imagery.burn import outline
from revisit.caveats import caveats
from revisit.digest import honest_lines, table
from revisit.errors import one_line
from revisit.flags import SIMULATED, flag_properties
from revisit.manifest import software
from revisit.plain import iso_time, rounded
from revisit.result import Flag, Result
from revisit.seen import seen_line
from revisit.watch_values import SCHEMA_NOTICE, SENSOR_NAMES, SeenPass
from revisit.wording import attribution, by_chance, number, percent, plural, why_uncalibrated

MOST_ROWS = 20
"""Of the table in the text; the payload and the report have all."""
MOST_CLASSES = 3
HEADS = ("flag", "zone", "change", "size", "p", "expected by chance", "consistent with")
UNKNOWN = "not known"


@dataclass(frozen=True, kw_only=True)
class Told:
    """One comparison, sorted into what is new and what is not."""

    id: str
    """Of the notice."""
    result: Result
    before: SeenPass
    after: SeenPass
    new: tuple[Flag, ...]
    again: int
    """Flags of changes that were reported before."""
    run: Path
    """Folder of the run."""
    so_far: tuple[int, float]
    """Comparisons of this area, this one included, and the flags that chance alone was asked to give in all of them."""


def when(one: SeenPass) -> str:
    """Return a pass in words."""
    return f"{one.acquired:%Y-%m-%d %H:%M} UTC"


def orbit_of(one: SeenPass) -> str:
    """Return sensor and orbit in words."""
    orbit = one.scene.relative_orbit
    return SENSOR_NAMES[one.scene.sensor] + (f", orbit {orbit}" if orbit is not None else ", orbit not known")


def headline(told: Told) -> str:
    """Return one line: where, how many, between when and when."""
    mark = "SIMULATED: " if told.result.simulated else ""
    days = f"between {told.before.acquired:%Y-%m-%d} and {told.after.acquired:%Y-%m-%d}"
    return f"{mark}{told.result.aoi.name}: {plural(len(told.new), 'new change')} {days} ({orbit_of(told.after)})"


def _row(flag: Flag) -> tuple[str, ...]:
    """Return the cells of one flag."""
    item = flag.object
    likely = [one.name for one in item.candidates if one.likelihood >= 0.5]
    chance = [UNKNOWN if value is None else number(value, 2) for value in (item.p_value, item.false_alarms)]
    size = f"{item.length_m:.0f} x {item.width_m:.0f} m"
    classes = ", ".join(likely[:MOST_CLASSES]) + (" ..." if len(likely) > MOST_CLASSES else "")
    return flag.id, one_line(flag.zone or "-"), item.change, size, *chance, classes or "-"


def _flag_lines(told: Told) -> list[str]:
    """Return the table of the new flags."""
    more = len(told.new) - MOST_ROWS
    lines = table([HEADS, *map(_row, told.new[:MOST_ROWS])])
    return [*lines, f"... and {more} more, in the report"] if more > 0 else lines


def _count_lines(told: Told) -> list[str]:
    """Return what is known of how many flags are chance: of this comparison, and of all that were made so far."""
    lines = honest_lines(told.result)
    if told.again:
        lines.append(f"{plural(told.again, 'flag')} of them of changes reported before: not told again")
    comparisons, chance = told.so_far
    if comparisons > 1:
        so_far = f"In {comparisons} comparisons of this area so far, about {number(chance, 2)} were asked for by chance"
        lines.append(so_far)
    return lines


def _seen_text(result: Result) -> str:
    """Return what could have been seen."""
    if result.detectability:
        return seen_line(result.detectability)
    return "How small a change would have been seen there was not measured."


def text_of(told: Told) -> list[str]:
    """Return what a person reads, without places on this machine: a feed may be published."""
    result = told.result
    ground = f"{number(result.searched_km2)} km2, {percent(result.searched_valid_share)} of the searched ground"
    body = [
        *([SIMULATED] if result.simulated else []),
        f"{when(told.after)} held against {when(told.before)}; valid on both: {ground}.",
        *_count_lines(told),
        *_flag_lines(told),
        _seen_text(result),
        *(f"Caveat: {one_line(one.head)} {one_line(one.text)}" for one in caveats(result)),
    ]
    return [one_line(headline(told)), *(f"  {line}".rstrip() for line in body)]


def _plain_flag(flag: Flag, result: Result) -> dict[str, Any]:
    """Return a flag as a GeoJSON feature."""
    shape = mapping(outline(flag.object.rows, flag.object.cols, result.grid))
    return {"type": "Feature", "id": flag.id, "geometry": shape, "properties": flag_properties(flag, result)}


def _plain_pass(one: SeenPass) -> dict[str, Any]:
    """Return a pass as plain JSON values."""
    scene = one.scene
    return {
        "scene": scene.id,
        "acquired": iso_time(one.acquired),
        "platform": scene.platform,
        "orbit": scene.relative_orbit,
        "valid_share": rounded(one.share, 4),
    }


def _chances(told: Told) -> dict[str, Any]:
    """Return what is known of chance as plain JSON values."""
    result = told.result
    comparisons, chance = told.so_far
    return {
        "calibrated": result.change.calibrated,
        "why_uncalibrated": why_uncalibrated(result),
        "false_alarms_per_km2": result.recipe.false_alarms_per_km2,
        "by_chance": rounded(by_chance(result), 4),
        "comparisons_so_far": comparisons,
        "by_chance_so_far": rounded(chance, 4),
    }


def notice_of(told: Told) -> Mapping[str, Any]:
    """Return what is told of a comparison with new changes, as plain JSON values.

    A flag that may be chance is told as one: with its p-value, how many such flags chance would give, and what limits
    the whole comparison.
    """
    result = told.result
    return {
        "schema": SCHEMA_NOTICE,
        "id": told.id,
        "title": one_line(headline(told)),
        "simulated": result.simulated,
        "area": result.aoi.name,
        "sensor": told.after.scene.sensor,
        "before": _plain_pass(told.before),
        "after": _plain_pass(told.after),
        "searched_km2": rounded(result.searched_km2, 4),
        "valid_share": rounded(result.searched_valid_share, 4),
        "chance": _chances(told),
        "flags": len(result.flags),
        "seen_again": told.again,
        "new": {"type": "FeatureCollection", "features": [_plain_flag(flag, result) for flag in told.new]},
        "could_be_seen": _seen_text(result),
        "caveats": [f"{one.head} {one.text}" for one in caveats(result)],
        "attribution": attribution(result),
        "run": told.run.name,
        "report": str(told.run / "report.html"),
        "text": text_of(told),
        "software": software(),
    }


def lines_of(payload: Mapping[str, Any]) -> Sequence[str]:
    """Return what a person reads of a notice that was kept."""
    return [str(line) for line in payload["text"]]
