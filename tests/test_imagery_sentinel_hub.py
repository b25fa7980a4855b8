"""Sentinel Hub: what is asked, what may come back, and what it costs, against servers in their own processes."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from shapely.geometry import box

from aoi import AOI, Grid
from imagery.cache import Cache
from imagery.credentials import Credentials, Deployment, Secret
from imagery.errors import (
    BadAnswerError,
    BudgetError,
    CredentialsError,
    OfflineError,
    RateLimitedError,
    SceneError,
    SourceError,
    UnreachableError,
)
from imagery.http import Client, Clock
from imagery.scene import Period, Scene
from imagery.sources.sentinel_hub import SentinelHubSource
from tests.servers import Fault, Server, start

SECRET = "c4n4ry-S3cret/with+signs!"
CLIENT_ID = "sh-canary-client"
TOKEN_PATH = "/auth/realms/CDSE/protocol/openid-connect/token"
PROCESS, SEARCH = "/api/v1/process", "/api/v1/catalog/1.0.0/search"
GRID = Grid.from_bounds((767_000, 3_921_000, 767_400, 3_921_300), crs="EPSG:32636", gsd=10)
PLACE = AOI(name="place", geometry=box(35.94, 35.39, 35.96, 35.41), zones=())
NOVEMBER = Period(start=datetime(2024, 11, 1, tzinfo=UTC), end=datetime(2024, 11, 30, 23, 59, 59, tzinfo=UTC))
NAMES = [f"S2A_MSIL2A_20241128T082251_N0511_R121_T{tile}_20241128T103000" for tile in ("36SYE", "37SBV")]
RADAR_NAME = "S1A_IW_GRDH_1SDV_20241125T034300_20241125T034325_056700_06F4A1_1234"


@dataclass
class FastClock(Clock):
    """Lets waits pass at once, and remembers them."""

    slept: list[float] = field(default_factory=list)
    ahead: float = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead += seconds


def token(text: str = "tok-1", life_s: Any = 600, **more: Any) -> bytes:
    fields = {"access_token": text, "expires_in": life_s, "token_type": "Bearer", "scope": "email profile"}
    return json.dumps(fields | more).encode()


def tiff(layers: NDArray[Any], grid: Grid = GRID, **changed: Any) -> bytes:
    """Return what Sentinel Hub sends: one TIFF with its place."""
    profile = {
        "driver": "GTiff", "count": layers.shape[0], "height": layers.shape[1], "width": layers.shape[2],
        "dtype": layers.dtype, "crs": grid.crs, "transform": grid.transform,
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(**profile | changed) as dataset:
            dataset.write(layers)
        return bytes(memory.read())


def optical(grid: Grid = GRID, *, scl: int = 5, present: int = 1) -> NDArray[np.uint16]:
    """Return B02, B03, B04, B08, SCL and dataMask of a made-up surface that no two pixels of which are alike."""
    rows, cols = np.indices(grid.shape)
    bands = [1000 + 7 * band + 13 * rows + cols for band in range(4)]
    return np.stack([*bands, np.full(grid.shape, scl), np.full(grid.shape, present)]).astype(np.uint16)


def feature(name: str = NAMES[0], moment: str = "2024-11-28T08:28:30Z") -> dict[str, Any]:
    """Return a feature as the catalogue's documentation shows it: no geometry, no stac_version."""
    optical = name.startswith("S2")
    properties: dict[str, Any] = {
        "datetime": moment,
        "platform": "sentinel-2a" if optical else "sentinel-1a",
        "gsd": 10,
    }
    properties |= {"eo:cloud_cover": 3.2} if optical else {"sat:orbit_state": "descending", "s1:polarization": "DV"}
    return {"type": "Feature", "id": name, "bbox": [35.5, 35.0, 36.5, 36.0], "properties": properties}


def page(*features: dict[str, Any], **context: int) -> bytes:
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": features,
            "context": {"limit": 100, "returned": len(features)} | context,
        }
    ).encode()


