"""States of berths on single real Sentinel-2 dates: where ships are labelled, and quay where there is none.

    python benchmarks/berths_sentinel2.py SEN2SHIPS OSCD

SEN2SHIPS and OSCD as for `benchmarks/vessels.py`. In each labelled scene the boxes by land are occupied berths; empty
ones are pieces of 40 x 120 m of water along the land, off every box and off every detection. Each is judged on its date
by itself, first with the outline of the land (what is no water and in no box) and then without. Then both dates of
Beirut port, six berths drawn on its quays and judged by eye, which two dates cannot tell from their quays: a ship there
must never be called empty, nor an empty berth occupied.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.vessels import Scene, near_land, read_scene, read_unlabelled, searched
from detect.berths_optical import optical_berth_state
from detect.water import LEAST_LAND_M2, bodies

BoolArray = NDArray[np.bool_]
Window = tuple[slice, slice]
OFF_LAND_M = 60.0
PIECE_PX = (4, 12)
MOST_EMPTY = 60

BEIRUT: dict[str, tuple[Window, tuple[str, str]]] = {
    "second pier, west": ((slice(180, 200), slice(504, 511)), ("ship", "ship")),
    "first pier, west": ((slice(192, 212), slice(452, 457)), ("none", "none")),
    "third pier, west": ((slice(148, 162), slice(569, 574)), ("none", "ship")),
    "inner quay, north": ((slice(186, 194), slice(546, 556)), ("none", "ship")),
    "root of the breakwater": ((slice(176, 182), slice(482, 500)), ("none", "none")),
    "north-west quay": ((slice(192, 204), slice(430, 436)), ("none", "none")),
}
"""Rows and columns of the 10 m grid that `read_unlabelled` makes; state by eye in 2015 and 2017."""


def grown(mask: BoolArray, pixels: int) -> BoolArray:
    """Return a mask with what lies within some pixels of it."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0)


def places(scene: Scene) -> tuple[list[BoolArray], list[BoolArray], BoolArray, BoolArray]:
    """Return occupied and empty berths, the basin's water and the land."""
    vessels, water = searched(scene)
    boxes, occupied = np.zeros(water.shape, bool), []
    for (left, top, width, height), by_land in zip(scene.boxes, near_land(scene, water), strict=True):
        own = np.zeros(water.shape, bool)
        own[top : top + height, left : left + width] = True
        boxes |= own
        occupied += [own] if by_land else []
    land = bodies(~water & ~boxes, LEAST_LAND_M2 / scene.gsd**2)
    taken = boxes.copy()
    for one in vessels:
        taken[one.pixels] = True
    basin = water & ~grown(land | taken, round(OFF_LAND_M / scene.gsd))
    edge = grown(land, 4) & ~grown(land, 1) & water & ~grown(taken, 4)
    empty = []
    for height, width in (PIECE_PX, PIECE_PX[::-1]):
        for row in range(0, water.shape[0] - height, height):
            for col in range(0, water.shape[1] - width, width):
                piece = np.zeros(water.shape, bool)
                piece[row : row + height, col : col + width] = edge[row : row + height, col : col + width]
                if piece.sum() >= 0.7 * height * width:
                    empty.append(piece)
    step = max(len(empty) // MOST_EMPTY, 1)
    return occupied, empty[::step], basin, land


def labelled(scene: Scene) -> None:
    """Print the states of a labelled scene's berths."""
    occupied, empty, basin, land = places(scene)
    for title, outline in (("with the land's outline", land), ("without it", None)):
        for truth, berths in (("with a ship", occupied), ("empty", empty)):
            looks = [optical_berth_state(scene.bands, scene.valid, one, basin, land=outline) for one in berths]
            told = Counter(look.state for look in looks)
            states = ", ".join(f"{told[state]} {state}" for state in ("occupied", "empty", "cannot tell"))
            print(f"{scene.name}, {title}: {len(berths)} {truth}: {states}", flush=True)


def beirut(folder: Path) -> None:
    """Print the states of six berths on two dates."""
    for date in (1, 2):
        scene = read_unlabelled(folder, date)
        water = searched(scene)[1]
        basin = np.zeros(water.shape, bool)
        basin[120:215, 420:640] = True
        basin &= water & ~grown(bodies(~water, LEAST_LAND_M2 / scene.gsd**2), round(OFF_LAND_M / scene.gsd))
        for name, (window, states) in BEIRUT.items():
            berth = np.zeros(water.shape, bool)
            berth[window] = True
            look = optical_berth_state(scene.bands, scene.valid, berth, basin)
            print(f"Beirut, date {date}, {name}: by eye {states[date - 1]}; {look.state}")


def main(folder: str, oscd: str) -> None:
    """Print both tables."""
    for path in sorted(p.parent for p in Path(folder).glob("*/*_coco.json")):
        labelled(read_scene(path))
    beirut(Path(oscd) / "beirut")


if __name__ == "__main__":
    main(*sys.argv[1:])
