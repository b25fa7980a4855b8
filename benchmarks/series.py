"""Change dates of a series against truth: simulated scenes in which who stood where on which date is known.

    python -m benchmarks.series OUT FOLDER [FOLDER ...]

A FOLDER holds area.geojson (else the demo's site is taken), scenes in s2/ and s1/ or side by side, and truth.json:
objects with `class`, `lon`, `lat`, and either `days` on which they are there or `change` (appeared: on the last date;
vanished: on the last but one) with `dates` of each sensor. Each folder's score is kept in OUT, so that a run that is
stopped goes on. Printed: the share of arrivals and departures that were dated within one acquisition, by class and
sensor; how many exactly; and false changes per zone and month.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Point

from aoi.geometry import to_crs
from revisit.series import run_series
from revisit.series_recipe import SeriesRecipe
from revisit.series_result import ChangeRecord, SeriesResult

TRANSPORTS = ("An-124", "Il-76", "Il-62", "Tu-154", "An-72", "An-26")
SHIP_LENGTH_M = 122.0
REACH_M = {"s2": 40.0, "s1": 70.0}
"""How far from an object's middle a change may lie: half of it, and to radar the length of a ship's bright points."""
SITE = "khmeimim"


@dataclass(frozen=True, kw_only=True)
class Score:
    """One class of object, or what was false, of one sensor in one folder."""

    sensor: str
    name: str
    true: int
    """Arrivals and departures between dates that were used."""
    within_one: int
    """Of these, found within one acquisition, and sure."""
    exact: int
    doubtful: int
    """Found within one acquisition, but called doubtful."""
    zone_months: float = 0.0
    """Of the false changes."""


def _present(truth: dict[str, Any], item: dict[str, Any], sensor: str) -> frozenset[date]:
    """Return the days on which an object is there, for a sensor."""
    if "days" in item:
        return frozenset(date.fromisoformat(text[:10]) for text in item["days"])
    times = truth["dates"][sensor]
    return frozenset({date.fromisoformat(times["after" if item["change"] == "appeared" else "before"][:10])})


def _states(result: SeriesResult, number: int, days: frozenset[date]) -> NDArray[np.bool_]:
    """Return on which dates of a track an object was there."""
    return np.array([moment.date() in days for moment in result.series[number].stack.times])


def _hits(
    changes: Sequence[ChangeRecord], result: SeriesResult, at: Point, *, kind: str, step: int, number: int
) -> list[tuple[int, ChangeRecord]]:
    """Return the changes of a kind at a place with how many acquisitions they are off."""
    times = result.series[number].stack.times
    grid, found = result.ground.grid, []
    for change in changes:
        if change.series != number or change.kind != kind:
            continue
        rows, cols = (k - result.margin for k in change.object.track.place.pixels)
        x, y = grid.transform.c + grid.transform.a * (cols + 0.5), grid.transform.f + grid.transform.e * (rows + 0.5)
        near = float(np.hypot(x - at.x, y - at.y).min()) <= REACH_M[result.series[number].stack.sensor]
        if near:
            last, first = times.index(change.after), times.index(change.before)
            off = max(last - step, step + 1 - first, 0) if first - last > 1 else abs(first - step - 1)
            found.append((off, change))
    return sorted(found, key=lambda pair: (pair[0], not pair[1].sure))


def _scores(result: SeriesResult, truth: dict[str, Any]) -> Iterator[Score]:
    """Yield the scores of a series."""
    crs = result.ground.grid.crs
    for number, one in enumerate(result.series):
        sensor, counts, used = one.stack.sensor, Counter[tuple[str, str]](), set()
        for item in truth["objects"]:
            at = to_crs(Point(item["lon"], item["lat"]), crs)
            states = _states(result, number, _present(truth, item, sensor))
            row, col = (int(v) for v in _pixel(result, at))
            shown = np.flatnonzero(one.stack.valid[:, row, col])
            seen = states[shown]
            for k in np.flatnonzero(seen[1:] != seen[:-1]).tolist():
                kind = "arrival" if seen[k + 1] else "departure"
                hits = _hits(result.changes, result, at, kind=kind, step=int(shown[k]), number=number)
                used |= {id(change) for _, change in hits}
                best = hits[0] if hits else None
                counts[item["class"], "true"] += 1
                if best and best[0] <= 1:
                    counts[item["class"], "within" if best[1].sure else "doubtful"] += 1
                    counts[item["class"], "exact"] += best[1].sure and best[0] == 0
        for name in sorted({name for name, _ in counts}):
            yield Score(sensor=sensor, name=name, true=counts[name, "true"], within_one=counts[name, "within"],
                        exact=counts[name, "exact"], doubtful=counts[name, "doubtful"])  # fmt: skip
        false = [change for change in result.changes if change.series == number and id(change) not in used]
        span: timedelta = one.stack.times[-1] - one.stack.times[0]
        months = span.total_seconds() / 86_400 / 30.4 * len(result.zones)
        yield Score(sensor=sensor, name="false", true=0, within_one=sum(change.sure for change in false), exact=0,
                    doubtful=sum(not change.sure for change in false), zone_months=months)  # fmt: skip


def _pixel(result: SeriesResult, at: Point) -> tuple[float, float]:
    """Return row and column of a place on the padded frame."""
    col, row = ~result.ground.grid.transform * (at.x, at.y)
    return row + result.margin, col + result.margin


def score_folder(folder: Path) -> list[Score]:
    """Run a series over a folder's scenes and hold it against its truth."""
    truth = json.loads((folder / "truth.json").read_text())
    area = folder / "area.geojson"
    texts = [path.name for path in folder.rglob("*.json") if path.name != "truth.json"]
    days = sorted(date.fromisoformat(_eight_digits(text)) for text in texts if _eight_digits(text))
    recipe = SeriesRecipe(
        area=str(area) if area.exists() else SITE, start=days[0], end=days[-1], source=f"folder:{folder}"
    )
    return list(_scores(run_series(recipe), truth))


