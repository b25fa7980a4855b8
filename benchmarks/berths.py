"""Occupancy of the berths of a real port over all its radar dates: a table and a picture.

    python benchmarks/berths.py FOLDER OUT

FOLDER holds `latakia_port_s1_vv_328dates_u8.tif` (decibels = -27 + number / 10, 255 = nothing) and
`latakia_port_s1_dates.csv`. Berths are strips of 150 m along the two main quays, 60 m wide, drawn on the grid of the
file for the track of 15:41; the other tracks lie 40 to 100 m off in range, so their berths are moved by what their
breakwater is moved by. Each relative orbit is judged by itself. Written to OUT: `berths.csv` (a row a date: state and
probability of each berth, wind, stripes of interference), `berths.png` (dates from left to right by track, a band a
berth: red occupied, blue empty, grey cannot tell; black above marks windy dates, green stripes of interference) and
`dates.png` (twelve dates with the states drawn, and the numbers of the berths). Printed: the table of the berths by
track, windy and striped dates, and what the twelve dates are by eye: `berths_by_eye.csv` beside this file holds,
a row a date and berth, `ship`, `none` or `unclear`, judged from the pictures without the states.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
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
BREAKWATER = ((120, 300), (178, 236))
"""(rows, cols) of the breakwater, which no ship hides."""
MOST_SHIFT_PX = (3, 14)
"""(rows, cols) by which tracks may differ."""
JUDGED = Path(__file__).with_name("berths_by_eye.csv")
WINDY_SHARE = 0.95
COLOURS = {"occupied": (60, 60, 220), "empty": (220, 150, 60), "cannot tell": (170, 170, 170)}


def track_shift(reference: FloatArray, moving: FloatArray) -> tuple[int, int]:
    """Return by how many (rows, cols) the breakwater lies elsewhere in one image (row, col) of decibels than in one."""
    (top, bottom), (left, right) = BREAKWATER
    best, shift = -np.inf, (0, 0)
    wanted = reference[top:bottom, left:right].ravel()
    for down in range(-MOST_SHIFT_PX[0], MOST_SHIFT_PX[0] + 1):
        for across in range(-MOST_SHIFT_PX[1], MOST_SHIFT_PX[1] + 1):
            part = moving[top + down : bottom + down, left + across : right + across].ravel()
            alike = float(np.corrcoef(wanted, part)[0, 1])
            if alike > best:
                best, shift = alike, (down, across)
    return shift


def strips(shape: tuple[int, ...], shift: tuple[int, int] = (0, 0)) -> dict[str, BoolArray]:
    """Return the water of each berth (row, col), moved by a track's shift."""
    berths: dict[str, BoolArray] = {}
    for name, line in QUAYS.items():
        for begin, end in pairwise(line):
            start, along = np.array(begin), np.array(end) - np.array(begin)
            length = float(np.hypot(*along))
            unit = along / length
            left = np.array([unit[1], -unit[0]])  # of a picture whose rows run down, water side
            for k in range(int(length // LENGTH_PX)):
                a, b = start + unit * LENGTH_PX * k, start + unit * LENGTH_PX * (k + 1)
                corners = np.array([a, b, b + left * WIDTH_PX, a + left * WIDTH_PX]) + np.array(shift[::-1])
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
    """Write the picture of all dates: track after track, a band a berth."""
    wide, high, gap = 4, 16, 24
    ordered = sorted(table, key=lambda row: (list(TRACKS).index(row["track"]), row["date"]))
    image = np.full(((len(names) + 2) * high, 110 + wide * len(table) + gap * (len(TRACKS) - 1), 3), 255, np.uint8)
    for c, name in enumerate(names):
        cv2.putText(image, name, (4, (c + 3) * high - 4), 0, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    at, track = 110, ordered[0]["track"]
    for row in ordered:
        if row["track"] != track:
            at, track = at + gap, row["track"]
        cell = image[:, at : at + wide]
        if row["windy"] == "yes":
            cell[: high // 2] = 0
        if row["stripes"] == "yes":
            cell[high // 2 : high] = (0, 140, 0)
        for c, name in enumerate(names):
            cell[(c + 2) * high : (c + 3) * high - 2] = COLOURS[row[name]]
        at += wide
    cv2.imwrite(str(out / "berths.png"), image)


def looked_at(table: list[dict[str, str]]) -> list[int]:
    """Return twelve dates, evenly spread."""
    return [int(k) for k in np.linspace(0, len(table) - 1, 12)]


def sheet(out: Path, power: FloatArray, table: list[dict[str, str]], shifts: dict[str, tuple[int, int]]) -> None:
    """Write twelve dates with the states drawn around the berths."""
    tiles = []
    for k in looked_at(table):
        decibels = 10 * np.log10(np.maximum(power[k], 1e-4))
        grey = (np.clip((decibels + 25) / 25, 0, 1) * 255).astype(np.uint8)[110:340, 170:320]
        picture = cv2.cvtColor(cv2.resize(grey, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR)
        for name, strip in strips(power.shape[1:], shifts[table[k]["track"]]).items():
            part = cv2.resize(
                strip.astype(np.uint8)[110:340, 170:320], None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST
            )
            outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            cv2.drawContours(picture, outlines, -1, COLOURS[table[k][name]], 1)
            right = int(outlines[0][:, 0, 0].max()) + 2
            middle = int(outlines[0][:, 0, 1].mean()) + 4
            cv2.putText(picture, name[0] + name[-1], (right, middle), 0, 0.38, (0, 0, 160), 1, cv2.LINE_AA)
        cv2.putText(picture, f"{table[k]['date']} {table[k]['time']}", (6, 18), 0, 0.5, (255, 255, 255), 1)
        tiles.append(picture)
    cv2.imwrite(str(out / "dates.png"), np.vstack([np.hstack(tiles[r : r + 4]) for r in (0, 4, 8)]))


def told_by_eye(table: list[dict[str, str]], names: list[str]) -> None:
    """Print how the states of the dates looked at compare with what is seen."""
    with JUDGED.open(newline="") as file:
        seen = {(row["date"], row["berth"]): row["seen"] for row in csv.DictReader(file)}
    whole: Counter[tuple[str, str]] = Counter()
    for k in looked_at(table):
        row = table[k]
        pairs = Counter((row[name], seen.get((row["date"], name), "not judged")) for name in names)
        whole += pairs
        print(f"{row['date']} {row['time']}: {verdict(pairs)}{'; windy' if row['windy'] == 'yes' else ''}")
    print(f"together: {verdict(whole)}")


def verdict(pairs: Counter[tuple[str, str]]) -> str:
    """Return the counts of one date or of all."""
    unclear = sum(n for (_, seen), n in pairs.items() if seen in {"unclear", "not judged"})
    return (
        f"{pairs['occupied', 'ship']} ships found, {pairs['empty', 'ship']} missed, "
        f"{pairs['cannot tell', 'ship']} not told; {pairs['occupied', 'none']} invented, "
        f"{pairs['empty', 'none']} empty berths right, {pairs['cannot tell', 'none']} not told; {unclear} unclear"
    )


def main(folder: str, out: str) -> None:
    """Judge all dates, write the files, print the tables."""
    Path(out).mkdir(parents=True, exist_ok=True)
    power, valid, rows = read_dates(Path(folder))
    table = [
        {"date": row["datetime"][:10], "time": row["datetime"][11:16], "platform": row["platform"].upper()}
        for row in rows
    ]
    names, shifts, reference = list(strips(valid.shape[1:])), {}, None
    for track, bearing in TRACKS.items():
        own = [k for k, row in enumerate(rows) if row["datetime"][11:15] == track]
        median = 10 * np.log10(np.maximum(np.median(power[own], axis=0), 1e-4))
        reference = median if reference is None else reference
        shifts[track] = track_shift(reference, median)
        stripes = np.array([striped(power[k], valid[k], bearing) for k in own])
        sea = np.array([np.median(power[k][:, :140][valid[k][:, :140]]) for k in own])
        found = judge(power[own], valid[own], strips(valid.shape[1:], shifts[track]), stripes)
        windy = sea > np.quantile(sea, WINDY_SHARE)
        for place, k in enumerate(own):
            table[k].update(
                track=track, windy="yes" if windy[place] else "no", stripes="yes" if stripes[place] else "no"
            )
            for name, one in found.items():
                table[k][name] = "cannot tell" if one is None else one.states[place]
                table[k][f"{name} probability"] = "" if one is None else f"{one.probability[place]:.3f}"
        print(
            f"{track}x UTC, {len(own)} dates, berths moved by {shifts[track]} px (rows, cols); "
            "occupied, empty, cannot tell"
        )
        for name, one in found.items():
            counts = "not judged" if one is None else " ".join(
                f"{one.count(state):4d}" for state in ("occupied", "empty", "cannot tell"))  # fmt: skip
            print(f"  {name:8s} {counts}" + ("" if one is None else f"  {one.gap * 4.34:.1f} dB apart"))
        print("  windy: " + ", ".join(table[k]["date"] for place, k in enumerate(own) if windy[place]))
        print("  stripes: " + (", ".join(table[k]["date"] for place, k in enumerate(own) if stripes[place]) or "none"))
    with (Path(out) / "berths.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    draw(Path(out), table, names)
    sheet(Path(out), power, table, shifts)
    told_by_eye(table, names)


if __name__ == "__main__":
    main(*sys.argv[1:])
