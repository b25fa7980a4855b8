"""The main job with a baseline: what it says, what it writes, and where it falls back on two dates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from detect.detectability import InjectionPlan
from revisit.digest import honest_lines
from revisit.outputs import write_run
from revisit.pipeline import run
from revisit.recipe import Recipe, recipe_from
from revisit.result import Result
from tests.scenery import BLOCK, Pass, feature, write_area, write_scenes

DATES = 12


def earlier(count: int) -> Iterator[Pass]:
    """Return clear dates every five days, the last five days before the pair."""
    for k in range(count, 0, -1):
        yield Pass(day=f"{date(2024, 12, 7) - timedelta(days=5 * k)}")


def recipe_for(folder: Path, count: int, **changes: Any) -> Recipe:
    """Write a pair in which an object appears and so many earlier dates; return the recipe."""
    write_scenes(folder / "s", *earlier(count), Pass(day="2024-12-07"), Pass(day="2024-12-17", block=True))
    apron = feature("zone", "apron", (20.4, 20.4, 139.6, 139.6), kind="apron", source="survey", accuracy_m=5)
    area = write_area(folder / "a.geojson", apron)
    table = {"area": str(area), "before": "2024-12-07", "after": "2024-12-17", "source": f"folder:{folder / 's'}"}
    return recipe_from(table | changes)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return a run with a baseline of twelve dates."""
    return run(recipe_for(tmp_path_factory.mktemp("calibrated"), DATES, within_days=1))


@pytest.fixture(scope="module")
def folder(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the run."""
    return write_run(result, tmp_path_factory.mktemp("runs") / "one")


def test_an_object_that_appears_is_beyond_chance(result: Result) -> None:
    assert result.change.calibrated
    first = result.flags[0].object
    block = {(r - 20, c - 20) for r in range(BLOCK[0].start, BLOCK[0].stop) for c in range(*BLOCK[1].indices(160)[:2])}
    assert first.change == "appeared"
    assert len(block & set(zip(first.rows.tolist(), first.cols.tolist(), strict=True))) > 0.8 * len(block)
    assert first.p_value is not None
    assert first.false_alarms is not None
    assert first.false_alarms < 0.1
    assert first.false_alarms == pytest.approx(first.p_value * result.searched_km2 / 0.01, rel=0.05)


def test_the_manifest_holds_the_baseline(folder: Path) -> None:
    told = json.loads((folder / "run.json").read_text())
    dates = [scene for scene in told["scenes"] if scene["role"] == "baseline"]
    assert (told["baseline"], told["calibrated"], len(dates)) == (DATES, True, DATES)
    assert [scene["acquired"] for scene in dates] == sorted(scene["acquired"] for scene in dates)
    assert {scene["valid_share"] for scene in dates} == {1.0}
    assert {row["scene"] for row in told["alignment"]} == {scene["id"] for scene in told["scenes"]}
    assert told["detection"]["statement"] is None
    assert told["timings_s"]["baseline"] > 0


def test_the_map_holds_chances_where_the_ground_was_searched(folder: Path, result: Result) -> None:
    with rasterio.open(folder / "change.tif") as file:
        maps = dict(zip(file.descriptions, file.read(), strict=True))
        assert file.tags()["CALIBRATION"] == "calibrated"
    searched = ~np.isnan(result.change.objects.threshold)
    known = maps["object_p"][searched & (maps["valid"] == 1)]
    assert ((known >= 0) & (known <= 1)).all()


def test_what_could_have_been_seen_is_written(folder: Path, result: Result) -> None:
    told = json.loads((folder / "detectability.json").read_text())
    assert (told["schema"], told["calibrated"]) == ("revisit/detectability/1", True)
    assert told["false_alarms_per_km2"] == 1.0
    large = [row for row in told["rows"] if row["object"] == "An-124"]
    assert {(row["ground"], row["direction"]) for row in large} == {("apron", "appeared"), ("apron", "vanished")}
    assert min(row["pd"] for row in large) > 0.9
    listed = json.loads((folder / "item.json").read_text())["assets"]
    assert listed["detectability.json"]["file:checksum"].startswith("1220")
    assert len(told["rows"]) == len(result.detectability)


def test_flags_name_the_pair_and_not_the_baseline(folder: Path) -> None:
    properties = json.loads((folder / "flags.geojson").read_text())["features"][0]["properties"]
    assert properties["scenes"] == ["S2B_L2A_20241207T082000", "S2B_L2A_20241217T082000"]
    assert properties["false_alarms"] < 0.1


def test_three_dates_are_too_few_and_it_is_said(tmp_path: Path) -> None:
    result = run(recipe_for(tmp_path, 3, within_days=1))
    folder = write_run(result, tmp_path / "run")
    reason = "3 earlier dates of the same orbit could be used, and at least 4 are needed"
    told = json.loads((folder / "run.json").read_text())
    assert (told["baseline"], told["calibrated"]) == (3, False)
    assert reason in told["detection"]["statement"]
    assert reason in json.loads((folder / "item.json").read_text())["properties"]["description"]
    assert reason in (folder / "report.html").read_text()
    with rasterio.open(folder / "change.tif") as file:
        assert reason in file.tags()["CALIBRATION"]
    assert not (folder / "detectability.json").exists()


def test_too_little_ground_falls_back_on_two_dates_and_says_why(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, 6, within_days=1)
    small = feature("zone", "stand", (75, 65, 95, 85), kind="apron", source="survey", accuracy_m=5)
    write_area(tmp_path / "a.geojson", small)
    result = run(recipe)
    assert (result.baseline_dates, result.change.calibrated) == (6, False)
    assert "the 6 earlier dates do not tell how often unchanged ground looks changed: " in honest_lines(result)[1]


def test_two_dates_alone_can_be_asked_for(tmp_path: Path) -> None:
    result = run(recipe_for(tmp_path, 5, within_days=1, baseline=0))
    assert result.baseline_dates == 0
    assert not result.change.calibrated
    assert {flag.object.p_value for flag in result.flags} == {None}


def test_what_could_have_been_seen_can_be_asked_of_two_dates(tmp_path: Path) -> None:
    plan = InjectionPlan(classes=("An-124",), placements=5)
    result = run(recipe_for(tmp_path, 0), plan=plan)
    assert [(row.object, row.placements) for row in result.detectability] == [("An-124", 5)] * 2
