"""What two sensors in one run are worth: detection and false flags of optical alone, radar alone, either and both.

    .venv/bin/python benchmarks/together.py --rehearsal FOLDER --keep ROWS [--seeds 101 108] [--rates 1 10]

FOLDER holds `scenes.py`, which draws scenes of both sensors with their truth. Each seed and rate gives one row in ROWS
(a folder), kept as soon as it is there: the same command goes on where it was stopped. The dates are read once; each
sensor alone has the whole rate, and half of it beside the other, as `revisit compare` has it. An object is found where
a flag of the right sign lies within 15 m of its footprint; a flag farther than that from every object is false.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.tables import Proportion, Rate, aligned

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from revisit.recipe import Recipe
    from revisit.result import Flag, Result
    from revisit.stages import Dates, Desk

BEFORE, AFTER = date(2024, 12, 7), date(2024, 12, 17)
DATES = 21
"""Drawn per scene and sensor: two to compare and 19 for the baseline."""
REACH_M = 15.0
MEASURED = 1.0
"""Rate at which it is also measured what could have been seen, which likelihood ratios need."""
STRONG = 1000.0
"""Combined likelihood ratio from which flags are counted apart."""
NAMES = {"TEL": "launcher", "Ship120": "ship-120m"}
LARGE, SMALL = ("An-124", "Il-76", "ship-120m"), ("Su-24", "Ka-52", "launcher")


def _draw(rehearsal: Path, scene: Path, seed: int) -> None:
    """Draw a scene of both sensors, unless it is there."""
    if (scene / "truth.json").exists():
        return
    options = ["--sensor", "both", "--seed", str(seed), "--dates", str(DATES), "--scenario", "nominal"]
    command = [sys.executable, str(rehearsal / "scenes.py"), str(scene), *options]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the user names it


def _read(scene: Path) -> tuple[Recipe, Desk, Dates, Dates]:
    """Read the dates of both sensors as a run does."""
    from aoi.formats import load_area
    from detect.detectability import InjectionPlan
    from imagery.sources.folder import FolderSource
    from revisit.recipe import Recipe
    from revisit.stages import Clock, Desk, ground_of, read_dates

    recipe = Recipe(area=str(scene / "area.geojson"), before=BEFORE, after=AFTER)
    # One object of each class: of a rate at which what could have been seen is not asked for.
    brief = InjectionPlan(classes=("Il-76",), placements=1)
    desk = Desk(ground=ground_of(load_area(recipe.area)), clock=Clock(), tell=lambda _: None, plan=brief)
    source = FolderSource(scene)
    optical, radar = (read_dates(replace(recipe, sensor=sensor), desk, source) for sensor in ("s2", "s1"))
    return recipe, desk, optical, radar


def _together(recipe: Recipe, desk: Desk, optical: Dates, radar: Dates) -> Result:
    """Return what a run of both sensors finds."""
    from revisit.joined import join_results, shared_recipe
    from revisit.stages import BRIEF, compare_dates

    desk = replace(desk, plan=BRIEF) if recipe.false_alarms_per_km2 <= MEASURED else desk
    parts = zip(("s2", "s1"), (optical, radar), strict=True)
    first, second = (compare_dates(shared_recipe(recipe, sensor), desk, dates) for sensor, dates in parts)
    return join_results(recipe, first, second)


def _told(flags: Sequence[Flag], result: Result, truth: Sequence[tuple[BaseGeometry, str]]) -> list[dict[str, Any]]:
    """Return each flag with the object that it stands for, None where there is none, and what is said of it."""
    from aoi.geometry import to_crs
    from imagery.burn import outline

    told = []
    for flag in flags:
        ground = to_crs(outline(flag.object.rows, flag.object.cols, result.grid), result.grid.crs).buffer(0)
        far = [footprint.distance(ground) for footprint, _ in truth]
        near = min(range(len(far)), key=far.__getitem__, default=None)
        hit = near if near is not None and far[near] <= REACH_M else None
        witness = flag.witness
        told.append(
            {
                "object": hit,
                "signed": hit is not None and flag.object.change == truth[hit][1],
                "agrees": witness is not None and witness.outcome == "agrees",
                "alone": witness.ratio if witness else None,
                "combined": witness.combined if witness else None,
            }
        )
    return told


def _row(scene: Path, rate: float, dates: tuple[Recipe, Desk, Dates, Dates]) -> dict[str, Any]:
    """Return what each way of looking finds of one scene."""
    from shapely.geometry import shape

    from aoi.geometry import to_crs
    from revisit.stages import compare_dates

    recipe, desk, optical, radar = dates
    recipe = replace(recipe, false_alarms_per_km2=rate)
    both = _together(recipe, desk, optical, radar)
    ways = {
        "optical": compare_dates(replace(recipe, sensor="s2"), desk, optical),
        "radar": compare_dates(replace(recipe, sensor="s1"), desk, radar),
    }
    objects = json.loads((scene / "truth.json").read_text())["objects"]
    truth = [(to_crs(shape(one["footprint"]), both.grid.crs).buffer(0), one["change"]) for one in objects]
    parts = {f"both, {part.sensor}": _told(part.flags, part, truth) for part in both.parts}
    return {
        "rate": rate,
        "classes": [NAMES.get(one["class"], one["class"]) for one in objects],
        "km2": {"optical": ways["optical"].searched_km2, "radar": ways["radar"].searched_km2},
        "flags": {name: _told(one.flags, one, truth) for name, one in ways.items()} | parts,
    }


def rows(rehearsal: Path, keep: Path, seeds: range, rates: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Yield a row for each seed and rate, made where it is not kept."""
    keep.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        scene, dates = keep / "scenes" / str(seed), None
        for rate in rates:
            path = keep / f"{seed}-{rate:g}.json"
            if not path.exists():
                _draw(rehearsal, scene, seed)
                dates = dates or _read(scene)
                path.write_text(json.dumps(_row(scene, rate, dates)))
                print(path, flush=True)
            yield json.loads(path.read_text())


