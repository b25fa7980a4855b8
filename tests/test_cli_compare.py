"""`revisit compare` as a person types it: what it prints, and what it says of wrong input."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from revisit.cli.main import call
from tests.scenery import Pass, feature, write_area, write_scenes

DATES = ["--before", "2024-12-07", "--after", "2024-12-17"]
AFTER = Pass(day="2024-12-17", block=True)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which an object appears between two dates; the area is beside it."""
    folder = tmp_path_factory.mktemp("compare") / "scenes"
    write_scenes(folder, Pass(day="2024-12-07"), AFTER)
    apron = feature("zone", "apron", (60, 50, 110, 100), kind="apron", source="survey", accuracy_m=5)
    write_area(folder.parent / "area.geojson", apron)
    return folder


@pytest.fixture
def command(scenes: Path, tmp_path: Path) -> list[str]:
    """Return a command line that works."""
    area, out = scenes.parent / "area.geojson", tmp_path / "run"
    return ["compare", str(area), *DATES, "--source", f"folder:{scenes}", "-o", str(out)]


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    """Run a command line that fails and return the last line of what it says."""
    assert call(arguments) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    return shown.err.splitlines()[-1]


def test_the_honest_line_stands_before_the_flags(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(command) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    honest = next(n for n, line in enumerate(lines) if line.startswith("Uncalibrated"))
    first = next(n for n, line in enumerate(lines) if line.startswith("F1 "))
    assert honest < first
    assert lines[first].split()[:3] == ["F1", "apron", "appeared"]
    assert lines[-1].endswith("run/report.html")


def test_progress_and_warnings_do_not_mix_with_the_data(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*command, "--json"]) == 0
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert told["flags"][0]["change"] == "appeared"
    assert told["run"]["schema"] == "revisit/run/1"
    assert told["folder"] == command[-1]
    assert "reading S2B_L2A_20241207T082000" in shown.err


def test_a_change_can_fail_a_script(command: list[str], tmp_path: Path) -> None:
    assert call([*command, "--fail-on-change"]) == 1
    assert (tmp_path / "run" / "run.json").is_file()
    write_scenes(tmp_path / "same", Pass(day="2024-12-07"), Pass(day="2024-12-17", seed=0))
    quiet = [*command, "--source", f"folder:{tmp_path / 'same'}", "--false-alarms", "1e-6"]
    assert call([*quiet, "--fail-on-change"]) == 0


