"""Scenes as catalogues describe them, without files: for what is decided before anything is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shapely.geometry import box

from aoi import AOI
from imagery.scene import Asset, Scene

WEST, SOUTH, EAST, NORTH = 35.921, 35.379, 35.976, 35.423
KHMEIMIM = AOI(name="khmeimim", geometry=box(WEST, SOUTH, EAST, NORTH))
OWN = "EPSG:32636"
MOMENT = datetime(2024, 12, 7, 8, 26, 25, tzinfo=UTC)
BANDS = ("B02", "B03", "B04", "B08", "SCL")


def part_of_area(west: float = 0.0, east: float = 1.0, south: float = 0.0, north: float = 1.0) -> Any:
    """Return a footprint that ends inside the area, given in shares of it, and reaches beyond it elsewhere."""
    wide, high = EAST - WEST, NORTH - SOUTH
    return box(
        WEST + (west * wide if west > 0 else -1),
        SOUTH + (south * high if south > 0 else -1),
        WEST + (east * wide if east < 1 else 2),
        SOUTH + (north * high if north < 1 else 2),
    )


def scene(name: str, source: str = "earth-search", collection: str = "c", **changed: Any) -> Scene:
    """Return a scene of the pass of 7 December 2024 over Khmeimim, tile 36SYE."""
    doubtful = bool(changed.pop("doubtful", False))
    facts = {
        "sensor": "s2",
        "platform": "sentinel-2b",
        "acquired": MOMENT,
        "footprint": part_of_area(),
        "assets": {band: Asset(href=f"https://x/{name}/{band}.tif", offset_doubtful=doubtful) for band in BANDS},
        "relative_orbit": 121,
        "processing_baseline": "05.11",
        "level": "L2A",
        "tile": "36SYE",
        "generated": datetime(2024, 12, 7, 10, 47, 53, tzinfo=UTC),
        **changed,
    }
    return Scene(id=name, source=source, href=f"https://x/collections/{collection}/items/{name}", **facts)
