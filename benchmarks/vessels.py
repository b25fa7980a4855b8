"""Vessels found in labelled Sentinel-2 scenes of ports, with one rule for all.

    python benchmarks/vessels.py FOLDER [OUT]
    python benchmarks/vessels.py FOLDER --robustness
    python benchmarks/vessels.py OSCD --unlabelled [OUT]

FOLDER holds a folder a scene: NAME_coco.json with boxes, and a TIFF a band (uint16, reflectance times 65535, Web
Mercator). A box is found where a detection overlaps it by a tenth of their union, or has its centre in it or a pixel
beside it. Printed: recall of all boxes, of those on open water and of those within 30 m of land; precision against
the boxes; detections without a box, how many that is per km2 of water (true ground area), and what they are by eye.
`vessels_by_eye.csv` beside this file holds that judgement: scene, row, col of the detection's middle, and `vessel`,
`no vessel` or `unsure`. A detection without a row within four pixels is counted as not judged. With OUT, pictures are
written there: each scene (boxes red, detections yellow) and chips of the detections without a box (green frame a
vessel by eye, red none, grey unsure). With --robustness the scenes are disturbed as the table says. With --unlabelled,
OSCD holds a folder a city, with `imgs_1` and `imgs_2` (a TIFF a band, level 1C, 1e4 times reflectance, geographic);
each is put onto 10 m and what is found there is counted by eye.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject, transform_bounds

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from detect.errors import DetectError
from detect.vessels import Vessel, optical_vessels, water_of

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Box = tuple[int, int, int, int]
EARTH_RADIUS_M = 6_378_137.0
NEAR_LAND_PX = 3
LARGE_M = 30.0
CHIP_PX = 30
JUDGED = Path(__file__).with_name("vessels_by_eye.csv")
JUDGED_PX = 4
FRAMES = {"vessel": (80, 200, 80), "no vessel": (60, 60, 220), "unsure": (170, 170, 170), "not judged": (0, 0, 0)}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One labelled scene."""

    name: str
    bands: dict[str, FloatArray]
    boxes: list[Box]
    """Left, top, width, height in pixels."""
    gsd: float
    """True metres per pixel on the ground."""
    valid: BoolArray
    """(row, col) True = within the scene."""


CITIES = {"beirut": "EPSG:32636", "pisa": "EPSG:32632", "mumbai": "EPSG:32643", "abudhabi": "EPSG:32640"}


def read_unlabelled(folder: Path, date: int) -> Scene:
    """Read one of the two dates of a city and put it onto 10 m."""
    bands: dict[str, FloatArray] = {}
    for path in sorted((folder / f"imgs_{date}").glob("*_B0[2348].tif")):
        with rasterio.open(path) as file:
            # Not by GDAL's own proposal: it asks for a driver that the product's hardening leaves out.
            west, south, east, north = transform_bounds(file.crs, CITIES[folder.name], *file.bounds)
            band = np.full((math.ceil((north - south) / 10), math.ceil((east - west) / 10)), np.nan, np.float32)
            reproject(
                file.read(1).astype(np.float32) / 1e4,
                band,
                src_transform=file.transform,
                src_crs=file.crs,
                dst_transform=from_origin(west, north, 10, 10),
                dst_crs=CITIES[folder.name],
                resampling=Resampling.cubic,
                dst_nodata=np.nan,
            )
        bands[path.stem[-3:]] = band
    seen = np.all([np.isfinite(band) & (band > 0) for band in bands.values()], axis=0)
    inside = cv2.erode(seen.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    filled = {name: np.nan_to_num(band) for name, band in bands.items()}
    return Scene(name=f"{folder.name}_{date}", bands=filled, boxes=[], gsd=10.0, valid=inside > 0)


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
    return Scene(name=folder.name, bands=bands, boxes=boxes, gsd=10.0 * math.cos(latitude),
                 valid=np.ones(bands["B08"].shape, bool))  # fmt: skip


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
    low = np.percentile(rgb[scene.valid], 1, axis=0)
    return np.asarray((np.clip((rgb - low) / 0.2, 0, 1) ** 0.6 * 255).astype(np.uint8))


def judgements(scene: Scene, vessels: list[Vessel]) -> list[str]:
    """Return what detections are by eye, from the table of judgements."""
    with JUDGED.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["scene"] == scene.name]
    said = []
    for vessel in vessels:
        away = [math.dist(vessel.centre, (float(row["row"]), float(row["col"]))) for row in rows]
        nearest = min(range(len(rows)), key=lambda k: away[k], default=None)
        judged = nearest is not None and away[nearest] <= JUDGED_PX
        said.append(rows[nearest]["judgement"] if judged and nearest is not None else "not judged")
    return said


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
    for vessel, said in zip(unmatched, judgements(scene, unmatched), strict=True):
        row, col = (int(v) for v in vessel.centre)
        chip = cv2.resize(padded[row + 8 : row + 2 * CHIP_PX - 8, col + 8 : col + 2 * CHIP_PX - 8], (92, 92))
        chips.append(cv2.copyMakeBorder(chip, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=FRAMES[said]))
    chips += [np.full((100, 100, 3), 255, np.uint8)] * (-len(chips) % 12)
    rows = [np.hstack(chips[k : k + 12]) for k in range(0, len(chips), 12)]
    cv2.imwrite(str(out / f"{scene.name}_without_box.png"), np.vstack(rows))


