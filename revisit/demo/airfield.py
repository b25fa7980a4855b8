"""The airfield of the demo: the site's zones on their true place, the runway between its published ends, fittings."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.affinity import rotate
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from aoi import AOI, Grid
from aoi.geometry import to_crs
from detect.forward import shadow_length_m
from revisit.demo.country import country, village
from revisit.demo.ground import Building, Ground, Plot
from revisit.demo.layout import (
    CRS,
    RUNWAY_WIDTH_M,
    SPACING_M,
    TAXIWAY_WIDTH_M,
    Stand,
    all_stands,
    long_axis,
    pavement,
    runway_line,
)
from revisit.demo.sheet import Sheet
from revisit.demo.surfaces import ZONE_ORDER, ZONE_SURFACE

FRESH_M, FRESH_BRIGHTNESS = (100.0, 70.0), 1.45
"""A patch of new concrete on the largest apron: so bright that the scene classification takes it for cloud."""
RUBBER = (0.30, 7.0, 420.0, 260.0)
"""Tyre marks: darkening, sigma across (m), distance of their middle from the threshold and sigma along (m)."""
STAIN_M, STAIN_DEPTH = (2.5, 6.0), (0.08, 0.22)
"""Oil on stands: least and largest sigma (m) and darkening."""
LOWEST_SUN_DEG = 25.0
"""Below it, which no pass is, a shadow may be cut off."""
UNKNOWN_HEIGHT_M = 8.0
"""Of buildings whose height the site's file does not tell."""


def _pave_zone(plot: Plot, shape: BaseGeometry, surface: str) -> None:
    """Lay the surface of a zone; concrete shows its slabs."""
    plot.lay(shape, surface, float(plot.rng.uniform(0.94, 1.06)))
    if "concrete" in surface:
        for part in shapely.get_parts(shape):
            plot.pave(part)


def _draw_runway(plot: Plot, line: LineString, shape: Polygon) -> None:
    """Lay the runway with its markings and tyre marks."""
    plot.lay(shape, "asphalt")
    half = RUNWAY_WIDTH_M / 2
    for side in (-1, 1):
        plot.mark(line.offset_curve(side * (half - 1.5)), 0.9)
    for start in np.arange(100.0, line.length - 130.0, 60.0):
        plot.mark(LineString([line.interpolate(start), line.interpolate(start + 30.0)]), 0.9)
    for near in (True, False):
        # The bars of the threshold: twelve stripes of 30 m by 1.8 m.
        first, last = (6.0, 36.0) if near else (line.length - 36.0, line.length - 6.0)
        bars = LineString([line.interpolate(first), line.interpolate(last)])
        for offset in np.linspace(3.0, half - 4.0, 6):
            plot.mark(bars.offset_curve(offset), 1.8)
            plot.mark(bars.offset_curve(-offset), 1.8)
        _rub(plot, line if near else LineString(line.coords[::-1]), shape)


def _rub(plot: Plot, line: LineString, shape: Polygon) -> None:
    """Draw the tyre marks of one threshold, the line's start."""
    depth, across_m, middle_m, along_m = RUBBER
    window = plot.sheet.window(shape)
    (x0, y0), (x1, y1) = line.coords
    along, across = plot.sheet.along(window, (x0, y0), ((x1 - x0) / line.length, (y1 - y0) / line.length))
    marks = np.exp(-(across**2) / (2 * across_m**2) - (along - middle_m) ** 2 / (2 * along_m**2))
    inside = plot.sheet.inside(shape, window)
    plot.detail[window][inside] *= 1 - depth * marks[inside]
    plot.paint[window][inside] *= 1 - 0.7 * marks[inside]


def _link(plot: Plot, aoi: AOI) -> None:
    """Lay a taxiway from the middle of every zone where aircraft stand to the runway."""
    line = runway_line()
    for zone in aoi.zones:
        if zone.kind in ("apron", "hardstand", "revetment"):
            middle = pavement(zone).centroid
            way = LineString([middle, line.interpolate(line.project(middle))])
            plot.lay(way.buffer(TAXIWAY_WIDTH_M / 2, cap_style="flat"), "old concrete")


