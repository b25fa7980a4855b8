"""Vessels in one optical or radar date: on open water by local contrast, along a shore as what juts out of it.

On water that is found in any haze (`detect.water`), what is brighter than the water around in all bands together and
has the proportions of a hull (`detect.hulls`) is a vessel, a buoy or a wave crest. Along a paved shore a vessel is a
part of the land that juts out (`detect.shore`). Such a bump may be a jetty; a long vessel may come as two, bow and
stern; one that fills a whole quay from end to end is no bump and stays unseen. Where the outline of the land is known,
it is used instead, and what lies outside of it is seen whatever its shape. Where berths are known, `detect.berths`
asks the better question.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from detect.errors import DetectError
from detect.fairways import ends_on_land, room_for
from detect.hulls import Vessel, drawn, like_a_hull, measured, parts_of, too_wide, window_of
from detect.shore import alongside, shore_of
from detect.significance import TooFewMaximaError, odd_pixels, own_threshold
from detect.water import LEAST_LAND_M2, around, bodies, disc, morphology, water_of

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

__all__ = ["Vessel", "count_interval", "optical_vessels", "radar_vessels", "water_of"]

OPTICAL = ("B02", "B03", "B04", "B08")
GROUND_M = 410.0
"""Side of the square whose water a vessel is held against."""
CONTRAST = 3.5
"""Least standard deviations of the water around, mean of the bands; more where waves reach it too often."""
FAINTEST = 2.5
"""Least standard deviations of a vessel's own pixels."""
WAVES_PER_KM2 = 0.5
"""Wave crests that may pass for vessels, by the tail of the scene's own maxima."""
SPACING_M = 70.0
"""Side of the square in which only the strongest counts for that."""
LEAST_M2 = 500.0
"""What a vessel of 25 to 30 m covers, blurred."""
POINT_M = 32.0
"""Length (four standard deviations of the brightness) up to which something is a point: of a point-spread of two
pixels of 10 m that is 24 to 30 m, of a vessel of 20 m 38 m, of one of 30 m 46 m."""
GREEN = 0.15
"""Soil-adjusted vegetation index from which something is weed or mangrove, no vessel."""
FRAYED_M = 80.0
"""Around a cloud or islet: up to there something bright is a part of it."""
RADAR_RING_M = (210.0, 410.0)
"""Sides of the ring of water that a radar return is held against: the inner holds a ship and its sidelobes."""


def _plants(bands: Mapping[str, FloatArray]) -> FloatArray:
    """Return the soil-adjusted vegetation index (A. Huete 1988): dark quays do not pass for plants as with a ratio."""
    infrared, red = bands["B08"], bands["B04"]
    return np.asarray(1.5 * (infrared - red) / np.maximum(infrared + red + np.float32(0.5), np.float32(0.1)))


def _score(bands: Mapping[str, FloatArray], water: BoolArray, gsd: float) -> FloatArray:
    """Return how far each pixel is brighter than the water around: standard deviations, mean of the bands."""
    core, scores = morphology(water, cv2.MORPH_ERODE, 1), []
    if not core.any():
        core = water
    for name in OPTICAL:
        mean, spread = around(bands[name], core, odd_pixels(GROUND_M, gsd))
        scores.append(np.maximum((bands[name] - mean) / spread, 0))
    return np.asarray(np.mean(scores, axis=0), dtype=np.float32)


def _is_point(vessel: Vessel, score: FloatArray, gsd: float) -> bool:
    """Return whether something is no longer than the image's own blur: a wave crest, a buoy or a boat."""
    weights = np.maximum(score[vessel.pixels], 0).astype(np.float64)
    spread = np.cov(np.stack(vessel.pixels), aweights=weights, bias=True)
    return bool(4 * np.sqrt(np.linalg.eigvalsh(spread)[-1]) * gsd < POINT_M)


def _limit(score: FloatArray, where: BoolArray, gsd: float) -> float:
    """Return the score that wave crests on this water reach too seldom to matter; points are none of their tail."""
    crests = where.copy()
    for pixels in parts_of(where & (score >= FAINTEST), round(LEAST_M2 / gsd**2)):
        if score[pixels].max() >= CONTRAST and _is_point(measured(pixels, gsd, 0.0, "open"), score, gsd):
            crests[pixels] = False
    try:
        return own_threshold(score, crests, gsd=gsd, spacing_m=SPACING_M, per_km2=WAVES_PER_KM2, floor=CONTRAST)
    except TooFewMaximaError:  # a dock: too little water for many waves, or for their tail to show
        return CONTRAST


def _touches(vessel: Vessel, others: list[Vessel], shape: tuple[int, ...], reach_px: int) -> bool:
    """Return whether a detection lies within `reach_px` of others."""
    window = window_of(vessel.pixels, reach_px)
    near = np.zeros_like(drawn(vessel.pixels, window, shape))
    for other in others:
        near |= drawn(other.pixels, window, shape)
    own = drawn(vessel.pixels, window, shape)
    return bool(((cv2.dilate(own, disc(reach_px)) > 0) & (near > 0)).any())


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
    missing = [name for name in OPTICAL if name not in bands]
    if missing:
        raise DetectError(f"vessels are sought in B02, B03, B04 and B08; {', '.join(missing)} missing")
    water = water_of(bands["B08"], valid, gsd=gsd, green=bands["B03"])
    plants, score = _plants(bands), _score(bands, water, gsd)
    ground = bodies(valid & ~water, LEAST_LAND_M2 / gsd**2) if land is None else land & valid
    # The edge of the land is blurred into the water: by a pixel, and by one more where it is taken from the image.
    off_shore = morphology(valid & ~ground, cv2.MORPH_ERODE, 2 if land is None else 1)
    limit = _limit(score, morphology(water, cv2.MORPH_ERODE, 2), gsd)
    islets = (valid & ~ground if land is None else off_shore) & ~water
    # A hull reaches as far as half of what a peak must have; peaks alone would cut a small one to pieces.
    afloat = (off_shore & (score >= max(limit / 2, FAINTEST))) | islets
    parts = [
        measured(p, gsd, float(score[p].max()), "open")
        for p in parts_of(afloat, round(LEAST_M2 / gsd**2))
        if score[p].max() >= (CONTRAST if islets[p].any() else limit)
    ]
    found = [one for one in parts if like_a_hull(one) and np.median(plants[one.pixels]) < GREEN]
    found = [one for one in found if ends_on_land(one, ground, gsd) < 2 and not _is_point(one, score, gsd)]
    broad = [one for one in parts if too_wide(one)]
    found = [one for one in found if not _touches(one, broad, valid.shape, round(FRAYED_M / gsd))]
    if land is None:
        shore = shore_of(ground, score, gsd=gsd, limit=limit)
        optical = {name: bands[name] for name in OPTICAL}
        bumps = alongside(shore, water, optical, plants=plants, score=score, faintest=CONTRAST)
        # A detection three pixels or less from a bump is but its blurred side.
        found = [one for one in found if not shore.doubtful(one) and not _touches(one, bumps, valid.shape, 3)] + bumps
    found = [one for one, room in zip(found, room_for(found, ground, valid, gsd), strict=True) if room]
    return tuple(sorted(found, key=lambda vessel: -vessel.contrast))


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
    found = [p for p in parts_of(body, 1) if evidence[p].max() >= limit]
    vessels = [measured(pixels, gsd, float(score[pixels].max()), "open") for pixels in found]
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
