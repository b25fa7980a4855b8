"""Verdicts against truth: claims checked on simulated worlds in which the truth is known and set both ways.

`python -m benchmarks.claims [WORLDS_OF_EACH_KIND [ROWS]]` prints the table of `docs/claims.md`. A world takes up to two
minutes; each is written to ROWS (`claims_worlds.jsonl`) as it is done, and what stands there is not done again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from shapely.geometry import Polygon, box

from aoi import AOI, Zone
from aoi.geojson import write_area
from aoi.geometry import centre, to_lonlat
from benchmarks.radar_world import radar_ground, write_radar_date
from detect.targets import object_class
from imagery.burn import burn
from imagery.sources.folder import FolderSource
from revisit.check import Dossier, check_claims
from revisit.claims import load_claims
from revisit.demo.airfield import build_ground
from revisit.demo.camera import expose
from revisit.demo.layout import CRS, scene_grid
from revisit.demo.passes import Pass
from revisit.demo.scenes import write_scene
from revisit.demo.surfaces import BANDS
from revisit.demo.traffic import Parked
from revisit.demo.weather import draw_weather

World = Literal[
    "true", "false", "clouded", "too small", "no acquisition", "clouded, radar, true", "clouded, radar, false"
]
WORLDS: tuple[World, ...] = get_args(World)
SEED = 7_2024
REFERENCE, LOOK, LATER = date(2024, 12, 7), date(2024, 12, 12), date(2024, 12, 17)
BASELINE = 14
RADAR_DAYS = 6
"""Between the radar passes of one orbit, by two satellites; the last one before the claims' window is on REFERENCE."""
RADAR_BASELINE = 14
CORNER = (768_000.0, 3_921_000.0)
"""South-west corner of the worlds, metres of `CRS`: beside the airfield that the simulator knows."""
APRON_M, GAP_M = 420.0, 60.0
APRONS = {"apron-a": (0, 0), "apron-b": (1, 0), "apron-c": (0, 1), "apron-d": (1, 1)}
PARKED = 6
"""Aircraft that never move."""
CLAIMS = """
[source]
title = "Statements on a simulated airfield"
publisher = "benchmarks/claims.py"
published = 2024-12-17
"""
ONE = """
[[claim]]
id = "{id}"
statement = "{statement}"
geometry = "world.geojson#{zone}"
kind = "{kind}"
object = "{thing}"
from = 2024-12-08
to = 2024-12-13
"""
RIGHT: dict[World, dict[str, str]] = {
    "true": {"came": "supported", "left": "supported", "same": "supported", "state": "not observable"},
    "false": {"came": "inconclusive", "left": "contradicted", "same": "contradicted", "state": "not observable"},
    "clouded": dict.fromkeys(("came", "left", "same"), "insufficient imagery") | {"state": "not observable"},
    "too small": dict.fromkeys(("came", "left", "same", "state"), "not observable"),
    "no acquisition": dict.fromkeys(("came", "left", "same"), "insufficient imagery") | {"state": "not observable"},
    "clouded, radar, true": {
        "came": "supported", "left": "supported", "same": "supported", "state": "not observable"
    },
    "clouded, radar, false": {
        "came": "inconclusive", "left": "contradicted", "same": "contradicted", "state": "not observable"
    },
}  # fmt: skip
"""The verdicts that are to be reached where everything works: no visit of some hours can be excluded by two looks."""
LARGE, SMALL = ("An-124", "An-124", "Il-76"), ("lorry", "lorry", "lorry")
"""What came, what left, and what the unchanged apron has, by the size of world."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One claim in one world."""

    world: World
    claim: str
    verdict: str

    @property
    def wrong(self) -> bool:
        """Whether it says the opposite of the truth."""
        opposite = "supported" if self.world.endswith("false") else "contradicted"
        return self.claim != "state" and self.verdict == opposite


def _shape(zone: str) -> Polygon:
    """Return a zone's outline, metres."""
    west, south = (c + GAP_M + k * (APRON_M + GAP_M) for c, k in zip(CORNER, APRONS[zone], strict=True))
    return box(west, south, west + APRON_M, south + APRON_M)


