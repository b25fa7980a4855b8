"""What a series is asked for, as one value that is kept in its manifest."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass, fields
from datetime import date

from revisit.errors import UsageError
from revisit.recipe import EARLIEST, MOST_BASELINE, SENSORS

MOST_SPAN_DAYS = 1_100
"""Three years of one orbit are 220 dates; more is several series."""


@dataclass(frozen=True, kw_only=True)
class SeriesRecipe:
    """What to follow, and how."""

    area: str
    """A built-in site's name or the path of an area file."""
    start: date
    end: date
    """First and last day, both included."""
    sensor: str = "auto"
    """"auto" (both), "s2" or "s1"."""
    source: str = "auto"
    """Such as "folder:PATH" or "demo"."""
    baseline: int = 12
    """Dates of a track from which what is usual is learned; where the window holds fewer, earlier ones are read."""
    false_places_per_km2: float = 0.5
    """Places that chance alone may show as changed, per km2 of searched ground over all dates of a track."""
    gsd: float | None = None
    """Pixel spacing, metres; None: 10."""


def check_series(recipe: SeriesRecipe, *, today: date) -> None:
    """Refuse what cannot be run, before anything is read.

    Raises
    ------
    UsageError
        With the values and what to do.
    """
    start, end = recipe.start, recipe.end
    if start >= end:
        raise UsageError(f"from {start} to {end} is no span of time: the first day must be earlier than the last")
    if start < EARLIEST:
        raise UsageError(f"from {start} is earlier than any satellite image of the ground ({EARLIEST})")
    if start > today:
        raise UsageError(f"from {start} lies in the future; today is {today} (UTC)")
    if (end - start).days > MOST_SPAN_DAYS:
        raise UsageError(
            f"{(end - start).days} days in one series; {MOST_SPAN_DAYS} at most: ask for parts of it, one by one"
        )
    if recipe.sensor not in SENSORS:
        raise UsageError(f"the sensor is {recipe.sensor!r}; known: {', '.join(SENSORS)}")
    if not 0 <= recipe.baseline <= MOST_BASELINE:
        raise UsageError(f"a baseline of {recipe.baseline} dates: choose 0 to {MOST_BASELINE}")
    if not recipe.false_places_per_km2 > 0 or not math.isfinite(recipe.false_places_per_km2):
        raise UsageError(f"{recipe.false_places_per_km2} false alarms per km2: choose a number above 0, such as 0.5")
    if recipe.gsd is not None and not 1 <= recipe.gsd <= 1000:
        raise UsageError(f"a pixel spacing of {recipe.gsd} m: choose 1 to 1000 m")


def series_table(recipe: SeriesRecipe) -> dict[str, str | int | float]:
    """Return a recipe as plain values, dates as ISO texts, what is not set left out."""
    values = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    return {k: v.isoformat() if isinstance(v, date) else v for k, v in values.items() if v is not None}


def series_command(recipe: SeriesRecipe) -> str:
    """Return the command line that repeats a recipe (but for its pixel spacing, which has no option)."""
    options = {
        "--from": recipe.start,
        "--to": recipe.end,
        "--sensor": recipe.sensor,
        "--source": recipe.source,
        "--baseline": recipe.baseline,
        "--false-alarms": recipe.false_places_per_km2,
    }
    words = [word for name, value in options.items() for word in (name, str(value))]
    return shlex.join(["revisit", "series", recipe.area, *words])
