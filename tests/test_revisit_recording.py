"""A run through a recording, and the same run from it alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from aoi import AOI, Grid
from aoi.formats import load_area
from imagery.errors import SceneError, SourceError
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Survey
from imagery.sources.folder import FolderSource
from revisit.errors import UsageError
from revisit.outputs import write_run
from revisit.pipeline import run
from revisit.recipe import Recipe
from revisit.recording import INDEX, RecordingSource, open_recording, plain_scene, scene_from
from tests.scenery import Pass, write_area, write_scenes

DAYS = ("2024-11-12", "2024-11-17", "2024-11-22", "2024-11-27", "2024-12-02")


@dataclass(kw_only=True)
class Counted:
    """A folder of scenes that remembers what it was asked, and can refuse a scene."""

    folder: Path
    refused: str = ""
    asked: list[str] = field(default_factory=list)
    name: str = "folder"

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        return FolderSource(self.folder).search(aoi, periods, sensor=sensor)

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        return FolderSource(self.folder).survey(scene, grid)

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        self.asked.append(scene.id)
        if scene.id == self.refused:
            raise SceneError(f"{scene.id} is refused")
        return FolderSource(self.folder).read(scene, grid, bands)


def recipe(folder: Path) -> Recipe:
    write_scenes(folder / "s", *(Pass(day=day) for day in DAYS), Pass(day="2024-12-07"),
                 Pass(day="2024-12-17", block=True, cloud=slice(30, 44)))  # fmt: skip
    area = write_area(folder / "a.geojson")
    return Recipe(area=str(area), before=date(2024, 12, 7), after=date(2024, 12, 17), within_days=1)


def outputs(folder: Path) -> dict[str, Any]:
    """Return a run's files, without what a clock wrote."""
    files: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir()}
    told, listed = json.loads(files["run.json"]), json.loads(files["item.json"])
    del told["timings_s"], listed["assets"]["run.json"]
    return files | {"run.json": told, "item.json": listed}


def test_a_run_and_its_replay_give_the_same_bytes(tmp_path: Path) -> None:
    asked = recipe(tmp_path)
    source = Counted(folder=tmp_path / "s", refused="S2B_L2A_20241122T082000")
    kept = RecordingSource(source=source, folder=tmp_path / "kept")
    first = write_run(run(asked, source=kept), tmp_path / "first")
    again = write_run(run(asked, source=kept), tmp_path / "again")
    assert len(source.asked) == len(set(source.asked)) == 7
    (tmp_path / "s").rename(tmp_path / "gone")
    replay = write_run(run(asked, source=open_recording(tmp_path / "kept")), tmp_path / "replay")
    assert outputs(first) == outputs(again) == outputs(replay)
    assert "is refused" in (replay / "run.json").read_text()


def test_what_was_not_asked_is_not_answered(tmp_path: Path) -> None:
    asked = recipe(tmp_path)
    run(replace(asked, baseline=0), source=RecordingSource(source=FolderSource(tmp_path / "s"), folder=tmp_path / "k"))
    with pytest.raises(SourceError, match="the recording has no search of s2"):
        run(asked, source=open_recording(tmp_path / "k"))


def test_changed_pixels_are_refused(tmp_path: Path) -> None:
    asked = replace(recipe(tmp_path), baseline=0)
    run(asked, source=RecordingSource(source=FolderSource(tmp_path / "s"), folder=tmp_path / "k"))
    files = sorted((tmp_path / "k").glob("*.tif"))
    files[-1].write_bytes(files[-2].read_bytes())
    with pytest.raises(SourceError, match="are not as they were read"):
        run(asked, source=open_recording(tmp_path / "k"))


def test_scenes_survive_with_parts_and_twins(tmp_path: Path) -> None:
    write_scenes(tmp_path, Pass(day="2024-12-07"), Pass(day="2024-12-17"), Pass(day="2024-12-22"))
    whole = Period(start=datetime(2024, 12, 1, tzinfo=UTC), end=datetime(2024, 12, 31, tzinfo=UTC))
    aoi = load_area(str(write_area(tmp_path / "a.geojson")))
    one, part, twin = FolderSource(tmp_path).search(aoi, [whole], sensor="s2").scenes
    scene = replace(one, parts=(part,), twins=(replace(twin, notes=("a note",)),), generated=one.acquired)
    assert scene_from(json.loads(json.dumps(plain_scene(scene)))) == scene


def test_foreign_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no recording"):
        open_recording(tmp_path)
    (tmp_path / INDEX).write_text(json.dumps({"schema": "another/1", "answers": []}))
    with pytest.raises(UsageError, match="another kind: 'another/1'"):
        open_recording(tmp_path)
