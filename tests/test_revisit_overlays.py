"""Overlays for GIS, judged by GDAL's own programs where they are installed: places, CRS, colours, dates."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from pyproj import Transformer
from rio_cogeo.cogeo import cog_validate

from imagery.raster import Raster
from revisit.export.write import export
from revisit.outputs import write_run
from revisit.overlay import write_pictures
from revisit.picture import both_dates, heat_shades, second_bands, shades, shared_stretch, statistic_shades
from tests.standin import AFTER, BEFORE, blob, make_flags, make_grid, make_raster, make_result, metres_of

PIXEL = (7, 46)
"""(row, col) of the one bright pixel."""


def _gdal(program: str, *arguments: str | Path) -> str:
    """Return what a program of GDAL says, or skip."""
    if not shutil.which(program):
        pytest.skip(f"{program} (Debian's gdal-bin) is not installed")
    # This process keeps GDAL from looking at neighbours; a person's GIS does not.
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "CPL_"))}
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=usual)
    return done.stdout


def _lit(raster: Raster) -> Raster:
    """Return dark ground with one bright pixel."""
    data = np.full_like(raster.data, 0.05)
    data[:, *PIXEL] = 0.6
    return replace(raster, data=data)


@pytest.fixture(scope="module")
def optical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run's folder, whose dates have one bright pixel."""
    grid = make_grid(41, 53)
    before, after = (_lit(make_raster(grid, when)) for when in (BEFORE, AFTER))
    result = make_result(grid, flags=make_flags([blob(20, 30)]), before=before, after=after)
    return write_run(result, tmp_path_factory.mktemp("optical") / "run")


def _radar(grid_rows: int = 40) -> tuple[Raster, Raster]:
    """Return two radar dates in both polarisations; a target stood at (5, 6) before and stands at (20, 30) after."""
    grid = make_grid(grid_rows, 50)
    power = np.full((2, grid_rows, 50), 0.02, np.float32)
    power[1] /= 5
    dates = []
    for when, (row, col) in ((BEFORE, (5, 6)), (AFTER, (20, 30))):
        data = power.copy()
        data[:, row, col] = 2.0
        dates.append(make_raster(grid, when, bands=("VV", "VH"), data=data, quantity="gamma0"))
    return dates[0], dates[1]


