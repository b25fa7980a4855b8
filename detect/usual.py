"""What is usual at each place of a series: its state, and how far it strays from it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detect import robust
from detect.filters import BoolArray, FloatArray
from detect.significance import odd_pixels

VARIANCE_CAP = 1.5
"""A place's own variance is believed up to this multiple of its neighbourhood's: a stand that is used now and then has
two states, and their distance is no noise."""
LOCAL_BOX_M = 150.0
"""Side of the neighbourhood that a place's variance is drawn towards."""
IN_USE = 4.0
"""Variances of the neighbourhood beyond which a place's own is no noise but two states."""
STRUCTURE_BINS = 12


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


def filled_median(stack: FloatArray, valid: BoolArray) -> FloatArray:
    """Return the median over dates (date, band, row, col) -> (band, row, col) of what is valid; 0 where nothing is."""
    if valid.all():
        return np.asarray(np.median(stack, axis=0), dtype=np.float32)
    ordered = np.sort(np.where(valid[:, None], stack, np.float32(np.inf)), axis=0)
    count = valid.sum(0)
    low, high = (np.maximum(count - 1, 0) // 2, np.maximum(count, 1) // 2)
    pick = [np.take_along_axis(ordered, np.broadcast_to(k, ordered.shape[1:])[None], axis=0)[0] for k in (low, high)]
    return np.where(count > 0, (pick[0] + pick[1]) / 2, 0).astype(np.float32)


def _explained(own: FloatArray, ground: Cover) -> FloatArray:
    """Return the variance (band, row, col) that ground of the same cover with as much structure usually has.

    Where fields meet, the light changes on both sides of the edge: the response varies with its own size there.
    """
    out = np.zeros_like(own)
    for kind in np.unique(ground.kind[ground.seen]):
        here = ground.seen & (ground.kind == kind)
        strength = ground.structure[here]
        edges = np.quantile(strength, np.linspace(0, 1, STRUCTURE_BINS + 1))
        place = np.clip(np.searchsorted(edges, strength, side="right") - 1, 0, STRUCTURE_BINS - 1)
        for k, band in enumerate(own):
            values = band[here]
            typical = [np.median(values[place == b]) if (place == b).any() else 0.0 for b in range(STRUCTURE_BINS)]
            centres = (edges[:-1] + edges[1:]) / 2
            out[k][here] = np.interp(strength, centres, np.maximum.accumulate(typical))
    return out


def _neighbourhood(values: FloatArray, size: int) -> FloatArray:
    """Return the median of each band over a box, found on every second pixel: it varies no faster."""
    out = np.empty_like(values)
    for k, band in enumerate(values):
        coarse = ndimage.median_filter(band[::2, ::2], size=max(3, (size // 2) | 1))
        out[k] = cv2.resize(coarse, band.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return out


def usual_of(responses: FloatArray, valid: BoolArray, ground: Cover) -> Usual:
    """Return state and variance from whitened responses (date, band, row, col).

    The variance is half the place's own (from its median absolute deviation) and half its neighbourhood's, at most
    VARIANCE_CAP of the latter.
    """
    state = filled_median(responses, valid)
    own = (robust.MAD_TO_SIGMA * filled_median(np.abs(responses - state), valid)) ** 2
    around = _neighbourhood(own, odd_pixels(LOCAL_BOX_M, ground.gsd))
    around = np.float32(1.15) * np.maximum(around, _explained(own, ground))
    variance = np.maximum(np.minimum((own + around) / 2, VARIANCE_CAP * around), np.float32(1e-3))
    restless = (own.mean(axis=0) > IN_USE * around.mean(axis=0)).astype(np.uint8)
    in_use = cv2.dilate(restless, np.ones((3, 3), np.uint8)) > 0
    return Usual(state=state, variance=variance, in_use=np.asarray(in_use), dates=len(responses))
