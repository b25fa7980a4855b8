"""Reading onto a grid against independent answers, and writing files that others can read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate

from aoi import Grid
from imagery.errors import RefusedFileError
from imagery.files import Blob
from imagery.geotiff import read_band, read_on_grid, write_cog
from tests.rasters import CORNER, CRS, grid, numbers, write_raster


def test_pixels_on_the_grid_are_read_as_they_are(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", numbers(), nodata=7)
    part = grid(cols=5, rows=3, width=20, height=10)
    with rasterio.open(path) as oracle:
        expected = oracle.read(1, window=Window(5, 3, 20, 10))
    read, valid = read_on_grid(path, part)
    np.testing.assert_array_equal(read[valid], expected[expected != 7])
    np.testing.assert_array_equal(valid, expected != 7)
    assert (str(read.dtype), str(valid.dtype)) == ("float32", "bool")


@pytest.mark.parametrize(("cols", "rows"), [(-10, -5), (50, 30), (-200, 0), (0, 5000)])
def test_beyond_the_file_nothing_is_valid(tmp_path: Path, cols: int, rows: int) -> None:
    path = write_raster(tmp_path / "a.tif", numbers())
    read, valid = read_on_grid(path, grid(cols=cols, rows=rows))
    row, col = np.mgrid[:40, :60]
    inside = (row + rows >= 0) & (row + rows < 40) & (col + cols >= 0) & (col + cols < 60)
    np.testing.assert_array_equal(valid, inside)
    np.testing.assert_array_equal(read[inside], numbers()[(row + rows)[inside], (col + cols)[inside]])


def test_a_nodata_that_is_given_outweighs_that_of_the_file(tmp_path: Path) -> None:
    pixels = numbers()
    path = write_raster(tmp_path / "a.tif", pixels, nodata=0)
    np.testing.assert_array_equal(read_on_grid(path, grid(), nodata=pixels[3, 4])[1], pixels != pixels[3, 4])


def test_numbers_that_are_not_finite_are_not_valid(tmp_path: Path) -> None:
    pixels = np.ones((40, 60), np.float32)
    pixels[0, :3] = np.nan, np.inf, -np.inf
    valid = read_on_grid(write_raster(tmp_path / "a.tif", pixels), grid())[1]
    assert np.argwhere(~valid).tolist() == [[0, 0], [0, 1], [0, 2]]


def test_a_mask_inside_the_file_counts(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", numbers())
    holes = np.ones((40, 60), bool)
    holes[10:12, 20:22] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(holes)
    assert not (tmp_path / "a.tif.msk").exists()
    np.testing.assert_array_equal(read_on_grid(path, grid())[1], holes)


@pytest.mark.parametrize("band", [1, 3])
def test_the_band_asked_for_is_read(tmp_path: Path, band: int) -> None:
    pixels = np.stack([numbers(seed=k) for k in range(3)])
    path = write_raster(tmp_path / "a.tif", pixels)
    np.testing.assert_array_equal(read_on_grid(path, grid(), band_index=band)[0], pixels[band - 1])
    with pytest.raises(RefusedFileError, match="band 4 is asked for; it has 3"):
        read_on_grid(path, grid(), band_index=4)


def ramp(shape: tuple[int, int], transform: Affine) -> NDArray[np.float64]:
    """Return a plane over map coordinates: cubic convolution gives it back exactly."""
    row, col = np.mgrid[: shape[0], : shape[1]] + 0.5
    x, y = transform.c + transform.a * col, transform.f + transform.e * row
    return np.asarray(3 + 2e-3 * (x - CORNER[0]) + 1e-3 * (y - CORNER[1]))


@pytest.mark.parametrize(("gsd", "cols", "rows"), [(20, 0, 0), (10, 0.4, 0.7), (60, 0, 0), (5, 0, 0)])
def test_other_pixels_of_the_same_map_keep_their_place(tmp_path: Path, gsd: float, cols: float, rows: float) -> None:
    transform = Affine(gsd, 0, CORNER[0] + 10 * cols, 0, -gsd, CORNER[1] - 10 * rows)
    pixels = ramp((200, 200), transform).astype(np.float64)
    path = write_raster(tmp_path / "a.tif", pixels, transform=transform)
    place = grid(cols=20, rows=20)
    read, valid = read_on_grid(path, place)
    assert valid.all()
    # 2e-3 per metre: 2e-4 is a hundredth of a pixel of 10 m.
    np.testing.assert_allclose(read, ramp((40, 60), place.transform), atol=2e-4)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32637", "EPSG:3857"])
def test_other_maps_keep_their_place(tmp_path: Path, crs: str) -> None:
    place = grid(cols=100, rows=100, width=700, height=300)
    to_file = Transformer.from_crs(CRS, crs, always_xy=True)
    xs, ys = to_file.transform([699_000, 711_000], [3_900_500, 3_891_000])
    step = (xs[1] - xs[0]) / 1300
    transform = Affine(step, 0, xs[0] - 60 * step, 0, -step, ys[0] + 60 * step)
    row, col = np.mgrid[:1300, :1500] + 0.5
    back = Transformer.from_crs(crs, CRS, always_xy=True)
    x, y = back.transform(transform.c + transform.a * col, transform.f + transform.e * row)
    pixels = 3 + 2e-3 * (x - CORNER[0]) + 1e-3 * (y - CORNER[1])
    path = write_raster(tmp_path / "a.tif", pixels, crs=crs, transform=transform)
    read, valid = read_on_grid(path, place)
    assert valid.all()
    np.testing.assert_allclose(read, ramp((300, 700), place.transform), atol=3e-4)


@pytest.mark.parametrize(("gsd", "shift"), [(20, 0.0), (10, 0.5), (9.7, 0.3)])
def test_nothing_bleeds_out_of_nodata(tmp_path: Path, gsd: float, shift: float) -> None:
    pixels = np.full((100, 100), 1000, np.uint16)
    row, col = np.mgrid[:100, :100]
    pixels[row + col < 70] = 0
    pixels[60, 60] = 0
    transform = Affine(gsd, 0, CORNER[0] + 10 * shift, 0, -gsd, CORNER[1])
    path = write_raster(tmp_path / "a.tif", pixels, transform=transform, nodata=0)
    read, valid = read_on_grid(path, grid(width=140, height=140))
    assert 0.2 < valid.mean() < 0.6
    np.testing.assert_allclose(read[valid], 1000, rtol=1e-6)


def test_without_the_declaration_it_would_have_bled(tmp_path: Path) -> None:
    # The counter-test: the same pixels, the same kernel, and nobody says that 0 is nothing.
    pixels = np.full((100, 100), 1000, np.uint16)
    pixels[:, :30] = 0
    path = write_raster(tmp_path / "a.tif", pixels, transform=Affine(10, 0, CORNER[0] + 5, 0, -10, CORNER[1]))
    read, valid = read_on_grid(path, grid())
    assert np.any(valid & (read > 1) & (read < 999))


@pytest.mark.parametrize("crs", [CRS, "EPSG:32637"])
def test_classes_are_never_mixed(tmp_path: Path, crs: str) -> None:
    classes = np.random.default_rng(0).choice([4, 6, 9], (300, 300)).astype(np.uint8)
    x, y = Transformer.from_crs(CRS, crs, always_xy=True).transform(CORNER[0] - 500, CORNER[1] + 500)
    path = write_raster(tmp_path / "a.tif", classes, crs=crs, transform=Affine(20, 0, x, 0, -20, y))
    read, valid = read_on_grid(path, grid(), resampling="nearest")
    assert valid.all()
    assert set(np.unique(read)) == {4, 6, 9}


def test_a_finer_file_is_averaged_and_not_sampled(tmp_path: Path) -> None:
    board = (np.indices((400, 400)).sum(axis=0) % 2 * 1000).astype(np.float32)
    path = write_raster(tmp_path / "a.tif", board, transform=Affine(2.5, 0, CORNER[0], 0, -2.5, CORNER[1]))
    read, valid = read_on_grid(path, grid(cols=10, rows=10))
    assert valid.all()
    np.testing.assert_allclose(read, 500, atol=5)


def test_only_the_window_that_is_needed_is_read(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", numbers(400, 60))
    path.write_bytes(path.read_bytes()[: 400 * 60])
    np.testing.assert_array_equal(read_on_grid(path, grid())[0], numbers(400, 60)[:40])
    with pytest.raises(RefusedFileError, match="truncated"):
        read_on_grid(path, grid(rows=350))


def test_a_file_in_memory_reads_like_one_on_disk(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", numbers(), nodata=0)
    blob = Blob(name="a.tif", content=path.read_bytes())
    np.testing.assert_array_equal(read_on_grid(blob, grid())[0], read_on_grid(path, grid())[0])


def test_jpeg2000_is_read_without_loss(tmp_path: Path) -> None:
    lossless = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}
    path = write_raster(tmp_path / "a.jp2", numbers(), **lossless)
    np.testing.assert_array_equal(read_on_grid(path, grid())[0], numbers())


def test_a_whole_band_keeps_its_type(tmp_path: Path) -> None:
    pixels, header = read_band(write_raster(tmp_path / "a.tif", numbers(), nodata=3))
    np.testing.assert_array_equal(pixels, numbers())
    assert (str(pixels.dtype), header.nodata, header.crs) == ("uint16", 3, CRS)
    assert header.bounds == (CORNER[0], CORNER[1] - 400, CORNER[0] + 600, CORNER[1])


def large_grid() -> Grid:
    """Return a grid that takes several blocks."""
    return grid(width=1100, height=900)


@pytest.mark.parametrize(("dtype", "nodata"), [("float32", math.nan), ("uint16", 0), ("uint8", None)])
def test_written_files_are_valid_cogs(tmp_path: Path, dtype: str, nodata: float | None) -> None:
    data = np.random.default_rng(0).integers(0, 255, (2, 900, 1100)).astype(dtype)
    path = tmp_path / "new" / "a.tif"
    write_cog(path, data, grid=large_grid(), descriptions=["one", "two"], nodata=nodata, dtype=dtype, tags={"A": "b"})
    valid, errors, found = cog_validate(path, strict=True)
    assert (valid, errors, found) == (True, [], [])
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), data)
        assert file.descriptions == ("one", "two")
        assert file.tags()["A"] == "b"
        assert (file.crs.to_epsg(), file.transform) == (32636, large_grid().transform)
        assert file.nodata is None if nodata is None else str(file.nodata) == str(float(nodata))
    assert [p.name for p in path.parent.iterdir()] == ["a.tif"]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    data = np.random.default_rng(0).random((900, 1100)).astype(np.float32)
    for name in ("a.tif", "b.tif"):
        write_cog(tmp_path / name, data, grid=large_grid(), descriptions=["x"])
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_cog(path, numbers(), grid=grid(), descriptions=["x"], nodata=0, dtype="uint16")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="2 descriptions were given for 1 bands"):
        write_cog(path, numbers(), grid=grid(), descriptions=["x", "y"], nodata=0, dtype="uint16")
    nowhere = Grid(crs="EPSG:999999", transform=grid().transform, width=60, height=40)
    with pytest.raises(ValueError, match="EPSG"):
        write_cog(path, numbers(), grid=nowhere, descriptions=["x"], nodata=0, dtype="uint16")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
