"""What could have been seen on two dates, in a line, in rows and as plain JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from revisit.plain import rounded
from revisit.result import Result
from revisit.wording import decimals

if TYPE_CHECKING:
    from detect.detectability import ClassDetectability

SCHEMA = "revisit/detectability/1"
NAME = "detectability.json"
MUCH_WORSE = 0.1
"""Ground on which a class is seen so much less often than on all ground is named."""


def detectability_table(result: Result) -> dict[str, Any]:
    """Return what could have been seen as plain JSON values; what could not be measured is null."""
    rows = [
        {key: rounded(value, 4) if isinstance(value, float) else value for key, value in asdict(row).items()}
        for row in result.detectability
    ]
    return {
        "schema": SCHEMA,
        "false_alarms_per_km2": result.recipe.false_alarms_per_km2,
        "calibrated": result.change.calibrated,
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
