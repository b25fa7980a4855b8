"""Vessels at the shore of an optical image: what lies alongside a quay, and what is only surf, a groyne or a jetty.

A quay is straight for longer than a vessel. Land is opened with a straight line in each direction in turn: what is
left out by the line that runs along a quay is narrow and as long as it is; where it is joined to the quay all along,
ends in a nook of water, and has another colour than the quay, it is a vessel. A jetty or groyne is joined by its end, a
corner of a quay has no nook. A shore that is bright all along is a beach or a reef with its breakers, and whatever
lies in these is taken for more of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detect.fairways import BOOM_M, ends_on_land
from detect.hulls import (
    BLUR_M,
    MOST_BEAM_M,
    Pixels,
    Vessel,
    Window,
    drawn,
    measured,
    parts_of,
    window_of,
)
from detect.water import disc, morphology

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Values = NDArray[np.float64]

QUAYS_M = (400.0, 250.0, 150.0)
"""Lengths of the lines: a quay of at least that length shows vessels that are shorter."""
STEP_DEG = 5.0
"""Between the directions tried: over 250 m, neighbours part by a pixel."""
LEAST_LENGTH_M = 45.0
"""A shorter bump is a crane, a fender or a house."""
DIRECTED = 2.2
"""Length over width from which an axis is known to a few degrees."""
FILLED = 0.8
"""Pixels over the area of their own ellipse: 0.95 for a hull, 0.7 for the sliver that an oblique line leaves."""
EVEN = 0.4
"""Share of the length on which a hull has six tenths of its greatest width."""
ALONG = 0.5
"""Share of its length by which a vessel alongside touches the quay, and by which water lies on its other side."""
BEYOND_M = 30.0
"""Piece of the quay, beyond one end of the vessel, that must lie in one line with the side it is moored to."""
COLOUR = 0.1
"""Least difference of colour from the quay behind: ln of a band, over the mean of all bands."""
PLANTS = 0.08
"""Soil-adjusted vegetation index from which a shore is grown over and no quay."""
NOOK_M = 30.0
"""Radius of the disc that finds the corner of water between a vessel's end and its quay."""
UNDER_CRANES_M = 150.0
"""Length from which cranes may stand over a vessel."""
SURF_M = 60.0
"""Breakers lie no further out on most shores."""
BLURRED_M = 35.0
"""From the edge of the land: half of the blur of land, and that of what lies before it."""
REACH_M = 250.0
"""Stretch of the shore to either side that is looked at for breakers."""
FETCH_M = 2000.0
"""Open water that breakers need: over 2 km a wind of 10 m/s raises waves of 0.3 m, over less none to be seen."""
OPEN_DEG = 30.0
"""Sector over which that much water must lie open: swell through a harbour's mouth spreads and fades."""
BEARING_STEP_DEG = 5.0
FRINGED = 0.4
"""Share of that stretch with something bright before it, from which it is surf; ships leave less."""


@dataclass(frozen=True, kw_only=True)
class Shore:
    """The land of an optical image and what is bright before it."""

    ground: BoolArray
    """(row, col) True = land, with what is joined to it."""
    distance: FloatArray
    """(row, col) pixels to the land, 0 on it."""
    edge: BoolArray
    """(row, col) True = the land's own outermost pixels."""
    bright: BoolArray
    """(row, col) True = brighter than the water around, and within SURF_M of the land."""
    gsd: float
    """Metres per pixel."""

    def fringed(self, pixels: Pixels) -> bool:
        """Return whether the shore around an object is bright all along, the object itself left out."""
        reach = round(REACH_M / self.gsd)
        middle = tuple(np.array([int(p.mean())]) for p in pixels)
        window = window_of((middle[0], middle[1]), reach)
        own = drawn(pixels, window, self.ground.shape)
        stretch = self.edge[window] & (cv2.dilate(own, disc(80.0 / self.gsd)) == 0)
        others = self.bright[window] & (cv2.dilate(own, disc(2)) == 0)
        if not stretch.any() or not self.exposed(pixels):
            return False
        before = cv2.dilate(others.astype(np.uint8), disc(50.0 / self.gsd)) > 0
        return float(before[stretch].mean()) >= FRINGED

    def exposed(self, pixels: Pixels) -> bool:
        """Return whether the water open before an object is enough for breakers; beyond the image it goes on."""
        bearings = np.radians(np.arange(0.0, 360.0, BEARING_STEP_DEG))[:, None]
        away = np.arange(0.0, FETCH_M / self.gsd, 0.7)
        rows = np.round(pixels[0].mean() - away * np.cos(bearings)).astype(int)
        cols = np.round(pixels[1].mean() + away * np.sin(bearings)).astype(int)
        inside = (rows >= 0) & (cols >= 0) & (rows < self.ground.shape[0]) & (cols < self.ground.shape[1])
        own = np.hypot(np.ptp(pixels[0]), np.ptp(pixels[1])) / 2 + 2
        blocked = np.zeros(rows.shape, bool)
        blocked[inside] = self.ground[rows[inside], cols[inside]]
        free = ~blocked[:, away > own].any(axis=1)
        return float(free.sum()) * BEARING_STEP_DEG >= OPEN_DEG

    def doubtful(self, vessel: Vessel) -> bool:
        """Return whether something off the shore is too near to it to be told from surf, jetties and moorings."""
        off = float(self.distance[vessel.pixels].min()) * self.gsd
        if off <= BLURRED_M and vessel.length_m < LEAST_LENGTH_M:
            return True
        if off <= BLURRED_M and vessel.length_m < BOOM_M and ends_on_land(vessel, self.ground, self.gsd):
            return True
        return off <= SURF_M + 10.0 and self.fringed(vessel.pixels)


