"""The dates of a radar series: laid over one another by what never moves, and what wind and interference did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aoi import AOI, Grid
from detect.errors import DetectError
from detect.rfi import find_stripes
from imagery.burn import burn
from imagery.coregister import Alignment
from imagery.displacement import displace
from imagery.errors import InsufficientImageryError
from imagery.raster import BoolArray, FloatArray, Raster
from imagery.scene import Scene
from imagery.select import FIRST_RADARS
from imagery.structures import fixed_structures, register_on_structures

UNREGISTERED_PX = 0.5
"""Error that is assumed per axis where there is nothing fixed to register on; products of one satellite and orbit are
good to a tenth of a pixel, those of two satellites to one or two pixels."""
MOST_ERROR_PX = 0.5
"""Standard error of a shift beyond which it says nothing."""
MOST_SHIFT_PX = 4.0
"""A larger shift is not mended: it is another orbit, or a fault of the product."""
LEAST_SHIFT_PX = 0.05
"""A smaller shift is left: to resample costs more than it mends."""
STEP_PX = 0.25
"""Shifts that differ more have blurred the mean that they were measured against: it is made again."""
MOST_PASSES = 3
STEP_SLACK_PX = 3
"""How far a step may go and what stands still be known as such: two pixels were met in an archive."""
SLACK_PX = 2
"""The same once steps are taken off: a wall under speckle is not one bright line on every date."""
LOOK_BEARINGS_DEG = {"ascending": 78.0, "descending": 282.0}
"""Direction across the flight of Sentinel-1, which looks to the right, at the latitudes of the Levant. In an area of
some kilometres a degree more or less does not matter."""
FEWEST_DATES = 5
"""From which a line's usual brightness is known."""
WATER_KINDS = frozenset({"basin", "anchorage"})
WINDY_DB = 3.0
"""Open water so much brighter than usual is named."""
WIND_DB = 1.0
"""A difference of open water between the two dates that is named."""


def another_radar(first: Scene, second: Scene) -> bool:
    """Return whether two scenes come from satellites whose products lie some pixels apart."""
    known = [scene.platform for scene in (first, second) if scene.platform]
    return len({platform in FIRST_RADARS for platform in known}) == 2


def still(gsd: float) -> Alignment:
    """Return the alignment of a date that is left where it is, for want of anything to register it on."""
    error = UNREGISTERED_PX, UNREGISTERED_PX
    return Alignment(shift_px=(0.0, 0.0), standard_error_px=error, scatter_px=(0.0, 0.0), score=0.0, gsd=gsd)


def _moved_pixels(power: FloatArray, valid: BoolArray, shift_px: tuple[float, float]) -> tuple[FloatArray, BoolArray]:
    """Return a date (polarisation, row, col) and its validity on the reference's frame; power stays positive."""
    rows, cols = shift_px
    data, inside = displace(power, valid, (-rows, -cols))
    positive = inside & (np.nan_to_num(data) > 0).all(axis=0)
    return np.where(positive, data, np.float32(0)), positive


def moved(raster: Raster, alignment: Alignment) -> Raster:
    """Return a date on the frame that its alignment refers to."""
    if np.hypot(*alignment.shift_px) < LEAST_SHIFT_PX:
        return raster
    data, valid = _moved_pixels(np.nan_to_num(np.asarray(raster.data)), raster.valid, alignment.shift_px)
    return raster.with_pixels(np.where(valid, data, np.float32(np.nan)), valid, raster.uncertain & valid)


