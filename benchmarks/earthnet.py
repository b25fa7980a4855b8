"""Flags on real ground where nothing was asked: six cubes of Sentinel-2 at 20 m, thresholds from half of the dates.

    .venv/bin/python benchmarks/earthnet.py FOLDER [CUBE ...] [--rate 1.0] [--objects 12] [--ways mixed "in time"]

FOLDER holds EarthNet2021 cubes (npz: `refl` (date, band, row, col), `mask` (date, row, col) 1 = cloud, `bands`,
`dates`): five months of fields, scrub, roads and settlements. Of a cube's clear dates one half is the baseline; those
of the other half are compared two by two, each once, and what is flagged counts as false, though fields are ploughed
and roads are used. The halves are cut twice: every other date (the same season on both sides), and the earlier
against the later (as a run has it, here from summer into autumn). Squares of 60 m and of 120 m and a given contrast are
then put into the later date of each pair, with the model and the thresholds of the pair.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.tables import Proportion, Rate, aligned
from detect.calibrated import OBJECT_SHARE, detect_series
from detect.change import Change
from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray
from detect.objects import find_objects
from detect.optical import Pair, fit_pair
from detect.series import MIN_DATES, Series
from detect.temporal import SeriesModel, fit_series, series_statistics
from imagery.veil import veil_levels, veiled

GSD = 20.0
CLEAR = 0.9
"""Least valid share of a date that is used."""
SHIFT_ERROR_PX = (0.05, 0.05)
"""Of the cubes' own co-registration: 0.02 to 0.08 px."""
PSF_PX = 0.53
SIZES_M = (60.0, 120.0)
CONTRASTS = (0.01, 0.02, 0.04, 0.08)
WAYS = ("mixed", "in time")
MARGIN_PX = 12
"""No square is put nearer to the edge of a cube."""


@dataclass(frozen=True, kw_only=True)
class Cube:
    """The clear dates of a cube."""

    name: str
    images: FloatArray
    """(date, band, row, col) reflectance."""
    valid: BoolArray
    """(date, row, col)."""
    red_nir: tuple[int, int]


@dataclass(kw_only=True)
class Told:
    """What came of one way to halve a cube's dates."""

    baseline: int
    """Dates of the baseline."""
    pairs: int = 0
    refused: int = 0
    """Pairs of which the program said that it is not calibrated."""
    areas_refused: int = 0
    """Pairs whose areas had no p-value."""
    km2: float = 0.0
    """Ground times pairs that were called calibrated."""
    area_km2: float = 0.0
    objects: int = 0
    areas: int = 0
    trials: dict[tuple[float, float], list[bool]] = field(default_factory=dict)
    """Seen or not, by size and contrast; contrast 0: nothing was put there."""


def read_cube(path: Path) -> Cube:
    """Return the dates of a cube that are clear and under no veil."""
    with np.load(path) as file:
        images, bands = file["refl"].astype(np.float32), [str(band) for band in file["bands"]]
        valid = np.isfinite(images).all(axis=1) & (file["mask"] == 0)
    clear = valid.mean(axis=(1, 2)) >= CLEAR
    images, valid = np.nan_to_num(images[clear]), valid[clear]
    levels = veil_levels(images, valid, np.ones(valid.shape[1:], bool), gsd=GSD)
    kept = [k for k, reason in enumerate(veiled(levels.tolist())) if reason is None]
    place = path.stem.split("_")
    name = f"{place[0]} {place[3]},{place[5]}"
    return Cube(name=name, images=images[kept], valid=valid[kept], red_nir=(bands.index("B04"), bands.index("B8A")))


def _squares(cube: Cube, size_m: float, count: int, rng: np.random.Generator) -> tuple[FloatArray, list[BoolArray]]:
    """Return squares of unit contrast (row, col), seen through the point spread, and the ground of each."""
    rows, cols = cube.valid.shape[1:]
    side = round(size_m / GSD)
    image, grounds = np.zeros((rows, cols), np.float32), []
    taken = np.zeros((rows, cols), bool)
    for _ in range(count):
        row, col = (int(rng.integers(MARGIN_PX, length - MARGIN_PX - side)) for length in (rows, cols))
        reach = (slice(row - MARGIN_PX, row + side + MARGIN_PX), slice(col - MARGIN_PX, col + side + MARGIN_PX))
        # Each stands apart: what is beside it must not raise the noise that it is held against.
        if not taken[reach].any():
            taken[row : row + side, col : col + side] = True
            image[row : row + side, col : col + side] = 1
            grounds.append(_at(taken.shape, row, col, side))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), PSF_PX), dtype=np.float32), grounds


def _at(shape: tuple[int, ...], row: int, col: int, side: int) -> BoolArray:
    """Return a square and the pixel around it (row, col)."""
    out = np.zeros(shape, bool)
    out[row - 1 : row + side + 1, col - 1 : col + side + 1] = True
    return out


def _inject(told: Told, cube: Cube, series: Series, *, model: SeriesModel, change: Change, count: int) -> None:
    """Put squares into the later date and note which are seen."""
    rng = np.random.default_rng(told.pairs)
    for size in SIZES_M:
        squares, grounds = _squares(cube, size, count, rng)
        for contrast in (0.0, *CONTRASTS):
            after = series.after + np.float32(contrast) * squares
            maps = series_statistics(series.before, after, series.valid, model)
            seen = (np.nan_to_num(maps.objects) >= change.objects.threshold) | (
                np.nan_to_num(maps.areas) >= change.areas.threshold
            )
            told.trials.setdefault((size, contrast), []).extend(bool(seen[ground].any()) for ground in grounds)


