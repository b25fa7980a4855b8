"""Small results made by hand, for what only shows results: nothing here was detected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import shapely
from affine import Affine
from pyproj import Transformer
from shapely.geometry import Polygon, box

from aoi import AOI, Grid, Zone
from detect.change import Change, ChangedObject, Scale, ScaleChange, Sign
from imagery.raster import Raster
from imagery.scene import Scene
from revisit.recipe import Recipe
from revisit.result import AlignmentRecord, Flag, Result, SceneRecord

CRS = "EPSG:32636"
BANDS = ("B02", "B03", "B04", "B08")
BEFORE, AFTER = datetime(2024, 11, 30, 8, 23, 11, tzinfo=UTC), datetime(2024, 12, 15, 8, 22, 49, tzinfo=UTC)


def make_grid(rows: int = 60, cols: int = 80) -> Grid:
    """Return a grid of 10 m pixels near Latakia."""
    return Grid(crs=CRS, transform=Affine(10.0, 0.0, 770000.0, 0.0, -10.0, 3920000.0), width=cols, height=rows)


def metres_of(grid: Grid, col: float, row: float) -> tuple[float, float]:
    """Return (x, y) of a place given in (column, row) coordinates of the grid."""
    return grid.transform.c + grid.gsd * col, grid.transform.f - grid.gsd * row


def on_grid(grid: Grid, west: float, north: float, east: float, south: float) -> Polygon:
    """Return the lon/lat polygon of a box given in (column, row) coordinates of the grid."""
    to_lonlat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    corners = shapely.get_coordinates(box(west, north, east, south))
    return Polygon([to_lonlat.transform(*metres_of(grid, x, y)) for x, y in corners])


def make_raster(grid: Grid, acquired: datetime, seed: int = 0, **changes: Any) -> Raster:
    """Return reflectances between 0.02 and 0.3, all valid."""
    generator = np.random.default_rng(seed)
    bands = changes.get("bands", BANDS)
    values = {
        "data": generator.uniform(0.02, 0.3, (len(bands), *grid.shape)).astype(np.float32),
        "valid": np.ones(grid.shape, np.bool_),
        "uncertain": np.zeros(grid.shape, np.bool_),
        "bands": bands,
        "quantity": "reflectance",
        "scene_ids": (f"S2A_MSIL2A_{acquired:%Y%m%dT%H%M%S}",),
    }
    return Raster(grid=grid, acquired=acquired, **(values | changes))


def blob(row: int, col: int, *, side: int = 2, change: Sign = "appeared", scale: Scale = "object") -> ChangedObject:
    """Return a square object with its upper left pixel at (row, col)."""
    rows, cols = np.mgrid[row : row + side, col : col + side]
    return ChangedObject(
        scale=scale,
        change=change,
        rows=rows.ravel(),
        cols=cols.ravel(),
        statistic=40.0 - row / 10,
        strength=2.0,
        length_m=10.0 * side,
        width_m=10.0 * side,
        orientation_deg=45.0,
        area_m2=100.0 * side**2,
        contrast=0.08,
    )


def make_flags(
    items: Sequence[ChangedObject], zone: str | None = None, notes: tuple[str, ...] = ()
) -> tuple[Flag, ...]:
    """Return flags F1, F2, ... of the objects."""
    return tuple(Flag(id=f"F{k}", object=item, zone=zone, notes=notes) for k, item in enumerate(items, start=1))


def make_zone(grid: Grid, name: str = "apron-north", accuracy_m: float | None = 15.0) -> Zone:
    """Return a zone over the middle of the grid."""
    outline = on_grid(grid, grid.width * 0.25, grid.height * 0.25, grid.width * 0.75, grid.height * 0.75)
    return Zone(name=name, kind="apron", geometry=outline, source="a published chart", accuracy_m=accuracy_m)


def _scale_change(grid: Grid, scale: Scale) -> ScaleChange:
    """Return a map whose statistic rises from 0 in the west to 40 in the east, with the threshold at 20."""
    statistic = np.broadcast_to(np.linspace(0, 40, grid.width, dtype=np.float32), grid.shape)
    nothing = np.full(grid.shape, np.nan, np.float32)
    return ScaleChange(
        scale=scale,
        statistic=statistic,
        p_value=nothing,
        direction=np.zeros(grid.shape, np.int8),
        threshold=np.full(grid.shape, 20, np.float32),
    )


def _record(raster: Raster, role: str, simulated: bool) -> SceneRecord:
    """Return the record of a raster's scene."""
    scene = Scene(
        id=raster.scene_ids[0],
        sensor="s2",
        platform="sentinel-2a",
        acquired=raster.acquired,
        footprint=on_grid(raster.grid, 0, 0, raster.grid.width, raster.grid.height),
        source="folder",
        href="scene.json",
        assets={},
        relative_orbit=121,
        processing_baseline="05.11",
        simulated=simulated,
    )
    return SceneRecord(scene=scene, role=role, offset=-0.1, sha256=raster.sha256, valid_share=1.0)


def make_result(grid: Grid | None = None, *, simulated: bool = False, name: str = "stand-in", **changes: Any) -> Result:
    """Return a result on a grid; any field of it may be given instead."""
    grid = grid or make_grid()
    before = changes.get("before", make_raster(grid, BEFORE, 1))
    after = changes.get("after", make_raster(grid, AFTER, 2))
    zones = changes.pop("zones", (make_zone(grid),))
    fields: dict[str, Any] = {
        "recipe": Recipe(area="area.geojson", before=BEFORE.date(), after=AFTER.date(), source="folder:scenes"),
        "aoi": AOI(name=name, geometry=on_grid(grid, 0, 0, grid.width, grid.height), zones=zones),
        "before": before,
        "after": after,
        "scenes": (_record(before, "before", simulated), _record(after, "after", simulated)),
        "alignments": (
            AlignmentRecord(scene_id=after.scene_ids[0], shift_px=(0.21, -0.4), standard_error_px=(0.02, float("nan"))),
        ),
        "change": Change(
            objects=_scale_change(grid, "object"),
            areas=_scale_change(grid, "area"),
            valid=before.valid & after.valid,
            method="made by hand",
            calibrated=False,
        ),
        "flags": make_flags([blob(10, 10), blob(30, 60, side=5, change="vanished", scale="area")], zone="apron-north"),
        "searched_km2": 0.12,
        "valid_share": {"area": 0.98, **{zone.name: 0.5 for zone in zones}},
        "warnings": (),
        "timings_s": {},
        "searched_valid_share": 0.98,
    }
    return Result(grid=grid, simulated=simulated, **(fields | changes))
