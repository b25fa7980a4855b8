"""Sentinel-2 from the open catalogues, against a world of stand-ins: twins, holes, lies, clouds and broken servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import numpy as np
import pystac_client
import pytest

from imagery.catalogue import hosts_for
from imagery.coregister import align
from imagery.errors import AddressError, GoneError, NoSceneError, SceneError, SourceError
from imagery.http import Client
from imagery.raster import Raster
from imagery.scene import Asset, Period, Scene
from imagery.select import doubts, mismatch
from imagery.sources.auto import Catalogue
from imagery.sources.base import Source
from imagery.sources.earth_search import EarthSearch
from imagery.sources.planetary_computer import PlanetaryComputer
from tests.clocks import FastClock
from tests.passes import KHMEIMIM
from tests.servers import Fault, Server, start
from tests.servers.faults import FOR_EVER
from tests.world_sources import BANDS, GRID, cdse, day_of, earth_search, planetary_computer, scene_of

_: list[type[Source]] = [EarthSearch, PlanetaryComputer]
DAY, LATER = "2024-11-30", "2024-12-20"
BLOBS = "/sentinel2l2a01.blob.core.windows.net/*"


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """Return the world with a few passes."""
    with start("world", days=["2024-11-15", "2024-11-20", DAY, "2024-12-15", LATER]) as server:
        yield server


@pytest.fixture
def world(running: Server) -> Server:
    """Return the world as it was at the start."""
    running.reset()
    return running


def of_collection(source: EarthSearch, day: str, collection: str) -> Scene:
    """Return the pass of a day from one of the two collections."""
    chosen = scene_of(source, day)
    return next(one for one in (chosen, *chosen.twins) if f"/{collection}/" in one.href)


def assert_same(one: Raster, other: Raster, tolerance: float = 0.51e-4) -> None:
    """Assert that two rasters show the same ground, within the rounding of the files."""
    np.testing.assert_array_equal(one.valid, other.valid)
    np.testing.assert_allclose(one.data, other.data, atol=2 * tolerance)


def test_every_source_shows_the_same_ground(world: Server) -> None:
    with Client() as client:
        earth, computer = earth_search(world, client), planetary_computer(world, client)
        one = earth.read(of_collection(earth, DAY, "sentinel-2-c1-l2a"), GRID, BANDS)
        other = computer.read(scene_of(computer, DAY), GRID, BANDS)
    assert one.valid.all()
    assert_same(one, other)
    assert one.origin
    assert (one.origin.source, one.origin.notes) == ("earth-search", ())


def test_a_scene_costs_few_requests_and_bytes(world: Server) -> None:
    with Client() as client:
        source = earth_search(world, client)
        source.read(scene_of(source, DAY), GRID, BANDS)
        pixels = GRID.width * GRID.height
        assert client.traffic.requests <= 12
        # Four bands and a quarter of one byte, and the edges of the blocks that are cut.
        assert client.traffic.received_bytes < 2.2 * (4 * 2 + 0.25) * pixels


@pytest.mark.parametrize("sky", ["clear", "half"])
def test_a_survey_promises_no_more_and_no_less_than_the_bands_keep(world: Server, sky: str) -> None:
    world.set(skies={DAY: sky}, apron_is_cloud=[DAY])
    with Client() as client:
        source = earth_search(world, client)
        scene = scene_of(source, DAY)
        survey, raster = source.survey(scene, GRID), source.read(scene, GRID, BANDS)
    assert survey
    assert not (survey.usable & ~raster.valid).any()
    assert not (raster.valid & ~survey.possible).any()
    # Pavement called cloud is refuted by the bands where no true cloud touches it.
    assert sky == "half" or survey.usable.mean() < raster.valid.mean() <= survey.possible.mean()
    assert sky == "clear" or survey.possible.mean() < 0.9


@pytest.mark.parametrize(("day", "tile_says", "least", "most"), [("2024-11-15", 1.2, 0, 0), ("2024-11-20", 95.4, 1, 1)])
def test_row_40_the_area_decides_and_not_the_cloud_of_the_tile(
    world: Server, day: str, tile_says: float, least: int, most: int
) -> None:
    with Client() as client:
        source = earth_search(world, client)
        survey = source.survey(scene_of(source, day), GRID)
        body = world.log("/earth-search/v1/search")[-1].json
    assert survey
    assert (survey.usable.mean() >= least, survey.possible.mean() <= most) == (True, True)
    assert "eo:cloud_cover" not in str(body), f"the tile's {tile_says} % must not decide"


@pytest.mark.parametrize("pixels", ["applied", "raw"])
@pytest.mark.parametrize("says", ["true", "false", "absent"])
def test_row_36_the_older_collection_is_read_rightly_whatever_it_says(world: Server, pixels: str, says: str) -> None:
    world.set(l2a_pixels=pixels, l2a_says=says)
    with Client() as client:
        source = earth_search(world, client)
        doubted = source.read(of_collection(source, DAY, "sentinel-2-l2a"), GRID, BANDS)
        certain = source.read(of_collection(source, DAY, "sentinel-2-c1-l2a"), GRID, BANDS)
    assert_same(doubted, certain)
    assert doubted.origin
    assert doubted.origin.assets["B02"].offset == (0.0 if pixels == "applied" else -0.1)
    assert "ESA's offset is" in doubted.origin.notes[0]


def test_row_35_two_baselines_of_one_surface_are_equal(world: Server) -> None:
    with Client() as client:
        source = planetary_computer(world, client)
        new = source.read(scene_of(source, DAY), GRID, BANDS)
        world.set(baselines={DAY: "03.01"})
        old_scene = scene_of(source, DAY)
        old = source.read(old_scene, GRID, BANDS)
    assert (old_scene.processing_baseline, old_scene.assets["B02"].offset) == ("03.01", 0.0)
    both = new.valid & old.valid
    assert both.mean() > 0.99
    np.testing.assert_allclose(new.data[:, both], old.data[:, both], atol=1.1e-4)


def test_row_37_halves_of_two_stations_make_the_whole(world: Server) -> None:
    with Client() as client:
        source = planetary_computer(world, client)
        whole = source.read(scene_of(source, DAY), GRID, BANDS)
        world.set(split=[DAY])
        halves = scene_of(source, DAY)
        raster = source.read(halves, GRID, BANDS)
        alone = source.read(replace(halves, parts=()), GRID, BANDS)
        survey = source.survey(halves, GRID)
    assert len(halves.parts) == 1
    assert alone.valid.mean() < 0.8
    assert_same(raster, whole)
    assert raster.scene_ids == (halves.id, halves.parts[0].id)
    assert survey
    assert survey.usable.all()


def test_row_37_a_part_that_is_not_needed_is_not_opened(world: Server) -> None:
    with Client() as client:
        source = earth_search(world, client)
        scene = scene_of(source, DAY)
        gone = replace(scene, id="gone", assets={band: Asset(href=f"{world.url}/gone.tif") for band in scene.assets})
        raster = source.read(replace(scene, parts=(gone,)), GRID, BANDS)
    assert raster.scene_ids == (scene.id,)
    assert not world.log("/gone.tif")


def test_row_37_a_part_that_is_gone_leaves_its_gap_and_a_note(world: Server) -> None:
    world.set(split=[DAY])
    with Client() as client:
        source = planetary_computer(world, client)
        scene = scene_of(source, DAY)
        path = urlsplit(scene.parts[0].assets["B03"].href).path
        world.fault(path, [Fault(status=404, times=FOR_EVER)])
        raster = source.read(scene, GRID, BANDS)
    assert raster.scene_ids == (scene.id,)
    assert 0.2 < raster.valid.mean() < 0.8
    assert raster.origin
    assert "could not fill gaps" in raster.origin.notes[0]


def test_row_37_a_second_processing_of_one_pass_is_no_second_scene(world: Server) -> None:
    world.set(reprocessed=[DAY])
    with Client() as client:
        source = earth_search(world, client)
        found = source.search(KHMEIMIM, day_of(DAY), sensor="s2")
        assert len(found.scenes) > 4
        scene = scene_of(source, DAY)
    assert scene.processing_baseline == max(str(one.processing_baseline) for one in found.scenes)


def test_row_38_the_other_zone_alone_is_put_on_the_grid_with_a_notice(world: Server) -> None:
    with Client() as client:
        source = earth_search(world, client)
        own, later = (source.read(scene_of(source, day), GRID, BANDS) for day in (DAY, LATER))
        world.set(omit=["*36SYE*"])
        other_scene = scene_of(source, LATER)
        other = source.read(other_scene, GRID, BANDS)
    assert other_scene.tile == "37SBV"
    assert own.origin
    assert mismatch(own.origin, other_scene) is None
    assert any("two tiles, 36SYE and 37SBV" in line for line in doubts(own.origin, other_scene))
    assert other.valid.mean() > 0.99
    # The same photons after one more resampling: the same but for the finest structure, and in place.
    difference = np.abs(other.data - later.data)[:, other.valid & later.valid]
    assert np.median(difference) < 0.005
    shift = align(later, other).alignment.shift_px
    assert max(map(abs, shift)) < 0.1


def test_row_34_a_file_that_is_gone_is_named(world: Server) -> None:
    with Client() as client:
        source = earth_search(world, client)
        scene = scene_of(source, DAY)
        world.fault("*B04.tif", [Fault(status=404, times=FOR_EVER)])
        with pytest.raises(GoneError, match=r"B04|404"):
            source.read(scene, GRID, BANDS)


def test_row_34_items_without_red_are_left_out_and_without_classes_unmasked(world: Server) -> None:
    world.set(drop_assets={"earth-search:sentinel-2-c1-l2a/*": ["red"], "earth-search:sentinel-2-l2a/*": ["scl"]})
    with Client() as client:
        source = earth_search(world, client)
        found = source.search(KHMEIMIM, day_of(DAY), sensor="s2")
        assert all("/sentinel-2-l2a/" in scene.href for scene in found.scenes)
        assert sum("lacks B04 (asset red)" in line for line in found.warnings) == 2
        scene = scene_of(source, DAY)
        assert "clouds are not masked" in scene.notes[0]
        assert source.survey(scene, GRID) is None
        raster = source.read(scene, GRID, BANDS)
    assert raster.origin
    assert "clouds are not masked" in raster.origin.notes[0]


@pytest.mark.parametrize("stale", [1, 3])
def test_row_23_a_token_that_came_expired_is_asked_for_again(world: Server, stale: int) -> None:
    world.set(sas_stale=stale)
    with Client(clock=FastClock()) as client:
        source = planetary_computer(world, client)
        assert source.read(scene_of(source, DAY), GRID, BANDS).valid.all()
    assert len(world.log("*/api/sas/v1/token/*")) == stale + 1
    assert all(one.status != 403 for one in world.log(BLOBS))


def test_row_23_a_token_that_ends_in_the_middle_is_renewed_once_for_all_threads(world: Server) -> None:
    with Client() as client:
        source = planetary_computer(world, client)
        scene = scene_of(source, DAY)
        source.survey(scene, GRID)
        world.set(clock_s=4000)
        assert source.read(scene, GRID, BANDS).valid.all()
    assert len(world.log("*/api/sas/v1/token/*")) == 2
    assert 1 <= sum(one.status == 403 for one in world.log(BLOBS)) <= 5


def test_row_23_a_token_that_is_never_good_ends_the_reading(world: Server) -> None:
    world.fault(BLOBS, [Fault(status=403, times=FOR_EVER)])
    with Client(clock=FastClock()) as client:
        source = planetary_computer(world, client)
        with pytest.raises(SourceError, match="403"):
            source.read(scene_of(source, DAY), GRID, BANDS)
    assert len(world.log(BLOBS)) <= 2 * 5


def test_row_23_one_token_serves_all(world: Server) -> None:
    with Client() as client:
        source = planetary_computer(world, client)
        for day in (DAY, LATER):
            source.read(scene_of(source, day), GRID, BANDS)
    assert len(world.log("*/api/sas/v1/token/*")) == 1


@pytest.mark.parametrize("wrong_by", [timedelta(days=1), timedelta(days=-1)])
def test_row_33_a_clock_that_is_wrong_by_a_day_makes_no_token_old(world: Server, wrong_by: timedelta) -> None:
    clock = FastClock(wrong_by=wrong_by)
    with Client(clock=clock) as client:
        source = planetary_computer(world, client, clock)
        assert source.read(scene_of(source, DAY), GRID, BANDS).valid.all()
    assert len(world.log("*/api/sas/v1/token/*")) == 1


def test_row_24_a_crowded_blob_host_is_asked_less_at_once_and_succeeds(world: Server) -> None:
    body = b"<Error><Code>ServerBusy</Code><Message>Egress is over the account limit</Message></Error>"
    clock = FastClock()
    with Client(clock=clock) as client:
        source = planetary_computer(world, client)
        scene = scene_of(source, DAY)
        world.fault(BLOBS, [Fault(status=503, body=body, times=6)])
        assert source.read(scene, GRID, BANDS).valid.all()
        host = scene.assets["B02"].href.split("/")[2]
        assert client._sender.pacer.parallel(f"http://{host}") < 4
    assert client.traffic.retries >= 6
    assert clock.slept


def test_no_secret_stays_in_scenes_or_notes(world: Server) -> None:
    with Client() as client:
        source = planetary_computer(world, client)
        raster = source.read(scene_of(source, DAY), GRID, BANDS)
    assert "sig=" in world.log(BLOBS)[0].path
    assert "sig=" not in repr(raster.origin)


def test_files_outside_the_container_are_never_signed() -> None:
    source = PlanetaryComputer(Client())
    with pytest.raises(AddressError, match="not signed"):
        source._request("https://other.blob.core.windows.net/sentinel2-l2/x.tif", "s2")
    with pytest.raises(AddressError, match="not signed"):
        source._request("https://sentinel2l2a01.blob.core.windows.net/other/x.tif", "s2")
    assert source._request("https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/x.tif", "s2").sign


def test_the_public_hosts_are_the_only_ones_unless_the_user_gave_others() -> None:
    assert hosts_for("https://x/v1/", ("a",), public="https://x/v1").configured == ()
    assert hosts_for("http://127.0.0.1:80/v1", ("a",), public="https://x/v1").configured == ("http://127.0.0.1",)


def test_the_witness_has_no_pixels_and_earth_search_no_radar(world: Server) -> None:
    with Client() as client:
        witness = cdse(world, client)
        found = witness.search(KHMEIMIM, day_of(DAY), sensor="s2")
        assert (len(found.scenes), found.complete) == (2, True)
        assert found.scenes[0].assets == {}
        with pytest.raises(PermissionError, match="only to those with an account"):
            witness.read(found.scenes[0], GRID, BANDS)
        with pytest.raises(PermissionError, match="only to those with an account"):
            witness.survey(found.scenes[0], GRID)
        with pytest.raises(NoSceneError, match="no radar images"):
            earth_search(world, client).search(KHMEIMIM, day_of(DAY), sensor="s1")


def test_a_band_that_no_catalogue_has_is_named(world: Server) -> None:
    with Client() as client:
        source = earth_search(world, client)
        with pytest.raises(SceneError, match="has no band B10"):
            source.read(scene_of(source, DAY), GRID, ("B02", "B10"))


@pytest.mark.parametrize("name", ["earth-search", "planetary-computer", "cdse"])
def test_pystac_client_finds_the_same_items(world: Server, name: str) -> None:
    world.set(page_limit={name: 3}, cdse_rate=0)
    makers: dict[str, Callable[[Server, Client], Catalogue]] = {
        "earth-search": earth_search,
        "planetary-computer": planetary_computer,
        "cdse": cdse,
    }
    roots = {"planetary-computer": "/planetary-computer/api/stac/v1"}
    period = Period(start=day_of("2024-11-01")[0].start, end=day_of("2024-12-31")[0].end)
    with Client() as client:
        ours = makers[name](world, client).search(KHMEIMIM, [period], sensor="s2")
        assert client.traffic.requests > 2
    collections = ["sentinel-2-l2a", "sentinel-2-c1-l2a"] if name == "earth-search" else ["sentinel-2-l2a"]
    theirs = pystac_client.Client.open(world.url + roots.get(name, f"/{name}/v1")).search(
        collections=collections, bbox=KHMEIMIM.geometry.bounds, datetime=[period.start, period.end]
    )
    assert ours.complete
    assert sorted(scene.id for scene in ours.scenes) == sorted(item.id for item in theirs.items())


@pytest.mark.parametrize(
    ("fault", "complete", "everything"),
    [
        ("plain", True, True),
        ("duplicates", True, True),
        ("empty-page", True, True),
        ("loop", False, False),
        ("short", False, True),
        ("foreign", False, False),
        ("downgrade", False, False),
        ("local-path", False, False),
    ],
)
@pytest.mark.parametrize("name", ["earth-search", "planetary-computer"])
def test_rows_18_to_21_pages_that_are_wrong_are_never_a_whole_answer(
    world: Server, name: str, fault: str, complete: bool, everything: bool
) -> None:
    period = Period(start=day_of("2024-11-01")[0].start, end=day_of("2024-12-31")[0].end)
    with Client() as client:
        source = earth_search(world, client) if name == "earth-search" else planetary_computer(world, client)
        whole = source.search(KHMEIMIM, [period], sensor="s2")
        world.set(page_limit={name: 4}, paging={name: fault})
        found = source.search(KHMEIMIM, [period], sensor="s2")
    if fault == "short" and name == "planetary-computer":
        complete = True  # It does not say how many there are.
    assert (found.complete, found.scenes == whole.scenes) == (complete, everything)
    assert bool(found.warnings) == (not complete or fault == "duplicates")
