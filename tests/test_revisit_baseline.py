"""The dates of a baseline, read from a folder onto the frame in which the two dates meet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aoi.formats import load_area
from aoi.geometry import grid_for
from imagery.coregister import Aligned, align, estimate_shift
from imagery.sources.folder import FolderSource
from revisit import baseline as module
from revisit.baseline import Baseline, gather
from revisit.recipe import recipe_from
from revisit.scenes import pick_pair
from tests.scenery import Pass, write_area, write_scenes

PAIR = (Pass(day="2024-12-07"), Pass(day="2024-12-17", block=True, rolled=1))
DAYS = ("2024-11-02", "2024-11-12", "2024-11-22", "2024-12-02")


def gathered(folder: Path, *passes: Pass, most: int = 20) -> tuple[Baseline, Aligned, list[str]]:
    """Write the scenes of a folder and gather their baseline; return it with the pair and what was told."""
    write_scenes(folder / "s", *PAIR, *passes)
    aoi = load_area(str(write_area(folder / "a.geojson")))
    grid, told = grid_for(aoi, 10.0), list[str]()
    searched, source = np.ones(grid.shape, np.bool_), FolderSource(folder / "s")
    recipe = recipe_from({"area": "a", "before": "2024-12-07", "after": "2024-12-17", "within_days": 1})
    pair = pick_pair(source, recipe, aoi=aoi, grid=grid, searched=searched, progress=told.append)
    aligned = align(pair.before, pair.after)
    found = gather(source, pair, aligned.alignment, aoi=aoi, searched=searched, most=most, progress=told.append)
    return found, aligned, told


def passes(*days: str, **facts: Any) -> list[Pass]:
    """Return clear dates."""
    return [Pass(day=day, **facts) for day in days]


def days_of(found: Baseline) -> list[str]:
    """Return the days of the dates that were kept."""
    return [f"{date.record.scene.acquired:%Y-%m-%d}" for date in found.dates]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Baseline, Aligned, list[str]]:
    """Return a baseline of four dates, one of which lies a pixel too far west."""
    first, *others = passes(*DAYS)
    return gathered(tmp_path_factory.mktemp("whole"), replace(first, rolled=-1), *others)


def test_dates_come_oldest_first_with_their_records(whole: tuple[Baseline, Aligned, list[str]]) -> None:
    found, aligned, _ = whole
    assert days_of(found) == list(DAYS)
    assert found.data.shape == (4, *aligned.before.data.shape)
    assert found.data.dtype == np.float32
    assert {(date.record.role, date.record.offset) for date in found.dates} == {("baseline", -0.1)}
    assert len({date.record.sha256 for date in found.dates}) == 4
    assert found.warnings == ()


def test_shifts_are_against_the_before_scene(whole: tuple[Baseline, Aligned, list[str]]) -> None:
    found, aligned, _ = whole
    assert aligned.alignment.shift_px == pytest.approx((0, -1), abs=0.05)
    assert [date.alignment.shift_px[1] for date in found.dates] == pytest.approx([1, 0, 0, 0], abs=0.05)


def test_every_date_lies_on_the_half_way_frame(whole: tuple[Baseline, Aligned, list[str]]) -> None:
    found, aligned, _ = whole
    before = aligned.before
    for data, valid in zip(found.data, found.valid, strict=True):
        left = estimate_shift(np.asarray(before.data), data, before.valid, valid, gsd=10)
        assert np.hypot(*left.shift_px) < 0.05
        both = before.valid & valid
        assert np.abs(data[:, both] - before.data[:, both]).mean() < 0.002
        assert np.isnan(data[:, ~valid]).all()


def test_what_cannot_serve_is_rejected_with_its_reason(tmp_path: Path) -> None:
    cloudy, shifted, broken, *good = passes("2024-10-03", "2024-10-13", "2024-10-23", *DAYS)
    write = (replace(cloudy, cloud=slice(30, 110)), replace(shifted, rolled=2), broken, *good)
    write_scenes(tmp_path / "s", broken)
    (tmp_path / "s" / broken.id / "B03.tif").write_text("<VRTDataset/>")
    found, _, _ = gathered(tmp_path, *(one for one in write if one is not broken))
    said = "\n".join(found.warnings)
    assert days_of(found) == list(DAYS)
    assert f"{cloudy.id} rejected: only" in said
    assert f"{shifted.id} rejected: it lies " in said
    assert f"{broken.id}: " in said


def test_a_date_of_other_ground_is_rejected(tmp_path: Path) -> None:
    wrong = Pass(day="2024-10-03", place=2)
    found, _, _ = gathered(tmp_path, wrong, *passes(*DAYS))
    assert days_of(found) == list(DAYS)
    (line,) = found.warnings
    assert line.startswith(f"baseline: {wrong.id} rejected: the dates have no structure in common")


def test_no_more_dates_are_read_than_asked_for(tmp_path: Path) -> None:
    found, _, told = gathered(tmp_path, *passes(*DAYS), most=2)
    assert days_of(found) == ["2024-11-22", "2024-12-02"]
    assert sum("for the baseline" in line for line in told) == 2


def test_without_earlier_dates_there_is_no_baseline(tmp_path: Path) -> None:
    found, aligned, _ = gathered(tmp_path, Pass(day="2024-12-12"), Pass(day="2024-12-27"))
    assert found.dates == ()
    assert found.data.shape == (0, *aligned.before.data.shape)
    assert found.complete


def test_the_memory_limits_the_dates_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 3 * 4 * 120 * 120)
    found, _, _ = gathered(tmp_path, *passes(*DAYS))
    assert len(found.dates) == 3
    assert found.warnings == ("baseline: 3 dates instead of 20: more of 120 x 120 pixels do not fit into memory",)