def shore_of(ground: BoolArray, score: FloatArray, *, gsd: float, limit: float) -> Shore:
    """Return the shore of an image.

    Parameters
    ----------
    ground
        (row, col) True = land.
    score
        (row, col) standard deviations over the water around.
    gsd
        Metres per pixel.
    limit
        Score from which something on open water is a vessel.
    """
    distance = ndimage.distance_transform_edt(~ground).astype(np.float32)
    edge = ground & (cv2.dilate((~ground).astype(np.uint8), disc(1)) > 0)
    bright = (score >= max(0.6 * limit, 2.5)) & (distance > 2) & (distance <= SURF_M / gsd)
    return Shore(ground=ground, distance=distance, edge=edge, bright=bright, gsd=gsd)


@dataclass(frozen=True, kw_only=True)
class _Quay:
    """The land that holds a straight line of one direction, and that direction."""

    solid: BoolArray
    """(row, col) True = a line of the direction fits on the land here."""
    bearing_deg: float

    def turned(self, rows: Values, cols: Values) -> tuple[Values, Values]:
        """Return coordinates along the direction and across it (to the right), pixels."""
        angle = np.radians(self.bearing_deg)
        return cols * np.sin(angle) - rows * np.cos(angle), cols * np.cos(angle) + rows * np.sin(angle)

    def share(self, mask: BoolArray, along: Values, across: float) -> Values:
        """Return whether a mask holds at points of a line along the direction (n,); False beyond the image."""
        angle = np.radians(self.bearing_deg)
        cols = np.round(along * np.sin(angle) + across * np.cos(angle)).astype(int)
        rows = np.round(-along * np.cos(angle) + across * np.sin(angle)).astype(int)
        inside = (rows >= 0) & (cols >= 0) & (rows < mask.shape[0]) & (cols < mask.shape[1])
        held = np.zeros(len(along), bool)
        held[inside] = mask[rows[inside], cols[inside]]
        return held.astype(float)


