"""Objects of the catalogue put into real images: how they stand, what they look like there, what they cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detect.errors import DetectError
from detect.forward import Optics, Pose, Sunlight, render
from detect.targets import ObjectClass, silhouette

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Window = tuple[slice, slice]
"""(rows, cols) of a part of the frame."""
Direction = Literal["appeared", "vanished"]
MOST_STAMPS = 4000
"""Stamps that are kept, of some 10 kB at 10 m; one comparison draws about a thousand."""


@dataclass(frozen=True, kw_only=True)
class View:
    """How the ground of one date reaches the numbers of its image."""

    bands: tuple[str, ...]
    optics: Optics
    sunlight: Sunlight
    transmission: tuple[float, ...]
    """Per band: share of the ground's reflectance that reaches the sensor; 1 where the air is corrected for."""
    path: tuple[float, ...]
    """Per band: reflectance that the air adds; 0 where it is corrected for."""

    def __post_init__(self) -> None:
        """Refuse values for different numbers of bands."""
        lengths = {len(self.bands), len(self.optics.psf_sigma_m), len(self.sunlight.shadow_share)}
        lengths |= {len(self.transmission), len(self.path)}
        if len(lengths) != 1:
            raise DetectError(f"bands {', '.join(self.bands)}, but values for {sorted(lengths)} bands; give one each")


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """An object in one pose as the sensor samples it, before anything is said of its colour or its ground."""

    body: FloatArray
    """(band, n, n) blurred share of the object, n odd; the middle pixel is the one that the pose refers to."""
    shade: FloatArray
    """(band, n, n) blurred share of its shadow."""
    footprint: BoolArray
    """(n, n) pixels that the object touches, and those beside them."""

    @property
    def half(self) -> int:
        """Pixels on each side of the middle one."""
        return int(self.body.shape[1]) // 2


def widened(chip: FloatArray, half: int) -> FloatArray:
    """Return an odd square chip with zeros around it, so that `half` pixels lie on each side of its middle."""
    rim = half - chip.shape[-1] // 2
    return np.pad(chip, [(0, 0)] * (chip.ndim - 2) + [(rim, rim)] * 2)


class _Sun(NamedTuple):
    """Where the sun stands: all that a stamp knows of the light."""

    elevation_deg: float
    azimuth_deg: float


@lru_cache(maxsize=MOST_STAMPS)
def _stamp(model: ObjectClass, pose: Pose, optics: Optics, sun: _Sun) -> Stamp:
    """Draw an object; each pose of a date once, for the same objects are put into many comparisons of it."""
    count = len(optics.psf_sigma_m)
    dark, light = np.zeros(count, np.float32), np.ones(count, np.float32)
    body = render(model, pose, optics=optics, background=dark, reflectance=light)
    shade = np.zeros_like(body)
    if model.kind != "ship":
        black = Sunlight(elevation_deg=sun.elevation_deg, azimuth_deg=sun.azimuth_deg, shadow_share=(0.0,) * count)
        shade = -render(model, pose, optics=optics, background=light, reflectance=light, sunlight=black)
    cover = silhouette(model, pose.heading_deg, cell_m=optics.gsd_m, offset_m=pose.offset_m)
    half = max(body.shape[1] // 2, shade.shape[1] // 2, len(cover) // 2 + 1)
    stamp = Stamp(body=widened(body, half), shade=widened(shade, half), footprint=_grown(widened(cover, half) > 0))
    for array in (stamp.body, stamp.shade, stamp.footprint):
        array.setflags(write=False)
    return stamp


def make_stamp(model: ObjectClass, pose: Pose, view: View) -> Stamp:
    """Return an object in a pose, its body and its shadow apart: what an image shows is linear in both.

    Parameters
    ----------
    model, pose
        The object, and how it stands relative to a pixel's centre.
    view
        The sensor and the sun; a ship's shadow falls on water, which shows none.
    """
    return _stamp(model, pose, view.optics, _Sun(view.sunlight.elevation_deg, view.sunlight.azimuth_deg))


def _grown(pixels: BoolArray) -> BoolArray:
    """Return pixels and their eight neighbours, of a map whose rim is empty."""
    padded = np.pad(pixels, 1)
    rows, cols = pixels.shape
    shifted = [padded[r : r + rows, c : c + cols] for r in range(3) for c in range(3)]
    grown: BoolArray = np.logical_or.reduce(shifted)
    return grown


def make_stamps(model: ObjectClass, view: View, *, count: int, rng: np.random.Generator) -> tuple[Stamp, ...]:
    """Return an object in `count` poses: headings all around, offsets from the pixel's centre within the pixel."""
    headings = 360 * (np.arange(count) + rng.random(count)) / count
    offsets = (rng.random((count, 2)) - 0.5) * view.optics.gsd_m
    poses = [
        Pose(heading_deg=float(heading), offset_m=(float(east), float(north)))
        for heading, (east, north) in zip(headings, offsets, strict=True)
    ]
    return tuple(make_stamp(model, pose, view) for pose in poses)


def background_of(
    image: FloatArray, valid: BoolArray, footprint: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> FloatArray:
    """Return the median (band,) of an image over the valid pixels of a footprint (rows, cols), one or more."""
    rows, cols = (index[valid[footprint]] for index in footprint)
    return np.asarray(np.median(image[:, rows, cols], axis=1), dtype=np.float32)


def chip_of(stamp: Stamp, view: View, *, background: FloatArray, reflectance: FloatArray) -> FloatArray:
    """Return what an object and its shadow add to an image (band, n, n).

    Parameters
    ----------
    stamp, view
        The object in its pose, and how the ground reaches the image.
    background
        (band,) the image's own value there, path and all.
    reflectance
        (band,) of the object on the ground.
    """
    path, share = np.array(view.path, np.float32), np.array(view.sunlight.shadow_share, np.float32)
    contrast = path + np.array(view.transmission, np.float32) * reflectance - background
    darkening = np.maximum(background - path, 0) * (share - 1)
    return np.asarray(stamp.body * contrast[:, None, None] + stamp.shade * darkening[:, None, None], dtype=np.float32)


def contrast_area(chip: FloatArray, gsd_m: float) -> float:
    """Return |contrast| times area, square metres, mean over the bands: object and shadow as the sensor sees them."""
    return float(np.abs(chip).sum(axis=(1, 2)).mean() * gsd_m**2)


def levels(count: int, rng: np.random.Generator) -> Sequence[float]:
    """Return `count` levels between the least (0) and the largest (1) reflectance, evenly spread, in random order."""
    return [float(level) for level in rng.permutation((np.arange(count) + rng.random(count)) / count)]


def with_chip(image: FloatArray, chip: FloatArray, at: tuple[int, int], window: Window) -> FloatArray:
    """Return a window of an image with a chip added around a place; what falls outside is lost."""
    out = image[:, window[0], window[1]].copy()
    half = chip.shape[1] // 2
    inside, taken = [], []
    for centre, part, length in zip(at, window, out.shape[1:], strict=True):
        start = centre - half - part.start
        first, last = max(start, 0), min(start + chip.shape[1], length)
        inside.append(slice(first, last))
        taken.append(slice(first - start, last - start))
    out[:, inside[0], inside[1]] += chip[:, taken[0], taken[1]]
    return out