@dataclass
class Hub:
    """The two servers of a deployment, and a source that asks them."""

    api: Server
    login: Server
    folder: Path
    clock: FastClock = field(default_factory=FastClock)

    def source(self, *, cached: bool = False, offline: bool = False, **more: Any) -> SentinelHubSource:
        cache = Cache(self.folder, most_bytes=1 << 30) if cached else None
        deployment = Deployment(name="own", url=self.api.url, token_url=self.login.url + TOKEN_PATH)
        known = Credentials(client_id=Secret(CLIENT_ID), client_secret=Secret(SECRET))
        client = Client(cache=cache, offline=offline, clock=self.clock)
        given: dict[str, Any] = {"credentials": known, "clock": self.clock} | more
        return SentinelHubSource(client=client, deployment=deployment, **given)

    def scene(self, name: str = NAMES[0]) -> Scene:
        return one_scene(self.source(), self.api, name)

    def tokens_asked(self) -> int:
        return len(self.login.log(TOKEN_PATH))

    def pictures_asked(self) -> list[dict[str, Any]]:
        return [one.json for one in self.api.log(PROCESS)]


def one_scene(source: SentinelHubSource, api: Server, name: str) -> Scene:
    api.put(SEARCH, page(feature(name)), "application/json")
    (scene,) = source.search(PLACE, [NOVEMBER], sensor=name[:2].lower()).scenes
    api.reset()
    return scene


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with start("blank") as api, start("blank", tls=True) as login:
        yield api, login


