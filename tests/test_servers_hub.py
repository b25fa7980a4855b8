"""The stand-in of Sentinel Hub, as its own client sees it over TLS."""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import requests
import tifffile
from numpy.typing import NDArray
from sentinelhub.api.catalog import SentinelHubCatalog
from sentinelhub.api.process import SentinelHubRequest
from sentinelhub.config import SHConfig
from sentinelhub.constants import CRS, MimeType
from sentinelhub.data_collections import DataCollection
from sentinelhub.download.sentinelhub_client import SentinelHubDownloadClient
from sentinelhub.download.session import SentinelHubSession
from sentinelhub.exceptions import DownloadFailedException, SHRateLimitWarning
from sentinelhub.geometry import BBox

from tests.servers import Fault, Server, start
from tests.servers.passes import Granule, table
from tests.servers.pixels import Look, granule_sheet
from tests.servers.process import read_script
from tests.servers.settings import Settings

SCRIPT = """//VERSION=3
function setup() {
  return { input: [{ bands: ["B04", "B08", "SCL", "dataMask"], units: "DN" }],
           output: { id: "default", bands: 4, sampleType: "UINT16" } };
}
function evaluatePixel(s) { return [s.B04, s.B08, s.SCL, s.dataMask]; }
"""
FLOATS = SCRIPT.replace('"DN"', '"REFLECTANCE"').replace("UINT16", "FLOAT32")
RADAR = """//VERSION=3
function setup() {
  return { input: [{ bands: ["VV", "VH", "dataMask"] }], output: { bands: 3, sampleType: "FLOAT32" } };
}
function evaluatePixel(s) { return [s.VV, s.VH, s.dataMask]; }
"""
DOUBLE = "//VERSION=3 two outputs, registered by hand"
BOX = (766000.0, 3920000.0, 769000.0, 3923000.0)
"""Within the site, EPSG:32636, on whole pixels of granule 36SYE."""
BEFORE, AFTER = "2024-11-30", "2024-12-20"


def scripts() -> dict[str, dict[str, Any]]:
    """Return the scripts of these tests as a server takes them."""
    told = dict(read_script(text) for text in (SCRIPT, FLOATS, RADAR))
    both = {"default": {"bands": ["B04"], "units": "DN", "sample": "UINT16"},
            "mask": {"bands": ["dataMask"], "sample": "UINT8"}}  # fmt: skip
    return told | {hashlib.sha256(DOUBLE.encode()).hexdigest(): {"responses": both}}


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("world", evalscripts=scripts()) as server:
        yield server