@dataclass(frozen=True, kw_only=True)
class _Stack:
    power: FloatArray
    """(date, polarisation, row, col), 0 where not valid."""
    valid: BoolArray
    """(date, row, col)."""
    gsd: float

    @property
    def mean(self) -> FloatArray:
        """(polarisation, row, col) over what is valid of the dates."""
        count = np.maximum(self.valid.sum(axis=0), 1)
        return np.asarray((self.power * self.valid[:, None]).sum(axis=0) / count, np.float32)

    @property
    def ever(self) -> BoolArray:
        """(row, col) valid on some date."""
        return np.asarray(self.valid.any(axis=0))

    def against(self, mean: FloatArray, ever: BoolArray, structures: BoolArray) -> list[Alignment | None]:
        """Return where each date lies against a mean; None where that cannot be told."""
        found: list[Alignment | None] = []
        for image, seen in zip(self.power, self.valid, strict=True):
            try:
                one = register_on_structures(mean, image, structures, valid=(ever, np.asarray(seen)), gsd=self.gsd)
            except InsufficientImageryError:
                found.append(None)
                continue
            found.append(one if max(one.standard_error_px) <= MOST_ERROR_PX else None)
        return found

    def laid_over(self, found: Sequence[Alignment | None]) -> _Stack:
        """Return the dates moved as found; those of which nothing is known are left out."""
        parts = [
            _moved_pixels(image, np.asarray(seen), one.shift_px)
            for image, seen, one in zip(self.power, self.valid, found, strict=True)
            if one is not None
        ]
        return replace(self, power=np.stack([p for p, _ in parts]), valid=np.stack([v for _, v in parts]))


def _step(found: Sequence[Alignment | None]) -> float:
    """Return how far the furthest date lies from the middle of all."""
    shifts = np.array([one.shift_px for one in found if one is not None])
    return float(np.hypot(*(shifts - np.median(shifts, axis=0)).T).max())


def _steps_taken_off(stack: _Stack) -> _Stack:
    """Return the dates with steps between them taken off, as far as one polarisation shows them."""
    rough = over = replace(stack, power=stack.power[:, :1])
    for _ in range(MOST_PASSES):
        structures = fixed_structures(over.power[:, 0], over.valid, slack_px=STEP_SLACK_PX)
        found = rough.against(over.mean, over.ever, structures)
        if not any(found):
            return stack
        if _step(found) <= STEP_PX:
            break
        over = rough.laid_over(found)
    return stack if over is rough else stack.laid_over(found)


def alignments_of(rasters: Sequence[Raster]) -> list[Alignment | None] | None:
    """Return where each date lies against the first, by what never moves.

    A step in the series, such as that of an archive that was processed anew, makes a wall look like ships that leave,
    and blurs the mean that dates are held against. So steps are sought first, with slack, and taken off; what stands
    still, and the mean, are then made of the dates where they were found to lie.

    Parameters
    ----------
    rasters
        Dates of one relative orbit.

    Returns
    -------
    list or None
        None for a date of which the place cannot be told; None altogether where nothing fixed stands on the ground, or
        the first date itself cannot be told.
    """
    stack = _Stack(
        power=np.stack([np.nan_to_num(np.asarray(raster.data)) for raster in rasters]),
        valid=np.stack([raster.valid for raster in rasters]),
        gsd=rasters[0].grid.gsd,
    )
    over = _steps_taken_off(stack)
    structures = fixed_structures(over.power[:, 0], over.valid, slack_px=SLACK_PX)
    found = stack.against(over.mean, over.ever, structures)
    if found[0] is None:
        return None
    first = found[0].shift_px
    return [
        None if one is None else replace(one, shift_px=(one.shift_px[0] - first[0], one.shift_px[1] - first[1]))
        for one in found
    ]


def usual_power(rasters: Sequence[Raster]) -> tuple[FloatArray | None, BoolArray]:
    """Return the mean (polarisation, row, col) of dates over what is valid of them, and where (row, col) that is any.

    Parameters
    ----------
    rasters
        On one grid, of the same bands. The mean of fewer than FEWEST_DATES shows one of them rather than what is usual:
        then there is none, and everything is known.
    """
    if len(rasters) < FEWEST_DATES:
        return None, np.ones_like(rasters[0].valid)
    total = np.zeros(np.shape(rasters[0].data), np.float64)
    count = np.zeros(rasters[0].valid.shape, np.int32)
    for raster in rasters:
        total += np.where(raster.valid, np.nan_to_num(np.asarray(raster.data)), 0)
        count += raster.valid
    return (total / np.maximum(count, 1)).astype(np.float32), np.asarray(count > 0)


