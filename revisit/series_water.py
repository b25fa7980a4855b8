"""Ships on the dates of a series: counted on open water, and at berths by the berth's own history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detect.berths import Occupancy, berth_level, berth_occupancy
from detect.errors import DetectError
from detect.vessels import Vessel, count_interval, optical_vessels, radar_vessels
from imagery.raster import BoolArray
from revisit.series_dates import SEEN, DateStack, Frame

WATER_KINDS = ("basin", "anchorage")
BERTH_KINDS = ("berth", "quay")
RECALL = {"s2": 0.8, "s1": 0.9}
"""Share of vessels of 30 m and more on open water that are found: of Sentinel-2, 15 of 18 boxes of two ports
(docs/radar.md); of radar an assumption, for simulated ships of 120 m have 0.98 and smaller ones less."""
FALSE_PER_KM2 = {"s2": 2.0, "s1": 0.1}
"""Detections per km2 of water that are no vessel: of Sentinel-2 as measured in those ports, vessels that the boxes lack
among them; of radar as asked for."""
SHORE_PX = 2
"""Of water next to a zone's outline is left to the quay."""
ALONGSIDE_PX = 4
"""How far from a quay's outline a ship may lie that is made fast to it."""


@dataclass(frozen=True, kw_only=True)
class VesselCount:
    """The vessels in a zone on one date."""

    found: int
    low: float
    """Of the 95 % interval: with as many false detections as were measured elsewhere taken off."""
    high: float
    """Of the 95 % interval: with the share that is missed added."""
    vessels: tuple[Vessel, ...]
    """In pixels of the padded frame."""


def vessel_count(found: tuple[Vessel, ...], km2: float, sensor: str) -> VesselCount:
    """Return a count with its interval."""
    count = len(found)
    low, _, _ = count_interval(count, pd=1.0, false_alarms=FALSE_PER_KM2[sensor] * km2)
    _, _, high = count_interval(count, pd=RECALL[sensor])
    return VesselCount(found=count, low=low, high=high, vessels=found)


def _zones(frame: Frame, kinds: tuple[str, ...]) -> dict[str, BoolArray]:
    """Return the zones (row, col) of some kinds on the padded frame."""
    wanted = {zone.name for zone in frame.ground.aoi.zones if zone.kind in kinds}
    return {name: np.pad(pixels, frame.margin) for name, pixels in frame.ground.zones.items() if name in wanted}


def _open(water: BoolArray) -> BoolArray:
    """Return water without its rim."""
    side = 2 * SHORE_PX + 1
    return np.asarray(cv2.erode(water.astype(np.uint8), np.ones((side, side), np.uint8), borderValue=0) > 0)


def _found(stack: DateStack, date: int, water: BoolArray, gsd: float) -> tuple[Vessel, ...]:
    """Return the vessels of one date."""
    image, valid = stack.data[date], stack.valid[date]
    if stack.sensor == "s1":
        return radar_vessels(image, water & valid, gsd=gsd, false_alarms_per_km2=FALSE_PER_KM2["s1"])
    return optical_vessels(dict(zip(stack.bands, image, strict=True)), valid, gsd=gsd)


def count_vessels(stack: DateStack, frame: Frame) -> tuple[dict[str, dict[int, VesselCount]], tuple[str, ...]]:
    """Count the vessels in every basin and anchorage on every date that shows it.

    Returns
    -------
    counts, reasons
        Counts by zone and date; why there are none on a date, or at all.
    """
    zones = {name: _open(water) for name, water in _zones(frame, WATER_KINDS).items()}
    zones = {name: water for name, water in zones.items() if water.any()}
    counts: dict[str, dict[int, VesselCount]] = {name: {} for name in zones}
    if not zones:
        return {}, ()
    everywhere: BoolArray = np.logical_or.reduce(list(zones.values()))
    gsd, missed = frame.ground.grid.gsd, {}
    for date in range(len(stack.data)):
        seen = {name: water for name, water in zones.items() if stack.valid[date][water].mean() >= SEEN}
        if not seen:
            continue
        try:
            found = _found(stack, date, everywhere, gsd)
        except DetectError as error:
            missed[f"{stack.times[date]:%Y-%m-%d}"] = str(error)
            continue
        for name, water in seen.items():
            inside = tuple(v for v in found if water[tuple(round(k) for k in v.centre)])
            km2 = float((water & stack.valid[date]).sum()) * gsd**2 / 1e6
            counts[name][date] = vessel_count(inside, km2, stack.sensor)
    said = (
        (f"{stack.name}: no vessels counted on {', '.join(missed)}: {next(iter(missed.values()))}",) if missed else ()
    )
    return counts, said


@dataclass(frozen=True, kw_only=True)
class Berth:
    """A berth or quay on the dates of one radar track."""

    occupancy: Occupancy | None
    reason: str
    """Why it cannot be told at all; empty where it can."""


def _reference(frame: Frame, berth: BoolArray) -> BoolArray | None:
    """Return the open water (row, col) that a berth is held against; None where the area names none."""
    water = _zones(frame, WATER_KINDS)
    if not water:
        return None
    basin = _open(np.logical_or.reduce(list(water.values()))) & ~berth
    return basin if basin.any() else None


def _water_of(name: str, pixels: BoolArray, frame: Frame) -> BoolArray:
    """Return where a ship at a berth or quay lies: the berth itself, or the strip along a quay's outline."""
    kind = next(zone.kind for zone in frame.ground.aoi.zones if zone.name == name)
    if kind == "berth":
        return pixels
    side = 2 * ALONGSIDE_PX + 1
    return np.asarray(cv2.dilate(pixels.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def follow_berths(stack: DateStack, frame: Frame) -> Mapping[str, Berth]:
    """Tell the state of every berth and quay on the dates of a radar track."""
    out = {}
    for name, pixels in _zones(frame, BERTH_KINDS).items():
        water = _water_of(name, pixels, frame)
        basin = _reference(frame, water)
        if basin is None:
            out[name] = Berth(occupancy=None, reason="the area names no basin or anchorage to hold it against")
            continue
        power: NDArray[np.float32] = stack.data[:, 0]
        try:
            levels = [berth_level(power, stack.valid, where) for where in (water, basin)]
            out[name] = Berth(occupancy=berth_occupancy(levels[0], levels[1]), reason="")
        except DetectError as error:
            out[name] = Berth(occupancy=None, reason=str(error))
    return out