def test_no_flag_is_said_of_valid_ground_only(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scenes(tmp_path / "same", Pass(day="2024-12-07"), Pass(day="2024-12-17"))
    assert call([*command, "--source", f"folder:{tmp_path / 'same'}", "--false-alarms", "1e-6"]) == 0
    shown = capsys.readouterr().out
    assert "No change flagged on the 100 % of the searched ground that was valid on both dates" in shown
    assert "How small a change would have been seen there was not measured" in shown


def test_the_command_in_the_manifest_repeats_the_run(command: list[str], tmp_path: Path) -> None:
    assert call([*command, "--false-alarms", "2.5"]) == 0
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    again = [*shlex.split(told["command"])[1:], "-o", str(tmp_path / "again")]
    assert call(again) == 0
    second = json.loads((tmp_path / "again" / "run.json").read_text())
    assert {k: v for k, v in second.items() if k != "timings_s"} == {k: v for k, v in told.items() if k != "timings_s"}


def test_options_override_the_recipe(command: list[str], tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('area = "absent"\nbefore = 2024-12-07\nafter = 2024-12-17\nwithin_days = 3\n')
    assert call([*command, "--recipe", str(recipe)]) == 0
    told = json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]
    assert (told["area"], told["within_days"]) == (command[1], 3)


def test_without_a_folder_a_run_goes_to_runs(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(command[:-2]) == 0
    assert (tmp_path / "runs" / "testfield_2024-12-07_2024-12-17" / "item.json").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--before", "2024-12-18"], "before (2024-12-18) is later than after (2024-12-17): exchange them"),
        (["--before", "2024-12-17"], "same day, 2024-12-17"),
        (["--after", "2999-01-01"], "after (2999-01-01) lies in the future"),
        (["--after", "2024-02-30"], "after '2024-02-30' is not in the calendar"),
        (["--after", "17.12.2024"], "after '17.12.2024' is no date; write it as 2024-12-07"),
        (["--sensor", "s1"], "use --sensor s2"),
        (["--sensor", "landsat"], "'landsat'; known: auto, s2, s1"),
        (["--within", "-1"], "within -1 days: choose 0 to 366"),
        (["--baseline", "-1"], "a baseline of -1 dates: choose 0 to 100"),
        (["--false-alarms", "0"], "choose a number above 0"),
        (["--false-alarms", "nan"], "must be a number"),
        (["--source", "landsat"], "'landsat' is no source of scenes. Give --source auto, earth-search,"),
        (["--source", "folder:/does/not/exist"], "'/does/not/exist' does not exist"),
        (["--recipe", "/does/not/exist.toml"], "cannot be read: No such file"),
    ],
)
def test_wrong_input_is_named_with_its_values(
    command: list[str], changes: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in error_of([*command, *changes], capsys)


def test_what_is_missing_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    message = error_of(["compare"], capsys)
    assert message == "revisit: AREA, --before DAY, --after DAY missing; see `revisit compare --help`"


def test_an_unknown_key_of_a_recipe_is_named(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.toml").write_text("befor = 2024-12-07\n")
    message = error_of([*command, "--recipe", str(tmp_path / "r.toml")], capsys)
    assert "a recipe has no 'befor'. Did you mean 'before'?" in message


def area_file(path: Path, ring: list[list[float]]) -> Path:
    """Write an area with this outline, (lon, lat)."""
    geometry = {"type": "Polygon", "coordinates": [ring]}
    one = {"type": "Feature", "geometry": geometry, "properties": {"type": "area", "name": "a"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [one]}))
    return path


def box_at(lon: float, lat: float) -> list[list[float]]:
    """Return a ring of about 2 km around a place."""
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    return [[lon + 0.01 * x, lat + 0.01 * y] for x, y in corners]


@pytest.mark.parametrize(
    ("ring", "message"),
    [
        (box_at(35.40, 35.95), "35.95"),
        ([[35.9, 35.4], [36.0, 35.5], [36.0, 35.4], [35.9, 35.5], [35.9, 35.4]], "cross"),
        (box_at(35.40, 135.95), "135.9"),
    ],
)
def test_an_area_that_cannot_be_is_refused_with_its_values(
    command: list[str], tmp_path: Path, ring: list[list[float]], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command[1] = str(area_file(tmp_path / "a.geojson", ring))
    assert message in error_of(command, capsys)


def test_an_area_beside_the_scenes_is_exit_2_and_a_window_without_scenes_exit_4(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = str(area_file(tmp_path / "a.geojson", box_at(20.05, 32.11)))
    assert "none of the folder's 2 scenes touches" in error_of(["compare", elsewhere, *command[2:]], capsys)
    message = error_of([*command, "--after", "2025-03-01"], capsys, code=4)
    assert "no scene within 10 days of 2025-03-01; nearest: 2024-12-07, 2024-12-17" in message


def test_clouds_on_both_sides_are_exit_4(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scenes(tmp_path / "cloudy", Pass(day="2024-12-07"), replace(AFTER, cloud=slice(0, 160)))
    message = error_of([*command, "--source", f"folder:{tmp_path / 'cloudy'}"], capsys, code=4)
    assert "no pair for testfield" in message


def test_a_folder_that_is_not_ours_is_refused_before_anything_is_read(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.doc").write_text("mine")
    assert "not a run of ours" in error_of(command, capsys)
    assert (tmp_path / "run" / "thesis.doc").read_text() == "mine"


def disguised(canary: Path) -> dict[str, str]:
    """Return contents that are not what the name B03.tif says."""
    return {
        "vrt": f'<VRTDataset rasterXSize="1" rasterYSize="1"><SourceFilename>{canary}</SourceFilename></VRTDataset>',
        "mrf": f"<MRF_META><Raster><DataFile>{canary}</DataFile></Raster></MRF_META>",
        "text": "not a picture",
        "empty": "",
    }


@pytest.mark.parametrize("kind", ["vrt", "mrf", "text", "empty"])
def test_a_file_that_is_not_what_its_name_says_is_refused(
    kind: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = tmp_path / "canary.tif"
    folder = write_scenes(tmp_path / "scenes", Pass(day="2024-12-07"), AFTER)
    (folder / AFTER.id / "B03.tif").write_text(disguised(canary)[kind])
    message = error_of([*command, "--source", f"folder:{folder}"], capsys)
    assert "B03.tif" in message
    assert not canary.exists()
    assert not (tmp_path / "run").exists()
