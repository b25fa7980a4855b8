"""What a person reads after a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from revisit.digest import MOST_ROWS, digest, honest_line, table
from revisit.pipeline import run
from revisit.recipe import recipe_from
from revisit.result import Flag, Result
from tests.scenery import Pass, write_area, write_scenes


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return a run on an area without zones in which an object appears."""
    folder = tmp_path_factory.mktemp("digest")
    write_scenes(folder / "s", Pass(day="2024-12-07"), Pass(day="2024-12-17", block=True))
    area = write_area(folder / "a.geojson")
    table = {"area": str(area), "before": "2024-12-07", "after": "2024-12-17", "source": f"folder:{folder / 's'}"}
    return run(recipe_from(table))


def test_dates_ground_shift_and_report_are_named(result: Result) -> None:
    shown = digest(result, Path("runs/x"))
    assert "Compared 2024-12-07 with 2024-12-17 at testfield: 1.44 km2, 100 % of the searched ground." in shown
    assert "px in rows (+- 0.0" in shown
    assert "Valid on both dates: area 100 %." in shown
    assert shown.endswith("Report: runs/x/report.html")
    assert "-0.000" not in shown


def test_how_many_flags_are_chance_is_called_unknown(result: Result) -> None:
    assert "about 1.4 by chance were asked for (1 per km2 on 1.44 km2)" in honest_line(result)
    assert "not calibrated: the true number is not known" in honest_line(result)


def test_no_change_is_said_of_the_share_that_was_valid(result: Result) -> None:
    line = honest_line(replace(result, flags=(), searched_valid_share=0.613))
    assert line.startswith("No change flagged on the 61 % of the searched ground that was valid on both dates")
    assert "not stated by this version" in line


def test_simulated_runs_say_so_first(result: Result) -> None:
    assert digest(replace(result, simulated=True), Path("x")).startswith("SIMULATED")


def test_a_long_list_is_cut_and_says_so(result: Result) -> None:
    first = result.flags[0]
    many = tuple(replace(first, id=f"F{n + 1}") for n in range(MOST_ROWS + 7))
    lines = digest(replace(result, flags=many), Path("x")).splitlines()
    assert "  ... and 7 more, in the report" in lines
    assert f"  F{MOST_ROWS} " in "\n".join(lines)
    assert f"  F{MOST_ROWS + 1} " not in "\n".join(lines)


def test_names_from_files_are_printed_as_plain_text(result: Result) -> None:
    hostile = Flag(id="F1", object=result.flags[0].object, zone="\x1b[2Jzone\n", notes=())
    shown = digest(replace(result, flags=(hostile,)), Path("x"))
    assert "\x1b" not in shown
    assert "[2Jzone  appeared" in shown


def test_columns_are_aligned() -> None:
    assert table([("a", "bb"), ("ccc", "d")]) == ["a    bb", "ccc  d"]
