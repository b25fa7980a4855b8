"""What a known object would look like at the place of a flag: drawn by the sensor model on the run's own picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

import numpy as np
from affine import Affine

from aoi import Grid
from aoi.geometry import centre
from detect.errors import DetectError
from detect.forward import Optics, Pose, Sunlight, render
from detect.targets import ObjectClass, object_class
from imagery.bands import SENTINEL2_BANDS
from imagery.raster import FloatArray, Raster
from revisit.mapframe import Window
from revisit.picture import Shades, Stretch, shades
from revisit.result import Flag, Result
from revisit.sun import solar_position

USUAL = "Il-76"
"""The class that is drawn for a flag without candidates: a size that many readers know."""
SIDE_PX = 40
"""Pixels of the grid around the flag's middle."""
LEVEL = 0.5
"""Of the class's reflectance, half way between its least and its largest."""
SHADOW_SHARE = {"B02": 0.38, "B03": 0.30, "B04": 0.24, "B08": 0.16}
"""Light left in a shadow: the sky's, so more in the blue. An estimate."""
PASS_TIME = time(10, 30)
"""Mean local solar time at which Sentinel-2 crosses the equator (ESA, mission guide)."""
LOWEST_SUN_DEG = 5.0
"""A lower sun on an image means that its hour is not known."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """A drawn object on a date without the flagged one."""

    name: str
    """Of the class in the catalogue."""
    role: str
    """The date whose picture it is drawn on: "before" or "after"."""
    window: Window
    """The part of the grid that is shown."""
    picture: Shades


def _sunlight(result: Result, raster: Raster, bands: tuple[str, ...]) -> Sunlight:
    """Return where the sun stood; where the hour of a scene is not known, where it stands when Sentinel-2 passes."""
    scene = next((r.scene for r in result.scenes if r.scene.id in raster.scene_ids), None)
    lon, lat = centre(result.aoi.geometry)
    if scene and scene.sun_elevation_deg is not None and scene.sun_azimuth_deg is not None:
        elevation, azimuth = scene.sun_elevation_deg, scene.sun_azimuth_deg
    else:
        elevation, azimuth = solar_position(raster.acquired, lon, lat)
    if elevation < LOWEST_SUN_DEG:
        passing = datetime.combine(raster.acquired.date(), PASS_TIME, UTC) - timedelta(hours=lon / 15)
        elevation, azimuth = solar_position(passing, lon, lat)
    shares = tuple(SHADOW_SHARE.get(band, min(SHADOW_SHARE.values())) for band in bands)
    return Sunlight(elevation_deg=max(elevation, LOWEST_SUN_DEG), azimuth_deg=azimuth, shadow_share=shares)


def _optics(gsd: float, bands: tuple[str, ...]) -> Optics | None:
    """Return the blur of bands at the run's pixel spacing; None where a band's is not published."""
    sigmas = [SENTINEL2_BANDS[band].psf_sigma_m if band in SENTINEL2_BANDS else None for band in bands]
    native = [SENTINEL2_BANDS[band].gsd_m if band in SENTINEL2_BANDS else gsd for band in bands]
    known = [sigma / own * gsd for sigma, own in zip(sigmas, native, strict=True) if sigma is not None]
    return Optics(gsd_m=gsd, psf_sigma_m=tuple(known)) if len(known) == len(bands) else None


def _model(flag: Flag) -> ObjectClass:
    """Return the class that a flag is most consistent with."""
    best = max(flag.object.candidates, key=lambda candidate: candidate.likelihood, default=None)
    try:
        return object_class(best.name if best else USUAL)
    except DetectError:
        return object_class(USUAL)


def _cut(raster: Raster, window: Window) -> Raster:
    """Return a part of a raster."""
    part = slice(window.row, window.row + window.height), slice(window.col, window.col + window.width)
    west, _, _, north = raster.grid.bounds
    gsd = raster.grid.gsd
    grid = Grid(
        crs=raster.grid.crs,
        transform=Affine(gsd, 0.0, west + window.col * gsd, 0.0, -gsd, north - window.row * gsd),
        width=window.width,
        height=window.height,
    )
    return replace(
        raster,
        data=raster.data[:, part[0], part[1]],
        valid=raster.valid[part],
        uncertain=raster.uncertain[part],
        grid=grid,
    )


def _window(middle: tuple[float, float], grid: Grid) -> Window:
    """Return the part of the grid around a (row, col), moved inward at its edges."""
    height, width = (min(SIDE_PX, size) for size in grid.shape)
    row, col = (round(at - size / 2) for at, size in zip(middle, (height, width), strict=True))
    row, col = min(max(row, 0), grid.height - height), min(max(col, 0), grid.width - width)
    return Window(row=row, col=col, height=height, width=width)


def _added(data: FloatArray, chip: FloatArray, row: int, col: int) -> FloatArray:
    """Return data (band, row, col) with a chip added around a pixel; what lies beyond the edge is lost."""
    half = chip.shape[1] // 2
    room = np.pad(data, ((0, 0), (half, half), (half, half)))
    room[:, row : row + chip.shape[1], col : col + chip.shape[2]] += chip
    return np.asarray(room[:, half : half + data.shape[1], half : half + data.shape[2]])


def likeness(flag: Flag, result: Result, stretch: Stretch) -> Likeness | None:
    """Return what an object of the flag's likeliest class would look like there, on the date without the flagged one.

    It is drawn on the before picture where something appeared or was altered and on the after picture where something
    vanished, along the flag's axis, with mid reflectance, shadow and the sensor's blur. The light that the air adds to
    and takes from an uncorrected (L1C) image is left out: there, a light object looks a little too light.

    Parameters
    ----------
    flag, result
        Of a run.
    stretch
        That of the run's pictures.

    Returns
    -------
    Likeness or None
        None for radar, and where the blur of a shown band is not known.
    """
    raster = result.after if flag.object.change == "vanished" else result.before
    optics = _optics(result.grid.gsd, stretch.bands) if raster.quantity == "reflectance" else None
    if optics is None:
        return None
    middle = float(np.mean(flag.object.rows)), float(np.mean(flag.object.cols))
    window, model = _window(middle, result.grid), _model(flag)
    cut = _cut(raster, window)
    shown = [raster.bands.index(band) for band in stretch.bands]
    ground = cut.data[shown]
    if not cut.valid.any():
        return None
    row, col = (round(at) for at in middle)
    # The middle of a pixel is a whole number here; the rest of the way, east and north, in metres.
    offset = ((middle[1] - col) * result.grid.gsd, (row - middle[0]) * result.grid.gsd)
    chip = render(
        model,
        Pose(heading_deg=flag.object.orientation_deg, offset_m=offset),
        optics=optics,
        background=np.nanmedian(ground, axis=(1, 2)),
        reflectance=model.reflectance(stretch.bands, LEVEL),
        sunlight=_sunlight(result, raster, stretch.bands),
    )
    data = cut.data.copy()
    data[shown] = _added(ground, chip, row - window.row, col - window.col)
    drawn = cut.with_pixels(np.maximum(data, 0), cut.valid, cut.uncertain)
    return Likeness(
        name=model.name,
        role="after" if raster is result.after else "before",
        window=window,
        picture=shades(drawn, stretch),
    )
