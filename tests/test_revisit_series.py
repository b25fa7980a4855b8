"""A series from a folder of scenes: what came is dated, what cannot be seen is a gap, what fails is kept and said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from html import unescape
from pathlib import Path

import pytest

from aoi import AOI, Grid
from aoi.formats import load_area
from imagery.errors import InsufficientImageryError, SourceError
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Survey
from imagery.sources.folder import FolderSource
from revisit.errors import UsageError
from revisit.series import run_series
from revisit.series_outputs import write_series
from revisit.series_plain import COLUMNS, series_record
from revisit.series_recipe import SeriesRecipe, check_series
from revisit.series_result import SeriesResult
from revisit.series_words import series_digest
from tests.scenery import Pass, feature, write_area, write_scenes

DAYS = [f"2024-{month:02d}-{day:02d}" for month in (9, 10) for day in (3, 8, 13, 18, 23, 28)]
CLOUDED = "2024-10-18"
ZONES = (
    feature("zone", "apron", (60.0, 40.0, 110.0, 130.0), kind="apron", source="drawn", accuracy_m=10),
    feature("zone", "yard", (25.0, 30.0, 55.0, 130.0), kind="storage", source="drawn", accuracy_m=10),
)
RECIPE = SeriesRecipe(area="area.geojson", start=date(2024, 9, 1), end=date(2024, 11, 5), sensor="s2", source="folder")


class FailingSource:
    """A folder that fails from its n-th read on."""

    def __init__(self, folder: Path, reads: int) -> None:
        self.source, self.left = FolderSource(folder), reads
        self.name = "failing"

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        return self.source.search(aoi, periods, sensor=sensor)

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        return self.source.survey(scene, grid)

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        if not self.left:
            raise SourceError("the server answered 503 five times")
        self.left -= 1
        return self.source.read(scene, grid, bands)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve passes: an object from the seventh on, the tenth under cloud."""
    folder = tmp_path_factory.mktemp("series")
    passes = [
        Pass(day=day, block=k >= 6, cloud=slice(0, 160) if day == CLOUDED else None, seed=k)
        for k, day in enumerate(DAYS)
    ]
    write_scenes(folder / "scenes", *passes)
    write_area(folder / "area.geojson", *ZONES)
    return folder


def run(folder: Path, **changed: object) -> SeriesResult:
    source = changed.pop("from_source", None) or FolderSource(folder / "scenes")
    recipe = replace(RECIPE, **changed)  # type: ignore[arg-type]
    return run_series(recipe, aoi=load_area(str(folder / "area.geojson")), source=source)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def result(scenes: Path) -> SeriesResult:
    return run(scenes)


def test_an_arrival_is_dated_between_its_two_passes(result: SeriesResult) -> None:
    (change,) = [one for one in result.changes if one.sure]
    assert (change.kind, change.object.zone) == ("arrival", "apron")
    assert (f"{change.after:%Y-%m-%d}", f"{change.before:%Y-%m-%d}") == (DAYS[5], DAYS[6])
    assert change.confidence > 0.99
    assert change.object.large


def test_counts_have_ranges_and_follow_the_object(result: SeriesResult) -> None:
    rows = [row for row in result.rows if row.zone == "apron" and row.seen]
    assert [row.objects[1] for row in rows if row.objects] == [0] * 6 + [1] * 5
    assert [row.arrived for row in rows] == [0] * 6 + [1] + [0] * 4
    assert rows[-1].longest_stay_days == pytest.approx(25.0, abs=0.1)
    assert all(row.objects[0] <= row.objects[1] <= row.objects[2] for row in rows if row.objects)


def test_a_clouded_date_is_a_gap_and_never_nothing(result: SeriesResult) -> None:
    (row,) = [row for row in result.rows if row.zone == "apron" and f"{row.acquired:%Y-%m-%d}" == CLOUDED]
    assert (row.seen, row.objects, row.arrived) == (False, None, None)
    assert "cloud" in row.reason
    gaps = [gap for gap in result.gaps if gap.zone == "apron"]
    assert [gap.reason for gap in gaps if gap.end.day == 23] == ["1 pass without a view: cloud or no data"]
    assert "no acquisition found" in {gap.reason for gap in gaps}
    assert "not complete" not in series_digest(result, "x").lower()


def test_the_honest_line_stands_first(result: SeriesResult) -> None:
    lines = series_digest(result, "out").splitlines()
    assert "chance alone would give about" in lines[1]
    assert any("between 28 Sep and 3 Oct 2024: 1 object" in line for line in lines)


def test_a_source_that_fails_on_the_way_leaves_what_was_read(scenes: Path) -> None:
    part = run(scenes, from_source=FailingSource(scenes / "scenes", 9))
    assert not part.complete
    assert any("503" in line for line in part.warnings)
    lost = [row for row in part.rows if row.zone == "apron" and "not read" in row.reason]
    assert len(lost) == 3
    assert [one.kind for one in part.changes if one.sure] == ["arrival"]
    assert "NOT COMPLETE" in series_digest(part, "x")


def test_a_source_that_fails_at_once_is_a_failure(scenes: Path) -> None:
    with pytest.raises(SourceError, match="could not be read"):
        run(scenes, from_source=FailingSource(scenes / "scenes", 2), baseline=0)


def test_too_few_dates_are_refused_and_earlier_ones_help(scenes: Path) -> None:
    with pytest.raises(InsufficientImageryError, match="can be used"):
        run(scenes, start=date(2024, 10, 1), end=date(2024, 10, 14), baseline=0)
    short = run(scenes, start=date(2024, 10, 1), end=date(2024, 10, 14), baseline=8)
    (change,) = [one for one in short.changes if one.sure]
    assert f"{change.after:%Y-%m-%d}" == DAYS[5]
    assert {f"{row.acquired:%Y-%m-%d}" for row in short.rows} == set(DAYS[6:9])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"start": date(2024, 11, 1), "end": date(2024, 10, 1)}, "no span of time"),
        ({"start": date(2010, 1, 1)}, "days in one series"),
        ({"sensor": "s3"}, "known: auto"),
        ({"false_places_per_km2": 0.0}, "above 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_series(replace(RECIPE, **changed), today=date(2026, 1, 1))  # type: ignore[arg-type]


def test_outputs_agree_with_one_another(result: SeriesResult, tmp_path: Path) -> None:
    folder = write_series(result, tmp_path / "out")
    record = json.loads((folder / "series.json").read_text())
    assert record == json.loads(json.dumps(series_record(result)))
    table = (folder / "series.csv").read_text().splitlines()
    assert table[0].split(",") == list(COLUMNS)
    assert len(table) - 1 == len(record["rows"]) == 2 * len(DAYS)
    features = json.loads((folder / "tracks.geojson").read_text())["features"]
    assert [one["id"] for one in features] == [one["id"] for one in record["objects"]]
    page = (folder / "report.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in unescape(page)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="which no series wrote"):
        write_series(result, folder)
