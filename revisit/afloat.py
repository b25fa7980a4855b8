"""What is afloat in an area: the vessels in its basins and anchorages on one date of either sensor.

A count never comes without its interval, or it is said why it cannot be told. `revisit.moored` has the quays and
berths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import shapely

from aoi.geometry import to_lonlat
from detect.errors import DetectError
from detect.hulls import Vessel
from detect.speckle import spatial_looks
from detect.vessel_rates import VesselRates, optical_vessel_rates, radar_vessel_rates
from detect.vessels import count_interval, optical_vessels, radar_vessels
from detect.water import water_of
from imagery.raster import BoolArray, FloatArray, Raster
from revisit.ground import Ground

WATER_KINDS = ("basin", "anchorage")
"""Zones in which vessels are sought on open water."""
BERTH_KINDS = ("quay", "berth")
"""Zones that have a state."""
LEAST_VALID = 0.5
"""Share of a zone that must be usable for a count."""
FALSE_ALARMS_PER_KM2 = 0.1
"""Of radar, as asked of the threshold."""

Sensor = Literal["s1", "s2"]


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """One vessel, or what looks like one, in a zone on a date."""

    zone: str
    sensor: Sensor
    acquired: datetime
    lon: float
    lat: float
    """Of its middle, degrees."""
    length_m: float
    width_m: float
    heading_deg: float
    """Of its axis, clockwise from grid north, 0 to 180: bow and stern cannot be told apart."""
    contrast: float
    """Against the water around: standard deviations (s2), or ln of the power ratio (s1)."""
    place: Literal["open", "shore"]


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many vessels a zone held on a date."""

    zone: str
    sensor: Sensor
    acquired: datetime
    found: int
    """Detections on open water: what lies alongside is sighted, but its share that is seen is not measured."""
    low: float
    estimate: float
    high: float
    """Vessels: ends of the 95 % interval and estimate; NaN where it cannot be told."""
    pd: float
    """Share of test ships that was seen on this date; NaN where it could not be measured."""
    false_alarms: float
    """Detections that chance gives on the zone's water."""
    water_km2: float
    valid_share: float
    note: str
    """What was assumed, or why nothing can be told."""


@dataclass(frozen=True, kw_only=True)
class Afloat:
    """The vessels of one date."""

    sightings: tuple[Sighting, ...]
    counts: tuple[Count, ...]
    """One a basin or anchorage."""


def sensor_of(raster: Raster) -> Sensor:
    """Return which sensor a date is of."""
    return "s2" if raster.quantity == "reflectance" else "s1"


def zones_of(ground: Ground, kinds: Sequence[str]) -> dict[str, BoolArray]:
    """Return the pixels of the zones of these kinds."""
    return {zone.name: ground.zones[zone.name] for zone in ground.aoi.zones
            if zone.kind in kinds and zone.name in ground.zones}  # fmt: skip


def bands_of(raster: Raster) -> dict[str, FloatArray]:
    """Return the bands by name, 0 where not valid."""
    return {name: np.nan_to_num(band) for name, band in zip(raster.bands, raster.data, strict=True)}


def _water(ground: Ground, raster: Raster, fixed: BoolArray | None) -> BoolArray:
    """Return the usable pixels of the water zones, berths and fixed structures left out."""
    water = np.zeros(raster.valid.shape, bool)
    for pixels in zones_of(ground, WATER_KINDS).values():
        water |= pixels
    for pixels in zones_of(ground, BERTH_KINDS).values():
        water &= ~pixels
    return water & raster.valid & ~raster.uncertain & (True if fixed is None else ~fixed)


def _searched(
    raster: Raster, water: BoolArray, rng: np.random.Generator
) -> tuple[tuple[Vessel, ...], VesselRates | None, str]:
    """Return the vessels of a date, what is seen of its ships, and why that is not known."""
    gsd = raster.grid.gsd
    if sensor_of(raster) == "s1":
        found = radar_vessels(raster.data, water, gsd=gsd, false_alarms_per_km2=FALSE_ALARMS_PER_KM2)
        try:
            looks = tuple(spatial_looks(band, water) for band in raster.data)
            rates = radar_vessel_rates(raster.data, water, gsd=gsd, looks=looks, rng=rng,
                                       false_alarms_per_km2=FALSE_ALARMS_PER_KM2)  # fmt: skip
        except DetectError as error:
            return found, None, str(error)
        return found, rates, ""
    bands, valid = bands_of(raster), raster.valid & ~raster.uncertain
    found = optical_vessels(bands, valid, gsd=gsd)
    try:
        open_water = water & water_of(bands["B08"], valid, gsd=gsd, green=bands["B03"])
        rates = optical_vessel_rates(bands, valid, open_water, gsd=gsd, rng=rng)
    except DetectError as error:
        return found, None, str(error)
    return found, rates, ""


