"""The tables of `accuracy.py`, from the rows that it keeps: detection, false flags, and what was said beforehand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.tables import Proportion, Rate, aligned

HEADLINE, BUILDINGS = "apron", "near buildings"
GOALS = {
    ("nominal", 0.1): {
        "An-124": 0.98,
        "Il-76": 0.98,
        "ship-120m": 0.98,
        "Su-24": 0.97,
        "Ka-52": 0.93,
        "launcher": 0.92,
    },
    ("nominal", 1.0): {
        "An-124": 0.98,
        "Il-76": 0.98,
        "ship-120m": 0.98,
        "Su-24": 0.98,
        "Ka-52": 0.96,
        "launcher": 0.96,
    },
    ("harsh", 0.1): {"An-124": 0.97, "Il-76": 0.97, "ship-120m": 0.97, "Su-24": 0.95, "Ka-52": 0.85, "launcher": 0.75},
    ("harsh", 1.0): {"An-124": 0.97, "Il-76": 0.97, "ship-120m": 0.97, "Su-24": 0.97, "Ka-52": 0.92, "launcher": 0.85},
    ("occupied03", 1.0): {"An-124": 0.98, "Il-76": 0.98, "Su-24": 0.95, "Ka-52": 0.70},
    ("occupied10", 1.0): {"An-124": 0.98, "Il-76": 0.98, "Su-24": 0.88, "Ka-52": 0.55},
}
"""Probability of detection on paved ground to be reached, by scenario and false flags asked for per km2."""
WITHOUT_CHANGE = frozenset({"null", "harsh_null"})
"""Scenarios in which every flag is false."""
VANISHED_ONLY = frozenset({"occupied03", "occupied10"})
"""Scenarios about what had stood there before."""


def _objects(rows: Sequence[dict[str, Any]], scenario: str) -> Iterator[dict[str, Any]]:
    """Yield the objects that a scenario is about, on paved ground."""
    for row in rows:
        for one in row["objects"]:
            if one["surface"] != "soil" and (scenario not in VANISHED_ONLY or one["change"] == "vanished"):
                yield one


def _classes(rows: Sequence[dict[str, Any]], scenario: str, rate: float) -> list[tuple[str, ...]]:
    """Return a line a class: how many, Pd with its interval, the goal, and whether the interval holds it."""
    goals = GOALS.get((scenario, rate), {})
    found: dict[str, list[dict[str, Any]]] = {}
    for one in _objects(rows, scenario):
        found.setdefault(one["class"], []).append(one)
    lines: list[tuple[str, ...]] = []
    for name, objects in sorted(found.items()):
        pd = Proportion(sum(one["hit"] for one in objects), len(objects))
        goal = goals.get(name)
        met = "" if goal is None else "yes" if pd.high >= goal else "no"
        lines.append((name, str(pd.n), f"{pd.share:.3f}", pd.interval, "" if goal is None else f"{goal:.2f}", met))
    return lines


def _false(rows: Sequence[dict[str, Any]], rate: float) -> list[str]:
    """Return what is said of false flags: actual over asked on open apron, near buildings, signs."""
    lines = []
    for name in (HEADLINE, "hardstand", BUILDINGS):
        parts = [row["regions"][name] for row in rows if name in row["regions"]]
        found = Rate(sum(part["flags"] for part in parts), sum(part["km2"] for part in parts))
        if found.amount:
            lines.append(f"  {name}: {found.count} flags on {found.amount:.1f} km2, {found.per_unit:.2f} per km2"
                         f" ({found.interval}); over asked {found.per_unit / rate:.2f}")  # fmt: skip
    hits = [one for row in rows for one in row["objects"] if one["hit"]]
    if hits:
        lines.append(f"  signs right: {Proportion(sum(one['signed'] for one in hits), len(hits)).text}")
    lines.append(f"  calibrated: {sum(row['calibrated'] for row in rows)} of {len(rows)} runs")
    return lines


def _by_scale(rows: Sequence[dict[str, Any]], rate: float) -> list[str]:
    """Return the flags of scenes without change by their scale: all of them are false."""
    from detect.calibrated import OBJECT_SHARE
    from revisit.wording import BEYOND_CHANCE

    lines, km2 = [], sum(row["searched_km2"] for row in rows)
    for scale, share in (("object", OBJECT_SHARE), ("area", 1 - OBJECT_SHARE)):
        flags = [one for row in rows for one in row["scales"] if one["scale"] == scale]
        found = Rate(len(flags), km2)
        beyond = sum(one["expected"] is not None and one["expected"] < BEYOND_CHANCE for one in flags)
        lines.append(
            f"  {scale} flags on all {km2:.1f} km2: {found.count}, {found.per_unit:.2f} per km2 ({found.interval});"
            f" over asked {found.per_unit / (share * rate):.2f}; {beyond} called beyond chance"
        )
    known = sum(row["areas_calibrated"] for row in rows)
    return [*lines, f"  areas have p-values in {known} of {len(rows)} runs"]


def _key(one: dict[str, Any]) -> tuple[str, str, str]:
    """Return (class, kind of ground, sign) of an object; its zone is named after its kind."""
    return one["class"], one["zone"].split("-")[0], one["change"]


def _reliability(rows: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return a line for each class and kind of ground: what was said of Pd, and what came."""
    said: dict[tuple[str, str, str], list[float]] = {}
    came: dict[tuple[str, str, str], list[bool]] = {}
    for row in rows:
        there = {_key(one) for one in row["objects"]}
        for one in row["said"]:
            key = (one["object"], one["ground"], one["direction"])
            if key in there:
                said.setdefault(key, []).append(one["pd"])
        for one in row["objects"]:
            came.setdefault(_key(one), []).append(one["hit"])
    lines: list[tuple[str, ...]] = []
    for key in sorted(said.keys() & came.keys()):
        told, pd = sum(said[key]) / len(said[key]), Proportion(sum(came[key]), len(came[key]))
        lines.append((*key, str(pd.n), f"{told:.2f}", f"{pd.share:.2f}", pd.interval, f"{told - pd.share:+.2f}"))
    return lines


def report(keep: Path) -> str:
    """Return the tables of all rows in a folder."""
    rows = [json.loads(path.read_text()) for path in sorted(keep.glob("*.json"))]
    lines: list[str] = []
    for scenario, rate in sorted({(row["scenario"], row["rate"]) for row in rows}):
        chosen = [row for row in rows if (row["scenario"], row["rate"]) == (scenario, rate)]
        seeds = sorted(row["seed"] for row in chosen)
        lines += ["", f"{scenario}, {rate:g} per km2 asked, {len(seeds)} seeds {seeds[0]} to {seeds[-1]}"]
        lines += aligned([("class", "n", "Pd", "95 %", "goal", "met"), *_classes(chosen, scenario, rate)])
        lines += _false(chosen, rate)
        lines += _by_scale(chosen, rate) if scenario in WITHOUT_CHANGE else []
        if told := _reliability(chosen):
            lines += aligned([("class", "ground", "sign", "n", "said", "came", "95 %", "said - came"), *told])
    return "\n".join(lines)