def _compare(told: Told, cube: Cube, series: Series, *, rate: float, count: int) -> None:
    """Compare two dates and note what is flagged."""
    told.pairs += 1
    pair = Pair(before=series.before, after=series.after, valid=series.valid, gsd=GSD, shift_error_px=SHIFT_ERROR_PX)
    strata: NDArray[np.uint8] = np.ones(series.valid.shape, np.uint8)
    try:
        model, pair_model = fit_series(series), fit_pair(pair)
        change = detect_series(series, strata, false_alarms_per_km2=rate, model=model, pair=pair, pair_model=pair_model)
    except DetectError:
        told.refused += 1
        return
    if not change.calibrated:
        told.refused += 1
        return
    found = find_objects(change, pair, pair_model)
    km2 = float(change.valid.sum()) * GSD**2 / 1e6
    told.km2 += km2
    told.objects += sum(item.scale == "object" for item in found)
    if np.isfinite(change.areas.p_value).any():
        told.area_km2 += km2
        told.areas += sum(item.scale == "area" for item in found)
    else:
        told.areas_refused += 1
    _inject(told, cube, series, model=model, change=change, count=count)


def halves(dates: int) -> Iterator[tuple[str, list[int], list[int]]]:
    """Yield a name, the baseline and the dates that are compared, both ways round."""
    every, middle = list(range(dates)), dates // 2
    for name, one, other in (("mixed", every[::2], every[1::2]), ("in time", every[:middle], every[middle:])):
        yield name, one, other
        if name == "mixed":
            yield name, other, one


def run_cube(cube: Cube, ways: Sequence[str], *, rate: float, count: int) -> dict[str, Told]:
    """Return what came of each way to halve a cube."""
    out: dict[str, Told] = {}
    for name, learned, tested in halves(len(cube.images)):
        if name not in ways:
            continue
        told = out.setdefault(name, Told(baseline=len(learned)))
        if len(learned) < MIN_DATES:
            continue
        base = Series(
            before=cube.images[0],
            after=cube.images[0],
            baseline=cube.images[learned],
            valid=cube.valid[0],
            baseline_valid=cube.valid[learned],
            gsd=GSD,
            red_nir=cube.red_nir,
        )
        # No date is in two pairs: else one odd date would be counted twice.
        for a, b in zip(tested[::2], tested[1::2], strict=False):
            both = cube.valid[a] & cube.valid[b]
            series = replace(base, before=cube.images[a], after=cube.images[b], valid=both)
            _compare(told, cube, series, rate=rate, count=count)
    return out


def _ratio(count: int, km2: float, rate: float) -> str:
    """Return actual over asked flags with its interval; nothing where nothing was calibrated."""
    if not km2:
        return "uncalibrated"
    found = Rate(count, km2 * rate)
    return f"{found.per_unit:.2f} ({found.interval}; {count} on {km2:.0f} km2)"


def _median(values: Sequence[float]) -> str:
    """Return the median of what there is."""
    return f"{np.median(values):.2f}" if values else "-"


def report(cubes: dict[str, dict[str, Told]], rate: float) -> list[str]:
    """Return the tables."""
    lines: list[str] = []
    for way in dict.fromkeys(way for ways in cubes.values() for way in ways):
        rows: list[tuple[str, ...]] = [("cube", "baseline", "pairs", "refused", "objects: actual over asked",
                                        "areas: actual over asked", "areas refused")]  # fmt: skip
        ratios: tuple[list[float], list[float]] = [], []
        for name, told in ((name, ways[way]) for name, ways in cubes.items()):
            asked = OBJECT_SHARE * rate, (1 - OBJECT_SHARE) * rate
            counted = ((told.objects, told.km2), (told.areas, told.area_km2))
            cells = [_ratio(*one, share) for one, share in zip(counted, asked, strict=True)]
            rows.append((name, str(told.baseline), str(told.pairs), str(told.refused), *cells, str(told.areas_refused)))
            for ratio, (count, km2), share in zip(ratios, counted, asked, strict=True):
                ratio.extend([count / km2 / share] if km2 else [])
        lines += ["", f"halves {way}, {rate:g} per km2 asked", *aligned(rows)]
        lines.append(f"  median of the cubes: objects {_median(ratios[0])}, areas {_median(ratios[1])}")
        lines += _seen([ways[way] for ways in cubes.values()])
    return lines


def _seen(tolds: Sequence[Told]) -> list[str]:
    """Return the share of squares that were seen, by size and contrast."""
    rows: list[tuple[str, ...]] = [("square", *(f"contrast {contrast:g}" for contrast in (0.0, *CONTRASTS)))]
    for size in SIZES_M:
        trials = [[seen for told in tolds for seen in told.trials.get((size, c), [])] for c in (0.0, *CONTRASTS)]
        if all(trials):
            rows.append((f"{size:.0f} m", *(Proportion(sum(one), len(one)).text for one in trials)))
    return aligned(rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("cubes", nargs="*", help="parts of the names of the cubes to be used; all")
    parser.add_argument("--rate", type=float, default=1.0, help="flags per km2 asked for")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS, help="how the dates are halved")
    parser.add_argument("--objects", type=int, default=12, help="squares tried per pair, size and contrast")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    paths = [p for p in sorted(asked.folder.glob("*.npz")) if not asked.cubes or any(c in p.name for c in asked.cubes)]
    cubes = {}
    for cube in map(read_cube, paths):
        cubes[cube.name] = run_cube(cube, asked.ways, rate=asked.rate, count=asked.objects)
        print(cube.name, *report({cube.name: cubes[cube.name]}, asked.rate), sep="\n", file=sys.stderr, flush=True)
    print("\n".join(report(cubes, asked.rate)))


if __name__ == "__main__":
    main()
