"""Vessels on open water of a real port over all its radar dates, each count with its interval.

    python benchmarks/afloat.py LATAKIA OPERA OUT

LATAKIA holds the 328 dates that `benchmarks/berths.py` reads; OPERA a folder with
`T137-292318-IW1_VV_22dates.tif` and its VH (linear power, 30 m), open ocean. One relative orbit at a time, its steady
bright structures left out. On each date ships of 60 m and 35 dBsm are put into the water by their cross-section, and
the share that is found gives the count its interval; the false alarms are those that the threshold is set to. Dates
of the windiest twentieth are named and not counted. Written to OUT: `counts.csv` (a row a date) and `afloat.png`
(twelve dates with the detections, to judge by eye). Printed: a line a track; what the twelve dates are by eye
(`afloat_by_eye.csv` beside this file: date, detections that are ships, that are none, and ships missed); and the
detections on the ocean, an upper bound of the false alarms, for it may hold ships.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.berths import TRACKS, WINDY_SHARE, read_dates, striped
from detect.errors import DetectError
from detect.speckle import spatial_looks
from detect.vessel_rates import radar_vessel_rates
from detect.vessels import Vessel, count_interval, radar_vessels

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float32]
GSD = 10.0
FALSE_ALARMS_PER_KM2 = 0.1
STEADY_DB = 4.0
"""How far the darkest tenth of the dates of a structure lies over the water."""
JUDGED = Path(__file__).with_name("afloat_by_eye.csv")


def open_water(power: FloatArray, valid: BoolArray) -> BoolArray:
    """Return the water (row, col) of one track: not land, nor what is bright on nearly every date, nor beside it."""
    often = valid.mean(axis=0) > 0.5
    low = 10 * np.log10(np.maximum(np.quantile(power, 0.1, axis=0), 1e-4))
    fixed = often & (low > np.median(low[often]) + STEADY_DB)
    shore = cv2.dilate((~often).astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    return np.asarray(often & ~shore & ~(cv2.dilate(fixed.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0))


def counted(power: FloatArray, water: BoolArray, rng: np.random.Generator) -> tuple[tuple[Vessel, ...], dict[str, str]]:
    """Return the vessels of one date and its row of the table."""
    found = radar_vessels(power[None], water, gsd=GSD, false_alarms_per_km2=FALSE_ALARMS_PER_KM2)
    try:
        looks = (spatial_looks(power, water),)
        rates = radar_vessel_rates(power[None], water, gsd=GSD, looks=looks, rng=rng,
                                   false_alarms_per_km2=FALSE_ALARMS_PER_KM2)  # fmt: skip
    except DetectError as error:
        return found, {"found": str(len(found)), "note": str(error)}
    chance = rates.false_per_km2 * float(water.sum()) * (GSD / 1000) ** 2
    low = count_interval(len(found), pd=max(rates.interval[1], 1e-3), false_alarms=chance)[0]
    middle = count_interval(len(found), pd=max(rates.pd, 1e-3), false_alarms=chance)[1]
    high = count_interval(len(found), pd=max(rates.interval[0], 1e-3), false_alarms=chance)[2]
    return found, {"found": str(len(found)), "low": f"{low:.1f}", "estimate": f"{middle:.1f}", "high": f"{high:.1f}",
                   "pd": f"{rates.pd:.2f}", "false_alarms": f"{chance:.2f}"}  # fmt: skip


def curve(dates: FloatArray, water: BoolArray, rng: np.random.Generator) -> None:
    """Print the share of ships that is seen by their cross-section, on dates (date, row, col) of one track."""
    for dbsm, length in ((10.0, 15.0), (15.0, 20.0), (20.0, 30.0), (25.0, 40.0), (30.0, 60.0), (35.0, 60.0)):
        seen, trials = 0.0, 0
        for one in dates:
            rates = radar_vessel_rates(one[None], water, gsd=GSD, looks=(spatial_looks(one, water),), rng=rng,
                                       dbsm=dbsm, length_m=length)  # fmt: skip
            seen, trials = seen + rates.pd * rates.trials, trials + rates.trials
        print(f"  ships of {length:g} m and {dbsm:g} dBsm: {seen / trials:.2f} of {trials} put in were found")


def ocean(folder: Path) -> None:
    """Print the detections on the ocean chip."""
    stacks = []
    for band in ("VV", "VH"):
        with rasterio.open(folder / f"T137-292318-IW1_{band}_22dates.tif") as file:
            stacks.append(file.read())
    power = np.stack(stacks, axis=1).astype(np.float32)
    whole: BoolArray = np.asarray((np.isfinite(power) & (power > 0)).all(axis=1))
    total, km2 = 0, 0.0
    for one, water in zip(power, whole, strict=True):
        total += len(radar_vessels(one, water, gsd=30.0, false_alarms_per_km2=FALSE_ALARMS_PER_KM2))
        km2 += float(water.sum()) * 0.03**2
    print(f"ocean, {len(power)} dates: {total} detections on {km2:.0f} km2, {total / km2:.3f} per km2; "
          f"asked {FALSE_ALARMS_PER_KM2}")  # fmt: skip


def picture(power: FloatArray, water: BoolArray, vessels: tuple[Vessel, ...], title: str) -> NDArray[np.uint8]:
    """Return one date with its detections."""
    grey = (np.clip((10 * np.log10(np.maximum(power, 1e-4)) + 25) / 25, 0, 1) * 255).astype(np.uint8)
    grey[~water] = grey[~water] // 2
    drawn = cv2.cvtColor(cv2.resize(grey, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR)
    for one in vessels:
        corners = [(2 * int(c) + d, 2 * int(r) + d) for c, r, d in
                   ((one.cols.min(), one.rows.min(), -4), (one.cols.max(), one.rows.max(), 6))]  # fmt: skip
        cv2.rectangle(drawn, corners[0], corners[1], (0, 255, 255), 1)
    cv2.putText(drawn, title, (6, 18), 0, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(drawn, dtype=np.uint8)[:, :560]


def main(folder: str, opera: str, out: str) -> None:
    """Count all dates, write the files, print the lines."""
    Path(out).mkdir(parents=True, exist_ok=True)
    power, valid, rows = read_dates(Path(folder))
    looked_at = {int(k) for k in np.linspace(0, len(rows) - 1, 12)}
    rng = np.random.default_rng(1)
    table, tiles = [], {}
    for track, bearing in TRACKS.items():
        own = [k for k, row in enumerate(rows) if row["datetime"][11:15] == track]
        water = open_water(power[own], valid[own])
        sea = np.array([np.median(power[k][water & valid[k]]) for k in own])
        told = []
        for k, level in zip(own, sea, strict=True):
            windy = bool(level > np.quantile(sea, WINDY_SHARE))
            doubt = "windy" if windy else "stripes" if striped(power[k], valid[k], bearing) else ""
            usable = water & valid[k]
            vessels, row = counted(power[k], usable, rng)
            row = {"found": row["found"], "note": doubt} if doubt else row
            table.append({"date": rows[k]["datetime"][:16], "track": track, **row})
            told += [] if doubt or "pd" not in row else [row]
            if k in looked_at:
                tiles[k] = picture(power[k], usable, vessels, f"{rows[k]['datetime'][:16]}: {row['found']} {doubt}")
        km2 = float(water.sum()) * (GSD / 1000) ** 2
        if track == next(iter(TRACKS)):
            whole = [k for k in own if valid[k][water].all()][:: max(len(own) // 10, 1)]
            curve(power[whole], water, rng)
        middle = {name: float(np.median([float(row[name]) for row in told])) for name in ("found", "low", "estimate",
                                                                                         "high", "pd")}  # fmt: skip
        print(f"{track}x UTC: {km2:.1f} km2; {len(told)} of {len(own)} dates counted; medians "
              + ", ".join(f"{name} {value:.2f}" for name, value in middle.items()))  # fmt: skip
    with (Path(out) / "counts.csv").open("w", newline="") as file:
        names = ["date", "track", "found", "low", "estimate", "high", "pd", "false_alarms", "note"]
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(sorted(table, key=lambda row: row["date"]))
    ordered = [tiles[k] for k in sorted(tiles)]
    cv2.imwrite(str(Path(out) / "afloat.png"), np.vstack([np.hstack(ordered[r : r + 4]) for r in (0, 4, 8)]))
    with JUDGED.open(newline="") as file:
        seen = [[int(row[name]) for name in ("ships", "none", "missed")] for row in csv.DictReader(file)]
    ships, none, missed = (sum(column) for column in zip(*seen, strict=True)) if seen else (0, 0, 0)
    print(f"twelve dates by eye: {ships} ships found, {missed} missed, {none} detections that are none")
    ocean(Path(opera))


if __name__ == "__main__":
    main(*sys.argv[1:])
