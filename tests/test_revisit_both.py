"""Either sensor means both: optical and radar dates of one place in one run, from files on disk to the report."""

from __future__ import annotations

import csv
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fastkml.validator import validate
from PIL import Image, ImageSequence

from aoi import Grid
from detect.detectability import InjectionPlan
from imagery.errors import InsufficientImageryError, NoSceneError, SourceError
from imagery.raster import Raster
from imagery.scene import Scene
from imagery.sources.folder import FolderSource
from revisit.digest import digest
from revisit.export.pdf import plain_pages
from revisit.export.tables import as_csv
from revisit.export.write import FORMATS, export
from revisit.joined import join_results
from revisit.notebook import result_html
from revisit.outputs import write_run
from revisit.pipeline import run
from revisit.recipe import Recipe
from revisit.report import render
from revisit.result import Result
from revisit.runs import open_run
from tests import scenery, speckled, standin
from tests.browsing import launched, serious_findings, visiting
from tests.test_revisit_radar import write_radar

BEFORE, AFTER = date(2024, 12, 7), date(2024, 12, 17)
RADAR = date(2024, 12, 18)
MIDDLE = (72.5, 82.5, 30.0)
"""(row, column, dBsm): the object of `scenery.BLOCK` as radar sees it."""
PLAN = InjectionPlan(classes=("Il-76",), placements=3, poses=3)


def write_optical(folder: Path, **changes: Any) -> None:
    """Write six dates; on the last an object stands on the ground."""
    for k in range(6):
        day = (BEFORE - timedelta(days=5 * (k - 1))) if k else AFTER
        scenery.write_pass(folder / "s2", scenery.Pass(day=str(day), block=k == 0, seed=k, **changes))


def write_dates_of_radar(folder: Path) -> None:
    """Write six dates of one track; on the last the same object stands there."""
    rng = np.random.default_rng(3)
    fixed = [(25.0 + 9 * k, 30.0 + 5 * (k % 3), 34.0) for k in range(9)]
    for k in range(6):
        power = speckled.date(rng, points=[*fixed, *([MIDDLE] if k == 0 else [])], side=scenery.SIZE)
        write_radar(folder / "s1", RADAR - timedelta(days=12 * k), power)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both")
    write_optical(folder)
    write_dates_of_radar(folder)
    return folder


def recipe_for(folder: Path, **changes: Any) -> Recipe:
    """Return a recipe for the place; either sensor will do."""
    area = str(scenery.write_area(folder / "area.geojson"))
    return replace(Recipe(area=area, before=BEFORE, after=AFTER, source=f"folder:{folder}"), **changes)


@pytest.fixture(scope="module")
def result(scenes: Path) -> Result:
    return run(recipe_for(scenes), plan=PLAN)