Way = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""From a row to the flags that count."""


def _strong(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the flags of both sensors with a large combined ratio."""
    flags = (*row["flags"]["both, s2"], *row["flags"]["both, s1"])
    return [flag for flag in flags if (flag["combined"] or 0) >= STRONG]


WAYS: dict[str, Way] = {
    "optical alone": lambda row: row["flags"]["optical"],
    "radar alone": lambda row: row["flags"]["radar"],
    "two sensors, flagged by either": lambda row: [*row["flags"]["both, s2"], *row["flags"]["both, s1"]],
    "two sensors, flagged by both": lambda row: [flag for flag in row["flags"]["both, s2"] if flag["agrees"]],
}


def _line(name: str, way: Way, table: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return a way of looking as a line of the table."""
    found = []
    for classes in (LARGE, SMALL):
        places = [(row, k) for row in table for k, one in enumerate(row["classes"]) if one in classes]
        hits = sum(any(flag["object"] == k and flag["signed"] for flag in way(row)) for row, k in places)
        found.append(Proportion(hits, len(places)).text)
    false = Rate(
        sum(flag["object"] is None for row in table for flag in way(row)), sum(r["km2"]["optical"] for r in table)
    )
    return name, *found, str(false.count), f"{false.per_unit:.2f} ({false.interval})"


def _ratios(table: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield how many flags of each size of ratio are true."""
    flags = [flag for row in table for name in ("both, s2", "both, s1") for flag in row["flags"][name]]
    edges = (0, 1, 30, 1000, 30_000, float("inf"))
    for key in ("alone", "combined"):
        for low, high in pairwise(edges):
            here = [flag for flag in flags if flag[key] is not None and low <= flag[key] < high]
            true = sum(flag["object"] is not None for flag in here)
            yield key, f"{low:g} to {high:g}", str(len(here)), str(true), str(len(here) - true)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rehearsal", type=Path, required=True)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs=2, default=(101, 108))
    parser.add_argument("--rates", type=float, nargs="+", default=(1.0, 10.0))
    given = parser.parse_args()
    seeds = range(given.seeds[0], given.seeds[1] + 1)
    table = list(rows(given.rehearsal, given.keep, seeds, given.rates))
    heads = ("", f"Pd {', '.join(LARGE)}", f"Pd {', '.join(SMALL)}", "false", "false per km2")
    for rate in given.rates:
        some = [row for row in table if row["rate"] == rate]
        print(f"\n{rate:g} per km2 asked, {len(some)} scenes:")
        print("\n".join(aligned([heads, *(_line(name, way, some) for name, way in WAYS.items())])))
        if rate <= MEASURED:
            strong = _line(f"two sensors, ratio of {STRONG:g} and more", _strong, some)
            print("\n".join(aligned([strong, ("likelihood ratio", "", "flags", "true", "false"), *_ratios(some)])))


if __name__ == "__main__":
    main()