@pytest.fixture
def hub(servers: tuple[Server, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    api, login = servers
    for server in servers:
        server.reset()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(login.ca_file))
    login.put(TOKEN_PATH, token(), "application/json")
    api.put(PROCESS, tiff(optical()), "image/tiff", headers={"X-ProcessingUnits-Spent": "0.02"})
    api.put(SEARCH, page(feature()), "application/json")
    return Hub(api, login, tmp_path / "cache")


def test_it_reads_what_was_rendered(hub: Hub) -> None:
    scene = hub.scene()
    raster = hub.source().read(scene, GRID, ["B02", "B08"])
    assert raster.bands == ("B02", "B08")
    np.testing.assert_allclose(raster.data, optical()[[0, 3]] * 1e-4, rtol=1e-6)
    assert raster.valid.all()
    assert raster.quantity == "reflectance"
    assert raster.acquired == datetime(2024, 11, 28, 8, 28, 30, tzinfo=UTC)


def test_the_request_is_the_one_of_the_package_and_holds_no_secret(hub: Hub) -> None:
    hub.source().read(hub.scene(), GRID, ["B02"])
    (asked,) = hub.api.log(PROCESS)
    assert asked.headers["authorization"] == "Bearer tok-1"
    assert asked.headers["accept"] == "image/tiff"
    (data,) = asked.json["input"]["data"]
    assert data["type"] == "sentinel-2-l2a"
    assert data["dataFilter"]["timeRange"] == {"from": "2024-11-28T08:23:30Z", "to": "2024-11-28T08:33:30Z"}
    assert data["processing"] == {"upsampling": "NEAREST", "downsampling": "NEAREST", "harmonizeValues": True}
    bounds = asked.json["input"]["bounds"]
    assert bounds["properties"]["crs"] == "http://www.opengis.net/def/crs/EPSG/0/32636"
    assert bounds["bbox"] == list(GRID.bounds)
    assert (asked.json["output"]["width"], asked.json["output"]["height"]) == (GRID.width, GRID.height)
    assert "dataMask" in asked.json["evalscript"]
    (login,) = hub.login.log(TOKEN_PATH)[-1:]
    assert b"grant_type=client_credentials" in login.body


def test_a_scene_says_what_its_name_says_and_that_the_offset_is_off(hub: Hub) -> None:
    scene = hub.scene()
    assert (scene.platform, scene.tile, scene.relative_orbit) == ("sentinel-2a", "36SYE", 121)
    assert (scene.processing_baseline, scene.level, scene.source) == ("05.11", "L2A", "sentinel-hub")
    assert scene.datatake == "GS2A_20241128T082251"
    assert {asset.offset for asset in scene.assets.values()} == {0.0}
    assert scene.assets["B02"].scale == 1e-4
    assert any("harmonizeValues" in note for note in scene.notes)


def test_a_scene_of_before_the_offset_says_nothing_of_it(hub: Hub) -> None:
    old = hub.scene("S2A_MSIL2A_20241128T082251_N0301_R121_T36SYE_20241128T103000")
    assert old.notes == ()


def test_a_pass_in_two_zones_says_that_either_file_may_be_shown(hub: Hub) -> None:
    hub.api.put(SEARCH, page(feature(NAMES[0]), feature(NAMES[1])), "application/json")
    first, second = hub.source().search(PLACE, [NOVEMBER], sensor="s2").scenes
    assert any("another UTM zone (37SBV)" in note for note in first.notes)
    assert any("another UTM zone (36SYE)" in note for note in second.notes)


def test_a_search_goes_through_all_pages(hub: Hub) -> None:
    hub.api.put(SEARCH, page(feature(NAMES[1])), "application/json")
    # The link as the documentation shows it: it does not say where it leads.
    link = {"rel": "next", "method": "POST", "body": {"next": 1}, "merge": True}
    first = json.dumps({**json.loads(page(feature(NAMES[0]), next=1)), "links": [link]}).encode()
    hub.api.fault(SEARCH, [Fault(status=200, body=first, headers={"Content-Type": "application/json"})])
    found = hub.source().search(PLACE, [NOVEMBER], sensor="s2")
    assert [scene.id for scene in found.scenes] == NAMES
    assert found.complete
    bodies = [one.json for one in hub.api.log(SEARCH)]
    assert bodies[0]["collections"] == ["sentinel-2-l2a"]
    assert bodies[0]["datetime"] == "2024-11-01T00:00:00Z/2024-11-30T23:59:59Z"
    assert [body.get("next") for body in bodies] == [None, 1]


def test_a_search_answer_that_is_none_is_a_failure_and_not_empty(hub: Hub) -> None:
    hub.api.put(SEARCH, b'{"message": "oops"}', "application/json")
    with pytest.raises(BadAnswerError):
        hub.source().search(PLACE, [NOVEMBER], sensor="s2")


def test_a_feature_that_makes_no_sense_is_left_out_by_name(hub: Hub) -> None:
    broken = {"type": "Feature", "id": NAMES[1], "properties": {}}
    hub.api.put(SEARCH, page(feature(), broken), "application/json")
    found = hub.source().search(PLACE, [NOVEMBER], sensor="s2")
    assert [scene.id for scene in found.scenes] == NAMES[:1]
    assert any(NAMES[1] in line and "datetime" in line for line in found.warnings)


def radar(grid: Grid = GRID) -> NDArray[np.float32]:
    rows, cols = np.indices(grid.shape)
    layers = np.stack([0.1 + rows / 100, 0.02 + cols / 1000, np.ones(grid.shape)]).astype(np.float32)
    layers[0, 3, 4], layers[1, 5, 6], layers[0, 7, 8], layers[2, 9] = 0, -1, np.nan, 0
    return layers


def test_radar_is_asked_for_terrain_corrected_and_of_one_direction(hub: Hub) -> None:
    scene = hub.scene(RADAR_NAME)
    hub.api.put(PROCESS, tiff(radar()), "image/tiff")
    source = hub.source()
    raster = source.read(scene, GRID, ["VV", "VH"])
    (body,) = hub.pictures_asked()
    (data,) = body["input"]["data"]
    assert data["processing"] == {
        "backCoeff": "GAMMA0_TERRAIN",
        "orthorectify": True,
        "demInstance": "COPERNICUS_30",
    }
    assert data["dataFilter"]["orbitDirection"] == "DESCENDING"
    assert data["dataFilter"]["acquisitionMode"] == "IW"
    invalid = np.zeros(GRID.shape, bool)
    invalid[[3, 5, 7], [4, 6, 8]] = True
    invalid[9] = True
    np.testing.assert_array_equal(raster.valid, ~invalid)
    np.testing.assert_array_equal(raster.data[:, raster.valid], radar()[:2, ~invalid])
    assert raster.quantity == "gamma0"
    assert (scene.direction, scene.relative_orbit) == ("descending", (56700 - 73) % 175 + 1)
    assert source.survey(scene, GRID) is None


def test_clouds_are_looked_for_coarsely_and_cheaply(hub: Hub) -> None:
    scene = hub.scene()
    coarse = Grid(crs=GRID.crs, transform=Affine(40, 0, 767_000, 0, -40, 3_921_300), width=10, height=8)
    layers = np.stack([np.full(coarse.shape, 5), np.ones(coarse.shape)]).astype(np.uint8)
    layers[0, 0, 0] = 9
    hub.api.put(PROCESS, tiff(layers, coarse), "image/tiff")
    survey = hub.source().survey(scene, GRID)
    (body,) = hub.pictures_asked()
    assert (body["output"]["width"], body["output"]["height"]) == (10, 8)
    assert survey is not None
    assert survey.usable.shape == survey.possible.shape == GRID.shape
    assert not survey.usable[0, 0]
    assert survey.possible[0, 0]
    assert survey.usable[-1, -1]


def test_row_01_tokens_of_five_seconds_are_renewed_as_needed_and_no_refusal_is_seen(hub: Hub) -> None:
    scene = hub.scene()
    before = hub.tokens_asked()
    hub.login.put(TOKEN_PATH, token("tok-short", 5), "application/json")
    source = hub.source()
    for _ in range(20):
        source.read(scene, GRID, ["B02"])
        hub.clock.ahead += 1.0
    assert all(one.status == 200 for one in hub.api.log(PROCESS))
    # Each token serves four seconds of twenty: five, and one more where the work itself takes time.
    assert 5 <= hub.tokens_asked() - before <= 7


@pytest.mark.parametrize(("life_s", "tokens"), [(600, 1), (119, 1)])
def test_row_01_a_token_serves_all_requests_of_its_life(hub: Hub, life_s: int, tokens: int) -> None:
    scene = hub.scene()
    before = hub.tokens_asked()
    hub.login.put(TOKEN_PATH, token("tok-long", life_s), "application/json")
    source = hub.source()
    for _ in range(5):
        source.read(scene, GRID, ["B02"])
    assert hub.tokens_asked() - before == tokens


def test_row_02_refused_credentials_are_not_tried_again_and_the_hint_says_where_they_come_from(hub: Hub) -> None:
    body = b'{"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials"}'
    json_type = {"Content-Type": "application/json"}
    hub.login.fault(TOKEN_PATH, [Fault(status=401, body=body, headers=json_type, times=-1)])
    with pytest.raises(CredentialsError) as caught:
        hub.source().search(PLACE, [NOVEMBER], sensor="s2")
    text = str(caught.value)
    assert hub.tokens_asked() == 1
    assert [word for word in ("invalid_client", "SH_CLIENT_ID", "config file", "Copernicus") if word not in text] == []
    assert SECRET not in text
    assert caught.value.__cause__ is None
    assert hub.api.log(SEARCH) == []


def test_row_03_a_token_server_that_asks_for_patience_gets_it(hub: Hub) -> None:
    page_of_gateway = b"<html><title>429 Too Many Requests</title></html>"
    hub.login.fault(
        TOKEN_PATH,
        [
            Fault(status=429, body=page_of_gateway, headers={"Retry-After": "2"}),
            Fault(status=429, body=b'{"error": "rate_limited"}', headers={"Content-Type": "application/json"}),
            Fault(status=429, headers={"Retry-After": "3398"}),
            Fault(status=503),
        ],
    )
    assert hub.source().search(PLACE, [NOVEMBER], sensor="s2").complete
    assert hub.tokens_asked() == 5
    assert hub.clock.slept[0] == 2.0
    assert hub.clock.slept[2] == pytest.approx(3.398)
    assert min(hub.clock.slept) >= 0.25


def test_row_03_a_token_server_that_never_has_time_ends_the_run(hub: Hub) -> None:
    hub.login.fault(TOKEN_PATH, [Fault(status=429, headers={"Retry-After": "50"}, times=-1)])
    with pytest.raises(RateLimitedError, match="429"):
        hub.source().search(PLACE, [NOVEMBER], sensor="s2")
    assert 2 <= hub.tokens_asked() <= 4


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"<!DOCTYPE html><html><body>Welcome to Hotel WiFi</body></html>", "text/html", "not an OAuth answer"),
        (b"{}", "application/json", "not an OAuth answer"),
        (b'{"access_token": "x y", "expires_in": 60}', "application/json", "no token that could be sent"),
        (b'{"access_token": "x"}', "application/json", "expires_in"),
        (b'{"access_token": "x", "expires_in": 1e99}', "application/json", "a number is expected"),
        (b'{"access_token": "x", "expires_in": "soon"}', "application/json", "makes no sense"),
        (b"[]", "application/json", "makes no sense"),
        (b"5", "application/json", "makes no sense"),
        (b"null", "application/json", "makes no sense"),
    ],
)
def test_row_04_a_page_in_place_of_a_token_is_called_what_it_is(hub: Hub, body: bytes, kind: str, words: str) -> None:
    hub.login.put(TOKEN_PATH, body, kind)
    with pytest.raises(BadAnswerError, match=words):
        hub.source().search(PLACE, [NOVEMBER], sensor="s2")


