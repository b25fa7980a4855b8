"""A series at its edges: too little to tell is refused, zones overlap or are missing, a kill leaves nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from aoi.formats import load_area
from imagery.errors import InsufficientImageryError, NoSceneError
from imagery.sources.folder import FolderSource
from revisit.series import run_series
from revisit.series_recipe import SeriesRecipe
from revisit.series_result import SeriesResult
from revisit.series_words import series_digest
from tests.commands import environment
from tests.scenery import Pass, feature, write_area, write_scenes
from tests.servers.handle import ROOT

DAYS = [f"2024-{month:02d}-{day:02d}" for month in (9, 10) for day in (3, 8, 13, 18, 23, 28)]
RECIPE = SeriesRecipe(
    area="area.geojson", start=date(2024, 9, 1), end=date(2024, 11, 5), sensor="s2", source="folder", baseline=0
)
INNER = feature("zone", "apron", (60.0, 40.0, 110.0, 130.0), kind="apron", source="drawn", accuracy_m=10)
OUTER = feature("zone", "field", (25.0, 30.0, 130.0, 135.0), kind="other", source="drawn", accuracy_m=10)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve passes: an object from the eighth on."""
    folder = tmp_path_factory.mktemp("edges")
    write_scenes(folder / "scenes", *(Pass(day=day, block=k >= 7, seed=k) for k, day in enumerate(DAYS)))
    return folder


def run(folder: Path, area: Path, **changed: object) -> SeriesResult:
    recipe = replace(RECIPE, **changed)  # type: ignore[arg-type]
    return run_series(recipe, aoi=load_area(str(area)), source=FolderSource(folder / "scenes"))


def test_an_object_in_two_zones_is_counted_in_both_and_is_one_change(scenes: Path) -> None:
    """The outer zone first, as one would list it: the object still belongs to the smaller one."""
    result = run(scenes, write_area(scenes / "two.geojson", OUTER, INNER))
    (change,) = [one for one in result.changes if one.sure]
    assert (change.object.zone, change.object.also) == ("apron", ("field",))
    for zone in ("apron", "field"):
        rows = [row for row in result.rows if row.zone == zone and row.seen]
        assert [row.objects[1] for row in rows if row.objects] == [0] * 7 + [1] * 5
    said = series_digest(result, "x")
    assert said.splitlines()[1].startswith("1 change dated at 1 place")
    assert said.count("between 3 and 8 Oct 2024: 1 object") == 2


def test_an_area_without_zones_is_followed_as_one(scenes: Path) -> None:
    result = run(scenes, write_area(scenes / "none.geojson"))
    assert result.zones == (("area", "other"),)
    assert [(one.kind, one.object.zone) for one in result.changes if one.sure] == [("arrival", "area")]
    assert {row.zone for row in result.rows} == {"area"}


def test_one_date_and_no_radar_are_refused_in_words(scenes: Path) -> None:
    area = write_area(scenes / "one.geojson", INNER)
    with pytest.raises(InsufficientImageryError, match=r"1 of 1 dates can be used .*at least 5 are needed"):
        run(scenes, area, start=date(2024, 9, 2), end=date(2024, 9, 5))
    with pytest.raises(NoSceneError, match="s1: there is no pass over testfield"):
        run(scenes, area, sensor="s1")


def test_cloud_on_all_dates_is_no_series(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes", *(Pass(day=day, cloud=slice(0, 160), seed=k) for k, day in enumerate(DAYS[:6])))
    with pytest.raises(InsufficientImageryError, match=r"0 of 6 dates can be used .*cloud or no data"):
        run(tmp_path, write_area(tmp_path / "area.geojson", INNER))


def test_a_kill_leaves_nothing_half_written(scenes: Path) -> None:
    """Killed while it reads and while it writes: the folder is not there, and the next run makes it."""
    write_area(scenes / "kill.geojson", INNER)
    out = scenes / "out"
    asked = ["--from", DAYS[0], "--to", DAYS[-1], "--source", f"folder:{scenes / 'scenes'}", "-o", str(out)]
    program = [sys.executable, "-c", "from revisit.cli.main import main; main()"]
    command = [*program, "series", str(scenes / "kill.geojson"), "--sensor", "s2", *asked]
    for word in ("reading", "writing"):
        with subprocess.Popen(
            command, cwd=ROOT, env=environment(None, scenes / "cache"), stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith(word):
                    process.send_signal(signal.SIGKILL)
                    break
            process.wait()
        assert process.returncode == -signal.SIGKILL
        assert not out.exists()
    subprocess.run(command, cwd=ROOT, env=environment(None, scenes / "cache"), check=True, capture_output=True)
    assert (out / "manifest.json").exists()
    left = {path.name for path in scenes.iterdir() if path.is_dir()} - {"scenes", "out", "cache", "no-config"}
    assert all(name.startswith(".out.") and name.endswith(".partial") for name in left), left
