"""A map picture of an area: its outline, its zones in colours of their kinds, a legend, a scale bar and north."""

from __future__ import annotations

from collections.abc import Sequence

import shapely
from PIL import Image, ImageDraw
from shapely.geometry import MultiPolygon, Polygon

from aoi import AOI, Grid, Zone
from aoi.geometry import area_km2, centre, extent_km, grid_for, to_crs, utm_epsg, utm_name
from revisit.drawing import draw_line, drawable, font, shortened
from revisit.mapframe import bar_length, metres, projected_lines

KIND_COLOURS = {
    "apron": "#ddcc77",
    "runway": "#333333",
    "taxiway": "#999999",
    "hardstand": "#cc6677",
    "revetment": "#882255",
    "storage": "#999933",
    "quay": "#aa4499",
    "berth": "#332288",
    "basin": "#88ccee",
    "anchorage": "#44aa99",
    "other": "#117733",
}
"""Paul Tol's "muted" scheme (SRON/EPS/TN/09-002), which the colour-blind tell apart, and two greys."""
ROUGH_M = 100.0
"""From this doubt on an outline is drawn broken."""

_MAP, _PANEL, _MARGIN = 860, 430, 24
"""Longest side of the map, width of the legend, white around both, picture pixels."""
_ROOM = 0.03
"""Of the area's longer side, left free around it."""
_FINE = 2
"""The map is drawn so many times larger and then reduced, for smooth edges."""
_PAPER, _INSIDE, _INK, _QUIET = "#ffffff", "#f4f1ea", "#16191d", "#5a6068"
_OPACITY = 150
_ROW = 42
"""Height of a zone's two lines in the legend."""
_TITLE, _TEXT, _SMALL = 26, 17, 14
"""Sizes of type."""


def _frame(aoi: AOI) -> Grid:
    """Return the ground that the map shows, in pixels of the fine drawing."""
    west, south, east, north = to_crs(aoi.geometry, f"EPSG:{utm_epsg(aoi.geometry)}").bounds
    longest = max(east - west, north - south)
    grid = grid_for(aoi, longest * (1 + 2 * _ROOM) / (_MAP * _FINE))
    return grid.padded(round(_ROOM * _MAP * _FINE))


def _fill(picture: Image.Image, geometry: Polygon | MultiPolygon, grid: Grid, colour: str, opacity: int) -> None:
    """Lay a colour over the ground of a lon/lat geometry, holes left out."""
    inverse = ~grid.transform
    placed = shapely.transform(
        to_crs(geometry, grid.crs), lambda xy: xy * (inverse.a, inverse.e) + (inverse.c, inverse.f)
    )
    mask = Image.new("L", picture.size)
    draw = ImageDraw.Draw(mask)
    for part in shapely.get_parts(placed):
        draw.polygon([tuple(point) for point in part.exterior.coords], fill=opacity)
        for hole in part.interiors:
            draw.polygon([tuple(point) for point in hole.coords], fill=0)
    picture.paste(Image.new("RGB", picture.size, colour), mask=mask)


def _is_rough(zone: Zone) -> bool:
    return zone.accuracy_m is None or zone.accuracy_m >= ROUGH_M


