"""The STAC Items of the demo's scenes: a folder that the `folder:` source reads like any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapely.geometry import box, mapping
from shapely.geometry.polygon import orient

from aoi import Grid
from aoi.geometry import to_lonlat
from revisit.demo.camera import OFFSET, SCALE
from revisit.demo.passes import ORBIT, PROCESSING_BASELINE, Pass
from revisit.demo.surfaces import BANDS
from revisit.demo.weather import Weather

Json = dict[str, Any]

COMMON_NAMES = dict(zip(BANDS, ("blue", "green", "red", "nir"), strict=True))
TITLE = "SIMULATED scene"
DESCRIPTION = (
    "SIMULATED: made by a program, no image of a real place. The geometry of the site is real; fields, houses, "
    "aircraft, vehicles and weather are invented."
)
_EXTENSIONS = ("projection/v1.2.0", "raster/v1.1.0", "sat/v1.0.0", "eo/v1.1.0", "view/v1.0.0")


def _asset(name: str, href: str, grid: Grid, raster: Mapping[str, Any]) -> Json:
    """Return one asset: a file beside the Item, with one band."""
    asset: Json = {
        "href": href,
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "title": f"{name} (SIMULATED)",
        "roles": ["data"],
        "gsd": grid.gsd,
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform)[:6],
        "raster:bands": [{"nodata": 0, "spatial_resolution": grid.gsd, **raster}],
    }
    if name in COMMON_NAMES:
        asset["eo:bands"] = [{"name": name, "common_name": COMMON_NAMES[name]}]
    return asset


def _properties(acquisition: Pass, weather: Weather, grid: Grid) -> Json:
    """Return the Item's properties."""
    epsg = int(grid.crs.removeprefix("EPSG:"))
    return {
        "datetime": f"{acquisition.acquired:%Y-%m-%dT%H:%M:%SZ}",
        "title": f"{TITLE} of {acquisition.acquired:%Y-%m-%d}",
        "description": DESCRIPTION,
        "simulated": True,
        "platform": acquisition.platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "gsd": 10,
        "proj:epsg": epsg,
        "proj:code": grid.crs,
        "sat:relative_orbit": ORBIT,
        "sat:orbit_state": "descending",
        "s2:processing_baseline": PROCESSING_BASELINE,
        "s2:product_type": "S2MSI2A",
        "eo:cloud_cover": round(100 * float((weather.cloud > 0.2).mean()), 2),
        "view:sun_elevation": round(weather.sun_elevation_deg, 3),
        "view:sun_azimuth": round(weather.sun_azimuth_deg, 3),
    }


def scene_item(acquisition: Pass, weather: Weather, grid: Grid, classes_grid: Grid) -> Json:
    """Return the Item of one scene, whose files lie in a folder of its name beside it.

    Parameters
    ----------
    acquisition, weather
        When it was taken, and how.
    grid, classes_grid
        Of the 10 m bands, and of the SCL.
    """
    outline = orient(to_lonlat(box(*grid.bounds), grid.crs))
    numbers = {"data_type": "uint16", "scale": SCALE, "offset": OFFSET}
    name = acquisition.item_id
    assets = {band: _asset(band, f"./{name}/{band}.tif", grid, numbers) for band in BANDS}
    assets["SCL"] = _asset("SCL", f"./{name}/SCL.tif", classes_grid, {"data_type": "uint8"})
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "stac_extensions": [f"https://stac-extensions.github.io/{part}/schema.json" for part in _EXTENSIONS],
        "geometry": mapping(outline),
        "bbox": list(outline.bounds),
        "properties": _properties(acquisition, weather, grid),
        "links": [],
        "assets": assets,
    }