@pytest.fixture(scope="module")
def written(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(result, tmp_path_factory.mktemp("run") / "both")


def test_each_sensor_is_compared_on_its_own_dates_at_half_of_the_rate(result: Result) -> None:
    optical, radar = result.parts
    assert (optical.sensor, radar.sensor) == ("s2", "s1")
    assert (optical.after.acquired.day, radar.after.acquired.day) == (17, 18)
    assert [part.recipe.false_alarms_per_km2 for part in result.parts] == [0.5, 0.5]
    assert (result.recipe.sensor, result.recipe.false_alarms_per_km2) == ("auto", 1.0)
    assert result.complete


def test_one_object_flagged_by_both_is_associated(result: Result) -> None:
    first = result.flags[0]
    assert (first.id, first.object.change) == ("F1", "appeared")
    assert first.witness is not None
    assert first.witness.outcome == "agrees"
    assert first.notes[0].startswith("radar, 6 to 18 Dec 2024: also appeared here (R")
    met = next(flag for flag in result.flags if flag.id == first.witness.flags[0])
    assert met.witness is not None
    assert "F1" in met.witness.flags
    # Rows and columns of the area begin 20 pixels inside the scene.
    assert np.hypot(met.object.rows.mean() + 20 - MIDDLE[0], met.object.cols.mean() + 20 - MIDDLE[1]) < 3


def test_the_files_of_both_stand_side_by_side(result: Result, written: Path) -> None:
    record = json.loads((written / "run.json").read_text())
    assert (record["sensor"], record["before"][:10], record["after"][:10]) == ("auto", "2024-12-07", "2024-12-17")
    told = record["sensors"]
    assert {sensor: one["after"][:10] for sensor, one in told.items()} == {"s2": "2024-12-17", "s1": "2024-12-18"}
    assert {scene["sensor"] for scene in record["scenes"]} == {"s2", "s1"}
    assert record["flags"] == len(result.flags) == sum(one["flags"] for one in told.values())
    listed = json.loads((written / "item.json").read_text())["assets"]
    names = {f"{prefix}{name}" for prefix in ("", "s1-") for name in ("before.tif", "change.tif", "overlay.png")}
    assert names <= listed.keys() == {path.name for path in written.iterdir()} - {"item.json"}
    rows = json.loads((written / "detectability.json").read_text())["rows"]
    assert {row["sensor"] for row in rows} == {"s2", "s1"}


def test_flags_of_both_have_their_own_dates_and_say_what_the_other_saw(result: Result, written: Path) -> None:
    features = json.loads((written / "flags.geojson").read_text())["features"]
    flags = {one["properties"]["id"]: one["properties"] for one in features}
    assert flags.keys() == {flag.id for flag in result.flags}
    first = flags["F1"]
    met = flags[first["agrees_with"][0]]
    assert (first["sensor"], first["after"][:10], met["sensor"], met["after"][:10]) == (
        "s2", "2024-12-17", "s1", "2024-12-18",
    )  # fmt: skip
    assert first["other_sensor"]["after"] == met["after"]
    assert set(first["scenes"]).isdisjoint(met["scenes"])


def test_the_run_can_be_read_shown_and_exported(result: Result, written: Path) -> None:
    saved = open_run(written)
    assert len(saved.flags) == len(result.flags)
    assert saved.raster("after").scene_ids == result.after.scene_ids
    assert b"also appeared here" in as_csv(saved)
    lines = digest(result, written)
    assert "Radar: Compared 2024-12-06 with 2024-12-18 at testfield" in lines
    assert "radar here" in lines
    assert "optical here" in lines
    assert "radar, before, 2024-12-06" in result_html(result)


def test_every_export_has_the_pictures_and_flags_of_both_and_says_which(written: Path, tmp_path: Path) -> None:
    def out(name: str) -> Path:
        return export(written, name, tmp_path / f"run{FORMATS[name].suffix}")[0]

    counts = {sensor: one["flags"] for sensor, one in json.loads((written / "run.json").read_text())["sensors"].items()}
    optical, radar = open_run(written).parts
    assert {"s2": len(optical.flags), "s1": len(radar.flags)} == counts
    assert (radar.acquired("after").day, radar.raster("after").bands) == (18, ("VV", "VH"))
    rows = list(csv.DictReader(out("csv").read_text("utf-8-sig").splitlines()))
    assert Counter(row["sensor"] for row in rows) == counts
    assert {row["contrast_unit"] for row in rows if row["sensor"] == "s1"} == {"ln of the ratio of power"}
    with zipfile.ZipFile(out("kmz")) as archive:
        pictures = [name for name in archive.namelist() if name.endswith(".png")]
        (tmp_path / "doc.kml").write_bytes(archive.read("doc.kml"))
    assert pictures == [f"files/{name}.png" for name in ("before", "after", "s1-before", "s1-after")]
    assert validate(file_to_validate=tmp_path / "doc.kml")
    text = (tmp_path / "doc.kml").read_text()
    assert text.count("<value>radar</value>") == counts["s1"]
    assert "<name>radar, after, 2024-12-18" in text
    with zipfile.ZipFile(out("overlays")) as archive:
        names = set(archive.namelist())
    assert {
        "after-true-colour.tif",
        "s1-after-backscatter.tif",
        "flags.png",
        "s1-flags.png",
        "s1-both-dates.png",
    } <= names
    with rasterio.open(out("cog")) as stack:
        assert {"after B02", "radar after VV", "radar change object_statistic"} <= set(stack.descriptions)
        assert stack.tags()["RADAR_AFTER"].startswith("2024-12-18")
    assert [len(seen) > 0 for seen in open_run(written).detectability().values()] == [True, True]
    assert len(plain_pages(open_run(written))) >= 2
    with Image.open(out("gif")) as film:
        assert len(list(ImageSequence.Iterator(film))) == 6


def test_the_same_run_gives_the_same_bytes(result: Result, written: Path, tmp_path: Path) -> None:
    again = write_run(replace(result, timings_s={}), tmp_path / "again")
    names = sorted(path.name for path in written.iterdir() if path.name not in {"run.json", "item.json"})
    assert [name for name in names if (again / name).read_bytes() != (written / name).read_bytes()] == []


class Broken(FolderSource):
    """A folder whose radar cannot be fetched today."""

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        if scene.sensor == "s1":
            raise SourceError("the server answered 503 five times")
        return super().read(scene, grid, bands)


def test_a_failure_on_radar_leaves_the_optical_result_whole_and_the_run_in_part(scenes: Path) -> None:
    result = run(recipe_for(scenes, baseline=0), source=Broken(scenes))
    assert not result.complete
    assert [line for line in result.warnings if "radar" in line] == [
        "radar could not be fetched, so that the optical dates stand alone: the server answered 503 five times"
    ]
    assert (result.sensor, result.other, result.flags[0].object.change) == ("s2", None, "appeared")
    lines = digest(result, scenes)
    assert "1 per km2" in lines
    assert "radar" not in lines


def test_without_radar_optical_stands_alone_and_one_line_says_so(tmp_path: Path) -> None:
    write_optical(tmp_path)
    result = run(recipe_for(tmp_path, baseline=0))
    assert (result.complete, result.other, result.sensor) == (True, None, "s2")
    assert len([line for line in result.warnings if line.startswith("radar: none in the window")]) == 1
    assert result.flags[0].witness is None


def test_radar_alone_where_cloud_leaves_no_optical_pair(tmp_path: Path) -> None:
    write_dates_of_radar(tmp_path)
    scenery.write_pass(tmp_path / "s2", scenery.Pass(day=str(BEFORE)))
    scenery.write_pass(tmp_path / "s2", scenery.Pass(day=str(AFTER), cloud=slice(0, scenery.SIZE)))
    result = run(recipe_for(tmp_path, baseline=0))
    assert (result.sensor, result.other) == ("s1", None)
    assert any(line.startswith("no usable optical pair, so radar was compared") for line in result.warnings)
    assert result.flags[0].id == "F1"


def test_without_either_both_reasons_are_told(tmp_path: Path) -> None:
    scenery.write_pass(tmp_path / "s2", scenery.Pass(day=str(BEFORE)))
    with pytest.raises(InsufficientImageryError, match=r"optical: no pair .*; radar: .* has no scene") as told:
        run(recipe_for(tmp_path, baseline=0))
    assert not isinstance(told.value, NoSceneError)


def by_hand(grid: Grid) -> Result:
    """Return a result of two sensors: a bright object in the radar's after date alone."""
    optical = standin.make_result(grid)
    power = np.full((2, *grid.shape), 0.02, np.float32)
    dates = [datetime(2024, 12, day, 3, 43, tzinfo=UTC) for day in (1, 13)]
    before, after = (
        standin.make_raster(grid, day, data=data, bands=("VV", "VH"), quantity="gamma0", scene_ids=(f"S1A_{day:%d}",))
        for day, data in zip(dates, (power, power * 40), strict=True)
    )
    scenes = [replace(one, scene=replace(one.scene, sensor="s1")) for one in optical.scenes]
    flags = standin.make_flags([standin.blob(11, 11)], zone="apron-north")
    radar = replace(optical, before=before, after=after, flags=flags, scenes=tuple(scenes))
    return join_results(optical.recipe, optical, radar)


def test_the_report_switches_between_optical_and_radar(tmp_path: Path) -> None:
    result = by_hand(standin.make_grid())
    path = tmp_path / "report.html"
    path.write_text(render(result), encoding="utf-8")
    with launched() as browser, visiting(browser, path.as_uri()) as visit:
        tags = visit.page.locator(".map-tag")
        optical = tags.all_inner_texts()
        visit.page.select_option("#colour", "radar")
        visit.settle()
        assert tags.all_inner_texts() == ["Before 2024-12-01 03:43 UTC", "After 2024-12-13 03:43 UTC"]
        visit.page.locator("#list [data-flag=R1]").click()
        visit.settle()
        assert visit.data("selected") == "R1"
        words = visit.page.locator("#inspector").inner_text()
        assert "optical" in words
        assert "drawn, not seen: Il-76 here, before; radar cross-section of 630 m² assumed" in words
        visit.page.wait_for_function("() => !document.querySelector('noscript')")
        assert visit.page.locator("#still svg.pixels").count() == 4
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            assert serious_findings(visit.page) == []
        visit.page.select_option("#colour", "picture")
        visit.settle()
        assert tags.all_inner_texts() == optical
        assert visit.complaints == []


def test_the_report_of_one_sensor_knows_of_no_other() -> None:
    page = render(standin.make_result())
    assert "radar" not in page.split("</style>")[1].split('<section aria-labelledby="limits">')[0]
