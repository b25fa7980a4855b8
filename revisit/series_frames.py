"""The dates of a track on one frame: optical ones aligned, without haze; radar ones registered on what is steady."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from imagery.baseline import displaced, odd_scores
from imagery.coregister import estimate_shift
from imagery.displacement import displace
from imagery.errors import InsufficientImageryError, NoStructureError
from imagery.raster import BoolArray, FloatArray, Raster
from imagery.veil import veil_levels
from revisit.radar import UNREGISTERED
from revisit.radar_dates import (
    MOST_SHIFT_PX,
    alignments_of,
    another_radar,
    interference,
    moved,
    open_water,
    still,
    windy_dates,
)
from revisit.series_dates import CLEAR, DateStack
from revisit.series_reading import Reading

MOST_VEIL = 6.0
"""Times the usual difference from the median date beyond which a date is hazy (`imagery.veil`): simulated haze has 8 to
9, the first low sun of winter in a series that began in summer 4.2. The limit for a baseline, 4, would reject it."""


def _reference(reading: Reading) -> int:
    """Return the date that the others are aligned with: the clearest, of several the one nearest to the middle."""
    kept = reading.kept
    middle = len(kept) / 2

    def order(k: int) -> tuple[float, float]:
        record = reading.looks[kept[k]].record
        return -round(record.valid_share if record else 0.0, 2), abs(k - middle)

    return kept[min(range(len(kept)), key=order)]


def _aligned(reading: Reading) -> tuple[list[int], FloatArray, BoolArray]:
    """Return the optical dates that could be aligned with the reference date, one resampling each."""
    at = _reference(reading)
    first = reading.rasters[at]
    assert first is not None  # noqa: S101 - `_reference` picks from what was kept
    gsd, stack, valids, places = first.grid.gsd, [], [], []
    for k in reading.kept:
        raster = reading.rasters[k]
        assert raster is not None  # noqa: S101 - `kept`
        reading.progress(f"aligning {reading.looks[k].scene.id}")
        clear = [one.valid & ~one.uncertain for one in (first, raster)]
        try:
            shift = estimate_shift(np.asarray(first.data), np.asarray(raster.data), clear[0], clear[1], gsd=gsd)
        except NoStructureError:
            shift = None
        except InsufficientImageryError as error:
            reading.reject(k, "rejected", str(error))
            continue
        if shift is not None and (reason := displaced(shift)) is not None:
            reading.reject(k, "rejected", reason.replace("the before scene", "the reference date"))
            continue
        move = (0.0, 0.0) if shift is None or k == at else shift.shift_px
        data, valid = displace(np.asarray(raster.data), raster.valid, (-move[0], -move[1]))
        reading.looks[k] = replace(reading.looks[k], alignment=shift)
        if k != at:
            reading.rasters[k] = None
        stack.append(np.where(valid, data, np.float32(0)))
        valids.append(valid)
        places.append(k)
    reading.rasters[at] = None
    return places, np.stack(stack), np.stack(valids)


def _veiled(level: float) -> str | None:
    """Return why a date of this level of haze cannot serve."""
    if level <= MOST_VEIL:
        return None
    return f"haze or thin cloud: it differs from the other dates {level:.1f} times as much as they usually do"


def _haze(places: Sequence[int], data: FloatArray, valid: BoolArray, reading: Reading) -> list[str | None]:
    """Return for each date why haze or odd structure keeps it from serving.

    Dates that are clear are judged beside one another; one that is clear in part, by itself beside those.
    """
    frame = reading.frame
    where = np.pad(frame.ground.searched, frame.margin)
    gsd = frame.ground.grid.gsd
    clear = [k for k, seen in enumerate(valid) if frame.searched(seen) >= CLEAR]
    reasons: list[str | None] = [None] * len(places)
    if clear:
        levels = veil_levels(data[clear], valid[clear], where, gsd=gsd)
        for k, level in zip(clear, levels.tolist(), strict=True):
            reasons[k] = _veiled(level)
    for k in sorted(set(range(len(places))) - set(clear)):
        some = [*clear, k]
        levels = veil_levels(data[some], valid[some], where, gsd=gsd)
        reasons[k] = _veiled(float(levels[-1]))
    alignments = [reading.looks[k].alignment for k in places]
    known = [k for k, one in enumerate(alignments) if one is not None]
    odd = odd_scores([one.score for one in alignments if one is not None])
    for k, reason in zip(known, odd, strict=True):
        reasons[k] = reasons[k] or (reason and reason.replace("the before scene", "the reference date"))
    return reasons


def _optical(reading: Reading) -> tuple[list[int], FloatArray, BoolArray, tuple[str, ...]]:
    """Return the optical dates on one frame, haze rejected."""
    places, data, valid = _aligned(reading)
    reasons = _haze(places, data, valid, reading)
    for k, reason in zip(places, reasons, strict=True):
        if reason is not None:
            reading.reject(k, "haze" if "haze" in reason else "rejected", reason)
    good = [k for k, reason in enumerate(reasons) if reason is None]
    unaligned = [reading.looks[places[k]] for k in good if reading.looks[places[k]].alignment is None]
    said = (f"{len(unaligned)} dates could not be aligned: they have no structure in common",) if unaligned else ()
    if len(good) < len(places):
        data, valid = data[good], valid[good]
    return [places[k] for k in good], data, valid, said


def _laid_over(reading: Reading) -> tuple[dict[int, Raster], bool]:
    """Return the radar dates of a track by their places, laid over one another; and whether anything served for that.

    Without anything fixed to register on, dates of other satellites are left out: their products lie pixels apart.
    """
    places = reading.kept
    rasters = [raster for raster in reading.rasters if raster is not None]
    found = alignments_of(rasters)
    alignments = [still(rasters[0].grid.gsd)] * len(rasters) if found is None else found
    first, laid = reading.looks[places[0]].scene, {}
    for k, raster, alignment in zip(places, rasters, alignments, strict=True):
        scene = reading.looks[k].scene
        reading.rasters[k] = None
        if alignment is None or np.hypot(*alignment.shift_px) > MOST_SHIFT_PX:
            reading.reject(k, "rejected", "it cannot be laid over the other dates of its track by what never moves")
        elif found is None and another_radar(first, scene):
            reading.reject(k, "rejected", f"it is of {scene.platform}, and nothing fixed stands here to register it on")
        else:
            reading.looks[k] = replace(reading.looks[k], alignment=alignment)
            laid[k] = moved(raster, alignment)
    return laid, found is not None


def _radar(reading: Reading) -> tuple[list[int], FloatArray, BoolArray, tuple[str, ...]]:
    """Return the radar dates of a track, registered on what never moves, without those striped by interference."""
    laid, registered = _laid_over(reading)
    scenes = [reading.looks[k].scene for k in laid]
    for k, stripes in zip(list(laid), interference(list(laid.values()), scenes), strict=True):
        if stripes is not None:
            reading.reject(k, "rejected", stripes)
            del laid[k]
    said: tuple[str, ...] = () if registered else (UNREGISTERED,)
    shape = tuple(size + 2 * reading.frame.margin for size in reading.frame.ground.grid.shape)
    if not laid:
        return [], np.empty((0, len(reading.bands), *shape), np.float32), np.empty((0, *shape), np.bool_), said
    kept = list(laid.values())
    water = open_water(reading.frame.ground.aoi, kept[0].grid)
    said += windy_dates(kept, [reading.looks[k].scene for k in laid], water)
    data = np.stack([np.nan_to_num(np.asarray(one.data)) for one in kept])
    return list(laid), data, np.stack([one.valid for one in kept]), said


def stack_of(reading: Reading, track: str, sensor: str, *, complete: bool) -> DateStack:
    """Return what was read of a track, on one frame."""
    shape = tuple(size + 2 * reading.frame.margin for size in reading.frame.ground.grid.shape)
    places: list[int] = []
    data = np.empty((0, len(reading.bands), *shape), np.float32)
    valid = np.empty((0, *shape), np.bool_)
    said: tuple[str, ...] = ()
    if sensor == "s2":
        reading.clear()
    if reading.kept:
        places, data, valid, said = (_optical if sensor == "s2" else _radar)(reading)
    notes = [f"{look.scene.id}: {note}" for k in places for look in [reading.looks[k]] for note in look.scene.notes]
    failed = [f"the source failed: {reading.failed}"] if reading.failed else []
    return DateStack(
        sensor=sensor,
        track=track,
        bands=reading.bands,
        looks=tuple(reading.looks),
        used=tuple(places),
        data=data,
        valid=valid,
        warnings=tuple(f"{sensor}, {track}: {line}" for line in (*said, *failed, *dict.fromkeys(notes))),
        complete=complete and reading.failed is None,
    )
