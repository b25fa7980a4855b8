"""A run's folder, as other programs and the next run find it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pystac
import pytest
import rasterio
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rio_cogeo.cogeo import cog_validate

from revisit.errors import UsageError
from revisit.outputs import CHANGE_BANDS, check_target, default_folder, write_run
from revisit.pipeline import run
from revisit.recipe import Recipe, recipe_from
from revisit.result import Result
from tests.scenery import Pass, feature, write_area, write_scenes

ROOT = Path(__file__).parents[1]
SCHEMAS = {
    "https://stac-extensions.github.io/file/v2.1.0/schema.json": "file-v2.1.0.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json": "projection-v2.0.0.json",
}
RASTERS = ("change.tif", "before.tif", "after.tif")
FILES = {*RASTERS, "run.json", "flags.geojson", "item.json", "report.html", "overlay.png", "before.png", "after.png"}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Return a recipe for two small scenes: an object appears in an apron whose outline is an estimate."""
    folder = tmp_path_factory.mktemp("outputs")
    write_scenes(folder / "scenes", Pass(day="2024-12-07"), Pass(day="2024-12-17", block=True, empty=slice(20, 40)))
    zone = feature("zone", "apron", (60, 50, 110, 100), kind="apron", source="drawn by hand", accuracy_m=150)
    area = write_area(folder / "area.geojson", zone)
    table = {"area": str(area), "before": "2024-12-07", "after": "2024-12-17", "source": f"folder:{folder / 'scenes'}"}
    return recipe_from(table)


@pytest.fixture(scope="module")
def result(recipe: Recipe) -> Result:
    """Return the run of the recipe."""
    return run(recipe)


