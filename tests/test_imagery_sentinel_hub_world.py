"""Sentinel Hub as a whole: catalogue, tokens and rendered scenes of known ground; the package itself is a witness."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentinelhub.api.catalog import SentinelHubCatalog
from sentinelhub.api.process import SentinelHubRequest
from sentinelhub.config import SHConfig
from sentinelhub.constants import CRS, MimeType
from sentinelhub.data_collections import DataCollection
from sentinelhub.download.sentinelhub_client import SentinelHubDownloadClient
from sentinelhub.geometry import BBox

from aoi import Grid
from aoi.builtin import load_site
from imagery.errors import SourceError
from imagery.http import Client
from imagery.pictures import OPTICAL
from imagery.scene import Period, Scene
from imagery.sources.sentinel_hub import SentinelHubSource
from revisit.settings import Settings, load_settings
from tests.servers import Server, start

NOVEMBER = Period(start=datetime(2024, 11, 1, tzinfo=UTC), end=datetime(2024, 11, 30, 23, 59, 59, tzinfo=UTC))
GRID = Grid.from_bounds((766_000, 3_920_000, 768_500, 3_922_000), crs="EPSG:32636", gsd=10)
SITE = load_site("khmeimim")


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("world") as server:
        yield server


@pytest.fixture
def world(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    running.reset()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
    # The package keeps tokens for the whole process; the world has forgotten them.
    SentinelHubDownloadClient.clear_cache()
    return running


def settings_of(world: Server) -> Settings:
    return load_settings({"REVISIT_CONFIG": "", **world.environment()})


def source_of(world: Server, **more: Any) -> SentinelHubSource:
    settings = settings_of(world)
    return SentinelHubSource(
        client=Client(), deployment=settings.sentinel_hub, credentials=settings.credentials, **more
    )


def scene_of(source: SentinelHubSource, day: int, sensor: str = "s2", tile: str | None = "36SYE") -> Scene:
    found = source.search(SITE, [NOVEMBER], sensor=sensor)
    assert found.complete
    return next(scene for scene in found.scenes if scene.acquired.day == day and scene.tile == tile)


def config_of(world: Server) -> SHConfig:
    known = world.environment()
    return SHConfig(
        use_defaults=True, sh_client_id=known["SH_CLIENT_ID"], sh_client_secret=known["SH_CLIENT_SECRET"],
        sh_base_url=settings_of(world).sentinel_hub.url, sh_token_url=settings_of(world).sentinel_hub.token_url,
    )  # fmt: skip


@pytest.mark.parametrize(("sensor", "collection"), [("s2", "sentinel-2-l2a"), ("s1", "sentinel-1-grd")])
def test_the_package_finds_the_same_scenes(world: Server, sensor: str, collection: str) -> None:
    found = source_of(world).search(SITE, [NOVEMBER], sensor=sensor)
    known = SentinelHubCatalog(config=config_of(world)).search(
        collection, bbox=BBox(SITE.geometry.bounds, CRS.WGS84), time=(NOVEMBER.start, NOVEMBER.end)
    )
    assert found.complete
    assert found.scenes
    assert sorted(scene.id for scene in found.scenes) == sorted(known.get_ids())


def test_the_package_gets_the_same_numbers(world: Server) -> None:
    config = config_of(world)
    # Under another name than ours: two users of the package in one process must not be in each other's way.
    here = DataCollection.SENTINEL2_L2A.define_from(f"witness-{world.url}", service_url=config.sh_base_url)
    source = source_of(world)
    scene = scene_of(source, 30)
    raster = source.read(scene, GRID, ["B02", "B03", "B04", "B08"])
    (witness,) = SentinelHubRequest(
        evalscript=OPTICAL.text,
        input_data=[SentinelHubRequest.input_data(here, time_interval=("2024-11-30", "2024-11-30"))],
        responses=[SentinelHubRequest.output_response("default", MimeType.TIFF)],
        bbox=BBox(GRID.bounds, CRS("32636")),
        size=(GRID.width, GRID.height),
        config=config,
    ).get_data()
    assert raster.valid.mean() > 0.9
    numbers = np.moveaxis(witness, -1, 0)[:4, raster.valid]
    np.testing.assert_allclose(raster.data[:, raster.valid], numbers * 1e-4, rtol=1e-5)


def test_the_estimate_is_what_the_server_counts(world: Server) -> None:
    source = source_of(world)
    scene = scene_of(source, 30)
    before = source.client.traffic.processing_units
    source.read(scene, GRID, ["B02"])
    assert source.client.traffic.processing_units - before == pytest.approx(
        source.estimate(GRID, ["B02"], sensor="s2"), abs=1e-3
    )
    radar = scene_of(source, 19, "s1", tile=None)
    before = source.client.traffic.processing_units
    source.read(radar, GRID, ["VV", "VH"])
    assert source.client.traffic.processing_units - before == pytest.approx(
        source.estimate(GRID, ["VV"], sensor="s1"), abs=1e-3
    )


def test_radar_is_linear_power_of_one_direction(world: Server) -> None:
    source = source_of(world)
    scene = scene_of(source, 19, "s1", tile=None)
    raster = source.read(scene, GRID, ["VV", "VH"])
    assert raster.quantity == "gamma0"
    assert raster.valid.mean() > 0.9
    assert (raster.data[:, raster.valid] > 0).all()
    assert {body["input"]["data"][0]["dataFilter"]["orbitDirection"].lower() for body in pictures(world)} == {
        scene.direction
    }


def pictures(world: Server) -> list[dict[str, Any]]:
    return [one.json for one in world.log("*/api/v1/process")]


@pytest.mark.parametrize(("day", "low", "high"), [(30, 0.95, 1.0), (15, 0.0, 0.05)])
def test_the_survey_bounds_what_reading_finds(world: Server, day: int, low: float, high: float) -> None:
    """On the 15th the tile's figure says 1.2 % of cloud, and the site is covered."""
    source = source_of(world)
    scene = scene_of(source, day)
    survey = source.survey(scene, GRID)
    valid = source.read(scene, GRID, ["B02", "B03", "B04", "B08"]).valid
    assert survey is not None
    assert survey.usable.mean() - 0.03 <= valid.mean() <= survey.possible.mean() + 0.03
    assert low <= valid.mean() <= high