def world_area() -> AOI:
    """Return the four aprons of the worlds."""
    side = 2 * APRON_M + 3 * GAP_M
    zones = tuple(
        Zone(name=name, kind="apron", geometry=to_lonlat(_shape(name), CRS), source="invented", accuracy_m=5.0)
        for name in APRONS
    )
    whole = box(CORNER[0], CORNER[1], CORNER[0] + side, CORNER[1] + side)
    return AOI(name="world", geometry=to_lonlat(whole, CRS), zones=zones)


def _days(world: World) -> list[date]:
    """Return the days of the passes, oldest first."""
    earlier = [REFERENCE - timedelta(days=5 * k) for k in range(BASELINE, 0, -1)]
    if world == "no acquisition":
        return [*earlier, REFERENCE]
    # Only what is said to have left and has not is decided by the pass after the window.
    return [*earlier, REFERENCE, LOOK, *([LATER] if world in {"false", "clouded"} else [])]


def _radar_days() -> list[date]:
    """Return the days of the radar passes, oldest first."""
    return [REFERENCE + timedelta(days=RADAR_DAYS * k) for k in range(-RADAR_BASELINE, 3)]


def _all_days(first: date, last: date) -> list[date]:
    """Return every day from the first to the last."""
    return [first + timedelta(days=k) for k in range((last - first).days + 1)]


def _parked(name: str, zone: str, days: Sequence[date], rng: np.random.Generator) -> Parked:
    """Return an object somewhere in a zone."""
    model, shape = object_class(name), _shape(zone).buffer(-80.0)
    west, south, east, north = shape.bounds
    return Parked(
        model=model,
        zone=zone,
        x=float(rng.uniform(west, east)),
        y=float(rng.uniform(south, north)),
        heading_deg=float(rng.uniform(0, 360)),
        reflectance=model.reflectance(BANDS, float(rng.random())),
        days=frozenset(days),
    )


def _traffic(world: World, days: Sequence[date], rng: np.random.Generator) -> list[Parked]:
    """Return what stands there: fighters that never move, and what the claims are about."""
    came, left, same = SMALL if world == "too small" else LARGE
    days = _all_days(min(days), max(days))
    after = [day for day in days if day > REFERENCE]
    recent = [day for day in days if REFERENCE - timedelta(days=12) <= day <= REFERENCE]
    happened = not world.endswith("false")
    things = [_parked("Su-24", "apron-d", days, rng) for _ in range(PARKED)]
    if happened:
        things.append(_parked(came, "apron-a", after, rng))
    things.append(_parked(left, "apron-b", recent if happened else [*recent, *after], rng))
    things.append(_parked(same, "apron-c", [*recent, *after] if happened else recent, rng))
    return things


def write_world(folder: Path, world: World, seed: int) -> Path:
    """Write a world's scenes, its area and the claims about it; return the file of claims."""
    ground_rng, traffic_rng, weather_rng = np.random.default_rng([SEED, WORLDS.index(world), seed]).spawn(3)
    aoi, days = world_area(), _days(world)
    grid = scene_grid(aoi)
    ground = build_ground(aoi, grid, ground_rng)
    things = _traffic(world, [*days, *_radar_days()], traffic_rng)
    for number, (day, rng) in enumerate(zip(days, weather_rng.spawn(len(days)), strict=True)):
        moment = datetime(day.year, day.month, day.day, 8, 22, 41, tzinfo=UTC)
        one = Pass(acquired=moment, platform=f"sentinel-2{'ab'[number % 2]}", sky="clear", bright_is_cloud=False)
        weather = draw_weather(rng, ground, one, centre(aoi.geometry))
        if world.startswith("clouded") and day > REFERENCE:
            weather = replace(weather, cloud=np.full(grid.shape, 0.8, np.float32))
        present = [thing for thing in things if day in thing.days]
        seen = expose(ground, weather, present, grid=grid, misread=np.zeros(grid.shape, np.bool_), rng=rng)
        write_scene(folder / "scenes", one, weather, seen, grid)
    if "radar" in world:
        _write_radar(folder / "scenes", things, [SEED, WORLDS.index(world), seed])
    write_area(aoi, folder / "world.geojson")
    return _write_claims(folder, world)


