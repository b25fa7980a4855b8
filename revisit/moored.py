"""What is moored in an area: the state of its quays and berths on each date of one sensor.

Occupied, empty, or it cannot be told, with the reason: the same values for radar and for optical dates, and the same
table as `revisit.afloat`'s. A dozen dates or more are held against the berth's own empty state, a few optical ones
against the basin's water of the same date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from detect.berths import FEWEST_DATES, State, berth_level, berth_occupancy
from detect.berths_optical import OPTICAL, optical_berth_level, optical_berth_state
from detect.errors import DetectError
from detect.water import water_of
from imagery.raster import BoolArray, Raster
from revisit.afloat import BERTH_KINDS, Sensor, bands_of, sensor_of, zones_of
from revisit.ground import Ground

ALONGSIDE_M = 40.0
"""How far from the outline of a quay, which is land, a ship may lie that is made fast to it."""
FEWEST_FOR_LAND = 3
"""Optical dates on which a pixel must never be water to count as quay."""


@dataclass(frozen=True, kw_only=True)
class BerthDay:
    """The state of a quay or berth on a date."""

    zone: str
    sensor: Sensor
    acquired: datetime
    state: State
    probability: float
    """That a vessel lies there; NaN where it cannot be judged."""
    note: str
    """Against what it was judged, or why it cannot be told."""


def _where_ships_lie(ground: Ground) -> dict[str, BoolArray]:
    """Return the pixels of each berth, and of each quay with the strip alongside."""
    kinds = {zone.name: zone.kind for zone in ground.aoi.zones}
    side = 2 * max(round(ALONGSIDE_M / ground.grid.gsd), 1) + 1
    strip = np.ones((side, side), np.uint8)
    return {
        name: pixels if kinds[name] == "berth" else np.asarray(cv2.dilate(pixels.astype(np.uint8), strip) > 0)
        for name, pixels in zones_of(ground, BERTH_KINDS).items()
    }


def _levels(
    rasters: Sequence[Raster], berth: BoolArray, basin: BoolArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the levels (date,) of a berth and of the basin."""
    if sensor_of(rasters[0]) == "s2":
        pairs = [
            optical_berth_level(bands_of(one), one.valid & ~one.uncertain, berth, basin & one.valid & ~one.uncertain)
            if (basin & one.valid & ~one.uncertain).any() else (float("nan"), float("nan"))
            for one in rasters
        ]  # fmt: skip
        return np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    power = np.stack([np.nan_to_num(one.data[0]) for one in rasters])
    valid = np.stack([one.valid & ~one.uncertain for one in rasters])
    return berth_level(power, valid, berth), berth_level(power, valid, basin)


def _quays(rasters: Sequence[Raster]) -> BoolArray | None:
    """Return what no optical date shows as water; None where there are too few dates to tell."""
    seen, dates = np.zeros(rasters[0].valid.shape, bool), 0
    for one in rasters:
        bands, valid = bands_of(one), one.valid & ~one.uncertain
        try:
            seen |= water_of(bands["B08"], valid, gsd=one.grid.gsd, green=bands["B03"])
        except DetectError:
            continue
        dates += 1
    return ~seen if dates >= FEWEST_FOR_LAND else None


def _by_own_states(
    name: str, rasters: Sequence[Raster], berth: BoolArray, basin: BoolArray, doubtful: Mapping[int, str]
) -> list[BerthDay]:
    """Return the states of one berth from its own two groups of dates."""
    level, water = _levels(rasters, berth, basin)
    flagged = np.array([k in doubtful for k in range(len(rasters))])
    try:
        told = berth_occupancy(level, water, flagged)
        note = "held against its own empty dates" if np.isfinite(told.gap) else "the dates show no two states"
        values = list(zip(told.states, told.probability, [note] * len(rasters), strict=True))
    except DetectError as error:
        values = [("cannot tell", float("nan"), str(error))] * len(rasters)
    return [
        BerthDay(zone=name, sensor=sensor_of(one), acquired=one.acquired, state=state, probability=float(probability),
                 note=doubtful.get(k, note))
        for k, (one, (state, probability, note)) in enumerate(zip(rasters, values, strict=True))
    ]  # fmt: skip


def _by_single_dates(
    name: str,
    rasters: Sequence[Raster],
    *,
    berth: BoolArray,
    basin: BoolArray,
    doubtful: Mapping[int, str],
    land: BoolArray | None,
) -> list[BerthDay]:
    """Return the states of one berth, each optical date by itself."""
    days = []
    for k, one in enumerate(rasters):
        valid = one.valid & ~one.uncertain
        state: State = "cannot tell"
        probability, note = float("nan"), doubtful.get(k, "held against the water of the basin on this date")
        if k not in doubtful and (basin & valid).any():
            look = optical_berth_state(bands_of(one), valid, berth, basin, land=land)
            state, probability = look.state, look.probability
        days.append(BerthDay(zone=name, sensor="s2", acquired=one.acquired, state=state, probability=probability,
                             note=note))  # fmt: skip
    return days


def berth_days(
    rasters: Sequence[Raster], ground: Ground, *, doubtful: Mapping[int, str] | None = None
) -> tuple[BerthDay, ...]:
    """Return the state of each quay and berth on each date.

    Parameters
    ----------
    rasters
        Dates of one sensor on the ground's grid; of radar one relative orbit, registered.
    ground
        The area. Its basins, or else its anchorages, show what empty water looks like.
    doubtful
        Reasons by index of the date, such as "interference": these dates cannot be told.

    Raises
    ------
    DetectError
        Where there are no dates, no quay or berth, or no basin or anchorage to hold them against.
    """
    berths = _where_ships_lie(ground)
    if not rasters or not berths:
        raise DetectError(
            f"{len(rasters)} dates and {len(berths)} zones of the kinds {' and '.join(BERTH_KINDS)}: no state"
        )
    basins = zones_of(ground, ("basin",)) or zones_of(ground, ("anchorage",))
    basin = np.zeros(rasters[0].valid.shape, bool)
    for pixels in basins.values():
        basin |= pixels
    for pixels in berths.values():
        basin &= ~pixels
    if not basin.any():
        raise DetectError("no basin or anchorage beside the berths: an empty berth has nothing to be held against")
    optical = sensor_of(rasters[0]) == "s2"
    missing = [name for name in OPTICAL if name not in rasters[0].bands] if optical else []
    if missing:
        raise DetectError(f"berths are judged in B02, B03, B04 and B08; {', '.join(missing)} missing")
    single = optical and len(rasters) < FEWEST_DATES
    land = _quays(rasters) if single else None
    days: list[BerthDay] = []
    for name, pixels in berths.items():
        if single:
            days += _by_single_dates(name, rasters, berth=pixels, basin=basin, doubtful=doubtful or {}, land=land)
        else:
            days += _by_own_states(name, rasters, pixels, basin, doubtful or {})
    return tuple(days)
