"""Flags as GeoJSON and as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from shapely.geometry import mapping

from revisit.runs import SavedFlag, SavedRun

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a cell that begins with one of these for a formula."""
COLUMNS = (
    "id", "change", "scale", "zone", "lon", "lat", "length_m", "width_m", "orientation_deg", "area_m2", "contrast",
    "p_value", "false_alarms", "candidates", "sensor", "before", "after", "scenes", "notes", "area", "notice",
    "agrees_with", "likelihood_ratio", "combined_likelihood_ratio", "contrast_unit",
)  # fmt: skip
CONTRAST_UNITS = {"s2": "reflectance", "s1": "ln of the ratio of power"}
"""In which `contrast` is counted: after minus before of optical, after over before of radar."""


def guarded(value: object) -> object:
    """Return a cell that no spreadsheet runs: texts that begin like a formula get a leading quote, numbers stay."""
    if not isinstance(value, str):
        return value
    plain = "".join(char if char.isprintable() else " " for char in value)
    return f"'{plain}" if plain.startswith(_FORMULA) or value.startswith(_FORMULA) else plain


def candidates_text(values: Mapping[str, Any]) -> str:
    """Return a flag's candidates as a text such as "Il-76 0.7; Tu-154 0.2"."""
    return "; ".join(f"{one['name']} {one['likelihood']}" for one in values.get("candidates") or [])


def flag_row(flag: SavedFlag, run: SavedRun) -> dict[str, Any]:
    """Return a flag as one row of plain values, by `COLUMNS`."""
    middle = flag.geometry.representative_point()
    values = flag.properties
    lists = {key: "; ".join(map(str, values.get(key) or [])) for key in ("scenes", "notes", "agrees_with")}
    own = {"lon": round(middle.x, 6), "lat": round(middle.y, 6), "area": run.name, "notice": run.notice}
    unit = CONTRAST_UNITS.get(str(values.get("sensor")))
    row = {**values, **lists, **own, "candidates": candidates_text(values), "contrast_unit": unit}
    return {column: row.get(column) for column in COLUMNS}


def as_csv(run: SavedRun) -> bytes:
    """Return the flags as comma-separated values: UTF-8 with the mark by which spreadsheets know it, formulas inert."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for flag in run.flags:
        writer.writerow([guarded(value) for value in flag_row(flag, run).values()])
    return buffer.getvalue().encode("utf-8-sig", errors="replace")


def as_geojson(run: SavedRun) -> bytes:
    """Return the flags as an RFC 7946 FeatureCollection with all their properties."""
    features = [
        {
            "type": "Feature",
            "id": flag.id,
            "geometry": mapping(flag.geometry),
            "properties": {**flag.properties, "area": run.name, "notice": run.notice},
        }
        for flag in run.flags
    ]
    document = {"type": "FeatureCollection", "features": features}
    return (json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", errors="replace")
