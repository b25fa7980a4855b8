"""The main job on small scenes with a known truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import revisit
from aoi import AOI, Grid
from imagery.errors import (
    InsufficientImageryError,
    NoSceneError,
    SourceError,
)
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Found
from imagery.sources.folder import FolderSource
from revisit.errors import UsageError
from revisit.pipeline import MOST_PIXELS, run
from revisit.recipe import Recipe, recipe_from
from revisit.result import Result
from tests.scenery import BLOCK, Pass, feature, write_area, write_pass, write_scenes

BEFORE, AFTER = Pass(day="2024-12-07"), Pass(day="2024-12-17", block=True)
APRON = feature("zone", "apron", (60, 50, 110, 100), kind="apron", source="survey", accuracy_m=5)
FIELD = feature("zone", "field", (30, 100, 130, 130), kind="other", source="survey", accuracy_m=None)


def recipe_for(folder: Path, *zones: dict[str, Any], **changes: Any) -> Recipe:
    """Return the recipe for the scenes of a folder."""
    area = write_area(folder.parent / f"{folder.name}.geojson", *zones)
    table = {"area": str(area), "before": "2024-12-07", "after": "2024-12-17", "source": f"folder:{folder}"}
    return recipe_from(table | changes)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which an object appears between two dates."""
    return write_scenes(tmp_path_factory.mktemp("pipeline") / "scenes", BEFORE, AFTER)


@pytest.fixture(scope="module")
def result(scenes: Path) -> Result:
    """Return the run on the apron and the field."""
    return run(recipe_for(scenes, APRON, FIELD))


def block_pixels() -> set[tuple[int, int]]:
    """Return the (row, col) of the object's pixels on the run's grid, which begins 20 pixels inside the scene."""
    return {
        (r - 20, c - 20) for r in range(BLOCK[0].start, BLOCK[0].stop) for c in range(BLOCK[1].start, BLOCK[1].stop)
    }


def pixels_of(result: Result, flag: int) -> set[tuple[int, int]]:
    """Return the (row, col) of a flag's pixels."""
    item = result.flags[flag].object
    return set(zip(item.rows.tolist(), item.cols.tolist(), strict=True))


def test_an_object_that_appears_is_the_strongest_flag(result: Result) -> None:
    first = result.flags[0]
    assert (first.id, first.zone, first.object.change) == ("F1", "apron", "appeared")
    assert len(pixels_of(result, 0) & block_pixels()) >= 0.8 * len(block_pixels())
    assert first.object.contrast == pytest.approx(0.25, abs=0.08)


def test_an_object_that_leaves_has_vanished(tmp_path: Path) -> None:
    write_scenes(tmp_path / "s", replace(BEFORE, block=True), replace(AFTER, block=False))
    flag = run(recipe_for(tmp_path / "s", APRON)).flags[0]
    assert (flag.zone, flag.object.change) == ("apron", "vanished")


def test_nothing_is_flagged_outside_the_searched_ground_but_the_map_covers_it(scenes: Path) -> None:
    result = run(recipe_for(scenes, FIELD))
    at = min(block_pixels())
    assert [flag.zone for flag in result.flags if flag.zone != "field"] == []
    assert result.change.areas.statistic[at] > np.nanmedian(result.change.areas.statistic) * 3


def test_identical_pixels_under_two_dates_give_no_flag(tmp_path: Path) -> None:
    first = write_pass(tmp_path / "s", BEFORE)
    item = json.loads(first.read_text()) | {"id": "copy"}
    item["properties"]["datetime"] = "2024-12-17T08:20:00Z"
    (tmp_path / "s" / "copy.json").write_text(json.dumps(item))
    result = run(recipe_for(tmp_path / "s"))
    assert result.flags == ()
    assert result.alignments[1].shift_px == pytest.approx((0, 0), abs=1e-6)


def test_both_dates_lie_on_the_area_s_grid_without_the_margin(result: Result) -> None:
    assert result.grid.shape == (120, 120)
    assert result.before.grid == result.after.grid == result.grid
    assert result.change.valid.shape == result.grid.shape
    assert result.change.valid.all()
    assert result.searched_km2 == pytest.approx(0.25 + 0.30, abs=0.001)


def test_ground_without_data_is_counted_out(tmp_path: Path) -> None:
    write_scenes(tmp_path / "s", BEFORE, replace(AFTER, empty=slice(75, 160)))
    result = run(recipe_for(tmp_path / "s", APRON, within_days=0))
    # The apron's rows are 50 to 100; resampling by part of a pixel may cost a few more at the edge.
    assert 0.5 - 6 / 50 <= result.valid_share["apron"] <= 0.5
    assert result.searched_valid_share == result.valid_share["apron"]
    assert any("apron: only" in line for line in result.warnings) == (result.valid_share["apron"] < 0.5)


def test_rough_and_unknown_outlines_are_said_of_each_finding(scenes: Path) -> None:
    rough = feature("zone", "stand", (60, 50, 110, 100), kind="hardstand", source="guess", accuracy_m=120)
    result = run(recipe_for(scenes, rough, FIELD))
    assert "the outline of stand is estimated, within 120 m (guess)" in result.flags[0].notes
    assert "estimated outlines: stand within 120 m" in result.warnings
    assert "outlines without a stated accuracy: field" in result.warnings


def test_simulated_scenes_are_called_so(tmp_path: Path) -> None:
    write_scenes(tmp_path / "s", replace(BEFORE, properties={"simulated": True}), AFTER)
    result = run(recipe_for(tmp_path / "s"))
    assert result.simulated
    assert result.warnings[0].startswith("SIMULATED")
    assert all(flag.notes[0].startswith("SIMULATED") for flag in result.flags)


