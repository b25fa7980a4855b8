"""The files that the stand-ins host: what GDAL reads by ranges is the ground that was drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from pyproj import Transformer
from rio_cogeo.cogeo import cog_validate

from tests.servers import Server, start, truth
from tests.servers.outside import read_outside
from tests.servers.passes import TILES
from tests.servers.pixels import frame
from tests.servers.truth import THINGS, Thing

BEFORE, AFTER = "2024-11-30", "2024-12-20"
BANDS = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "SCL": "scl"}
ROOTS = {
    "c1": ("REVISIT_EARTH_SEARCH_URL", "sentinel-2-c1-l2a"),
    "l2a": ("REVISIT_EARTH_SEARCH_URL", "sentinel-2-l2a"),
    "mpc": ("REVISIT_PLANETARY_COMPUTER_URL", "sentinel-2-l2a"),
    "rtc": ("REVISIT_PLANETARY_COMPUTER_URL", "sentinel-1-rtc"),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("world") as server:
        yield server


@pytest.fixture
def world(running: Server) -> Server:
    running.reset()
    return running


def items(world: Server, source: str, day: str) -> list[dict[str, Any]]:
    """Return the items of a day."""
    name, collection = ROOTS[source]
    body = {"collections": [collection], "datetime": f"{day}T00:00:00Z/{day}T23:59:59Z", "limit": 50}
    found = requests.post(f"{world.environment()[name]}/search", json=body, timeout=20).json()
    return list(found["features"])


def href(world: Server, source: str, day: str, band: str, tile: str = "36SYE") -> str:
    """Return the address of a band, signed where that is wanted."""
    item = next(one for one in items(world, source, day) if tile in one["id"])
    address = str(item["assets"][band if source == "mpc" else BANDS[band]]["href"])
    return signed(world, address, "sentinel-2-l2a") if source == "mpc" else address


def signed(world: Server, address: str, collection: str) -> str:
    """Return an address with a token."""
    sas = world.environment()["REVISIT_PLANETARY_COMPUTER_SAS_URL"]
    return f"{address}?{requests.get(f'{sas}/{collection}', timeout=20).json()['token']}"


def place_of(thing: Thing, epsg: int) -> tuple[float, float]:
    """Return where a thing stands, metres."""
    middle = truth._zones()[thing.zone].centroid
    x, y = middle.x + thing.east_m, middle.y + thing.north_m
    east, north = Transformer.from_crs(32636, epsg, always_xy=True).transform(x, y)
    return east, north


def at(thing: Thing, tile: str) -> tuple[int, int, int, int]:
    """Return the window of one pixel in the middle of a thing: column, row, 1, 1."""
    epsg, (west, _, _, north) = TILES[tile]
    x, y = place_of(thing, epsg)
    return int((x - west) // 10), int((north - y) // 10), 1, 1


def site(tile: str = "36SYE") -> tuple[int, int, int, int]:
    """Return a window of the site that leaves out its edges."""
    epsg, (west, _, _, north) = TILES[tile]
    change = Transformer.from_crs(32636, epsg, always_xy=True)
    box = change.transform_bounds(truth.WEST + 300, truth.SOUTH + 300, truth.EAST - 300, truth.NORTH - 300)
    col, row = int((box[0] - west) // 10), int((north - box[3]) // 10)
    return col, row, int((box[2] - box[0]) // 10), int((box[3] - box[1]) // 10)


def read(address: str, folder: Path, **how: Any) -> NDArray[np.float64]:
    """Return the first band as numbers that may be subtracted."""
    return np.asarray(read_outside(address, folder, **how)[0][0], np.float64)


@pytest.mark.parametrize("source", ["c1", "l2a", "mpc"])
@pytest.mark.parametrize("tile", ["36SYE", "37SBV"])
def test_granules_are_whole_and_lie_where_the_item_says(world: Server, tmp_path: Path, source: str, tile: str) -> None:
    address = href(world, source, BEFORE, "B04", tile)
    thumb, facts = read_outside(address, tmp_path, shape=(343, 343))
    epsg, (west, _, _, north) = TILES[tile]
    assert facts["crs"] == epsg
    assert facts["transform"] == [10, 0, west, 0, -10, north]
    assert facts["shape"] == [10980, 10980]
    assert facts["nodata"] == "0.0"
    assert facts["block"] == ([512, 512] if source == "mpc" else [1024, 1024])
    assert facts["overviews"] == [2, 4, 8, 16, 32]
    assert thumb.min() > 0
    item = next(one for one in items(world, source, BEFORE) if tile in one["id"])
    told = item["assets"]["B04" if source == "mpc" else "red"]
    assert (told["proj:shape"], told["proj:transform"]) == ([10980, 10980], [10, 0, west, 0, -10, north])
    assert item["properties"]["proj:epsg"] == epsg


@pytest.mark.parametrize(("source", "band"), [("c1", "B04"), ("c1", "SCL"), ("mpc", "B08")])
def test_files_are_cloud_optimised(world: Server, tmp_path: Path, source: str, band: str) -> None:
    path = tmp_path / "whole.tif"
    path.write_bytes(requests.get(href(world, source, BEFORE, band), timeout=60).content)
    valid, errors, warnings = cog_validate(path, strict=True)
    assert (valid, errors, warnings) == (True, [], [])


@pytest.mark.parametrize("tile", ["36SYE", "37SBV"])
def test_what_was_parked_is_seen_in_both_zones(world: Server, tmp_path: Path, tile: str) -> None:
    left, top, cols, rows = site(tile)
    images = [
        read(href(world, "c1", day, "B04", tile), tmp_path, window=(left, top, cols, rows)) for day in (BEFORE, AFTER)
    ]
    for thing in THINGS:
        col, row, _, _ = at(thing, tile)
        change = (images[1] - images[0])[row - top, col - left] / 1e4
        expected = thing.brighter * (thing.is_there(AFTER) - thing.is_there(BEFORE))
        assert change == pytest.approx(expected, abs=0.02 + 0.3 * abs(expected)), thing.name


def test_pixels_agree_with_the_ground_that_was_drawn(world: Server, tmp_path: Path) -> None:
    col, row, cols, rows = site()
    seen = read(href(world, "c1", BEFORE, "B08"), tmp_path, window=(col, row, cols, rows)) / 1e4 - 0.1
    # The sheet has 5 m cells and its corner on a pixel's corner: a pixel is the mean of four cells, but for a shift of
    # a metre or two.
    sheet = truth.reflectance(BEFORE, "B08")
    top = truth.RIM + round((4000020 - 10 * row - truth.NORTH) / -5)
    left = truth.RIM + round((699960 + 10 * col - truth.WEST) / 5)
    cut = sheet[top : top + 2 * rows, left : left + 2 * cols]
    means = cut.reshape(rows, 2, cols, 2).mean(axis=(1, 3))
    inner = (slice(20, -20), slice(20, -20))
    assert np.median(np.abs(seen - means)[inner]) < 0.003
    assert np.corrcoef(seen[inner].ravel(), means[inner].ravel())[0, 1] > 0.98


def test_both_zones_show_the_same_pass(world: Server, tmp_path: Path) -> None:
    col, row, cols, rows = site("37SBV")
    other = read(href(world, "c1", BEFORE, "B08", "37SBV"), tmp_path, window=(col, row, cols, rows))
    x, y = np.meshgrid(199980 + 10 * (col + np.arange(cols) + 0.5), 4000020 - 10 * (row + np.arange(rows) + 0.5))
    x, y = Transformer.from_crs(32637, 32636, always_xy=True).transform(x, y)
    own = read(href(world, "c1", BEFORE, "B08"), tmp_path, window=(6400, 7500, 700, 700))
    near = own[((4000020 - y) // 10).astype(int) - 7500, ((x - 699960) // 10).astype(int) - 6400]
    assert np.median(np.abs(other - near)) < 60
    assert np.corrcoef(other.ravel(), near.ravel())[0, 1] > 0.97


def test_the_offset_is_in_the_pixels_as_each_source_has_it(world: Server, tmp_path: Path) -> None:
    def numbers(source: str) -> NDArray[np.float64]:
        return read(href(world, source, BEFORE, "B08"), tmp_path, window=site())

    raw = numbers("c1")
    assert (numbers("mpc") == raw).all()
    assert (raw - numbers("l2a") == 1000).mean() > 0.999
    world.set(l2a_pixels="raw")
    assert (numbers("l2a") == raw).all()
    world.set(baselines={BEFORE: "03.01"})
    assert (raw - numbers("mpc") == 1000).mean() > 0.999
    assert items(world, "mpc", BEFORE)[0]["properties"]["s2:processing_baseline"] == "03.01"


def test_applied_pixels_are_dark_over_water_and_raw_ones_are_not(world: Server, tmp_path: Path) -> None:
    water = (6512, 7700, 20, 200)
    assert np.percentile(read(href(world, "l2a", BEFORE, "B08"), tmp_path, window=water), 50) < 300
    assert np.percentile(read(href(world, "c1", BEFORE, "B08"), tmp_path, window=water), 50) > 1000
    scl = read(href(world, "c1", BEFORE, "SCL"), tmp_path, window=tuple(side // 2 for side in water))
    assert (scl == 6).all()


def classes(world: Server, folder: Path, day: str) -> NDArray[np.float64]:
    """Return the scene classification of the site on a day."""
    return read(href(world, "c1", day, "SCL"), folder, window=tuple(side // 2 for side in site()))


def test_clouds_are_over_the_site_where_they_were_ordered(world: Server, tmp_path: Path) -> None:
    shares = {day: float((classes(world, tmp_path, day) == 9).mean()) for day in
              ("2024-11-15", "2024-11-20", "2024-12-10", AFTER)}  # fmt: skip
    assert (shares["2024-11-15"], shares["2024-11-20"], shares[AFTER]) == (1, 0, 0)
    assert 0.3 < shares["2024-12-10"] < 0.7
    told = {day: items(world, "c1", day)[0]["properties"]["eo:cloud_cover"] for day in shares}
    assert told["2024-11-15"] < 2
    assert told["2024-11-20"] > 95
    bright = read(href(world, "c1", "2024-11-15", "B02"), tmp_path, window=site())
    assert bright.min() > 5000


def test_classification_wedge_and_zeros_follow_the_settings(world: Server, tmp_path: Path) -> None:
    world.set(apron_is_cloud=[AFTER], wedge=[BEFORE], water_zeros=["2024-12-15"], skies={})
    assert 0.1 < (classes(world, tmp_path, AFTER) == 9).mean() < 0.4
    gone = read(href(world, "c1", BEFORE, "B02"), tmp_path, window=site()) == 0
    assert 0.1 < gone.mean() < 0.5
    assert gone[0, 0]
    assert (classes(world, tmp_path, BEFORE) == 0).mean() == pytest.approx(gone.mean(), abs=0.01)
    water = read(href(world, "c1", "2024-12-15", "B02"), tmp_path, window=(6512, 7700, 20, 200))
    assert 0 < (water == 0).mean() < 0.05


def test_a_pass_of_two_stations_comes_in_halves(world: Server, tmp_path: Path) -> None:
    world.set(split=[AFTER])
    halves = [one for one in items(world, "l2a", AFTER) if "36SYE" in one["id"]]
    empty = [read(one["assets"]["blue"]["href"], tmp_path, window=site()) == 0 for one in halves]
    assert len(empty) == 2
    assert (empty[0] ^ empty[1]).all()
    whole = [read(one["assets"]["blue"]["href"], tmp_path, shape=(343, 343)) > 0 for one in halves]
    assert (whole[0] ^ whole[1]).mean() > 0.98


def test_nodata_can_stay_undeclared(world: Server, tmp_path: Path) -> None:
    world.set(declare_nodata=False)
    assert read_outside(href(world, "c1", BEFORE, "B02"), tmp_path, window=site())[1]["nodata"] == "None"
    assert "nodata" not in items(world, "c1", BEFORE)[0]["assets"]["blue"]["raster:bands"][0]


def radar(world: Server, day: str, band: str = "vv") -> tuple[str, dict[str, Any]]:
    """Return the address of a radar image over the site and its item."""
    found = [one for one in items(world, "rtc", day) if "_rtc" in one["id"]]
    item = min(found, key=lambda one: one["properties"]["datetime"])
    return signed(world, item["assets"][band]["href"], "sentinel-1-rtc"), item


def middle(item: dict[str, Any], thing: Thing) -> tuple[int, int, int, int]:
    """Return the window of 3 x 3 pixels at a thing in a radar image."""
    x, y = place_of(thing, item["properties"]["proj:epsg"])
    transform = item["properties"]["proj:transform"]
    return int((x - transform[2]) // 10) - 1, int((transform[5] - y) // 10) - 1, 3, 3


@pytest.mark.parametrize("day", ["2024-12-06", "2024-12-12"])
def test_radar_images_lie_where_their_items_say(world: Server, tmp_path: Path, day: str) -> None:
    address, item = radar(world, day)
    thumb, facts = read_outside(address, tmp_path, shape=(200, 270))
    told = item["properties"]
    assert (facts["crs"], facts["shape"]) == (told["proj:epsg"], told["proj:shape"])
    assert facts["transform"] == told["proj:transform"]
    assert facts["nodata"] == "-32768.0"
    assert thumb.dtype == np.float32
    assert 0.1 < (thumb == -32768).mean() < 0.5
    assert 0.01 < (thumb == 0).mean() < 0.1
    parked = next(thing for thing in THINGS if thing.name == "transport 3")
    assert read(address, tmp_path, window=middle(item, parked)).mean() > 0.5
    assert told["proj:epsg"] == (32637 if told["sat:relative_orbit"] in (14, 21) else 32636)


def test_radar_speckle_is_that_of_four_looks(world: Server, tmp_path: Path) -> None:
    address, item = radar(world, "2024-12-06")
    x, y, _, _ = middle(item, next(thing for thing in THINGS if thing.name == "transport 3"))
    sea = read(address, tmp_path, window=(x - 215, y - 100, 20, 200))
    assert sea.mean() ** 2 / sea.var() == pytest.approx(4.4, rel=0.15)


def test_radar_strips_shift_and_names_follow_the_settings(world: Server, tmp_path: Path) -> None:
    world.set(rtc_bad=["2024-12-06"], s1c=["2024-12-18"], single_pol=["2024-12-12"])
    address, item = radar(world, "2024-12-06")
    x, y, _, _ = middle(item, next(thing for thing in THINGS if thing.name == "transport 3"))
    seen = read(address, tmp_path, window=(x - 200, y, 400, 10))
    assert (seen == 0).any()
    assert (seen == -32768).any()
    assert (seen < 0)[seen > -1].any()
    assert np.isnan(seen).any()
    assert radar(world, "2024-12-18")[1]["properties"]["platform"] == "SENTINEL-1C"
    lone = radar(world, "2024-12-12")[1]
    assert (list(lone["assets"]), lone["properties"]["s1:polarization"]) == (["vv"], "SV")


def test_a_radar_image_can_be_out_of_place(world: Server, tmp_path: Path) -> None:
    parked = next(thing for thing in THINGS if thing.name == "transport 3")

    def heaviest() -> tuple[float, float]:
        address, item = radar(world, "2024-12-06")
        x, y, _, _ = middle(item, parked)
        seen = read(address, tmp_path, window=(x - 9, y - 9, 21, 21)) > 0.4
        rows, cols = np.indices(seen.shape)
        return float((seen * rows).sum() / seen.sum()), float((seen * cols).sum() / seen.sum())

    still = heaviest()
    world.set(rtc_shift_px={"2024-12-06": [2, -1]})
    moved = heaviest()
    assert np.subtract(moved, still) == pytest.approx([2, -1], abs=0.5)


def test_slices_that_do_not_reach_the_site_hold_nothing_there() -> None:
    from tests.servers.passes import table

    ends = next(one for one in table()[1] if one.id.startswith("S1A_IW_GRDH_1SDV_20241205T154149"))
    assert ends.orbit == 87
    assert frame(ends).epsg == 32636


def test_blobs_want_a_signature_that_is_still_good(world: Server) -> None:
    bare = items(world, "mpc", BEFORE)[0]["assets"]["B04"]["href"]

    def status(address: str) -> tuple[int, str]:
        got = requests.get(address, headers={"Range": "bytes=0-9"}, timeout=30)
        return got.status_code, got.text if got.status_code == 403 else ""

    assert "AuthenticationFailed" in status(bare)[1]
    good = signed(world, bare, "sentinel-2-l2a")
    assert status(good)[0] == 206
    assert status(good.replace("sig=", "sig=x"))[0] == 403
    assert status(signed(world, bare, "sentinel-1-rtc"))[0] == 403
    world.set(clock_s=2800)
    assert "not valid in the specified time frame" in status(good)[1]
    assert status(signed(world, bare, "sentinel-2-l2a"))[0] == 206


def test_tokens_can_be_issued_expired(world: Server) -> None:
    world.reset()
    world.set(sas_stale=2)
    bare = items(world, "mpc", BEFORE)[0]["assets"]["B04"]["href"]
    got = [requests.head(signed(world, bare, "sentinel-2-l2a"), timeout=30).status_code for _ in range(3)]
    assert got == [403, 403, 200]


def test_the_own_client_of_the_planetary_computer_signs(world: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PC_SDK_SAS_URL", world.environment()["REVISIT_PLANETARY_COMPUTER_SAS_URL"])
    client = pytest.importorskip("planetary_computer", reason="the client planetary-computer is not installed")
    local = items(world, "mpc", BEFORE)[0]["assets"]["B04"]["href"]
    # It signs addresses of the real hosts only: the same path, and the signature carried over.
    real = "https://" + local.removeprefix(world.addresses["assets"] + "/")
    query = client.sign(real).partition("?")[2]
    assert requests.head(f"{local}?{query}", timeout=30).status_code == 200
    assert world.log("*/token/sentinel2l2a01/sentinel2-l2")


def test_what_is_not_there_is_404(world: Server) -> None:
    address = items(world, "c1", BEFORE)[0]["assets"]["visual"]["href"]
    got = requests.get(address, timeout=20)
    assert (got.status_code, "NoSuchKey" in got.text) == (404, True)


def test_two_servers_draw_the_same_bytes(world: Server) -> None:
    path = href(world, "c1", AFTER, "B03").removeprefix(world.addresses["assets"])
    with start("world") as other:
        tags = [requests.head(one.addresses["assets"] + path, timeout=30).headers["ETag"] for one in (world, other)]
    assert tags[0] == tags[1]
    assert os.environ.get("PC_SDK_SAS_URL") is None


def test_faults_reach_gdal(world: Server, tmp_path: Path) -> None:
    from tests.servers import Fault

    address = href(world, "c1", BEFORE, "B04")
    world.fault("GET /*B04.tif", [Fault(status=503, times=9)])
    with pytest.raises(OSError, match=r"B04\.tif"):
        read_outside(address, tmp_path, window=site())
    world.reset()
    assert read(address, tmp_path, window=site()).min() > 0
