"""Radar on simulated scenes with known truth: detection by class and by cross-section, signs, and false flags.

    .venv/bin/python benchmarks/radar_accuracy.py --rehearsal FOLDER --keep ROWS [--seeds 201 240]
        [--scenarios nominal null] [--rates 1.0]

FOLDER holds `scenes.py`, which draws scenes with their truth, and `score.py`, which holds flags against it. Each
scenario, seed and rate gives one row in ROWS (a folder), kept as soon as it is there: the same command goes on where it
was stopped, and the tables are made of the rows alone. Scenes are drawn, read, registered and compared by the functions
of `revisit compare --sensor s1`, and removed. One null scene is about 1 km2 of open apron; 50 show a rate of 1 per km2.

Where objects are, `said` is the detectability that `compare` tells of the same dates, by class and direction.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.tables import Proportion, Rate, aligned

if TYPE_CHECKING:
    from aoi import Grid
    from detect.change import ChangedObject
    from detect.detectability import ClassDetectability
    from revisit.detection import Detected

DATES = 22
"""Drawn per scene: two to compare and 20 for the baseline."""
BEFORE, AFTER = date(2024, 12, 6), date(2024, 12, 18)
NAMES = {"TEL": "launcher", "Ship120": "ship-120m"}
"""The catalogue's names of the scorer's classes."""
GOALS = {"An-124": 0.98, "Il-76": 0.88, "ship-120m": 0.98}
"""Probability of detection on pavement or water at 1 per km2."""
BINS_DBSM = (-10.0, 12.0, 15.0, 18.0, 21.0, 24.0, 70.0)
PLACEMENTS = 10
"""Objects put into each scene per class, kind of ground and direction."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One scene to be compared and scored."""

    rehearsal: Path
    keep: Path
    scenario: str
    seed: int
    rates: tuple[float, ...]

    def row(self, rate: float) -> Path:
        """Where a row is kept."""
        return self.keep / f"s1-{self.scenario}-{self.seed}-{rate:g}.json"

    @property
    def missing(self) -> tuple[float, ...]:
        """Rates without a row."""
        return tuple(rate for rate in self.rates if not self.row(rate).exists())


def _silent(_: str) -> None:
    """Tell nobody."""


def _compare(scene: Path, rates: Sequence[float]) -> tuple[Grid, list[Detected]]:
    """Compare a scene's two last dates at each rate as a run does."""
    from aoi.formats import load_area
    from imagery.sources.folder import FolderSource
    from revisit.pipeline import MARGIN_PX, ground_of, padded
    from revisit.radar import find_radar_changes, gather_radar
    from revisit.recipe import Recipe
    from revisit.scenes import pick_pair

    recipe = Recipe(area=str(scene / "area.geojson"), before=BEFORE, after=AFTER, sensor="s1")
    aoi, source = load_area(recipe.area), FolderSource(scene)
    ground = ground_of(aoi)
    grid, searched = ground.grid.padded(MARGIN_PX), padded(ground.searched)
    pair = pick_pair(source, recipe, aoi=aoi, grid=grid, searched=searched, progress=_silent)
    dates = gather_radar(source, pair, aoi=aoi, searched=searched, most=recipe.baseline, progress=_silent)
    found = [find_radar_changes(*dates, ground=ground, rate=rate, margin=MARGIN_PX) for rate in rates]
    return ground.grid, found


def _feature(item: ChangedObject, grid: Grid) -> dict[str, Any]:
    """Return of a flag what the scorer reads."""
    from shapely.geometry import mapping

    from imagery.burn import outline

    told = {"change": item.change, "length_m": item.length_m, "sensor": "s1"}
    return {"type": "Feature", "geometry": mapping(outline(item.rows, item.cols, grid)), "properties": told}


