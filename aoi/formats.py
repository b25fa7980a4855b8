"""An area from what a user gives: a built-in site's name, a file, a bounding box, a point and a radius, or WKT."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from aoi.area import AOI
from aoi.assemble import Outline, area_from_outlines, checked
from aoi.builtin import load_site, site_names
from aoi.check import check_amount, check_degrees, file_bytes
from aoi.errors import AOIError
from aoi.geojson import read_geojson
from aoi.geometry import centre, circle, distance_m
from aoi.geopackage import read_geopackage
from aoi.kml import read_kml
from aoi.names import clean_name, shown

NEAR_A_SITE_M = 30_000.0
"""An area that lies farther from every built-in site, but nearer to one with its coordinates swapped, is refused."""

_RADIUS = re.compile(r"(\d+(?:\.\d+)?)\s*(km|m)")
_WKT = re.compile(r"(?:MULTI)?POLYGON\s*(?:Z|M|ZM)?\s*\([\d\s.,()eE+-]*\)", re.IGNORECASE | re.ASCII)
"""What GEOS may be given: a collection nested deep enough overflows its stack."""
_OTHER_SUFFIXES = {
    ".kmz": "a KMZ is a zipped KML: unzip it and give the .kml inside",
    ".shp": "shapefiles are not read: export the layer as GeoJSON or GeoPackage",
    ".gpx": "a GPX has tracks and points, no areas: draw a polygon over it",
}


def _from_wkt(content: bytes) -> list[Outline]:
    return [Outline(geometry=_wkt_polygon(content.decode("utf-8", "replace")), properties={})]


_READERS: dict[str, Callable[[bytes], list[Outline]]] = {
    ".geojson": read_geojson,
    ".json": read_geojson,
    ".kml": read_kml,
    ".wkt": _from_wkt,
    ".txt": _from_wkt,
}


def _wkt_polygon(text: str) -> Polygon | MultiPolygon:
    if _WKT.fullmatch(text.strip()) is None:
        raise AOIError(f"{shown(text)} is no WKT polygon; one is POLYGON ((lon lat, lon lat, ...)) or a MULTIPOLYGON")
    try:
        # A number beyond the range of doubles becomes infinite, with a warning; the check of degrees refuses it.
        with np.errstate(over="ignore"):
            geometry: Polygon | MultiPolygon = shapely.force_2d(shapely.from_wkt(text.strip()))
    except ShapelyError as error:
        raise AOIError(f"{shown(text)} is no WKT polygon: {error}") from error
    check_amount([geometry])
    return geometry


def _nearest_site(point: tuple[float, float]) -> tuple[str, float]:
    """Return the name of the nearest built-in site and how far it is, metres."""
    distances = {name: distance_m(point, centre(load_site(name).geometry)) for name in site_names()}
    nearest = min(distances, key=distances.__getitem__)
    return nearest, distances[nearest]


def check_not_swapped(geometry: BaseGeometry) -> None:
    """Refuse an area that lies at a built-in site once latitude and longitude change places, and only then.

    Raises
    ------
    AOIError
        Where it does; the message shows both readings.
    """
    lon, lat = centre(geometry)
    nearest, distance = _nearest_site((lon, lat))
    if distance <= NEAR_A_SITE_M or abs(lon) > 90.0:
        return
    meant, swapped_distance = _nearest_site((lat, lon))
    if swapped_distance <= NEAR_A_SITE_M:
        site_lon, site_lat = centre(load_site(meant).geometry)
        raise AOIError(
            f'"{lon:.2f} {lat:.2f}" reads as longitude {lon:.2f}, latitude {lat:.2f}: that is {distance / 1000:.0f} km '
            f"from the nearest built-in site ({nearest}). Swapped? {meant.capitalize()} is {site_lon:.2f} "
            f"{site_lat:.2f}; longitude comes first"
        )


def _placed(aoi: AOI) -> AOI:
    check_not_swapped(aoi.geometry)
    return aoi


def area_from_bbox(name: str, west: float, south: float, east: float, north: float) -> AOI:
    """Return a rectangular area.

    Parameters
    ----------
    name
        Of the area.
    west, south, east, north
        Degrees.

    Raises
    ------
    AOIError
        Where the corners lie nowhere on Earth, are in the wrong order, or make no usable area.
    """
    check_degrees(np.array([[west, south], [east, north]]))
    if south >= north:
        raise AOIError(f"the box reads as south {south:g}, north {north:g}: south must be less; the order is W S E N")
    if west >= east:
        raise AOIError(
            f"the box reads as west {west:g}, east {east:g}: west must be less (the order is W S E N). Where the box "
            "crosses the antimeridian, define one area on each side of it"
        )
    return _placed(checked(AOI(name=clean_name(name, "the name of the area"), geometry=box(west, south, east, north))))


def parse_radius(text: str) -> float:
    """Return metres from a text such as "4km" or "500 m".

    Raises
    ------
    AOIError
        Where it has no unit, or is no positive number.
    """
    match = _RADIUS.fullmatch(text.strip().lower())
    metres = float(match[1]) * (1000.0 if match[2] == "km" else 1.0) if match else math.nan
    if not metres > 0:
        raise AOIError(f"the radius {shown(text)} is not understood; give a number and its unit, such as 4km or 500m")
    return metres


def area_from_point(name: str, lon: float, lat: float, radius_m: float) -> AOI:
    """Return a circular area around a point (degrees), as a polygon of 128 corners.

    Raises
    ------
    AOIError
        Where the point lies nowhere on Earth, or the circle makes no usable area.
    """
    check_degrees(np.array([[lon, lat]]))
    disc = circle(lon, lat, radius_m)
    return _placed(checked(AOI(name=clean_name(name, "the name of the area"), geometry=disc)))


def area_from_wkt(name: str, text: str) -> AOI:
    """Return an area from a WKT polygon or multipolygon in longitude and latitude.

    Raises
    ------
    AOIError
        Where the text is none, or it makes no usable area.
    """
    return _placed(checked(AOI(name=clean_name(name, "the name of the area"), geometry=_wkt_polygon(text))))


def _outlines(path: Path, layer: str | None) -> list[Outline]:
    suffix = path.suffix.lower()
    if suffix in _OTHER_SUFFIXES:
        raise AOIError(_OTHER_SUFFIXES[suffix])
    if suffix != ".gpkg" and suffix not in _READERS:
        raise AOIError(f"the extension {suffix!r} is not known; areas are read from {', '.join((*_READERS, '.gpkg'))}")
    if layer is not None and suffix != ".gpkg":
        raise AOIError(f"--layer {shown(layer)} is for a GeoPackage; a {suffix} file has no layers")
    content = file_bytes(path)
    return read_geopackage(path, layer) if suffix == ".gpkg" else _READERS[suffix](content)


def read_area(path: Path, *, layer: str | None = None, name: str | None = None) -> AOI:
    """Return the area of a file.

    Parameters
    ----------
    path
        GeoJSON (.geojson, .json), KML (.kml), GeoPackage (.gpkg) or WKT (.wkt, .txt); at most 20 MB.
    layer
        Of a GeoPackage that has several.
    name
        Of the area; None: as in the file, else the file's name without extension.

    Raises
    ------
    AOIError
        Where it cannot be read or makes no usable area; the message begins with the path.
    """
    try:
        own = clean_name(path.stem if name is None else name, "the name of the area")
        aoi = area_from_outlines(_outlines(path, layer), own)
        return _placed(aoi if name is None else replace(aoi, name=own))
    except AOIError as error:
        raise AOIError(f"{path}: {error}") from error


def load_area(spec: str) -> AOI:
    """Return the area that a command's AREA argument names.

    Parameters
    ----------
    spec
        A built-in site's name, or the path of an area file.

    Raises
    ------
    AOIError
        Where it is neither, or the file makes no usable area.
    """
    if spec in site_names():
        return load_site(spec)
    path = Path(spec)
    if path.suffix or path.exists():
        return read_area(path)
    close = get_close_matches(spec.lower(), site_names(), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise AOIError(
        f"{shown(spec)} is neither a built-in site ({', '.join(site_names())}) nor a file.{hint} `revisit area define` "
        "makes an area file"
    )
