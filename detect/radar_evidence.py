"""The evidence that an object came or left between two radar dates, from how far each of them is from the usual.

A place's usual state is empty, or holds what always stands there; so there are three ways to see a change. *Brighter
than usual* on one date and as usual on the other: an arrival, or the departure of a visitor. *Darker than usual*, where
the usual stands out of its surroundings: what had always stood there has left (or was away, and is back). *The pair*
alone: what comes to and leaves a place that is used on and off.

An object's power fades from look to look, by FADING_DB. Where part of the usual power is an object's, that is noise,
and counts as such beside the speckle.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detect.filters import ring_mean
from detect.gamma import pair_statistic, ratio_statistic

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

FADING_DB = 2.5
"""Standard deviation of an object's cross-section from look to look: an assumption."""
FADING_VARIANCE = (FADING_DB * np.log(10) / 10) ** 2
"""Of its natural logarithm."""
STATE_LIMIT = 4.0
"""How much more than the pair itself is believed of a date that is brighter than usual."""
ABSENT_SHARE = 2.5
"""Weight of the evidence that what usually stands there is gone: few places hold anything that could go, so that its
own chance maxima are the rarest. With it thresholds on simulated aprons with six parked fighters stay where they are
without (26 to 28 against 26 to 28 at 0.06 per km2)."""
ABSENT_LIMIT = 1.5
"""How much more than the pair itself is believed of that, before it is weighted."""
PAIR_SHARE = 0.8
"""Weight of the pair's own evidence, whose noise has two dates' speckle in it: the greatest of several statistics has
the chance maxima of all, and most places are usually empty."""
OCCUPIED = 9.2
"""Where both dates are so far from the usual (chance gives that to one place in a hundred, for two polarisations), both
hold what is not usually there: then it is the pair that tells whether it changed, or only fades."""
NEAR_PX = 5
"""Side of the square in which the other date is looked at for that: an object that fades changes its outline too."""
NEAR = 1.0
"""Log-ratios of places to the ring around count up to this size in the ring's level."""


@dataclass(frozen=True, kw_only=True)
class Usual:
    """The state that two dates are held against."""

    looks: tuple[float, ...]
    """(polarisation,) of one date."""
    dates: int
    """That the usual power is the mean of; 0 where there is none."""
    above: FloatArray
    """(polarisation, row, col) ln(usual / level of the ring around), >= 0."""

    @property
    def standing(self) -> FloatArray:
        """(polarisation, row, col) share of the usual power that is of what stands out of its surroundings."""
        return np.asarray(1 - np.exp(-self.above), dtype=np.float32)


def above_ring(mean: FloatArray, seen: BoolArray, *, outer: int, inner: int) -> FloatArray:
    """Return by how much the usual power stands out of the ring around: ln of the ratio, 0 where it does not.

    Parameters
    ----------
    mean
        (polarisation, row, col) usual power.
    seen
        (row, col) True = known.
    outer, inner
        Sides of the ring's outer and inner square, pixels.
    """
    logs = np.log(np.where(seen, mean, np.float32(1))).astype(np.float32)
    level = ring_mean(logs, seen, outer=outer, inner=inner)
    # Once more without what stands out itself: a hangar in the ring is not the level of the ground.
    level = ring_mean(np.clip(logs, level - np.float32(NEAR), level + np.float32(NEAR)), seen, outer=outer, inner=inner)
    return np.where(seen, np.maximum(logs - level, 0), np.float32(0)).astype(np.float32)


def _steadiness(first: FloatArray, second: FloatArray, usual: Usual) -> FloatArray:
    """Return what fading leaves of the looks (polarisation, row, col), as a share of them.

    What fades is what stands there on both dates: the darker of them shows how much of its power that is.
    """
    looks = np.array(usual.looks, np.float32)[:, None, None]
    standing = 1 - np.exp(-np.maximum(usual.above + np.minimum(first, second), 0))
    return np.asarray(1 / (1 + looks * np.float32(np.expm1(FADING_VARIANCE)) * standing**2), dtype=np.float32)


def _absent(log_ratio: FloatArray, usual: Usual) -> FloatArray:
    """Return how far a date (polarisation, row, col) is darker than usual: squared standard deviations (row, col).

    Down to the level of the ring around, and no further: speckle's dark tail on empty ground is no departure.
    Polarisations fade together.
    """
    weights = np.array(usual.looks, np.float32)[:, None, None] / np.float32(sum(usual.looks))
    drop = (np.clip(log_ratio, -usual.above, 0) * weights).sum(axis=0)
    standing = (usual.standing * weights).sum(axis=0)
    return np.asarray(drop**2 / (1 / sum(usual.looks) + FADING_VARIANCE * standing**2), dtype=np.float32)


def _departure(states: FloatArray, limit: FloatArray) -> FloatArray:
    """Return the evidence that one date is as usual and the other is not, from how far (date, row, col) each is off."""
    near = np.ones((NEAR_PX, NEAR_PX), np.uint8)
    around = np.minimum(cv2.dilate(states[0], near), cv2.dilate(states[1], near))
    size = np.minimum(np.abs(states[1] - states[0]), limit)
    return np.where(around < OCCUPIED, size, np.float32(0)).astype(np.float32)


def object_evidence(first: FloatArray, second: FloatArray, usual: Usual) -> FloatArray:
    """Return the evidence (row, col) for a changed object.

    max(PAIR_SHARE pair, min(|bright - bright|, STATE_LIMIT pair), ABSENT_SHARE min(|absent - absent|, ABSENT_LIMIT
    pair)); the last two count only while one of the dates is as usual.

    Parameters
    ----------
    first, second
        (polarisation, row, col) ln(date / usual), the ring around taken off.
    usual
        What they are held against.
    """
    pairs = np.stack([pair_statistic(second[k] - first[k], looks=n) for k, n in enumerate(usual.looks)])
    if not usual.dates:
        return np.asarray(pairs.sum(axis=0), dtype=np.float32)
    steadiness, bright = _steadiness(first, second, usual), np.zeros((2, *first.shape[1:]), np.float32)
    for k, n in enumerate(usual.looks):
        for date, one in enumerate((first[k], second[k])):
            size = ratio_statistic(np.exp(np.maximum(one, 0)), looks=n, dates=usual.dates)
            bright[date] += size * steadiness[k]
    steady = (pairs * steadiness).sum(axis=0)
    came = _departure(bright, np.float32(STATE_LIMIT) * steady)
    absent = np.stack([_absent(one, usual) for one in (first, second)])
    left = np.float32(ABSENT_SHARE) * _departure(absent, np.float32(ABSENT_LIMIT) * pairs.sum(axis=0))
    return np.asarray(np.maximum(np.float32(PAIR_SHARE) * steady, np.maximum(came, left)), dtype=np.float32)