def _draw_ground(aoi: AOI, grid: Grid) -> Image.Image:
    """Return the outline and the zones without any text."""
    picture = Image.new("RGB", (grid.width, grid.height), _PAPER)
    _fill(picture, aoi.geometry, grid, _INSIDE, 255)
    for zone in aoi.zones:
        _fill(picture, zone.geometry, grid, KIND_COLOURS[zone.kind], _OPACITY)
    draw = ImageDraw.Draw(picture)
    for zone in aoi.zones:
        for line in projected_lines(zone.geometry, grid):
            draw_line(draw, line, KIND_COLOURS[zone.kind], width=2 * _FINE, broken=_is_rough(zone))
    for building in aoi.buildings:
        _fill(picture, building.geometry, grid, _INK, 255)
    for line in projected_lines(aoi.geometry, grid):
        draw.line([tuple(point) for point in line.tolist()], fill=_INK, width=2 * _FINE, joint="curve")
    return picture.resize((grid.width // _FINE, grid.height // _FINE), Image.Resampling.LANCZOS)


def _draw_numbers(picture: Image.Image, zones: Sequence[Zone], grid: Grid) -> None:
    draw = ImageDraw.Draw(picture)
    for number, zone in enumerate(zones, 1):
        point = to_crs(zone.geometry, grid.crs).representative_point()
        west, _, _, north = grid.bounds
        scale = grid.gsd * _FINE
        _draw_badge(draw, ((point.x - west) / scale, (north - point.y) / scale), number)


def _draw_badge(draw: ImageDraw.ImageDraw, middle: tuple[float, float], number: int) -> None:
    """Draw a zone's number, white on a dark disc, as it stands on the map and in the legend."""
    x, y = middle
    radius = 11
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_INK, outline=_PAPER)
    draw.text((x, y), str(number), fill=_PAPER, font=font(_SMALL), anchor="mm")


def _draw_scale(draw: ImageDraw.ImageDraw, left: int, base: int, pixel_m: float) -> None:
    """Draw the scale bar and, right of it, an arrow to grid north."""
    length_m = bar_length(0.3 * _MAP * pixel_m)
    right = left + length_m / pixel_m
    draw.line((left, base, right, base), fill=_INK, width=3)
    for x in (left, right):
        draw.line((x, base - 7, x, base + 7), fill=_INK, width=3)
    draw.text(((left + right) / 2, base - 8), metres(length_m), fill=_INK, font=font(_TEXT), anchor="mb")
    tip = right + 60
    draw.polygon([(tip, base - 34), (tip - 9, base + 6), (tip, base - 3), (tip + 9, base + 6)], fill=_INK)
    draw.text((tip + 16, base - 12), "grid north", fill=_INK, font=font(_TEXT), anchor="lm")


def _accuracy(zone: Zone) -> str:
    return "not stated" if zone.accuracy_m is None else f"good to {zone.accuracy_m:g} m"


def _draw_zone_row(draw: ImageDraw.ImageDraw, place: tuple[int, int], number: int, zone: Zone) -> None:
    x, y = place
    draw.rectangle((x, y + 4, x + 34, y + 34), fill=KIND_COLOURS[zone.kind], outline=_INK)
    _draw_badge(draw, (x + 17, y + 19), number)
    room = _PANEL - 46
    draw.text((x + 46, y + 10), shortened(drawable(zone.name), _TEXT, room), fill=_INK, font=font(_TEXT), anchor="lm")
    words = f"{zone.kind}, {area_km2(zone.geometry):.2f} km2, outline {_accuracy(zone)}"
    draw.text((x + 46, y + 30), shortened(words, _SMALL, room), fill=_QUIET, font=font(_SMALL), anchor="lm")


def _heading(aoi: AOI) -> list[str]:
    lon, lat = centre(aoi.geometry)
    across, along = extent_km(aoi.geometry)
    epsg = utm_epsg(aoi.geometry)
    return [
        f"centre {abs(lat):.4f} {'N' if lat >= 0 else 'S'}, {abs(lon):.4f} {'E' if lon >= 0 else 'W'}",
        f"{across:.1f} x {along:.1f} km, {area_km2(aoi.geometry):.1f} km2",
        f"UTM zone {utm_name(epsg)}, EPSG:{epsg}",
    ]


def _draw_panel(draw: ImageDraw.ImageDraw, aoi: AOI, left: int, height: int) -> None:
    """Write what the area is and what its zones are; those that find no room are counted."""
    y = _MARGIN
    draw.text((left, y), shortened(drawable(aoi.name), _TITLE, _PANEL), fill=_INK, font=font(_TITLE))
    y += _TITLE + 12
    for line in _heading(aoi):
        draw.text((left, y), line, fill=_INK, font=font(_TEXT))
        y += _TEXT + 7
    y += 10
    room = max((height - y - 2 * _MARGIN - _SMALL) // _ROW, 0)
    for number, zone in enumerate(aoi.zones[:room], 1):
        _draw_zone_row(draw, (left, y), number, zone)
        y += _ROW
    notes = [f"and {len(aoi.zones) - room} more zones"] if len(aoi.zones) > room else []
    if any(map(_is_rough, aoi.zones)):
        notes.append(f"Broken line: outline good to {ROUGH_M:g} m or worse, or not stated.")
    draw.text((left, y + 12), "  ".join(notes), fill=_QUIET, font=font(_SMALL))


def area_map(aoi: AOI) -> Image.Image:
    """Return a map of an area, north (of the UTM grid) up.

    Parameters
    ----------
    aoi
        Its zones are numbered in their order, on the map and in the legend.

    Returns
    -------
    Image.Image
        RGB, about 1370 pixels wide and up to 990 high.
    """
    grid = _frame(aoi)
    ground = _draw_ground(aoi, grid)
    _draw_numbers(ground, aoi.zones, grid)
    foot = 70
    size = 3 * _MARGIN + ground.width + _PANEL, max(2 * _MARGIN + ground.height + foot, 620)
    picture = Image.new("RGB", size, _PAPER)
    picture.paste(ground, (_MARGIN, _MARGIN))
    draw = ImageDraw.Draw(picture)
    _draw_scale(draw, _MARGIN + 20, _MARGIN + ground.height + foot - 12, grid.gsd * _FINE)
    _draw_panel(draw, aoi, 2 * _MARGIN + ground.width, picture.height)
    return picture
