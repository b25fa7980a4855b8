"""How long radar says that an object is: lengths of flags on simulated objects of known length.

    .venv/bin/python -m benchmarks.radar_lengths [SCENES]

Each scene is a sheet of concrete with 14 dates and nothing on it; on the last of two more, 25 of one class stand
240 m apart. Prints, by class, quantiles of the flag's length over the object's, and the share of flags whose length a
statement about such an object allows (`revisit/gathering.py`); the figures stand in docs/claims.md.
"""

from __future__ import annotations

import sys
from datetime import date

import numpy as np
from shapely.geometry import box

from aoi import AOI, Grid
from aoi.geometry import grid_for, to_lonlat
from benchmarks.radar_world import points_of, radar_date, radar_ground
from detect.radar import RadarSeries, fit_radar
from detect.radar_change import detect_radar, find_radar_objects
from detect.targets import object_class
from revisit.demo.layout import CRS
from revisit.demo.surfaces import BANDS
from revisit.demo.traffic import Parked
from revisit.gathering import SIZE_FACTORS

CLASSES = ("An-124", "Il-76", "Su-24")
SIDE, EVERY, FIRST = 130, 24, 16
"""Pixels of a scene, between objects, and of the first from the edge."""
DATES = 14
NEAR_PX = 6


def _sheet() -> Grid:
    """Return the grid of a scene."""
    west, south = 768_000.0, 3_921_000.0
    square = to_lonlat(box(west, south, west + 10.0 * SIDE, south + 10.0 * SIDE), CRS)
    return grid_for(AOI(name="sheet", geometry=square, zones=()), 10.0)


def lengths(name: str, seed: int) -> list[float]:
    """Return the length, metres, of each flag that lies on an object of a class."""
    rng, grid = np.random.default_rng([seed, *name.encode()]), _sheet()
    paved = np.ones(grid.shape, np.bool_)
    paved[:4] = False
    ground, model = radar_ground(grid, paved, rng), object_class(name)
    spots = [(r, c) for r in range(FIRST, SIDE - 8, EVERY) for c in range(FIRST, SIDE - 8, EVERY)]
    west, _, _, north = grid.bounds
    things = [
        Parked(
            model=model,
            zone="sheet",
            x=west + (c + rng.uniform(0, 1)) * grid.gsd,
            y=north - (r + rng.uniform(0, 1)) * grid.gsd,
            heading_deg=float(rng.uniform(0, 360)),
            reflectance=model.reflectance(BANDS, 0.5),
            days=frozenset({date(2024, 12, 12)}),
        )
        for r, c in spots
    ]
    bright = np.concatenate([points_of(thing, grid, rng) for thing in things])
    empty = [radar_date(ground, ground.structures, gsd=grid.gsd, rng=rng) for _ in range(DATES + 1)]
    last = radar_date(ground, np.concatenate([ground.structures, bright]), gsd=grid.gsd, rng=rng)
    series = RadarSeries(
        before=empty[-1],
        after=last,
        baseline=np.stack(empty[:-1]),
        valid=np.ones(grid.shape, np.bool_),
        baseline_valid=np.ones((DATES, *grid.shape), np.bool_),
        gsd=grid.gsd,
    )
    fitted = fit_radar(series)
    change = detect_radar(series, paved.astype(np.uint8), false_alarms_per_km2=0.25, model=fitted)
    found = []
    for item in find_radar_objects(change, series, fitted):
        middle = item.rows.mean(), item.cols.mean()
        near = min(np.hypot(r + 0.5 - middle[0], c + 0.5 - middle[1]) for r, c in spots)
        if item.scale == "object" and item.change == "appeared" and near <= NEAR_PX:
            found.append(item.length_m)
    return found


def main() -> None:
    """Print the quantiles of each class."""
    scenes = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    for name in CLASSES:
        length = object_class(name).length_m
        told = np.array([one for seed in range(scenes) for one in lengths(name, seed)])
        shares = " ".join(f"{q:.2f}: {np.quantile(told / length, q):.2f}" for q in (0.01, 0.05, 0.5, 0.95, 0.99))
        low, high = (factor * length for factor in SIZE_FACTORS)
        allowed = ((told >= low) & (told <= high)).mean()
        print(f"{name} of {length:g} m, {len(told)} flags; over its length {shares}; allowed {allowed:.2f}", flush=True)


if __name__ == "__main__":
    main()
