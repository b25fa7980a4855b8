"""Vessels in one optical or radar date: on open water by local contrast, along a shore as what juts out of it.

Water in an optical image is what is dark in the near infrared by the image's own two classes, so that haze does not
drown it as it does a fixed index. On it, what is brighter than the water around in all bands together is a vessel, a
buoy or a wave crest. Along a paved shore a vessel is a part of the land that a disc does not fit into: a bump of a
ship's size. Such a bump may be a jetty; a long vessel may come as two, bow and stern; one that fills a whole quay
from end to end is no bump and stays unseen. Where the outline of the land is known, it is used instead, and what lies
outside of it is seen whatever its shape. Where berths are known, `detect.berths` asks the better question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import gammaincinv

from detect.errors import DetectError
from detect.radar_map import otsu_threshold
from detect.significance import odd_pixels, own_threshold

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]

LEAST_WATER_M2 = 40_000.0
"""A smaller body of water is a pond or a shadow."""
LEAST_LAND_M2 = 150_000.0
"""A smaller body of land in the water is an islet, a wreck or a vessel."""
WATER_SHARE = 0.4
"""Of the way from the median of water to that of land in the near infrared: up to there it is water."""
GROUND_M = 410.0
"""Side of the square whose water a vessel is held against."""
CONTRAST = 3.5
"""Least standard deviations of the water around, mean of the bands; more where waves reach it too often."""
WAVES_PER_KM2 = 0.5
"""Wave crests that may pass for vessels, by the tail of the scene's own maxima."""
SPACING_M = 70.0
"""Side of the square in which only the strongest counts for that."""
LEAST_PIXELS = 4
SHORE_M = 105.0
"""Radius of the disc that land is opened with: a vessel alongside is narrower than it is wide."""
BUMP_LENGTH_M = (45.0, 400.0)
BUMP_WIDTH_M = 65.0
BUMP_ELONGATION = 1.5
PLANTS = 0.1
"""Normalised difference of infrared and red, haze taken off, from which a shore is grown over and no quay."""
GREEN = 0.25
"""The same of what floats on water: weed and mangrove are no vessel."""
RADAR_RING_M = (210.0, 410.0)
"""Sides of the ring of water that a radar return is held against: the inner holds a ship and its sidelobes."""


@dataclass(frozen=True, kw_only=True)
class Vessel:
    """One vessel, or what looks like one."""

    rows: NDArray[np.intp]
    cols: NDArray[np.intp]
    """(n,) its own pixels."""
    length_m: float
    width_m: float
    orientation_deg: float
    """Of its longer axis, clockwise from grid north, 0 to 180: bow and stern cannot be told apart."""
    contrast: float
    """Brightest pixel against the water around: standard deviations (optical), or ln of the power ratio (radar)."""
    place: Literal["open", "shore"]
    """On open water, or joined to the land."""

    @property
    def centre(self) -> tuple[float, float]:
        """Return (row, col) of its middle."""
        return float(self.rows.mean()), float(self.cols.mean())


def _disc(radius_px: float) -> NDArray[np.uint8]:
    reach = max(round(radius_px), 1)
    rows, cols = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(rows**2 + cols**2 <= reach**2 + 0.5).astype(np.uint8)


