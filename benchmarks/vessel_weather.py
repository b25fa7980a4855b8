"""Labelled scenes as other weather and coasts would show them, and real ships of one port on another's water.

    python benchmarks/vessel_weather.py SEN2SHIPS [OSCD]

SEN2SHIPS and OSCD as for `benchmarks/vessels.py`. First each labelled scene with what the two ports lack: shallow
bright water, a river's plume, sun glint, whitecaps, thin cirrus, broken cloud with its shadows, fish farms; printed
are recall and detections without a box per km2. Then the boxed ships on open water of one port, less the water around
them, put onto the water of the others: the share that is found.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.vessels import Scene, matches, near_land, read_scene, read_unlabelled, searched, share
from detect.vessels import OPTICAL
from detect.water import LEAST_LAND_M2, bodies, water_of

FloatArray = NDArray[np.float32]
Rng = np.random.Generator
MARGIN_PX = 3
REACH_PX = 4.0
APART_PX = 40


def smooth(shape: tuple[int, ...], rng: Rng, *sizes_px: float) -> FloatArray:
    """Return a smooth random field from 0 to 1 (row, col), rougher the more sizes."""
    field = sum(gaussian_filter(rng.standard_normal(shape), size) * size for size in sizes_px)
    return np.asarray((field - np.min(field)) / np.ptp(field), dtype=np.float32)


def weathers(scene: Scene, seed: int = 1) -> dict[str, Scene]:
    """Return the scene with each kind of weather or coast; the land itself is left as it is but for clouds."""
    rng, bands = np.random.default_rng(seed), scene.bands
    shape, gsd = bands["B08"].shape, scene.gsd
    water = water_of(bands["B08"], scene.valid, gsd=gsd, green=bands["B03"])
    off = ~bodies(~water, LEAST_LAND_M2 / gsd**2)
    metres = distance_transform_edt(off) * gsd
    right = np.arange(shape[1])[None, :] > shape[1] / 2

    def made(extra: FloatArray, *shares: float) -> Scene:
        told = dict(zip(OPTICAL, shares or (1.0, 1.0, 1.0, 1.0), strict=True))
        return replace(scene, bands={name: np.asarray(bands[name] + extra * told[name], np.float32) for name in told})

    shoal = np.exp(-metres / 400) * off * (0.5 + 0.5 * smooth(shape, rng, 80, 25, 8, 3))
    plume = gaussian_filter((smooth(shape, rng, 60) > 0.5).astype(np.float32), 1.5) * off
    waves = gaussian_filter(rng.standard_normal(shape), (0.7, 2))
    glint = (0.03 + 0.008 * waves / waves.std()) * right * off
    foam = (rng.random(shape) < 25e-6 * gsd**2) * rng.uniform(0.02, 0.2, shape)
    whitecaps = gaussian_filter(foam.astype(np.float32), 0.6) * off
    cirrus = 0.10 * smooth(shape, rng, 80, 25, 8, 3) * ~right
    cover = np.clip((smooth(shape, rng, 6) - 0.72) / 0.1, 0, 1) * (0.08 + 0.25 * smooth(shape, rng, 2))
    shadow = 1 - 0.5 * np.clip(4 * np.roll(cover, (9, -14), (0, 1)), 0, 1)
    clouds = {name: np.asarray(bands[name] * shadow * (1 - cover) + 0.8 * cover, np.float32) for name in OPTICAL}
    cages = np.zeros(shape, np.float32)
    places = np.argwhere(metres[:-20, :-32] > 400)
    for row, col in places[rng.choice(len(places), 3)] if len(places) else ():
        for k in range(18):  # three rows of six rings of 20 m, 50 m apart
            cages[row + 5 * (k // 6) : row + 5 * (k // 6) + 2, col + 5 * (k % 6) : col + 5 * (k % 6) + 2] = 0.03
    return {
        "shallow bright water": made(shoal, 0.05, 0.07, 0.03, 0.004),
        "edges of a plume": made(plume, 0.02, 0.045, 0.055, 0.02),
        "glint over one half": made(glint),
        "25 whitecaps per km2": made(whitecaps),
        "cirrus over one half": made(cirrus),
        "broken cloud and shadows": replace(scene, bands=clouds),
        "three fish farms": made(gaussian_filter(cages, 0.6) * off, 0.6, 0.7, 0.8, 1.0),
    }


def chips(scene: Scene) -> list[dict[str, FloatArray]]:
    """Return each boxed ship on open water, less the median of the water around it, on pixels of 10 m."""
    water, out = searched(scene)[1], []
    for (left, top, width, height), by_land in zip(scene.boxes, near_land(scene, water), strict=True):
        rows = slice(top - MARGIN_PX, top + height + MARGIN_PX)
        cols = slice(left - MARGIN_PX, left + width + MARGIN_PX)
        if by_land or min(rows.start, cols.start) < 0:
            continue
        inner = np.zeros(water[rows, cols].shape, np.float32)
        inner[1:-1, 1:-1] = 1
        fade, chip = cv2.GaussianBlur(inner, (0, 0), 0.7), {}
        for name in OPTICAL:
            part = scene.bands[name][rows, cols]
            lifted = (part - np.median(part[water[rows, cols]])) * fade
            size = tuple(max(round(n * scene.gsd / 10), 1) for n in reversed(part.shape))
            chip[name] = np.asarray(cv2.resize(lifted, size, interpolation=cv2.INTER_AREA), np.float32)
        out.append(chip)
    return out


def transplanted(ships: list[dict[str, FloatArray]], scene: Scene, rng: Rng) -> list[bool]:
    """Return of ships put onto a scene's water whether they are found."""
    water = searched(scene)[1]
    room = cv2.erode(water.astype(np.uint8), np.ones((21, 21), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    bands, places = {name: scene.bands[name].copy() for name in OPTICAL}, list[tuple[float, float]]()
    rows, cols = np.nonzero(room)
    order = iter(rng.permutation(len(rows)))
    for ship in ships:
        turn = int(rng.integers(0, 4))
        height, width = np.rot90(ship["B02"], turn).shape
        for k in order:
            top, left = rows[k] - height // 2, cols[k] - width // 2
            middle = (top + height / 2, left + width / 2)
            fits = min(top, left) >= 0 and top + height < water.shape[0] and left + width < water.shape[1]
            if fits and all(np.hypot(middle[0] - r, middle[1] - c) > APART_PX for r, c in places):
                places.append(middle)
                for name in OPTICAL:
                    bands[name][top : top + height, left : left + width] += np.rot90(ship[name], turn)
                break
    found = searched(replace(scene, bands=bands))[0]
    return [any(np.hypot(v.rows - r, v.cols - c).min() <= REACH_PX for v in found) for r, c in places]


def main(folder: str, oscd: str | None = None) -> None:
    """Print both tables."""
    scenes = [read_scene(p.parent) for p in sorted(Path(folder).glob("*/*_coco.json"))]
    for scene in scenes:
        for name, one in {"as it is": scene, **weathers(scene)}.items():
            vessels, water = searched(one)
            found = [any(matches(box, vessel) for vessel in vessels) for box in one.boxes]
            without = sum(not any(matches(box, vessel) for box in one.boxes) for vessel in vessels)
            km2 = float(water.sum()) * (one.gsd / 1000) ** 2
            print(f"{scene.name:11s} {name:25s} {share(found)}, {without / km2:.2f} per km2", flush=True)
    rng = np.random.default_rng(3)
    others = [read_unlabelled(Path(oscd) / "beirut", date) for date in (1, 2)] if oscd else []
    for origin in scenes:
        ships = chips(origin)
        for scene in [*scenes, *others]:
            if scene is not origin:
                print(f"{len(ships)} ships of {origin.name} on the water of {scene.name}: "
                      f"{share(transplanted(ships, scene, rng))} found", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
