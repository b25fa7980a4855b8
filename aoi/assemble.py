"""From named outlines, whatever file they came from, to one AOI with its zones and buildings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import shapely
from shapely.geometry import MultiPolygon, Polygon

from aoi.area import AOI, ZONE_KINDS, Building, Zone
from aoi.check import check_amount, check_outline, check_size
from aoi.errors import AOIError
from aoi.geometry import area_km2
from aoi.names import clean_name, clean_text, shown

FEATURE_TYPES = ("area", "zone", "building")
PROPERTIES = ("type", "name", "kind", "source", "accuracy_m", "height_m")
"""What is read of an outline's properties; others are left aside."""
NO_SOURCE = "not stated"

_SLACK = 1e-6
"""Degrees, about 0.1 m: what rounding may put outside."""
_RIM = 0.05
"""Share of a zone that may lie outside its area, and is cut."""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """One polygon of a file, with what the file says of it."""

    geometry: Polygon | MultiPolygon
    """Longitude and latitude, degrees, WGS 84; unchecked."""
    properties: Mapping[str, object]
    """As in the file; those of `PROPERTIES` count."""


def _metres(value: object, what: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise AOIError(f"{what} must be a number of metres, not {shown(value)}")
    return number


def _zone(outline: Outline, name: str, default_kind: str | None = None) -> Zone:
    what = f"zone {name!r}"
    kind = outline.properties.get("kind") or default_kind
    if kind is None:
        raise AOIError(f"{what} has no kind; give it one of: {', '.join(ZONE_KINDS)}")
    source = outline.properties.get("source")
    zone = Zone(
        name=name,
        kind=clean_name(kind, f"the kind of {what}"),
        geometry=outline.geometry,
        source=NO_SOURCE if source in (None, "") else clean_text(source, f"the source of {what}"),
        accuracy_m=_metres(outline.properties.get("accuracy_m"), f"accuracy_m of {what}"),
    )
    check_outline(zone.geometry, what)
    return zone


def _building(outline: Outline, number: int) -> Building:
    given = outline.properties.get("name")
    name = f"building-{number}" if given in (None, "") else clean_name(given, f"the name of building {number}")
    check_outline(outline.geometry, f"building {name!r}")
    height = _metres(outline.properties.get("height_m"), f"height_m of building {name!r}")
    return Building(name=name, geometry=outline.geometry, height_m=height)


def _required_name(outline: Outline, number: int) -> str:
    given = outline.properties.get("name")
    if given is None:
        raise AOIError(f"zone {number} of the file has no name; give it one in properties.name")
    return clean_name(given, f"the name of zone {number}")


def _area_name(outline: Outline, name: str) -> str:
    given = outline.properties.get("name")
    return name if given in (None, "") else clean_name(given, "the name of the area")


def _typed(outlines: Sequence[Outline], name: str) -> AOI:
    """Return the AOI of outlines that each say what they are."""
    by_type: dict[str, list[Outline]] = {kind: [] for kind in FEATURE_TYPES}
    for outline in outlines:
        kind = outline.properties.get("type")
        if kind not in FEATURE_TYPES:
            raise AOIError(
                f"a feature has the type {shown(kind)}; properties.type is one of: {', '.join(FEATURE_TYPES)}"
            )
        by_type[str(kind)].append(outline)
    areas = by_type["area"]
    if len(areas) != 1:
        raise AOIError(f'{len(areas)} features have properties.type = "area"; exactly one must')
    return AOI(
        name=_area_name(areas[0], name),
        geometry=areas[0].geometry,
        zones=tuple(_zone(o, _required_name(o, i)) for i, o in enumerate(by_type["zone"], 1)),
        buildings=tuple(_building(o, i) for i, o in enumerate(by_type["building"], 1)),
    )


def _plain_name(outline: Outline, number: int) -> str:
    given = outline.properties.get("name")
    return f"zone-{number}" if given in (None, "") else clean_name(given, f"the name of outline {number}")


def _untyped(outlines: Sequence[Outline], name: str) -> AOI:
    """Return the AOI of outlines that say nothing: one is the area, several are zones of kind "other" in it."""
    if len(outlines) == 1:
        return AOI(name=_area_name(outlines[0], name), geometry=outlines[0].geometry)
    named = [(_plain_name(outline, number), outline) for number, outline in enumerate(outlines, 1)]
    areas = [outline for label, outline in named if label.casefold() == "area"]
    if len(areas) > 1:
        raise AOIError(f'{len(areas)} outlines are named "area"; at most one may be')
    zones = tuple(_zone(outline, label, "other") for label, outline in named if label.casefold() != "area")
    hull = shapely.convex_hull(MultiPolygon([p for zone in zones for p in shapely.get_parts(zone.geometry)]))
    return AOI(name=name, geometry=areas[0].geometry if areas else hull, zones=zones)


def _inside(zone: Zone, aoi: AOI, room: Polygon | MultiPolygon) -> Zone:
    """Return the zone within the area: a rim that a hand drew over the edge is cut, a zone elsewhere refused."""
    if room.covers(zone.geometry):
        return zone
    outside, whole = area_km2(shapely.difference(zone.geometry, room)), area_km2(zone.geometry)
    if outside > _RIM * whole:
        raise AOIError(
            f"zone {zone.name!r} lies outside the area {aoi.name!r} with {outside:.4f} of its "
            f"{whole:.4f} km2: enlarge the area or cut the zone"
        )
    parts = shapely.get_parts(shapely.intersection(zone.geometry, aoi.geometry))
    return replace(zone, geometry=shapely.union_all([part for part in parts if isinstance(part, Polygon)]))


def checked(aoi: AOI) -> AOI:
    """Return the AOI after every check that needs only itself.

    Raises
    ------
    AOIError
        Where the outline crosses itself, has no area, lies nowhere on Earth, is larger than 100 x 100 km or smaller
        than a pixel; where two zones share a name; where more than a rim of a zone reaches outside.
    """
    what = f"area {aoi.name!r}"
    check_outline(aoi.geometry, what)
    check_size(aoi.geometry, what)
    twice = [name for name, count in Counter(zone.name for zone in aoi.zones).items() if count > 1]
    if twice:
        raise AOIError(f"{len(twice)} names are used by more than one zone, {shown(twice[0])} among them: rename them")
    room = shapely.buffer(aoi.geometry, _SLACK)
    shapely.prepare(room)
    return replace(aoi, zones=tuple(_inside(zone, aoi, room) for zone in aoi.zones))


def area_from_outlines(outlines: Sequence[Outline], name: str) -> AOI:
    """Return the AOI that a file's outlines make.

    Where any outline has a `type`, each must have one of `FEATURE_TYPES` and exactly one is the area. Where none has, a
    single outline is the area, and several are zones of kind "other" (or of their own `kind`) within the one named
    "area", else within their convex hull.

    Parameters
    ----------
    outlines
        In the order of the file.
    name
        Of the area, where the file has none.

    Raises
    ------
    AOIError
        Where they do not make one; see `checked`.
    """
    if not outlines:
        raise AOIError("there is no polygon in it; an area is a polygon")
    check_amount([outline.geometry for outline in outlines])
    typed = any(outline.properties.get("type") is not None for outline in outlines)
    return checked(_typed(outlines, name) if typed else _untyped(outlines, name))