def test_row_05_a_revoked_token_is_replaced_once(hub: Hub) -> None:
    scene = hub.scene()
    source = hub.source()
    source.read(scene, GRID, ["B02"])
    hub.login.put(TOKEN_PATH, token("tok-2"), "application/json")
    hub.api.fault(PROCESS, [Fault(status=401)])
    source.read(scene, GRID, ["B02"])
    sent = [one.headers["authorization"] for one in hub.api.log(PROCESS)]
    assert sent == ["Bearer tok-1", "Bearer tok-1", "Bearer tok-2"]


def test_row_05_a_second_refusal_is_the_last(hub: Hub) -> None:
    scene = hub.scene()
    before = hub.tokens_asked()
    hub.api.fault(PROCESS, [Fault(status=401, times=-1)])
    with pytest.raises(CredentialsError, match="SH_CLIENT_ID"):
        hub.source().read(scene, GRID, ["B02"])
    assert len(hub.api.log(PROCESS)) == 2
    assert hub.tokens_asked() - before == 2


def test_row_06_milliseconds_are_waited_and_the_units_counted_once(hub: Hub) -> None:
    scene = hub.scene()
    source = hub.source()
    hub.clock.slept.clear()
    hub.api.fault(PROCESS, [Fault(status=429, headers={"Retry-After": "3398"})])
    source.read(scene, GRID, ["B02"])
    assert hub.clock.slept == [pytest.approx(3.398)]
    assert source.client.traffic.processing_units == pytest.approx(0.02)


