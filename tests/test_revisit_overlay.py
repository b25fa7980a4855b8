"""The pictures: things land on their pixels, both dates are shown alike, nothing is shown as what it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from aoi import Grid
from detect.change import Sign
from imagery.raster import Raster
from revisit.drawing import draw_label, drawable, font, wrapped
from revisit.mapframe import bar_length, chip_window, outline, pixel_geometry, projected_lines
from revisit.overlay import PICTURES, write_pictures
from revisit.picture import enlarged, enlargement, limited, muted, shades, shared_stretch, statistic_shades
from revisit.symbols import SIGN_COLOURS, strength_step
from tests.standin import AFTER, BEFORE, blob, make_flags, make_grid, make_raster, make_result, make_zone, metres_of

HATCH = {(232, 232, 232), (178, 178, 178)}


def _with_pixel(raster: Raster, row: int, col: int, value: float) -> Raster:
    """Return a dark raster with one pixel of another reflectance in all bands."""
    data = np.full_like(raster.data, 0.05)
    data[:, row, col] = value
    return replace(raster, data=data)


def _read(path: Path) -> NDArray[np.uint8]:
    """Return the picture (row, col, 3)."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("name", ["before.png", "after.png"])
def test_a_known_point_lands_on_its_pixel_for_gdal(tmp_path: Path, name: str) -> None:
    grid = make_grid(41, 53)
    before, after = (_with_pixel(make_raster(grid, when), 7, 46, 0.6) for when in (BEFORE, AFTER))
    write_pictures(make_result(grid, flags=(), before=before, after=after), tmp_path)
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="FALSE"), rasterio.open(tmp_path / name, driver="PNG") as picture:
        band = picture.read(1)
        inside = [metres_of(grid, 46 + dx, 7 + dy) for dx in (0.02, 0.98) for dy in (0.02, 0.98)]
        outside = [
            metres_of(grid, 46 + dx, 7 + dy) for dx, dy in ((-0.02, 0.5), (1.02, 0.5), (0.5, -0.02), (0.5, 1.02))
        ]
        assert {int(band[picture.index(x, y)]) for x, y in inside} == {255}
        assert all(band[picture.index(x, y)] < 100 for x, y in outside)


def test_world_file_scales_the_grid_by_the_enlargement(tmp_path: Path) -> None:
    result = make_result()
    write_pictures(result, tmp_path)
    step, _, _, down, x, y = map(float, (tmp_path / "overlay.pgw").read_text().split())
    assert (step, down) == (0.5, -0.5)
    assert (x, y) == (770000.25, 3919999.75)
    assert _read(tmp_path / "overlay.png").shape[1] == 1600


@pytest.mark.parametrize("name", PICTURES)
def test_the_crs_stands_beside_each_picture(tmp_path: Path, name: str) -> None:
    write_pictures(make_result(), tmp_path)
    crs = pyproj.CRS.from_wkt((tmp_path / name).with_suffix(".prj").read_text())
    assert crs.to_epsg(min_confidence=20) == 32636


def test_a_map_too_narrow_for_its_legend_keeps_its_place(tmp_path: Path) -> None:
    grid = make_grid(400, 20)
    write_pictures(make_result(grid, flags=()), tmp_path)
    sheet = _read(tmp_path / "before.png")
    expected = enlarged(shades(make_raster(grid, BEFORE, 1), shared_stretch(_both(grid))), 4)
    assert sheet.shape[1] == 900
    assert np.array_equal(sheet[:1600, :80], np.asarray(expected))


def _both(grid: Grid) -> tuple[Raster, Raster]:
    """Return the two rasters of a stand-in result."""
    return make_raster(grid, BEFORE, 1), make_raster(grid, AFTER, 2)


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        write_pictures(make_result(), folder)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_equal_reflectance_looks_equal_on_both_dates() -> None:
    before, after = _both(make_grid())
    after = replace(after, data=after.data * 1.5)
    data = after.data.copy()
    data[:, 5, 5] = before.data[:, 5, 5]
    after = replace(after, data=data)
    stretch = shared_stretch((before, after))
    assert np.array_equal(shades(before, stretch)[5, 5], shades(after, stretch)[5, 5])
    assert shades(after, stretch)[..., :3].mean() > shades(before, stretch)[..., :3].mean() + 20


def test_red_ground_looks_red_whatever_the_order_of_bands() -> None:
    grid = make_grid(10, 10)
    raster = make_raster(grid, AFTER, bands=("B08", "B04", "B03", "B02"))
    data = np.full_like(raster.data, 0.05)
    data[1, :, :5] = 0.4
    picture = shades(replace(raster, data=data), shared_stretch((replace(raster, data=data),)))
    assert picture[0, 0, :3].tolist() == [255, 0, 0]


