"""`revisit survey`: many areas with one comparison, what came of each told apart, and gone on with after a stop."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from aoi import AOI, AOIError
from imagery.errors import SourceError
from revisit import survey as survey_module
from revisit.cli.main import call
from revisit.recipe import Recipe
from revisit.sources import Access
from revisit.survey_areas import read_areas
from tests.scenery import Pass, feature, write_scenes
from tests.watching import unnamed

BESIDE, AROUND, AWAY = (22.3, 22.3, 60.7, 60.7), (55.3, 48.3, 104.7, 97.7), (900.3, 900.3, 940.7, 940.7)
SURVEY: Any = survey_module
RUN = SURVEY.run


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revisit.detectability.with_candidates", unnamed, raising=False)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("survey")
    write_scenes(folder / "scenes", Pass(day="2024-12-07"), Pass(day="2024-12-17", block=True))
    return folder


def write_areas(path: Path, *features: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.fixture
def command(scenes: Path, tmp_path: Path) -> list[str]:
    """Return a survey of three areas: one with the object, one without, one without imagery."""
    features = [
        feature("area", "=quiet", BESIDE),
        feature("area", "busy", AROUND),
        feature("zone", "apron", (60, 55, 100, 95), kind="apron", source="survey", accuracy_m=5),
        feature("area", "away", AWAY),
    ]
    areas = write_areas(tmp_path / "areas.geojson", *features)
    dates = ["--before", "2024-12-07", "--after", "2024-12-17", "--baseline", "0", "--false-alarms", "0.001"]
    return ["survey", str(areas), *dates, "--source", f"folder:{scenes / 'scenes'}", "-o", str(tmp_path / "out")]


def rows(out: Path) -> list[dict[str, Any]]:
    return [one["properties"] for one in json.loads((out / "survey.geojson").read_text())["features"]]


def counted(counts: list[str], fail: str = "", error: BaseException | None = None) -> Callable[..., Any]:
    """Return the comparison, with a list of the areas that it is asked for, which fails at one of them."""

    def run(recipe: Recipe, **named: Any) -> Any:
        counts.append(Path(recipe.area).stem)
        if counts[-1] == fail and error:
            raise error
        return RUN(recipe, **named)

    return run


def test_what_came_of_each_area_is_told_apart(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([*command, "--fail-on-change"]) == 1
    shown = capsys.readouterr().out
    quiet, busy, away = rows(tmp_path / "out")
    assert [row["outcome"] for row in (quiet, busy, away)] == ["compared", "compared", "no usable imagery"]
    assert (quiet["flags"], away["flags"], busy["flags"] >= 1) == (0, None, True)
    assert "none of the folder's 2 scenes touches away" in away["reason"]
    assert (busy["before"][:10], busy["valid_share"], busy["beyond_chance"]) == ("2024-12-07", 1.0, None)
    assert "3 areas: 2 compared, 1 no usable imagery" in shown
    assert "away: no usable imagery: " in shown
    assert (tmp_path / "out" / busy["run"] / "report.html").is_file()
    flags = json.loads((tmp_path / "out" / busy["run"] / "flags.geojson").read_text())["features"]
    assert {flag["properties"]["zone"] for flag in flags} == {"apron"}
    with (tmp_path / "out" / "survey.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["area"] for row in table] == ["'=quiet", "busy", "away"]
    assert [row["flags"] for row in table] == ["0", str(busy["flags"]), ""]


def test_a_survey_that_was_stopped_goes_on(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(survey_module, "run", counted(asked, "busy", KeyboardInterrupt()))
    areas, recipe, folder = prepared(command, tmp_path)
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        survey_module.run_survey(areas, recipe, folder, access=Access(), tell=steps.append)
    assert [row["outcome"] for row in rows(tmp_path / "out")] == ["compared", "not compared yet", "not compared yet"]
    failing: list[str] = []
    broken = SourceError("the server is away")
    monkeypatch.setattr(survey_module, "run", counted(failing, "busy", broken))
    assert call(command) == 3
    assert "busy: failed: the server is away" in capsys.readouterr().out
    again: list[str] = []
    monkeypatch.setattr(survey_module, "run", counted(again))
    assert call(command) == 0
    assert (asked, failing, again) == (["quiet", "busy"], ["busy", "away"], ["busy", "away"])
    first = rows(tmp_path / "out")
    assert call([*command, "-o", str(tmp_path / "other")]) == 0
    assert rows(tmp_path / "other") == first


def prepared(command: list[str], tmp_path: Path) -> tuple[tuple[AOI, ...], Recipe, Path]:
    """Return what the command gives to the survey."""
    recipe = Recipe(
        area=command[1],
        before=date(2024, 12, 7),
        after=date(2024, 12, 17),
        source=command[command.index("--source") + 1],
        baseline=0,
        false_alarms_per_km2=0.001,
    )
    return read_areas(Path(command[1])), recipe, tmp_path / "out"


def test_another_question_or_another_outline_is_asked_anew(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_areas(Path(command[1]), feature("area", "quiet", BESIDE))
    asked: list[str] = []
    monkeypatch.setattr(survey_module, "run", counted(asked))
    assert call(command) == 0
    assert call(command) == 0
    assert asked == ["quiet"]
    assert call([*command, "--false-alarms", "0.002"]) == 0
    write_areas(Path(command[1]), feature("area", "quiet", (24.3, 24.3, 60.7, 60.7)))
    assert call([*command, "--false-alarms", "0.002"]) == 0
    assert asked == ["quiet"] * 3
    assert [path.name for path in (tmp_path / "out" / "runs").iterdir()] == ["quiet"]


def test_where_no_area_has_imagery_that_is_exit_4(command: list[str]) -> None:
    write_areas(Path(command[1]), feature("area", "away", AWAY))
    assert call(command) == 4


def test_outlines_that_say_nothing_are_areas(tmp_path: Path) -> None:
    plain = [feature("", "north", BESIDE), feature("", "", AROUND)]
    for one in plain:
        del one["properties"]["type"]
    assert [aoi.name for aoi in read_areas(write_areas(tmp_path / "a.geojson", *plain))] == ["north", "area-2"]


def test_a_zone_belongs_to_the_area_that_holds_most_of_it(tmp_path: Path) -> None:
    zone = feature("zone", "z", (61, 55, 70, 60), kind="apron", source="s", accuracy_m=5)
    hut = feature("building", "hut", (25, 25, 27, 27))
    file = write_areas(tmp_path / "a.geojson", zone, feature("area", "a", BESIDE), feature("area", "b", AROUND), hut)
    told = {aoi.name: ([z.name for z in aoi.zones], len(aoi.buildings)) for aoi in read_areas(file)}
    assert told == {"a": ([], 1), "b": (["z"], 0)}


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([], "there is no area in it"),
        ([feature("area", "a", BESIDE), feature("area", "A", AROUND)], "two areas are named"),
        ([feature("area", "a", BESIDE), feature("zone", "z", AWAY, kind="apron")], "zone 'z' lies in none of the 1"),
        ([feature("area", "a", BESIDE), feature("runway", "r", BESIDE)], "a feature has the type 'runway'"),
    ],
)
def test_areas_that_cannot_be_surveyed_are_named(tmp_path: Path, features: list[Any], message: str) -> None:
    with pytest.raises(AOIError, match=r"a\.geojson: ") as caught:
        read_areas(write_areas(tmp_path / "a.geojson", *features))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--after", "2024-12-01"], "exchange them"),
        (["--source", "folder:/absent"], "'/absent' does not exist"),
        (["--sensor", "landsat"], "known: auto, s2, s1"),
    ],
)
def test_wrong_input_is_said_before_anything_is_compared(
    command: list[str], changes: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([*command, *changes]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("mine")
    assert call(command) == 2
    assert "holds thesis.doc, which no survey wrote" in capsys.readouterr().err
