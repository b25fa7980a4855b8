"""Items of public catalogues to scenes: what each of them calls a band, and what each says of the offset."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagery.bands import CLASSES_BAND
from imagery.errors import ImageryError, SceneError
from imagery.exchange import Hosts
from imagery.items import NO_CLASSES
from imagery.remote_items import Dialect, parse_all, parse_remote
from imagery.scene import Scene
from imagery.sources import cdse, earth_search, planetary_computer
from tests.pages import c1_item, cdse_item, l2a_item, pc_item, rtc_item

ES, PC = "https://sentinel-cogs.s3.us-west-2.amazonaws.com", "https://sentinel2l2a01.blob.core.windows.net"
RTC = "https://sentinel1euwestrtc.blob.core.windows.net"


def dialect(source: str, collection: str, **more: Any) -> Dialect:
    """Return a dialect as the source has it."""
    hosts = Hosts(suffixes=("amazonaws.com", "blob.core.windows.net"))
    return Dialect(source=source, root="https://x/v1", collection=collection, hosts=hosts, **more)


C1 = dialect("earth-search", "sentinel-2-c1-l2a", sensor="s2", keys=earth_search.KEYS, offset="declared")
L2A = dialect("earth-search", "sentinel-2-l2a", sensor="s2", keys=earth_search.KEYS, offset="claimed")
MPC = dialect("planetary-computer", "sentinel-2-l2a", sensor="s2", keys=planetary_computer.KEYS["s2"])
RADAR = dialect("planetary-computer", "sentinel-1-rtc", sensor="s1", keys=planetary_computer.KEYS["s1"])
WITNESS = dialect("cdse", cdse.COLLECTIONS["s2"], sensor="s2")


def offsets(scene: Scene) -> set[tuple[float, bool]]:
    """Return offset and doubt of the bands."""
    bands = [asset for band, asset in scene.assets.items() if band != CLASSES_BAND]
    return {(asset.offset, asset.offset_doubtful) for asset in bands}


@pytest.mark.parametrize(
    ("item", "of"), [(c1_item(ES), C1), (l2a_item(ES), L2A), (pc_item(PC), MPC), (cdse_item(), WITNESS)]
)
def test_every_catalogue_tells_of_the_same_pass(item: dict[str, Any], of: Dialect) -> None:
    scene = parse_remote(item, of)
    assert (scene.platform, scene.relative_orbit, scene.tile) == ("sentinel-2b", 121, "36SYE")
    assert (scene.processing_baseline, scene.level, scene.sensor) == ("05.11", "L2A", "s2")
    assert str(scene.datatake).startswith("GS2B_20241207T082311")
    assert scene.generated == datetime(2024, 12, 7, 10, 47, 53, tzinfo=UTC)
    assert scene.href == f"https://x/v1/collections/{of.collection}/items/{scene.id}"


def test_bands_are_known_by_our_names() -> None:
    scene = parse_remote(c1_item(ES), C1)
    assert set(scene.assets) == {"B02", "B03", "B04", "B05", "B08", "SCL"}
    assert scene.assets["B08"].href.endswith("/nir.tif")
    assert (scene.assets["B08"].scale, scene.assets["B08"].nodata) == (1e-4, 0)


@pytest.mark.parametrize(
    ("item", "of", "expected"),
    [
        (c1_item(ES), C1, (-0.1, False)),
        (l2a_item(ES, applied=True), L2A, (0.0, True)),
        (l2a_item(ES, applied=False), L2A, (-0.1, True)),
        (l2a_item(ES, applied=None), L2A, (-0.1, True)),
        (l2a_item(ES, applied=False, baseline="03.01"), L2A, (0.0, False)),
        (pc_item(PC), MPC, (-0.1, False)),
        (pc_item(PC, baseline="04.00"), MPC, (-0.1, False)),
        (pc_item(PC, baseline="03.01"), MPC, (0.0, False)),
    ],
)
def test_row_36_the_offset_follows_from_the_baseline_and_is_doubted_where_the_catalogue_errs(
    item: dict[str, Any], of: Dialect, expected: tuple[float, bool]
) -> None:
    assert offsets(parse_remote(item, of)) == {expected}


def test_row_36_a_declaration_against_the_baseline_is_doubted() -> None:
    item = c1_item(ES)
    for asset in item["assets"].values():
        asset["raster:bands"][0]["offset"] = 0
    assert offsets(parse_remote(item, C1)) == {(-0.1, True)}


def test_a_raw_scene_without_a_baseline_is_refused() -> None:
    item = pc_item(PC)
    del item["properties"]["s2:processing_baseline"]
    with pytest.raises(SceneError, match="the processing baseline is not stated"):
        parse_remote(item, MPC)


def test_preliminary_products_are_refused() -> None:
    with pytest.raises(SceneError, match=r"99\.05 marks a preliminary product"):
        parse_remote(pc_item(PC, baseline="99.05"), MPC)


@pytest.mark.parametrize("band", ["blue", "green", "red", "nir"])
def test_row_34_a_scene_without_a_needed_band_is_left_out_by_name(band: str) -> None:
    item = c1_item(ES)
    del item["assets"][band]
    scenes, warnings = parse_all([item, l2a_item(ES)], {one.collection: one for one in (C1, L2A)})
    assert [scene.id for scene in scenes] == ["S2B_36SYE_20241207_0_L2A"]
    assert warnings[0].startswith("earth-search: S2B_T36SYE_20241207T082311_L2A is left out: lacks B0")
    assert f"(asset {band})" in warnings[0]


def test_row_34_a_scene_without_classes_says_that_it_is_unmasked() -> None:
    item = c1_item(ES)
    del item["assets"]["scl"]
    scene = parse_remote(item, C1)
    assert (scene.notes, CLASSES_BAND in scene.assets) == ((NO_CLASSES,), False)


@pytest.mark.parametrize(
    "href",
    [
        "s3://sentinel-s2-l2a/tiles/36/S/YE/2024/12/7/0/R10m/B04.jp2",
        "https://evil.example/B04.tif",
        "http://sentinel-cogs.s3.us-west-2.amazonaws.com/B04.tif",
        "https://user@sentinel-cogs.s3.us-west-2.amazonaws.com/B04.tif",
        "http://127.0.0.1/B04.tif",
        "/vsicurl/https://sentinel-cogs.s3.us-west-2.amazonaws.com/B04.tif",
        "/etc/hosts",
        7,
    ],
)
def test_files_in_other_places_are_not_taken(href: Any) -> None:
    item = c1_item(ES)
    item["assets"]["red"]["href"] = href
    with pytest.raises(SceneError, match=r"lacks B04 \(asset red\)"):
        parse_remote(item, C1)


def test_addresses_are_stored_unsigned() -> None:
    item = pc_item(PC)
    item["assets"]["B04"]["href"] += "?st=1&se=2&sig=c4n4ry"
    assert parse_remote(item, MPC).assets["B04"].href.endswith("/B04.tif")


def test_loopback_is_for_those_who_asked_for_it() -> None:
    hosts = Hosts(suffixes=("amazonaws.com",), configured=("http://127.0.0.1:8080",))
    own = Dialect(source="x", root="r", collection="sentinel-2-c1-l2a", sensor="s2", hosts=hosts, keys=C1.keys,
                  offset="declared")  # fmt: skip
    assert parse_remote(c1_item("http://127.0.0.1:9999"), own).assets


@pytest.mark.parametrize(("told", "expected"), [(None, 87), (14, 14)])
def test_the_orbit_of_radar_comes_from_the_name_where_nothing_else_tells(told: int | None, expected: int) -> None:
    # A pass of the ascending orbit 87 over Latakia: the catalogue of the Planetary Computer has it so.
    name = "S1A_IW_GRDH_1SDV_20220102T154141_20220102T154206_041284_04E832_rtc"
    properties: dict[str, Any] = {"sat:relative_orbit": told}
    scene = parse_remote(rtc_item(RTC, name=name, **properties), RADAR)
    assert scene.relative_orbit == expected
    assert (scene.direction, scene.platform) == ("ascending", "sentinel-1a")
    assert scene.assets["VV"].nodata == -32768


def test_row_42_single_polarisation_shows_in_the_bands_and_other_modes_are_left_out() -> None:
    assert set(parse_remote(rtc_item(RTC, polarisations=("vv",)), RADAR).assets) == {"VV"}
    with pytest.raises(SceneError, match="lacks VV"):
        parse_remote(rtc_item(RTC, polarisations=("hh", "hv")), RADAR)
    other: dict[str, Any] = {"sar:instrument_mode": "EW"}
    with pytest.raises(SceneError, match="mode 'EW'"):
        parse_remote(rtc_item(RTC, **other), RADAR)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda item: item.update(stac_version="0.9.0"), "stac_version"),
        (lambda item: item.update(id="../up"), "the id"),
        (lambda item: item.update(collection="landsat"), "collection"),
        (lambda item: item.update(collection=["a"]), "collection"),
        (lambda item: item.pop("properties"), "'properties' is missing"),
        (lambda item: item["properties"].update(datetime="yesterday"), "datetime"),
        (lambda item: item.update(geometry={"type": "Point", "coordinates": [0, 0]}), "no polygon"),
        (lambda item: item["properties"].update({"s2:processing_baseline": "five"}), "s2:processing_baseline"),
        (lambda item: item["properties"].update({"sat:orbit_state": "sideways"}), "sat:orbit_state"),
        (lambda item: item["assets"]["red"]["raster:bands"][0].update(scale=1), "scale 1"),
        (lambda item: item["assets"].update(red=[]), "'red'"),
    ],
)
def test_one_wrong_item_harms_no_other(spoil: Any, reason: str) -> None:
    item = c1_item(ES)
    spoil(item)
    scenes, warnings = parse_all([item, {}, l2a_item(ES)], {one.collection: one for one in (C1, L2A)})
    assert [scene.id for scene in scenes] == ["S2B_36SYE_20241207_0_L2A"]
    assert reason in warnings[0]
    assert len(warnings) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["id", "collection", "properties", "assets", "geometry", "bbox"]), JSON)
def test_no_item_breaks_the_others(key: str, value: Any) -> None:
    scenes, warnings = parse_all([c1_item(ES) | {key: value}], {C1.collection: C1})
    assert len(scenes) + len(warnings) == 1


@given(st.sampled_from([*c1_item(ES)["properties"], "mgrs:utm_zone", "sat:relative_orbit", "processing:version"]), JSON)
def test_no_property_breaks_anything(key: str, value: Any) -> None:
    item = c1_item(ES)
    item["properties"][key] = value
    with suppress(ImageryError):
        assert parse_remote(item, C1).id
