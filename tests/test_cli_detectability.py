"""`revisit detectability` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from revisit.cli.main import call
from tests.scenery import Pass, feature, write_area, write_scenes

DATES = ["--before", "2024-12-07", "--after", "2024-12-17"]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return a command line that lacks its dates: two scenes of an apron, and a basin under cloud."""
    folder = tmp_path_factory.mktemp("seen")
    write_scenes(folder / "scenes", Pass(day="2024-12-07"), Pass(day="2024-12-17", cloud=slice(100, 160), seed=2))
    apron = feature("zone", "apron", (30, 30, 130, 90), kind="apron", source="survey", accuracy_m=5)
    basin = feature("zone", "basin", (60, 110, 110, 130), kind="basin", source="survey", accuracy_m=5)
    area = write_area(folder / "area.geojson", apron, basin)
    return ["detectability", str(area), "--source", f"folder:{folder / 'scenes'}", "--placements", "4"]


def test_a_table_says_what_could_have_been_seen(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    # So few false alarms ask for so much that a lorry cannot give it.
    assert call([*command, *DATES, "--false-alarms", "1e-300"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "What could have been seen on 2024-12-07 and 2024-12-17,"
    assert "uncalibrated" in lines[1]
    cells = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert cells["An-124"].split()[1] == "1.00"
    assert cells["lorry"].endswith("not observable")
    assert "basin: none of this ground is valid on both dates" in lines


def test_json_holds_no_probability_of_ground_that_was_not_valid(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([*command, *DATES, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["calibrated"]) == ("revisit/detectability/1", False)
    basin = [row for row in told["rows"] if row["ground"] == "basin"]
    assert {row["object"] for row in basin} == {"ship-25m", "ship-75m", "ship-120m"}
    assert all(row["pd"] is None and row["reason"] and not row["observable"] for row in basin)
    assert all(0 <= row["low"] <= row["pd"] <= row["high"] for row in told["rows"] if row["ground"] == "apron")


def test_one_date_is_held_against_the_scene_before_it(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*command, "--date", "2024-12-17", "--within", "3", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["before"].startswith("2024-12-07")
    assert "held against the scene before it, of 2024-12-07" in shown.err


def test_a_run_can_be_kept(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*command, *DATES, "--json", "-o", str(tmp_path / "run")]) == 0
    told = json.loads(capsys.readouterr().out)
    kept = json.loads((tmp_path / "run" / "detectability.json").read_text())
    assert kept["rows"] == told["rows"]


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ([], "give either --date DAY, or both"),
        (["--before", "2024-12-07"], "give either --date DAY, or both"),
        (["--date", "2024-12-17", *DATES], "give either --date DAY, or both"),
        (["--date", "17.12.2024"], "is no date"),
        (["--date", "2024-12-07", "--within", "1"], "no scene of testfield in the 100 days before 2024-12-07"),
        (["--date", "2023-05-01"], "no scene of testfield within 10 days of 2023-05-01"),
    ],
)
def test_wrong_dates_are_refused(
    command: list[str], days: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([*command, *days]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err.splitlines()[-1]
