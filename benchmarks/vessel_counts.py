"""Whether the interval of a count of vessels on an optical date holds the true number: known ships put into real water.

    python benchmarks/vessel_counts.py SEN2SHIPS [OSCD]

Windows of 2.5 to 3 km of the labelled scenes of `benchmarks/vessels.py` (and of both dates of Beirut) get 0 to 20 ships
of 30 to 200 m with the contrast of labelled vessels. The true number is those put in and the vessels that are there by
box or by eye; the zone is the water, three pixels off its shore. Printed: on how many windows the interval holds the
true number, misses below and above, and the medians of interval and truth; then the same with ships half as bright,
which the share that is seen does not know of.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.vessels import JUDGED, Scene, read_scene, read_unlabelled
from detect.berths_optical import SHIP_CONTRAST, SHIP_SPREAD
from detect.errors import DetectError
from detect.vessel_rates import optical_vessel_rates
from detect.vessels import count_interval, optical_vessels
from detect.water import water_of

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
WINDOWS = 12
ROWS, COLS = 260, 320
OFF_SHORE_PX = 7
SUBPIXELS = 10


def known(scene: Scene) -> list[tuple[float, float]]:
    """Return (row, col) of the vessels that are in a scene, by box or by eye."""
    with JUDGED.open(newline="") as file:
        seen = [(float(row["row"]), float(row["col"])) for row in csv.DictReader(file)
                if row["scene"] == scene.name and row["judgement"] == "vessel"]  # fmt: skip
    return seen + [(top + height / 2, left + width / 2) for left, top, width, height in scene.boxes]


def put_in(zone: BoolArray, gsd: float, brightness: float, rng: np.random.Generator) -> tuple[FloatArray, int]:
    """Return what ships add to the reflectance (row, col), and how many there are."""
    rows, cols = np.nonzero(cv2.erode(zone.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0))
    wanted, placed = int(rng.integers(0, 21)), 0
    added, taken = np.zeros(zone.shape, np.float32), np.zeros(zone.shape, np.uint8)
    for k in rng.permutation(len(rows))[: 4 * wanted]:
        if placed == wanted:
            break
        length = float(np.exp(rng.uniform(np.log(30), np.log(200)))) / gsd
        reach = int(length) + 12
        ship = np.zeros((2 * reach, 2 * reach), np.uint8)
        box = cv2.boxPoints(((float(reach), float(reach)), (length, length / 6), float(rng.uniform(0, 180))))
        fine = cv2.resize(ship, None, fx=SUBPIXELS, fy=SUBPIXELS)
        cv2.fillConvexPoly(fine, np.round(box * SUBPIXELS).astype(np.int32), 255)
        share = cv2.resize(fine, (2 * reach, 2 * reach), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        padded = np.zeros((zone.shape[0] + 2 * reach, zone.shape[1] + 2 * reach), np.float32)
        padded[rows[k] : rows[k] + 2 * reach, cols[k] : cols[k] + 2 * reach] = share
        own = padded[reach:-reach, reach:-reach]
        if (taken[own > 0] > 0).any():
            continue
        taken = np.maximum(taken, cv2.dilate((own > 0).astype(np.uint8), np.ones((9, 9), np.uint8)))
        added += own * np.float32(brightness * SHIP_CONTRAST * np.exp(rng.normal(0, SHIP_SPREAD)))
        placed += 1
    return np.asarray(cv2.GaussianBlur(added, (0, 0), 0.6), np.float32), placed


def counted(scene: Scene, brightness: float, rng: np.random.Generator) -> list[tuple[float, float, float, int]]:
    """Return low, estimate, high and truth of windows of a scene."""
    vessels, out = known(scene), []
    height, width = scene.bands["B08"].shape
    for _ in range(WINDOWS):
        top, left = int(rng.integers(0, max(height - ROWS, 1))), int(rng.integers(0, max(width - COLS, 1)))
        bands = {name: band[top : top + ROWS, left : left + COLS].copy() for name, band in scene.bands.items()}
        valid = scene.valid[top : top + ROWS, left : left + COLS]
        try:
            water = water_of(bands["B08"], valid, gsd=scene.gsd, green=bands["B03"])
            kernel = np.ones((OFF_SHORE_PX, OFF_SHORE_PX), np.uint8)
            closed = cv2.morphologyEx(water.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((11, 11), np.uint8))
            zone = (cv2.erode(closed, kernel) > 0) & valid
            added, placed = put_in(zone, scene.gsd, brightness, rng)
            bands = {name: band + added for name, band in bands.items()}
            found = [v for v in optical_vessels(bands, valid, gsd=scene.gsd)
                     if v.place == "open" and zone[v.pixels].mean() > 0.5]  # fmt: skip
            seen = zone & water_of(bands["B08"], valid, gsd=scene.gsd, green=bands["B03"])
            rates = optical_vessel_rates(bands, valid, seen, gsd=scene.gsd, rng=rng)
        except DetectError:
            continue
        if not rates.pd > 0:  # no interval is given
            continue
        there = [(r - top, c - left) for r, c in vessels]
        truth = placed + sum(
            0 <= r < zone.shape[0] and 0 <= c < zone.shape[1] and bool(zone[int(r), int(c)]) for r, c in there
        )
        km2 = float(zone.sum()) * (scene.gsd / 1000) ** 2
        least, most = rates.false_range
        low = count_interval(len(found), pd=rates.interval[1], false_alarms=most * km2)[0]
        middle = count_interval(len(found), pd=rates.pd, false_alarms=rates.false_per_km2 * km2)[1]
        high = count_interval(len(found), pd=max(rates.interval[0], 1e-3), false_alarms=least * km2)[2]
        out.append((low, middle, high, truth))
    return out


def main(folder: str, oscd: str | None = None) -> None:
    """Print the table."""
    scenes = [read_scene(p.parent) for p in sorted(Path(folder).glob("*/*_coco.json"))]
    if oscd:
        scenes += [read_unlabelled(Path(oscd) / "beirut", date) for date in (1, 2)]
    for brightness in (1.0, 0.5):
        print(f"ships of {brightness:g} times the contrast of labelled ones")
        rng, everything = np.random.default_rng(5), []
        for scene in scenes:
            rows = counted(scene, brightness, rng)
            everything += rows
            told(scene.name, rows)
        told("together", everything)


def told(name: str, rows: list[tuple[float, float, float, int]]) -> None:
    """Print how often the intervals of some windows hold the truth."""
    low, middle, high, truth = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    print(f"{name:11s} {len(rows)} windows: {np.mean((low <= truth) & (truth <= high)):.2f} hold the true number; "
          f"below it {int((high < truth).sum())}, above it {int((low > truth).sum())}; medians {np.median(low):.1f}, "
          f"{np.median(middle):.1f}, {np.median(high):.1f}, true {np.median(truth):.0f}; mean of estimate less truth "
          f"{np.mean(middle - truth):+.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
