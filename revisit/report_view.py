"""What the report shows, as plain texts and numbers: the template does no arithmetic."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from PIL import Image

from revisit.ground import AREA, ROUGH_OUTLINE_M
from revisit.mapframe import Line, bar_length, chip_window, metres, outline, projected_lines
from revisit.picture import Shades, png_bytes, shades, shared_stretch, statistic_shades
from revisit.result import Flag, Result, SceneRecord
from revisit.symbols import SCALE_WORDS, labelled, strength_step
from revisit.wording import attribution, decimals, flag_notes, number, percent, stamp

MOST_CHIPS = 200
"""Flags that are shown one by one; the table names all."""

_CHIP_SIDE = 240
"""Screen pixels of a chip of a small object, at most."""
_LOSSLESS_MOST = 2_500_000
"""Bytes of an exact picture; beyond it the report takes a compressed one and says so."""


def data_uri(kind: str, content: bytes) -> str:
    """Return a picture as a part of the page."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _embedded(picture: Shades, description: str) -> tuple[str, bool]:
    """Return a colour picture as a part of the page, and whether it is exact."""
    image = Image.fromarray(picture)
    exif = Image.Exif()
    exif[0x010E] = description
    for options in ({"lossless": True, "quality": 20}, {"quality": 90}):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", method=4, exif=exif, **options)
        if buffer.tell() <= _LOSSLESS_MOST:
            break
    return data_uri("webp", buffer.getvalue()), "lossless" in options


def pictures(result: Result) -> dict[str, Any]:
    """Return the pictures of the page, one pixel of the grid a pixel, and how they were made."""
    stretch = shared_stretch((result.before, result.after))
    words = attribution(result)
    before, exact_before = _embedded(shades(result.before, stretch), words)
    after, exact_after = _embedded(shades(result.after, stretch), words)
    maps = {
        name: data_uri("png", png_bytes(statistic_shades(scale), words))
        for name, scale in (("object", result.change.objects), ("area", result.change.areas))
    }
    return {
        "before": before,
        "after": after,
        "statistic": maps,
        "exact": exact_before and exact_after,
        "stretch": stretch.description,
    }


def svg_path(lines: tuple[Line, ...]) -> str:
    """Return lines as the data of an SVG path, to a tenth of a pixel."""
    parts = []
    for line in lines:
        points = " ".join(f"{x:.4g},{y:.4g}" if max(x, y) < 1000 else f"{x:.1f},{y:.1f}" for x, y in line)
        parts.append(f"M{points}")
    return "".join(parts)


def _candidates(flag: Flag) -> str:
    """Return the classes that a flag's size and contrast agree with."""
    named = [f"{candidate.name} ({number(candidate.likelihood, 2)})" for candidate in flag.object.candidates]
    return ", ".join(named) or "none named"


def _chip(flag: Flag, result: Result) -> dict[str, Any]:
    """Return the part of the picture around a flag and the size at which it is shown."""
    window = chip_window(flag.object, result.grid)
    side = max(window.width, window.height)
    # Large objects may take more of the screen, so that their pixels can still be told apart.
    zoom = max(_CHIP_SIDE // side, 2 if side <= _CHIP_SIDE else 1)
    bar = bar_length(window.width * result.grid.gsd / 2.5)
    return {
        "box": f"{window.col} {window.row} {window.width} {window.height}",
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
        "contrast": "not known" if number(item.contrast) == "not known" else f"{item.contrast:+.3f}",
        "statistic": number(item.statistic),
        "times": f"{item.strength:.1f}",
        "p": number(item.p_value, 2) if result.change.calibrated else "uncalibrated",
        "false_alarms": number(item.false_alarms, 2) if result.change.calibrated else "uncalibrated",
        "candidates": _candidates(flag),
        "notes": flag_notes(flag, result),
        "strength": strength_step(item),
        "path": svg_path(rings),
        "x": round(float(max(ring[:, 0].max() for ring in rings)), 2),
        "y": round(float(min(ring[:, 1].min() for ring in rings)), 2),
        "chip": _chip(flag, result),
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
        }
        for zone in result.aoi.zones
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
        "shift": "; ".join(f"{r.shift_px[0]:+.2f}, {r.shift_px[1]:+.2f}" for r in shifts) or "none",
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


def scale_bar(result: Result) -> dict[str, Any]:
    """Return the scale bar in the lower left corner of the large pictures."""
    grid = result.grid
    length = bar_length(grid.width * grid.gsd / 4)
    x, y = round(grid.width * 0.02, 2), round(grid.height - grid.width * 0.02, 2)
    path = f"M{x},{y}h{length / grid.gsd:.2f}"
    return {"path": path, "words": metres(length), "x": x, "y": round(y - grid.width * 0.012, 2)}
