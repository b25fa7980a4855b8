"""Ships on the dates of a series: counted in basins and anchorages, told at quays and berths by their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.berths import State
from detect.errors import DetectError
from imagery.raster import BoolArray, Raster
from imagery.structures import fixed_structures
from revisit.afloat import BERTH_KINDS, WATER_KINDS, Count, vessels_afloat, zones_of
from revisit.moored import berth_days
from revisit.series_dates import SEEN, DateStack, Frame

SEED = 11
"""Of the test ships by which the share that is seen is measured: the same series gives the same bytes."""
FEWEST_FOR_FIXED = 12
"""Radar dates that show which bright places in the water never move."""
QUANTITIES = {"s2": "reflectance", "s1": "gamma0"}

Counts = dict[str, dict[int, Count]]


@dataclass(frozen=True, kw_only=True)
class Berth:
    """A berth or quay on the dates of one track."""

    states: tuple[State, ...]
    """(date,); empty where it cannot be told at all."""
    probability: NDArray[np.float64]
    """(date,) that a ship lies there; NaN where that cannot be judged."""
    reason: str
    """Why it cannot be told at all; empty where it can."""


def _raster(stack: DateStack, frame: Frame, date: int) -> Raster:
    """Return a date of a stack on the ground's grid."""
    rows, cols = (slice(frame.margin, frame.margin + size) for size in frame.ground.grid.shape)
    valid = stack.valid[date, rows, cols]
    return Raster(
        data=stack.data[date, :, rows, cols],
        valid=valid,
        uncertain=np.zeros_like(valid),
        grid=frame.ground.grid,
        bands=stack.bands,
        quantity=QUANTITIES[stack.sensor],
        acquired=stack.times[date],
        scene_ids=(stack.looks[stack.used[date]].scene.id,),
    )


def _fixed(stack: DateStack, frame: Frame) -> BoolArray | None:
    """Return what stands in the water (row, col) and never moves; None where too few dates show it."""
    if stack.sensor != "s1" or len(stack.data) < FEWEST_FOR_FIXED:
        return None
    return frame.inner(fixed_structures(stack.data[:, 0], stack.valid))


def count_vessels(stack: DateStack, frame: Frame) -> tuple[Counts, tuple[str, ...]]:
    """Count the vessels in every basin and anchorage on every date that shows it.

    Returns
    -------
    counts, reasons
        Counts by zone and date; on which dates there are none to tell, and why.
    """
    zones = zones_of(frame.ground, WATER_KINDS)
    counts: Counts = {name: {} for name in zones}
    if not zones:
        return {}, ()
    fixed, untold = _fixed(stack, frame), dict[str, list[str]]()
    for date in range(len(stack.data)):
        raster = _raster(stack, frame, date)
        seen = [name for name, water in zones.items() if raster.valid[water].mean() >= SEEN]
        if not seen:
            continue
        try:
            afloat = vessels_afloat(raster, frame.ground, rng=np.random.default_rng(SEED), fixed=fixed)
        except DetectError as error:
            untold.setdefault(str(error), []).append(f"{raster.acquired:%Y-%m-%d}")
            continue
        for count in afloat.counts:
            if count.zone in seen:
                counts[count.zone][date] = count
                if np.isnan(count.low):
                    untold.setdefault(count.note, []).append(f"{raster.acquired:%Y-%m-%d}")
    said = [f"{stack.name}: vessels cannot be counted on {_days(days)}: {why}" for why, days in untold.items()]
    return counts, tuple(said)


def _days(days: list[str]) -> str:
    """Return days in words, each once."""
    once = list(dict.fromkeys(days))
    return f"{once[0]} and {len(once) - 1} other dates" if len(once) > 1 else once[0]


def follow_berths(stack: DateStack, frame: Frame) -> Mapping[str, Berth]:
    """Tell the state of every berth and quay on the dates of a track."""
    zones = zones_of(frame.ground, BERTH_KINDS)
    if not zones:
        return {}
    try:
        days = berth_days([_raster(stack, frame, date) for date in range(len(stack.data))], frame.ground)
    except DetectError as error:
        blank = Berth(states=(), probability=np.empty(0), reason=str(error))
        return dict.fromkeys(zones, blank)
    told = {}
    for name in zones:
        own = [one for one in days if one.zone == name]
        known = any(one.state != "cannot tell" for one in own)
        told[name] = Berth(
            states=tuple(one.state for one in own),
            probability=np.array([one.probability for one in own]),
            reason="" if known else own[0].note,
        )
    return told