@pytest.mark.parametrize("asked", ["0.5", "Wed, 21 Oct 2015 07:28:00 GMT", "", "-7", "1000000000", "soon"])
def test_row_07_no_retry_after_is_a_crash_or_a_hammer(hub: Hub, asked: str) -> None:
    scene = hub.scene()
    hub.clock.slept.clear()
    hub.api.fault(PROCESS, [Fault(status=429, headers={"Retry-After": asked})])
    hub.login.fault(TOKEN_PATH, [Fault(status=429, headers={"Retry-After": asked})])
    source = hub.source()
    source.read(scene, GRID, ["B02"])
    assert all(0.25 <= seconds <= 120 for seconds in hub.clock.slept)
    assert len(hub.clock.slept) == 2


def test_row_08_a_limit_for_ever_ends_and_what_was_fetched_is_kept(hub: Hub) -> None:
    wide = Grid.from_bounds((700_000, 3_900_000, 725_010, 3_900_020), crs="EPSG:32636", gsd=10)
    left = Grid(crs=wide.crs, transform=wide.transform, width=2500, height=2)
    right = Grid.from_bounds((725_000, 3_900_000, 725_010, 3_900_020), crs="EPSG:32636", gsd=10)
    scene = hub.scene()
    hub.api.put(PROCESS, tiff(optical(left), left), "image/tiff")
    source = hub.source(cached=True)
    hub.api.fault(PROCESS, [Fault(delay_s=0.01), Fault(status=429, times=-1)])
    with pytest.raises(RateLimitedError, match="429"):
        source.read(scene, wide, ["B02"])
    hub.api.reset()
    hub.api.put(PROCESS, tiff(optical(right), right), "image/tiff")
    again = hub.source(cached=True)
    again.read(scene, wide, ["B02"])
    assert len(hub.api.log(PROCESS)) == 1
    assert again.client.traffic.from_cache == 1