def _sighting(vessel: Vessel, zone: str, raster: Raster) -> Sighting:
    row, col = vessel.centre
    west, _, _, north = raster.grid.bounds
    x, y = west + (col + 0.5) * raster.grid.gsd, north - (row + 0.5) * raster.grid.gsd
    lon, lat = shapely.get_coordinates(to_lonlat(shapely.Point(x, y), raster.grid.crs))[0]
    return Sighting(
        zone=zone, sensor=sensor_of(raster), acquired=raster.acquired, lon=float(lon), lat=float(lat),
        length_m=vessel.length_m, width_m=vessel.width_m, heading_deg=vessel.orientation_deg,
        contrast=vessel.contrast, place=vessel.place,
    )  # fmt: skip


def _count(
    zone: str, found: int, *, water_km2: float, share: float, raster: Raster, rates: VesselRates | None, why: str
) -> Count:
    """Return the count of a zone; without an interval where it cannot be told."""
    low = estimate = high = pd = false_alarms = float("nan")
    if rates is not None:
        pd, false_alarms = rates.pd, rates.false_per_km2 * water_km2
    if not why and share < LEAST_VALID:
        why = f"{100 * share:.0f} % of the zone is usable; {100 * LEAST_VALID:.0f} % is needed"
    if not why and rates is not None and not rates.pd > 0:
        why = f"none of {rates.trials} {rates.assumed} put in was found"
    if not why and rates is not None:
        # The share seen is itself known from a few trials, and the false alarms differ from date to date: what is
        # known of them widens the interval of the count.
        least, most = (rate * water_km2 for rate in rates.false_range)
        low = count_interval(found, pd=rates.interval[1], false_alarms=most)[0]
        estimate = count_interval(found, pd=rates.pd, false_alarms=false_alarms)[1]
        high = count_interval(found, pd=max(rates.interval[0], 1e-3), false_alarms=least)[2]
        why = f"{rates.assumed}: {100 * rates.pd:.0f} % of {rates.trials} put in were found"
    return Count(
        zone=zone, sensor=sensor_of(raster), acquired=raster.acquired, found=found, low=low, estimate=estimate,
        high=high, pd=pd, false_alarms=false_alarms, water_km2=water_km2, valid_share=share, note=why,
    )  # fmt: skip


def vessels_afloat(
    raster: Raster,
    ground: Ground,
    *,
    rng: np.random.Generator,
    fixed: BoolArray | None = None,
    doubtful: str | None = None,
) -> Afloat:
    """Return the vessels in an area's basins and anchorages on one date, and their counts.

    Parameters
    ----------
    raster
        One date of either sensor on the ground's grid.
    ground
        The area; zones of WATER_KINDS are searched, those of BERTH_KINDS are `berth_days`' part.
    rng
        Draws the test ships by which the share that is seen is measured.
    fixed
        (row, col) True = breakwaters, piles and other fixed structures in the water (`imagery.structures`).
    doubtful
        Why a date is not to be counted, such as "interference" or "wind"; its counts then cannot be told.

    Raises
    ------
    DetectError
        Where the area has no basin or anchorage, or bands are missing.
    """
    zones = zones_of(ground, WATER_KINDS)
    if not zones:
        raise DetectError(f"the area {ground.aoi.name} has no zone of the kinds {' and '.join(WATER_KINDS)} to search")
    water = _water(ground, raster, fixed)
    vessels: tuple[Vessel, ...] = ()
    rates, why = None, doubtful or ""
    try:
        vessels, rates, reason = _searched(raster, water, rng)
        why = why or reason
    except DetectError as error:
        why = why or str(error)
    sightings, counts = [], []
    for name, pixels in zones.items():
        own = [one for one in vessels if pixels[one.pixels].mean() > 0.5 and water[one.pixels].mean() > 0.5]
        sightings += [_sighting(one, name, raster) for one in own]
        km2 = float((pixels & water).sum()) * (raster.grid.gsd / 1000) ** 2
        share = float((raster.valid & ~raster.uncertain)[pixels].mean())
        open_water = sum(one.place == "open" for one in own)
        counts.append(_count(name, open_water, water_km2=km2, share=share, raster=raster, rates=rates, why=why))
    return Afloat(sightings=tuple(sightings), counts=tuple(counts))
