"""Pixel figures of the change maps on real, labelled pairs, beside three classical detectors.

    python benchmarks/oscd.py FOLDER [CITY ...]

FOLDER holds one folder a city in the form of the Onera change-detection set: imgs_1/*_Bnn.tif, imgs_2/*_Bnn.tif,
CITY.geojson or not, dates.txt, cm/CITY-cm.tif (2 = change, 1 = none, on the pixels of the first date). Each city goes
the product's way: imported, read on the 10 m UTM grid of its footprint, aligned half-way. The label is carried on to
that grid by nearest neighbour. Printed: ROC AUC / average precision.
"""

from __future__ import annotations

import re
import sys
import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.warp import Resampling, reproject
from shapely.geometry import box

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from aoi import AOI, Grid
from aoi.geometry import grid_for
from benchmarks.merit import average_precision, roc_auc
from benchmarks.reference import change_vector, irmad, plain_difference
from detect.optical import Pair, area_statistic, fit_pair, object_statistic
from imagery.coregister import align
from imagery.importer import Acquisition, import_rasters
from imagery.raster import Raster
from imagery.scene import Period
from imagery.sources.folder import FolderSource

BANDS = ("B02", "B03", "B04", "B08")
BORDER_PX = 4
ALWAYS = Period(start=datetime(2015, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC))
FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class City:
    """One labelled pair on its grid."""

    before: Raster
    after: Raster
    changed: BoolArray
    labelled: BoolArray


def _band_file(folder: Path, band: str) -> Path:
    return next(iter(sorted(folder.glob(f"*{band}.tif"))))


def _import(city: Path, out: Path) -> None:
    """Import both dates of a city."""
    days = re.findall(r"date_\d:\s*(\d{8})", (city / "dates.txt").read_text(encoding="utf-8"))
    for number, day in enumerate(days, 1):
        files = [_band_file(city / f"imgs_{number}", band) for band in BANDS]
        acquired = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
        about = Acquisition(sensor="s2", acquired=acquired, day_only=True, scale=1e-4, offset=0.0, nodata=0)
        import_rasters(files, BANDS, about=about, out=out)


def _label(city: Path, grid: Grid) -> tuple[BoolArray, BoolArray]:
    """Return where the label says change, and where it says anything, on the grid."""
    with rasterio.open(_band_file(city / "imgs_1", "B02"), driver="GTiff") as first:
        crs, transform = first.crs, first.transform
    # The label says nothing of its place: it lies on the first date's pixels.
    silence = warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning)
    with silence, rasterio.open(city / "cm" / f"{city.name}-cm.tif", driver="GTiff") as raster:
        label = raster.read(1)
    out = np.zeros(grid.shape, np.uint8)
    reproject(
        label, out, src_transform=transform, src_crs=crs, dst_transform=grid.transform, dst_crs=grid.crs,
        resampling=Resampling.nearest, src_nodata=0, dst_nodata=0,
    )  # fmt: skip
    return out == 2, out > 0


def read_city(city: Path) -> City:
    """Import and read a city, both dates on the grid of what they share, not yet aligned."""
    with tempfile.TemporaryDirectory() as scratch:
        _import(city, Path(scratch))
        source = FolderSource(Path(scratch))
        world = AOI(name=city.name, geometry=box(-180, -80, 180, 80))
        scenes = source.search(world, [ALWAYS], sensor="s2").scenes
        shared = scenes[0].footprint.intersection(scenes[1].footprint)
        grid = grid_for(AOI(name=city.name, geometry=shared), 10.0)
        before, after = (source.read(scene, grid, BANDS) for scene in scenes)
    changed, labelled = _label(city, grid)
    return City(before=before, after=after, changed=changed, labelled=labelled)


def _smoothed(score: FloatArray) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(score, (0, 0), 2.0), dtype=np.float32)


def scores(city: City) -> tuple[dict[str, FloatArray], BoolArray]:
    """Return each detector's score (row, col) and where to judge it."""
    aligned = align(city.before, city.after)
    raw = [np.nan_to_num(r.data) for r in (city.before, city.after)]
    both = city.before.valid & city.after.valid
    first, second = (np.nan_to_num(r.data) for r in (aligned.before, aligned.after))
    valid = aligned.before.valid & aligned.after.valid
    pair = Pair(before=first, after=second, valid=valid, gsd=10.0, shift_error_px=aligned.alignment.residual_px)
    model = fit_pair(pair)
    found = {
        "plain difference": plain_difference(raw[0], raw[1], both),
        "CVA": change_vector(raw[0], raw[1], both),
        "IR-MAD": irmad(raw[0], raw[1], both),
        "IR-MAD aligned, smoothed": _smoothed(irmad(first, second, valid)),
        "ours: objects": object_statistic(pair, model),
        "ours: areas": area_statistic(pair, model),
    }
    judged = valid & both & city.labelled
    judged &= cv2.erode(judged.astype(np.uint8), np.ones((2 * BORDER_PX + 1,) * 2), borderValue=0) > 0
    return found, judged


def main(folder: Path, names: list[str]) -> None:
    """Print the table."""
    cities = [folder / name for name in names] or sorted(p.parent for p in folder.glob("*/dates.txt"))
    table: dict[str, list[tuple[float, float]]] = {}
    for path in cities:
        city = read_city(path)
        found, judged = scores(city)
        for name, score in found.items():
            row = roc_auc(city.changed[judged], score[judged]), average_precision(city.changed[judged], score[judged])
            table.setdefault(name, []).append(row)
    print("| detector | " + " | ".join(path.name for path in cities) + " | mean |")
    print("|---" * (len(cities) + 2) + "|")
    for name, rows in table.items():
        cells = [*rows, tuple(np.mean(rows, axis=0))]
        print(f"| {name} | " + " | ".join(f"{auc:.3f}/{precision:.3f}" for auc, precision in cells) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
