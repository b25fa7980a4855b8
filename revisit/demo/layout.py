"""The demo's place in metres: its grid, the runway from published thresholds, and stands for vehicles and aircraft."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from aoi import AOI, Grid, Zone
from aoi.geometry import to_crs

CRS = "EPSG:32636"
PIXEL_M = 10.0
MARGIN_M = 200.0
"""Ground around the AOI that the scenes show as well: co-registration and local statistics need it."""
THRESHOLD_17, THRESHOLD_35 = (35.947498, 35.413898), (35.949402, 35.388699)
"""Longitude and latitude of the runway's ends: OurAirports, runway 9175 of OSLK, public domain. A second source,
FlightGear, agrees within 5 m."""
RUNWAY_WIDTH_M = 45.0
SPACING_M = {
    "transport": (82.0, 120.0),
    "fighter": (36.0, 110.0),
    "helicopter": (40.0, 100.0),
    "launcher": (110.0, 130.0),
}
"""By role: distance between neighbouring stands and between their rows; room for the largest user, an estimate."""
TAXIWAY_WIDTH_M = 23.0
ROUGH_M, INSET_M = 100.0, 60.0
"""A zone whose outline is no better than the first number holds its pavement that much, the second, inside its edge."""


@dataclass(frozen=True, kw_only=True)
class Stand:
    """A place where something can be parked."""

    role: str
    """Key of `SPACING_M`."""
    zone: str
    """Name of the zone it lies in."""
    x: float
    y: float
    """Easting and northing of its centre, metres."""
    heading_deg: float
    """Across its row, clockwise from grid north."""


def scene_grid(aoi: AOI) -> Grid:
    """Return the 10 m grid of the scenes: the AOI and a margin, on whole multiples of 20 m so that the SCL fits."""
    west, south, east, north = to_crs(aoi.geometry, CRS).bounds
    padded = (west - MARGIN_M, south - MARGIN_M, east + MARGIN_M, north + MARGIN_M)
    coarse = Grid.from_bounds(padded, crs=CRS, gsd=2 * PIXEL_M)
    return Grid.from_bounds(coarse.bounds, crs=CRS, gsd=PIXEL_M)


def runway_line() -> LineString:
    """Return the runway's centre line from threshold 17 to threshold 35, metres."""
    line: LineString = to_crs(LineString([THRESHOLD_17, THRESHOLD_35]), CRS)
    return line


def long_axis(shape: BaseGeometry) -> tuple[float, float]:
    """Return the unit vector (east, north) along the longer side of the smallest rectangle around a shape."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(shape))
    sides = np.diff(corners[:3], axis=0)
    east, north = sides[np.argmax(np.hypot(*sides.T))]
    length = math.hypot(east, north)
    return float(east / length), float(north / length)


def roles_of(zone: Zone) -> tuple[str, ...]:
    """Return who parks in a zone: by its name where that says so, else by its kind."""
    name = zone.name.lower()
    if "heli" in name:
        return ("helicopter",)
    if "defence" in name or "s-400" in name or "s400" in name:
        return ("launcher",)
    by_kind = {"apron": ("transport",), "hardstand": ("fighter",), "revetment": ("fighter",)}
    return by_kind.get(zone.kind, ())


def pavement(zone: Zone) -> BaseGeometry:
    """Return the ground, in metres, that is paved in a zone: of a taxiway its middle line, else all but a rim.

    The rim stands for the doubt about the outline: a zone drawn around a place that is known to 200 m is larger than
    what lies in it.
    """
    shape = to_crs(zone.geometry, CRS)
    rough = zone.accuracy_m is None or zone.accuracy_m >= ROUGH_M
    if zone.kind == "taxiway" and rough:
        lines = [middle_line(part) for part in shapely.get_parts(shape)]
        return shapely.union_all(lines).buffer(TAXIWAY_WIDTH_M / 2, cap_style="flat")
    inner = shape.buffer(-INSET_M, join_style="mitre")
    return inner if rough and not inner.is_empty else shape


def middle_line(shape: Polygon) -> LineString:
    """Return the line through the middle of a shape along its long side."""
    east, north = long_axis(shape)
    middle = shape.centroid
    far = math.hypot(*np.ptp(np.reshape(shape.bounds, (2, 2)), axis=0))
    ends = [(middle.x + far * sign * east, middle.y + far * sign * north) for sign in (-1, 1)]
    return LineString(ends).intersection(shape)


def lattice(shape: Polygon, pitch_m: float, row_m: float) -> NDArray[np.float64]:
    """Return the points (n, 2) of a lattice along the long side of a shape that stand half a pitch inside it.

    Row by row, each row from one end to the other; `pitch_m` apart in a row, `row_m` between rows.
    """
    axis = np.array(long_axis(shape))
    across = np.array([-axis[1], axis[0]])
    middle = np.array(shape.centroid.coords[0])
    reach = math.hypot(*np.ptp(np.reshape(shape.bounds, (2, 2)), axis=0)) / 2
    inner = shape.buffer(-pitch_m / 2)
    depth = np.ptp(shapely.get_coordinates(inner) @ across) if not inner.is_empty else 0.0
    rows = (np.arange(int(depth // row_m) + 1) - int(depth // row_m) / 2) * row_m
    steps = np.arange(-math.ceil(reach / pitch_m), math.ceil(reach / pitch_m) + 1) * pitch_m
    points = middle + (rows[:, None, None] * across + steps[None, :, None] * axis).reshape(-1, 2)
    inside = np.asarray(shapely.contains_xy(inner, points), np.bool_)
    return np.asarray(points[inside], np.float64)


def stands_of(zone: Zone, role: str) -> list[Stand]:
    """Return the stands of one role in a zone, row by row."""
    stands = []
    for part in shapely.get_parts(pavement(zone)):
        east, north = long_axis(part)
        heading = (math.degrees(math.atan2(east, north)) + 90) % 360
        places = lattice(part, *SPACING_M[role])
        stands += [Stand(role=role, zone=zone.name, x=float(x), y=float(y), heading_deg=heading) for x, y in places]
    return stands


def all_stands(aoi: AOI) -> list[Stand]:
    """Return every stand of an AOI, zone by zone."""
    return [stand for zone in aoi.zones for role in roles_of(zone) for stand in stands_of(zone, role)]