@pytest.fixture(scope="module")
def folder(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the run."""
    return write_run(result, tmp_path_factory.mktemp("runs") / "one")


def load(path: Path) -> Any:
    """Return JSON, refusing what JSON has not."""

    def refuse(text: str) -> float:
        raise AssertionError(f"{text} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_every_file_is_there(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} >= FILES
    assert not [path for path in folder.iterdir() if not path.stat().st_size]


@pytest.mark.parametrize("name", RASTERS)
def test_rasters_are_valid_cogs_with_named_bands_on_one_grid(folder: Path, result: Result, name: str) -> None:
    valid, errors, warnings = cog_validate(folder / name)
    assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(folder / name) as file:
        assert (str(file.crs), file.transform, file.shape) == (
            result.grid.crs,
            result.grid.transform,
            result.grid.shape,
        )
        assert file.descriptions == (CHANGE_BANDS if name == "change.tif" else result.before.bands)
        assert set(file.dtypes) == {"float32"}


def test_change_maps_are_empty_where_nothing_is_valid(folder: Path) -> None:
    with rasterio.open(folder / "change.tif") as file:
        objects, object_p, areas, area_p, direction, valid = file.read()
    assert set(np.unique(valid)) == {0, 1}
    for statistic in (objects, areas):
        assert np.array_equal(np.isnan(statistic), valid == 0)
        assert (statistic[valid == 1] >= 0).all()
    assert np.isnan(object_p).all()
    assert np.isnan(area_p).all()
    assert set(np.unique(direction)) <= {-1, 0, 1}


def test_flags_open_elsewhere_and_say_where_and_what(folder: Path, result: Result) -> None:
    info, _, shapes, fields = pyogrio.raw.read(folder / "flags.geojson")
    rows = [dict(zip(info["fields"], row, strict=True)) for row in zip(*fields, strict=True)]
    assert [row["id"] for row in rows] == [f"F{n + 1}" for n in range(len(result.flags))]
    assert len(shapes) == len(rows) >= 1
    assert (rows[0]["change"], rows[0]["zone"], rows[0]["sensor"]) == ("appeared", "apron", "s2")
    times = [np.datetime64("2024-12-07T08:20:00"), np.datetime64("2024-12-17T08:20:00")]
    assert [rows[0]["before"], rows[0]["after"]] == times


def test_flags_have_all_properties_and_no_probability_without_calibration(folder: Path) -> None:
    wanted = "id scale zone change length_m width_m orientation_deg area_m2 contrast p_value false_alarms candidates"
    wanted += " sensor before after scenes notes"
    for one in load(folder / "flags.geojson")["features"]:
        assert set(one["properties"]) == set(wanted.split())
        assert one["properties"]["p_value"] is one["properties"]["false_alarms"] is None
        assert any("within 150 m (drawn by hand)" in note for note in one["properties"]["notes"])


def test_the_item_is_valid_by_the_published_schemas(folder: Path) -> None:
    validator = JsonSchemaSTACValidator()
    for address, name in SCHEMAS.items():
        validator.schema_cache[address] = load(ROOT / "tests" / "data" / "stac" / name)
    checked = pystac.Item.from_dict(load(folder / "item.json")).validate(validator=validator)
    assert set(SCHEMAS) <= set(checked)


def test_the_item_lists_every_file_with_size_and_checksum(folder: Path) -> None:
    assets = load(folder / "item.json")["assets"].values()
    assert {asset["href"] for asset in assets} == {f"./{p.name}" for p in folder.iterdir() if p.name != "item.json"}
    for asset in assets:
        content = (folder / asset["href"]).read_bytes()
        assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
        assert asset["file:size"] == len(content)


def test_the_manifest_says_what_was_used(folder: Path, recipe: Recipe, result: Result) -> None:
    run_json = load(folder / "run.json")
    assert recipe_from(run_json["recipe"]) == recipe
    assert [(s["role"], s["offset"], s["orbit"]) for s in run_json["scenes"]] == [
        ("before", -0.1, 121),
        ("after", -0.1, 121),
    ]
    assert [s["sha256"] for s in run_json["scenes"]] == [record.sha256 for record in result.scenes]
    assert run_json["alignment"][0]["shift_px"] == [0, 0]
    assert max(map(abs, run_json["alignment"][1]["shift_px"])) < 0.1
    assert run_json["calibrated"] is False
    assert run_json["baseline"] == 0
    assert run_json["detection"]["statement"].startswith("Uncalibrated: no earlier date")
    assert "estimated outlines: apron within 150 m" in run_json["warnings"]
    assert run_json["area"]["zones"][0]["source"] == "drawn by hand"


def without_times(path: Path) -> Any:
    """Return a file's bytes; JSON without timings and what follows from them."""
    if path.suffix != ".json":
        return path.read_bytes()
    content = load(path)
    content.pop("timings_s", None)
    content.get("assets", {}).get("run.json", {}).clear()
    return content


def test_the_same_inputs_give_the_same_bytes_but_for_times(folder: Path, recipe: Recipe, tmp_path: Path) -> None:
    again = write_run(run(recipe), tmp_path / "elsewhere")
    assert {p.name for p in again.iterdir()} == {p.name for p in folder.iterdir()}
    for path in folder.iterdir():
        assert without_times(path) == without_times(again / path.name), path.name


def test_a_previous_run_is_replaced_and_nothing_is_left_beside_it(result: Result, tmp_path: Path) -> None:
    target = write_run(result, tmp_path / "run")
    first = (target / "run.json").stat().st_ino
    write_run(replace(result, flags=()), target)
    assert load(target / "flags.geojson")["features"] == []
    assert (target / "run.json").stat().st_ino != first
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_is_not_ours_is_never_touched(result: Result, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something that is not a run"):
        write_run(result, tmp_path)
    (tmp_path / "run.json").write_text('{"schema": "another program/1"}')
    with pytest.raises(UsageError, match="holds something that is not a run"):
        check_target(tmp_path)
    with pytest.raises(UsageError, match=r"notes.txt is a file"):
        check_target(tmp_path / "notes.txt")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds notes.txt, which no run wrote"):
        check_target(folder)
    (folder / "notes.txt").unlink()
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "run.json"}


def test_an_empty_folder_is_taken(result: Result, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert {path.name for path in write_run(result, tmp_path / "empty").iterdir()} >= FILES


def test_a_place_that_cannot_be_written_is_named(result: Result, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file is a file; choose another"):
        write_run(result, tmp_path / "file" / "run")
    with pytest.raises(UsageError, match="cannot be written: File name too long"):
        write_run(result, tmp_path / ("x" * 250))


def test_a_run_that_is_killed_leaves_no_half_folder(recipe: Recipe, tmp_path: Path) -> None:
    target = tmp_path / "run"
    code = "import sys\nfrom revisit.cli.main import main\nsys.argv[0] = 'revisit'\nmain()"
    command = [sys.executable, "-c", code, "compare", recipe.area, "--source", recipe.source, "-o", str(target)]
    process = subprocess.Popen([*command, "--before", "2024-12-07", "--after", "2024-12-17"], cwd=ROOT)
    try:
        while process.poll() is None and not list(tmp_path.glob(".run.*/change.tif")):
            time.sleep(0.002)
    finally:
        os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not target.exists()


@pytest.mark.parametrize(
    ("name", "safe"), [("khmeimim", "khmeimim"), ("../../etc", "etc"), ("a b/c\x1b[2J", "a-b-c-2J"), ("..", "area")]
)
def test_the_default_folder_has_a_safe_name(name: str, safe: str) -> None:
    assert default_folder(name, "2024-12-07", "2024-12-17") == Path("runs") / f"{safe}_2024-12-07_2024-12-17"
