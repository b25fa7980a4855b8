"""What is usual at each place of a series: its state, and how far it strays from it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detect import robust
from detect.filters import BoolArray, FloatArray
from detect.ranks import filled_median
from detect.significance import odd_pixels

VARIANCE_CAP = 1.5
"""A place's own variance is believed up to this multiple of its neighbourhood's: a stand that is used now and then has
two states, and their distance is no noise."""
LOCAL_BOX_M = 150.0
"""Side of the neighbourhood that a place's variance is drawn towards."""
IN_USE = 4.0
"""Variances of the neighbourhood beyond which a place's own is no noise but two states."""
STRUCTURE_BINS = 12
SAMPLES = 30_000
"""Pixels of a cover that its usual variance is learned from."""
LOG_RANGE = (-6.0, 7.0)
"""Of the variance of whitened responses, which is about 1; in 255 steps of a twentieth."""


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What is usual at each place, from some of the baseline dates."""

    state: FloatArray
    """(band, row, col) median whitened response."""
    variance: FloatArray
    """(band, row, col)."""
    in_use: BoolArray
    """(row, col) True = a place of more than one state, such as a stand that is often taken."""
    dates: int


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What of the ground decides how much it varies."""

    kind: NDArray[np.intp]
    """(row, col)."""
    structure: FloatArray
    """(row, col) energy of the reference's own filtered and whitened response."""
    seen: BoolArray
    gsd: float


def _explained(own: FloatArray, ground: Cover) -> FloatArray:
    """Return the variance (band, row, col) that ground of the same cover with as much structure usually has.

    Where fields meet, the light changes on both sides of the edge: the response varies with its own size there.
    """
    out = np.zeros_like(own)
    for kind in np.unique(ground.kind[ground.seen]):
        here = ground.seen & (ground.kind == kind)
        strength, values = ground.structure[here], own[:, here]
        few = robust.thin(len(strength), SAMPLES)
        edges = np.quantile(strength[few], np.linspace(0, 1, STRUCTURE_BINS + 1))
        centres = (edges[:-1] + edges[1:]) / 2
        place = np.clip(np.searchsorted(edges, strength[few], side="right") - 1, 0, STRUCTURE_BINS - 1)
        inside = [place == number for number in range(STRUCTURE_BINS)]
        for band, told in zip(out, values, strict=True):
            typical = [np.median(told[few][where]) if where.any() else 0.0 for where in inside]
            band[here] = np.interp(strength, centres, np.maximum.accumulate(typical))
    return out


def _neighbourhood(values: FloatArray, size: int) -> FloatArray:
    """Return the median (band, row, col) of positive values over a box, to within half a step of LOG_RANGE."""
    low, high = LOG_RANGE
    step = (high - low) / 255
    out = np.empty_like(values)
    for k, band in enumerate(values):
        level = (np.log(np.maximum(band, np.float32(np.exp(low)))) - low) / step
        median = cv2.medianBlur(np.clip(np.round(level), 0, 255).astype(np.uint8), size)
        out[k] = np.exp(low + step * np.arange(256)).astype(np.float32)[median]
    return out


def usual_of(responses: FloatArray, valid: BoolArray, ground: Cover) -> Usual:
    """Return state and variance from whitened responses (date, band, row, col).

    The variance is half the place's own (from its median absolute deviation) and half its neighbourhood's, at most
    VARIANCE_CAP of the latter.
    """
    state = filled_median(responses, valid)
    own = (robust.MAD_TO_SIGMA * filled_median(responses, valid, middle=state)) ** 2
    around = _neighbourhood(own, odd_pixels(LOCAL_BOX_M, ground.gsd))
    around = np.float32(1.15) * np.maximum(around, _explained(own, ground))
    variance = np.maximum(np.minimum((own + around) / 2, VARIANCE_CAP * around), np.float32(1e-3))
    restless = (own.mean(axis=0) > IN_USE * around.mean(axis=0)).astype(np.uint8)
    in_use = cv2.dilate(restless, np.ones((3, 3), np.uint8)) > 0
    return Usual(state=state, variance=variance, in_use=np.asarray(in_use), dates=len(responses))
