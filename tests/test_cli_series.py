"""`revisit series` in a process of its own: what it prints, leaves and answers, and that it does so again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import Done, call, environment
from tests.scenery import Pass, feature, write_area, write_scenes

DAYS = [f"2024-{month:02d}-{day:02d}" for month in (9, 10) for day in (3, 8, 13, 18, 23)]
FILES = {"manifest.json", "series.json", "series.csv", "tracks.geojson", "series.png", "report.html"}
ZONE = feature("zone", "apron", (40.0, 40.0, 130.0, 130.0), kind="apron", source="drawn", accuracy_m=10)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli-series")
    write_scenes(folder / "scenes", *(Pass(day=day, block=3 <= k < 7, seed=k) for k, day in enumerate(DAYS)))
    write_area(folder / "area.geojson", ZONE)
    return folder


def series(place: Path, *options: str, start: str = DAYS[0], end: str = DAYS[-1]) -> Done:
    arguments = ["series", str(place / "area.geojson"), "--from", start, "--to", end, *options]
    return call(arguments, environment(None, place / "cache"))


@pytest.fixture(scope="module")
def done(place: Path) -> Done:
    return series(place, "--source", f"folder:{place / 'scenes'}", "-o", str(place / "out"))


def test_the_summary_says_when_it_came_and_left(done: Done, place: Path) -> None:
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert "chance alone would give about" in lines[1]
    assert "between 13 and 18 Sep 2024: 1 object" in done.out
    assert "between 8 and 13 Oct 2024: 1 object" in done.out
    assert "reading" in done.err
    assert "reading" not in done.out
    assert {path.name for path in (place / "out").iterdir()} == FILES


def test_the_manifest_names_every_scene_and_file(done: Done, place: Path) -> None:
    assert done.code == 0
    record = json.loads((place / "out" / "manifest.json").read_text())
    (track,) = (one for one in record["tracks"] if one["sensor"] == "s2")
    assert [scene["acquired"][:10] for scene in track["scenes"]] == DAYS
    assert all(len(scene["sha256"]) == 64 for scene in track["scenes"])
    assert set(record["files"]) == FILES - {"manifest.json"}
    assert any("no pass over testfield" in line for line in record["warnings"])


def test_the_same_again_gives_the_same_bytes(done: Done, place: Path) -> None:
    assert done.code == 0
    again = series(place, "--source", f"folder:{place / 'scenes'}", "-o", str(place / "again"), "--json")
    assert again.code == 0
    assert json.loads(again.out)["schema"] == "revisit/series/1"
    for name in FILES - {"manifest.json"}:
        assert (place / "out" / name).read_bytes() == (place / "again" / name).read_bytes(), name


def test_wrong_input_is_told_in_one_line(place: Path) -> None:
    swapped = series(place, "--source", f"folder:{place / 'scenes'}", start=DAYS[-1], end=DAYS[0])
    assert (swapped.code, len(swapped.err.splitlines())) == (2, 1)
    assert "must be earlier than the last" in swapped.err


def test_too_few_dates_are_insufficient(place: Path) -> None:
    few = series(place, "--source", f"folder:{place / 'scenes'}", "--sensor", "s2", start=DAYS[0], end=DAYS[2])
    assert few.code == 4
    assert "ask for a longer time" in few.last
