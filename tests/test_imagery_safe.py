"""Sentinel-2 products: the same surface comes back from every level, baseline and format."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer
from shapely.geometry import box

from aoi import AOI
from imagery.errors import SceneError
from imagery.scene import Period, Scene
from imagery.sources.folder import FolderSource
from tests.safe_fixture import BANDS, GRID, SIZE, Safe, surface, write_safe, zip_folder

EVERYWHERE = AOI(name="everywhere", geometry=box(-180, -90, 180, 90))
ALWAYS = [Period(start=datetime(2015, 1, 1, tzinfo=UTC), end=datetime(2030, 1, 1, tzinfo=UTC))]
OLD, EARLY, LATE = Safe(baseline="02.09", offset=None), Safe(baseline="04.00"), Safe(baseline="05.11")


def the_scene(folder: Path) -> Scene:
    """Return the only scene of a folder."""
    found = FolderSource(folder).search(EVERYWHERE, ALWAYS, sensor="s2")
    assert len(found.scenes) == 1, found.warnings
    return found.scenes[0]


def offsets(scene: Scene) -> set[float]:
    """Return the offsets of the reflective bands."""
    return {asset.offset for band, asset in scene.assets.items() if band != "SCL"}


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize("safe", [OLD, EARLY, LATE, OLD.with_(old=True)], ids=["02.09", "04.00", "05.11", "old-format"])
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_equal_surface_gives_equal_reflectance(tmp_path: Path, level: str, safe: Safe, packed: bool) -> None:
    top = write_safe(tmp_path / "made", safe.with_(level=level))
    folder = tmp_path / "made"
    if packed:
        folder = tmp_path / "zips"
        folder.mkdir()
        zip_folder(top, folder / "product.zip")
    scene = the_scene(folder)
    raster = FolderSource(folder).read(scene, GRID, BANDS)
    assert raster.valid.all()
    np.testing.assert_allclose(raster.data, surface(), atol=1e-7)
    assert raster.quantity == "reflectance"
    assert offsets(scene) == {0.0 if safe.offset is None else -0.1}


def test_what_the_metadata_say_stands_in_the_scene(tmp_path: Path) -> None:
    write_safe(tmp_path, LATE)
    scene = the_scene(tmp_path)
    assert scene.id == "S2A_MSIL2A_20241207T082000_N0511_R121_T36SYD_20241207T101500"
    assert scene.acquired == datetime(2024, 12, 7, 8, 26, 10, 540000, tzinfo=UTC)
    assert (scene.platform, scene.relative_orbit, scene.direction) == ("sentinel-2a", 121, "descending")
    assert (scene.level, scene.processing_baseline) == ("L2A", "05.11")
    assert (scene.sun_elevation_deg, scene.sun_azimuth_deg) == (31.5, 163.25)
    assert set(scene.assets) == {*BANDS, "SCL"}
    assert scene.notes == ()


def test_the_footprint_is_the_tile(tmp_path: Path) -> None:
    write_safe(tmp_path, LATE)
    to_lonlat = Transformer.from_crs(32636, 4326, always_xy=True)
    west, south, east, north = GRID.bounds
    corners = [to_lonlat.transform(x, y) for x in (west, east) for y in (south, north)]
    lons, lats = zip(*corners, strict=True)
    assert the_scene(tmp_path).footprint.bounds == pytest.approx((min(lons), min(lats), max(lons), max(lats)), abs=1e-9)


def outline(west: float, south: float, east: float, north: float) -> str:
    """Return a box of map coordinates as ESA's list of latitudes and longitudes."""
    corners = [(west, north), (east, north), (east, south), (west, south), (west, north)]
    points = [Transformer.from_crs(32636, 4326, always_xy=True).transform(*corner) for corner in corners]
    return " ".join(f"{lat:.12f} {lon:.12f}" for lon, lat in points)


def test_the_footprint_ends_where_the_swath_ends(tmp_path: Path) -> None:
    west, south, east, north = GRID.bounds
    write_safe(tmp_path, LATE.with_(outline=outline(west - 5000, south - 5000, (west + east) / 2, north + 5000)))
    write_safe(tmp_path / "whole", LATE.with_(day="20241217"))
    half, whole = FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s2").scenes
    assert half.footprint.area / whole.footprint.area == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("text", ["", "1 2 3", "a b c d e f g h", "35 35 35 35 35 35 35 35", "1 " * 5000])
def test_an_outline_that_is_none_leaves_the_tile(tmp_path: Path, text: str) -> None:
    write_safe(tmp_path, LATE)
    write_safe(tmp_path, LATE.with_(day="20241217", outline=text))
    first, second = FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s2").scenes
    assert first.footprint.equals(second.footprint)


