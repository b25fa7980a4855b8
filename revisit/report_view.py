"""What the report shows, as plain texts and numbers: the template does no arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from revisit.ground import AREA, ROUGH_OUTLINE_M
from revisit.mapframe import Line, bar_length, chip_window, metres, outline, projected_lines
from revisit.report_map import box_of, flag_box, zone_boxes
from revisit.result import Flag, Result, SceneRecord
from revisit.symbols import SCALE_WORDS, SIGN_MARKS, labelled, strength_step
from revisit.wording import by_chance, contrast_words, decimals, flag_notes, number, percent, shift_left, stamp

MOST_CHIPS = 200
"""Flags that are shown one by one; the table names all."""

_LIKELIEST = 2
"""Classes that a row of the table names; the flag's card names all."""
_CHIP_SIDE = 200
"""Screen pixels of a chip of a small object, at most."""


def svg_path(lines: tuple[Line, ...]) -> str:
    """Return lines as the data of an SVG path, to a tenth of a pixel."""
    parts = []
    for line in lines:
        points = " ".join(f"{x:.4g},{y:.4g}" if max(x, y) < 1000 else f"{x:.1f},{y:.1f}" for x, y in line)
        parts.append(f"M{points}")
    return "".join(parts)


def _candidates(flag: Flag, most: int | None = None) -> str:
    """Return the classes that a flag's size and contrast agree with, `most` of them by name."""
    named = [f"{candidate.name} ({number(candidate.likelihood, 2)})" for candidate in flag.object.candidates]
    more = len(named[most:]) if most else 0
    return (", ".join(named[:most]) or "none named") + (f" and {more} more" if more else "")


def _chip(flag: Flag, result: Result) -> dict[str, Any]:
    """Return the part of the picture around a flag and the size at which it is shown."""
    window = chip_window(flag.object, result.grid)
    side = max(window.width, window.height)
    # Large objects may take more of the screen, so that their pixels can still be told apart.
    zoom = max(_CHIP_SIDE // side, 2 if side <= _CHIP_SIDE else 1)
    bar = bar_length(window.width * result.grid.gsd / 2.5)
    return {
        "box": box_of(window),
        "zoom": zoom,
        "left": window.col,
        "bottom": window.row + window.height,
        "cols": window.width,
        "rows": window.height,
        "width": window.width * zoom,
        "height": window.height * zoom,
        "bar_px": round(bar / result.grid.gsd, 3),
        "bar": metres(bar),
    }


def flag_view(flag: Flag, result: Result) -> dict[str, Any]:
    """Return what is shown of a flag."""
    item = flag.object
    rings = outline(item)
    return {
        "id": flag.id,
        "label": labelled(flag.id, item.change),
        "change": item.change,
        "scale": item.scale,
        "scale_words": SCALE_WORDS[item.scale],
        "zone": flag.zone,
        "size": f"{number(item.length_m, 1)} x {number(item.width_m, 1)}",
        "orientation": number(item.orientation_deg, 1),
        "area": number(item.area_m2),
        "contrast": contrast_words(item.contrast, result.sensor),
        "statistic": number(item.statistic),
        "times": f"{item.strength:.1f}",
        "p": number(item.p_value, 2) if result.change.calibrated else "uncalibrated",
        "false_alarms": number(item.false_alarms, 2) if result.change.calibrated else "uncalibrated",
        "candidates": _candidates(flag),
        "likeliest": _candidates(flag, _LIKELIEST),
        "notes": flag_notes(flag, result),
        "strength": strength_step(item),
        "path": svg_path(rings),
        "box": flag_box(flag),
        "chip": _chip(flag, result),
        "like": None,
    }


def zone_views(result: Result) -> list[dict[str, Any]]:
    """Return what is shown of the zones: how much of each was valid, and how well its outline is known."""
    return [
        {
            "name": zone.name,
            "kind": zone.kind,
            "valid": percent(result.valid_share.get(f"zone {AREA}" if zone.name == AREA else zone.name)),
            "accuracy": "not stated" if zone.accuracy_m is None else f"{zone.accuracy_m:g} m",
            "rough": zone.accuracy_m is None or zone.accuracy_m >= ROUGH_OUTLINE_M,
            "source": zone.source,
            "path": svg_path(projected_lines(zone.geometry, result.grid)),
            "box": box,
        }
        for zone, box in zip(result.aoi.zones, zone_boxes(result), strict=True)
    ]


def _offset(offset: float | Mapping[str, float] | None) -> str:
    """Return a radiometric offset, by band where the bands differ."""
    if offset is None:
        return "none"
    if isinstance(offset, Mapping):
        return ", ".join(f"{band} {value:g}" for band, value in offset.items())
    return f"{offset:g}"


def scene_view(record: SceneRecord, result: Result) -> dict[str, str]:
    """Return what is shown of a scene."""
    scene = record.scene
    orbit = "not known" if scene.relative_orbit is None else str(scene.relative_orbit)
    shifts = [row for row in result.alignments if row.scene_id == scene.id]
    return {
        "id": scene.id,
        "role": record.role,
        "acquired": stamp(scene.acquired),
        "platform": " ".join(part for part in (scene.platform, scene.level) if part) or "not known",
        "orbit": f"{orbit} {scene.direction}" if scene.direction else orbit,
        "baseline": scene.processing_baseline or "not known",
        "offset": _offset(record.offset),
        "valid": percent(record.valid_share),
        "shift": "; ".join(", ".join(f"{round(px, 2) + 0.0:+.2f}" for px in r.shift_px) for r in shifts) or "none",
        "error": "; ".join(", ".join(decimals(e, 3) for e in r.standard_error_px) for r in shifts) or "none",
        "sha256": record.sha256[:12],
        "source": scene.source,
    }


def recipe_view(result: Result) -> dict[str, str]:
    """Return the recipe as names and values."""
    values = {field.name: getattr(result.recipe, field.name) for field in fields(result.recipe)}
    return {
        name.replace("_", " "): "the sensor's own" if value is None else str(value) for name, value in values.items()
    }


def key_figures(result: Result) -> list[dict[str, str]]:
    """Return the few numbers that a reader takes along: each with its name and what it hangs on."""
    chance = number(by_chance(result), 2)
    measured = all(part.change.calibrated for part in result.parts)
    signs = [flag.object.change for flag in result.flags]
    parts = [f"{signs.count(sign)} {sign}" for sign in SIGN_MARKS if sign in signs]
    moved = [row for row in result.alignments if row.scene_id in result.after.scene_ids]
    shift = math.hypot(*moved[-1].shift_px) if moved else None
    dates = "optical dates" if result.other else "dates"
    fate = "left as it is" if moved and shift_left(moved[-1], result) else "taken out"
    return [
        {"name": "Flags", "value": str(len(signs)), "note": ", ".join(parts) or "nothing reached the threshold"},
        {
            "name": "By chance alone",
            "value": f"about {chance}",
            "note": "measured on earlier dates" if measured else "asked for; uncalibrated, may be more",
        },
        {
            "name": "Searched",
            "value": f"{number(result.searched_km2)} km²",
            "note": f"{percent(result.searched_valid_share)} of the searched ground is valid on both {dates}",
        },
        {
            "name": f"Shift between the {dates}",
            "value": "not known" if shift is None else f"{shift:.2f} px",
            "note": "not measured" if shift is None else f"{shift * result.grid.gsd:.1f} m, {fate}",
        },
        {
            "name": "Pixel",
            "value": f"{result.grid.gsd:g} m",
            "note": f"{result.grid.width} x {result.grid.height} pixels",
        },
    ]
