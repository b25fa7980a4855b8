"""One scene a pass: twins, halves, neighbours and versions, in every order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagery.datatake import one_per_pass
from imagery.scene import Scene
from tests.passes import KHMEIMIM, MOMENT, OWN, part_of_area, scene

EARLIER = datetime(2024, 12, 7, 9, tzinfo=UTC)


def chosen(*scenes: Scene, crs: str = OWN) -> tuple[Scene, tuple[str, ...]]:
    """Return the one scene of a pass and the reasons, whatever the order in which the files come."""
    results = {}
    for order in list(permutations(scenes))[:24]:
        (best,), reasons = one_per_pass(order, aoi=KHMEIMIM, crs=crs)
        results[best.id, tuple(p.id for p in best.parts), tuple(t.id for t in best.twins), tuple(sorted(reasons))] = (
            best
        )
    assert len(results) == 1, list(results)
    (key,) = results
    return results[key], key[3]


def test_row_37_of_two_utm_zones_the_own_one_is_taken() -> None:
    best, reasons = chosen(scene("S2B_37SBV", tile="37SBV"), scene("S2B_36SYE"))
    assert (best.id, best.parts, best.twins) == ("S2B_36SYE", (), ())
    (reason,) = reasons
    assert reason.startswith("S2B_37SBV (earth-search) is of the same pass as S2B_36SYE (earth-search): ")
    assert reason.endswith("it lies in UTM zone 37, the other in 36")


def test_row_37_the_zone_is_that_of_the_grid() -> None:
    best, _ = chosen(scene("S2B_37SBV", tile="37SBV"), scene("S2B_36SYE"), crs="EPSG:32637")
    assert best.id == "S2B_37SBV"


def test_row_38_another_zone_alone_is_taken() -> None:
    best, reasons = chosen(scene("S2B_37SBV", tile="37SBV"))
    assert (best.id, reasons) == ("S2B_37SBV", ())


def test_row_38_the_other_zone_serves_where_the_own_has_a_hole() -> None:
    own = scene("S2B_36SYE", footprint=part_of_area(east=0.3))
    best, _ = chosen(own, scene("S2B_37SBV", tile="37SBV"))
    assert best.id == "S2B_37SBV"
    nearly = scene("S2B_36SYE", footprint=part_of_area(east=0.95))
    assert chosen(nearly, scene("S2B_37SBV", tile="37SBV"))[0].id == "S2B_36SYE"


def test_row_37_collection_1_before_the_older_one_of_the_same_product() -> None:
    old = scene("S2B_36SYE_20241207_0_L2A", collection="sentinel-2-l2a", doubtful=True)
    best, reasons = chosen(old, scene("S2B_T36SYE_20241207", collection="sentinel-2-c1-l2a"))
    assert best.id == "S2B_T36SYE_20241207"
    assert [twin.id for twin in best.twins] == ["S2B_36SYE_20241207_0_L2A"]
    assert reasons[0].endswith("its offset would have to be decided from its numbers")


@pytest.mark.parametrize(
    ("better", "reason"),
    [
        ({"processing_baseline": "05.11"}, "it has the processing baseline 05.10, the other 05.11"),
        ({"generated": datetime(2025, 1, 1, tzinfo=UTC)}, "it was made on 2024-12-07 09:00, the other later"),
    ],
)
def test_row_37_of_two_processings_the_newer_is_taken(better: dict[str, Any], reason: str) -> None:
    usual: dict[str, Any] = {"processing_baseline": "05.10", "generated": EARLIER}
    best, reasons = chosen(scene("S2B_36SYE_0", **usual), scene("S2B_36SYE_1", **(usual | better)))
    assert best.id == "S2B_36SYE_1"
    assert best.parts == ()
    assert reasons == (f"S2B_36SYE_0 (earth-search) is of the same pass as S2B_36SYE_1 (earth-search): {reason}",)


def test_row_37_halves_from_two_stations_are_put_together() -> None:
    halves = (
        scene("S2B_36SYE_0", footprint=part_of_area(north=0.4)),
        scene("S2B_36SYE_1", footprint=part_of_area(south=0.4)),
    )
    best, reasons = chosen(*halves)
    assert (best.id, [part.id for part in best.parts]) == ("S2B_36SYE_1", ["S2B_36SYE_0"])
    assert reasons == ("S2B_36SYE_0 (earth-search) is of the same pass as S2B_36SYE_1: read for what that lacks",)


def test_row_37_halves_are_known_by_their_strips_where_the_outlines_hide_them() -> None:
    name = "S2B_OPER_MSI_L2A_DS_{}_20241207T104753_S20241207T{}_N05.11"
    one, two, same = (
        scene(f"S2B_36SYE_{k}", datastrip=name.format(station, at))
        for k, (station, at) in enumerate([("2BPS", "082625"), ("SGS_", "082640"), ("EPAE", "082625")])
    )
    assert [part.id for part in chosen(one, two)[0].parts] == ["S2B_36SYE_1"]
    assert chosen(one, same)[0].parts == ()


def test_an_area_over_two_tiles_takes_both() -> None:
    north, south = (
        scene("36SYE", footprint=part_of_area(south=0.45)),
        scene("36SYD", tile="36SYD", footprint=part_of_area(north=0.5)),
    )
    other = scene("37SBV", tile="37SBV")
    best, _ = chosen(north, south, other)
    assert (best.id, [part.id for part in best.parts]) == ("36SYE", ["36SYD"])


def test_files_of_two_processings_are_never_put_together() -> None:
    north = scene("36SYE", footprint=part_of_area(south=0.45))
    south = scene("36SYD", tile="36SYD", footprint=part_of_area(north=0.5), processing_baseline="05.00")
    best, _ = chosen(north, south)
    assert (best.id, best.parts) == ("36SYE", ())


def test_a_tile_that_adds_nothing_is_not_opened() -> None:
    best, reasons = chosen(scene("36SYE"), scene("36SYF", tile="36SYF", footprint=part_of_area(south=0.8)))
    assert best.parts == ()
    assert reasons[0].endswith("it covers 20% of the area, the other 100%")


def test_twins_come_from_every_source_in_order() -> None:
    files = (
        scene("pc", source="planetary-computer"),
        scene("c1", collection="sentinel-2-c1-l2a"),
        scene("l2a", collection="sentinel-2-l2a", doubtful=True),
        scene("hub", source="sentinel-hub"),
    )
    best, _ = chosen(*files)
    assert (best.id, [twin.id for twin in best.twins]) == ("c1", ["pc", "hub", "l2a"])


def test_what_was_processed_otherwise_is_no_twin() -> None:
    best, _ = chosen(scene("new"), scene("old", source="planetary-computer", processing_baseline="02.12"))
    assert (best.id, best.twins) == ("new", ())


def test_a_twin_keeps_its_own_parts() -> None:
    halves = [
        scene(f"{source}-{half}", source=source, footprint=area)
        for source in ("earth-search", "planetary-computer")
        for half, area in (("n", part_of_area(south=0.4)), ("s", part_of_area(north=0.4)))
    ]
    best, _ = chosen(*halves)
    assert [part.id for part in best.parts] == ["earth-search-s"]
    assert [(twin.id, [part.id for part in twin.parts]) for twin in best.twins] == [
        ("planetary-computer-n", ["planetary-computer-s"])
    ]


def test_a_catalogue_that_gives_the_start_of_the_datatake_means_the_same_pass() -> None:
    start = scene("pc", source="planetary-computer", acquired=MOMENT - timedelta(minutes=9))
    best, _ = chosen(scene("es"), start)
    assert best.id == "es"


@pytest.mark.parametrize(
    "other",
    [
        {"platform": "sentinel-2c"},
        {"relative_orbit": 78},
        {"acquired": MOMENT + timedelta(days=5)},
        {"acquired": MOMENT + timedelta(minutes=98)},
        {"level": "L1C"},
    ],
)
def test_what_is_another_pass_stays(other: dict[str, Any]) -> None:
    result, reasons = one_per_pass([scene("a"), scene("b", **other)], aoi=KHMEIMIM, crs=OWN)
    assert ({one.id for one in result}, reasons) == ({"a", "b"}, ())


def test_row_42_ascending_and_descending_radar_stay_apart_and_slices_go_together() -> None:
    radar: dict[str, Any] = {"sensor": "s1", "platform": "sentinel-1a", "tile": None, "processing_baseline": None}
    slices = [
        scene("s1-a", **radar, direction="descending", relative_orbit=94, footprint=part_of_area(north=0.5)),
        scene("s1-b", **radar, direction="descending", relative_orbit=94, footprint=part_of_area(south=0.4),
              acquired=MOMENT + timedelta(seconds=25)),
        scene("s1-c", **radar, direction="ascending", relative_orbit=87, acquired=MOMENT + timedelta(hours=12)),
    ]  # fmt: skip
    result, _ = one_per_pass(slices, aoi=KHMEIMIM, crs=OWN)
    assert [(one.id, [part.id for part in one.parts]) for one in result] == [("s1-b", ["s1-a"]), ("s1-c", [])]


def many() -> list[Scene]:
    """Return the files of three passes from two sources in two zones."""
    return [
        scene(f"{source[:2]}-{tile}-{day}", source=source, tile=tile, acquired=MOMENT + timedelta(days=day))
        for source in ("earth-search", "planetary-computer")
        for tile in ("36SYE", "37SBV")
        for day in (0, 5, 10)
    ]


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_files_decides_nothing(draw: random.Random) -> None:
    files = many()
    draw.shuffle(files)
    result, reasons = one_per_pass(files, aoi=KHMEIMIM, crs=OWN)
    assert [one.id for one in result] == ["ea-36SYE-0", "ea-36SYE-5", "ea-36SYE-10"]
    assert len(reasons) == len(files) - len(result)


def test_choosing_twice_changes_nothing() -> None:
    once, _ = one_per_pass(many(), aoi=KHMEIMIM, crs=OWN)
    twice, _ = one_per_pass(once, aoi=KHMEIMIM, crs=OWN)
    assert once == twice
    assert all(len(one.twins) == 1 for one in once)