def share(hits: list[bool]) -> str:
    """Return a share with its numbers."""
    return f"{sum(hits) / len(hits):.2f} ({sum(hits)}/{len(hits)})" if hits else "-"


def searched(scene: Scene) -> tuple[tuple[Vessel, ...], BoolArray]:
    """Return the vessels of a scene and its water; it may be without any."""
    vessels = optical_vessels(scene.bands, scene.valid, gsd=scene.gsd)
    return vessels, water_of(scene.bands["B08"], scene.valid, gsd=scene.gsd, green=scene.bands["B03"])


def disturbed(scene: Scene) -> dict[str, Scene]:
    """Return the scene as other weather, another sensor and another frame would show it."""
    rng = np.random.default_rng(1)
    haze = {"B02": 0.08, "B03": 0.06, "B04": 0.045, "B08": 0.03, "B11": 0.01}
    rows, cols = scene.bands["B08"].shape
    slope = np.linspace(0, 2, cols, dtype=np.float32)[None, :]
    size = (round(cols / 1.2), round(rows / 1.2))
    cut = rows // 8, cols // 8

    def made(
        change: Callable[[str, FloatArray], FloatArray], boxes: Sequence[Box] | None = None, gsd: float = 1.0
    ) -> Scene:
        bands = {name: np.ascontiguousarray(change(name, band), np.float32) for name, band in scene.bands.items()}
        return Scene(name=scene.name, bands=bands, boxes=list(scene.boxes if boxes is None else boxes),
                     gsd=scene.gsd * gsd, valid=np.ones(bands["B08"].shape, bool))  # fmt: skip

    fifth = [[round(v / 1.2) for v in box] for box in scene.boxes]
    coarse = [(left, top, max(width, 1), max(height, 1)) for left, top, width, height in fifth]
    kept = [(b[0] - cut[1], b[1] - cut[0], b[2], b[3]) for b in scene.boxes]
    inside = [b for b in kept if 0 <= b[0] < cols - 2 * cut[1] - b[2] and 0 <= b[1] < rows - 2 * cut[0] - b[3]]
    return {
        "as it is": scene,
        "haze": made(lambda name, band: band * np.float32(0.9) + np.float32(haze[name])),
        "haze over one side": made(lambda name, band: band + slope * np.float32(haze[name])),
        "bands times 0.8": made(lambda _, band: band * np.float32(0.8)),
        "bands times 1.2": made(lambda _, band: band * np.float32(1.2)),
        "noise of 0.003": made(lambda _, band: band + rng.normal(0, 0.003, band.shape).astype(np.float32)),
        "pixels 1.2 times as large": made(
            lambda _, band: np.asarray(cv2.resize(band, size, interpolation=cv2.INTER_AREA), np.float32), coarse, 1.2
        ),
        "left for right": made(
            lambda _, band: band[:, ::-1], [(cols - b[0] - b[2], b[1], b[2], b[3]) for b in scene.boxes]
        ),
        "rows for columns": made(lambda _, band: band.T, [(b[1], b[0], b[3], b[2]) for b in scene.boxes]),
        "middle three quarters": made(lambda _, band: band[cut[0] : rows - cut[0], cut[1] : cols - cut[1]], inside),
    }