def _morphology(mask: BoolArray, operation: int, radius_px: float) -> BoolArray:
    kernel = _disc(radius_px)
    done = cv2.morphologyEx(mask.astype(np.uint8), operation, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(done > 0)


def _bodies(mask: BoolArray, least_px: float) -> BoolArray:
    """Return the connected parts of a mask that are large enough."""
    parts, count = ndimage.label(mask)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    keep = sizes >= least_px
    keep[0] = False
    return np.asarray(keep[parts])


def _measured(pixels: Pixels, gsd: float, contrast: float, place: Literal["open", "shore"]) -> Vessel:
    """Return a vessel with the sides of the ellipse that has its pixels' second moments."""
    rows, cols = (p.astype(np.float64) for p in pixels)
    variances, axes = np.linalg.eigh(np.cov(np.stack([cols, rows]), bias=True) + np.eye(2) / 12)
    width, length = (float(4 * np.sqrt(v) * gsd) for v in variances)
    angle = float(np.degrees(np.arctan2(axes[0, 1], -axes[1, 1])) % 180)
    return Vessel(rows=pixels[0], cols=pixels[1], length_m=length, width_m=width, orientation_deg=angle,
                  contrast=contrast, place=place)  # fmt: skip


def _parts(mask: BoolArray, least_px: int) -> Iterator[Pixels]:
    """Yield the pixels of each connected part that is large enough."""
    parts, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    for number, window in enumerate(ndimage.find_objects(parts), 1):
        rows, cols = np.nonzero(parts[window] == number)
        if len(rows) >= least_px:
            yield rows + window[0].start, cols + window[1].start


def _local(band: FloatArray, water: BoolArray, side_px: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and spread (row, col) of the water around, what stands out of it cut."""
    weight = cv2.boxFilter(water.astype(np.float32), -1, (side_px, side_px), normalize=False) + np.float32(1e-3)
    values = np.where(water, band, np.float32(0))
    centre = np.float32(np.median(band[water]))
    mean, spread = np.full_like(band, centre), np.full_like(band, np.inf)
    for _ in range(3):
        # Squares of small differences from one centre, lest the mean square drown them in rounding.
        cut = np.where(water, np.clip(values, mean - 2.5 * spread, mean + 2.5 * spread) - centre, np.float32(0))
        first = cv2.boxFilter(cut, -1, (side_px, side_px), normalize=False) / weight
        second = cv2.boxFilter(cut**2, -1, (side_px, side_px), normalize=False) / weight
        mean, spread = first + centre, np.sqrt(np.maximum(second - first**2, 1e-8))
    # No sea is smoother than the sensor's noise.
    return mean, np.sqrt(spread**2 + np.float32(0.0015**2))


def _plants(bands: Mapping[str, FloatArray]) -> FloatArray:
    """Return the normalised difference of near infrared and red above their darkest: haze lifts both alike."""
    infrared, red = (bands[name] - np.float32(np.percentile(bands[name], 0.5)) for name in ("B08", "B04"))
    return np.asarray((infrared - red) / np.maximum(infrared + red + np.float32(0.02), np.float32(1e-3)))


def water_of(infrared: FloatArray, valid: BoolArray, *, gsd: float) -> BoolArray:
    """Return where an optical image shows water (row, col), vessels and islets left out.

    The image's own two classes, water and land, are parted nearer to the water: a dark deck is brighter than water.

    Parameters
    ----------
    infrared
        B08, (row, col) reflectance.
    valid
        (row, col) True = usable.
    gsd
        Metres per pixel.

    Raises
    ------
    DetectError
        Where there is no body of water.
    """
    parted = otsu_threshold(infrared[valid]) if valid.any() else 0.0
    low, high = valid & (infrared < parted), valid & (infrared >= parted)
    if not low.any():
        raise DetectError("no pixel is usable, or all are alike: no water can be told from land")
    middles = [float(np.median(infrared[part])) for part in (low, high)]
    dark = valid & (infrared < middles[0] + WATER_SHARE * (middles[1] - middles[0]))
    water = _bodies(dark, LEAST_WATER_M2 / gsd**2)
    if not water.any():
        raise DetectError(f"no body of water of {LEAST_WATER_M2:,.0f} m2 or more")
    return water


def optical_vessels(
    bands: Mapping[str, FloatArray], valid: BoolArray, *, gsd: float, land: BoolArray | None = None
) -> tuple[Vessel, ...]:
    """Find the vessels of one optical date.

    Parameters
    ----------
    bands
        B02, B03, B04 and B08: (row, col) reflectance on one grid.
    valid
        (row, col) True = usable.
    gsd
        Metres per pixel, on the ground.
    land
        (row, col) True = known to be land; without it the shore is taken from the image.

    Raises
    ------
    DetectError
        Where bands are missing or there is no water.
    """
    missing = [name for name in ("B02", "B03", "B04", "B08") if name not in bands]
    if missing:
        raise DetectError(f"vessels are sought in B02, B03, B04 and B08; {', '.join(missing)} missing")
    water, plants = water_of(bands["B08"], valid, gsd=gsd), _plants(bands)
    ground = _bodies(valid & ~water, LEAST_LAND_M2 / gsd**2) if land is None else land & valid
    sea = valid & ~ground
    core = _morphology(water, cv2.MORPH_ERODE, 1)
    scores = []
    for name in ("B02", "B03", "B04", "B08"):
        mean, spread = _local(bands[name], core, odd_pixels(GROUND_M, gsd))
        scores.append(np.maximum((bands[name] - mean) / spread, 0))
    score = np.asarray(np.mean(scores, axis=0), dtype=np.float32)
    # The edge of the land is blurred into the water: by a pixel, and by one more where it is taken from the image.
    off_shore = _morphology(sea, cv2.MORPH_ERODE, 2 if land is None else 1)
    where = _morphology(water, cv2.MORPH_ERODE, 2)
    limit = own_threshold(score, where, gsd=gsd, spacing_m=SPACING_M, per_km2=WAVES_PER_KM2, floor=CONTRAST)
    afloat = (off_shore & (score >= limit)) | ((sea if land is None else off_shore) & ~water)
    found = [
        _measured(pixels, gsd, float(score[pixels].max()), "open")
        for pixels in _parts(afloat, LEAST_PIXELS)
        if np.median(plants[pixels]) < GREEN
    ]
    if land is None:
        bumps = _bumps(ground, water, plants, score, gsd)
        found = [vessel for vessel in found if not _touches(vessel, bumps, valid.shape)] + bumps
    return tuple(sorted(found, key=lambda vessel: -vessel.contrast))


def _touches(vessel: Vessel, others: list[Vessel], shape: tuple[int, ...]) -> bool:
    """Return whether a detection is but the blurred side of others: three pixels or less from one of them."""
    near = np.zeros(shape, np.uint8)
    for other in others:
        near[other.rows, other.cols] = 1
    rows, cols = (slice(max(int(p.min()) - 3, 0), int(p.max()) + 4) for p in (vessel.rows, vessel.cols))
    return bool(near[rows, cols].any())


def _bumps(ground: BoolArray, water: BoolArray, plants: FloatArray, score: FloatArray, gsd: float) -> list[Vessel]:
    """Return what juts out of paved shores and has a vessel's size."""
    solid = _morphology(ground, cv2.MORPH_OPEN, SHORE_M / gsd)
    found = []
    for pixels in _parts(ground & ~solid, LEAST_PIXELS + 2):
        vessel = _measured(pixels, gsd, float(score[pixels].max()), "shore")
        length, width = vessel.length_m, vessel.width_m
        if not BUMP_LENGTH_M[0] <= length <= BUMP_LENGTH_M[1] or width > min(BUMP_WIDTH_M, length / BUMP_ELONGATION):
            continue
        window = tuple(slice(max(int(p.min()) - 5, 0), int(p.max()) + 6) for p in pixels)
        own = np.zeros(ground[window].shape, np.uint8)
        own[pixels[0] - window[0].start, pixels[1] - window[1].start] = 1
        behind = (cv2.dilate(own, _disc(4)) > 0) & solid[window]
        afloat = (cv2.dilate(own, _disc(2)) > 0) & water[window]
        paved = behind.any() and np.median(plants[window][behind]) < PLANTS
        if paved and np.median(plants[pixels]) < PLANTS + 0.05 and afloat.sum() >= 0.3 * (afloat.sum() + behind.sum()):
            found.append(vessel)
    return found


def radar_vessels(
    power: FloatArray, water: BoolArray, *, gsd: float, false_alarms_per_km2: float = 0.1
) -> tuple[Vessel, ...]:
    """Find the vessels on open water of one radar date.

    The logarithm of the power over the mean of the ring of water around it, VV and VH averaged by their spread over the
    water, is thresholded by its own tail over the water (`detect.significance.own_threshold`): sea is no gamma speckle.

    Parameters
    ----------
    power
        (polarisation, row, col) linear power.
    water
        (row, col) True = open water that is usable; leave quays, moles and static masks out.
    gsd
        Metres per pixel.
    false_alarms_per_km2
        Maxima that waves alone may give per km2 of water.

    Raises
    ------
    DetectError
        Where there is no water.
    """
    if not water.any():
        raise DetectError("no open water to search")
    inner, outer = (odd_pixels(side, gsd) for side in RADAR_RING_M)
    seen, score, weights = water.astype(np.float32), np.zeros(water.shape, np.float32), 0.0
    for band in power:
        logs = np.log(np.where(water, np.maximum(band, 1e-9), 1)).astype(np.float32)
        middle = np.median(logs[water])
        spread = 1.4826 * float(np.median(np.abs(logs[water] - middle))) + 1e-3
        cut = np.where(water, np.clip(logs, middle - 6 * spread, middle + 3 * spread), np.float32(0))
        sums = [[cv2.boxFilter(x, -1, (n, n), normalize=False) for n in (outer, inner)] for x in (cut, seen)]
        around = (sums[0][0] - sums[0][1]) / np.maximum(sums[1][0] - sums[1][1], 0.5)
        score += np.where(water, logs - around, np.float32(0)) / np.float32(spread)
        weights += 1 / spread
    score /= np.float32(weights)
    evidence = np.maximum(cv2.GaussianBlur(score, (0, 0), 0.7), 0)
    limit = own_threshold(
        evidence, water, gsd=gsd, spacing_m=SPACING_M, per_km2=false_alarms_per_km2, floor=np.log(3.0)
    )
    # A vessel ends where its return is a third (of the logarithm) of its brightest: sidelobes lie below.
    near = cv2.dilate(evidence, np.ones((inner, inner), np.uint8))
    body = water & (evidence >= np.maximum(0.4 * near, 0.6 * limit))
    found = [p for p in _parts(body, 1) if evidence[p].max() >= limit]
    vessels = [_measured(pixels, gsd, float(score[pixels].max()), "open") for pixels in found]
    return tuple(sorted(vessels, key=lambda vessel: -vessel.contrast))


def count_interval(found: int, *, pd: float, false_alarms: float = 0.0) -> tuple[float, float, float]:
    """Return how many vessels a count stands for: lower end of the 95 % interval, estimate, upper end.

    The count is Poisson with its exact interval (F. Garwood 1936); the expected false alarms are taken off, and the
    share of vessels that are seen is divided out.

    Parameters
    ----------
    found
        Detections.
    pd
        Share of vessels that are detected, over 0 to 1.
    false_alarms
        Expected false detections among them.

    Examples
    --------
    >>> [round(n, 1) for n in count_interval(8, pd=0.8, false_alarms=1.0)]
    [3.1, 8.8, 18.5]
    """
    if not 0 < pd <= 1 or found < 0 or false_alarms < 0:
        raise DetectError(f"a count of {found} with {false_alarms} false ones and a share seen of {pd}: impossible")
    low = float(gammaincinv(found, 0.025)) if found else 0.0
    high = float(gammaincinv(found + 1, 0.975))
    ends = [max(value - false_alarms, 0.0) / pd for value in (low, found, high)]
    return ends[0], ends[1], ends[2]
