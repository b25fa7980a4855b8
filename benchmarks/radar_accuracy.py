"""Radar on simulated scenes with known truth: detection by class and by cross-section, signs, and false flags.

    .venv/bin/python benchmarks/radar_accuracy.py --rehearsal FOLDER --keep ROWS [--seeds 201 240]
        [--scenarios nominal null] [--rates 1.0]

FOLDER holds `scenes.py`, which draws scenes with their truth, and `score.py`, which holds flags against it. Each
scenario, seed and rate gives one row in ROWS (a folder), kept as soon as it is there: the same command goes on where it
was stopped, and the tables are made of the rows alone. Scenes are drawn in memory and compared by the functions of
`revisit compare --sensor s1`, but for reading and registration (their dates lie 0.1 px apart): that takes most of the
time and changes nothing here. One null scene is about 1 km2 of open apron; 50 show a rate of 1 per km2.

Where objects are, `said` is the detectability that `compare` tells of the same dates, by class and direction.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.tables import Proportion, Rate, aligned

if TYPE_CHECKING:
    from aoi import Grid
    from detect.change import ChangedObject
    from detect.detectability import ClassDetectability
    from imagery.raster import Raster
    from revisit.detection import Detected

DATES = 22
"""Drawn per scene: two to compare and 20 for the baseline."""
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


def module(path: Path) -> ModuleType:
    """Return a program that lies outside of this project as a module."""
    if path.stem in sys.modules:
        return sys.modules[path.stem]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no program")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A scene."""

    images: NDArray[np.float32]
    """(date, polarisation, row, col), oldest first; the last two are compared."""
    origin: tuple[float, float]
    """North-west corner, metres."""
    truth: dict[str, Any]
    area: Path


def draw(job: Job, folder: Path) -> Drawn:
    """Draw a scene in memory; its area is written into a folder."""
    scenes = module(job.rehearsal / "scenes.py")
    place = scenes.Rehearsal(seed=job.seed, size=200, scenario_name=job.scenario)
    radar = scenes.build_radar_ground(scenes.stream(job.seed, 5), place.ground)
    images = [
        scenes.render_radar(scenes.stream(job.seed, 6, *one.key), radar, place.occupants(one))
        for one in scenes.calendar("s1", DATES)
    ]
    scenes.write_area(folder / "area.geojson", place.ground)
    return Drawn(images=np.stack(images), origin=scenes.ORIGIN, truth=place.truth(), area=folder / "area.geojson")


def _on_grid(image: NDArray[np.float32], origin: tuple[float, float], grid: Grid) -> Raster:
    """Return an image on a grid of the same spacing; not valid beyond it."""
    from imagery.raster import Raster

    left, top = (round(v) for v in ((grid.transform.c - origin[0]) / 10, (origin[1] - grid.transform.f) / 10))
    data = np.full((len(image), *grid.shape), np.nan, np.float32)
    rows, cols = (np.arange(size) + start for size, start in zip(grid.shape, (top, left), strict=True))
    inside = np.outer((rows >= 0) & (rows < image.shape[1]), (cols >= 0) & (cols < image.shape[2]))
    data[:, inside] = image[:, rows.clip(0, image.shape[1] - 1)][:, :, cols.clip(0, image.shape[2] - 1)][:, inside]
    return Raster(data=data, valid=inside, uncertain=inside & False, grid=grid, bands=("VV", "VH"), quantity="gamma0",
                  acquired=datetime(2024, 12, 18, tzinfo=UTC), scene_ids=())  # fmt: skip


def _compare(drawn: Drawn, rates: Sequence[float]) -> tuple[Grid, list[Detected]]:
    """Compare a scene's two last dates at each rate as a run does."""
    from aoi.formats import load_area
    from imagery.coregister import Aligned
    from revisit.baseline import Baseline
    from revisit.pipeline import MARGIN_PX, ground_of
    from revisit.radar import find_radar_changes
    from revisit.radar_dates import still

    ground = ground_of(load_area(str(drawn.area)))
    rasters = [_on_grid(one, drawn.origin, ground.grid.padded(MARGIN_PX)) for one in drawn.images]
    aligned = Aligned(before=rasters[-2], after=rasters[-1], alignment=still(10.0))
    data, valid = np.stack([one.data for one in rasters[:-2]]), np.stack([one.valid for one in rasters[:-2]])
    baseline = Baseline(dates=(), data=data, valid=valid, warnings=(), complete=True)
    found = [find_radar_changes(aligned, baseline, ground=ground, rate=rate, margin=MARGIN_PX) for rate in rates]
    return ground.grid, found


def _flag(item: ChangedObject, grid: Grid, epsg: int, score: ModuleType) -> Any:
    """Return a flag as the scorer knows it."""
    from shapely.geometry import mapping

    from imagery.burn import outline

    place = score.to_metres(mapping(outline(item.rows, item.cols, grid)), epsg)
    return score.Flag(geometry=place, change=item.change, length_m=item.length_m)


def _scored(job: Job, drawn: Drawn, objects: Sequence[ChangedObject], grid: Grid) -> dict[str, Any]:
    """Return what the scorer says of flags, each object with its cross-section."""
    from shapely.ops import unary_union

    score, truth = module(job.rehearsal / "score.py"), drawn.truth
    flags = [_flag(item, grid, truth["epsg"], score) for item in objects]
    feet = [score.to_metres(one["footprint"], truth["epsg"]) for one in truth["objects"]]
    matched = score.match(flags, truth["objects"], feet)
    rows = [
        row | {"class": NAMES.get(row["class"], row["class"]), "rcs_dbsm": true["rcs_dbsm"]}
        for row, true in zip(score.object_rows(truth["objects"], flags, matched), truth["objects"], strict=True)
    ]
    left = [one for k, one in enumerate(flags) if k not in set(matched.values())]
    parts = score.regions(json.loads(drawn.area.read_text()), truth["epsg"])
    counts, repeated, _ = score.false_flags(left, [], parts, unary_union(feet).buffer(score.REACH_M))
    return {"scenario": job.scenario, "seed": job.seed, "objects": rows, "regions": counts, "repeated": repeated}


def _plain(row: ClassDetectability) -> dict[str, Any]:
    return {"object": row.object, "ground": row.ground, "direction": row.direction, "pd": row.pd}


def work(job: Job) -> None:
    """Draw a scene, compare its two last dates, score the flags at each rate and keep a row for each."""
    import cv2

    from detect.detectability import InjectionPlan

    cv2.setNumThreads(1)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        drawn = draw(job, Path(folder))
        grid, found = _compare(drawn, job.missing)
        for rate, one in zip(job.missing, found, strict=True):
            scored = _scored(job, drawn, one.objects, grid) | {"rate": rate}
            told = one.seen(InjectionPlan(placements=PLACEMENTS)) if one.seen and scored["objects"] else ()
            scored |= {"calibrated": one.change.calibrated, "said": [_plain(row) for row in told]}
            scored |= {"cpu_s": round(time.process_time() - start, 1)}
            staged = job.row(rate).with_suffix(".part")
            staged.write_text(json.dumps(scored))
            staged.replace(job.row(rate))


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
