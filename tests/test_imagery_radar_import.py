"""Real radar files through `revisit import`: what is no power is valid nowhere, the rest unchanged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
from shapely.geometry import box

from aoi import AOI, Grid
from imagery.scene import Period
from imagery.sources.folder import FolderSource
from revisit.cli.main import call

ALWAYS = Period(start=datetime(2015, 1, 1, tzinfo=UTC), end=datetime(2027, 1, 1, tzinfo=UTC))
EVERYWHERE = AOI(name="everywhere", geometry=box(-180, -85, 180, 85))


def test_row_43_real_files_are_imported_and_what_is_no_power_is_valid_nowhere(real_data: Path, tmp_path: Path) -> None:
    power, names = {}, []
    for band in ("VV", "VH"):
        with rasterio.open(real_data / f"opera_rtc_s1/T137-292319-IW2_{band}_22dates.tif") as file:
            power[band], profile = file.read(1), file.profile | {"count": 1}
        power[band][:3], power[band][3, :9], power[band][4, :9], power[band][5, :9] = 0, -32768, np.nan, -0.2
        names.append(str(tmp_path / f"{band}.tif"))
        with rasterio.open(names[-1], "w", **profile) as file:
            file.write(power[band], 1)
    given = ["--bands", "VV,VH", "--sensor", "s1", "--date", "2021-11-19T01:58:58Z", "--direction", "descending"]
    more = ["--platform", "sentinel-1a", "--orbit", "137", "-o", str(tmp_path / "scenes")]
    assert call(["import", *names, *given, *more]) == 0
    source = FolderSource(tmp_path / "scenes")
    (scene,) = source.search(EVERYWHERE, [ALWAYS], sensor="s1").scenes
    rows, cols = power["VV"].shape
    grid = Grid(crs=str(profile["crs"]), transform=profile["transform"], width=cols, height=rows)
    raster = source.read(scene, grid, ("VV", "VH"))
    usable = np.all([np.isfinite(one) & (one > 0) for one in power.values()], axis=0)
    np.testing.assert_array_equal(raster.valid, usable)
    assert not raster.valid[:3].any()
    assert (scene.relative_orbit, scene.direction, raster.quantity) == (137, "descending", "gamma0")
    for k, band in enumerate(raster.bands):
        np.testing.assert_array_equal(raster.data[k][usable], power[band][usable])