def _eight_digits(text: str) -> str:
    """Return the day in the name of an Item; empty where there is none."""
    return next((part[:8] for part in text.split("_") if part[:8].isdigit() and len(part) >= 8), "")


def _table(scores: Sequence[Score]) -> Iterator[str]:
    """Yield the lines of the printed table."""
    yield "| sensor | class | changes | within one acquisition | exactly | found but doubtful |"
    yield "|---|---|---|---|---|---|"
    groups = {(s.sensor, s.name) for s in scores if s.name != "false"}
    groups |= {(sensor, "transports and ships") for sensor, _ in groups}
    for sensor, name in sorted(groups):
        big = name == "transports and ships"
        own = [s for s in scores if s.sensor == sensor and (s.name == name or (big and _is_big(s.name)))]
        true, hit, exact, doubt = (sum(getattr(s, k) for s in own) for k in ("true", "within_one", "exact", "doubtful"))
        yield f"| {sensor} | {name} | {true} | {hit} ({hit / max(true, 1):.3f}) | {exact} | {doubt} |"
    for sensor in sorted({s.sensor for s in scores}):
        own = [s for s in scores if s.sensor == sensor and s.name == "false"]
        months = sum(s.zone_months for s in own)
        sure, doubtful = sum(s.within_one for s in own), sum(s.doubtful for s in own)
        yield (
            f"{sensor}: {sure} false changes called sure and {doubtful} called doubtful in {months:.0f} zone-months:"
            f" {sure / max(months, 1e-9):.3f} and {doubtful / max(months, 1e-9):.3f} per zone and month"
        )


def _is_big(name: str) -> bool:
    return name in TRANSPORTS or name.lower().startswith("ship")


def main(out: Path, folders: Sequence[Path]) -> None:
    """Score the folders that have no score yet, and print the table of all."""
    out.mkdir(parents=True, exist_ok=True)
    scores: list[Score] = []
    for folder in folders:
        kept = out / f"{folder.name}.json"
        if not kept.exists():
            kept.write_text(json.dumps([asdict(score) for score in score_folder(folder)]))
        scores += [Score(**values) for values in json.loads(kept.read_text())]
        print(f"{folder.name} done", file=sys.stderr)
    print("\n".join(_table(scores)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