def _furnish_stands(plot: Plot, aoi: AOI) -> None:
    """Put hard pads under stands that are not on an apron, lead-in lines on those that are, and oil on all of them."""
    aprons = {zone.name for zone in aoi.zones if zone.kind == "apron"}
    revetments = {zone.name for zone in aoi.zones if zone.kind == "revetment"}
    for stand in all_stands(aoi):
        if stand.zone in aprons:
            plot.mark(LineString([(stand.x - 25.0, stand.y), (stand.x + 25.0, stand.y)]), 0.3)
        else:
            plot.lay(_pad(stand, apart=stand.zone in revetments), "old concrete", float(plot.rng.uniform(0.93, 1.07)))
        offset = plot.rng.normal(0.0, 4.0, 2)
        spot = shapely.Point(stand.x + offset[0], stand.y + offset[1])
        plot.darken(spot, float(plot.rng.uniform(*STAIN_DEPTH)), float(plot.rng.uniform(*STAIN_M)))


def _pad(stand: Stand, *, apart: bool) -> Polygon:
    """Return the pad under a stand: a disc for a launcher, else a rectangle; neighbours touch unless `apart`."""
    place = shapely.Point(stand.x, stand.y)
    if stand.role == "launcher":
        return place.buffer(12.0)
    pitch = SPACING_M[stand.role][0]
    along = pitch - 14.0 if apart else pitch
    pad: Polygon = shapely.box(stand.x - along / 2, stand.y - 15.0, stand.x + along / 2, stand.y + 15.0)
    # The heading runs across the row and clockwise from north; affinity turns anticlockwise from east.
    turned: Polygon = rotate(pad, -stand.heading_deg, origin=place)
    return turned


def _fresh_patch(plot: Plot, aprons: list[BaseGeometry]) -> Polygon | None:
    """Lay new concrete at one end of the largest apron; None where there is no apron that has room."""
    if not aprons:
        return None
    apron = max(aprons, key=lambda shape: shape.area)
    axis = np.array(long_axis(apron))
    across = np.array([-axis[1], axis[0]]) * FRESH_M[1] / 2
    middle = np.array(apron.centroid.coords[0])
    reach = shapely.get_coordinates(apron.intersection(LineString([middle, middle + 5000.0 * axis])))
    end = reach[np.argmax(reach @ axis)] - 20.0 * axis
    start = end - FRESH_M[0] * axis
    patch: Polygon = Polygon([start - across, start + across, end + across, end - across]).intersection(apron)
    plot.lay(patch, "concrete", FRESH_BRIGHTNESS)
    plot.pave(patch)
    return patch


def _raise(plot: Plot, shape: BaseGeometry, height_m: float) -> Building:
    """Lay the roof of a building and return the building."""
    plot.lay(shape, "roof", float(plot.rng.uniform(0.55, 1.5)))
    window = plot.sheet.window(shape, shadow_length_m(height_m, LOWEST_SUN_DEG) + 2 * plot.sheet.cell_m)
    return Building(height_m=height_m, window=window, body=plot.sheet.inside(shape, window).astype(np.float32))


def build_ground(aoi: AOI, grid: Grid, rng: np.random.Generator) -> Ground:
    """Draw the ground of an area.

    Parameters
    ----------
    aoi
        Its zones and buildings are drawn where they are; fields, houses and markings are invented.
    grid
        Of the scenes, 10 m.
    rng
        Source of all chance.
    """
    sheet = Sheet.under(grid)
    plot = Plot(sheet, rng)
    zones = {zone.name: to_crs(zone.geometry, CRS) for zone in aoi.zones}
    runway = runway_line().buffer(RUNWAY_WIDTH_M / 2, cap_style="flat")
    # Wide out and half way back: the fence runs straight past the gaps between zones.
    airfield = shapely.union_all([*zones.values(), runway]).buffer(320.0).buffer(-190.0).simplify(15.0)
    for estate in country(sheet, rng):
        plot.lay(estate.shape, estate.surface, estate.brightness, estate.lateness)
    plot.lay(airfield, "grass", 1.0, 4.0)
    plot.lay(airfield.boundary.buffer(4.0), "track")
    _link(plot, aoi)
    for kind in ZONE_ORDER:
        for zone in (z for z in aoi.zones if z.kind == kind):
            _pave_zone(plot, pavement(zone), ZONE_SURFACE[kind])
    _draw_runway(plot, runway_line(), runway)
    _furnish_stands(plot, aoi)
    fresh = _fresh_patch(plot, [pavement(zone) for zone in aoi.zones if zone.kind == "apron"])
    paved = shapely.union_all([*zones.values(), runway])
    upright = [(to_crs(known.geometry, CRS), known.height_m or UNKNOWN_HEIGHT_M) for known in aoi.buildings]
    upright += [(estate.shape, estate.height_m) for estate in village(sheet, airfield, paved, rng)]
    raised = [_raise(plot, shape, height) for shape, height in upright]
    buildings = [building for building in raised if building.body.any()]
    return plot.finished(fresh, buildings)
