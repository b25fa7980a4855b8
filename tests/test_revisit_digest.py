"""What a person reads after a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detect.change import Candidate
from detect.detectability import ClassDetectability
from revisit.caveats import caveats
from revisit.digest import MOST_ROWS, digest, honest_lines, table
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


def calibrated(result: Result, *chances: float | None) -> Result:
    """Return the run as calibrated, with flags that chance would give so often."""
    first = result.flags[0]
    flags = [
        replace(first, id=f"F{n}", object=replace(first.object, p_value=chance and chance / 144, false_alarms=chance))
        for n, chance in enumerate(chances, start=1)
    ]
    baseline = [replace(result.scenes[0], role="baseline")] * 12
    change = replace(result.change, calibrated=True)
    return replace(result, change=change, flags=tuple(flags), scenes=(*result.scenes, *baseline))


def row(name: str, pd: float, *, ground: str = "apron", observable: bool = True) -> ClassDetectability:
    """Return how often a class was seen in 20 places."""
    return ClassDetectability(
        object=name,
        ground=ground,
        direction="appeared",
        pd=pd,
        low=0.0,
        high=1.0,
        placements=20,
        blank_rate=0.0,
        observable=observable,
        least_contrast_area_m2=float("nan"),
    )


def test_how_many_flags_are_chance_is_called_unknown_and_why(result: Result) -> None:
    first, second = honest_lines(result)
    assert "about 1.4 by chance were asked for (1 per km2), but the true number is not known" in first
    assert second.startswith("Uncalibrated: no earlier date of the same orbit could be used, and at least 4 are needed")


@pytest.mark.parametrize(
    ("asked", "dates", "reason"),
    [
        (0, 0, "two dates alone were asked for"),
        (2, 2, "only 2 earlier dates were asked for, and at least 4"),
        (20, 1, "1 earlier date of the same orbit could be used, and at least 4"),
        (20, 9, "the thresholds learned on some of the 9 earlier dates did not hold on the others"),
    ],
)
def test_the_reason_is_that_of_the_run(result: Result, asked: int, dates: int, reason: str) -> None:
    scenes = (*result.scenes, *[replace(result.scenes[0], role="baseline")] * dates)
    other = replace(result, recipe=replace(result.recipe, baseline=asked), scenes=scenes)
    assert honest_lines(other)[1].startswith(f"Uncalibrated: {reason}")


def test_chance_and_what_is_beyond_it_stand_first_where_they_are_known(result: Result) -> None:
    one = calibrated(result, 0.02, 0.3)
    assert honest_lines(one) == [
        "2 changes flagged; chance alone would give about 1.4 (1 per km2 asked)",
        "1 of them beyond chance (fewer than 0.1 such expected)",
    ]
    assert honest_lines(calibrated(result, 0.5))[1].startswith("none of them beyond chance")
    shown = digest(one, Path("x"))
    assert shown.index("beyond chance") < shown.index("F1 ")
    assert "0.00014  0.02" in shown
    assert "ncalibrated" not in shown


def test_areas_without_probability_are_told_apart(result: Result) -> None:
    known = calibrated(result, 0.02, None)
    area = replace(known.flags[1], object=replace(known.flags[1].object, scale="area"))
    told = replace(known, flags=(known.flags[0], area))
    assert honest_lines(told)[2].startswith("1 area among them: areas have no probability here")
    assert "Areas have no probability here" in caveats(told)[0].text
    assert len(honest_lines(known)) == 2
    areas = replace(told.change.areas, p_value=np.zeros_like(told.change.areas.p_value))
    sound = replace(told, change=replace(told.change, areas=areas))
    assert len(honest_lines(sound)) == 2
    assert "no probability" not in caveats(sound)[0].text


def test_a_flag_without_a_probability_says_so(result: Result) -> None:
    assert "not known  not known" in digest(calibrated(result, 0.02, None), Path("x"))


def test_likely_classes_are_named_and_no_more_than_three(result: Result) -> None:
    named = tuple(Candidate(name=name, likelihood=p) for name, p in [("A", 1.0), ("B", 0.9), ("C", 0.6), ("D", 0.5)])
    flags = [replace(f, object=replace(f.object, candidates=c)) for f in result.flags[:1] for c in (named, named[:2])]
    shown = digest(replace(result, flags=tuple(flags)), Path("x"))
    assert "A, B, C ...\n" in shown
    assert "A, B\n" in shown


def test_no_change_is_said_of_the_share_that_was_valid(result: Result) -> None:
    line = honest_lines(replace(result, flags=(), searched_valid_share=0.613))[0]
    assert line.startswith("No change flagged on the 61 % of the searched ground that was valid on both dates")
    assert "was not measured" in line


def test_what_could_have_been_seen_stands_with_its_worst_ground(result: Result) -> None:
    rows = (
        row("An-124", 1.0),
        row("Il-76", 1.0),
        row("Su-24", 0.9),
        row("Su-24", 0.4, ground="hardstand"),
        row("Ka-52", 0.1, observable=False),
    )
    shown = digest(replace(result, detectability=rows), Path("x"))
    assert (
        "What could have been seen here: An-124, Il-76 1.00 - Su-24 0.65 (hardstand 0.40) - Ka-52 not observable"
        in shown
    )
    assert "not measured" not in honest_lines(replace(result, detectability=rows, flags=()))[0]


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
