"""False alarms of the radar statistics on real dates on which nothing was asked, and the number of looks.

    python benchmarks/opera.py FOLDER

FOLDER holds CHIP_VV_22dates.tif and CHIP_VH_22dates.tif (linear gamma0, a band a date, oldest first). Printed per chip:

looks     ENL of both polarisations, from date to date
pairs     actual over asked flags, objects and areas: thresholds from a half of the neighbouring pairs, flags counted on
          the other half; median (10 to 90 %) of 20 random halves, and the two halves of time
dates     the same through the whole detector: a random half of the dates is the baseline, neighbours of the others are
          compared
omnibus   share of the places that change over the whole run, over the level that was asked for; weather included
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from detect.change import ChangedObject
from detect.omnibus import sequential_omnibus
from detect.radar import RadarModel, RadarSeries, fit_radar
from detect.radar_change import PLAN, detect_radar, find_radar_objects
from detect.radar_nulls import Nulls
from detect.speckle import date_levels, temporal_looks, usable

FloatArray = NDArray[np.float32]
GSD = 30.0
SPLITS = 20
RATES = (1.0, 0.1)
LEVEL = 0.01


def read_chip(folder: Path, chip: str) -> FloatArray:
    """Return (date, polarisation, row, col)."""
    images = []
    for polarisation in ("VV", "VH"):
        with rasterio.open(folder / f"{chip}_{polarisation}_22dates.tif") as file:
            images.append(file.read().astype(np.float32))
    return np.stack(images, axis=1)


def series_of(dates: FloatArray, baseline: list[int], pair: tuple[int, int]) -> RadarSeries:
    """Return two dates with others as their baseline."""
    valid = np.asarray(usable(dates).all(axis=1))
    return RadarSeries(
        before=dates[pair[0]],
        after=dates[pair[1]],
        baseline=dates[baseline],
        valid=valid[pair[0]] & valid[pair[1]],
        baseline_valid=valid[baseline],
        gsd=GSD,
    )


def tried(learned: Nulls, tested: Nulls, per_km2: float) -> float:
    """Return actual over asked flags of some held-out pairs at the threshold of others."""
    peaks, km2 = tested.peaks()
    return float((peaks >= learned.tails()[1].threshold(per_km2)).sum()) / (per_km2 * km2)


def halves(nulls: Nulls, rng: np.random.Generator) -> Iterator[tuple[Nulls, Nulls]]:
    """Yield random halves of the pairs, to learn from and to test on."""
    for _ in range(SPLITS):
        order = rng.permutation(len(nulls.maps))
        parts = [tuple(nulls.maps[k] for k in part) for part in np.array_split(order, 2)]
        yield replace(nulls, maps=parts[0]), replace(nulls, maps=parts[1])


def show_pairs(model: RadarModel) -> None:
    """Print the rates of held-out pairs."""
    strata = model.seen.astype(np.uint8)
    for scale, spacing, share in PLAN:
        maps = tuple(one.objects if scale == "object" else one.areas for one in model.nulls)
        nulls = Nulls(maps=maps, strata=strata, calm=model.seen, gsd=GSD, spacing_m=spacing)
        middle = len(maps) // 2
        early, late = replace(nulls, maps=maps[:middle]), replace(nulls, maps=maps[middle:])
        for rate in RATES:
            ratios = [tried(*parts, share * rate) for parts in halves(nulls, np.random.default_rng(1))]
            low, median, high = np.quantile(ratios, [0.1, 0.5, 0.9])
            times = tried(early, late, share * rate), tried(late, early, share * rate)
            print(
                f"  pairs   {scale:6s} at {rate:g}/km2: {median:.2f} ({low:.2f}-{high:.2f}); "
                f"early to late {times[0]:.2f}, late to early {times[1]:.2f}"
            )


def show_dates(dates: FloatArray) -> None:
    """Print the rate of the whole detector on dates that took no part in its baseline."""
    rng = np.random.default_rng(2)
    ratios: dict[str, list[float]] = {scale: [] for scale, _, _ in PLAN}
    strata = np.ones(dates.shape[2:], np.uint8)
    for _ in range(SPLITS):
        order = [int(k) for k in rng.permutation(len(dates))]
        baseline, others = sorted(order[: len(order) // 2]), sorted(order[len(order) // 2 :])
        found: list[ChangedObject] = []
        km2 = 0.0
        for pair in pairwise(others):
            series = series_of(dates, baseline, pair)
            model = fit_radar(series)
            change = detect_radar(series, strata, false_alarms_per_km2=1.0, model=model)
            found += find_radar_objects(change, series, model)
            km2 += float(model.seen.sum()) * (GSD / 1000) ** 2
        for scale, _, share in PLAN:
            ratios[scale].append(sum(item.scale == scale for item in found) / (share * km2))
    for name, values in ratios.items():
        low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
        print(f"  dates   {name:6s} at 1/km2, 11 baseline dates: {median:.2f} ({low:.2f}-{high:.2f})")


def show_chip(dates: FloatArray) -> None:
    """Print everything about one chip."""
    valid = np.asarray(usable(dates).all(axis=1))
    levels = np.stack([date_levels(dates[:, k], valid) for k in range(2)], axis=1)
    level = (dates / levels[:, :, None, None]).astype(np.float32)
    looks = [temporal_looks(level[:, k], valid) for k in range(2)]
    print(f"  looks   VV {looks[0]:.2f}, VH {looks[1]:.2f}")
    last = len(dates) - 1
    show_pairs(fit_radar(series_of(dates, list(range(len(dates))), (last - 1, last))))
    show_dates(dates)
    everywhere = np.asarray(valid.all(axis=0))
    run = sequential_omnibus(level, everywhere, looks=looks, level=LEVEL)
    share = (run.count[everywhere] > 0).mean()
    print(
        f"  omnibus {share:.3f} of the places change in {len(dates)} dates: {share / LEVEL:.1f} times the level asked"
    )


def main(folder: str) -> None:
    """Print the table."""
    for path in sorted(Path(folder).glob("*_VV_22dates.tif")):
        chip = path.name.removesuffix("_VV_22dates.tif")
        print(chip)
        show_chip(read_chip(Path(folder), chip))


if __name__ == "__main__":
    main(*sys.argv[1:])