def test_row_01_short_lives_in_a_long_run(world: Server) -> None:
    world.set(token_life_s=5)
    source = source_of(world)
    scene = scene_of(source, 30)
    for pixels in range(20):
        source.read(scene, GRID.padded(-2 * pixels), ["B02"])
    assert {one.status for one in world.log("*/api/v1/*")} == {200}


def test_row_05_every_token_revoked_in_the_middle(world: Server) -> None:
    source = source_of(world)
    scene = scene_of(source, 30)
    world.set(token_generation=2)
    assert source.read(scene, GRID, ["B02"]).valid.any()
    assert [one.status for one in world.log("*/api/v1/process")] == [401, 200]


def test_row_09_an_account_that_is_used_up(world: Server) -> None:
    world.set(units_left=0.05)
    source = source_of(world)
    scene = scene_of(source, 30)
    with pytest.raises(SourceError, match=r"Insufficient processing units.*estimated at 0\.32 processing units"):
        source.read(scene, GRID, ["B02"])
    assert [one.status for one in world.log("*/api/v1/process")] == [403]


def test_nothing_of_the_pass_over_the_grid_is_no_data(world: Server, tmp_path: Path) -> None:
    source = source_of(world)
    elsewhere = Grid.from_bounds((500_000, 3_920_000, 500_100, 3_920_100), crs="EPSG:32636", gsd=10)
    with pytest.raises(ValueError, match="no data for 2024-11-30"):
        source.read(scene_of(source, 30), elsewhere, ["B02"])
    assert list(tmp_path.iterdir()) == []
