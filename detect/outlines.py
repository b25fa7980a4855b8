"""Plan outlines of objects in metres, and their exact cover of the cells of a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Outline = tuple[tuple[float, float], ...]
"""Corners (right, forward) in metres from the object's centre, in order; the outline closes itself."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A lifting surface of both sides: a trapezium on either side of the centre line."""

    span_m: float
    """Tip to tip."""
    area_m2: float
    """Of both sides, with the part inside the fuselage, as reference areas are given."""
    taper: float
    """Tip chord over the chord at the centre line, 0 to 1."""
    sweep_deg: float
    """Of the leading edge."""

    @property
    def root_chord_m(self) -> float:
        """Chord at the centre line."""
        return 2 * self.area_m2 / (self.span_m * (1 + self.taper))

    def leading_drop(self, right_m: float) -> float:
        """Return how far the leading edge lies behind its own centre-line point at `right_m`, metres."""
        return right_m * math.tan(math.radians(self.sweep_deg))

    def chord(self, right_m: float) -> float:
        """Return the chord at a distance from the centre line, metres."""
        return self.root_chord_m * (1 - (1 - self.taper) * right_m / (self.span_m / 2))

    def reach_aft(self) -> float:
        """Return how far the aftmost corner lies behind the leading edge's centre-line point, metres."""
        tip = self.span_m / 2
        return max(self.root_chord_m, self.leading_drop(tip) + self.chord(tip))

    def side(self, apex_m: float, root_m: float) -> Outline:
        """Return the right half from the body's side outwards and back, for an apex at `apex_m` forward."""
        tip = self.span_m / 2
        lead_root, lead_tip = apex_m - self.leading_drop(root_m), apex_m - self.leading_drop(tip)
        return (
            (root_m, lead_root),
            (tip, lead_tip),
            (tip, lead_tip - self.chord(tip)),
            (root_m, lead_root - self.chord(root_m)),
        )


def mirrored(right_half: Outline) -> Outline:
    """Return the closed outline of a right half that runs from the nose to the tail."""
    left = tuple((-x, y) for x, y in reversed(right_half) if x > 0)
    return right_half + left


def aircraft(length_m: float, body_width_m: float, *, wing: Plane, wing_at: float, tail: Plane) -> Outline:
    """Return body, wing and tailplane as one outline.

    Parameters
    ----------
    length_m
        Overall; the aftmost point is that of the tailplane.
    body_width_m
        Of the fuselage.
    wing, tail
        The lifting surfaces.
    wing_at
        Where the wing's leading edge meets the centre line, from the nose, as a share of the length.
    """
    half, nose = body_width_m / 2, length_m / 2
    wing_apex, tail_apex = nose - wing_at * length_m, -length_m / 2 + tail.reach_aft()
    tail_root = 0.45 * half
    # The body ends where the tailplane's centre-line chord does: nothing lies behind its tips.
    stern = max(-length_m / 2, tail_apex - tail.root_chord_m)
    right = (
        (0.0, nose),
        (0.55 * half, nose - 0.4 * body_width_m),
        (half, nose - 1.2 * body_width_m),
        *wing.side(wing_apex, half),
        (half, tail_apex + 0.1 * length_m),
        *tail.side(tail_apex, tail_root),
        (0.0, stern),
    )
    return mirrored(right)


def helicopter(length_m: float, body_width_m: float, *, boom_width_m: float, wing: Plane, wing_at: float) -> Outline:
    """Return cabin, tail boom and stub wing (or tailplane) as one outline; rotors are no part of it.

    Parameters
    ----------
    length_m
        Of the fuselage.
    body_width_m, boom_width_m
        Of the cabin and of the tail boom.
    wing
        Stub wing or tailplane, whichever is the wider.
    wing_at
        Where its leading edge meets the centre line, from the nose, as a share of the length.
    """
    half, boom, nose = body_width_m / 2, boom_width_m / 2, length_m / 2
    apex = nose - wing_at * length_m
    on_boom = wing_at > 0.6
    cabin_end = nose - 0.55 * length_m
    cabin = ((0.0, nose), (0.7 * half, nose - 0.06 * length_m), (half, nose - 0.15 * length_m))
    shoulder = ((half, cabin_end), (boom, cabin_end - 0.08 * length_m))
    surface = wing.side(apex, boom if on_boom else half)
    middle = shoulder + surface if on_boom else surface + shoulder
    return mirrored(cabin + middle + ((boom, -nose), (0.0, -nose)))