def test_row_09_a_used_up_quota_is_not_tried_again_and_tells_the_units(hub: Hub) -> None:
    scene = hub.scene()
    source = hub.source()
    source.read(scene, GRID, ["B02"])
    before = hub.tokens_asked()
    words = {"error": {"status": 403, "code": "COMMON_INSUFFICIENT_PERMISSIONS", "message": "Insufficient PU"}}
    hub.api.fault(PROCESS, [Fault(status=403, body=json.dumps(words).encode(), times=-1)])
    with pytest.raises(SourceError) as caught:
        source.read(scene, GRID, ["B02"])
    assert len(hub.api.log(PROCESS)) == 2
    assert hub.tokens_asked() == before
    # 40 x 30 px count as the least area, 0.01; five bands.
    expected = ("Insufficient PU", "estimated at 0.02 processing units", "0.02 are spent")
    assert [word for word in expected if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"<html><body>Service notice</body></html>", "text/html", "HTML page"),
        (b'{"error": {"status": 400}}', "image/tiff", "JSON"),
        (b"II*\0" + bytes(400), "image/tiff", "truncated or damaged"),
        (b"", "image/tiff", "empty"),
        (tiff(optical())[:-900], "image/tiff", "truncated or damaged"),
    ],
    ids=["html", "json", "garbage", "empty", "cut"],
)
def test_row_13_what_is_no_picture_is_refused_and_never_kept(hub: Hub, body: bytes, kind: str, words: str) -> None:
    scene = hub.scene()
    hub.api.put(PROCESS, body, kind)
    with pytest.raises(BadAnswerError, match=words):
        hub.source(cached=True).read(scene, GRID, ["B02"])
    hub.api.put(PROCESS, tiff(optical()), "image/tiff")
    assert hub.source(cached=True).read(scene, GRID, ["B02"]).valid.all()


def test_row_13_one_wrong_picture_is_asked_for_again(hub: Hub) -> None:
    scene = hub.scene()
    hub.api.fault(PROCESS, [Fault(status=200, body=b"<html></html>", headers={"Content-Type": "image/tiff"})])
    assert hub.source().read(scene, GRID, ["B02"]).valid.all()
    assert len(hub.api.log(PROCESS)) == 2


WRONG = {
    "size": (tiff(optical()[:, 1:]), "29 x 40 px; asked for were 30 x 40"),
    "bands": (tiff(optical()[:5]), "5 layers; asked for were 6"),
    "type": (tiff(optical().astype(np.float32)), "float32 numbers; asked for were uint16"),
    "crs": (tiff(optical(), crs="EPSG:32637"), "EPSG:32637; asked for was EPSG:32636"),
    "place": (tiff(optical(), transform=GRID.padded(1).transform), "asked for was"),
    "mask": (tiff(optical(present=255)), "dataMask holds 255"),
    "classes": (tiff(optical(scl=12)), "SCL holds 12"),
}


@pytest.mark.parametrize("what", WRONG)
def test_row_14_a_picture_of_something_else_is_refused(hub: Hub, what: str) -> None:
    body, words = WRONG[what]
    scene = hub.scene()
    hub.api.put(PROCESS, body, "image/tiff")
    with pytest.raises(BadAnswerError, match=re.escape(words)):
        hub.source().read(scene, GRID, ["B02"])


