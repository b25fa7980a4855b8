"""What could have been seen on two dates, in a line, in rows and as plain JSON."""

from __future__ import annotations

from collections.abc import Sequence
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


def seen_views(rows: Sequence[ClassDetectability]) -> list[dict[str, str]]:
    """Return the rows as texts for a table."""
    return [
        {
            "object": row.object,
            "ground": row.ground,
            "direction": row.direction,
            "pd": decimals(row.pd),
            "interval": f"{decimals(row.low)} to {decimals(row.high)}" if row.placements else "not known",
            "blank": decimals(row.blank_rate),
            "verdict": row.reason or ("yes" if row.observable else "no"),
        }
        for row in rows
    ]
