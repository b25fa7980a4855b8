"""A folder of scenes from a public archive of radar dates of the port of Latakia, for `revisit check`.

    python -m benchmarks.latakia ARCHIVE OUT [FIRST LAST]
    revisit check examples/latakia.toml --source folder:OUT -o latakia

ARCHIVE holds `latakia_port_s1_vv_328dates_u8.tif` (VV, decibels = -27 + number / 10, 255 = land or nothing; terrain
corrected gamma0, 5 x 5 Lee filtered, from 8-bit pictures) and `latakia_port_s1_dates.csv`. The decibels are turned into
linear power; the orbit follows from the hour of the pass. FIRST and LAST are days, both included.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from imagery.importer import Acquisition, import_rasters

STACK, DATES = "latakia_port_s1_vv_328dates_u8.tif", "latakia_port_s1_dates.csv"
LAND, FLOOR_DB, STEP_DB = 255, -27.0, 0.1
ORBITS = {"15:4": (87, "ascending"), "15:3": (14, "ascending"), "03:4": (94, "descending"), "03:3": (21, "descending")}
"""Relative orbit and direction by the time of the pass, UTC: tens of minutes."""


def _rows(archive: Path, first: date, last: date) -> Iterator[tuple[int, datetime, str]]:
    """Yield (number of the band, time, platform) of each date."""
    with (archive / DATES).open(newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            moment = datetime.fromisoformat(row["datetime"]).replace(microsecond=0)
            if first <= moment.date() <= last:
                yield int(row["band"]), moment, row["platform"].lower()


def write_latakia(
    archive: Path, out: Path, *, first: date = date.min, last: date = date.max, only: int | None = None
) -> int:
    """Write the dates of the archive from `first` to `last` as a folder of scenes; return how many there are.

    Parameters
    ----------
    archive, out
        As above.
    first, last
        Days, both included.
    only
        A relative orbit, where the others are left out.
    """
    count = 0
    with rasterio.open(archive / STACK) as stack, tempfile.TemporaryDirectory(prefix="latakia-") as scratch:
        whole = Window(0, 0, stack.width, stack.height)
        for band, moment, platform in _rows(archive, first, last):
            orbit, direction = ORBITS[f"{moment:%H:%M}"[:4]]
            if only not in {None, orbit}:
                continue
            numbers = stack.read(band, window=whole)
            power = np.power(10, (FLOOR_DB + STEP_DB * numbers.astype(np.float32)) / 10).astype(np.float32)
            power[numbers == LAND] = np.nan
            file = Path(scratch) / f"{moment:%Y%m%dT%H%M%S}.tif"
            shape = {"driver": "GTiff", "height": stack.height, "width": stack.width, "count": 1, "dtype": "float32"}
            with rasterio.open(file, "w", crs=stack.crs, transform=stack.transform, nodata=np.nan, **shape) as made:
                made.write(power, 1)
            about = Acquisition(
                sensor="s1",
                acquired=moment,
                day_only=False,
                platform=platform,
                relative_orbit=orbit,
                direction=direction,
            )
            import_rasters([file], ["VV"], about=about, out=out, force=True)
            count += 1
    return count


def main() -> None:
    """Write the folder."""
    archive, out = Path(sys.argv[1]), Path(sys.argv[2])
    days = [date.fromisoformat(text) for text in sys.argv[3:5]]
    first, last = days if len(days) == 2 else (date.min, date.max)
    print(write_latakia(archive, out, first=first, last=last), "dates")


if __name__ == "__main__":
    main()
