"""Values as plain JSON: no NaN, times in UTC, the same text for the same value."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def rounded(value: float | None, decimals: int) -> float | None:
    """Return a number with so many decimals; None where there is none or it is not finite, for JSON has no NaN."""
    if value is None or not math.isfinite(value):
        return None
    # Adding zero turns -0.0 into 0.0.
    return round(float(value), decimals) + 0.0


def iso_time(moment: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC, such as "2024-12-07T08:20:11Z"."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_json(value: Any) -> str:
    """Return JSON text that anyone can read: indented, Unicode as it is, no NaN or infinity.

    Raises
    ------
    ValueError
        Where a number is not finite.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `to_json` of a value as UTF-8; halves of surrogate pairs, which UTF-8 cannot hold, become "?"."""
    path.write_text(to_json(value), encoding="utf-8", errors="replace")
