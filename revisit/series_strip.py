"""An object's place on the dates around its changes, side by side: what a reader checks with their own eyes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from revisit.drawing import font
from revisit.series_result import Followed, TrackSeries
from revisit.series_words import surety
from revisit.symbols import CASING

HALF_PX = 13
"""Pixels on each side of the place: 270 m of ground in a chip."""
ZOOM = 4
MOST_DATES = 10
CAPTION = 36
AROUND = 2
"""Dates that are shown on each side of a change."""
PERCENTILES = (1.0, 99.5)
MARK = "#ffb000"

Shades = NDArray[np.uint8]


def _picked(item: Followed) -> list[int]:
    """Return the dates to show: those nearest to the changes, in the order of time."""
    shown = np.flatnonzero(item.track.shown)
    steps = [s for visit in item.track.visits for s in (visit.arrival, visit.departure) if s is not None]
    ends = {k for step in steps for k in (step.last, step.first)}
    wanted: list[int] = [k for k in shown.tolist() if k in ends]
    for distance in range(1, AROUND + 1):
        for end in sorted(ends):
            at = int(np.searchsorted(shown, end))
            wanted += [int(shown[k]) for k in (at - distance, at + distance) if 0 <= k < len(shown)]
    return sorted(dict.fromkeys(wanted[: 4 * MOST_DATES]).keys())[-MOST_DATES:] if wanted else []


def _chip(one: TrackSeries, date: int, window: tuple[slice, slice]) -> NDArray[np.float32]:
    """Return what is shown of a date (row, col, 3): true colour, or decibels of the first polarisation."""
    stack = one.stack
    if stack.sensor == "s1":
        power = np.maximum(stack.data[date, 0][window], np.float32(1e-5))
        return np.repeat(10 * np.log10(power)[..., None], 3, axis=2).astype(np.float32)
    order = [stack.bands.index(band) for band in ("B04", "B03", "B02") if band in stack.bands] or [0]
    order = order if len(order) == 3 else [order[0]] * 3
    return np.stack([stack.data[date, k][window] for k in order], axis=-1)


def object_strip(item: Followed, one: TrackSeries) -> Image.Image | None:
    """Return the chips of an object's place with their dates, and a frame where it was there; None without dates."""
    dates = _picked(item)
    if not dates:
        return None
    row, col = item.track.place.at
    rows, cols = one.stack.valid.shape[1:]
    window = (
        slice(max(row - HALF_PX, 0), min(row + HALF_PX + 1, rows)),
        slice(max(col - HALF_PX, 0), min(col + HALF_PX + 1, cols)),
    )
    chips = [_chip(one, date, window) for date in dates]
    valid = [one.stack.valid[date][window] for date in dates]
    values = np.concatenate([chip[seen] for chip, seen in zip(chips, valid, strict=True)])
    low, high = np.percentile(values, PERCENTILES)
    side = (2 * HALF_PX + 1) * ZOOM
    picture = Image.new("RGB", (len(dates) * (side + 8) - 8, side + CAPTION), "#ffffff")
    draw = ImageDraw.Draw(picture)
    for k, (date, chip, seen) in enumerate(zip(dates, chips, valid, strict=True)):
        level = np.clip((chip - low) / max(float(high - low), 1e-6), 0, 1) ** (1 / 1.4) * 255
        shades = np.where(seen[..., None], level, 200).round().astype(np.uint8)
        large = Image.fromarray(shades).resize(
            (shades.shape[1] * ZOOM, shades.shape[0] * ZOOM), Image.Resampling.NEAREST
        )
        x = k * (side + 8)
        picture.paste(large, (x, 0))
        there = bool(item.track.present[date])
        draw.rectangle((x, 0, x + side - 1, side - 1), outline=MARK if there else CASING, width=4 if there else 1)
        moment = one.stack.times[date]
        draw.text((x + side / 2, side + 10), f"{moment:%Y-%m-%d}", fill=CASING, font=font(14), anchor="mm")
        state = f"there {surety(float(item.track.taken[date]))}" if there else "not there"
        draw.text((x + side / 2, side + 26), state, fill=CASING, font=font(12), anchor="mm")
    return picture
