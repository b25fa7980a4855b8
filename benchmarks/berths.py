"""Occupancy of the berths of a real port over all its radar dates: a table and a picture.

    python benchmarks/berths.py FOLDER OUT

FOLDER holds `latakia_port_s1_vv_328dates_u8.tif` (decibels = -27 + number / 10, 255 = nothing) and
`latakia_port_s1_dates.csv`. Berths are strips of 150 m along the two main quays, 60 m wide, drawn on the grid of the
file. Each relative orbit is judged by itself. Written to OUT: `berths.csv` (a row a date: state and probability of
each berth, wind, stripes of interference), `berths.png` (dates downwards, berths across: red occupied, blue empty,
grey cannot tell; black marks windy dates) and `dates.png` (twelve dates with the states drawn, to judge by eye).
Printed: a line a berth.
"""

from __future__ import annotations

import csv
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from detect.berths import Occupancy, berth_level, berth_occupancy
from detect.errors import DetectError
from detect.rfi import find_stripes

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float32]
QUAYS = {
    "main": [(271.0, 233.0), (282.0, 181.0), (297.0, 132.0)],
    "south": [(224.0, 325.0), (262.0, 254.0)],
}
"""(col, row) along the edge of the quays, the water on the left hand looking north."""
LENGTH_PX, WIDTH_PX = 15.0, 6.0
BASIN = ((150, 215), (215, 262))
"""(rows, cols) of the inner basin, where ships pass and do not lie."""
TRACKS = {"15:4": 78.0, "15:3": 78.0, "03:4": 282.0, "03:3": 282.0}
"""Relative orbits by the time at which they pass, and the bearing across the flight."""
WINDY_SHARE = 0.95
COLOURS = {"occupied": (60, 60, 220), "empty": (220, 150, 60), "cannot tell": (170, 170, 170)}


