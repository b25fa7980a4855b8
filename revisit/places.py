"""Where claims are about: their areas, and the pixels of each place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aoi import AOI, Zone
from aoi.builtin import load_site
from aoi.formats import load_area, read_area
from aoi.geojson import write_area
from aoi.geometry import to_crs, to_lonlat, utm_epsg
from imagery.raster import BoolArray
from revisit.claims import Claim
from revisit.errors import UsageError
from revisit.ground import Ground

AREA_FILE = "area.geojson"
AROUND_M = 1000.0
"""Ground around a place that comes as a bare polygon: what is usual there is learnt from it."""
PLACE = "place"
"""Name of the zone that a bare polygon becomes."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class ClaimedArea:
    """An area with the claims about it."""

    slug: str
    """Its name in the dossier's folders."""
    where: str
    """As the claims call it."""
    spec: str
    """As a command in the dossier's folder would call it: a built-in site, or the dossier's own copy of the file."""
    aoi: AOI
    claims: tuple[Claim, ...]


@dataclass(frozen=True, kw_only=True)
class Place:
    """The ground that a claim is about."""

    pixels: BoolArray
    """(row, col) on the area's grid."""
    km2: float
    zone: str | None
    """Name of the zone; None for all searched ground."""
    kind: str | None
    """Of the zone."""


def _surrounded(aoi: AOI) -> AOI:
    """Return an area around a bare polygon, which becomes its one zone."""
    crs = f"EPSG:{utm_epsg(aoi.geometry)}"
    around = to_lonlat(to_crs(aoi.geometry, crs).buffer(AROUND_M, join_style="mitre"), crs)
    zone = Zone(name=PLACE, kind="other", geometry=aoi.geometry, source="the file of the claim", accuracy_m=None)
    return AOI(name=aoi.name, geometry=around, zones=(zone,), buildings=aoi.buildings)


def _load(claim: Claim) -> AOI:
    """Return the area of a claim."""
    if claim.file is None:
        return load_site(str(claim.area))
    aoi = read_area(claim.file)
    return aoi if aoi.zones else _surrounded(aoi)


def _slug(where: str, taken: Sequence[str]) -> str:
    """Return a name for a folder that no other area has."""
    base = _UNSAFE.sub("-", Path(where).stem).strip("-_")[:40] or "area"
    names = (base, *(f"{base}-{n}" for n in range(2, 1000)))
    return next(name for name in names if name not in taken)


def _check_zone(claim: Claim, aoi: AOI) -> None:
    """Refuse a zone that the area does not have."""
    names = [zone.name for zone in aoi.zones]
    if claim.zone and claim.zone not in names:
        raise UsageError(f"{claim.id}: {claim.where} has no zone {claim.zone!r}; it has {', '.join(names)}")


def claimed_areas(claims: Sequence[Claim], folder: Path) -> tuple[ClaimedArea, ...]:
    """Return the areas of claims, in the order in which they first come, and keep a copy of each.

    Parameters
    ----------
    claims
        Each with its place.
    folder
        Gets SLUG/area.geojson; what is there already is taken for the area of the claims, as a replay finds it.

    Raises
    ------
    UsageError, AOIError
        Where a file is no area, or lacks the zone that a claim names.
    """
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(claim.where, []).append(claim)
    areas: list[ClaimedArea] = []
    for where, group in groups.items():
        slug = _slug(where, [area.slug for area in areas])
        file = folder / slug / AREA_FILE
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_area(_load(group[0]), file)
        aoi = load_area(str(file))
        for claim in group:
            _check_zone(claim, aoi)
        spec = where if group[0].file is None else f"inputs/{slug}/{AREA_FILE}"
        areas.append(ClaimedArea(slug=slug, where=where, spec=spec, aoi=aoi, claims=tuple(group)))
    return tuple(areas)


def place_of(claim: Claim, ground: Ground) -> Place:
    """Return the ground that a claim is about.

    Raises
    ------
    UsageError
        Where its zone lies outside the area.
    """
    if claim.zone is None and len(ground.zones) != 1:
        pixels, zone = ground.searched, None
    else:
        name = claim.zone or next(iter(ground.zones))
        zone = next(zone for zone in ground.aoi.zones if zone.name == name)
        pixels = ground.zones.get(name, np.zeros(ground.grid.shape, np.bool_))
    if not pixels.any():
        raise UsageError(f"{claim.id}: {claim.place} covers no pixel of its area")
    return Place(
        pixels=pixels,
        km2=float(pixels.sum()) * ground.grid.gsd**2 / 1e6,
        zone=zone.name if zone else None,
        kind=zone.kind if zone else None,
    )