def test_row_15_nothing_at_all_is_no_data_for_the_date(hub: Hub) -> None:
    scene = hub.scene()
    hub.api.put(PROCESS, tiff(np.zeros((6, *GRID.shape), np.uint16)), "image/tiff")
    with pytest.raises(SceneError, match="no data for 2024-11-28"):
        hub.source().read(scene, GRID, ["B02"])


def test_dark_water_that_was_clamped_to_zero_is_data_and_the_edge_of_the_swath_is_not(hub: Hub) -> None:
    scene = hub.scene()
    layers = optical()
    layers[3, 20:24, 30:34], layers[:4, 20:24, 30:34] = 0, np.minimum(layers[:4, 20:24, 30:34], 300)
    layers[3, 20:24, 30:34] = 0
    layers[5, :, :5] = 0
    hub.api.put(PROCESS, tiff(layers), "image/tiff")
    raster = hub.source().read(scene, GRID, ["B02", "B08"])
    assert raster.valid[20:24, 30:34].all()
    np.testing.assert_array_equal(raster.data[1, 20:24, 30:34], 0)
    assert not raster.valid[:, :5].any()
    assert raster.valid[:, 20:].all()


def test_row_16_a_large_area_is_put_together_from_pieces_without_a_seam(hub: Hub) -> None:
    """The server cuts each picture from one whole, by the bounds that it is asked for."""
    scene = hub.scene()
    wide = Grid.from_bounds((700_000, 3_860_000, 725_030, 3_885_070), crs="EPSG:32636", gsd=10)
    assert wide.shape == (2507, 2503)
    whole = optical(wide)
    corners = [(0, 0), (0, 2500), (2500, 0), (2500, 2500)]
    faults = []
    for row, col in corners:
        part = whole[:, row : row + 2500, col : col + 2500]
        west, north = 700_000 + 10 * col, 3_885_070 - 10 * row
        placed = Grid.from_bounds(
            (west, north - 10 * part.shape[1], west + 10 * part.shape[2], north), crs=wide.crs, gsd=10
        )
        faults.append(Fault(status=200, body=tiff(part, placed), headers={"Content-Type": "image/tiff"}))
    hub.api.fault(PROCESS, faults)
    raster = hub.source().read(scene, wide, ["B03"])
    np.testing.assert_allclose(raster.data[0], whole[1] * np.float32(1e-4), rtol=1e-6)
    assert raster.valid.all()
    sizes = [(body["output"]["height"], body["output"]["width"]) for body in hub.pictures_asked()]
    assert sizes == [(2500, 2500), (2500, 3), (7, 2500), (7, 3)]


def test_a_budget_stops_before_anything_is_sent(hub: Hub) -> None:
    scene = hub.scene()
    square = Grid.from_bounds((700_000, 3_900_000, 705_120, 3_905_120), crs="EPSG:32636", gsd=10)
    source = hub.source(most_units=1.5)
    # 512 x 512 px of four bands and the classification.
    assert source.estimate(square, ["B02"], sensor="s2") == pytest.approx(5 / 3)
    with pytest.raises(BudgetError, match=r"1\.67 processing units.* 1\.5 that --max-units"):
        source.read(scene, square, ["B02"])
    with pytest.raises(BudgetError, match=r"0\.01 processing units"):
        hub.source(most_units=0.001).search(PLACE, [NOVEMBER], sensor="s2")
    assert hub.api.log() == []


def test_what_is_in_the_cache_costs_nothing_and_needs_no_token(hub: Hub) -> None:
    scene = hub.scene()
    first = hub.source(cached=True).read(scene, GRID, ["B02"])
    hub.api.reset()
    before = hub.tokens_asked()
    source = hub.source(cached=True, offline=True, credentials=None, most_units=0.0)
    assert source.read(scene, GRID, ["B02"]).sha256 == first.sha256
    assert hub.api.log() == []
    assert hub.tokens_asked() == before
    assert source.client.traffic.processing_units == 0
    with pytest.raises(OfflineError):
        source.read(scene, GRID.padded(1), ["B02"])