def strips(shape: tuple[int, ...]) -> dict[str, BoolArray]:
    """Return the water of each berth (row, col)."""
    berths: dict[str, BoolArray] = {}
    for name, line in QUAYS.items():
        for begin, end in pairwise(line):
            start, along = np.array(begin), np.array(end) - np.array(begin)
            length = float(np.hypot(*along))
            unit = along / length
            left = np.array([unit[1], -unit[0]])  # of a picture whose rows run down, water side
            for k in range(int(length // LENGTH_PX)):
                a, b = start + unit * LENGTH_PX * k, start + unit * LENGTH_PX * (k + 1)
                corners = np.array([a, b, b + left * WIDTH_PX, a + left * WIDTH_PX])
                drawn = np.zeros(shape, np.uint8)
                cv2.fillConvexPoly(drawn, np.round(corners * 16).astype(np.int32), 1, shift=4)
                number = 1 + sum(one.startswith(name) for one in berths)
                berths[f"{name}-{number}"] = drawn > 0
    return berths


def read_dates(folder: Path) -> tuple[FloatArray, BoolArray, list[dict[str, str]]]:
    """Return linear power and validity (date, row, col), and the rows of the table of dates."""
    with rasterio.open(folder / "latakia_port_s1_vv_328dates_u8.tif") as file:
        numbers = file.read()
    with (folder / "latakia_port_s1_dates.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    power = np.power(10, (-27 + numbers.astype(np.float32) / 10) / 10)
    return power.astype(np.float32), numbers < 255, rows


def judge(
    power: FloatArray, valid: BoolArray, berths: dict[str, BoolArray], doubtful: BoolArray
) -> dict[str, Occupancy | None]:
    """Return the occupancy of each berth over the dates of one track; None where it cannot be judged."""
    basin = np.zeros(valid.shape[1:], bool)
    basin[slice(*BASIN[0]), slice(*BASIN[1])] = True
    water = berth_level(power, valid, basin)
    usable = valid.mean(axis=0) > 0.5
    found: dict[str, Occupancy | None] = {}
    for name, strip in berths.items():
        try:
            found[name] = berth_occupancy(berth_level(power, valid, strip & usable), water, doubtful)
        except DetectError:
            found[name] = None
    return found


def striped(power: FloatArray, valid: BoolArray, bearing: float) -> bool:
    """Return whether open sea shows stripes of interference."""
    sea = valid.copy()
    sea[:, 140:] = False
    return bool(find_stripes(power, sea, look_bearing_deg=bearing).found.any())


def draw(out: Path, table: list[dict[str, str]], names: list[str]) -> None:
    """Write the picture of all dates."""
    cell, high = 40, 3
    image = np.full((len(table) * high, (len(names) + 1) * cell, 3), 255, np.uint8)
    for k, row in enumerate(table):
        for c, name in enumerate(names):
            image[k * high : (k + 1) * high, c * cell : (c + 1) * cell - 3] = COLOURS[row[name]]
        if row["windy"] == "yes":
            image[k * high : (k + 1) * high, len(names) * cell : len(names) * cell + 12] = 0
        if row["stripes"] == "yes":
            image[k * high : (k + 1) * high, len(names) * cell + 16 : len(names) * cell + 28] = (0, 140, 0)
    cv2.imwrite(str(out / "berths.png"), image)


def sheet(out: Path, power: FloatArray, table: list[dict[str, str]], berths: dict[str, BoolArray]) -> None:
    """Write twelve dates, evenly spread, with the states drawn around the berths."""
    tiles = []
    for k in np.linspace(0, len(table) - 1, 12).astype(int):
        decibels = 10 * np.log10(np.maximum(power[k], 1e-4))
        grey = (np.clip((decibels + 25) / 25, 0, 1) * 255).astype(np.uint8)[110:340, 180:320]
        picture = cv2.cvtColor(cv2.resize(grey, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR)
        for name, strip in berths.items():
            part = cv2.resize(
                strip.astype(np.uint8)[110:340, 180:320], None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST
            )
            outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            cv2.drawContours(picture, outlines, -1, COLOURS[table[k][name]], 1)
        cv2.putText(picture, f"{table[k]['date']} {table[k]['track']}", (6, 18), 0, 0.5, (255, 255, 255), 1)
        tiles.append(picture)
    cv2.imwrite(str(out / "dates.png"), np.vstack([np.hstack(tiles[r : r + 4]) for r in (0, 4, 8)]))


def main(folder: str, out: str) -> None:
    """Judge all dates, write the files, print a line a berth."""
    Path(out).mkdir(parents=True, exist_ok=True)
    power, valid, rows = read_dates(Path(folder))
    berths = strips(valid.shape[1:])
    table = [
        {"date": row["datetime"][:10], "time": row["datetime"][11:16], "platform": row["platform"].upper()}
        for row in rows
    ]
    for track, bearing in TRACKS.items():
        own = [k for k, row in enumerate(rows) if row["datetime"][11:15] == track]
        stripes = np.array([striped(power[k], valid[k], bearing) for k in own])
        sea = np.array([np.median(power[k][:, :140][valid[k][:, :140]]) for k in own])
        found = judge(power[own], valid[own], berths, stripes)
        for place, k in enumerate(own):
            windy = bool(sea[place] > np.quantile(sea, WINDY_SHARE))
            table[k].update(track=track, windy="yes" if windy else "no", stripes="yes" if stripes[place] else "no")
            for name, one in found.items():
                table[k][name] = "cannot tell" if one is None else one.states[place]
                table[k][f"{name} probability"] = "" if one is None else f"{one.probability[place]:.3f}"
        told = {name: one for name, one in found.items() if one is not None}
        for name, one in told.items():
            counts = ", ".join(f"{one.count(state)} {state}" for state in ("occupied", "empty", "cannot tell"))
            print(f"{track} {name:8s} {len(own)} dates: {counts}; groups {one.gap * 4.34:.1f} dB apart")
        print(f"{track} stripes on {int(stripes.sum())} dates")
    with (Path(out) / "berths.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    draw(Path(out), table, list(berths))
    sheet(Path(out), power, table, berths)


if __name__ == "__main__":
    main(*sys.argv[1:])
