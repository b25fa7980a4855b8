"""Shift of labelled pairs, and its scatter over independent tiles after alignment.

    python benchmarks/registration.py FOLDER [CITY ...]

FOLDER as for oscd.py. Printed per city: the whole shift in metres (southward, eastward) with its standard error, and
the median absolute deviation per axis of the shifts that 128 px tiles still show, in pixels.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.oscd import read_city
from imagery.coregister import Aligned, align, estimate_shift
from imagery.errors import InsufficientImageryError

TILE_PX = 128


def tile_shifts(aligned: Aligned) -> Iterator[tuple[float, float]]:
    """Yield the shift (rows, cols) that each tile with enough structure still shows."""
    first, second = (np.nan_to_num(r.data) for r in (aligned.before, aligned.after))
    rows, cols = aligned.before.valid.shape
    for top in range(0, rows - TILE_PX + 1, TILE_PX):
        for left in range(0, cols - TILE_PX + 1, TILE_PX):
            part = np.s_[top : top + TILE_PX, left : left + TILE_PX]
            seen = [r.valid[part] for r in (aligned.before, aligned.after)]
            try:
                yield estimate_shift(
                    first[(slice(None), *part)], second[(slice(None), *part)], *seen, gsd=10.0
                ).shift_px
            except InsufficientImageryError:
                continue


def main(folder: Path, names: list[str]) -> None:
    """Print a line per city."""
    for path in [folder / name for name in names] or sorted(p.parent for p in folder.glob("*/dates.txt")):
        city = read_city(path)
        aligned = align(city.before, city.after)
        (south, east), error = aligned.alignment.shift_m, aligned.alignment.standard_error_px
        shifts = np.array(list(tile_shifts(aligned)))
        spread = np.median(np.abs(shifts - np.median(shifts, axis=0)), axis=0)
        print(
            f"{path.name:10s} {south:+6.2f} m (+-{10 * error[0]:.2f}) {east:+6.2f} m (+-{10 * error[1]:.2f})  "
            f"{len(shifts)} tiles, scatter {spread[0]:.3f} {spread[1]:.3f} px"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
