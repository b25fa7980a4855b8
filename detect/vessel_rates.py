"""What a count of vessels on one date stands for: the share that is seen, measured by ships put into that very date.

Ships of a radar cross-section (radar) or of a length and contrast (optical) are put on the open water of the date and
searched for by the same detector, among its own waves, haze and ships. The false alarms of radar are those that the
threshold is set to, by the tail of the date's own maxima; those of optical dates were counted by eye, because rocks,
clouds and jetties outnumber the waves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detect.berths_optical import SHIP_CONTRAST, SHIP_SPREAD
from detect.errors import DetectError
from detect.radar_evidence import FADING_DB
from detect.radar_injection import POINT_SPACING_M, inject_points
from detect.rates import wilson
from detect.vessels import OPTICAL, Vessel, optical_vessels, radar_vessels
from detect.water import LEAST_LAND_M2, bodies, water_of

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Values = NDArray[np.float64]

FEWEST_TRIALS = 6
MOST_TRIALS = 24
APART_M = 300.0
"""Between ships put in, and from those that are there: beyond each other's ring of water."""
OPTICAL_FALSE_PER_KM2 = (0.05, 0.2, 0.5)
"""Detections on open water that are no vessel by eye, per km2: least, usual, most. Counted on four dates of three
ports (`benchmarks/vessels.py`): 0.12 to 0.29 by date, 0.18 to 0.43 with the unsure ones; the range is wider than that,
for other coasts will differ more than these three."""
REACH_PX = 3.0
"""From a ship's middle to the detection that is it."""
BEAM = 1 / 6
"""Over length."""
BLUR_PX = 0.6
"""Standard deviation of Sentinel-2's point-spread at 10 m."""


@dataclass(frozen=True, kw_only=True)
class VesselRates:
    """What is seen of the vessels of one date."""

    pd: float
    """Share of the ships put in that were found."""
    interval: tuple[float, float]
    """Of that share, 95 %."""
    trials: int
    false_per_km2: float
    """Detections that are no vessel per km2 of water."""
    false_range: tuple[float, float]
    """Within what that lies from date to date and from port to port."""
    assumed: str
    """What ships were put in."""


