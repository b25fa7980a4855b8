"""Where a vessel could have come from, and what reaches over the water from the land.

A vessel lies where it could come to: along a channel, and from water wide enough to turn in. What stands on narrower
water, a river in a town, a pond or a tidal creek, is a bridge, a dike or a bank. What joins land to land is a bridge
or a dam on any water, and what points at the land it begins at is a jetty or the boom of a crane.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detect.hulls import BLUR_M, Vessel, drawn, window_of
from detect.water import disc, morphology

BoolArray = NDArray[np.bool_]

TURNING = 1.5
"""Diameter of the water to turn in, over the vessel's length, with tugs (PIANC report 121, 2014: 1.5; 2 without)."""
CHANNEL_M = 50.0
"""Width of the narrowest channel that leads there: three beams (PIANC, one way, calm) of a vessel of 16 m, or less."""
REACH_M = 45.0
"""Up to there a line is followed beyond its end: what is blurred into the land is left out of a detection."""
BOOM_M = 90.0
"""A container crane reaches 70 m over the water; with its blur."""


def room_for(vessels: list[Vessel], ground: BoolArray, valid: BoolArray, gsd: float) -> list[bool]:
    """Return of each vessel whether it lies at water that it could have come to and turned in.

    What is not seen, under a cloud or beyond the image, goes on as what is next to it.

    Parameters
    ----------
    vessels
        Their own pixels count as water, for they hide it.
    ground
        (row, col) True = land.
    valid
        (row, col) True = seen.
    gsd
        Metres per pixel.
    """
    free = ~ground
    if not valid.all() and valid.any():
        nearest = ndimage.distance_transform_edt(~valid, return_distances=False, return_indices=True)
        free = free[nearest[0], nearest[1]]
    for one in vessels:
        free[one.pixels] = True
    if free.all():
        return [True] * len(vessels)
    wide = cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    channels = morphology(free, cv2.MORPH_OPEN, CHANNEL_M / 2 / gsd)
    labels = cv2.connectedComponents(channels.astype(np.uint8), connectivity=4)[1]
    diameters, told = {0: 0.0}, []
    for one in vessels:
        window = window_of(one.pixels, 4)
        near = np.unique(labels[window][cv2.dilate(drawn(one.pixels, window, ground.shape), disc(3)) > 0]).tolist()
        for number in near:
            if number not in diameters:
                diameters[number] = 2 * gsd * float(wide[labels == number].max())
        told.append(max(diameters[number] for number in near) >= TURNING * (one.length_m - BLUR_M))
    return told


def ends_on_land(vessel: Vessel, ground: BoolArray, gsd: float) -> int:
    """Return how many of a vessel's two ends point at land within REACH_M, in line with its axis.

    Parameters
    ----------
    vessel
        Something off the shore.
    ground
        (row, col) True = land.
    gsd
        Metres per pixel.
    """
    angle = np.radians(vessel.orientation_deg)
    ahead, aside = np.array([-np.cos(angle), np.sin(angle)]), np.array([np.sin(angle), np.cos(angle)])
    middle = np.array(vessel.centre)
    along = (np.stack(vessel.pixels, axis=1) - middle) @ ahead
    met = 0
    for end in (along.max() + np.arange(1, REACH_M / gsd + 1), along.min() - np.arange(1, REACH_M / gsd + 1)):
        line = middle + end[:, None, None] * ahead + np.array([-1.0, 0.0, 1.0])[:, None] * aside
        rows, cols = np.round(line).astype(int).reshape(-1, 2).T
        inside = (rows >= 0) & (cols >= 0) & (rows < ground.shape[0]) & (cols < ground.shape[1])
        met += bool(ground[rows[inside], cols[inside]].any())
    return met