def robustness(folder: str) -> None:
    """Print recall and detections without a box of each scene, disturbed."""
    scenes = [read_scene(p.parent) for p in sorted(Path(folder).glob("*/*_coco.json"))]
    kinds = [disturbed(scene) for scene in scenes]
    for kind in kinds[0]:
        told = []
        for one in (scene[kind] for scene in kinds):
            vessels, water = searched(one)
            found = [any(matches(box, vessel) for vessel in vessels) for box in one.boxes]
            without = sum(not any(matches(box, vessel) for box in one.boxes) for vessel in vessels)
            km2 = float(water.sum()) * (one.gsd / 1000) ** 2
            told.append(f"{one.name} {share(found)}, {without / km2:.2f} per km2")
        print(f"{kind:26s} {'; '.join(told)}", flush=True)


def unlabelled(folder: str, out: str | None) -> None:
    """Print what is found by eye in scenes without labels."""
    for city in (name for name in CITIES if (Path(folder) / name).is_dir()):
        for scene in (read_unlabelled(Path(folder) / city, date) for date in (1, 2)):
            try:
                vessels, water = searched(scene)
            except DetectError as error:
                print(f"{scene.name:11s} {error}")
                continue
            km2 = float(water.sum()) * (scene.gsd / 1000) ** 2
            for place in ("open", "shore"):
                said = judgements(scene, [one for one in vessels if one.place == place])
                eye = ", ".join(f"{said.count(one)} {one} ({said.count(one) / km2:.2f} per km2)" for one in FRAMES)
                print(f"{scene.name:11s} {km2:.1f} km2 of water, {place}: {len(said)} detections; by eye {eye}")
            if out and vessels:
                write_pictures(Path(out), scene, vessels, list(vessels))


def main(folder: str, out: str | None = None, pictures: str | None = None) -> None:
    """Print the table."""
    if out == "--robustness":
        robustness(folder)
        return
    if out == "--unlabelled":
        unlabelled(folder, pictures)
        return
    for path in sorted(p.parent for p in Path(folder).glob("*/*_coco.json")):
        scene = read_scene(path)
        vessels, water = searched(scene)
        found = [any(matches(box, vessel) for vessel in vessels) for box in scene.boxes]
        shore = near_land(scene, water)
        unmatched = [v for v in vessels if not any(matches(box, v) for box in scene.boxes)]
        km2 = float(water.sum()) * (scene.gsd / 1000) ** 2
        large = [hit for hit, box in zip(found, scene.boxes, strict=True) if max(box[2:]) * scene.gsd >= LARGE_M]
        open_water = [hit for hit, land in zip(found, shore, strict=True) if not land]
        by_land = [hit for hit, land in zip(found, shore, strict=True) if land]
        said = judgements(scene, unmatched)
        eye = ", ".join(f"{said.count(one)} {one} ({said.count(one) / km2:.2f} per km2)" for one in FRAMES)
        print(
            f"{scene.name:11s} recall {share(found)}, boxes of 30 m and more {share(large)}: "
            f"open {share(open_water)}, by land {share(by_land)}; "
            f"precision {1 - len(unmatched) / max(len(vessels), 1):.2f}; {len(vessels)} detections, "
            f"{len(unmatched)} without a box: {len(unmatched) / km2:.2f} per km2 of {km2:.1f}; by eye {eye}"
        )
        if out:
            write_pictures(Path(out), scene, vessels, unmatched)


if __name__ == "__main__":
    main(*sys.argv[1:])
