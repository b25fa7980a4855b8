"""Accuracy on simulated scenes with known truth: detection, false flags and what was said of both beforehand.

    .venv/bin/python benchmarks/accuracy.py --rehearsal FOLDER --keep ROWS [--scenarios nominal null ...] [--seeds 1 20]
        [--rates 1.0 0.1] [--jobs 2] [--forget-scenes]

FOLDER holds `scenes.py`, which draws scenes with their truth, and `score.py`, which holds a run's flags against it.
Each scenario, seed and rate gives one row in ROWS (a folder), kept as soon as it is there: the same command goes on
where it was stopped. What the tables print comes from the rows alone. The dates are read, aligned and compared by the
functions of `revisit compare`; they are read and fitted once for all rates.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.accuracy_tables import report

if TYPE_CHECKING:
    from aoi import Grid
    from detect.change import ChangedObject
    from imagery.coregister import Aligned
    from imagery.scene import Scene
    from revisit.detection import Detected, Fitted
    from revisit.ground import Ground

SCENARIOS = ("nominal", "harsh", "null", "harsh_null", "occupied03", "occupied10")
DATES = 21
"""Drawn per scene: two to compare and 19 for the baseline."""
BEFORE, AFTER = date(2024, 12, 7), date(2024, 12, 17)
"""The last two dates that are drawn, within the days that `compare` allows."""
NAMES = {"TEL": "launcher", "Ship120": "ship-120m"}
"""The catalogue's names of the scorer's classes."""
CLASSES = ("An-124", "Il-76", "Su-24", "Ka-52", "launcher", "ship-120m")
"""The catalogue's names of what the scenes hold."""
PLACEMENTS = 20
"""Objects put into each scene per class, kind of ground and direction."""
FORETOLD = frozenset({"nominal", "harsh"})
"""Scenarios whose detection is held against what was said of it."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One scene to be compared and scored."""

    rehearsal: Path
    keep: Path
    scenario: str
    seed: int
    rates: tuple[float, ...]
    forget: bool
    """Whether the scene is removed once its rows are there."""

    def row(self, rate: float) -> Path:
        """Where a row is kept."""
        return self.keep / f"{self.scenario}-{self.seed}-{rate:g}.json"

    @property
    def missing(self) -> tuple[float, ...]:
        """Rates without a row."""
        return tuple(rate for rate in self.rates if not self.row(rate).exists())

    @property
    def scene(self) -> Path:
        """Where its scene is kept."""
        return self.keep / "scenes" / f"{self.scenario}-{self.seed}"


def _draw(job: Job) -> None:
    """Draw a scene, unless it is there."""
    if (job.scene / "truth.json").exists():
        return
    job.scene.parent.mkdir(parents=True, exist_ok=True)
    options = ["--sensor", "s2", "--seed", str(job.seed), "--dates", str(DATES), "--scenario", job.scenario]
    with tempfile.TemporaryDirectory(dir=job.scene.parent) as folder:
        drawn = Path(folder) / "scene"
        command = [sys.executable, str(job.rehearsal / "scenes.py"), str(drawn), *options]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the user names it
        if not job.scene.exists():
            drawn.rename(job.scene)


@dataclass(frozen=True, kw_only=True)
class Dates:
    """A scene's two last dates, read and fitted with those before them."""

    ground: Ground
    aligned: Aligned
    fitted: Fitted
    scenes: tuple[Scene, Scene]


def _read(job: Job) -> Dates:
    """Read, align and fit the dates of a scene as a run does."""
    from aoi.formats import load_area
    from aoi.geometry import grid_for
    from imagery.coregister import align
    from imagery.sources.folder import FolderSource
    from revisit.baseline import gather
    from revisit.detection import fit
    from revisit.ground import lay_out
    from revisit.pipeline import MARGIN_PX
    from revisit.recipe import Recipe
    from revisit.scenes import pick_pair

    recipe, source = Recipe(area=str(job.scene / "area.geojson"), before=BEFORE, after=AFTER), FolderSource(job.scene)
    aoi = load_area(recipe.area)
    ground = lay_out(aoi, grid_for(aoi, 10.0))
    grid, searched = ground.grid.padded(MARGIN_PX), np.pad(ground.searched, MARGIN_PX)
    pair = pick_pair(source, recipe, aoi=aoi, grid=grid, searched=searched, progress=_silent)
    aligned = align(pair.before, pair.after)
    baseline = gather(
        source, pair, aligned.alignment, aoi=aoi, searched=searched, most=recipe.baseline, progress=_silent
    )
    before, after = (record.scene for record in pair.records)
    fitted = fit(aligned, baseline, ground=ground, margin=MARGIN_PX)
    return Dates(ground=ground, aligned=aligned, fitted=fitted, scenes=(before, after))


