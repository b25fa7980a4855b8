"""One pass from several files: what comes out is what one file of the whole would have given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from imagery.bands import SCL
from imagery.errors import GoneError, SourceError
from imagery.geotiff import read_coarsest, write_cog
from imagery.raster import Raster
from imagery.reading import read_classes, read_scene
from imagery.scene import Asset, Scene
from tests.passes import scene
from tests.rasters import CORNER, CRS, grid, write_raster

BANDS = ("B02", "B03", "B04", "B08")
SIZE = 120
WHOLE = grid(width=SIZE, height=SIZE)
NORTH, SOUTH = slice(0, 70), slice(56, SIZE)
"""Rows of two files that overlap, on multiples of the 20 m pixels of the classification."""


def truth(cloud: bool = False) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Return (4, row, col) DN with the offset in, and classes at 20 m, with a large white cloud over the seam."""
    rng = np.random.default_rng(5)
    numbers = rng.integers(1800, 3500, (4, SIZE, SIZE)).astype(np.uint16)
    classes = np.full((SIZE // 2, SIZE // 2), SCL.BARE, np.uint8)
    if cloud:
        numbers[:, 50:90, 30:80] = 9000
        classes[25:45, 15:40] = SCL.CLOUD_HIGH
    return numbers, classes


def part(folder: Path, rows: slice, *, cloud: bool = False) -> Scene:
    """Write these rows of the truth as a scene of their own."""
    numbers, classes = truth(cloud)
    folder.mkdir()
    top = CORNER[1] - 10 * rows.start
    labels = classes[rows.start // 2 : rows.stop // 2]
    path = write_raster(folder / "SCL.tif", labels, nodata=0, transform=Affine(20, 0, CORNER[0], 0, -20, top))
    assets = {"SCL": Asset(href=str(path), nodata=0.0)}
    for band, layer in zip(BANDS, numbers[:, rows], strict=True):
        place = Affine(10, 0, CORNER[0], 0, -10, top)
        path = write_raster(folder / f"{band}.tif", layer, nodata=0, transform=place)
        assets[band] = Asset(href=str(path), scale=1e-4, offset=-0.1, nodata=0.0)
    return replace(scene(folder.name), assets=assets)


def read(one: Scene, **more: Any) -> Raster:
    """Read a scene from its own files."""
    return read_scene(one, WHOLE, BANDS, fetch=lambda asset: Path(asset.href), **more)


def both(folder: Path, *, cloud: bool = False) -> Scene:
    """Return the northern part completed by the southern one."""
    return replace(part(folder / "n", NORTH, cloud=cloud), parts=(part(folder / "s", SOUTH, cloud=cloud),))


@pytest.mark.parametrize("cloud", [False, True])
def test_row_37_two_tiles_give_what_one_would(tmp_path: Path, cloud: bool) -> None:
    whole = read(part(tmp_path / "whole", slice(0, SIZE), cloud=cloud))
    raster = read(both(tmp_path, cloud=cloud))
    assert whole.valid.all() == (not cloud)
    np.testing.assert_array_equal(raster.valid, whole.valid)
    np.testing.assert_array_equal(raster.uncertain, whole.uncertain)
    np.testing.assert_array_equal(raster.data, whole.data)
    assert raster.scene_ids == ("n", "s")
    assert raster.origin
    assert [one.id for one in raster.origin.parts] == ["s"]


def test_classes_are_put_together_alike(tmp_path: Path) -> None:
    classes = read_classes(both(tmp_path, cloud=True), WHOLE, fetch=lambda asset: Path(asset.href))
    np.testing.assert_array_equal(classes, np.kron(truth(cloud=True)[1], np.ones((2, 2), np.uint8)))


def test_a_part_without_classes_fills_nothing_that_should_be_masked(tmp_path: Path) -> None:
    one = both(tmp_path)
    bare = replace(one.parts[0], assets={band: one.parts[0].assets[band] for band in BANDS})
    raster = read(replace(one, parts=(bare,)))
    assert raster.scene_ids == ("n",)
    np.testing.assert_array_equal(raster.valid, np.arange(SIZE)[:, np.newaxis] * np.ones(SIZE) < NORTH.stop)


def test_a_part_with_other_units_is_brought_to_the_same(tmp_path: Path) -> None:
    whole = read(part(tmp_path / "whole", slice(0, SIZE)))
    one = both(tmp_path)
    other = {}
    for band in BANDS:
        asset = one.parts[0].assets[band]
        layer = truth()[0][BANDS.index(band), SOUTH] - np.uint16(1000)
        place = Affine(10, 0, CORNER[0], 0, -10, CORNER[1] - 10 * SOUTH.start)
        path = write_raster(tmp_path / f"{band}-off.tif", layer, nodata=0, transform=place)
        other[band] = replace(asset, href=str(path), offset=0.0)
    mixed = replace(one.parts[0], assets={**one.parts[0].assets, **other})
    raster = read(replace(one, parts=(mixed,)))
    np.testing.assert_allclose(raster.data, whole.data, atol=1e-7)


@pytest.mark.parametrize("error", [GoneError("404"), SourceError("504")])
def test_a_part_that_is_gone_is_noted_and_a_server_that_fails_is_not_hidden(tmp_path: Path, error: Exception) -> None:
    one = both(tmp_path)
    lost = {asset.href for asset in one.parts[0].assets.values()}

    def fetch(asset: Asset) -> Path:
        if asset.href in lost:
            raise error
        return Path(asset.href)

    if isinstance(error, GoneError):
        raster = read_scene(one, WHOLE, BANDS, fetch=fetch)
        assert raster.origin
        assert raster.origin.notes == ("s, of the same pass, could not fill gaps: 404",)
    else:
        with pytest.raises(SourceError, match="504"):
            read_scene(one, WHOLE, BANDS, fetch=fetch)


def test_row_43_slices_of_radar_go_together_and_nothing_that_is_no_power_does(tmp_path: Path) -> None:
    power = np.random.default_rng(2).gamma(4, 0.02, (SIZE, SIZE)).astype(np.float32)
    files = {}
    for name, rows, spoilt in (("a", NORTH, np.float32(0)), ("b", SOUTH, np.float32("nan"))):
        layer = power[rows].copy()
        layer[:, :7], layer[:, 7], layer[:, 8] = spoilt, -32768, -0.01
        place = Affine(10, 0, CORNER[0], 0, -10, CORNER[1] - 10 * rows.start)
        files[name] = write_raster(tmp_path / f"{name}.tif", layer, nodata=-32768, transform=place)
    first, second = (
        replace(scene(name), sensor="s1", assets={"VV": Asset(href=str(path), nodata=-32768)})
        for name, path in files.items()
    )
    one = replace(first, parts=(second,))
    raster = read_scene(one, WHOLE, ("VV",), fetch=lambda asset: Path(asset.href))
    np.testing.assert_array_equal(raster.valid, np.arange(SIZE) * np.ones((SIZE, 1)) > 8)
    np.testing.assert_array_equal(raster.data[0][raster.valid], power[raster.valid])
    assert (raster.scene_ids, raster.grid.crs) == (("a", "b"), CRS)


def test_the_coarsest_overview_is_read_and_nothing_else(tmp_path: Path) -> None:
    pixels = np.arange(1100 * 1300, dtype=np.uint16).reshape(1100, 1300) % 5000
    place = grid(width=1300, height=1100)
    write_cog(tmp_path / "a.tif", pixels, grid=place, descriptions=("B02",), nodata=0, dtype="uint16")
    coarse = read_coarsest(tmp_path / "a.tif")
    assert coarse.shape[0] < 600
    assert abs(float(coarse.mean()) - float(pixels.mean())) < 100
    flat = write_raster(tmp_path / "b.tif", pixels)
    np.testing.assert_array_equal(read_coarsest(flat), pixels)
