"""The evidence that an object came or left between two radar dates, from how far each of them is from the usual.

A place's usual state is empty, or holds what always stands there; so there are three ways to see a change. *Brighter
than usual* on one date and as usual on the other: an arrival, or the departure of a visitor. *Darker than usual*, where
the usual stands out of its surroundings: what had always stood there has left (or was away, and is back). *The pair*
alone: what comes to and leaves a place that is used on and off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.filters import ring_mean
from detect.gamma import pair_statistic, ratio_statistic

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

STATE_LIMIT = 4.0
"""How much more than the pair itself is believed of a date that is brighter than usual."""
ABSENT_LIMIT = 1.5
"""How much more than the pair itself is believed of a date that is darker than usual: more it never is where the other
date is as usual."""
PAIR_SHARE = 0.8
"""Weight of the pair's own evidence, whose noise has two dates' speckle in it: the greatest of several statistics has
the chance maxima of all, and most places are usually empty."""
OCCUPIED = 9.2
"""Where both dates are so far from the usual (chance gives that to one place in a hundred, for two polarisations), both
hold what is not usually there: then it is the pair that tells whether it changed, or only fades."""
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


def _departure(states: FloatArray, limit: FloatArray) -> FloatArray:
    """Return the evidence that one date is as usual and the other is not, from how far (date, row, col) each is off."""
    one_of_them = states.min(axis=0) < OCCUPIED
    return np.where(one_of_them, np.minimum(np.abs(states[1] - states[0]), limit), np.float32(0)).astype(np.float32)


def object_evidence(first: FloatArray, second: FloatArray, usual: Usual) -> FloatArray:
    """Return the evidence (row, col) for a changed object.

    max(PAIR_SHARE pair, min(|bright - bright|, STATE_LIMIT pair), min(|dark - dark|, ABSENT_LIMIT pair)), where the
    last two count only while one of the dates is as usual. A date is *dark* down to the level of the ring around, and
    no further: speckle's dark tail on empty ground is no departure.

    Parameters
    ----------
    first, second
        (polarisation, row, col) ln(date / usual), the ring around taken off.
    usual
        What they are held against.
    """
    pair = np.zeros(first.shape[1:], np.float32)
    bright, dark = np.zeros((2, *first.shape[1:]), np.float32), np.zeros((2, *first.shape[1:]), np.float32)
    for k, n in enumerate(usual.looks):
        pair += pair_statistic(second[k] - first[k], looks=n)
        if not usual.dates:
            continue
        for date, one in enumerate((first[k], second[k])):
            reach = np.maximum(one, -usual.above[k])
            size = ratio_statistic(np.exp(reach), looks=n, dates=usual.dates)
            bright[date] += np.where(reach > 0, size, np.float32(0))
            dark[date] += np.where(reach < 0, size, np.float32(0))
    if not usual.dates:
        return pair
    limits = np.float32(STATE_LIMIT) * pair, np.float32(ABSENT_LIMIT) * pair
    came_or_left = np.maximum(_departure(bright, limits[0]), _departure(dark, limits[1]))
    return np.asarray(np.maximum(np.float32(PAIR_SHARE) * pair, came_or_left), dtype=np.float32)
