"""What the map of the report needs: pictures as parts of the page, places, labels that do not collide."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from PIL import Image

from aoi import Grid
from aoi.geometry import to_lonlat
from revisit.likeness import likeness
from revisit.mapframe import Window, bar_length, metres, outline, projected_lines
from revisit.picture import (
    Shades,
    Stretch,
    both_dates,
    png_bytes,
    second_bands,
    shades,
    shared_stretch,
    statistic_shades,
)
from revisit.result import Flag, Result
from revisit.symbols import labelled
from revisit.wording import attribution

_LOSSLESS_MOST = 2_500_000
"""Bytes of an exact picture; beyond it the report takes a compressed one and says so."""
_FALSE_LOSSLESS_MOST = 700_000
"""The same of a false-colour picture, which is there for a second look."""
_PRINTED_WIDTH = 480
"""Screen pixels of a picture that does not move, by which its labels are kept apart."""
_LETTER, _LINE = 8.5, 18.0
"""Width of a letter and height of a label, screen pixels."""
_KNOTS = 9
"""Places along each side of the grid to which the map's longitudes and latitudes are fitted."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """A flag's label on the picture that does not move."""

    text: str
    sign: str
    x: float
    y: float
    hidden: bool
    """True: a stronger flag's label stands there."""


def data_uri(kind: str, content: bytes) -> str:
    """Return a picture as a part of the page."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def embedded(picture: Shades, description: str, lossless_most: int = _LOSSLESS_MOST) -> tuple[str, bool]:
    """Return a colour picture as a part of the page, and whether it is exact."""
    image = Image.fromarray(picture)
    exif = Image.Exif()
    exif[0x010E] = description
    for options in ({"lossless": True, "quality": 20}, {"quality": 90}):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", method=4, exif=exif, **options)
        if buffer.tell() <= lossless_most:
            break
    return data_uri("webp", buffer.getvalue()), "lossless" in options


def _false_colour(result: Result) -> dict[str, Any] | None:
    """Return both dates in false colour, or in both polarisations; None where a band for it was not compared."""
    bands = second_bands(result.before)
    if bands is None:
        return None
    stretch = shared_stretch((result.before, result.after), bands)
    dates = {"before": result.before, "after": result.after}
    words = attribution(result)
    uris = {role: embedded(shades(raster, stretch), words, _FALSE_LOSSLESS_MOST)[0] for role, raster in dates.items()}
    name = "polarisations" if stretch.decibels else "false colour"
    return {**uris, "stretch": stretch.description, "name": name}


def _both(result: Result, stretch: Stretch) -> str | None:
    """Return both dates of a radar run in one picture."""
    if not stretch.decibels:
        return None
    both = both_dates(result.before, result.after, stretch)
    return embedded(both, attribution(result), _FALSE_LOSSLESS_MOST)[0]


def pictures(result: Result) -> dict[str, Any]:
    """Return the pictures of the page, one pixel of the grid a pixel, and how they were made.

    Those that not every run has (false colour or polarisations, both dates in one, the span of a grey scale) are None.
    """
    stretch = shared_stretch((result.before, result.after))
    words = attribution(result)
    before, exact_before = embedded(shades(result.before, stretch), words)
    after, exact_after = embedded(shades(result.after, stretch), words)
    maps = {
        name: data_uri("png", png_bytes(statistic_shades(scale), words))
        for name, scale in (("object", result.change.objects), ("area", result.change.areas))
    }
    return {
        "before": before,
        "after": after,
        "statistic": maps,
        "false": _false_colour(result),
        "both": _both(result, stretch),
        "span": [f"{edge[0]:.0f} dB" for edge in (stretch.low, stretch.high)] if stretch.decibels else None,
        "exact": exact_before and exact_after,
        "stretch": stretch.description,
    }


def likeness_view(flag: Flag, result: Result, stretch: Stretch) -> dict[str, Any] | None:
    """Return the picture of a known object at the flag's place; None where there is no model of how it would look."""
    drawn = likeness(flag, result, stretch)
    if drawn is None:
        return None
    buffer = io.BytesIO()
    Image.fromarray(drawn.picture).save(buffer, "WEBP", lossless=True, quality=40, method=4)
    return {
        "name": drawn.name,
        "role": drawn.role,
        "sensor": result.sensor,
        "assumed": None if drawn.cross_section_m2 is None else f"{float(f'{drawn.cross_section_m2:.2g}'):g}",
        "box": box_of(drawn.window),
        "left": drawn.window.col,
        "top": drawn.window.row,
        "cols": drawn.window.width,
        "rows": drawn.window.height,
        "href": data_uri("webp", buffer.getvalue()),
    }


