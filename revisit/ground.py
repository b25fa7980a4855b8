"""Where a run looks: the area, its grid, and which pixels belong to which zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aoi import AOI, ZONE_KINDS, Grid, Zone
from imagery.burn import burn
from imagery.raster import BoolArray

ROUGH_OUTLINE_M = 100.0
"""From this accuracy on an outline is an estimate, and all that is said of its zone says so."""
SHADOW_REACH_M = 50.0
"""How far from a building its shadow and its blur count: 17 m of height under a sun of 20 degrees."""
AREA = "area"
"""The key of the whole area beside the zones' names."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """An area on its grid."""

    aoi: AOI
    grid: Grid
    inside: BoolArray
    """(row, col) True = in the area's polygon."""
    zones: Mapping[str, BoolArray]
    """(row, col) by zone name; zones that lie outside the grid are left out."""
    searched: BoolArray
    """(row, col) True = changes are flagged here: the zones where there are any, else the area."""
    strata: NDArray[np.uint8]
    """(row, col) kind of searched ground, 1 and up; 0 = not searched. Concrete and soil do not share one noise."""
    near_buildings: BoolArray
    """(row, col) True = within SHADOW_REACH_M of an outlined building: ground that it shades on some dates only."""

    def shares(self, valid: BoolArray) -> dict[str, float]:
        """Return the share of True in a (row, col) map, by zone name and for the whole area."""
        whole = {AREA: float(valid[self.inside].mean())}
        # A zone that bears the key of the whole area must not overwrite it.
        named = {f"zone {name}" if name == AREA else name: pixels for name, pixels in self.zones.items()}
        return whole | {name: float(valid[pixels].mean()) for name, pixels in named.items()}

    def zone_of(self, pixels: tuple[np.ndarray, np.ndarray]) -> Zone | None:
        """Return the zone that holds most of the pixels (rows, cols); None outside all zones."""
        held = {name: int(inside[pixels].sum()) for name, inside in self.zones.items()}
        best = max(held, key=lambda name: held[name], default=None)
        return next(zone for zone in self.aoi.zones if zone.name == best) if best and held[best] else None


def _strata(aoi: AOI, zones: Mapping[str, BoolArray], searched: BoolArray) -> NDArray[np.uint8]:
    """Return the kind of ground (row, col): that of the smallest zone that holds a pixel."""
    if not zones:
        return searched.astype(np.uint8)
    kinds = np.zeros(searched.shape, np.uint8)
    named = [(zone, zones[zone.name]) for zone in aoi.zones if zone.name in zones]
    for zone, pixels in sorted(named, key=lambda pair: -int(pair[1].sum())):
        kinds[pixels] = 1 + ZONE_KINDS.index(zone.kind)
    return kinds


def _near_buildings(aoi: AOI, grid: Grid) -> BoolArray:
    """Return the ground (row, col) that the area's buildings may shade."""
    from scipy.ndimage import distance_transform_edt

    built = np.zeros(grid.shape, np.bool_)
    for building in aoi.buildings:
        built |= burn(building.geometry, grid)
    if not built.any():
        return built
    near: BoolArray = distance_transform_edt(~built) * grid.gsd <= SHADOW_REACH_M
    return near


def lay_out(aoi: AOI, grid: Grid) -> Ground:
    """Return the area burnt onto its grid."""
    maps = {zone.name: burn(zone.geometry, grid) for zone in aoi.zones}
    zones = {name: pixels for name, pixels in maps.items() if pixels.any()}
    inside = burn(aoi.geometry, grid)
    searched: BoolArray = np.logical_or.reduce(list(zones.values())) if zones else inside
    strata = _strata(aoi, zones, searched)
    return Ground(
        aoi=aoi,
        grid=grid,
        inside=inside,
        zones=zones,
        searched=searched,
        strata=strata,
        near_buildings=_near_buildings(aoi, grid),
    )


def outline_note(zone: Zone) -> str | None:
    """Return what must be said of every finding in a zone whose outline is an estimate or of unknown accuracy."""
    if zone.accuracy_m is None:
        return f"the outline of {zone.name} has no stated accuracy ({zone.source})"
    if zone.accuracy_m >= ROUGH_OUTLINE_M:
        return f"the outline of {zone.name} is estimated, within {zone.accuracy_m:g} m ({zone.source})"
    return None


def outline_warnings(aoi: AOI) -> list[str]:
    """Return one line each for the zones with estimated outlines and with outlines of unknown accuracy."""
    rough = [z for z in aoi.zones if z.accuracy_m is not None and z.accuracy_m >= ROUGH_OUTLINE_M]
    unknown = [zone.name for zone in aoi.zones if zone.accuracy_m is None]
    lines = []
    if rough:
        named = ", ".join(f"{zone.name} within {zone.accuracy_m:g} m" for zone in rough)
        lines.append(f"estimated outlines: {named}")
    if unknown:
        lines.append(f"outlines without a stated accuracy: {', '.join(unknown)}")
    return lines


def ground_warnings(ground: Ground, shares: Mapping[str, float]) -> list[str]:
    """Return what is not as it should be about the zones: rough outlines, zones off the grid, little valid ground."""
    lost = [zone.name for zone in ground.aoi.zones if zone.name not in ground.zones]
    thin = [(name, share) for name, share in shares.items() if share < 0.5]
    return [
        *outline_warnings(ground.aoi),
        *(f"zone {name} lies outside the area and was not searched" for name in lost),
        *(f"{name}: only {int(share * 100)} % was valid on both dates" for name, share in thin),
    ]