@pytest.fixture
def world(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    running.reset()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
    # The library keeps tokens for the whole process.
    SentinelHubDownloadClient.clear_cache()
    return running


def config(world: Server) -> SHConfig:
    """Return the library's configuration for the stand-in."""
    told = world.environment()
    made = SHConfig(use_defaults=True)
    made.sh_base_url, made.sh_token_url = told["REVISIT_SENTINEL_HUB_URL"], told["REVISIT_SENTINEL_HUB_TOKEN_URL"]
    made.sh_client_id, made.sh_client_secret = told["SH_CLIENT_ID"], told["SH_CLIENT_SECRET"]
    made.max_download_attempts, made.download_sleep_time = 1, 0
    return made


def collection(world: Server, base: DataCollection) -> DataCollection:
    """Return a collection that is asked of the stand-in."""
    url = world.environment()["REVISIT_SENTINEL_HUB_URL"]
    return base.define_from(f"{base.name}-{url}", service_url=url)


def request(world: Server, script: str = SCRIPT, day: str = BEFORE, **how: Any) -> SentinelHubRequest:
    """Return a request of the library for `BOX` at 10 m."""
    box, size = how.pop("box", BOX), how.pop("size", (300, 300))
    base = how.pop("base", DataCollection.SENTINEL2_L2A)
    data = SentinelHubRequest.input_data(collection(world, base), time_interval=(day, day), **how)
    return SentinelHubRequest(
        evalscript=script, input_data=[data], bbox=BBox(box, CRS("32636")), size=size, config=config(world),
        responses=[SentinelHubRequest.output_response("default", MimeType.TIFF)],
    )  # fmt: skip


def picture(world: Server, *args: Any, **how: Any) -> NDArray[Any]:
    """Return the pixels (row, col, band) that the library gets."""
    return np.asarray(request(world, *args, **how).get_data(decode_data=True)[0])


def granule(day: str, tile: str = "36SYE") -> Granule:
    """Return a granule of a day."""
    return next(one for one in table()[0] if one.day == day and one.tile == tile)


def drawn(day: str, band: str) -> NDArray[np.float64]:
    """Return a band of granule 36SYE over `BOX` as it lies in the file."""
    sheet = granule_sheet(granule(day), band, Look(), Settings())
    row = round((4000020 - BOX[3]) / sheet.gsd) - sheet.corner[0]
    col = round((BOX[0] - 699960) / sheet.gsd) - sheet.corner[1]
    size = round(3000 / sheet.gsd)
    return np.asarray(sheet.window[row : row + size, col : col + size], np.float64)


def bearer(world: Server) -> dict[str, str]:
    """Return the header of a new token."""
    told = world.environment()
    form = {"grant_type": "client_credentials", "client_id": told["SH_CLIENT_ID"]}
    form["client_secret"] = told["SH_CLIENT_SECRET"]
    got = requests.post(told["REVISIT_SENTINEL_HUB_TOKEN_URL"], data=form, timeout=20)
    return {"Authorization": f"Bearer {got.json()['access_token']}"}


def payload(**output: Any) -> dict[str, Any]:
    """Return the body of a request, by hand."""
    bounds = {"bbox": BOX, "properties": {"crs": "http://www.opengis.net/def/crs/EPSG/0/32636"}}
    span = {"from": f"{BEFORE}T00:00:00Z", "to": f"{BEFORE}T23:59:59Z"}
    data = [{"type": "sentinel-2-l2a", "dataFilter": {"timeRange": span}}]
    return {"input": {"bounds": bounds, "data": data}, "evalscript": SCRIPT, "output": output}


def process(world: Server, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
    """Return the answer of the Process API."""
    url = f"{world.environment()['REVISIT_SENTINEL_HUB_URL']}/api/v1/process"
    return requests.post(url, json=body, headers=bearer(world) if headers is None else headers, timeout=60)


def test_the_library_gets_the_pixels_of_the_granule(world: Server) -> None:
    got = picture(world)
    assert (f"{got.dtype}", got.shape) == ("uint16", (300, 300, 4))
    # The hub takes the offset off.
    assert (got[:, :, 0] == np.maximum(drawn(BEFORE, "B04") - 1000, 0)).all()
    assert (got[:, :, 1] == np.maximum(drawn(BEFORE, "B08") - 1000, 0)).all()
    assert (got[::2, ::2, 2] == drawn(BEFORE, "SCL")).all()
    assert (got[:, :, 3] == 1).all()


def test_units_and_harmonisation_follow_the_request(world: Server) -> None:
    raw = picture(world, other_args={"processing": {"harmonizeValues": False}})
    assert (raw[:, :, 0] == drawn(BEFORE, "B04")).all()
    floats = picture(world, FLOATS)
    assert floats.dtype == np.float32
    assert floats[:, :, 0] == pytest.approx((drawn(BEFORE, "B04") - 1000) / 1e4)


def test_the_answer_is_a_geotiff_in_its_place(world: Server, tmp_path: Path) -> None:
    path = tmp_path / "answer.tif"
    path.write_bytes(process(world, payload(width=300, height=300)).content)
    with rasterio.open(path, driver="GTiff") as file:
        assert (file.crs.to_epsg(), file.count, file.dtypes[0]) == (32636, 4, "uint16")
        assert tuple(file.bounds) == BOX
        assert (file.read(1) == np.maximum(drawn(BEFORE, "B04") - 1000, 0)).all()


def test_tiles_of_a_large_area_fit_together(world: Server) -> None:
    whole = picture(world)
    west, south, east, north = BOX
    middle = west + 1200
    left = picture(world, box=(west, south, middle, north), size=(120, 300))
    right = picture(world, box=(middle, south, east, north), size=(180, 300))
    assert (np.concatenate([left, right], axis=1) == whole).all()


def test_nothing_there_is_zeros_and_says_so(world: Server) -> None:
    assert not picture(world, day="2024-12-01").any()
    far = picture(world, box=(300000.0, 3920000.0, 303000.0, 3923000.0))
    assert not far.any()
    assert not picture(world, maxcc=0.0, day=AFTER).any()


def test_the_cloud_limit_is_cut_to_whole_numbers_by_the_library(world: Server) -> None:
    request(world, maxcc=0.57).get_data()
    sent = world.log("*/process")[-1].json
    assert sent["input"]["data"][0]["dataFilter"]["maxCloudCoverage"] == 56


def test_radar_comes_in_linear_power(world: Server) -> None:
    terrain = {"processing": {"backCoeff": "GAMMA0_TERRAIN", "orthorectify": True}}
    got = picture(world, RADAR, day="2024-12-06", base=DataCollection.SENTINEL1_IW_DES, other_args=terrain)
    assert (f"{got.dtype}", got.shape) == ("float32", (300, 300, 3))
    assert (got[:, :, 2] == 1).all()
    assert 0.02 < np.median(got[:, :, 0]) < 0.2
    assert np.median(got[:, :, 1]) < 0.4 * np.median(got[:, :, 0])
    assert not picture(world, RADAR, day="2024-12-06", base=DataCollection.SENTINEL1_IW_ASC).any()
    sent = world.log("*/process")[0].json["input"]["data"][0]
    assert sent["dataFilter"]["orbitDirection"] == "DESCENDING"


def test_several_responses_come_in_an_archive(world: Server) -> None:
    responses = [{"identifier": name, "format": {"type": "image/tiff"}} for name in ("default", "mask")]
    got = process(world, payload(width=300, height=300, responses=responses) | {"evalscript": DOUBLE})
    assert got.headers["Content-Type"] == "application/tar"
    with tarfile.open(fileobj=io.BytesIO(got.content)) as archive:
        parts = {one.name: tifffile.imread(io.BytesIO(archive.extractfile(one).read())) for one in archive}  # type: ignore[union-attr]
    assert parts.keys() == {"default.tif", "mask.tif"}
    assert (parts["mask.tif"] == 1).all()


@pytest.mark.parametrize(("bands", "kind", "more", "price"), [
    ({"width": 512, "height": 512}, SCRIPT, {}, 1.0),
    ({"width": 512, "height": 512}, FLOATS, {}, 2.0),
    ({"width": 10, "height": 10}, SCRIPT, {}, 0.01),
])  # fmt: skip
def test_the_price_follows_the_rules(
    world: Server, bands: dict[str, int], kind: str, more: dict[str, Any], price: float
) -> None:
    got = process(world, payload(**bands) | {"evalscript": kind} | more)
    assert float(got.headers["X-ProcessingUnits-Spent"]) == pytest.approx(price)


def test_the_price_of_radar_is_that_of_the_example(world: Server) -> None:
    body = payload(width=2048, height=2048) | {"evalscript": RADAR}
    processing = {"backCoeff": "GAMMA0_TERRAIN", "orthorectify": True}
    body["input"]["data"][0] |= {"type": "sentinel-1-grd", "processing": processing}
    got = process(world, body)
    assert float(got.headers["X-ProcessingUnits-Spent"]) == pytest.approx(53.3, abs=0.1)


def test_wrong_requests_are_refused_as_the_service_does(world: Server) -> None:
    def refused(body: Any) -> tuple[int, str]:
        got = process(world, body)
        return got.status_code, got.json()["error"]["code"]

    assert refused(payload(width=2501, height=10)) == (400, "COMMON_BAD_PAYLOAD")
    assert process(world, payload(width=2500, height=1)).status_code == 200
    assert refused(payload(width=10, resx=10)) == (400, "COMMON_BAD_PAYLOAD")
    assert refused(payload(width=10, height=10) | {"evalscript": "//VERSION=3"}) == (400, "RENDERER_EXCEPTION")
    assert refused({"input": {}}) == (400, "COMMON_BAD_PAYLOAD")
    assert refused([]) == (400, "COMMON_BAD_PAYLOAD")


def test_an_account_can_be_empty(world: Server) -> None:
    world.set(units_left=1.5)
    got = [process(world, payload(width=512, height=512)) for _ in range(2)]
    assert [one.status_code for one in got] == [200, 403]
    assert got[1].json()["error"]["code"] == "COMMON_INSUFFICIENT_PERMISSIONS"


def test_the_library_waits_for_milliseconds(world: Server) -> None:
    world.fault("POST */process", [Fault(status=429, headers={"Retry-After": "700"}, body=b"{}")])
    with pytest.warns(SHRateLimitWarning):
        assert picture(world).any()
    first, second = world.log("*/process")
    assert 0.6 < second.at - first.at < 60


def test_the_library_pages_through_the_catalogue(world: Server) -> None:
    catalogue = SentinelHubCatalog(config=config(world))
    box = BBox((35.92, 35.37, 35.98, 35.43), CRS.WGS84)
    asked: dict[str, Any] = {"bbox": box, "time": ("2024-11-25", "2024-12-25"), "limit": 5}
    found = list(catalogue.search(collection(world, DataCollection.SENTINEL2_L2A), **asked))
    assert {one["id"] for one in found} == {
        one.safe for one in table()[0] if "2024-11-25" <= one.day <= "2024-12-25"
    }  # fmt: skip
    assert len(found) == 12
    assert [one.json.get("next") for one in world.log("*/search")] == [None, 5, 10]
    assert found[0]["properties"]["proj:geometry"]["crs"]["properties"]["name"].startswith("urn:ogc:def:crs:EPSG::326")
    clear = catalogue.search(
        collection(world, DataCollection.SENTINEL2_L2A),
        filter="eo:cloud_cover < 10",
        fields={"include": ["id"]},
        **asked,
    )
    assert {one["id"][11:19] for one in clear} == {"20241130", "20241220"}


def test_the_library_filters_radar(world: Server) -> None:
    catalogue = SentinelHubCatalog(config=config(world))
    box = BBox((35.92, 35.37, 35.98, 35.43), CRS.WGS84)
    found = list(catalogue.search(collection(world, DataCollection.SENTINEL1_IW_DES), bbox=box, time=(BEFORE, AFTER)))
    assert [one["id"][17:32] for one in found] == ["20241218T034314", "20241206T034315"]
    assert "s1:polarization='DV'" in world.log("*/search")[0].json["filter"]


def test_the_catalogue_names_its_collections(world: Server) -> None:
    catalogue = SentinelHubCatalog(config=config(world))
    assert {one["id"] for one in catalogue.get_collections()} == {"sentinel-2-l2a", "sentinel-2-l1c", "sentinel-1-grd"}
    wanted = granule(BEFORE).safe
    assert catalogue.get_feature(collection(world, DataCollection.SENTINEL2_L2A), wanted)["id"] == wanted


def test_one_token_serves_many_requests(world: Server) -> None:
    for _ in range(3):
        picture(world)
    (asked,) = world.log("*/token")
    assert asked.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert b"grant_type=client_credentials" in asked.body


def test_short_tokens_are_renewed(world: Server) -> None:
    world.set(token_life_s=100)
    for _ in range(3):
        picture(world)
    assert len(world.log("*/token")) >= 3


def test_tokens_end_by_time_and_by_revocation(world: Server) -> None:
    mine = bearer(world)
    assert process(world, payload(width=9, height=9), mine).status_code == 200
    world.set(clock_s=601)
    late = process(world, payload(width=9, height=9), mine)
    assert (late.status_code, late.json()["error"]["code"]) == (401, "COMMON_UNAUTHORIZED")
    mine = bearer(world)
    world.set(token_generation=2)
    assert process(world, payload(width=9, height=9), mine).status_code == 401
    assert process(world, payload(width=9, height=9)).status_code == 200
    assert process(world, payload(width=9, height=9), {}).status_code == 401
    base = f"{world.environment()['REVISIT_SENTINEL_HUB_URL']}/api/v1/catalog/1.0.0/search"
    assert requests.post(base, json={}, timeout=20).json()["code"] == 401


def test_wrong_credentials_are_refused(world: Server) -> None:
    wrong = config(world)
    wrong.sh_client_secret = "wrong"
    with pytest.raises(Exception, match="Invalid client"):
        _ = SentinelHubSession(config=wrong).token


def test_a_token_tells_its_end_and_its_owner(world: Server) -> None:
    session = SentinelHubSession(config=config(world))
    assert session.info()["azp"] == config(world).sh_client_id
    assert session.token["expires_in"] == 600
    assert session.info()["exp"] == pytest.approx(time.time() + 600, abs=60)


def test_a_revoked_token_fails_in_the_library(world: Server) -> None:
    assert picture(world).any()
    world.set(token_generation=2)
    with pytest.raises(DownloadFailedException, match="401"):
        picture(world, day=AFTER)


def test_the_scripts_of_the_package_are_known(world: Server) -> None:
    folder = Path(__file__).parents[1] / "imagery" / "evalscripts"
    texts = [path.read_text() for path in folder.glob("*.js")]
    assert texts
    for text in texts:
        body = payload(width=20, height=20) | {"evalscript": text}
        if '"VV"' in text:
            body["input"]["data"][0]["type"] = "sentinel-1-grd"
        got = process(world, body)
        assert got.status_code == 200
        bands = read_script(text)[1]["bands"]
        assert tifffile.imread(io.BytesIO(got.content)).shape == (20, 20, len(bands))


def test_times_of_catalogue_and_pixels_agree(world: Server) -> None:
    catalogue = f"{world.environment()['REVISIT_SENTINEL_HUB_URL']}/api/v1/catalog/1.0.0/search"
    asked = {"collections": ["sentinel-2-l2a"], "datetime": f"{BEFORE}T00:00:00Z/{BEFORE}T23:59:59Z"}
    found = requests.post(catalogue, json=asked, headers=bearer(world), timeout=20).json()["features"][0]
    told = datetime.fromisoformat(found["properties"]["datetime"])
    body = payload(width=9, height=9)
    near = {"from": (told - timedelta(minutes=1)).isoformat(), "to": (told + timedelta(minutes=1)).isoformat()}
    body["input"]["data"][0]["dataFilter"]["timeRange"] = near
    assert tifffile.imread(io.BytesIO(process(world, body).content)).any()
