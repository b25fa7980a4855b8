"""Vessels found in labelled Sentinel-2 scenes of ports, with one rule for all.

    python benchmarks/vessels.py FOLDER [OUT]

FOLDER holds a folder a scene: NAME_coco.json with boxes, and a TIFF a band (uint16, reflectance times 65535, Web
Mercator). A box is found where a detection overlaps it by a tenth of their union, or has its centre in it or a pixel
beside it. Printed: recall of all boxes, of those on open water and of those within 30 m of land; detections without a
box, and how many that is per km2 of water (true ground area). Many of these are vessels that the boxes lack: with
OUT, a picture of each scene (boxes red, detections yellow) and of each detection without a box is written there, to
judge by eye.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from detect.vessels import Vessel, optical_vessels, water_of

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Box = tuple[int, int, int, int]
EARTH_RADIUS_M = 6_378_137.0
NEAR_LAND_PX = 3
CHIP_PX = 30


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One labelled scene."""

    name: str
    bands: dict[str, FloatArray]
    boxes: list[Box]
    """Left, top, width, height in pixels."""
    gsd: float
    """True metres per pixel on the ground."""


def read_scene(folder: Path) -> Scene:
    """Read bands and boxes; Web Mercator stretches the ground by the secant of the latitude."""
    bands: dict[str, FloatArray] = {}
    for path in sorted(folder.glob("*.tiff")):
        with rasterio.open(path) as file:
            bands[path.name.split("_L2A_")[1][:3]] = (file.read(1) / 65535.0).astype(np.float32)
            middle = file.transform.f + file.transform.e * file.height / 2
    latitude = math.atan(math.sinh(middle / EARTH_RADIUS_M))
    listed = json.loads((folder / f"{folder.name}_coco.json").read_text())["annotations"]
    boxes = [(int(b[0]), int(b[1]), int(b[2]), int(b[3])) for b in (item["bbox"] for item in listed)]
    return Scene(name=folder.name, bands=bands, boxes=boxes, gsd=10.0 * math.cos(latitude))


def matches(box: Box, vessel: Vessel) -> bool:
    """Return whether a detection finds a box."""
    left, top, width, height = box
    row, col = vessel.centre
    if left - 1 <= col <= left + width + 1 and top - 1 <= row <= top + height + 1:
        return True
    rows, cols = (
        (int(vessel.rows.min()), int(vessel.rows.max()) + 1),
        (int(vessel.cols.min()), int(vessel.cols.max()) + 1),
    )
    over = max(min(left + width, cols[1]) - max(left, cols[0]), 0) * max(
        min(top + height, rows[1]) - max(top, rows[0]), 0
    )
    union = width * height + (rows[1] - rows[0]) * (cols[1] - cols[0]) - over
    return over / union >= 0.1


def near_land(scene: Scene, water: BoolArray) -> list[bool]:
    """Return of each box whether land, other than small islets, lies within NEAR_LAND_PX of it."""
    solid = cv2.morphologyEx((~water).astype(np.uint8), cv2.MORPH_OPEN, np.ones((19, 19), np.uint8))
    size = 2 * NEAR_LAND_PX + 1
    near = cv2.dilate(solid, np.ones((size, size), np.uint8)) > 0
    return [bool(near[top : top + height, left : left + width].any()) for left, top, width, height in scene.boxes]


def picture(scene: Scene) -> NDArray[np.uint8]:
    """Return a colour picture for the eye."""
    rgb = np.stack([scene.bands[name] for name in ("B02", "B03", "B04")], axis=-1)
    low = np.percentile(rgb, 1, axis=(0, 1))
    return np.asarray((np.clip((rgb - low) / 0.2, 0, 1) ** 0.6 * 255).astype(np.uint8))


def write_pictures(out: Path, scene: Scene, vessels: tuple[Vessel, ...], unmatched: list[Vessel]) -> None:
    """Write the scene with its boxes and detections, and a sheet of chips of those without a box."""
    out.mkdir(parents=True, exist_ok=True)
    plain = picture(scene)
    drawn = cv2.resize(plain, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    for vessel in vessels:
        corners = (2 * int(vessel.cols.min()) - 2, 2 * int(vessel.rows.min()) - 2)
        cv2.rectangle(
            drawn, corners, (2 * int(vessel.cols.max()) + 4, 2 * int(vessel.rows.max()) + 4), (0, 255, 255), 1
        )
    for left, top, width, height in scene.boxes:
        cv2.rectangle(
            drawn, (2 * left - 3, 2 * top - 3), (2 * (left + width) + 3, 2 * (top + height) + 3), (0, 0, 255), 1
        )
    cv2.imwrite(str(out / f"{scene.name}.png"), drawn)
    padded = cv2.copyMakeBorder(plain, CHIP_PX, CHIP_PX, CHIP_PX, CHIP_PX, cv2.BORDER_CONSTANT)
    chips = []
    for vessel in unmatched:
        row, col = (int(v) for v in vessel.centre)
        chip = padded[row + CHIP_PX // 2 : row + 3 * CHIP_PX // 2, col + CHIP_PX // 2 : col + 3 * CHIP_PX // 2]
        chips.append(cv2.copyMakeBorder(cv2.resize(chip, (120, 120)), 2, 2, 2, 2, cv2.BORDER_CONSTANT))
    chips += [np.zeros((124, 124, 3), np.uint8)] * (-len(chips) % 10)
    rows = [np.hstack(chips[k : k + 10]) for k in range(0, len(chips), 10)]
    cv2.imwrite(str(out / f"{scene.name}_without_box.png"), np.vstack(rows))


def share(hits: list[bool]) -> str:
    """Return a share with its numbers."""
    return f"{sum(hits) / len(hits):.2f} ({sum(hits)}/{len(hits)})" if hits else "-"


def main(folder: str, out: str | None = None) -> None:
    """Print the table."""
    for path in sorted(p.parent for p in Path(folder).glob("*/*_coco.json")):
        scene = read_scene(path)
        valid = np.ones(next(iter(scene.bands.values())).shape, bool)
        vessels = optical_vessels(scene.bands, valid, gsd=scene.gsd)
        water = water_of(scene.bands["B08"], valid, gsd=scene.gsd)
        found = [any(matches(box, vessel) for vessel in vessels) for box in scene.boxes]
        shore = near_land(scene, water)
        unmatched = [v for v in vessels if not any(matches(box, v) for box in scene.boxes)]
        km2 = float(water.sum()) * (scene.gsd / 1000) ** 2
        precision = 1 - len(unmatched) / max(len(vessels), 1)
        open_water = [hit for hit, land in zip(found, shore, strict=True) if not land]
        by_land = [hit for hit, land in zip(found, shore, strict=True) if land]
        print(
            f"{scene.name:11s} recall {share(found)}: open {share(open_water)}, by land {share(by_land)}; "
            f"precision {precision:.2f}; {len(vessels)} detections, {len(unmatched)} without a box: "
            f"{len(unmatched) / km2:.2f} per km2 of {km2:.1f}"
        )
        if out:
            write_pictures(Path(out), scene, vessels, unmatched)


if __name__ == "__main__":
    main(*sys.argv[1:])
