"""Loose rasters to scenes: numbers, grids and facts come through unchanged, and mistakes are named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rio_cogeo.cogeo import cog_validate
from shapely.geometry import box, shape

from aoi import AOI, Grid
from imagery.errors import RefusedFileError, SceneError
from imagery.importer import Acquisition, import_rasters, parse_date
from imagery.scene import Period, Scene
from imagery.sources.folder import FolderSource
from revisit.cli.main import call
from tests.rasters import CORNER, grid, numbers, snapshot, write_raster

EVERYWHERE = AOI(name="everywhere", geometry=box(-180, -90, 180, 90))
ALWAYS = [Period(start=datetime(2015, 1, 1, tzinfo=UTC), end=datetime(2030, 1, 1, tzinfo=UTC))]
ABOUT = Acquisition(sensor="s2", acquired=datetime(2024, 12, 7, 8, 20, tzinfo=UTC), scale=1e-4, offset=-0.1, nodata=0)
CITIES = ("beirut", "pisa", "mumbai", "abudhabi")
BANDS = ("B02", "B03", "B04", "B08")


def scenes(folder: Path) -> tuple[Scene, ...]:
    """Return all scenes of a folder, which must be free of warnings."""
    found = FolderSource(folder).search(EVERYWHERE, ALWAYS, sensor="s2")
    assert found.warnings == ()
    return found.scenes


def test_one_band_a_file(tmp_path: Path) -> None:
    files = [write_raster(tmp_path / f"{k}.tif", numbers(seed=k)) for k in range(2)]
    out = tmp_path / "out"
    import_rasters(files, ["B08", "B02"], about=replace(ABOUT, offset=0.01), out=out)
    (scene,) = scenes(out)
    raster = FolderSource(out).read(scene, grid(), ("B08", "B02"))
    expected = np.stack([numbers(seed=k) for k in range(2)]) * 1e-4 + 0.01
    np.testing.assert_allclose(raster.data, expected, atol=1e-6)


def test_several_bands_a_file_and_files_of_different_grids(tmp_path: Path) -> None:
    first = write_raster(tmp_path / "a.tif", np.stack([numbers(seed=1), numbers(seed=2)]))
    coarse = Affine(20, 0, CORNER[0], 0, -20, CORNER[1])
    second = write_raster(tmp_path / "b.tif", numbers(20, 30, seed=3), transform=coarse)
    path = import_rasters([first, second], ["B02", "B03", "B11"], about=ABOUT, out=tmp_path / "out")
    for band, seed, size in (("B02", 1, (40, 60)), ("B03", 2, (40, 60)), ("B11", 3, (20, 30))):
        copy = path.with_suffix("") / f"{band}.tif"
        assert cog_validate(copy, strict=True)[0]
        with rasterio.open(copy) as file:
            np.testing.assert_array_equal(file.read(1), numbers(*size, seed=seed))
            assert (file.dtypes, file.nodata, file.descriptions) == (("uint16",), 0, (band,))


def test_what_is_stated_stands_in_the_scene(tmp_path: Path) -> None:
    stated = replace(
        ABOUT, platform="sentinel-2b", relative_orbit=121, direction="descending", processing_baseline="05.11"
    )
    import_rasters([write_raster(tmp_path / "a.tif", numbers())], ["B02"], about=stated, out=tmp_path / "out")
    (scene,) = scenes(tmp_path / "out")
    assert scene.acquired == ABOUT.acquired
    facts = (scene.platform, scene.relative_orbit, scene.direction, scene.processing_baseline)
    assert facts == ("sentinel-2b", 121, "descending", "05.11")
    assert (scene.assets["B02"].scale, scene.assets["B02"].offset, scene.assets["B02"].nodata) == (1e-4, -0.1, 0)


def test_the_item_is_one_for_others_too(tmp_path: Path) -> None:
    path = import_rasters([write_raster(tmp_path / "a.tif", numbers())], ["B02"], about=ABOUT, out=tmp_path / "out")
    item = pystac.Item.from_file(str(path))
    assert item.id == path.stem
    # The schemas of the core come with pystac; those of the extensions would have to be fetched.
    item.stac_extensions = []
    assert item.validate()
    to_map = Transformer.from_crs(4326, 32636, always_xy=True)
    west, south, east, north = grid().bounds
    outline = shape(item.geometry)
    xs, ys = to_map.transform(*np.array(outline.exterior.coords).T)
    assert (min(xs), min(ys), max(xs), max(ys)) == pytest.approx((west, south, east, north), abs=1e-3)
    assert outline.exterior.is_ccw
    assert item.bbox == pytest.approx(list(outline.bounds))
    assert Path(item.assets["B02"].get_absolute_href() or "").is_file()


def test_calls_add_up_and_the_same_again_needs_force(tmp_path: Path) -> None:
    file, out = write_raster(tmp_path / "a.tif", numbers()), tmp_path / "out"
    path = import_rasters([file], ["B02"], about=ABOUT, out=out)
    import_rasters([file], ["B02"], about=replace(ABOUT, acquired=datetime(2024, 12, 17, tzinfo=UTC)), out=out)
    elsewhere = write_raster(tmp_path / "b.tif", numbers(), transform=Affine(10, 0, CORNER[0] + 10, 0, -10, CORNER[1]))
    import_rasters([elsewhere], ["B02"], about=ABOUT, out=out)
    assert len(scenes(out)) == 3
    before = snapshot(out)
    with pytest.raises(SceneError, match=r"is there already: .* --force replaces it"):
        import_rasters([file], ["B03"], about=ABOUT, out=out)
    assert snapshot(out) == before
    assert import_rasters([file], ["B03"], about=ABOUT, out=out, force=True) == path
    assert [set(scene.assets) for scene in scenes(out) if scene.href == str(path)] == [{"B03"}]
    assert [p for p in out.iterdir() if p.name.startswith(".")] == []


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", numbers())
    paths = [import_rasters([file], ["B02"], about=ABOUT, out=tmp_path / name) for name in ("one", "two")]
    first, second = ({p.name: p.read_bytes() for p in path.parent.rglob("*.*") if p.is_file()} for path in paths)
    assert first == second
    assert len(first) == 2


@pytest.mark.parametrize(
    ("bands", "changes", "reason"),
    [
        (["B02", "B02"], {}, "must be different ones of B01, B02"),
        (["B02", "VV"], {}, "must be different ones of B01, B02"),
        (["B02", "blue"], {}, "must be different ones of B01, B02"),
        (["B02"], {}, r"1 bands are named, but the files hold 2 \(one.tif 1, two.tif 1\)"),
        (["B02", "B03", "B04"], {}, "3 bands are named, but the files hold 2"),
        (["B02", "B03"], {"scale": None}, r"one\.tif holds uint16 numbers: --scale and --offset are needed"),
        (["B02", "B03"], {"offset": None}, r"one\.tif holds uint16 numbers: --scale and --offset are needed"),
        (["B02", "B03"], {"nodata": -9999}, "none of which can be the nodata -9999"),
        (["B02", "B03"], {"offset": -1000.0}, "make no physical unit"),
        (["B02", "B03"], {"processing_baseline": "5"}, "s2:processing_baseline is '5'"),
        (["B02", "B03"], {"relative_orbit": 500}, "sat:relative_orbit is '500'"),
        (["B02", "B03"], {"platform": "a/b"}, "platform is 'a/b'"),
    ],
)
def test_mistakes_are_named_and_leave_nothing(
    tmp_path: Path, bands: list[str], changes: dict[str, Any], reason: str
) -> None:
    files = [write_raster(tmp_path / f"{name}.tif", numbers()) for name in ("one", "two")]
    with pytest.raises(SceneError, match=reason):
        import_rasters(files, bands, about=replace(ABOUT, **changes), out=tmp_path / "out")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("how", ["name", "description"])
def test_bands_in_the_wrong_order_are_noticed(tmp_path: Path, how: str) -> None:
    if how == "name":
        files = [write_raster(tmp_path / f"T36SYD_{band}.tif", numbers()) for band in ("B02", "B03")]
    else:
        files = [write_raster(tmp_path / "both.tif", np.stack([numbers(), numbers()]))]
        with rasterio.open(files[0], "r+") as file:
            file.descriptions = ("B02", "B03")
    with pytest.raises(SceneError, match="calls itself B02, but B03 is given for it"):
        import_rasters(files, ["B03", "B02"], about=ABOUT, out=tmp_path / "out")
    import_rasters(files, ["B02", "B03"], about=ABOUT, out=tmp_path / "out")


def test_a_file_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    good, bad = (write_raster(tmp_path / f"{name}.tif", numbers(160, 160), compress="deflate") for name in ("a", "bad"))
    bad.write_bytes(bad.read_bytes()[:5_000] + bytes(10_000) + bad.read_bytes()[15_000:])
    with pytest.raises(RefusedFileError, match=r"bad\.tif: truncated or damaged"):
        import_rasters([good, bad], ["B02", "B03"], about=ABOUT, out=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "moment", "day_only"),
    [
        ("2024-12-07", datetime(2024, 12, 7, tzinfo=UTC), True),
        ("20241207", datetime(2024, 12, 7, tzinfo=UTC), True),
        ("2024-12-07T08:20:11Z", datetime(2024, 12, 7, 8, 20, 11, tzinfo=UTC), False),
        ("2024-12-07T10:20:11+02:00", datetime(2024, 12, 7, 8, 20, 11, tzinfo=UTC), False),
        ("2024-12-07 08:20", datetime(2024, 12, 7, 8, 20, tzinfo=UTC), False),
    ],
)
def test_dates(text: str, moment: datetime, day_only: bool) -> None:
    assert parse_date(text) == (moment, day_only)


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "07.12.2024"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(SceneError, match="give 2024-12-07"):
        parse_date(text)


def test_the_command_prints_where_the_item_lies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_raster(tmp_path / "a.tif", numbers())
    options = "--sensor s2 --date 2024-12-07 --bands B02 --scale 1e-4 --offset -0.1 --orbit 121 --direction descending"
    out = tmp_path / "out"
    assert call(["import", str(file), *options.split(), "-o", str(out)]) == 0
    printed = Path(capsys.readouterr().out.strip())
    assert printed.parent == out
    properties = json.loads(printed.read_text())["properties"]
    assert properties["sat:relative_orbit"] == 121
    assert properties["revisit:day_only"] is True


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("--sensor s3 --bands B02 --scale 1 --offset 0", "--sensor 's3' is not known; give s2 or s1"),
        ("--sensor s2 --bands B02 --scale 1 --offset 0 --direction up", "--direction 'up' is not known"),
        ("--sensor s2 --bands B02", "--scale and --offset are needed"),
        ("--sensor s2 --bands , --scale 1 --offset 0", "0 bands are named"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: str, reason: str
) -> None:
    file = write_raster(tmp_path / "a.tif", numbers())
    code = call(["import", str(file), "--date", "2024-12-07", *options.split(), "-o", str(tmp_path / "out")])
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("revisit:")]
    assert code == 2
    assert len(said) == 1
    assert reason in said[0]


def real_dates(city: Path) -> Iterator[tuple[str, list[Path]]]:
    """Yield the day and the files of the two dates of a city."""
    days = [line.split(":")[1].strip() for line in (city / "dates.txt").read_text().splitlines() if ":" in line]
    for number, day in enumerate(days, 1):
        folder = city / f"imgs_{number}"
        yield day, [next(folder.glob(f"*_{band}.tif")) for band in BANDS]


def lookup(path: Path, grid: Grid) -> NDArray[np.float64]:
    """Return the file's nearest numbers at the grid's pixels, by pyproj alone."""
    with rasterio.open(path) as file:
        pixels, t = file.read(1), file.transform
        to_file = Transformer.from_crs(grid.crs, file.crs, always_xy=True)
    row, col = np.mgrid[: grid.height, : grid.width] + 0.5
    g = grid.transform
    x, y = to_file.transform(g.c + g.a * col, g.f + g.e * row)
    return np.asarray(pixels[((y - t.f) / t.e).astype(int), ((x - t.c) / t.a).astype(int)] * 1e-4)


@pytest.mark.parametrize("city", CITIES)
def test_real_cities_come_through(real_data: Path, tmp_path: Path, city: str) -> None:
    about = replace(ABOUT, offset=0.0)
    for day, files in real_dates(real_data / "oscd" / city):
        path = import_rasters(files, BANDS, about=replace(about, acquired=parse_date(day)[0]), out=tmp_path)
        with rasterio.open(path.with_suffix("") / "B04.tif") as copy, rasterio.open(files[2]) as original:
            np.testing.assert_array_equal(copy.read(1), original.read(1))
            assert (copy.crs, copy.transform) == (original.crs, original.transform)
    both = scenes(tmp_path)
    assert len(both) == 2
    centre = both[0].footprint.centroid
    utm = 32600 + int((centre.x + 180) // 6) + 1
    x, y = Transformer.from_crs(4326, utm, always_xy=True).transform(centre.x, centre.y)
    place = Grid.from_bounds((x - 1500, y - 1500, x + 1500, y + 1500), crs=f"EPSG:{utm}", gsd=10)
    for scene in both:
        raster = FolderSource(tmp_path).read(scene, place, BANDS)
        assert raster.valid.mean() > 0.999
        expected = lookup(Path(scene.assets["B04"].href), place)
        assert np.corrcoef(raster.data[2][raster.valid], expected[raster.valid])[0, 1] > 0.9


def test_real_crops_of_several_bands_come_through(real_data: Path, tmp_path: Path) -> None:
    names = [*BANDS, "B11", "B12"]
    files = sorted((real_data / "crops_utm").glob("*_S2L1C_*.tif"))
    assert len(files) == 6
    for file in files:
        acquired = parse_date(file.stem.split("_")[-1])[0]
        import_rasters([file], names, about=replace(ABOUT, offset=0.0, acquired=acquired), out=tmp_path)
    assert len(scenes(tmp_path)) == 6
    with rasterio.open(files[0]) as file:
        expected = file.read(4) * 1e-4
        place = Grid(crs=str(file.crs), transform=file.transform, width=file.width, height=file.height)
    source = FolderSource(tmp_path)
    (scene,) = (
        s for s in scenes(tmp_path) if s.footprint.contains(box(*place_lonlat(place))) and s.acquired.year == 2015
    )
    np.testing.assert_allclose(source.read(scene, place, ("B08",)).data[0], expected, atol=1e-6)


def place_lonlat(place: Grid) -> tuple[float, float, float, float]:
    """Return the middle of a grid as a small box in degrees."""
    west, south, east, north = place.bounds
    x, y = Transformer.from_crs(place.crs, 4326, always_xy=True).transform((west + east) / 2, (south + north) / 2)
    return x, y, x + 1e-4, y + 1e-4