def test_backscatter_is_grey_in_equal_steps_of_decibels() -> None:
    grid = make_grid(10, 300)
    power = np.broadcast_to(10 ** np.linspace(-2.5, 0, 300), (10, 300)).astype(np.float32)
    raster = make_raster(grid, AFTER, bands=("VV", "VH"), data=np.stack([power, power / 4]), quantity="gamma0")
    picture = shades(raster, shared_stretch((raster,))).astype(float)
    assert (picture[..., 0] == picture[..., 1]).all()
    assert (picture[..., 0] == picture[..., 2]).all()
    linear = (picture[0, 5:-5, 0] / 255) ** 1.4
    assert np.abs(np.diff(linear, 2)).max() < 0.02


def test_pixels_that_are_not_valid_are_hatched_and_never_black(tmp_path: Path) -> None:
    grid = make_grid()
    valid = np.ones(grid.shape, np.bool_)
    valid[40:, :30] = False
    write_pictures(make_result(grid, after=make_raster(grid, AFTER, 2, valid=valid), flags=(), zones=()), tmp_path)
    factor = enlargement(grid.shape)
    for name in ("after.png", "overlay.png"):
        patch = _read(tmp_path / name)[40 * factor : 60 * factor, : 30 * factor]
        assert set(map(tuple, patch.reshape(-1, 3).tolist())) == HATCH, name
    before = _read(tmp_path / "before.png")[40 * factor : 60 * factor, : 30 * factor]
    assert len(np.unique(before.reshape(-1, 3), axis=0)) > 500


def test_an_outline_hides_no_pixel_of_its_object(tmp_path: Path) -> None:
    grid = make_grid()
    result = make_result(grid, flags=make_flags([blob(20, 30, side=2)]), zones=())
    write_pictures(result, tmp_path)
    factor = enlargement(grid.shape)
    seen = _read(tmp_path / "overlay.png")[: 60 * factor, : 80 * factor]
    plain = np.asarray(
        enlarged(limited(muted(shades(result.after, shared_stretch(_both(grid)))), result.change.valid), factor)
    )
    inside = np.s_[20 * factor : 22 * factor, 30 * factor : 32 * factor]
    assert np.array_equal(seen[inside], plain[inside])
    around = seen[19 * factor - 3 : 23 * factor + 3, 29 * factor - 3 : 33 * factor + 3].reshape(-1, 3)
    assert tuple(bytes.fromhex(SIGN_COLOURS["appeared"][1:])) in set(map(tuple, around.tolist()))


def test_every_sign_has_its_own_colour_in_the_picture(tmp_path: Path) -> None:
    signs: tuple[Sign, ...] = ("appeared", "vanished", "altered")
    blobs = [blob(10, 10 + 20 * k, side=4, change=sign, scale="area") for k, sign in enumerate(signs)]
    write_pictures(make_result(flags=make_flags(blobs), zones=()), tmp_path)
    picture = _read(tmp_path / "overlay.png")[:1200]
    for k, sign in enumerate(signs):
        column = picture[:, (5 + 20 * k) * 20 : (20 + 20 * k) * 20].reshape(-1, 3)
        colours = set(map(tuple, column.tolist()))
        expected = tuple(bytes.fromhex(SIGN_COLOURS[sign][1:]))
        # White is also what zones and bright ground are drawn in.
        others = {tuple(bytes.fromhex(SIGN_COLOURS[other][1:])) for other in signs[:2] if other != sign}
        assert expected in colours
        assert not others & colours


def test_labels_do_not_overlap_and_stay_in_the_picture() -> None:
    picture = Image.new("RGB", (600, 500))
    taken = np.zeros((500, 600), np.bool_)
    generator = np.random.default_rng(5)
    areas = 0
    for k in range(200):
        corner = generator.uniform((0, 0), (590, 490))
        points = corner + np.array([(0, 0), (8, 0), (8, 8), (0, 8), (0, 0)])
        before = int(taken.sum())
        drawn = draw_label(ImageDraw.Draw(picture), f"F{k}+", "#ffffff", points=points, taken=taken, size=14)
        width = int(font(14).getlength(f"F{k}+")) + 6
        assert int(taken.sum()) - before == drawn * width * 20
        areas += drawn
    assert areas > 100


def test_simulated_stands_across_every_picture(tmp_path: Path) -> None:
    for simulated in (False, True):
        folder = tmp_path / str(simulated)
        folder.mkdir()
        write_pictures(make_result(simulated=simulated, flags=()), folder)
    for name in PICTURES:
        real, marked = (_read(tmp_path / str(simulated) / name)[:1200] for simulated in (False, True))
        columns = (real != marked).any(axis=(0, 2)).nonzero()[0]
        assert np.ptp(columns) > 1200, name
        thirds = [(real[k : k + 400] != marked[k : k + 400]).any() for k in (0, 400, 800)]
        assert all(thirds), name
        with Image.open(tmp_path / "True" / name) as picture:
            assert "SIMULATED" in picture.info["Description"]


def test_real_pictures_name_whose_data_they_are(tmp_path: Path) -> None:
    write_pictures(make_result(), tmp_path)
    with Image.open(tmp_path / "overlay.png") as picture:
        assert "Contains modified Copernicus Sentinel data 2024" in picture.info["Description"]


