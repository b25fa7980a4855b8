"""Many areas in one file: each with the zones and buildings that lie in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import shapely

from aoi import AOI, AOIError
from aoi.assemble import Outline, area_from_outlines
from aoi.check import check_outline, file_bytes
from aoi.formats import check_not_swapped
from aoi.geojson import read_geojson
from aoi.names import clean_name, slug

MOST_AREAS = 1000
"""A night's work; a larger survey is cut into files."""


def _name(outline: Outline, number: int) -> str:
    """Return an area's name."""
    given = outline.properties.get("name")
    return f"area-{number}" if given in (None, "") else clean_name(given, f"the name of area {number}")


def _typed(outline: Outline, kind: str) -> Outline:
    """Return an outline that says what it is."""
    return replace(outline, properties={**outline.properties, "type": kind})


def _split(outlines: Sequence[Outline]) -> tuple[list[Outline], list[Outline]]:
    """Return the areas, and what lies in them; where no outline says what it is, all are areas."""
    kinds = [outline.properties.get("type") for outline in outlines]
    if all(kind is None for kind in kinds):
        return [_typed(outline, "area") for outline in outlines], []
    for kind in kinds:
        if kind not in ("area", "zone", "building"):
            raise AOIError(f"a feature has the type {str(kind)[:40]!r}; properties.type is area, zone or building")
    return (
        [outline for outline, kind in zip(outlines, kinds, strict=True) if kind == "area"],
        [outline for outline, kind in zip(outlines, kinds, strict=True) if kind != "area"],
    )


def _home(outline: Outline, areas: Mapping[str, Outline]) -> str:
    """Return the name of the area that holds most of a zone or building."""
    what = f"{outline.properties.get('type')} {str(outline.properties.get('name'))[:60]!r}"
    check_outline(outline.geometry, what)
    shares = {name: area.geometry.intersection(outline.geometry).area for name, area in areas.items()}
    best = max(shares, key=lambda name: shares[name])
    if not shares[best]:
        raise AOIError(f"{what} lies in none of the {len(areas)} areas: enlarge one, or leave it out")
    return best


def _collected(areas: Sequence[Outline], others: Sequence[Outline]) -> tuple[AOI, ...]:
    """Return the AOIs of outlines."""
    if not areas:
        raise AOIError("there is no area in it: of the features that have a type, one or more must be an area")
    if len(areas) > MOST_AREAS:
        raise AOIError(f"{len(areas)} areas; {MOST_AREAS} at most are surveyed at a time: cut the file into parts")
    names = [_name(area, number) for number, area in enumerate(areas, 1)]
    slugs = [slug(name) for name in names]
    twice = next((name for name, short in zip(names, slugs, strict=True) if slugs.count(short) > 1), None)
    if twice is not None:
        raise AOIError(f"two areas are named {twice!r}, or so much alike that their files would be: rename one")
    by_name = dict(zip(names, areas, strict=True))
    for name, area in by_name.items():
        check_outline(area.geometry, f"area {name!r}")
        shapely.prepare(area.geometry)
    inside: dict[str, list[Outline]] = {name: [] for name in names}
    for outline in others:
        inside[_home(outline, by_name)].append(outline)
    made = [area_from_outlines([area, *inside[name]], name) for name, area in by_name.items()]
    for aoi in made:
        check_not_swapped(aoi.geometry)
    return tuple(replace(aoi, name=name) for aoi, name in zip(made, names, strict=True))


def read_areas(path: Path) -> tuple[AOI, ...]:
    """Return the areas of a GeoJSON file, in its order.

    Features are as in an area file (`properties.type` is area, zone or building), but for any number of areas; a zone
    belongs to the area that holds most of it. Where no feature has a type, each polygon is an area.

    Raises
    ------
    AOIError
        Where the file cannot be read, one of them makes no usable area, or two have one name.
    """
    try:
        areas, others = _split(read_geojson(file_bytes(path)))
        return _collected(areas, others)
    except AOIError as error:
        raise AOIError(f"{path}: {error}") from error
