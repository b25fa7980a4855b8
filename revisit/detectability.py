"""What could have been seen on the two dates of a run, on each kind of its ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import cv2
import numpy as np

from aoi import AOI, ZONE_KINDS
from aoi.geometry import centre
from detect.candidates import with_candidates
from detect.change import Change, ChangedObject
from detect.detectability import ClassDetectability, Dates, InjectionPlan, Maps, StatisticsOf, Stratum, measure
from detect.filters import BoolArray, FloatArray
from detect.forward import Optics, Sunlight
from detect.injection import View, Window
from detect.optical import Pair, PairModel, area_statistic, object_statistic
from detect.significance import odd_pixels
from imagery.bands import SENTINEL2_BANDS
from imagery.errors import NoSceneError
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Source
from revisit.ground import AREA, Ground
from revisit.sun import sun_over

WATER_KINDS = frozenset({"quay", "berth", "basin", "anchorage"})
"""Kinds of zone where ships lie; a quay's zone holds the ships along it."""
OPEN_WATER_KINDS = frozenset({"basin", "anchorage"})
"""Kinds of zone where nothing but ships can be."""
UNKNOWN_KINDS = frozenset({"other", AREA})
"""Kinds of ground that may hold water: a flag there may be a ship, though none is put there."""
DRY = 1.1
"""Times its reflectance in green that ground has in the near infrared, and water never."""
AROUND_M = 90.0
"""Side of the square of which most must be no such ground, where no zone says what it is, for ships to lie there."""
SHADOW_SHARE = {"B02": 0.38, "B03": 0.30, "B04": 0.24, "B08": 0.16}
"""Light left in a shadow: the sky's, so more in the blue. An estimate."""
TRANSMISSION = {"B02": 0.80, "B03": 0.85, "B04": 0.89, "B08": 0.93}
"""Share of the ground's reflectance that reaches the top of a clear atmosphere. An estimate."""
DARKEST = 0.002
"""Share of the pixels whose darkest stands for the reflectance that the air alone gives."""
DARK_BLUE = 0.05
"""Reflectance in blue (B02) that water, shadow and vegetation stay below and clear air alone exceeds."""
LOOK_BACK_DAYS = 100
"""How far back a date looks for a scene to be held against: farther back it is another season."""


def optics_of(bands: Sequence[str], gsd: float) -> Optics:
    """Return the blur of an image: that of Sentinel-2's bands in pixels, whatever the pixel's size.

    A finer image is another sensor's; its modulation at Nyquist is taken to be the same.
    """
    sigmas = [(SENTINEL2_BANDS[band].psf_sigma_m or 0.53 * gsd) / SENTINEL2_BANDS[band].gsd_m * gsd for band in bands]
    return Optics(gsd_m=gsd, psf_sigma_m=tuple(sigmas))


def _holds_air(scene: Scene, bands: Sequence[str], darkest: Sequence[float]) -> bool:
    """Return whether an image holds the light of the air: as its level says, else where nothing in it is dark."""
    if scene.level is not None or "B02" not in bands:
        return scene.level == "L1C"
    return bool(darkest[bands.index("B02")] > DARK_BLUE)


def view_of(raster: Raster, scene: Scene, optics: Optics, at: tuple[float, float]) -> View:
    """Return how the ground of a date reaches its image: sensor, sun, and the air where it was not corrected for.

    Parameters
    ----------
    raster, scene
        The date.
    optics
        Of the raster's bands.
    at
        (longitude, latitude) of the area, degrees.
    """
    elevation, azimuth = sun_over(scene.acquired, *at, told=(scene.sun_elevation_deg, scene.sun_azimuth_deg))
    seen = raster.data[:, raster.valid]
    darkest = [float(np.quantile(band, DARKEST)) if band.size else 0.0 for band in seen]
    raw = _holds_air(scene, raster.bands, darkest)
    return View(
        bands=raster.bands,
        optics=optics,
        sunlight=Sunlight(
            elevation_deg=elevation,
            azimuth_deg=azimuth,
            shadow_share=tuple(SHADOW_SHARE[band] for band in raster.bands),
        ),
        transmission=tuple(TRANSMISSION[band] if raw else 1.0 for band in raster.bands),
        path=tuple(value if raw else 0.0 for value in darkest),
    )


def strata_of(ground: Ground, margin: int) -> list[Stratum]:
    """Return the kinds of searched ground, on its grid padded by `margin` pixels on each side."""
    codes = np.pad(ground.strata, margin)
    names = {code: ZONE_KINDS[code - 1] if ground.zones else AREA for code in np.unique(codes[codes > 0]).tolist()}
    return [Stratum(name=name, where=codes == code, water=name in WATER_KINDS) for code, name in names.items()]