def _scored(job: Job, scene: Path, flags: list[dict[str, Any]], rate: float) -> dict[str, Any]:
    """Return what the scorer says of flags, each object with its cross-section."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "flags.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": flags}))
        options = ["--json", "--sensor", "s1", "--requested", str(rate)]
        command = [sys.executable, str(job.rehearsal / "score.py"), folder, str(scene), *options]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - the user names it
    answer = json.loads(done.stdout)
    truth = json.loads((scene / "truth.json").read_text())["objects"]
    objects = [
        one | {"class": NAMES.get(one["class"], one["class"]), "rcs_dbsm": true["rcs_dbsm"]}
        for one, true in zip(answer["objects"], truth, strict=True)
    ]
    row: dict[str, Any] = answer | {"objects": objects, "rate": rate}
    return row


def _plain(row: ClassDetectability) -> dict[str, Any]:
    return {"object": row.object, "ground": row.ground, "direction": row.direction, "pd": row.pd}


def work(job: Job) -> None:
    """Draw a scene, compare its two last dates, score the flags at each rate and keep a row for each."""
    import cv2

    from detect.detectability import InjectionPlan

    cv2.setNumThreads(1)
    scene = job.keep / "scenes" / f"{job.scenario}-{job.seed}"
    shutil.rmtree(scene, ignore_errors=True)
    options = ["--sensor", "s1", "--seed", str(job.seed), "--dates", str(DATES), "--scenario", job.scenario]
    command = [sys.executable, str(job.rehearsal / "scenes.py"), str(scene), *options]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the user names it
    start = time.process_time()
    grid, found = _compare(scene, job.missing)
    for rate, one in zip(job.missing, found, strict=True):
        scored = _scored(job, scene, [_feature(item, grid) for item in one.objects], rate)
        told = one.seen(InjectionPlan(placements=PLACEMENTS)) if one.seen and scored["objects"] else ()
        scored |= {"calibrated": one.change.calibrated, "said": [_plain(row) for row in told]}
        scored |= {"cpu_s": round(time.process_time() - start, 1)}
        staged = job.row(rate).with_suffix(".part")
        staged.write_text(json.dumps(scored))
        staged.replace(job.row(rate))
    shutil.rmtree(scene)


def _line(name: str, objects: Sequence[dict[str, Any]], goal: float | None = None) -> tuple[str, ...]:
    """Return a line of the table of detection."""
    pd = Proportion(sum(one["hit"] for one in objects), len(objects))
    signs = Proportion(sum(one["signed"] for one in objects), max(pd.hits, 1)).share
    met = "" if goal is None else "yes" if pd.share >= goal else "no"
    return name, str(pd.n), f"{pd.share:.3f}", pd.interval, f"{signs:.2f}", "" if goal is None else f"{goal:.2f}", met


def _detection(objects: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield a line for each class, and for each step of cross-section, of all and by direction."""
    yield "", "n", "Pd", "95 %", "signs", "goal", "met"
    for name in sorted({one["class"] for one in objects}):
        yield _line(name, [one for one in objects if one["class"] == name], GOALS.get(name))
    for change in ("", "appeared", "vanished"):
        for low, high in pairwise(BINS_DBSM):
            some = [one for one in objects if low <= one["rcs_dbsm"] < high and one["change"].startswith(change)]
            if some:
                goal = 1.0 if low >= 24.0 and not change else None
                text = f"under {high:g}" if low < 0 else f"{low:g} and more" if high > 60 else f"{low:g} to {high:g}"
                yield _line(f"{change or 'both'} {text} dBsm", some, goal)


def _false(rows: Sequence[dict[str, Any]], rate: float) -> Iterator[str]:
    """Yield actual over asked false flags for each region."""
    for name in rows[0]["regions"]:
        parts = [row["regions"][name] for row in rows if name in row["regions"]]
        found = Rate(sum(part["flags"] for part in parts), sum(part["km2"] for part in parts))
        if found.amount:
            low, high = (bound / rate for bound in found.bounds)
            yield (f"  {name}: {found.count} flags on {found.amount:.1f} km2; actual over asked "
                   f"{found.per_unit / rate:.2f} ({low:.2f}-{high:.2f})")  # fmt: skip
    yield f"  calibrated: {sum(row['calibrated'] for row in rows)} of {len(rows)} runs"


def _said(rows: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return a line for each class and direction: what was said of Pd, and what came."""
    lines: list[tuple[str, ...]] = []
    keys = sorted({(one["class"], one["change"]) for row in rows for one in row["objects"]})
    for name, change in keys:
        said, came = [], []
        for row in rows:
            here = [one for one in row["objects"] if (one["class"], one["change"]) == (name, change)]
            for one in here:
                kind = one["zone"].split("-")[0]
                told = [
                    s["pd"] for s in row["said"] if (s["object"], s["ground"], s["direction"]) == (name, kind, change)
                ]
                if told:
                    said.append(told[0])
                    came.append(one["hit"])
        if came:
            pd = Proportion(sum(came), len(came))
            lines.append((name, change, str(pd.n), f"{np.mean(said):.2f}", f"{pd.share:.2f}", pd.interval))
    return lines


def report(keep: Path) -> str:
    """Return the tables of all rows in a folder."""
    rows = [json.loads(path.read_text()) for path in sorted(keep.glob("s1-*.json"))]
    lines: list[str] = []
    for scenario, rate in sorted({(row["scenario"], row["rate"]) for row in rows}):
        chosen = [row for row in rows if (row["scenario"], row["rate"]) == (scenario, rate)]
        seeds = sorted(row["seed"] for row in chosen)
        lines += ["", f"{scenario}, {rate:g} per km2 asked, {len(seeds)} seeds {seeds[0]} to {seeds[-1]}"]
        if objects := [one for row in chosen for one in row["objects"] if one["surface"] != "soil"]:
            lines += ["  on pavement and water", *aligned(list(_detection(objects)))]
        lines += _false(chosen, rate)
        if told := _said(chosen):
            lines += aligned([("class", "sign", "n", "said", "came", "95 %"), *told])
    return "\n".join(lines)


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rehearsal", type=Path, required=True, help="holds scenes.py and score.py")
    parser.add_argument("--keep", type=Path, required=True, help="folder of the rows")
    parser.add_argument("--scenarios", nargs="+", default=("nominal", "null"))
    parser.add_argument("--seeds", nargs=2, type=int, default=(201, 240), metavar=("FIRST", "LAST"))
    parser.add_argument("--rates", nargs="+", type=float, default=(1.0,))
    told = parser.parse_args()
    told.keep.mkdir(parents=True, exist_ok=True)
    for seed in range(told.seeds[0], told.seeds[1] + 1):
        for scenario in told.scenarios:
            job = Job(rehearsal=told.rehearsal.resolve(), keep=told.keep.resolve(), scenario=scenario, seed=seed,
                      rates=tuple(told.rates))  # fmt: skip
            if job.missing:
                work(job)
                print(f"{scenario} {seed}", file=sys.stderr, flush=True)
    print(report(told.keep))


if __name__ == "__main__":
    main()