def box_of(window: Window) -> str:
    """Return a part of the grid as an SVG's viewBox."""
    return f"{window.col} {window.row} {window.width} {window.height}"


def labels(result: Result) -> list[Label]:
    """Return the flags' labels at their outlines' upper right corners, the weaker hidden where two would collide."""
    width, height = result.grid.width, result.grid.height
    unit = width / _PRINTED_WIDTH
    kept: list[tuple[float, float, float]] = []
    found = []
    for flag in result.flags:
        text = labelled(flag.id, flag.object.change)
        points = np.concatenate(outline(flag.object))
        wide, high = (_LETTER * len(text) + 4) * unit, _LINE * unit
        x = min(max(float(points[:, 0].max()), 0.0), max(width - wide, 0.0))
        y = min(max(float(points[:, 1].min()), high), float(height))
        hidden = any(x < right and left < x + wide and abs(line - y) < high for left, right, line in kept)
        if not hidden:
            kept.append((x, x + wide, y))
        found.append(Label(text=text, sign=flag.object.change, x=round(x, 2), y=round(y, 2), hidden=hidden))
    return found


def _powers(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the terms (n, 6) of a surface of second degree."""
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)


def place_terms(grid: Grid) -> str:
    """Return, as JSON, the terms by which a page turns (column, row) into longitude and latitude.

    `[[6 of longitude], [6 of latitude]]` for 1, u, v, u², uv, v² with u = column / width and v = row / height. Over
    20 km the surface is good to centimetres, over 300 km to some tens of metres.
    """
    u, v = (part.ravel() for part in np.meshgrid(np.linspace(0, 1, _KNOTS), np.linspace(0, 1, _KNOTS)))
    west, _, _, north = grid.bounds
    placed = np.stack([west + u * grid.width * grid.gsd, north - v * grid.height * grid.gsd], axis=1)
    places = shapely.get_coordinates(to_lonlat(shapely.MultiPoint(placed), grid.crs))
    terms, *_ = np.linalg.lstsq(_powers(u, v), places, rcond=None)
    return json.dumps([[round(float(value), 9) for value in column] for column in terms.T])


def zone_boxes(result: Result) -> Iterator[str]:
    """Yield the box of each zone in pixels of the grid, as "left top right bottom"; empty for one outside it."""
    for zone in result.aoi.zones:
        lines = projected_lines(zone.geometry, result.grid)
        points = np.concatenate(lines) if lines else np.empty((0, 2))
        edges = [*points.min(axis=0), *points.max(axis=0)] if len(points) else []
        yield " ".join(f"{edge:.1f}" for edge in edges)


def flag_box(flag: Flag) -> str:
    """Return the box of a flag's outline in pixels of the grid, as "left top right bottom"."""
    points = np.concatenate(outline(flag.object))
    return " ".join(f"{edge:g}" for edge in [*points.min(axis=0), *points.max(axis=0)])


def scale_bar(result: Result) -> dict[str, Any]:
    """Return the scale bar in the lower left corner of the large pictures."""
    grid = result.grid
    length = bar_length(grid.width * grid.gsd / 4)
    x, y = round(grid.width * 0.02, 2), round(grid.height - grid.width * 0.02, 2)
    path = f"M{x},{y}h{length / grid.gsd:.2f}"
    return {"path": path, "words": metres(length), "x": x, "y": round(y - grid.width * 0.012, 2)}
