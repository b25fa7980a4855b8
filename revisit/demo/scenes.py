"""The demo's folder: sixteen simulated Sentinel-2 scenes of Khmeimim, and the truth about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Point, Polygon

from aoi import AOI, Grid
from aoi.formats import load_area
from aoi.geometry import centre, to_lonlat
from imagery.geotiff import write_cog
from revisit.demo.airfield import build_ground
from revisit.demo.camera import Exposure, expose
from revisit.demo.ground import Ground
from revisit.demo.items import DESCRIPTION, scene_item
from revisit.demo.layout import scene_grid
from revisit.demo.passes import AFTER, BEFORE, Pass, calendar
from revisit.demo.sheet import CELLS, RIM_PX
from revisit.demo.surfaces import BANDS
from revisit.demo.traffic import Parked, plan_traffic
from revisit.demo.weather import Weather, draw_weather
from revisit.plain import write_json

SITE = "khmeimim"
SEED = 20241217
TAGS = {"SIMULATED": DESCRIPTION}


@dataclass(frozen=True, kw_only=True)
class DemoInfo:
    """What `write_demo` left."""

    folder: Path
    """For `--source folder:FOLDER`."""
    area: str
    """Name of the built-in site."""
    before: date
    after: date
    scenes: tuple[str, ...]
    """Ids of the scenes, oldest first."""
    truth: Path
    """JSON: every object, where it stands and on which dates."""


def _misread(ground: Ground, grid: Grid) -> NDArray[np.bool_]:
    """Return the pixels (row, col) of the grid that look like cloud to the scene classification: the new concrete."""
    if ground.fresh is None:
        return np.zeros(grid.shape, np.bool_)
    whole = (slice(0, ground.sheet.rows), slice(0, ground.sheet.cols))
    inside = ground.sheet.inside(ground.fresh, whole)
    share = inside.reshape(grid.height + 2 * RIM_PX, CELLS, -1, CELLS).mean(axis=(1, 3))
    return np.asarray(share[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] > 0.5)


def write_scene(folder: Path, acquisition: Pass, weather: Weather, exposure: Exposure, grid: Grid) -> None:
    """Write the Item and the five files of a scene."""
    name = acquisition.item_id
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    coarse = Grid.from_bounds(grid.bounds, crs=grid.crs, gsd=2 * grid.gsd)
    for band, numbers in zip(BANDS, exposure.numbers, strict=True):
        write_cog(home / f"{band}.tif", numbers, grid=grid, descriptions=[band], nodata=0, dtype="uint16", tags=TAGS)
    write_cog(home / "SCL.tif", exposure.classes, grid=coarse, descriptions=["SCL"], nodata=0, dtype="uint8", tags=TAGS)
    write_json(folder / f"{name}.json", scene_item(acquisition, weather, grid, coarse))


def _object_record(thing: Parked, crs: str) -> dict[str, Any]:
    """Return what the truth says of one object."""
    place = to_lonlat(Point(thing.x, thing.y), crs)
    return {
        "class": thing.model.name,
        "zone": thing.zone,
        "change": thing.change(BEFORE, AFTER),
        "lon": round(place.x, 7),
        "lat": round(place.y, 7),
        "x": round(thing.x, 2),
        "y": round(thing.y, 2),
        "heading_deg": round(thing.heading_deg, 1),
        "length_m": thing.model.length_m,
        "width_m": thing.model.width_m,
        "reflectance": {band: round(float(r), 4) for band, r in zip(BANDS, thing.reflectance, strict=True)},
        "days": [f"{day}" for day in sorted(thing.days)],
    }


def _scene_record(acquisition: Pass, weather: Weather) -> dict[str, Any]:
    """Return what the truth says of one scene."""
    return {
        "id": acquisition.item_id,
        "sky": acquisition.sky,
        "looks_beyond_px": [round(value, 4) for value in weather.shift_px],
        "concrete_called_cloud": acquisition.bright_is_cloud,
    }


def write_scenes(
    folder: Path, aoi: AOI, passes: Sequence[Pass], rng: np.random.Generator
) -> tuple[tuple[Parked, ...], Path]:
    """Write simulated scenes of an area and the truth about them.

    Parameters
    ----------
    folder
        Made where it does not exist; files of the same names are replaced.
    aoi
        Its zones are drawn on their true place.
    passes
        The scenes, oldest first.
    rng
        Source of all chance: the same state gives the same bytes.

    Returns
    -------
    objects, truth
        What stands there, and the path of `truth.json`, whose `looks_beyond_px` are the (rows, cols) by which the
        pixels of a scene look away from their place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ground_rng, traffic_rng, weather_rng = rng.spawn(3)
    grid = scene_grid(aoi)
    ground = build_ground(aoi, grid, ground_rng)
    days = [acquisition.acquired.date() for acquisition in passes]
    clear = ground.fresh or Polygon()
    objects = plan_traffic(aoi, days, before=BEFORE, after=AFTER, keep_clear=clear, rng=traffic_rng)
    misread = _misread(ground, grid)
    records = []
    for acquisition, day_rng in zip(passes, weather_rng.spawn(len(passes)), strict=True):
        weather = draw_weather(day_rng, ground, acquisition, centre(aoi.geometry))
        present = [thing for thing in objects if acquisition.acquired.date() in thing.days]
        wrong = misread & acquisition.bright_is_cloud
        exposure = expose(ground, weather, present, grid=grid, misread=wrong, rng=day_rng)
        write_scene(folder, acquisition, weather, exposure, grid)
        records.append(_scene_record(acquisition, weather))
    truth = folder / "truth.json"
    write_json(truth, {
        "simulated": True, "note": DESCRIPTION, "area": aoi.name, "crs": grid.crs, "before": f"{BEFORE}",
        "after": f"{AFTER}", "scenes": records, "objects": [_object_record(thing, grid.crs) for thing in objects],
    })  # fmt: skip
    return objects, truth


def write_demo(folder: Path) -> DemoInfo:
    """Write the demo's scenes: sixteen dates of the built-in site Khmeimim, the same bytes every time.

    Parameters
    ----------
    folder
        Made where it does not exist. Afterwards `folder:FOLDER` is a source of scenes.
    """
    passes = calendar()
    _, truth = write_scenes(folder, load_area(SITE), passes, np.random.default_rng(SEED))
    return DemoInfo(folder=folder, area=SITE, before=BEFORE, after=AFTER, truth=truth,
                    scenes=tuple(acquisition.item_id for acquisition in passes))  # fmt: skip
