"""A folder of scenes: what is found, what is left out and why, and what is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import box

from aoi import AOI, Grid
from imagery.errors import RefusedFileError, SceneError
from imagery.files import MAX_DEPTH
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Source
from imagery.sources.folder import FolderSource
from tests import scenery
from tests.rasters import CORNER, write_raster
from tests.safe_fixture import Safe, write_safe, zip_folder
from tests.scenery import BANDS, SIZE, Pass, write_scenes

EVERYWHERE = AOI(name="everywhere", geometry=box(-180, -90, 180, 90))
ALWAYS = [Period(start=datetime(2015, 1, 1, tzinfo=UTC), end=datetime(2030, 1, 1, tzinfo=UTC))]
GRID = Grid(crs="EPSG:32636", transform=Affine(10, 0, CORNER[0], 0, -10, CORNER[1]), width=SIZE, height=SIZE)
FIRST, SECOND = Pass(day="2024-12-07"), Pass(day="2024-12-17")

_: type[Source] = FolderSource


def ids(folder: Path, aoi: AOI = EVERYWHERE, sensor: str = "s2") -> list[str]:
    """Return the ids of what is found."""
    return [scene.id for scene in FolderSource(folder).search(aoi, ALWAYS, sensor=sensor).scenes]


def read_only(folder: Path, grid: Grid = GRID, bands: tuple[str, ...] = BANDS, sensor: str = "s2") -> Raster:
    """Read the only scene of a folder."""
    source = FolderSource(folder)
    (scene,) = source.search(EVERYWHERE, ALWAYS, sensor=sensor).scenes
    return source.read(scene, grid, bands)


def test_scenes_come_oldest_first_from_any_depth(tmp_path: Path) -> None:
    write_scenes(tmp_path / "a" / "b" / "c", SECOND)
    write_scenes(tmp_path / "z", FIRST)
    write_safe(tmp_path / "products", Safe(day="20241212"))
    zip_folder(write_safe(tmp_path / ".hidden", Safe(day="20241202")), tmp_path / "product.zip")
    found = FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s2")
    assert [scene.acquired.day for scene in found.scenes] == [2, 7, 12, 17]
    assert (found.complete, found.warnings) == (True, ())


def test_what_is_read_is_what_was_put_there(tmp_path: Path) -> None:
    one = Pass(day="2024-12-07", block=True)
    raster = read_only(write_scenes(tmp_path, one))
    assert raster.valid.all()
    assert not raster.uncertain.any()
    np.testing.assert_allclose(raster.data, scenery.picture(one)[0], atol=0.51e-4)
    assert (raster.bands, raster.quantity, raster.scene_ids) == (BANDS, "reflectance", (one.id,))


def test_bands_come_in_the_order_asked_for(tmp_path: Path) -> None:
    raster = read_only(write_scenes(tmp_path, FIRST), bands=("B08", "B02"))
    expected = scenery.picture(FIRST)[0]
    np.testing.assert_allclose(raster.data, expected[[3, 0]], atol=0.51e-4)


def test_a_band_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"has no band B11; it has B02, B03, B04, B08"):
        read_only(write_scenes(tmp_path, FIRST), bands=("B02", "B11"))


@pytest.mark.parametrize(("hours", "found"), [(0, True), (-1, False), (1, False)])
def test_both_ends_of_a_period_belong_to_it(tmp_path: Path, hours: int, found: bool) -> None:
    moment = datetime(2024, 12, 7, 8, 20, tzinfo=UTC) + timedelta(hours=hours)
    source = FolderSource(write_scenes(tmp_path, FIRST))
    scenes = source.search(EVERYWHERE, [Period(start=moment, end=moment)], sensor="s2").scenes
    assert bool(scenes) == found


def test_a_scene_that_touches_no_area_is_said_to_lie_elsewhere(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path, FIRST, SECOND)
    west, south = scenery.lonlat(0, SIZE)
    assert ids(folder, AOI(name="near", geometry=box(west - 1, south - 1, west + 0.001, south + 0.001))) != []
    found = FolderSource(folder).search(AOI(name="far", geometry=box(10, 50, 11, 51)), ALWAYS, sensor="s2")
    assert (found.scenes, found.complete) == ((), True)
    assert "none of the folder's 2 scenes touches far" in found.warnings[0]
    assert "10.0000 50.0000 11.0000 51.0000" in found.warnings[0]


def test_what_is_no_item_is_passed_over_and_what_is_broken_is_named(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path, FIRST)
    (folder / "catalog.json").write_text('{"type": "Catalog", "stac_version": "1.0.0"}')
    (folder / "list.json").write_text("[1, 2]")
    (folder / "broken.json").write_text('{"type": "Feature",')
    (folder / ".hidden.json").write_text("{")
    found = FolderSource(folder).search(EVERYWHERE, ALWAYS, sensor="s2")
    assert [scene.id for scene in found.scenes] == [FIRST.id]
    assert [line.partition(":")[0] for line in found.warnings] == ["broken.json"]


def test_a_scene_that_comes_twice_counts_once(tmp_path: Path) -> None:
    write_scenes(tmp_path / "a", FIRST)
    write_scenes(tmp_path / "b", FIRST)
    found = FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s2")
    assert [scene.href for scene in found.scenes] == [str(tmp_path / "a" / f"{FIRST.id}.json")]
    assert "comes twice" in found.warnings[0]


def test_an_empty_folder_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"neither STAC Items .* nor Sentinel-2 products .* `revisit import`"):
        ids(tmp_path)


def test_a_folder_of_bad_things_lists_the_reasons(tmp_path: Path) -> None:
    for k in range(7):
        (tmp_path / f"{k}.json").write_text("{")
    with pytest.raises(SceneError, match=r"no scene that can be used: 0\.json: not JSON.*; and 2 more"):
        ids(tmp_path)


def test_a_folder_that_is_none_is_refused_at_the_search(tmp_path: Path) -> None:
    source = FolderSource(tmp_path / "nowhere")
    assert source.name == f"folder:{tmp_path / 'nowhere'}"
    with pytest.raises(RefusedFileError, match="nowhere is not a folder"):
        source.search(EVERYWHERE, ALWAYS, sensor="s2")


def test_depth_is_bounded(tmp_path: Path) -> None:
    write_scenes(tmp_path, FIRST)
    write_scenes(tmp_path.joinpath(*["d"] * (MAX_DEPTH + 1)), SECOND)
    found = FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s2")
    assert [scene.id for scene in found.scenes] == [FIRST.id]
    assert f"more than {MAX_DEPTH} levels down" in found.warnings[0]


def test_links_inside_the_folder_are_fine(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path, FIRST)
    band = folder / FIRST.id / "B02.tif"
    band.rename(folder / "store.tif")
    band.symlink_to(folder / "store.tif")
    assert read_only(folder).valid.all()


def test_cloud_is_not_valid_with_the_ground_around_it(tmp_path: Path) -> None:
    raster = read_only(write_scenes(tmp_path, Pass(day="2024-12-07", cloud=slice(40, 80))))
    np.testing.assert_array_equal(
        raster.valid, np.repeat([True, False, True], [35, 50, 75])[:, None] | np.zeros(SIZE, bool)
    )


def edit_numbers(folder: Path, change: Any, *, nodata: int | None, offset: float = -0.1) -> None:
    """Rewrite the bands of FIRST with other numbers, nodata and offset."""
    picture = scenery.picture(FIRST)[0]
    path = folder / f"{FIRST.id}.json"
    item = json.loads(path.read_text())
    numbers = np.round((picture - offset) / 1e-4).astype(np.uint16)
    change(numbers)
    for band, pixels in zip(BANDS, numbers, strict=True):
        write_raster(folder / FIRST.id / f"{band}.tif", pixels, nodata=nodata)
        item["assets"][band]["raster:bands"] = [{"data_type": "uint16", "scale": 1e-4, "offset": offset}]
        if nodata is not None:
            item["assets"][band]["raster:bands"][0]["nodata"] = nodata
    path.write_text(json.dumps(item))


WEDGE = np.add.outer(np.arange(SIZE), 2 * np.arange(SIZE)) < SIZE
PLACES = {"plain": GRID, "shifted": GRID.padded(-20)}


@pytest.mark.parametrize("offset", [-0.1, 0.0])
@pytest.mark.parametrize("nodata", [0, None], ids=["declared", "undeclared"])
def test_a_wedge_without_data_is_not_valid(tmp_path: Path, nodata: int | None, offset: float) -> None:
    folder = write_scenes(tmp_path, FIRST)

    def cut(numbers: NDArray[np.uint16]) -> None:
        numbers[:, WEDGE] = 0

    edit_numbers(folder, cut, nodata=nodata, offset=offset)
    raster = read_only(folder)
    np.testing.assert_array_equal(raster.valid, ~WEDGE)
    np.testing.assert_allclose(raster.data[:, ~WEDGE], scenery.picture(FIRST)[0][:, ~WEDGE], atol=0.51e-4)


@pytest.mark.parametrize("offset", [-0.1, 0.0])
@pytest.mark.parametrize("nodata", [0, None], ids=["declared", "undeclared"])
def test_no_edge_of_a_wedge_survives_a_resampling(tmp_path: Path, nodata: int | None, offset: float) -> None:
    folder = write_scenes(tmp_path, FIRST)

    def cut(numbers: NDArray[np.uint16]) -> None:
        numbers[:] = np.round((np.array([0.1, 0.13, 0.16, 0.2])[:, None, None] - offset) / 1e-4)
        numbers[:, WEDGE] = 0

    edit_numbers(folder, cut, nodata=nodata, offset=offset)
    between = Grid(
        crs=GRID.crs, transform=Affine(10, 0, CORNER[0] + 205, 0, -10, CORNER[1] - 204), width=100, height=100
    )
    raster = read_only(folder, between)
    assert 0.5 < raster.valid.mean() < 0.9
    spread = np.nanmax(raster.data, axis=(1, 2)) - np.nanmin(raster.data, axis=(1, 2))
    assert spread.max() < 1e-6


def test_water_clamped_to_zero_in_some_bands_stays_valid(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path, FIRST)

    def darken(numbers: NDArray[np.uint16]) -> None:
        numbers[:, 60:100, 60:100] = np.array([300, 200, 60, 20])[:, None, None]
        numbers[3, 70:90, 70:90] = 0
        numbers[:, 80, 80] = 0

    edit_numbers(folder, darken, nodata=0, offset=0.0)
    raster = read_only(folder)
    # Zero in every band is "no data", and the bands end on one line only to within 100 m.
    lost = np.zeros((SIZE, SIZE), bool)
    lost[70:90, 70:90] = True
    assert not raster.valid[80, 80]
    assert raster.valid[~lost].all()
    assert raster.valid.sum() == SIZE * SIZE - 400

    def darken_less(numbers: NDArray[np.uint16]) -> None:
        darken(numbers)
        numbers[:, 80, 80] = 200, 200, 60, 0

    edit_numbers(folder, darken_less, nodata=0, offset=0.0)
    assert read_only(folder).valid.all()


def test_zero_under_water_is_no_data_where_an_offset_is_to_come(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path, FIRST)

    def punch(numbers: NDArray[np.uint16]) -> None:
        numbers[3, 70:72, 70:72] = 0

    edit_numbers(folder, punch, nodata=None)
    assert np.argwhere(~read_only(folder).valid).tolist() == [[70, 70], [70, 71], [71, 70], [71, 71]]


def test_an_offset_that_was_taken_off_before_is_noticed(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path, FIRST)

    def take_off(numbers: NDArray[np.uint16]) -> None:
        numbers[:, :20] = 1300
        numbers -= 1000

    edit_numbers(folder, take_off, nodata=0)
    with pytest.raises(SceneError, match="the pixels seem to have had it taken off already"):
        read_only(folder)


def write_radar(folder: Path, power: NDArray[Any], **described: Any) -> Path:
    """Write a Sentinel-1 scene of two equal bands."""
    one = Pass(day="2024-12-07")
    (folder / one.id).mkdir(parents=True)
    assets = {}
    for band in ("VV", "VH"):
        write_raster(folder / one.id / f"{band}.tif", power)
        assets[band] = {"href": f"./{one.id}/{band}.tif", "raster:bands": [described]}
    item = scenery.stac_item(one, assets)
    del item["properties"]["s2:processing_baseline"]
    (folder / f"{one.id}.json").write_text(json.dumps(item))
    return folder


@pytest.mark.parametrize("between", [0.0, 4.0])
def test_radar_power_is_positive(tmp_path: Path, between: float) -> None:
    power = np.random.default_rng(0).gamma(4.4, 0.02, (SIZE, SIZE)).astype(np.float32)
    power[:, :10], power[10, 50], power[20, 50], power[30, 50] = 0, -32768, np.nan, -0.01
    write_radar(tmp_path, power, data_type="float32", nodata=-32768)
    place = Affine(10, 0, CORNER[0] + between, 0, -10, CORNER[1])
    grid = Grid(crs="EPSG:32636", transform=place, width=SIZE, height=SIZE)
    raster = read_only(tmp_path, grid, ("VV", "VH"), "s1")
    assert raster.quantity == "gamma0"
    assert raster.data[:, raster.valid].min() > 0
    assert not raster.valid[:, :10].any()
    assert not raster.valid[[10, 20, 30], 50].any()
    if not between:
        np.testing.assert_array_equal(raster.data[0][raster.valid], power[raster.valid])
        assert raster.valid.sum() == SIZE * (SIZE - 10) - 3


def test_radar_in_decibels_is_refused(tmp_path: Path) -> None:
    decibels = np.full((SIZE, SIZE), -15.0, np.float32)
    with pytest.raises(SceneError, match="100% of VV is negative, so it is no linear power"):
        read_only(write_radar(tmp_path, decibels, data_type="float32"), GRID, ("VV", "VH"), "s1")


def test_radar_in_whole_numbers_without_a_scale_is_refused(tmp_path: Path) -> None:
    write_radar(tmp_path, np.full((SIZE, SIZE), 200, np.uint8))
    found = FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s1")
    assert found.scenes == ()
    assert "uint8 numbers without scale and offset are no linear power" in found.warnings[0]


def test_sensors_are_kept_apart(tmp_path: Path) -> None:
    write_scenes(tmp_path / "optical", FIRST)
    write_radar(tmp_path / "radar", np.ones((SIZE, SIZE), np.float32), data_type="float32")
    item = tmp_path / "radar" / f"{FIRST.id}.json"
    item.write_text(item.read_text().replace(f'"id": "{FIRST.id}"', '"id": "S1"'))
    assert (ids(tmp_path), ids(tmp_path, sensor="s1")) == ([FIRST.id], ["S1"])


def test_scenes_can_be_read_long_after_the_search(tmp_path: Path) -> None:
    source = FolderSource(write_scenes(tmp_path, FIRST))
    scene: Scene = source.search(EVERYWHERE, ALWAYS, sensor="s2").scenes[0]
    (tmp_path / FIRST.id / "B02.tif").unlink()
    with pytest.raises(RefusedFileError, match=r"B02\.tif: there is no such file"):
        FolderSource(tmp_path).read(scene, GRID, BANDS)
