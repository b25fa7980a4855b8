"""What a detector of many dates is given."""

from __future__ import annotations

from dataclasses import dataclass

from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray

MIN_DATES = 4
"""Baseline dates needed to know what is usual."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Two dates and those before them, aligned on one grid."""

    before: FloatArray
    """(band, row, col) reflectance; anything where not valid."""
    after: FloatArray
    baseline: FloatArray
    """(date, band, row, col), oldest first."""
    valid: BoolArray
    """(row, col) True = usable on both dates."""
    baseline_valid: BoolArray
    """(date, row, col)."""
    gsd: float
    red_nir: tuple[int, int] | None = None
    """Indices of the red and the near-infrared band, by which vegetation is known."""
    near_buildings: BoolArray | None = None
    """(row, col) True = ground that buildings shade on some dates and not on others; None where none are known."""

    def __post_init__(self) -> None:
        """Check the shapes and the number of dates."""
        shape = self.before.shape
        if self.after.shape != shape or self.baseline.shape[1:] != shape or self.valid.shape != shape[1:]:
            raise DetectError(
                f"shapes differ: before {shape}, after {self.after.shape}, baseline {self.baseline.shape}"
            )
        if len(self.baseline) < MIN_DATES:
            raise DetectError(f"{len(self.baseline)} baseline dates; at least {MIN_DATES} are needed")
