"""The value of a vessel, and which parts of an image have the shape of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]
Window = tuple[slice, slice]

BLUR_M = 25.0
"""What a point-spread of two pixels of 10 m adds to the ellipse's width of a thin object."""
SLENDER = 4.0
"""Length over beam: merchant and naval hulls of 30 m and more have 4 to 9; tugs' 3 hides in the blur."""
MOST_BEAM_M = 62.0
"""The widest vessels afloat."""
MOST_LENGTH_M = 400.0
"""The longest."""


@dataclass(frozen=True, kw_only=True)
class Vessel:
    """One vessel, or what looks like one."""

    rows: NDArray[np.intp]
    cols: NDArray[np.intp]
    """(n,) its own pixels."""
    length_m: float
    width_m: float
    orientation_deg: float
    """Of its longer axis, clockwise from grid north, 0 to 180: bow and stern cannot be told apart."""
    contrast: float
    """Brightest pixel against the water around: standard deviations (optical), or ln of the power ratio (radar)."""
    place: Literal["open", "shore"]
    """On open water, or joined to the land."""

    @property
    def centre(self) -> tuple[float, float]:
        """Return (row, col) of its middle."""
        return float(self.rows.mean()), float(self.cols.mean())

    @property
    def pixels(self) -> Pixels:
        """Return (rows, cols), to index a map with."""
        return self.rows, self.cols


def measured(pixels: Pixels, gsd: float, contrast: float, place: Literal["open", "shore"]) -> Vessel:
    """Return a vessel with the axes of the ellipse that has its pixels' second moments.

    Parameters
    ----------
    pixels
        (rows, cols), each (n,).
    gsd
        Metres per pixel.
    contrast, place
        As they stand in the vessel.
    """
    rows, cols = (p.astype(np.float64) for p in pixels)
    variances, axes = np.linalg.eigh(np.cov(np.stack([cols, rows]), bias=True) + np.eye(2) / 12)
    width, length = (float(4 * np.sqrt(v) * gsd) for v in variances)
    angle = float(np.degrees(np.arctan2(axes[0, 1], -axes[1, 1])) % 180)
    return Vessel(rows=pixels[0], cols=pixels[1], length_m=length, width_m=width, orientation_deg=angle,
                  contrast=contrast, place=place)  # fmt: skip


def parts_of(mask: BoolArray, least_px: int, most_px: float = np.inf, longest_px: float = np.inf) -> Iterator[Pixels]:
    """Yield the pixels of each connected part that is large enough, has at most `most_px` and is not longer."""
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    for number, (left, top, width, height, size) in enumerate(boxes):
        if number and least_px <= size <= most_px and np.hypot(width, height) <= longest_px:
            rows, cols = np.nonzero(parts[top : top + height, left : left + width] == number)
            yield rows + top, cols + left


def window_of(pixels: Pixels, margin_px: int) -> Window:
    """Return the window around pixels; it may reach beyond the image's lower and right edge, where slices end."""
    rows, cols = (slice(max(int(p.min()) - margin_px, 0), int(p.max()) + margin_px + 1) for p in pixels)
    return rows, cols


def drawn(pixels: Pixels, window: Window, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return 1 where pixels lie in a window (row, col) of an image of that shape."""
    rows, cols = (slice(*side.indices(size)) for side, size in zip(window, shape, strict=True))
    out = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.uint8)
    inside = (pixels[0] >= rows.start) & (pixels[0] < rows.stop) & (pixels[1] >= cols.start) & (pixels[1] < cols.stop)
    out[pixels[0][inside] - rows.start, pixels[1][inside] - cols.start] = 1
    return out


def too_wide(vessel: Vessel) -> bool:
    """Return whether nothing afloat is that wide: a cloud, an islet, a patch of foam."""
    return vessel.width_m > MOST_BEAM_M + BLUR_M / 2


def like_a_hull(vessel: Vessel) -> bool:
    """Return whether something has the proportions of a vessel, blurred as the image is."""
    widest = min(BLUR_M + vessel.length_m / SLENDER, MOST_BEAM_M + BLUR_M / 2)
    return vessel.width_m <= widest and vessel.length_m <= MOST_LENGTH_M + BLUR_M
