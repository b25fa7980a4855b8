"""A series as plain values: series.json, the rows of series.csv, tracks.geojson and the manifest."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shapely.geometry import mapping

from detect.chain import Step
from imagery.burn import outline
from revisit.manifest import ATTRIBUTION, software
from revisit.plain import iso_time, rounded
from revisit.series_dates import Look
from revisit.series_recipe import series_command, series_table
from revisit.series_result import ChangeRecord, Followed, Gap, SeriesResult, TrackSeries, ZoneDate
from revisit.series_words import MEANING, honest_line, zone_lines
from revisit.symbols import SIMULATED

SCHEMA = "revisit/series/1"
COLUMNS = (
    "zone", "kind", "sensor", "track", "acquired", "scene", "state", "reason", "valid_share", "objects_least",
    "objects_likely", "objects_most", "large_likely", "arrived", "left", "longest_stay_days", "vessels_found",
    "vessels_least", "vessels_most", "berth", "berth_probability", "anomaly", "odd",
)  # fmt: skip
"""Of series.csv."""


def _scene(look: Look) -> dict[str, Any]:
    """Return a pass and what became of it."""
    scene, record = look.scene, look.record
    offset = record.offset if record else None
    return {
        "id": scene.id,
        "acquired": iso_time(scene.acquired),
        "platform": scene.platform,
        "source": scene.source,
        "href": scene.href,
        "processing_baseline": scene.processing_baseline,
        "role": "date" if look.within else "baseline",
        "state": look.state,
        "reason": look.reason,
        "valid_share": {zone: rounded(share, 4) for zone, share in look.shares.items()},
        "offset": dict(offset) if isinstance(offset, Mapping) else offset,
        "shift_px": None if look.alignment is None else [rounded(v, 4) for v in look.alignment.shift_px],
        "standard_error_px": (
            None if look.alignment is None else [rounded(v, 4) for v in look.alignment.standard_error_px]
        ),
        "sha256": record.sha256 if record else None,
    }


def _step(step: Step | None, times: tuple[datetime, ...]) -> dict[str, Any] | None:
    """Return the dates between which a change lies."""
    if step is None:
        return None
    return {
        "after": iso_time(times[step.last]),
        "before": iso_time(times[step.first]),
        "confidence": rounded(step.confidence, 4),
    }


def _stay(visit: Any, times: tuple[datetime, ...]) -> dict[str, Any]:
    """Return the shortest and the longest time that a stay may have taken, days."""
    least = times[visit.last] - times[visit.first]
    most = None
    if visit.arrival is not None and visit.departure is not None:
        most = (times[visit.departure.first] - times[visit.arrival.last]).total_seconds() / 86_400
    return {"least": rounded(least.total_seconds() / 86_400, 2), "most": rounded(most, 2)}


def plain_track(item: Followed, one: TrackSeries) -> dict[str, Any]:
    """Return an object's place with its visits."""
    track, times = item.track, one.stack.times
    return {
        "id": item.id,
        "sensor": one.stack.sensor,
        "track": one.stack.track,
        "zone": item.zone,
        "also_in": list(item.also),
        "length_m": rounded(item.length_m, 1),
        "width_m": rounded(item.width_m, 1),
        "large": item.large,
        "sense": track.sense,
        "p_value": rounded(track.place.p_value, 6),
        "chance_real": rounded(track.chance, 4),
        "visits": [
            {
                "first_seen": iso_time(times[visit.first]),
                "last_seen": iso_time(times[visit.last]),
                "arrival": _step(visit.arrival, times),
                "departure": _step(visit.departure, times),
                "stay_days": _stay(visit, times),
            }
            for visit in track.visits
        ],
        "dates": [
            {"acquired": iso_time(moment), "shown": bool(shown), "probability": rounded(float(taken), 4)}
            for moment, shown, taken in zip(times, track.shown, track.taken, strict=True)
        ],
    }


def _bound(value: float) -> float | None:
    """Return an end of an interval; None where it cannot be told."""
    return None if math.isnan(value) else rounded(value, 2)


def _row(row: ZoneDate, result: SeriesResult) -> dict[str, Any]:
    """Return a zone on one pass by the columns of the table."""
    one = result.series[row.series].stack
    objects: tuple[int | None, ...] = row.objects or (None, None, None)
    vessels = row.vessels
    return {
        "zone": row.zone,
        "kind": row.kind,
        "sensor": one.sensor,
        "track": one.track,
        "acquired": iso_time(row.acquired),
        "scene": row.scene,
        "state": "seen" if row.seen else "gap",
        "reason": row.reason,
        "valid_share": rounded(row.share, 4),
        "objects_least": objects[0],
        "objects_likely": objects[1],
        "objects_most": objects[2],
        "large_likely": row.large,
        "arrived": row.arrived,
        "left": row.left,
        "longest_stay_days": rounded(row.longest_stay_days, 2),
        "vessels_found": vessels.found if vessels else None,
        "vessels_least": _bound(vessels.low) if vessels else None,
        "vessels_most": _bound(vessels.high) if vessels else None,
        "berth": row.berth,
        "berth_probability": rounded(row.berth_chance, 4),
        "anomaly": rounded(row.anomaly, 3),
        "odd": row.odd if row.seen else None,
    }


