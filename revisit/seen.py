"""What could have been seen on two dates, in a line, in rows and as plain JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from revisit.plain import rounded
from revisit.result import Result
from revisit.witnessed import sensor_head
from revisit.wording import decimals

if TYPE_CHECKING:
    from detect.detectability import ClassDetectability

SCHEMA = "revisit/detectability/1"
NAME = "detectability.json"
MUCH_WORSE = 0.1
"""Ground on which a class is seen so much less often than on all ground is named."""


def detectability_table(result: Result) -> dict[str, Any]:
    """Return what could have been seen as plain JSON values; what could not be measured is null.

    Of two sensors each row names its own, and holds at that sensor's share of the false alarms.
    """
    two = result.other is not None
    rows = [
        ({"sensor": part.sensor} if two else {})
        | {key: rounded(value, 4) if isinstance(value, float) else value for key, value in asdict(row).items()}
        for part in result.parts
        for row in part.detectability
    ]
    return {
        "schema": SCHEMA,
        "false_alarms_per_km2": result.recipe.false_alarms_per_km2,
        "calibrated": all(part.change.calibrated for part in result.parts),
        "rows": rows,
    }


def pooled(rows: Sequence[ClassDetectability]) -> float | None:
    """Return the probability of detection over rows, each placement with the same weight; None without placements."""
    placements = sum(row.placements for row in rows)
    return sum(row.pd * row.placements for row in rows if row.placements) / placements if placements else None


def _of_class(rows: Sequence[ClassDetectability]) -> str | None:
    """Return how well a class is seen, and where much worse; None where it was not tried."""
    share = pooled(rows)
    if share is None:
        return None
    if not any(row.observable for row in rows):
        return "not observable"
    grounds = {row.ground: pooled([other for other in rows if other.ground == row.ground]) for row in rows}
    known = {ground: value for ground, value in grounds.items() if value is not None}
    worst = min(known, key=lambda ground: known[ground])
    where = f" ({worst} {known[worst]:.2f})" if known[worst] < share - MUCH_WORSE else ""
    return f"{share:.2f}{where}"


def seen_line(rows: Sequence[ClassDetectability]) -> str:
    """Return one line: the classes with the share of them that would have been flagged, alike ones together.

    Parameters
    ----------
    rows
        As measured; the classes are named in the order in which they come first.
    """
    classes = dict.fromkeys(row.object for row in rows)
    told = [(name, _of_class([row for row in rows if row.object == name])) for name in classes]
    parts = [
        f"{', '.join(name for name, _ in group)} {share}"
        for share, group in groupby([pair for pair in told if pair[1]], key=lambda pair: pair[1])
    ]
    return f"What could have been seen here: {' - '.join(parts) or 'not known'}"


def seen_lines(result: Result) -> list[str]:
    """Return what could have been seen, a line for each sensor that measured it, its name in front where there are two.

    Parameters
    ----------
    result
        Of a run.
    """
    known = [part for part in result.parts if part.detectability]
    if result.other is None:
        return [seen_line(part.detectability) for part in known]
    return [f"{sensor_head(part)}: {seen_line(part.detectability)}" for part in known]


def _share_view(ways: Sequence[ClassDetectability], direction: str) -> dict[str, str]:
    """Return the share that was flagged of one direction, its interval, and its tenths for a bar."""
    way = next((way for way in ways if way.direction == direction and way.placements), None)
    if way is None:
        return {"share": "not known", "interval": "", "tenths": "0"}
    interval = f"{decimals(way.low)} to {decimals(way.high)}"
    return {"share": decimals(way.pd), "interval": interval, "tenths": str(round(10 * way.pd))}


def _blank(ways: Sequence[ClassDetectability]) -> str:
    """Return how often the same ground is flagged without an object: the least and the most."""
    known = [way.blank_rate for way in ways if math.isfinite(way.blank_rate)]
    return " to ".join(dict.fromkeys(decimals(edge(known)) for edge in (min, max))) if known else "not known"


def _verdict(ways: Sequence[ClassDetectability]) -> str:
    """Return whether an object is observable on a kind of ground: in both directions, in one, or in none, and why."""
    seen = [way.direction for way in ways if way.observable]
    if len(seen) == len(ways):
        return "yes"
    reasons = "; ".join(dict.fromkeys(way.reason for way in ways if way.reason))
    return f"only where it {seen[0]}" if seen else reasons or "no"


def _rows_of(ways: Sequence[ClassDetectability], sensor: str) -> list[dict[str, Any]]:
    """Return the rows of one object: kinds of ground on which it is seen alike share one."""
    alike: dict[str, tuple[dict[str, Any], list[ClassDetectability]]] = {}
    for ground in dict.fromkeys(way.ground for way in ways):
        own = [way for way in ways if way.ground == ground]
        told = {name: _share_view(own, name) for name in ("appeared", "vanished")} | {"verdict": _verdict(own)}
        alike.setdefault(str(told), (told, []))[1].extend(own)
    return [
        told | {"sensor": sensor, "ground": ", ".join(dict.fromkeys(way.ground for way in own)), "blank": _blank(own)}
        for told, own in alike.values()
    ]


def seen_groups(measured: Mapping[str, Sequence[ClassDetectability]]) -> list[dict[str, Any]]:
    """Return what could have been seen as texts: `object` and its `rows`, one for each sensor and kind of ground.

    Both directions stand in one row, and kinds of ground that do not differ in any figure but the share without the
    object share a row.

    Parameters
    ----------
    measured
        By the sensor's name.
    """
    names = dict.fromkeys(way.object for ways in measured.values() for way in ways)
    return [
        {
            "object": name,
            "rows": [
                row
                for sensor, ways in measured.items()
                for row in _rows_of([way for way in ways if way.object == name], sensor)
            ],
        }
        for name in names
    ]
