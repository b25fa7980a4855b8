"""What two sensors in one run are worth: detection and false flags of optical alone, radar alone, either and both.

    .venv/bin/python benchmarks/together.py --rehearsal FOLDER --keep ROWS [--seeds 101 108] [--rates 1 10]

FOLDER holds `scenes.py`, which draws scenes of both sensors with their truth. Each seed and rate gives one row in ROWS
(a folder), kept as soon as it is there: the same command goes on where it was stopped. Dates are read and fitted once,
by the functions of `revisit compare`; each sensor alone has the whole rate, and half of it beside the other. An object
is found where a flag of the right sign lies within 15 m of its footprint; a flag farther than that from every object is
false.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from aoi.formats import load_area
from aoi.geometry import to_crs
from benchmarks.tables import Proportion, Rate, aligned
from imagery.burn import outline
from imagery.sources.folder import FolderSource
from revisit.detection import Detected, Fitted, find_changes, fit
from revisit.flags import make_flags
from revisit.ground import AREA
from revisit.radar import find_radar_changes
from revisit.recipe import Recipe
from revisit.stages import MARGIN_PX, Clock, Dates, Desk, ground_of, inside, read_dates
from revisit.together import Sight, witnesses

Truth = tuple[BaseGeometry, str]
"""Footprint on the grid's map, and sign of the change."""
BEFORE, AFTER = date(2024, 12, 7), date(2024, 12, 17)
DATES = 21
"""Drawn per scene and sensor: two to compare and 19 for the baseline."""
REACH_M = 15.0
NAMES = {"TEL": "launcher", "Ship120": "ship-120m"}
LARGE, SMALL = ("An-124", "Il-76", "ship-120m"), ("Su-24", "Ka-52", "launcher")


def _draw(rehearsal: Path, scene: Path, seed: int) -> None:
    """Draw a scene of both sensors, unless it is there."""
    if (scene / "truth.json").exists():
        return
    options = ["--sensor", "both", "--seed", str(seed), "--dates", str(DATES), "--scenario", "nominal"]
    command = [sys.executable, str(rehearsal / "scenes.py"), str(scene), *options]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the user names it


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """A scene's dates, read and fitted once for all rates."""

    desk: Desk
    optical: Dates
    radar: Dates
    fitted: Fitted

    def optical_at(self, rate: float) -> Sight:
        """Return what optical shows at a rate."""
        before, after = (record.scene for record in self.optical.pair.records)
        found = find_changes(self.fitted, scenes=(before, after), rate=rate)
        return self._sight("s2", self.optical, found, rate)

    def radar_at(self, rate: float) -> Sight:
        """Return what radar shows at a rate."""
        dates, ground = self.radar, self.desk.ground
        found = find_radar_changes(dates.aligned, dates.baseline, ground=ground, rate=rate, margin=MARGIN_PX)
        return self._sight("s1", dates, found, rate)

    def _sight(self, sensor: str, dates: Dates, found: Detected, rate: float) -> Sight:
        """Return the flags of a sensor; what it could have seen is not measured here."""
        before, after = (inside(one, self.desk.ground.grid) for one in (dates.aligned.before, dates.aligned.after))
        flags = make_flags(found.objects, ground=self.desk.ground, before=before, after=after, simulated=False)
        prefix = "F" if sensor == "s2" else "R"
        return Sight(
            sensor=sensor,
            before=before.acquired,
            after=after.acquired,
            flags=[replace(flag, id=prefix + flag.id) for flag in flags],
            valid=found.change.valid,
            detectability=(),
            rate=rate,
            calibrated=found.change.calibrated,
        )


def _read(scene: Path) -> _Scene:
    """Read the dates of both sensors as a run does."""
    recipe = Recipe(area=str(scene / "area.geojson"), before=BEFORE, after=AFTER)
    ground = ground_of(load_area(recipe.area))
    desk = Desk(ground=ground, clock=Clock(), tell=lambda _: None, plan=None)
    source = FolderSource(scene)
    optical, radar = (read_dates(replace(recipe, sensor=sensor), desk, source) for sensor in ("s2", "s1"))
    fitted = fit(optical.aligned, optical.baseline, ground=ground, margin=MARGIN_PX)
    return _Scene(desk=desk, optical=optical, radar=radar, fitted=fitted)