def test_an_answer_that_does_not_say_its_cost_counts_as_estimated(hub: Hub) -> None:
    scene = hub.scene()
    hub.api.put(PROCESS, tiff(optical()), "image/tiff")
    source = hub.source()
    source.read(scene, GRID, ["B02"])
    assert source.client.traffic.processing_units == pytest.approx(0.01 * 5 / 3)


def test_without_credentials_the_message_says_where_to_put_them(hub: Hub) -> None:
    with pytest.raises(CredentialsError, match="SH_CLIENT_ID and SH_CLIENT_SECRET"):
        hub.source(credentials=None).search(PLACE, [NOVEMBER], sensor="s2")
    assert hub.tokens_asked() == 0


def test_a_token_server_whose_certificate_nobody_vouches_for_gets_no_secret(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(UnreachableError, match="certificate is not trusted"):
        hub.source().search(PLACE, [NOVEMBER], sensor="s2")
    assert hub.tokens_asked() == 0


def test_the_token_server_is_trusted_where_all_others_are(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(hub.login.ca_file))
    assert hub.source().search(PLACE, [NOVEMBER], sensor="s2").complete


def test_credentials_are_not_sent_over_http(hub: Hub) -> None:
    source = hub.source()
    source.deployment = Deployment(name="own", url=hub.api.url, token_url=hub.api.url + TOKEN_PATH)
    with pytest.raises(CredentialsError, match="https only"):
        source.search(PLACE, [NOVEMBER], sensor="s2")
    assert hub.api.log() == []


def test_a_token_server_that_is_not_there_is_said_to_be_unreachable(hub: Hub) -> None:
    source = hub.source()
    nobody = "https://127.0.0.1:9/token"
    source.deployment = Deployment(name="own", url=hub.api.url, token_url=nobody)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9: cannot be connected to"):
        source.search(PLACE, [NOVEMBER], sensor="s2")


def test_no_output_shows_a_secret(
    hub: Hub, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Planted: the secret and the token. Looked through: logs at the finest level, errors, everything in the cache."""
    caplog.set_level(logging.DEBUG)
    canary_token = "eyJhbGciOi.c4n4ryTOKEN.sig"
    hub.login.put(TOKEN_PATH, token(canary_token), "application/json")
    said: list[str] = []
    scene = hub.scene()
    for faults in ([], [Fault(status=401, times=-1)], [Fault(status=403, times=-1)], [Fault(reset=True, times=-1)]):
        hub.api.reset()
        hub.api.fault(PROCESS, faults)
        source = hub.source(cached=True)
        try:
            said.append(repr(source.read(scene, GRID.padded(len(said)), ["B02"])))
        except (CredentialsError, SourceError) as error:
            said += [repr(error), str(error), repr(error.__cause__)]
        said += [repr(source), str(vars(source.client)), repr(source.client.notes)]
    hub.login.fault(
        TOKEN_PATH, [Fault(status=400, body=json.dumps({"error": "x", "secret": SECRET}).encode(), times=-1)]
    )
    with pytest.raises(RateLimitedError) as caught:
        hub.source().search(PLACE, [NOVEMBER], sensor="s2")
    kept = [path.read_bytes() for path in hub.folder.rglob("*") if path.is_file()]
    assert kept
    everything = "\n".join([*said, str(caught.value), caplog.text, repr(scene), *capfd.readouterr()]).encode()
    for planted in (SECRET, canary_token, "c4n4ryTOKEN", CLIENT_ID):
        assert planted.encode() not in everything
        assert not [content for content in kept if planted.encode() in content]


def test_a_token_server_that_never_answers_is_given_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagery.http.oauth.ANSWER_S", 0.2)
    hub.login.fault(TOKEN_PATH, [Fault(delay_s=60, times=-1)])
    with pytest.raises(UnreachableError, match=r"no answer within 0\.2 s; no token after 2 attempts"):
        hub.source().search(PLACE, [NOVEMBER], sensor="s2")