@given(st.integers(1, 1600), st.integers(1, 1600))
def test_enlarged_pictures_have_a_usual_size(rows: int, cols: int) -> None:
    longest = max(rows, cols) * enlargement((rows, cols))
    assert longest <= 1600
    assert longest > 800 or max(rows, cols) <= 40


@given(st.floats(0.01, 1e6))
def test_scale_bars_are_round_and_fill_most_of_their_room(most: float) -> None:
    length = bar_length(most)
    assert most / 2.51 <= length <= most * 1.001
    assert f"{length:e}"[0] in "125"


def test_an_outline_stands_one_pixel_clear() -> None:
    (ring,) = outline(blob(20, 30, side=2))
    assert (ring.min(axis=0).tolist(), ring.max(axis=0).tolist()) == ([29, 19], [33, 23])


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_pixel_geometry_covers_exactly_its_pixels(pixels: set[tuple[int, int]]) -> None:
    rows, cols = (np.array(axis, np.intp) for axis in zip(*pixels, strict=True))
    shape = pixel_geometry(rows, cols)
    assert shape.area == pytest.approx(len(pixels))
    assert shape.is_valid


def test_zones_land_on_their_pixels_and_end_at_the_edge() -> None:
    grid = make_grid(40, 80)
    (line,) = projected_lines(make_zone(grid).geometry, grid)
    assert np.allclose((line.min(axis=0), line.max(axis=0)), ((20, 10), (60, 30)), atol=1e-3)
    small = make_grid(20, 40)
    cut = np.concatenate(projected_lines(make_zone(grid).geometry, small))
    assert np.allclose((cut.min(axis=0), cut.max(axis=0)), ((20, 10), (40, 20)), atol=1e-3)


@given(st.integers(0, 58), st.integers(0, 78))
def test_chips_hold_their_object_and_stay_on_the_grid(row: int, col: int) -> None:
    grid = make_grid()
    window = chip_window(blob(row, col), grid)
    assert 0 <= window.row <= row
    assert row + 2 <= window.row + window.height <= 60
    assert 0 <= window.col <= col
    assert col + 2 <= window.col + window.width <= 80


def test_statistic_turns_from_grey_to_colour_at_the_threshold() -> None:
    result = make_result()
    grey = replace(result.change.objects, threshold=np.full((60, 80), np.nan, np.float32))
    colours = np.asarray(statistic_shades(result.change.objects).convert("RGB"))[0].astype(int)
    coloured = np.ptp(colours, axis=1) > 0
    assert np.array_equal(coloured, result.change.objects.statistic[0] >= 20)
    assert (np.diff(colours @ (0.2126, 0.7152, 0.0722)) > 0).all()
    assert (np.ptp(np.asarray(statistic_shades(grey).convert("RGB"))[0], axis=1) == 0).all()


def test_statistic_is_transparent_where_there_is_none() -> None:
    change = make_result().change.areas
    statistic = change.statistic.copy()
    statistic[3, 4] = np.nan
    alpha = np.asarray(statistic_shades(replace(change, statistic=statistic)).convert("RGBA"))[..., 3]
    assert np.argwhere(alpha == 0).tolist() == [[3, 4]]


@given(st.text())
def test_any_name_becomes_what_the_font_can_draw(text: str) -> None:
    plain = drawable(text)
    assert plain.isascii()
    assert all(char.isprintable() for char in plain)
    assert all(font(18).getlength(line) <= 300 for line in wrapped(plain, 18, 300))


def test_the_font_needs_no_file_of_the_system() -> None:
    assert isinstance(font(18), ImageFont.FreeTypeFont)
    assert font(18).getlength("SIMULATED") > 50


@pytest.mark.parametrize(("strength", "step"), [(1.0, 1), (1.49, 1), (1.5, 2), (2.9, 2), (3.0, 3), (50.0, 3)])
def test_strength_is_drawn_in_three_steps(strength: float, step: int) -> None:
    assert strength_step(replace(blob(0, 0), strength=strength)) == step


def test_real_scenes_show_water_dark_and_apron_bright(tmp_path: Path, real_data: Path) -> None:
    rasters = []
    for day, when in (("20150820", BEFORE), ("20171003", AFTER)):
        with rasterio.open(real_data / "crops_utm" / f"beirut_airport_S2L1C_{day}.tif", driver="GTiff") as source:
            data = source.read([1, 2, 3, 4]).astype(np.float32) / 1e4
            grid = Grid(crs=str(source.crs), transform=source.transform, width=source.width, height=source.height)
        rasters.append(make_raster(grid, when, data=data))
    write_pictures(make_result(grid, before=rasters[0], after=rasters[1], flags=(), zones=()), tmp_path)
    for name in ("before.png", "after.png"):
        picture = _read(tmp_path / name).astype(int)
        water, apron = picture[600:750, 60:300], picture[675:700, 800:830]
        assert water.mean() < 70
        assert apron.mean() > 110