def _places(water: BoolArray, present: tuple[Vessel, ...], gsd: float, rng: np.random.Generator) -> Values:
    """Return rows and cols (place, 2) on open water, away from vessels that are there and from each other."""
    free = cv2.erode(water.astype(np.uint8), np.ones((9, 9), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rows, cols = np.nonzero(free)
    taken = [vessel.centre for vessel in present]
    chosen: list[tuple[float, float]] = []
    for k in rng.permutation(len(rows))[: 40 * MOST_TRIALS]:
        place = float(rows[k]), float(cols[k])
        if all(np.hypot(place[0] - r, place[1] - c) * gsd >= APART_M for r, c in [*taken, *chosen]):
            chosen.append(place)
        if len(chosen) == MOST_TRIALS:
            break
    if len(chosen) < FEWEST_TRIALS:
        raise DetectError(
            f"room for {len(chosen)} test ships on the water; {FEWEST_TRIALS} are needed to know what is seen"
        )
    return np.array(chosen)


def _rates(places: Values, found: tuple[Vessel, ...], false: tuple[float, float, float], assumed: str) -> VesselRates:
    hits = sum(
        any(np.hypot(vessel.rows - row, vessel.cols - col).min() <= REACH_PX for vessel in found) for row, col in places
    )
    return VesselRates(pd=hits / len(places), interval=wilson(hits, len(places)), trials=len(places),
                       false_per_km2=false[1], false_range=(false[0], false[2]), assumed=assumed)  # fmt: skip


def radar_vessel_rates(
    power: FloatArray,
    water: BoolArray,
    *,
    gsd: float,
    looks: tuple[float, ...],
    rng: np.random.Generator,
    dbsm: float = 35.0,
    length_m: float = 60.0,
    false_alarms_per_km2: float = 0.1,
) -> VesselRates:
    """Measure what `radar_vessels` sees on a date.

    Parameters
    ----------
    power, water, gsd, false_alarms_per_km2
        As for `radar_vessels`.
    looks
        Of each polarisation, measured.
    rng
        Draws places, headings and phases.
    dbsm, length_m
        Of the ships put in: mean cross-section, decibels over a square metre (an assumption), and length.

    Raises
    ------
    DetectError
        Where there is no room for FEWEST_TRIALS ships.
    """
    present = radar_vessels(power, water, gsd=gsd, false_alarms_per_km2=false_alarms_per_km2)
    places = _places(water, present, gsd, rng)
    points = []
    for row, col in places:
        count = int(np.clip(length_m / POINT_SPACING_M, 1, 8))
        along = rng.uniform(-0.45, 0.45, count) * length_m / gsd
        heading = rng.uniform(0, np.pi)
        total = 10 ** ((dbsm + rng.normal(0, FADING_DB)) / 10) / gsd**2
        amplitude = np.sqrt(total * rng.dirichlet(np.ones(count)))
        points.append(np.stack([row - along * np.cos(heading), col + along * np.sin(heading), amplitude], axis=1))
    filled = np.where(np.isfinite(power), power, np.float32(0))
    with_ships = inject_points(filled, np.concatenate(points), looks=looks, gsd=gsd, rng=rng)
    found = radar_vessels(with_ships, water, gsd=gsd, false_alarms_per_km2=false_alarms_per_km2)
    false = (false_alarms_per_km2,) * 3
    return _rates(places, found, false, f"ships of {length_m:g} m and {dbsm:g} dBsm")


def optical_vessel_rates(
    bands: Mapping[str, FloatArray],
    valid: BoolArray,
    water: BoolArray,
    *,
    gsd: float,
    rng: np.random.Generator,
    length_m: float = 60.0,
) -> VesselRates:
    """Measure what `optical_vessels` sees on open water on a date.

    Ships have the contrast of labelled vessels: SHIP_CONTRAST, spread by SHIP_SPREAD, alike in all bands.

    Parameters
    ----------
    bands, valid, gsd
        As for `optical_vessels`.
    water
        (row, col) True = open water to put ships on.
    rng
        Draws places, headings and contrasts.
    length_m
        Of the ships put in.

    Raises
    ------
    DetectError
        As `optical_vessels`, and where there is no room for FEWEST_TRIALS ships.
    """
    # What lies beyond the water that is asked about is no land: its shore is where it is.
    afloat = water_of(bands["B08"], valid, gsd=gsd, green=bands["B03"])
    land = bodies(valid & ~afloat, LEAST_LAND_M2 / gsd**2)
    places = _places(water & valid, optical_vessels(bands, valid, gsd=gsd, land=land), gsd, rng)
    drawn = np.zeros(valid.shape, np.float32)
    for row, col in places:
        angle = rng.uniform(0, 180)
        fine = np.zeros((200, 200), np.uint8)
        size = (10 * length_m / gsd, 10 * max(BEAM * length_m / gsd, 0.1))
        box = cv2.boxPoints(((100.0, 100.0), size, float(angle)))
        cv2.fillConvexPoly(fine, np.round(box * 16).astype(np.int32), 1, shift=4)
        share = fine.reshape(20, 10, 20, 10).mean(axis=(1, 3)).astype(np.float32)
        top, left = int(row) - 10, int(col) - 10
        rows, cols = slice(max(top, 0), top + 20), slice(max(left, 0), left + 20)
        part = share[rows.start - top :, cols.start - left :]
        held = drawn[rows, cols]
        held += part[: held.shape[0], : held.shape[1]] * np.float32(SHIP_CONTRAST * np.exp(rng.normal(0, SHIP_SPREAD)))
    ships = np.asarray(cv2.GaussianBlur(drawn, (0, 0), BLUR_PX), dtype=np.float32)
    with_ships = {name: bands[name] + ships for name in OPTICAL}
    found = optical_vessels(with_ships, valid, gsd=gsd, land=land)
    return _rates(places, found, OPTICAL_FALSE_PER_KM2, f"ships of {length_m:g} m with the contrast of labelled ones")
