"""Two radar dates of a place through the main job: from files on disk to flags on the ground."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from detect.detectability import InjectionPlan
from imagery.errors import InsufficientImageryError
from revisit.claims import Claim, Publication
from revisit.gathering import probability
from revisit.outputs import write_run
from revisit.pipeline import run
from revisit.places import Place
from revisit.recipe import Recipe
from revisit.result import Result
from tests import scenery, speckled

SHIP = (80.0, 110.0, 36.0)
"""(row, column, dBsm) of what appears, on the water of the scene."""
FIXED = [(25.0 + 9 * k, 30.0 + 5 * (k % 3), 34.0) for k in range(9)]
LAST = date(2024, 12, 19)


def write_radar(folder: Path, day: date, power: NDArray[Any], **properties: Any) -> None:
    """Write a date as a STAC Item beside its two bands."""
    name = f"S1A_IW_GRDH_1SDV_{day:%Y%m%d}T034300_rtc"
    (folder / name).mkdir(parents=True)
    assets = {}
    for band, pixels in zip(("VV", "VH"), power, strict=True):
        scenery.write_band(folder / name / f"{band}.tif", pixels.astype(np.float32), 10)
        assets[band] = {"href": f"./{name}/{band}.tif", "raster:bands": [{"data_type": "float32", "nodata": 0}]}
    item = scenery.stac_item(scenery.Pass(day=str(day)), assets)
    facts = {"platform": "sentinel-1a", "sat:relative_orbit": 94, "sat:orbit_state": "descending"}
    item["properties"] = {"datetime": f"{day}T03:43:00Z", **facts, **properties}
    (folder / f"{name}.json").write_text(json.dumps(item | {"id": name}))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve dates of one track, and a ship on the last."""
    folder = tmp_path_factory.mktemp("radar")
    rng = np.random.default_rng(3)
    for k in range(12):
        ships = [SHIP] if k == 0 else []
        power = speckled.date(rng, points=[*FIXED, *ships], side=scenery.SIZE)
        write_radar(folder / "s1", LAST - timedelta(days=12 * k), power)
    return folder


@pytest.fixture(scope="module")
def result(scenes: Path) -> Result:
    return run(recipe_for(scenes))


def recipe_for(scenes: Path, **changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "area": str(scenery.write_area(scenes / "area.geojson")),
        "before": LAST - timedelta(days=12),
        "after": LAST,
        "sensor": "s1",
        "source": f"folder:{scenes / 's1'}",
    }
    return Recipe(**(values | changes))


def test_a_ship_that_arrives_is_flagged_where_it_lies(result: Result) -> None:
    first = result.flags[0].object
    rows, cols = (first.rows.mean() + 20, first.cols.mean() + 20)
    assert (first.change, first.scale) == ("appeared", "object")
    assert np.hypot(rows - SHIP[0], cols - SHIP[1]) < 2
    assert result.change.calibrated
    assert first.p_value is not None
    assert first.p_value < 0.01


def test_the_dates_are_registered_on_what_never_moves(result: Result) -> None:
    assert result.baseline_dates == 10
    shifts = [record.shift_px for record in result.alignments]
    assert shifts[0] == (0.0, 0.0)
    assert np.abs(shifts).max() < 0.3
    assert not any("not registered" in warning for warning in result.warnings)


def test_what_could_have_been_seen_is_told_by_class(result: Result) -> None:
    told = {row.object: row.pd for row in result.detectability}
    assert told["ship-120m"] > 0.9
    assert told["Ka-52"] < told["ship-120m"]


def test_what_left_ground_where_nothing_usually_stands_is_told_as_a_visitor(scenes: Path) -> None:
    zones = [
        scenery.feature("zone", name, (west, 22, west + 40, 100), kind="apron", source="invented")
        for name, west in (("stands", 22), ("bare", 70))
    ]
    area = scenery.write_area(scenes / "zoned.geojson", *zones)
    told = run(recipe_for(scenes, area=str(area)), plan=InjectionPlan(classes=("Il-76",), placements=12))
    came, left = (
        next(row for row in told.detectability if (row.object, row.direction) == ("Il-76", way))
        for way in ("appeared", "vanished")
    )
    assert left.vacant == ("bare",)
    assert left.visitor_pd is not None
    assert left.visitor_pd >= left.pd
    assert (came.vacant, came.visitor_pd) == ((), None)

    def of(zone: str) -> float | None:
        claim = Claim(
            id="C1", statement="S", kind="left", start=LAST, end=LAST, area="x", object="Il-76",
            publication=Publication(title="T", publisher="P", published=LAST),
        )  # fmt: skip
        place = Place(pixels=np.ones((1, 1), np.bool_), km2=0.1, zone=zone, kind="apron")
        return probability(told, claim, place)

    assert (of("stands"), of("bare")) == (left.pd, left.visitor_pd)