def test_an_old_product_has_a_scene_for_each_granule(tmp_path: Path) -> None:
    top = write_safe(tmp_path, OLD.with_(old=True, level="L1C"))
    granule = next((top / "GRANULE").iterdir())
    shutil.copytree(granule, granule.with_name(granule.name.replace("36SYD", "36SYE")))
    scenes = FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s2").scenes
    assert [scene.id for scene in scenes] == [f"{top.name[:-5]}_36SYD", f"{top.name[:-5]}_36SYE"]
    assert all("36SYE" in asset.href for asset in scenes[1].assets.values())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("EPSG:32636", "EPSG:4326", "HORIZONTAL_CS_CODE is 'EPSG:4326'; a UTM zone"),
        ("<ULX>700000", "<ULX>far", "ULX is 'far', no number"),
        ("<ULX>700000", "<ULX>nan", "ULX is 'nan', no number"),
        ("<ULX>700000", "<ULX>1e12", "lies outside EPSG:32636"),
        ("<NROWS>120", "<NROWS>120000000", "at most 200 km are expected"),
        ("<Size", "<Saiz", "not XML"),
        ("Geoposition", "Place", "no Size or no Geoposition"),
        ("2024-12-07T08:26", "yesterday", "SENSING_TIME is 'yesterday"),
        ("58.5", "low", "ZENITH_ANGLE is 'low', no number"),
    ],
)
def test_a_tile_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = next(write_safe(tmp_path, LATE).rglob("MTD_TL.xml"))
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SceneError, match=reason):
        FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s2")


def test_the_finest_image_of_a_band_is_used(tmp_path: Path) -> None:
    write_safe(tmp_path, LATE)
    assert the_scene(tmp_path).assets["B02"].href.endswith("_B02_10m.jp2")


def test_l1c_says_that_clouds_are_not_masked(tmp_path: Path) -> None:
    write_safe(tmp_path, LATE.with_(level="L1C"))
    assert the_scene(tmp_path).notes == ("no scene classification: clouds are not masked",)


def test_the_classification_is_read_at_its_own_spacing(tmp_path: Path) -> None:
    classes = np.full((SIZE // 2, SIZE // 2), 5, np.uint8)
    classes[:5] = 3
    write_safe(tmp_path, LATE.with_(classes=classes))
    valid = FolderSource(tmp_path).read(the_scene(tmp_path), GRID, BANDS).valid
    # Ten rows of shadow and 50 m around it.
    assert not valid[:15].any()
    assert valid[15:].all()


@pytest.mark.parametrize(
    ("safe", "reason"),
    [
        (LATE.with_(offset=None), "has radiometric offsets, but the metadata do not list them"),
        (LATE.with_(quantification=1000), "BOA_QUANTIFICATION_VALUE is 1000"),
        (LATE.with_(level="L1C", quantification=1000), "QUANTIFICATION_VALUE is 1000"),
        (LATE.with_(baseline="99.99"), "PROCESSING_BASELINE '99.99' is not known"),
        (LATE.with_(baseline="latest"), "PROCESSING_BASELINE 'latest' is not known"),
        (LATE.with_(omitted_bands=("B08",)), "none for B08"),
        (LATE.with_(offset=-100_000), "more than full reflectance"),
    ],
)
def test_metadata_that_cannot_be_right_are_refused(tmp_path: Path, safe: Safe, reason: str) -> None:
    write_safe(tmp_path, safe.with_(picture=np.full((4, SIZE, SIZE), 0.1)))
    with pytest.raises(SceneError, match=reason):
        FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s2")


def test_the_offset_is_never_taken_from_the_date(tmp_path: Path) -> None:
    # An old date processed anew has the offset, a new date of an old baseline has none.
    write_safe(tmp_path, LATE.with_(day="20160101"))
    write_safe(tmp_path, OLD.with_(day="20240101"))
    scenes = FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s2").scenes
    assert [offsets(scene) for scene in scenes] == [{-0.1}, {0.0}]


def test_a_listed_offset_outweighs_an_old_baseline(tmp_path: Path) -> None:
    write_safe(tmp_path, Safe(baseline="03.01", offset=-1000))
    assert offsets(the_scene(tmp_path)) == {-0.1}


def test_nodata_and_saturation_of_a_product_are_not_valid(tmp_path: Path) -> None:
    picture = surface()
    picture[:, :10] = -0.1
    picture[1, 50, 50] = 6.4535
    write_safe(tmp_path, LATE.with_(picture=picture))
    raster = FolderSource(tmp_path).read(the_scene(tmp_path), GRID, BANDS)
    expected = np.ones((SIZE, SIZE), bool)
    expected[:10] = False
    expected[50, 50] = False
    np.testing.assert_array_equal(raster.valid, expected)


@pytest.mark.parametrize("missing", ["MTD_MSIL2A.xml", "GRANULE/L2A_T36SYD_A006000/MTD_TL.xml"])
def test_a_product_without_metadata_is_left_out_beside_a_good_one(tmp_path: Path, missing: str) -> None:
    write_safe(tmp_path, LATE)
    bad = write_safe(tmp_path, LATE.with_(day="20241217"))
    (bad / missing).unlink()
    found = FolderSource(tmp_path).search(EVERYWHERE, ALWAYS, sensor="s2")
    assert [scene.acquired.day for scene in found.scenes] == [7]
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith(f"{bad.name}: has ")
    assert found.complete