def pair_statistics(pair: Pair, model: PairModel) -> StatisticsOf:
    """Return the two-date detector with its fitted model."""

    def statistics_of(before: FloatArray, after: FloatArray, window: Window) -> tuple[FloatArray, FloatArray]:
        part = replace(pair, before=before, after=after, valid=pair.valid[window])
        return object_statistic(part, model), area_statistic(part, model)

    return statistics_of


def _dates(
    ground: Ground,
    before: Raster,
    after: Raster,
    *,
    valid: BoolArray,
    scenes: tuple[Scene, Scene],
    optics: Optics | None = None,
) -> Dates:
    """Return two dates with how each saw the ground."""
    optics = optics or optics_of(before.bands, before.grid.gsd)
    at = centre(ground.aoi.geometry)
    first, second = (view_of(raster, scene, optics, at) for raster, scene in zip((before, after), scenes, strict=True))
    return Dates(
        before=np.asarray(before.data),
        after=np.asarray(after.data),
        valid=valid,
        before_view=first,
        after_view=second,
    )


def _margin(ground: Ground, raster: Raster) -> int:
    """Return the pixels by which a raster is larger than the ground's grid on each side."""
    return (raster.grid.height - ground.grid.height) // 2


def _not_dry(raster: Raster) -> BoolArray:
    """Return where (row, col) ships may lie as far as an image tells: most around is not drier than water."""
    if not {"B03", "B08"} <= set(raster.bands):
        return np.ones_like(raster.valid)
    green, infrared = (np.nan_to_num(raster.data[raster.bands.index(name)]) for name in ("B03", "B08"))
    side = odd_pixels(AROUND_M, raster.grid.gsd)
    return np.asarray(cv2.blur((infrared <= DRY * green).astype(np.float32), (side, side)) >= 0.5)


def name_candidates(
    objects: Sequence[ChangedObject], ground: Ground, before: Raster, after: Raster, *, scenes: tuple[Scene, Scene]
) -> tuple[ChangedObject, ...]:
    """Return changed objects with the classes of the catalogue that their size and contrast allow.

    Parameters
    ----------
    objects
        In pixels of the rasters' grid.
    ground, before, after, scenes
        As for `assess`.
    """
    water, land = _not_dry(before) & _not_dry(after), np.ones(before.valid.shape, np.bool_)
    for stratum in strata_of(ground, _margin(ground, before)):
        if stratum.name not in UNKNOWN_KINDS:
            water[stratum.where] = stratum.name in WATER_KINDS
        land[stratum.where] = stratum.name not in OPEN_WATER_KINDS
    dates = _dates(ground, before, after, valid=before.valid & after.valid, scenes=scenes)
    return with_candidates(objects, dates, water=water, land=land)


def scene_before(source: Source, aoi: AOI, day: date, *, within_days: int) -> date:
    """Return the day of the last scene before the one that `day` asks for, which is the nearest.

    Raises
    ------
    NoSceneError
        Where there is none on or about the day, or none before it.
    """
    start, end = day - timedelta(days=within_days + LOOK_BACK_DAYS), day + timedelta(days=within_days)
    period = Period(start=datetime.combine(start, time.min, UTC), end=datetime.combine(end, time.max, UTC))
    days = sorted({scene.acquired.date() for scene in source.search(aoi, [period], sensor="s2").scenes})
    near = [other for other in days if abs((other - day).days) <= within_days]
    if not near:
        raise NoSceneError(f"no scene of {aoi.name} within {within_days} days of {day}; try --within, or another date")
    earlier = [other for other in days if other < min(near, key=lambda other: abs((other - day).days))]
    if not earlier:
        raise NoSceneError(f"no scene of {aoi.name} in the {LOOK_BACK_DAYS} days before {day} to hold it against")
    return earlier[-1]


def assess(
    ground: Ground,
    before: Raster,
    after: Raster,
    *,
    statistics_of: StatisticsOf,
    change: Change,
    scenes: tuple[Scene, Scene],
    plan: InjectionPlan,
    optics: Optics | None = None,
) -> tuple[ClassDetectability, ...]:
    """Return how likely each class of object would have been flagged on each kind of ground.

    Parameters
    ----------
    ground
        The area on its grid.
    before, after
        As compared: on the ground's grid, or padded by the same number of pixels on each side.
    statistics_of
        (before, after, window) -> (object map, area map) of the window, of the detector with its fitted model.
    change
        The detector's answer on the same frame as the rasters, before any cropping.
    scenes
        Before and after: for the sun, and for the air.
    plan
        What is put into the images.
    optics
        Of the images, where `optics_of` their bands does not fit them.
    """
    dates = _dates(ground, before, after, valid=change.valid, scenes=scenes, optics=optics)
    maps = Maps(
        objects=change.objects.statistic,
        areas=change.areas.statistic,
        object_threshold=change.objects.threshold,
        area_threshold=change.areas.threshold,
    )
    return measure(statistics_of, dates, strata=strata_of(ground, _margin(ground, before)), maps=maps, plan=plan)