def test_the_library_s_face_is_the_pipeline() -> None:
    assert revisit.run is run
    assert revisit.Recipe is Recipe
    with pytest.raises(AttributeError, match="no attribute 'walk'"):
        _ = revisit.walk


def test_progress_is_told(scenes: Path) -> None:
    lines: list[str] = []
    run(recipe_for(scenes), progress=lines.append)
    assert [line for line in lines if line.startswith("reading")] == [f"reading {one.id}" for one in (BEFORE, AFTER)]


def test_a_truncated_scene_is_left_out_with_a_warning(tmp_path: Path) -> None:
    write_scenes(tmp_path / "s", BEFORE, AFTER, Pass(day="2024-12-16"), Pass(day="2024-12-18", block=True))
    broken = tmp_path / "s" / AFTER.id / "B03.tif"
    broken.write_bytes(broken.read_bytes()[:20_000])
    result = run(recipe_for(tmp_path / "s"))
    assert result.after.acquired.day in (16, 18)
    assert any(AFTER.id in line for line in result.warnings)


def test_a_refused_scene_is_named_where_no_other_serves(tmp_path: Path) -> None:
    write_scenes(tmp_path / "s", BEFORE, AFTER)
    (tmp_path / "s" / AFTER.id / "B03.tif").write_text("<VRTDataset/>")
    with pytest.raises(UsageError, match=r"B03\.tif"):
        run(recipe_for(tmp_path / "s"))


def test_an_area_that_no_scene_touches(tmp_path: Path, scenes: Path) -> None:
    area = write_area(tmp_path / "a.geojson")
    content = json.loads(area.read_text())
    ring = [[20.05, 32.1], [20.1, 32.1], [20.1, 32.15], [20.05, 32.15], [20.05, 32.1]]
    content["features"][0]["geometry"]["coordinates"] = [ring]
    area.write_text(json.dumps(content))
    with pytest.raises(NoSceneError, match=r"none of the folder's 2 scenes touches testfield.* 20\.0500 32\.1000"):
        run(recipe_for(scenes, area=str(area)))


def test_dates_without_a_scene_name_those_there_are(scenes: Path) -> None:
    with pytest.raises(
        InsufficientImageryError, match=r"within 3 days of 2024-12-25; nearest: .*2024-12-17.*--within 8"
    ):
        run(recipe_for(scenes, after="2024-12-25", within_days=3))


def test_clouds_over_the_searched_ground_leave_no_pair(tmp_path: Path) -> None:
    write_scenes(tmp_path / "s", BEFORE, replace(AFTER, cloud=slice(0, 160)))
    with pytest.raises(InsufficientImageryError, match=r"clearest 2024-12-17, \d %"):
        run(recipe_for(tmp_path / "s", APRON, within_days=1))


def test_scenes_without_two_bands_are_refused(tmp_path: Path) -> None:
    write_scenes(tmp_path / "s", BEFORE, AFTER)
    for path in (tmp_path / "s").glob("*.json"):
        item = json.loads(path.read_text())
        item["assets"] = {key: item["assets"][key] for key in ("B02", "SCL")}
        path.write_text(json.dumps(item))
    with pytest.raises(UsageError, match="has B02, SCL; at least 2 of B02, B03, B04, B08 needed"):
        run(recipe_for(tmp_path / "s"))


def test_a_missing_band_is_done_without_and_said(tmp_path: Path) -> None:
    write_scenes(tmp_path / "s", BEFORE, AFTER)
    path = tmp_path / "s" / f"{BEFORE.id}.json"
    item = json.loads(path.read_text())
    del item["assets"]["B08"]
    path.write_text(json.dumps(item))
    result = run(recipe_for(tmp_path / "s"))
    assert result.before.bands == result.after.bands == ("B02", "B03", "B04")
    assert "compared without B08: not in both scenes" in result.warnings


def test_an_area_too_large_for_one_piece_is_refused_before_reading(tmp_path: Path, scenes: Path) -> None:
    large = feature("area", "large", (0, 0, 7000, 7000))
    path = tmp_path / "large.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [large]}))
    with pytest.raises(UsageError, match=f"more than {MOST_PIXELS} cannot be"):
        run(recipe_for(scenes, area=str(path)))


@dataclass(frozen=True, kw_only=True)
class PartialSource:
    """A source that reads a folder, and says that it answered in part."""

    inner: FolderSource
    keep: int

    @property
    def name(self) -> str:
        """As the manifest calls it."""
        return "partial"

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return some of the scenes."""
        found = self.inner.search(aoi, periods, sensor=sensor)
        return Found(scenes=found.scenes[: self.keep], complete=False, warnings=("2 of 4 pages failed",))

    def survey(self, scene: Scene, grid: Grid) -> None:
        """Leave it to the reading."""

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Read as the folder does."""
        pixels: Raster = self.inner.read(scene, grid, bands)
        return pixels


def test_a_source_that_answers_in_part_is_marked(scenes: Path) -> None:
    result = run(recipe_for(scenes), source=PartialSource(inner=FolderSource(scenes), keep=2))
    assert not result.complete
    assert "2 of 4 pages failed" in result.warnings


def test_absence_in_a_partial_answer_proves_nothing(scenes: Path) -> None:
    for keep in (0, 1):
        with pytest.raises(SourceError, match="2 of 4 pages failed"):
            run(recipe_for(scenes, within_days=1), source=PartialSource(inner=FolderSource(scenes), keep=keep))
