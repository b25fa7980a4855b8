"""Detectability on real images: two dates each of the airports of Beirut and Pisa, against what a prototype reached.

Run: python benchmarks/detectability_real.py FOLDER

FOLDER holds `<site>_S2L1C_<day>.tif` (level 1C, six bands, 10 m) and `<site>_zones.geojson`. The images were resampled
twice, which is taken to widen their point spread by a fifth. Prints one line per class, kind of ground and direction,
then which goals were met; exits with 1 where one was not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from shapely.geometry import mapping, shape

from aoi.formats import load_area
from aoi.geometry import grid_for
from detect.detectability import ClassDetectability, InjectionPlan
from detect.forward import Optics
from detect.optical import Pair, detect_pair, fit_pair
from imagery.coregister import align
from imagery.importer import Acquisition, import_rasters
from imagery.sources.folder import FolderSource
from revisit.detectability import assess, optics_of, pair_statistics
from revisit.ground import lay_out
from revisit.recipe import Recipe
from revisit.scenes import pick_pair

SITES = {
    "beirut_airport": (date(2015, 8, 20), date(2017, 10, 3)),
    "pisa_airport": (date(2015, 7, 4), date(2018, 2, 11)),
}
BANDS = ("B02", "B03", "B04", "B08", "B11", "B12")
WIDER = 1.2
MARGIN = 32
CLASSES = ("An-124", "Il-76", "Su-24", "Ka-52", "launcher")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What must be reached on a kind of ground."""

    classes: tuple[str, ...]
    ground: str
    least: float = 0.0
    most: float = 1.0
    unseen: bool = False
    """Whether the class must lie within 0.15 of the blank rate, and be called not observable."""

    def met(self, row: ClassDetectability) -> bool:
        """Return whether a row of the goal's class and ground meets it."""
        if self.unseen:
            return row.pd - row.blank_rate <= 0.15 and not row.observable
        return self.least <= row.pd <= self.most

    def __str__(self) -> str:
        """Return the goal in words."""
        named = ", ".join(self.classes)
        if self.unseen:
            return f"{named} on {self.ground}: within 0.15 of the blank rate, not observable"
        return f"{named} on {self.ground}: {self.least:g} to {self.most:g}"


GOALS = (
    Goal(classes=("An-124", "Il-76"), ground="runway", least=0.9),
    Goal(classes=("An-124", "Il-76"), ground="apron", least=0.8),
    Goal(classes=("Su-24",), ground="runway", least=0.15, most=0.9),
    Goal(classes=("Ka-52", "launcher"), ground="runway", unseen=True),
    Goal(classes=("Ka-52", "launcher"), ground="apron", unseen=True),
)


def scenes_of(folder: Path, site: str, out: Path) -> FolderSource:
    """Return a source that holds both dates of a site."""
    for day in SITES[site]:
        acquired = datetime(day.year, day.month, day.day, tzinfo=UTC)
        about = Acquisition(sensor="s2", acquired=acquired, day_only=True, scale=1e-4, offset=0.0, nodata=0)
        import_rasters([folder / f"{site}_S2L1C_{day:%Y%m%d}.tif"], list(BANDS), about=about, out=out / site)
    return FolderSource(out / site)


def cut_zones(path: Path, out: Path) -> Path:
    """Write a copy of an area file in which nothing of a zone lies outside the area: these were drawn over the edge."""
    collection = json.loads(path.read_text(encoding="utf-8"))
    features = collection["features"]
    area = next(shape(f["geometry"]) for f in features if f["properties"]["type"] == "area")
    for feature in features:
        feature["geometry"] = mapping(shape(feature["geometry"]).intersection(area))
    out.write_text(json.dumps(collection), encoding="utf-8")
    return out


def widened(optics: Optics) -> Optics:
    """Return the blur of an image that was resampled."""
    return replace(optics, psf_sigma_m=tuple(WIDER * sigma for sigma in optics.psf_sigma_m))


def measured(
    source: FolderSource, area: Path, site: str, *, rate: float, plan: InjectionPlan
) -> list[ClassDetectability]:
    """Compare the two dates of a site as a run does, and measure what could have been seen."""
    before, after = SITES[site]
    recipe = Recipe(area=str(area), before=before, after=after, within_days=0, false_alarms_per_km2=rate)
    aoi = load_area(recipe.area)
    ground = lay_out(aoi, grid_for(aoi, 10.0))
    grid, searched = ground.grid.padded(MARGIN), np.pad(ground.searched, MARGIN)
    chosen = pick_pair(source, recipe, aoi=aoi, grid=grid, searched=searched, progress=lambda _: None)
    aligned = align(chosen.before, chosen.after)
    first, second = aligned.before, aligned.after
    pair = Pair(
        before=np.asarray(first.data),
        after=np.asarray(second.data),
        valid=first.valid & second.valid,
        gsd=grid.gsd,
        shift_error_px=aligned.alignment.residual_px,
    )
    model = fit_pair(pair)
    change = detect_pair(pair, np.pad(ground.strata, MARGIN), false_alarms_per_km2=rate, model=model)
    raw = tuple(replace(record.scene, level="L1C") for record in chosen.records)
    rows = assess(
        ground,
        first,
        second,
        statistics_of=pair_statistics(pair, model),
        change=change,
        scenes=(raw[0], raw[1]),
        plan=plan,
        optics=widened(optics_of(first.bands, grid.gsd)),
    )
    return list(rows)


def lines(site: str, rows: Sequence[ClassDetectability]) -> Iterator[str]:
    """Yield a table of the rows."""
    for row in rows:
        verdict = "" if row.observable else "  not observable"
        where, share = f"{site:<15} {row.ground:<8} {row.direction:<9} {row.object:<9}", f"blank {row.blank_rate:.2f}"
        half = f"half seen at {row.least_contrast_area_m2:5.1f} m2"
        yield f"{where} Pd {row.pd:.2f} ({row.low:.2f}-{row.high:.2f})  {share}  {half}{verdict}"


def main() -> None:
    """Measure both sites, print the table and the goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--placements", type=int, default=120)
    parser.add_argument("--false-alarms", type=float, default=20.0, help="per km2")
    given = parser.parse_args()
    plan = InjectionPlan(classes=CLASSES, placements=given.placements, poses=40)
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for site in SITES:
            started = time.perf_counter()
            source = scenes_of(given.folder, site, Path(scratch))
            area = cut_zones(given.folder / f"{site}_zones.geojson", Path(scratch) / f"{site}.geojson")
            rows = measured(source, area, site, rate=given.false_alarms, plan=plan)
            print("\n".join(lines(site, rows)))
            for goal in GOALS:
                mine = [row for row in rows if row.object in goal.classes and row.ground == goal.ground]
                missed = [f"{row.object} {row.direction} {row.pd:.2f}" for row in mine if not goal.met(row)]
                failed += bool(missed)
                print(f"{site}: {'MISSED' if missed else 'met   '} {goal}{': ' if missed else ''}{', '.join(missed)}")
            print(f"{site}: {time.perf_counter() - started:.1f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