def test_the_run_is_written_with_its_sensor(result: Result, tmp_path: Path) -> None:
    folder = write_run(result, tmp_path / "run")
    record = json.loads((folder / "run.json").read_text())
    flags = json.loads((folder / "flags.geojson").read_text())["features"]
    assert (record["sensor"], record["detection"]["quantity"]) == ("s1", "gamma0")
    assert {flag["properties"]["sensor"] for flag in flags} == {"s1"}
    assert "C-band radar" in (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The later date is Sentinel-1C's and lies two pixels off; interference crosses one date of the baseline."""
    folder = tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(6)
    rows, cols = np.mgrid[: scenery.SIZE, : scenery.SIZE] - (scenery.SIZE - 1) / 2
    across = np.abs(-cols * np.cos(np.radians(102)) - rows * np.sin(np.radians(102))) <= 2
    for k in range(9):
        power = speckled.date(rng, points=[*FIXED, *([SHIP] if k == 0 else [])], side=scenery.SIZE)
        if k == 4:
            power = power + (0.04 * rng.gamma(4.4, 1 / 4.4, power.shape) * across).astype(np.float32)
        changes = {"platform": "sentinel-1c"} if k == 0 else {}
        write_radar(folder / "s1", LAST - timedelta(days=12 * k), np.roll(power, 2 * (k == 0), axis=2), **changes)
    return run(recipe_for(folder))


def test_row_42_another_satellite_is_moved_onto_the_first_and_every_flag_says_so(mixed: Result) -> None:
    after = mixed.alignments[1]
    assert after.shift_px == pytest.approx((0, -2), abs=0.2)
    assert any("come from sentinel-1a and sentinel-1c" in line for line in mixed.warnings)
    assert any("lay 2.0 px off the before scene and was moved" in line for line in mixed.warnings)
    notes = [any("sentinel-1a and sentinel-1c, registered on" in note for note in flag.notes) for flag in mixed.flags]
    assert notes
    assert all(notes)
    first = mixed.flags[0].object
    assert np.hypot(first.rows.mean() + 20 - SHIP[0], first.cols.mean() + 20 - SHIP[1]) < 2
    # What stands on every date is no change, though it lay two pixels off on one.
    for row, col, _ in FIXED:
        assert not any((np.hypot(f.object.rows + 20 - row, f.object.cols + 20 - col) < 3).any() for f in mixed.flags)


def test_a_date_of_the_baseline_with_interference_is_rejected_by_name(mixed: Result) -> None:
    day = LAST - timedelta(days=48)
    (line,) = [one for one in mixed.warnings if "stripes of interference" in one]
    assert f"baseline: S1A_IW_GRDH_1SDV_{day:%Y%m%d}" in line
    assert "rejected" in line
    assert mixed.baseline_dates == 6


def test_row_42_another_satellite_without_anything_to_register_on_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    for k, platform in ((0, "sentinel-1c"), (1, "sentinel-1a")):
        power = speckled.date(rng, points=[], side=scenery.SIZE)
        write_radar(tmp_path / "s1", LAST - timedelta(days=12 * k), power, platform=platform)
    with pytest.raises(InsufficientImageryError, match="nothing fixed stands here to register them on"):
        run(recipe_for(tmp_path))


def test_either_sensor_means_radar_where_there_is_no_optical_pair(scenes: Path) -> None:
    result = run(recipe_for(scenes, sensor="auto", baseline=0))
    assert result.after.quantity == "gamma0"
    assert not result.change.calibrated
    assert any("radar was compared" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    "other", [{"sat:relative_orbit": 21}, {"sat:orbit_state": "ascending", "sat:relative_orbit": 14}]
)
def test_another_track_is_never_compared(tmp_path: Path, other: dict[str, Any]) -> None:
    rng = np.random.default_rng(4)
    for day, properties in ((LAST - timedelta(days=12), {}), (LAST, other)):
        write_radar(tmp_path / "s1", day, speckled.date(rng, points=FIXED, side=scenery.SIZE), **properties)
    with pytest.raises(InsufficientImageryError, match="relative orbit"):
        run(recipe_for(tmp_path))
