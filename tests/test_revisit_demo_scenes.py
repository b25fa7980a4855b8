"""The demo: true geometry, true sizes, honest noise, and a truth that the pictures agree with."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pystac
import pytest
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rio_cogeo.cogeo import cog_validate
from shapely.geometry import Polygon

from aoi import AOI, Zone
from aoi.formats import load_area
from aoi.geometry import to_crs, to_lonlat
from imagery.bands import SCL
from imagery.burn import burn
from revisit.demo import write_demo
from revisit.demo.layout import CRS, all_stands, pavement, scene_grid
from revisit.demo.passes import AFTER, BEFORE, Pass, calendar
from revisit.demo.scenes import write_scenes
from revisit.demo.surfaces import BANDS
from revisit.demo.traffic import plan_traffic

CLOUDY, HAZY = date(2024, 10, 23), date(2024, 11, 12)
END_17, END_35 = (35.947498, 35.413898), (35.949402, 35.388699)
"""Runway 17/35 of OSLK as OurAirports publishes it, longitude and latitude."""


class Written(NamedTuple):
    folder: Path
    truth: dict[str, Any]
    aoi: AOI


def on_map(points: list[tuple[float, float]]) -> NDArray[np.float64]:
    """Return lon/lat points in metres, by a way that does not pass through the code under test."""
    change = Transformer.from_crs("EPSG:4326", "EPSG:32636", always_xy=True)
    return np.array([change.transform(*point) for point in points])


def beside_runway(start: float, end: float, near: float, far: float) -> Polygon:
    """Return a lon/lat rectangle in metres along the runway from threshold 17, and east of its centre line."""
    first, last = on_map([END_17, END_35])
    along = (last - first) / math.dist(first, last)
    east = np.array([-along[1], along[0]])
    corners = [first + a * along + e * east for a, e in ((start, near), (end, near), (end, far), (start, far))]
    return to_lonlat(Polygon(corners), CRS)


@pytest.fixture(scope="module")
def small_base() -> AOI:
    shapes = {
        "apron-north": ("apron", (230, 690, 330, 600)),
        "helicopter-stands": ("hardstand", (420, 690, 100, 200)),
        "air-defence": ("other", (100, 480, -320, -65)),
        "revetments": ("revetment", (500, 770, -140, -60)),
        "runway": ("runway", (0, 800, -22.5, 22.5)),
    }
    zones = tuple(
        Zone(name=name, kind=kind, geometry=beside_runway(*sides), source="test", accuracy_m=1.0)
        for name, (kind, sides) in shapes.items()
    )
    return AOI(name="small base", geometry=beside_runway(50, 780, -330, 650), zones=zones)


def chosen_passes() -> list[Pass]:
    return [one for one in calendar() if one.acquired.date() in {CLOUDY, HAZY, date(2024, 11, 27), BEFORE, AFTER}]


@pytest.fixture(scope="module")
def written(small_base: AOI, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("demo") / "scenes"
    _, truth = write_scenes(folder, small_base, chosen_passes(), np.random.default_rng(7))
    return Written(folder, json.loads(truth.read_text(encoding="utf-8")), small_base)


def reflectance(written: Written, day: date) -> NDArray[np.float32]:
    """Return (band, row, col) of a date."""
    home = next(path for path in written.folder.iterdir() if path.is_dir() and f"{day:%Y%m%d}" in path.name)
    bands = [rasterio.open(home / f"{band}.tif").read(1) for band in BANDS]
    return np.stack(bands).astype(np.float32) * np.float32(1e-4) - np.float32(0.1)


def classes(written: Written, day: date) -> NDArray[np.uint8]:
    """Return the scene classification of a date on the 10 m grid."""
    home = next(path for path in written.folder.iterdir() if path.is_dir() and f"{day:%Y%m%d}" in path.name)
    return np.kron(rasterio.open(home / "SCL.tif").read(1), np.ones((2, 2), np.uint8))


def in_place(written: Written, day: date) -> NDArray[np.float32]:
    """Return the reflectance of a date with its registration error taken out by the truth."""
    image = reflectance(written, day)
    rows, cols = np.mgrid[: image.shape[1], : image.shape[2]].astype(np.float32)
    looks = next(s["looks_beyond_px"] for s in written.truth["scenes"] if f"{day:%Y%m%d}" in s["id"])
    return np.stack(
        [cv2.remap(b, cols - np.float32(looks[1]), rows - np.float32(looks[0]), cv2.INTER_CUBIC) for b in image]
    )


def pixel(written: Written, x: float, y: float) -> tuple[int, int]:
    """Return the (row, col) of a map point."""
    west, _, _, north = scene_grid(written.aoi).bounds
    return int((north - y) // 10), int((x - west) // 10)


def test_the_calendar_is_that_of_one_orbit() -> None:
    passes = calendar()
    days = [one.acquired.date() for one in passes]
    assert len(passes) == 16
    assert (days[0], days[-2:]) == (date(2024, 9, 3), [BEFORE, AFTER])
    assert {later - earlier for earlier, later in pairwise(days)} <= {timedelta(5), timedelta(10)}
    assert all(one.acquired.hour == 8 and 20 <= one.acquired.minute < 30 for one in passes)
    assert {one.platform for one in passes} == {"sentinel-2a", "sentinel-2b"}


def test_items_say_that_they_are_simulated_and_describe_their_files(written: Written) -> None:
    paths = sorted(written.folder.glob("S2*.json"))
    assert len(paths) == 5
    for path in paths:
        item = pystac.Item.from_file(path)
        # The schemas of the core come with pystac; those of the extensions would have to be fetched.
        item.stac_extensions = []
        assert item.validate()
        assert "SIMULATED" in item.id
        assert "SIMULATED" in item.properties["title"]
        assert "SIMULATED" in item.properties["description"]
        assert item.properties["simulated"] is True
        assert (item.properties["sat:relative_orbit"], item.properties["s2:processing_baseline"]) == (121, "05.11")
        assert set(item.assets) == {*BANDS, "SCL"}
        for name, asset in item.assets.items():
            with rasterio.open(path.parent / asset.href) as file:
                assert (file.crs.to_epsg(), file.nodata, file.descriptions) == (32636, 0, (name,))
                assert list(file.shape) == asset.extra_fields["proj:shape"]
                assert file.tags()["SIMULATED"]


def test_files_are_cloud_optimised(written: Written) -> None:
    for path in (written.folder / chosen_passes()[-1].item_id).glob("*.tif"):
        assert cog_validate(path)[0], path.name


def test_the_same_chance_gives_the_same_bytes(written: Written, tmp_path: Path) -> None:
    write_scenes(tmp_path, written.aoi, chosen_passes(), np.random.default_rng(7))
    hashes = [
        {p.relative_to(root): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()}
        for root in (written.folder, tmp_path)
    ]
    assert len(hashes[0]) == 5 * 6 + 1
    assert hashes[0] == hashes[1]


def test_the_runway_lies_where_it_is_published(written: Written) -> None:
    image = in_place(written, AFTER)[3]
    first, last = on_map([END_17, END_35])
    along = (last - first) / math.dist(first, last)
    east = np.array([-along[1], along[0]])
    profile = {}
    for offset in (-60.0, 0.0, 60.0):
        places = [first + step * along + offset * east for step in np.arange(60.0, 700.0, 10.0)]
        profile[offset] = np.median([image[pixel(written, *place)] for place in places])
    assert profile[0.0] < 0.6 * min(profile[-60.0], profile[60.0]), "asphalt is darker in the infrared than grass"


def test_a_transport_that_left_is_the_strongest_change_of_its_apron(written: Written) -> None:
    gone = next(o for o in written.truth["objects"] if o["class"] == "An-124" and o["change"] == "vanished")
    apron = next(zone for zone in written.aoi.zones if zone.kind == "apron")
    quiet = burn(apron.geometry, scene_grid(written.aoi))
    difference = np.abs(in_place(written, BEFORE) - in_place(written, AFTER)).sum(axis=0)
    mass = np.where(quiet, cv2.blur(difference, (7, 7)), 0)
    row, col = np.unravel_index(mass.argmax(), mass.shape)
    assert math.dist((row, col), pixel(written, gone["x"], gone["y"])) <= 4


def test_registration_errors_are_those_of_the_truth(written: Written) -> None:
    looks = {s["id"]: np.array(s["looks_beyond_px"]) for s in written.truth["scenes"]}
    before, after = (next(v for k, v in looks.items() if f"{day:%Y%m%d}" in k) for day in (BEFORE, AFTER))
    images = [reflectance(written, day)[:3].mean(axis=0) for day in (BEFORE, AFTER)]
    blurred = [cv2.GaussianBlur(image, (0, 0), 1.0) for image in images]
    slopes = np.stack([g.ravel() for g in np.gradient(blurred[0])])
    change = (blurred[1] - np.median(blurred[1]) - blurred[0] + np.median(blurred[0])).ravel()
    # What lies at p appears at p - look; the weight keeps real changes from pulling.
    weight = (np.abs(change) < 3 * np.std(change)).astype(float)
    moved = np.linalg.lstsq((slopes * weight).T, change * weight, rcond=None)[0]
    assert moved == pytest.approx(after - before, abs=0.12)


def test_clouds_are_bright_classified_and_cast_shadows(written: Written) -> None:
    image, found = reflectance(written, CLOUDY), classes(written, CLOUDY)
    clear = image[0][found == SCL.BARE]
    assert image[0][found == SCL.CLOUD_HIGH].min() > 0.3 > np.percentile(clear, 99)
    assert not np.isin(classes(written, BEFORE), (SCL.CLOUD_HIGH, SCL.CLOUD_SHADOW, SCL.CIRRUS)).any()


def test_haze_lifts_and_flattens_the_blue(written: Written) -> None:
    hazy, clear = reflectance(written, HAZY)[0], reflectance(written, date(2024, 11, 27))[0]
    assert np.median(hazy) > np.median(clear) + 0.02


def test_new_concrete_is_called_cloud_though_it_is_clear(written: Written) -> None:
    image, found = reflectance(written, AFTER), classes(written, AFTER)
    wrong = found == SCL.CLOUD_MEDIUM
    assert 20 <= wrong.sum() <= 120
    assert image[0][wrong].mean() < 0.35
    assert image[2][wrong].mean() > image[0][wrong].mean(), "concrete is not white"
    assert not (classes(written, BEFORE) == SCL.CLOUD_MEDIUM).any()


def test_what_is_told_of_the_changes_is_there(written: Written) -> None:
    changes = Counter((o["class"], o["change"]) for o in written.truth["objects"])
    assert changes["An-124", "vanished"] == 1
    assert changes["Il-76", "vanished"] == 1
    assert changes["Il-76", "appeared"] == 1
    assert changes["Ka-52", "vanished"] >= 1
    assert changes["launcher", "vanished"] >= 1
    assert changes["lorry", "appeared"] >= 1


def test_objects_stand_in_their_zones_and_apart(small_base: AOI) -> None:
    days = [one.acquired.date() for one in calendar()]
    objects = plan_traffic(
        small_base, days, before=BEFORE, after=AFTER, keep_clear=Polygon(), rng=np.random.default_rng(3)
    )
    shapes = {zone.name: to_crs(zone.geometry, CRS) for zone in small_base.zones}
    for k, one in enumerate(objects):
        west, south, east, north = shapes[one.zone].bounds
        assert west < one.x < east
        assert south < one.y < north
        for other in objects[k + 1 :]:
            assert math.hypot(one.x - other.x, one.y - other.y) > one.reach_m + other.reach_m


def test_stands_are_where_their_users_fit(small_base: AOI) -> None:
    shapes = {zone.name: to_crs(zone.geometry, CRS) for zone in small_base.zones}
    stands = all_stands(small_base)
    assert {stand.role for stand in stands} >= {"transport", "fighter", "helicopter", "launcher"}
    for stand in (s for s in stands if s.role == "transport"):
        assert (
            shapes[stand.zone]
            .buffer(0.1)
            .contains(
                Polygon([(stand.x + 38 * math.cos(a), stand.y + 38 * math.sin(a)) for a in np.linspace(0, 6.2, 20)])
            )
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Written:
    info = write_demo(tmp_path_factory.mktemp("demo") / "new" / "folder")
    assert (info.area, info.before, info.after, len(info.scenes)) == ("khmeimim", BEFORE, AFTER, 16)
    assert sorted(path.stem for path in info.folder.glob("S2*.json")) == sorted(info.scenes)
    return Written(info.folder, json.loads(info.truth.read_text(encoding="utf-8")), load_area(info.area))


def test_the_demo_of_the_built_in_site_is_complete(demo: Written) -> None:
    changes = Counter(o["change"] for o in demo.truth["objects"] if o["class"] != "lorry")
    assert changes["vanished"] >= 8
    assert changes["appeared"] >= 2
    named = {o["class"] for o in demo.truth["objects"]}
    assert named >= {"An-124", "Il-76", "An-26", "An-72", "Su-24", "Su-34", "Su-35", "Ka-52", "Mi-8", "launcher"}
    west, south, east, north = to_crs(demo.aoi.geometry, CRS).bounds
    found = scene_grid(demo.aoi).bounds
    assert found[0] <= west - 190
    assert found[1] <= south - 190
    assert found[2] >= east + 190
    assert found[3] >= north + 190


def test_the_noise_of_pavement_is_that_of_real_pairs(demo: Written) -> None:
    grid = scene_grid(demo.aoi)
    aprons = [to_lonlat(pavement(zone).buffer(-20.0), CRS) for zone in demo.aoi.zones if zone.kind == "apron"]
    quiet = np.logical_or.reduce([burn(apron, grid) for apron in aprons])
    for thing in demo.truth["objects"]:
        if (f"{BEFORE}" in thing["days"]) != (f"{AFTER}" in thing["days"]):
            row, col = pixel(demo, thing["x"], thing["y"])
            half = int(thing["length_m"] / 20) + 4
            quiet[max(row - half, 0) : row + half + 1, max(col - half, 0) : col + half + 1] = False
    before, after = (in_place(demo, day)[:, quiet] for day in (BEFORE, AFTER))
    model = np.vstack([before, np.ones(before.shape[1])])
    residual = np.zeros((4, *grid.shape), np.float32)
    residual[:, quiet] = after - (np.linalg.lstsq(model.T, after.T, rcond=None)[0].T @ model)
    share = np.maximum(cv2.GaussianBlur(quiet.astype(np.float32), (0, 0), 5), 1e-6)
    rough = np.stack([(r - cv2.GaussianBlur(r, (0, 0), 5) / share)[quiet] for r in residual])
    sigma = 1.4826 * np.median(np.abs(rough), axis=1)
    # Measured on real airports: 0.006 to 0.013 in B02 and B03, 0.011 to 0.020 in B04 and B08; chosen: the quiet end.
    assert (sigma[:2] > 0.0050).all()
    assert (sigma[:2] < 0.0105).all()
    assert (sigma[2:] > 0.0065).all()
    assert (sigma[2:] < 0.0150).all()
