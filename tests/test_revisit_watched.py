"""Runs that a source ends: what they leave, and that the next one goes on from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from aoi import Grid
from imagery.errors import SourceError
from imagery.raster import Raster
from imagery.scene import Scene
from imagery.sources.folder import FolderSource
from revisit.outputs import write_run
from revisit.pipeline import run
from revisit.recipe import Recipe
from revisit.unfinished import write_unfinished
from revisit.watched import UnfinishedRunError
from tests import scenery


class Breaking(FolderSource):
    """A folder whose second scene cannot be read today."""

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        if scene.acquired.date().isoformat() == AFTER:
            raise SourceError("the server answered 503 five times")
        return super().read(scene, grid, bands)


BEFORE, AFTER = "2024-11-30", "2024-12-15"


def prepared(folder: Path) -> tuple[Recipe, Path]:
    """Write two dates and an area; return the recipe and the folder of scenes."""
    scenes = scenery.write_scenes(
        folder / "scenes", scenery.Pass(day=BEFORE), scenery.Pass(day=AFTER, block=True, seed=1)
    )
    area = scenery.write_area(folder / "area.geojson")
    days = (date.fromisoformat(day) for day in (BEFORE, AFTER))
    return Recipe(area=str(area), before=next(days), after=next(days), source=f"folder:{scenes}"), scenes


def test_a_run_that_a_source_ends_says_what_was_read_and_what_is_missing(tmp_path: Path) -> None:
    recipe, scenes = prepared(tmp_path)
    with pytest.raises(UnfinishedRunError, match="answered 503 five times") as ended:
        run(recipe, source=Breaking(scenes))
    folder = write_unfinished(recipe, ended.value, tmp_path / "run")
    assert folder is not None
    record = json.loads((folder / "run.json").read_text())
    assert (record["complete"], record["finished"]) == (False, False)
    assert [one["id"] for one in record["read"]] == ["S2B_L2A_20241130T082000"]
    assert [one["what"] for one in record["missing"]] == ["S2B_L2A_20241215T082000"]
    assert sorted(path.name for path in folder.iterdir()) == ["run.json"]


def test_the_next_run_takes_its_place_and_is_never_replaced_by_a_failure(tmp_path: Path) -> None:
    recipe, scenes = prepared(tmp_path)
    with pytest.raises(UnfinishedRunError) as ended:
        run(recipe, source=Breaking(scenes))
    write_unfinished(recipe, ended.value, tmp_path / "run")
    folder = write_run(run(recipe), tmp_path / "run")
    assert "finished" not in json.loads((folder / "run.json").read_text())
    assert write_unfinished(recipe, ended.value, tmp_path / "run") is None
    assert (folder / "report.html").exists()