def _silent(_: str) -> None:
    """Tell nobody."""


def _feature(item: ChangedObject, grid: Grid) -> dict[str, Any]:
    """Return of a flag what the scorer reads."""
    from shapely.geometry import mapping

    from imagery.burn import outline

    told = {"change": item.change, "length_m": item.length_m, "sensor": "s2"}
    return {"type": "Feature", "geometry": mapping(outline(item.rows, item.cols, grid)), "properties": told}


def _scored(job: Job, flags: list[dict[str, Any]], rate: float) -> dict[str, Any]:
    """Return what the scorer says of flags."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flags.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": flags}))
        options = ["--json", "--sensor", "s2", "--requested", str(rate)]
        command = [sys.executable, str(job.rehearsal / "score.py"), folder, str(job.scene), *options]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - the user names it
    answer = json.loads(done.stdout)
    objects = [one | {"class": NAMES.get(one["class"], one["class"])} for one in answer["objects"]]
    row: dict[str, Any] = answer | {"objects": objects}
    return row


def _scales(found: Detected) -> list[dict[str, Any]]:
    """Return what is told of each flag apart from its place."""
    return [
        {"scale": one.scale, "length_m": one.length_m, "contrast": one.contrast, "expected": one.false_alarms}
        for one in found.objects
    ]


def _open(ground: Ground) -> Ground:
    """Return the ground, searched only where it is open.

    The scenes' objects keep 50 m from buildings; what is said of a whole zone is also said of its shaded ground, where
    thresholds are far higher.
    """
    return replace(ground, strata=np.where(ground.near_buildings, np.uint8(0), ground.strata))


def _said(dates: Dates, found: Detected) -> list[dict[str, Any]]:
    """Return what is said beforehand of the classes that the scenes hold, on open ground."""
    from detect.detectability import InjectionPlan
    from revisit.detectability import assess

    if found.statistics_of is None:
        return []
    rows = assess(
        _open(dates.ground),
        dates.aligned.before,
        dates.aligned.after,
        statistics_of=found.statistics_of,
        change=found.frame,
        scenes=dates.scenes,
        plan=InjectionPlan(classes=CLASSES, placements=PLACEMENTS),
    )
    return [
        {"object": row.object, "ground": row.ground, "direction": row.direction, "pd": row.pd, "n": row.placements}
        for row in rows
        if row.placements
    ]


def work(job: Job) -> Job:
    """Draw a scene, compare its two last dates, score the flags at each rate and keep a row for each."""
    if not job.missing:
        return job
    import cv2

    from revisit.detection import find_changes

    cv2.setNumThreads(1)
    _draw(job)
    start = time.process_time()
    dates = _read(job)
    for rate in job.missing:
        found = find_changes(dates.fitted, scenes=dates.scenes, rate=rate)
        scored = _scored(job, [_feature(item, dates.ground.grid) for item in found.objects], rate)
        said = _said(dates, found) if job.scenario in FORETOLD else []
        scored |= {"rate": rate, "calibrated": found.change.calibrated, "said": said}
        scored |= {"scales": _scales(found), "searched_km2": float((dates.ground.strata > 0).sum()) * 1e-4}
        scored |= {"areas_calibrated": bool(np.isfinite(found.change.areas.p_value).any())}
        scored |= {"obstacle": found.obstacle, "cpu_s": round(time.process_time() - start, 1)}
        staged = job.row(rate).with_suffix(".part")
        staged.write_text(json.dumps(scored))
        staged.replace(job.row(rate))
    if job.forget:
        shutil.rmtree(job.scene)
    return job


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rehearsal", type=Path, required=True, help="holds scenes.py and score.py")
    parser.add_argument("--keep", type=Path, required=True, help="folder of the rows")
    parser.add_argument("--scenarios", nargs="+", default=SCENARIOS)
    parser.add_argument("--seeds", nargs=2, type=int, default=(1, 20), metavar=("FIRST", "LAST"))
    parser.add_argument("--rates", nargs="+", type=float, default=(1.0, 0.1))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--forget-scenes", action="store_true", help="remove each scene once its rows are there")
    told = parser.parse_args()
    told.keep.mkdir(parents=True, exist_ok=True)
    jobs = [
        Job(
            rehearsal=told.rehearsal.resolve(),
            keep=told.keep.resolve(),
            scenario=scenario,
            seed=seed,
            rates=tuple(told.rates),
            forget=told.forget_scenes,
        )
        for seed in range(told.seeds[0], told.seeds[1] + 1)
        for scenario in told.scenarios
    ]
    with ProcessPoolExecutor(told.jobs) as pool:
        for job in pool.map(work, jobs):
            print(f"{job.scenario} {job.seed}", file=sys.stderr, flush=True)
    print(report(told.keep))


if __name__ == "__main__":
    main()