def _told(sight: Sight, met: Container[str], scene: _Scene, truth: Sequence[Truth]) -> list[dict[str, Any]]:
    """Return each flag with the object that it stands for, None where there is none, and whether both flagged it."""
    grid = scene.desk.ground.grid
    told = []
    for flag in sight.flags:
        ground = to_crs(outline(flag.object.rows, flag.object.cols, grid), grid.crs).buffer(0)
        far = [footprint.distance(ground) for footprint, _ in truth]
        near = min(range(len(far)), key=far.__getitem__, default=None)
        hit = near if near is not None and far[near] <= REACH_M else None
        signed = hit is not None and flag.object.change == truth[hit][1]
        told.append({"object": hit, "signed": signed, "agrees": flag.id in met})
    return told


def _row(folder: Path, rate: float, scene: _Scene) -> dict[str, Any]:
    """Return what each way of looking finds of one scene."""
    ground = scene.desk.ground
    objects = json.loads((folder / "truth.json").read_text())["objects"]
    truth = [(to_crs(shape(one["footprint"]), ground.grid.crs).buffer(0), one["change"]) for one in objects]
    halves = scene.optical_at(rate / 2), scene.radar_at(rate / 2)
    kinds: dict[str | None, str] = {None: AREA, **{zone.name: zone.kind for zone in ground.aoi.zones}}
    said = witnesses(*halves, kinds=kinds, gsd=ground.grid.gsd)
    met = {name for half in said for name, one in half.items() if one.outcome == "agrees"}
    ways = {
        "optical": scene.optical_at(rate),
        "radar": scene.radar_at(rate),
        "half s2": halves[0],
        "half s1": halves[1],
    }
    return {
        "rate": rate,
        "classes": [NAMES.get(one["class"], one["class"]) for one in objects],
        "km2": float(ground.searched.sum()) * ground.grid.gsd**2 / 1e6,
        "calibrated": {name: sight.calibrated for name, sight in ways.items()},
        # Ids of a sensor alone are those of another run.
        "flags": {
            name: _told(sight, met if name.startswith("half") else (), scene, truth) for name, sight in ways.items()
        },
    }


def rows(rehearsal: Path, keep: Path, seeds: range, rates: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Yield a row for each seed and rate, made where it is not kept."""
    keep.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        folder: Path = keep / "scenes" / str(seed)
        scene: _Scene | None = None
        for rate in rates:
            path = keep / f"{seed}-{rate:g}.json"
            if not path.exists():
                _draw(rehearsal, folder, seed)
                scene = scene or _read(folder)
                path.write_text(json.dumps(_row(folder, rate, scene)))
                print(path, flush=True)
            yield json.loads(path.read_text())


Way = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""From a row to the flags that count."""


WAYS: dict[str, Way] = {
    "optical alone": lambda row: row["flags"]["optical"],
    "radar alone": lambda row: row["flags"]["radar"],
    "two sensors, flagged by either": lambda row: [*row["flags"]["half s2"], *row["flags"]["half s1"]],
    "two sensors, flagged by both": lambda row: [flag for flag in row["flags"]["half s2"] if flag["agrees"]],
}


def _line(name: str, way: Way, table: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return a way of looking as a line of the table."""
    found = []
    for classes in (LARGE, SMALL):
        places = [(row, k) for row in table for k, one in enumerate(row["classes"]) if one in classes]
        hits = sum(any(flag["object"] == k and flag["signed"] for flag in way(row)) for row, k in places)
        found.append(Proportion(hits, len(places)).text)
    false = Rate(sum(flag["object"] is None for row in table for flag in way(row)), sum(row["km2"] for row in table))
    return name, *found, str(false.count), f"{false.per_unit:.2f} ({false.interval})"


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


if __name__ == "__main__":
    main()
