"""Maintainers: makes revisit/viewer/static/land.json, the coast on the viewer's map of areas, from Natural Earth.

    python scripts/draw_land.py naturalearth_lowres.shp

Natural Earth (naturalearthdata.com, 1:110m countries) is in the public domain. Countries are joined and rounded to a
tenth of a degree: enough to see where on the Earth an area lies, and no border is drawn.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyogrio
import shapely

TARGET = Path(__file__).parents[1] / "revisit" / "viewer" / "static" / "land.json"
STEP_DEG = 0.1
LEAST_DEG2 = 0.05
"""Smaller islands are left out."""


def main(source: str) -> None:
    """Write the coast of a file of countries."""
    _, _, geometry, _ = pyogrio.raw.read(source, columns=[])
    land = shapely.set_precision(shapely.union_all(shapely.from_wkb(geometry)), STEP_DEG)
    parts = [part for part in shapely.get_parts(land) if part.area >= LEAST_DEG2]
    rings = [shapely.get_coordinates(ring).round(1).tolist() for part in parts for ring in shapely.get_rings(part)]
    TARGET.write_text(json.dumps(rings, separators=(",", ":")) + "\n", encoding="utf-8")
    print(TARGET, TARGET.stat().st_size, "bytes,", len(rings), "rings")


if __name__ == "__main__":
    main(sys.argv[1])