def box(length_m: float, width_m: float) -> Outline:
    """Return a rectangle."""
    x, y = width_m / 2, length_m / 2
    return ((-x, -y), (x, -y), (x, y), (-x, y))


def hull(length_m: float, beam_m: float) -> Outline:
    """Return the deck of a ship: pointed bow, straight sides, a stern somewhat narrower than the beam."""
    x, y = beam_m / 2, length_m / 2
    return mirrored(
        ((0.0, y), (0.6 * x, y - 0.12 * length_m), (x, y - 0.3 * length_m), (x, -0.8 * y), (0.8 * x, -y), (0.0, -y))
    )


def disc(diameter_m: float) -> Outline:
    """Return a circle as a polygon of 32 corners and the circle's area."""
    angle = np.arange(32) * (2 * np.pi / 32)
    # A regular polygon of n corners has the area n/2 R^2 sin(2 pi / n).
    radius = diameter_m / 2 * math.sqrt(np.pi / (16 * math.sin(np.pi / 16)))
    return tuple((float(radius * math.sin(a)), float(radius * math.cos(a))) for a in angle)


def area(outline: Outline) -> float:
    """Return the area of an outline, square metres."""
    x, y = np.array(outline).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def placed(outline: Outline, heading_deg: float, offset_m: tuple[float, float]) -> NDArray[np.float64]:
    """Return the corners (east, north) of an outline turned to a heading and moved, metres.

    Parameters
    ----------
    outline
        Corners (right, forward).
    heading_deg
        Of the nose, clockwise from grid north.
    offset_m
        (east, north) of the object's centre.
    """
    c, s = math.cos(math.radians(heading_deg)), math.sin(math.radians(heading_deg))
    right, forward = np.array(outline, np.float64).T
    return np.column_stack((right * c + forward * s + offset_m[0], forward * c - right * s + offset_m[1]))


def _integral_of_clip(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the integral of `clip(t, 0, 1)` from below 0 to t."""
    inside = np.clip(t, 0, 1)
    return inside * inside / 2 + np.maximum(t - 1, 0)


def _mean_clip(right_sides: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of `clip(right_side - x, 0, 1)` for x running evenly between successive values: (n - 1, cols)."""
    near, far = np.minimum(x[:-1], x[1:])[:, None], np.maximum(x[:-1], x[1:])[:, None]
    width = far - near
    upright = width < 1e-9
    ramp = _integral_of_clip(right_sides - near) - _integral_of_clip(right_sides - far)
    return np.where(upright, np.clip(right_sides - near, 0, 1), ramp / np.where(upright, 1.0, width))


def cover(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the share of each cell that a simple polygon covers: exact, not sampled.

    Each edge contributes the signed area between itself and the grid's right border, row by row; the sum over
    the edges is the area inside. Within a row the mean over an edge of `clip(right side of the cell - x, 0, 1)`
    has a closed form.

    Parameters
    ----------
    corners
        (n, 2) as (column, row) in cells; whole numbers are the corners of cells.
    shape
        (rows, cols) of the grid. What lies outside is cut off.

    Returns
    -------
    (rows, cols) float32, 0 to 1.
    """
    rows, cols = shape
    total = np.zeros(shape, np.float64)
    right_sides = np.arange(1, cols + 1, dtype=np.float64)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        first, last = max(math.floor(min(y0, y1)), 0), min(math.ceil(max(y0, y1)), rows)
        if first >= last:
            continue
        edges = np.clip(np.arange(first, last + 1, dtype=np.float64), min(y0, y1), max(y0, y1))
        x = x0 + (edges - y0) * ((x1 - x0) / (y1 - y0))
        total[first:last] += np.diff(edges)[:, None] * math.copysign(1.0, y1 - y0) * _mean_clip(right_sides, x)
    # The sign tells clockwise from anticlockwise; neither is asked for.
    return np.abs(total).clip(0, 1).astype(np.float32)