def _stripes(raster: Raster, bearing_deg: float, usual: FloatArray | None, known: BoolArray) -> str | None:
    """Return the stripes of one date in words; `usual` (polarisation, row, col) holds where `known`."""
    told = []
    valid = raster.valid if usual is None else raster.valid & known
    for k, band in enumerate(raster.bands):
        mean = None if usual is None else usual[k]
        try:
            found = find_stripes(np.asarray(raster.data[k]), valid, look_bearing_deg=bearing_deg, usual=mean)
        except DetectError:
            continue
        if found.found.any():
            lines, most = int(found.found.sum()), float(found.excess_db[found.found].max())
            told.append(f"{lines} lines of {band}, up to {most:.1f} dB")
    return f"stripes of interference across the flight ({'; '.join(told)})" if told else None


def interference(rasters: Sequence[Raster], scenes: Sequence[Scene]) -> list[str | None]:
    """Return for each date what stripes of interference it shows; None where none are seen, or none could be.

    Parameters
    ----------
    rasters, scenes
        Dates of one track on one frame. What a line usually has is not taken for a stripe.
    """
    usual, known = usual_power(rasters)
    told: list[str | None] = []
    for raster, scene in zip(rasters, scenes, strict=True):
        bearing = LOOK_BEARINGS_DEG.get(scene.direction or "")
        told.append(None if bearing is None else _stripes(raster, bearing, usual, known))
    return told


def open_water(aoi: AOI, grid: Grid) -> BoolArray:
    """Return where (row, col) an area's outlined basins and anchorages lie; False everywhere where it has none."""
    water: BoolArray = np.zeros(grid.shape, np.bool_)
    for zone in aoi.zones:
        if zone.kind in WATER_KINDS:
            water |= burn(zone.geometry, grid)
    return water


def _levels_db(rasters: Sequence[Raster], water: BoolArray) -> list[float]:
    """Return the median level of open water on each date, dB; NaN where a date shows none."""
    seen = [raster.data[0][raster.valid & water] for raster in rasters]
    return [float(10 * np.log10(np.median(one))) if one.size else float("nan") for one in seen]


def windy_dates(rasters: Sequence[Raster], scenes: Sequence[Scene], water: BoolArray) -> tuple[str, ...]:
    """Return what is to be said of dates on which open water is much brighter than usual.

    Parameters
    ----------
    rasters, scenes
        Dates of one track on one frame.
    water
        (row, col) from `open_water`.
    """
    levels = _levels_db(rasters, water)
    known = [level for level in levels if not np.isnan(level)]
    usual = float(np.median(known)) if known else float("nan")
    windy = [
        f"{scene.id} ({level - usual:+.1f} dB)"
        for scene, level in zip(scenes, levels, strict=True)
        if level - usual >= WINDY_DB
    ]
    return (f"wind: open water is much brighter than usual on {', '.join(windy)}",) if windy else ()


def wind(rasters: Sequence[Raster], scenes: Sequence[Scene], water: BoolArray) -> tuple[str, ...]:
    """Return what is to be said of wind: water that is much brighter than usual, and a difference of the two dates.

    Parameters
    ----------
    rasters, scenes
        Before, after, and then the baseline, on one frame.
    water
        (row, col) from `open_water`.
    """
    before, after = _levels_db(rasters[:2], water)
    change = after - before
    lines = []
    if abs(change) >= WIND_DB:
        lines.append(
            f"wind: open water is as a whole {abs(change):.1f} dB {'brighter' if change > 0 else 'darker'} on the later"
            " date; that is not counted as change"
        )
    return (*lines, *windy_dates(rasters, scenes, water))