def _change(change: ChangeRecord, result: SeriesResult) -> dict[str, Any]:
    """Return an arrival or departure."""
    heard = []
    for number, testimony in change.heard.items():
        other = result.series[number]
        heard.append(
            {
                "sensor": other.stack.sensor,
                "track": other.stack.track,
                "says": testimony.witness,
                "dates": [iso_time(other.stack.times[k]) for k in testimony.dates],
                "object": None if testimony.track is None else other.objects[testimony.track].id,
            }
        )
    one = result.series[change.series].stack
    return {
        "object": change.object.id,
        "zone": change.object.zone,
        "sensor": one.sensor,
        "track": one.track,
        "kind": change.kind,
        "after": iso_time(change.after),
        "before": iso_time(change.before),
        "confidence": rounded(change.confidence, 4),
        "p_value": rounded(change.object.track.place.p_value, 6),
        "heard": heard,
    }


def _gap(gap: Gap, result: SeriesResult) -> dict[str, Any]:
    one = result.series[gap.series].stack
    return {
        "zone": gap.zone,
        "sensor": one.sensor,
        "track": one.track,
        "start": iso_time(gap.start),
        "end": iso_time(gap.end),
        "reason": gap.reason,
    }


def _track_record(one: TrackSeries) -> dict[str, Any]:
    """Return a sensor's track as a whole."""
    return {
        "sensor": one.stack.sensor,
        "track": one.stack.track,
        "dates": len(one.stack.used),
        "passes": len(one.stack.looks),
        "expected_false_places": rounded(one.scan.expected_false, 3) if one.scan else None,
        "complete": one.stack.complete,
        "obstacle": one.obstacle,
        "berths": {name: berth.reason for name, berth in one.berths.items() if berth.reason},
    }


def series_record(result: SeriesResult) -> dict[str, Any]:
    """Return series.json; docs/series.md says what each key means."""
    recipe = result.recipe
    return {
        "schema": SCHEMA,
        "area": result.ground.aoi.name,
        "from": recipe.start.isoformat(),
        "to": recipe.end.isoformat(),
        "simulated": result.simulated,
        "notice": SIMULATED if result.simulated else ATTRIBUTION,
        "complete": result.complete,
        "summary": honest_line(result),
        "meaning": MEANING,
        "tracks": [_track_record(one) for one in result.series],
        "zones": [{"name": name, "kind": kind, "text": zone_lines(name, result)} for name, kind in result.zones],
        "changes": [_change(change, result) for change in result.changes],
        "objects": [plain_track(item, one) for one in result.series for item in one.objects],
        "gaps": [_gap(gap, result) for gap in result.gaps],
        "rows": [_row(row, result) for row in result.rows],
        "warnings": list(result.warnings),
    }


def series_csv(result: SeriesResult) -> str:
    """Return one row for each zone, pass and track; what a gap does not show is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in result.rows:
        values = _row(row, result)
        writer.writerow({name: _cell(values[name]) for name in COLUMNS})
    return out.getvalue()


def _cell(value: object) -> object:
    """Return a value as a cell: no formula, whatever a zone is called."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _geometry(item: Followed, result: SeriesResult) -> Any:
    """Return the outline of an object's pixels, longitude and latitude."""
    rows, cols = item.track.place.pixels
    return mapping(outline(rows - result.margin, cols - result.margin, result.ground.grid))


def track_collection(result: SeriesResult) -> dict[str, Any]:
    """Return tracks.geojson: one Feature for each object's place, with its visits."""
    features = [
        {"type": "Feature", "id": item.id, "geometry": _geometry(item, result), "properties": plain_track(item, one)}
        for one in result.series
        for item in one.objects
    ]
    return {
        "type": "FeatureCollection",
        "notice": SIMULATED if result.simulated else ATTRIBUTION,
        "features": features,
    }


def series_manifest(result: SeriesResult, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the manifest: what was asked, every scene with its fate and hash, and the outputs with theirs.

    Parameters
    ----------
    result
        The series.
    files
        SHA-256 of the other files by name.
    """
    grid = result.ground.grid
    return {
        "schema": SCHEMA,
        "command": series_command(result.recipe),
        "recipe": series_table(result.recipe),
        "area": {"name": result.ground.aoi.name, "geometry": mapping(result.ground.aoi.geometry)},
        "grid": {"crs": grid.crs, "transform": list(grid.transform)[:6], "shape": list(grid.shape), "gsd_m": grid.gsd},
        "simulated": result.simulated,
        "complete": result.complete,
        "tracks": [
            {**_track_record(one), "bands": list(one.stack.bands), "scenes": [_scene(look) for look in one.stack.looks]}
            for one in result.series
        ],
        "files": dict(files),
        "attribution": None if result.simulated else ATTRIBUTION,
        "software": software(),
        "warnings": list(result.warnings),
        "exchange": dict(result.exchange) if result.exchange is not None else None,
        "timings_s": dict(result.timings_s),
    }
