"""The stand-in catalogues, as clients that others wrote see them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pystac
import pystac_client
import pytest
import requests

from tests.servers import Server, start
from tests.servers.holdings import hold
from tests.servers.settings import Settings

SITE = [35.9211, 35.3785, 35.9763, 35.4237]
SPAN = "2024-11-25T00:00:00Z/2024-12-25T23:59:59Z"
DAYS = ("2024-11-30", "2024-12-05", "2024-12-10", "2024-12-15", "2024-12-20", "2024-12-25")
OPEN = {
    "earth-search": ("REVISIT_EARTH_SEARCH_URL", "sentinel-2-c1-l2a"),
    "planetary-computer": ("REVISIT_PLANETARY_COMPUTER_URL", "sentinel-2-l2a"),
    "cdse": ("REVISIT_CDSE_STAC_URL", "sentinel-2-l2a"),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("world", cdse_rate=0) as server:
        yield server


@pytest.fixture
def world(running: Server) -> Server:
    running.reset()
    return running


def held(catalogue: str, collection: str, **settings: Any) -> list[str]:
    """Return the ids that a catalogue holds on the dates of `SPAN`."""
    items = hold(Settings(**settings), "").items[catalogue][collection]
    return [item["id"] for item in items if item["properties"]["datetime"][:10] in DAYS]


def ask(world: Server, catalogue: str, **asked: Any) -> requests.Response:
    """Return the first page of a search."""
    name, collection = OPEN[catalogue]
    body = {"collections": [collection], "bbox": SITE, "datetime": SPAN, **asked}
    return requests.post(f"{world.environment()[name]}/search", json=body, timeout=20)


def pages(world: Server, catalogue: str, *, most: int = 12, **asked: Any) -> list[dict[str, Any]]:
    """Return the pages of a search, obeying each next link as it stands."""
    answer = ask(world, catalogue, **asked).json()
    found, body = [answer], {"collections": [OPEN[catalogue][1]], "bbox": SITE, "datetime": SPAN, **asked}
    while len(found) < most:
        link = next((link for link in found[-1]["links"] if link["rel"] == "next"), None)
        if not link:
            break
        body = {**(body if link["merge"] else {}), **link["body"]}
        found.append(requests.post(link["href"], json=body, timeout=20).json())
    return found


def ids(found: list[dict[str, Any]]) -> list[str]:
    """Return the ids on pages, in order."""
    return [item["id"] for page in found for item in page["features"]]


@pytest.mark.parametrize("catalogue", OPEN)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_pystac_client_pages_through_every_style(world: Server, catalogue: str, method: str) -> None:
    name, collection = OPEN[catalogue]
    client = pystac_client.Client.open(world.environment()[name])
    search = client.search(method=method, collections=[collection], bbox=SITE, datetime=SPAN, limit=5)
    found = list(search.items())
    assert [item.id for item in found] == held(catalogue, collection)
    assert len(found) == 12
    assert len(world.log("*/search*")) == 3
    assert {item.stac_extensions is not None for item in found} == {True}


def test_pystac_client_reads_collections_and_items(world: Server) -> None:
    client = pystac_client.Client.open(world.environment()["REVISIT_PLANETARY_COMPUTER_URL"])
    assert {one.id for one in client.get_collections()} == {"sentinel-2-l2a", "sentinel-1-rtc"}
    wanted = "S2A_MSIL2A_20241130T082311_R121_T36SYE_20241130T112551"
    collection = client.get_collection("sentinel-2-l2a")
    assert collection is not None
    item = collection.get_item(wanted)
    assert item is not None
    assert item.properties["s2:mgrs_tile"] == "36SYE"
    base = world.environment()["REVISIT_PLANETARY_COMPUTER_URL"]
    assert requests.get(f"{base}/collections/sentinel-3", timeout=20).status_code == 404


def test_pystac_client_may_filter(world: Server) -> None:
    client = pystac_client.Client.open(world.environment()["REVISIT_EARTH_SEARCH_URL"])

    def found(**asked: Any) -> set[str]:
        search = client.search(collections=["sentinel-2-c1-l2a"], bbox=SITE, datetime=SPAN, **asked)
        return {item.datetime.date().isoformat() for item in search.items() if item.datetime}

    assert found(query={"eo:cloud_cover": {"lt": 10}}) == {"2024-11-30", "2024-12-20"}
    assert found(filter="eo:cloud_cover < 10 and platform = 'sentinel-2a'", filter_lang="cql2-text") == found(
        query={"eo:cloud_cover": {"lt": 10}}
    )
    told = {"op": "and", "args": [{"op": ">", "args": [{"property": "eo:cloud_cover"}, 80]}]}
    assert found(filter=told, filter_lang="cql2-json") == {"2024-12-05"}
    assert found(ids=["S2A_T36SYE_20241130T082646_L2A"]) == {"2024-11-30"}


@pytest.mark.parametrize(("catalogue", "collection"), [
    ("earth-search", "sentinel-2-c1-l2a"), ("earth-search", "sentinel-2-l2a"), ("earth-search", "sentinel-1-grd"),
    ("planetary-computer", "sentinel-2-l2a"), ("planetary-computer", "sentinel-1-rtc"), ("cdse", "sentinel-2-l2a"),
    ("cdse", "sentinel-1-grd"),
])  # fmt: skip
def test_items_are_items(world: Server, catalogue: str, collection: str) -> None:
    base = world.environment()[OPEN[catalogue][0]]
    for told in requests.get(f"{base}/collections/{collection}/items?limit=100", timeout=20).json()["features"]:
        item = pystac.Item.from_dict(told)
        west, south, east, north = item.bbox or [0, 0, 0, 0]
        assert 30 < west < east < 42
        assert 33 < south < north < 39
        for asset in item.assets.values():
            assert asset.href.startswith((world.addresses["assets"], "s3://"))


def test_only_what_touches_the_place_is_found(world: Server) -> None:
    assert ids(pages(world, "earth-search", bbox=[10.0, 50.0, 10.1, 50.1])) == []
    # Orbit 87 ends west of the site, though the bounds of its slices reach over it.
    found = ids(pages(world, "planetary-computer", collections=["sentinel-1-rtc"]))
    assert {name[17:32] for name in found} == {"20241206T034315", "20241212T153337", "20241218T034314",
                                               "20241224T153335", "20241225T033519"}  # fmt: skip


def test_earth_search_breaks_on_large_pages_and_counts(world: Server) -> None:
    assert [ask(world, "earth-search", limit=limit).status_code for limit in (267, 268)] == [200, 502]
    answer = ask(world, "earth-search", limit=5).json()
    assert (answer["numberMatched"], answer["numberReturned"]) == (12, 5)
    link = answer["links"][-1]
    assert link["merge"] is False
    assert link["body"]["next"].endswith(",sentinel-2-c1-l2a")
    assert link["body"]["collections"] == ["sentinel-2-c1-l2a"]
    assert "numberMatched" not in ask(world, "planetary-computer").json()


def test_pgstac_marks_its_place_by_a_token(world: Server) -> None:
    first = ask(world, "planetary-computer", limit=5).json()
    last = first["features"][-1]["id"]
    assert first["links"][-1]["body"]["token"] == f"next:sentinel-2-l2a:{last}"
    assert ask(world, "planetary-computer", token="next:sentinel-2-l2a:nobody").status_code == 400


@pytest.mark.parametrize("catalogue", OPEN)
def test_pages_can_be_wrong(world: Server, catalogue: str) -> None:
    truth = held(catalogue, OPEN[catalogue][1])

    def found(paging: str) -> list[dict[str, Any]]:
        world.set(paging={catalogue: paging})
        return pages(world, catalogue, limit=5)

    doubled = ids(found("duplicates"))
    assert len(doubled) > len(set(doubled))
    assert set(doubled) == set(truth)
    with_hole = found("empty-page")
    assert [len(page["features"]) for page in with_hole] == [5, 0, 5, 2]
    assert ids(with_hole) == truth
    assert len(found("loop")) == 12


@pytest.mark.parametrize(
    ("kind", "target"), [("foreign", "https://198.51.100.7"), ("downgrade", "http://ex"), ("local-path", "/etc")]
)
def test_next_links_can_lead_astray(world: Server, kind: str, target: str) -> None:
    world.set(paging={"cdse": kind})
    assert ask(world, "cdse", limit=5).json()["links"][-1]["href"].startswith(target)


def test_a_catalogue_can_promise_more_than_it_gives(world: Server) -> None:
    world.set(paging={"earth-search": "short"})
    found = pages(world, "earth-search", limit=5)
    assert {page["numberMatched"] for page in found} == {13}
    assert len(ids(found)) == 12


def test_a_catalogue_can_cap_its_pages(world: Server) -> None:
    world.set(page_limit={"planetary-computer": 2})
    assert [len(page["features"]) for page in pages(world, "planetary-computer")] == [2] * 6


def test_items_can_be_missing_doubled_and_changed(world: Server) -> None:
    world.set(
        omit=["earth-search:sentinel-2-c1-l2a/*_20241220T*"],
        reprocessed=["2024-11-30"],
        split=["2024-12-15"],
        drop_assets={"earth-search:*/S2A_36SYE_20241130_0_L2A": ["scl"]},
        alter={"planetary-computer:*_20241225T*": {"platform": None, "eo:cloud_cover": 3.0}},
    )
    assert not [name for name in ids(pages(world, "earth-search")) if "20241220" in name]
    older = pages(world, "earth-search", collections=["sentinel-2-l2a"])
    items = {item["id"]: item for page in older for item in page["features"]}
    assert {"S2A_36SYE_20241130_0_L2A", "S2A_36SYE_20241130_1_L2A"} <= items.keys()
    assert "scl" not in items["S2A_36SYE_20241130_0_L2A"]["assets"]
    assert "scl" in items["S2A_36SYE_20241130_1_L2A"]["assets"]
    baselines = {items[f"S2A_36SYE_20241130_{n}_L2A"]["properties"]["s2:processing_baseline"] for n in (0, 1)}
    assert baselines == {"05.11", "05.12"}
    halves = [item for name, item in items.items() if name.startswith("S2B_36SYE_20241215_")]
    assert sorted(item["properties"]["s2:nodata_pixel_percentage"] for item in halves) == [50.0, 50.0]
    changed = [item for page in pages(world, "planetary-computer", limit=1, most=1) for item in page["features"]]
    assert changed[0]["properties"]["eo:cloud_cover"] == 3.0
    assert "platform" not in changed[0]["properties"]


def test_what_earth_search_says_of_the_offset_is_a_setting(world: Server) -> None:
    def told(**settings: Any) -> tuple[Any, float]:
        world.set(**settings)
        item = pages(world, "earth-search", collections=["sentinel-2-l2a"], most=1)[0]["features"][0]
        return item["properties"].get("earthsearch:boa_offset_applied"), item["assets"]["red"]["raster:bands"][0][
            "offset"
        ]

    assert told() == (True, 0.0)
    assert told(l2a_says="false") == (False, -0.1)
    assert told(l2a_says="absent") == (None, -0.1)
    assert told(l2a_says="true", l2a_offset=-0.1) == (True, -0.1)


def test_wrong_questions_are_refused(world: Server) -> None:
    assert ask(world, "earth-search", datetime="2024-12-25/2024-11-25").status_code == 400
    assert ask(world, "earth-search", datetime="yesterday").status_code == 400
    assert ask(world, "earth-search", bbox=[1, 2, 3]).status_code == 400
    assert ask(world, "earth-search", intersects={"type": "Point", "coordinates": [1, 2]}).status_code == 400
    base = world.environment()["REVISIT_EARTH_SEARCH_URL"]
    assert requests.post(f"{base}/search", data="{", timeout=20).status_code == 400


def test_the_copernicus_catalogue_allows_five_requests_a_second() -> None:
    with start("world") as world:
        base = world.environment()["REVISIT_CDSE_STAC_URL"]
        with requests.Session() as session:
            got = [session.get(base, timeout=20) for _ in range(100)]
    assert [one.status_code for one in got][:5] == [200] * 5
    assert {(one.status_code, one.headers.get("Retry-After")) for one in got[5:]} >= {(429, "2")}


def test_seen_passes_are_those_of_the_real_scene_lists(real_data: Path) -> None:
    folder = real_data / "latakia_s1"
    lists = [json.loads((folder / f"{name}_selected.json").read_text()) for name in ("s1", "s2")]
    real = {one["id"]: one for part in lists for one in part}
    with (Path(__file__).parent / "servers" / "passes.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["origin"] == "seen"]
    assert len(rows) == 50
    for row in rows:
        one = real[row["id"]]
        assert row["datetime"] == one["datetime"]
        stated = [float(row[side]) for side in ("west", "south", "east", "north")]
        assert stated == pytest.approx(one["bbox"], abs=1e-6)
        assert row["orbit_state"] == one.get("orbit", "descending")


def test_all_real_passes_can_be_served(real_data: Path) -> None:
    with start("world", real_data=str(real_data / "latakia_s1")) as world:
        body = {"collections": ["sentinel-2-l2a"], "bbox": SITE, "datetime": "2022-01-01T00:00:00Z/..", "limit": 1000}
        base = world.environment()["REVISIT_PLANETARY_COMPUTER_URL"]
        found = requests.post(f"{base}/search", json=body, timeout=20).json()["features"]
    names = {item["id"] for item in found}
    assert "S2B_MSIL2A_20230624T081609_R121_T36SYE_20240926T085726" in names
    assert len(names) > 110