def _unpacked(run: Path, folder: Path) -> Path:
    """Return a folder with the overlays of a run."""
    (path,) = export(run, "overlays", folder / "overlays.zip")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def overlays(optical: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the overlays of the optical run."""
    return _unpacked(optical, tmp_path_factory.mktemp("overlays"))


def _value(path: Path, lon: float, lat: float) -> int:
    """Return what GDAL finds in the first band at a place of the Earth."""
    return int(_gdal("gdallocationinfo", "-valonly", "-b", "1", "-wgs84", path, f"{lon}", f"{lat}").strip())


def _places(inside: bool) -> list[tuple[float, float]]:
    """Return longitudes and latitudes just within the bright pixel's corners, or just beyond its sides."""
    row, col = PIXEL
    corners = [(dx, dy) for dx in (0.03, 0.97) for dy in (0.03, 0.97)]
    beyond = [(-0.03, 0.5), (1.03, 0.5), (0.5, -0.03), (0.5, 1.03)]
    grid = make_grid(41, 53)
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    return [to_degrees.transform(*metres_of(grid, col + x, row + y)) for x, y in (corners if inside else beyond)]


@pytest.mark.parametrize("name", ["before-true-colour", "after-true-colour", "after-false-colour"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_known_place_is_on_its_pixel_for_gdal(overlays: Path, name: str, suffix: str) -> None:
    path = overlays / f"{name}{suffix}"
    assert {_value(path, *place) for place in _places(inside=True)} == {255}
    assert all(_value(path, *place) < 100 for place in _places(inside=False))


def test_the_runs_own_pictures_lie_where_they_should_for_gdal(optical: Path) -> None:
    assert {_value(optical / "after.png", *place) for place in _places(inside=True)} == {255}
    said = json.loads(_gdal("gdalinfo", "-json", optical / "overlay.png"))
    assert 'ID["EPSG",32636]' in said["coordinateSystem"]["wkt"]
    assert said["geoTransform"][1] == pytest.approx(10 / 30)


def test_every_picture_is_there_in_both_forms(overlays: Path) -> None:
    names = {path.name.partition(".")[0] for path in overlays.iterdir()} - {"overlays"}
    dated = {f"{role}-{kind}" for role in ("before", "after") for kind in ("true-colour", "false-colour")}
    assert names == dated | {"heat-objects", "heat-areas", "flags"}
    for name in names:
        assert {path.name for path in overlays.glob(f"{name}.*")} == {
            f"{name}{suffix}" for suffix in (".png", ".png.aux.xml", ".pgw", ".prj", ".tif")
        }


@pytest.mark.parametrize("name", ["before-true-colour", "heat-objects", "flags"])
def test_geotiffs_are_cloud_optimised_and_say_what_they_show(overlays: Path, name: str) -> None:
    path = overlays / f"{name}.tif"
    valid, errors, _ = cog_validate(path)
    assert (valid, errors) == (True, [])
    said = json.loads(_gdal("gdalinfo", "-json", path))
    assert [band["colorInterpretation"] for band in said["bands"]] == ["Red", "Green", "Blue", "Alpha"]
    tags = said["metadata"][""]
    assert "2024-1" in tags["SHOWS"]
    assert "UTC" in tags["SHOWS"]
    assert "Sentinel-2" in tags["SENSOR"]
    assert "pixels of 10 m" in tags["SENSOR"]
    assert tags["NOTICE"] == "Contains modified Copernicus Sentinel data 2024"


def test_the_geotiff_shows_what_the_png_shows(overlays: Path) -> None:
    for name in ("after-true-colour", "heat-areas", "flags"):
        with (
            rasterio.open(overlays / f"{name}.tif", driver="GTiff") as stack,
            Image.open(overlays / f"{name}.png") as png,
        ):
            bare = np.moveaxis(stack.read([1, 2, 3]), 0, 2)
            shown = np.asarray(png.convert("RGB"))[: bare.shape[0], : bare.shape[1]]
            seen = stack.read(4) > 0
        assert seen.any(), name
        assert np.array_equal(bare[seen], shown[seen]), name


def test_radar_has_backscatter_polarisations_and_both_dates(tmp_path: Path) -> None:
    before, after = _radar()
    run = write_run(make_result(before.grid, flags=(), zones=(), before=before, after=after), tmp_path / "run")
    names = {path.stem for path in _unpacked(run, tmp_path / "out").glob("*.tif")}
    assert {"before-backscatter", "after-polarisations", "both-dates", "heat-objects", "flags"} <= names
    with rasterio.open(tmp_path / "out" / "both-dates.tif", driver="GTiff") as stack:
        factor = stack.width // 50
        red, _, blue = stack.read([1, 2, 3])[:, 20 * factor + 1, 30 * factor + 1]
        assert red > blue + 100
        red, _, blue = stack.read([1, 2, 3])[:, 5 * factor + 1, 6 * factor + 1]
        assert blue > red + 100


def test_both_dates_in_one_are_amber_blue_and_grey() -> None:
    before, after = _radar()
    picture = both_dates(before, after, shared_stretch((before, after))).astype(int)
    assert picture[20, 30, :3].tolist() == [255, picture[20, 30, 1], picture[20, 30, 2]]
    assert picture[20, 30, 0] > picture[20, 30, 1] > picture[20, 30, 2]
    assert picture[5, 6, 2] > picture[5, 6, 1] > picture[5, 6, 0]
    assert np.ptp(picture[0, 0, :3]) <= 1


def test_polarisations_are_shown_as_colours_with_their_ratio_in_blue() -> None:
    before, after = _radar()
    bands = second_bands(before)
    assert bands == ("VV", "VH", "VV/VH")
    power = before.data.copy()
    power[1, 10, 10] *= 4
    power[1, 11, 11] /= 4
    crossed = replace(before, data=power)
    stretch = shared_stretch((crossed, after), bands)
    assert "VV/VH" in stretch.description
    picture = shades(crossed, stretch).astype(int)
    assert picture[10, 10, 1] > picture[0, 0, 1]
    assert picture[11, 11, 2] > picture[0, 0, 2] >= picture[10, 10, 2]


def test_heat_agrees_with_the_reports_where_one_threshold_holds() -> None:
    change = make_result().change.objects
    single = replace(change, threshold=np.full_like(change.threshold, 20.0))
    exact = np.asarray(statistic_shades(single).convert("RGBA")).astype(int)
    rough = heat_shades(single.statistic, (20.0, 20.0)).astype(int)
    assert np.abs(exact - rough).max() <= 4
    grey: NDArray[np.bool_] = np.ptp(rough[..., :3], axis=2) == 0
    assert np.array_equal(grey, single.statistic < 20)


def test_of_many_flags_the_strongest_are_labelled_and_the_rest_counted(tmp_path: Path) -> None:
    grid = make_grid(400, 400)
    places = [(10 + 19 * (k // 20), 10 + 19 * (k % 20)) for k in range(388)]
    result = make_result(grid, flags=make_flags([blob(row, col) for row, col in places]), zones=())
    write_pictures(result, tmp_path)
    with Image.open(tmp_path / "overlay.png") as picture:
        crowd = np.asarray(picture.convert("RGB"))[:1600]
    plates = (crowd == (16, 20, 24)).all(axis=2).mean()
    assert 0.002 < plates < 0.05
    fewer = replace(result, flags=result.flags[:20])
    write_pictures(fewer, tmp_path)
    with Image.open(tmp_path / "overlay.png") as picture:
        assert (np.asarray(picture.convert("RGB"))[:1600] == (16, 20, 24)).all(axis=2).mean() < plates
