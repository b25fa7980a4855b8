"""What a detector returns: maps of how strongly the ground changed, and the changed objects in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Scale = Literal["object", "area"]
Sign = Literal["appeared", "vanished", "altered"]


@dataclass(frozen=True, kw_only=True)
class ScaleChange:
    """The map of one question: objects of the pixel's order, or areas of tens of metres."""

    scale: Scale
    statistic: NDArray[np.float32]
    """(row, col) >= 0, larger = more change; NaN where not valid."""
    p_value: NDArray[np.float32]
    """(row, col) per place of 0.01 km2; NaN everywhere while uncalibrated, and where not valid."""
    direction: NDArray[np.int8]
    """(row, col) +1 appeared, -1 vanished, 0 altered or none."""
    threshold: NDArray[np.float32]
    """(row, col) of `statistic`: what reaches it is flagged; NaN on ground that is not searched."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The answer of a detector to two dates."""

    objects: ScaleChange
    areas: ScaleChange
    valid: NDArray[np.bool_]
    """(row, col) True = usable on both dates."""
    method: str
    """One sentence for the manifest."""
    calibrated: bool
    """Whether the thresholds come from dates of the same ground on which nothing was asked for."""
    doubt: str | None = None
    """Why they do not hold for the two dates, though they hold on those that they come from."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A class of the object catalogue that is consistent with a flag's size and contrast."""

    name: str
    likelihood: float
    """Relative to the best class, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class ChangedObject:
    """One changed object, in pixels of the grid and metres."""

    scale: Scale
    change: Sign
    rows: NDArray[np.intp]
    """(n,) rows of its own pixels."""
    cols: NDArray[np.intp]
    """(n,) columns of its own pixels."""
    statistic: float
    """Value of its scale's statistic at its strongest pixel."""
    strength: float
    """Evidence over the evidence that was needed there, >= 1; both scales in squared distances, to compare."""
    length_m: float
    """Along its longer axis, the sensor's blur taken off."""
    width_m: float
    orientation_deg: float
    """Of the longer axis, clockwise from grid north, 0 to 180."""
    area_m2: float
    """Of its own pixels."""
    contrast: float
    """Change of reflectance (or log power) against the surroundings, of the band mean at the peak; signed."""
    p_value: float | None = None
    """Per place of 0.01 km2; None while uncalibrated."""
    false_alarms: float | None = None
    """How many such flags chance alone would give in the searched ground; None while uncalibrated."""
    candidates: tuple[Candidate, ...] = ()
    notes: tuple[str, ...] = ()