def _quay(ground: BoolArray, length_px: float, bearing_deg: float) -> _Quay:
    reach, angle = int(np.ceil(length_px / 2)), np.radians(bearing_deg)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    right, down = round(np.sin(angle) * length_px / 2), round(-np.cos(angle) * length_px / 2)
    cv2.line(kernel, (reach - right, reach - down), (reach + right, reach + down), 1)
    opened = cv2.morphologyEx(ground.astype(np.uint8), cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
    return _Quay(solid=opened > 0, bearing_deg=bearing_deg)


def _placed(near: BoolArray, mask: BoolArray, window: Window) -> tuple[Values, Values]:
    """Return rows and cols in the whole image where a mask holds near an object."""
    rows, cols = np.nonzero(near & mask[window])
    return rows.astype(float) + window[0].start, cols.astype(float) + window[1].start


def _moored(vessel: Vessel, quay: _Quay, water: BoolArray, gsd: float) -> bool:
    """Return whether a bump lies along a quay, joined to it all along, with water on its other side and at an end."""
    window = window_of(vessel.pixels, 4)
    own = drawn(vessel.pixels, window, water.shape)
    touching = _placed(cv2.dilate(own, np.ones((3, 3), np.uint8)) > 0, quay.solid, window)
    washed = _placed(cv2.dilate(own, disc(2)) > 0, water, window)
    if len(touching[0]) < 3 or len(washed[0]) < 3:
        return False
    along, across = quay.turned(vessel.rows.astype(float), vessel.cols.astype(float))
    beside, inward = quay.turned(*touching)
    side = np.sign(np.median(across) - np.median(inward))  # on which the water lies
    afloat = [a for a, b in zip(*quay.turned(*washed), strict=True) if (b - np.median(across)) * side > 0]
    least = ALONG * vessel.length_m / gsd
    if np.ptp(beside) + 1 < least or len(np.unique(np.round(afloat))) < least:
        return False
    thickness = np.bincount(np.round(along - along.min()).astype(int))
    if (thickness >= 0.6 * thickness.max()).mean() < EVEN:
        return False
    columns = np.round(beside)
    outermost = np.array([(inward[columns == one] * side).max() * side for one in np.unique(columns)])
    joint = float(np.median(outermost))
    beyond = np.arange(BEYOND_M / gsd)
    # A container ship lies under cranes, whose booms hide the water next to it.
    for gap in (2, 3, 4) if vessel.length_m >= UNDER_CRANES_M else (2,):
        for end in (along.min() - gap - beyond, along.max() + gap + beyond):
            outer, inner = quay.share(water, end, joint + 1.7 * side), quay.share(quay.solid, end, joint - 0.8 * side)
            if (outer * inner).mean() >= 0.8:
                return True
    return False


def _another_colour(
    vessel: Vessel, quay: _Quay, bands: Mapping[str, FloatArray], darkest: Mapping[str, float], plants: FloatArray
) -> bool:
    """Return whether a bump differs in colour from the quay behind it, which is paved."""
    window = window_of(vessel.pixels, 6)
    own = drawn(vessel.pixels, window, quay.solid.shape)
    behind = (cv2.dilate(own, disc(5)) > 0) & (cv2.dilate(own, disc(1)) == 0) & quay.solid[window]
    if not behind.any() or np.median(plants[window][behind]) >= PLANTS:
        return False
    if np.median(plants[vessel.pixels]) >= PLANTS:
        return False
    ratios = []
    for name, dark in darkest.items():
        pair = [np.maximum(np.median(values) - dark, 0.005)
                for values in (bands[name][vessel.pixels], bands[name][window][behind])]  # fmt: skip
        ratios.append(np.log(pair[0] / pair[1]))
    return bool(np.abs(np.array(ratios) - np.mean(ratios)).max() >= COLOUR)


def _two_wide(mask: BoolArray) -> BoolArray:
    """Return a mask without what is one pixel wide."""
    square = np.ones((2, 2), np.uint8)
    # Of an even square OpenCV takes the same corner as anchor twice, and moves the mask.
    kept = cv2.erode(mask.astype(np.uint8), square, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(cv2.dilate(kept, square, anchor=(1, 1)) > 0)


def _shaped(vessel: Vessel, gsd: float, bearing_deg: float, longest_m: float) -> bool:
    length, width = vessel.length_m, vessel.width_m
    if not LEAST_LENGTH_M <= length <= longest_m or width > min(MOST_BEAM_M + BLUR_M / 5, length / DIRECTED):
        return False
    if abs((vessel.orientation_deg - bearing_deg + 90) % 180 - 90) > STEP_DEG + 3:
        return False
    return len(vessel.rows) * gsd**2 >= FILLED * np.pi / 4 * length * width


def alongside(
    shore: Shore,
    water: BoolArray,
    bands: Mapping[str, FloatArray],
    *,
    plants: FloatArray,
    score: FloatArray,
    faintest: float,
) -> list[Vessel]:
    """Return what lies alongside paved shores and has a vessel's size.

    Parameters
    ----------
    shore
        From `shore_of`.
    water
        (row, col) True = water.
    bands
        (row, col) reflectance by name.
    plants
        (row, col) soil-adjusted vegetation index.
    score
        (row, col) standard deviations over the water around.
    faintest
        Least score of a vessel's brightest pixel.
    """
    darkest = {name: float(np.percentile(band[water], 5)) for name, band in bands.items()}
    nooks = morphology(shore.ground, cv2.MORPH_CLOSE, NOOK_M / shore.gsd) & ~shore.ground & water
    washed = cv2.dilate(water.astype(np.uint8), disc(2)) > 0  # what no water reaches is no bump
    found: list[Vessel] = []
    for longest in QUAYS_M:
        # Well over the largest ellipse within the limits: what is larger fails them and need not be measured.
        most = longest * (MOST_BEAM_M + BLUR_M) / shore.gsd**2
        for bearing in np.arange(0.0, 180.0, STEP_DEG):
            quay = _quay(shore.ground, longest / shore.gsd, float(bearing))
            for pixels in parts_of(_two_wide(shore.ground & ~quay.solid), 8, most, 1.3 * longest / shore.gsd):
                if not washed[pixels].any():
                    continue
                one = measured(pixels, shore.gsd, float(score[pixels].max()), "shore")
                if one.contrast < faintest or not _shaped(one, shore.gsd, float(bearing), longest):
                    continue
                window = window_of(pixels, 2)
                nook = nooks[window] & (cv2.dilate(drawn(pixels, window, water.shape), disc(2)) > 0)
                if nook.sum() < 2 or not _moored(one, quay, water, shore.gsd):
                    continue
                if _another_colour(one, quay, bands, darkest, plants) and not shore.fringed(pixels):
                    found.append(one)
    return _apart(found, water.shape)


def _apart(found: list[Vessel], shape: tuple[int, ...]) -> list[Vessel]:
    """Return the largest of those that share pixels."""
    taken, kept = np.zeros(shape, bool), []
    for one in sorted(found, key=lambda vessel: -len(vessel.rows)):
        if taken[one.pixels].mean() < 0.2:
            kept.append(one)
            taken[one.pixels] = True
    return kept