def _write_radar(folder: Path, things: Sequence[Parked], seed: list[int]) -> None:
    """Write the radar passes of a world."""
    grid = scene_grid(world_area())
    paved = np.logical_or.reduce([burn(to_lonlat(_shape(zone), CRS), grid) for zone in APRONS])
    ground = radar_ground(grid, paved, np.random.default_rng([*seed, 1]))
    for number, day in enumerate(_radar_days()):
        moment = datetime(day.year, day.month, day.day, 15, 33, 37, tzinfo=UTC)
        write_radar_date(folder, ground, things, moment, grid=grid, seed=[*seed, 2, number])


def _write_claims(folder: Path, world: World) -> Path:
    """Write the claims about a world."""
    came, left, same = SMALL if world == "too small" else LARGE
    told = (
        ("came", f"A {came} has come to apron A.", "apron-a", "appeared", came),
        ("left", f"A {left} has left apron B.", "apron-b", "left", left),
        ("same", f"Apron C is unchanged: no {same} came or went.", "apron-c", "unchanged", same),
        ("state", f"The {came} on apron A is being loaded.", "apron-a", "state", came),
    )
    texts = [ONE.format(id=i, statement=s, zone=z, kind=k, thing=t) for i, s, z, k, t in told]
    file = folder / "claims.toml"
    file.write_text(CLAIMS + "".join(texts), encoding="utf-8")
    return file


def check_world(folder: Path, world: World, seed: int) -> Dossier:
    """Make a world and hold its claims against its scenes."""
    claims = load_claims(str(write_world(folder, world, seed)))
    source = FolderSource(folder / "scenes")
    return check_claims(
        claims, spec="folder:scenes", folder=folder / "check", source_of=lambda _: source, tell=lambda _: None
    )


def outcomes(world: World, seed: int) -> Iterator[Outcome]:
    """Yield the verdicts on the claims about a world."""
    with tempfile.TemporaryDirectory(prefix="world-") as folder:
        for verdict in check_world(Path(folder), world, seed).verdicts:
            yield Outcome(world=world, claim=verdict.id, verdict=verdict.verdict)


def table(found: Sequence[Outcome]) -> str:
    """Return the confusion table: rows are truths, columns verdicts, in Markdown."""
    names = ("supported", "contradicted", "inconclusive", "not observable", "insufficient imagery")
    lines = ["| world | claim | to be reached | " + " | ".join(names) + " |", "|---|---|---|" + "--:|" * len(names)]
    for world in WORLDS:
        for claim, right in RIGHT[world].items():
            counts = Counter(o.verdict for o in found if (o.world, o.claim) == (world, claim))
            lines.append(f"| {world} | {claim} | {right} | " + " | ".join(str(counts[name]) for name in names) + " |")
    wrong = sum(outcome.wrong for outcome in found)
    return "\n".join([*lines, "", f"{wrong} of {len(found)} verdicts say the opposite of the truth."])


def _known(rows: Path) -> dict[tuple[str, int], dict[str, str]]:
    """Return the verdicts that were reached before, by world and seed."""
    lines = rows.read_text(encoding="utf-8").splitlines() if rows.exists() else []
    told = [json.loads(line) for line in lines]
    return {(row["world"], row["seed"]): row["verdicts"] for row in told}


def main() -> None:
    """Print the table; each world is written down as it is done."""
    each = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    rows = Path(sys.argv[2] if len(sys.argv) > 2 else "claims_worlds.jsonl")
    known = _known(rows)
    for seed in range(each):
        for world in WORLDS:
            if (world, seed) in known:
                continue
            start = time.monotonic()
            known[world, seed] = {one.claim: one.verdict for one in outcomes(world, seed)}
            row = {"world": world, "seed": seed, "verdicts": known[world, seed]}
            with rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row | {"seconds": round(time.monotonic() - start, 1)}) + "\n")
    wanted = [(world, seed) for seed in range(each) for world in WORLDS]
    print(table([
        Outcome(world=world, claim=claim, verdict=verdict)
        for world, seed in wanted for claim, verdict in known[world, seed].items()
    ]))  # fmt: skip


if __name__ == "__main__":
    main()
