"""Everything that decides a run's result, as one value that is kept in the manifest and can be kept in a TOML file."""

from __future__ import annotations

import json
import math
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from revisit.errors import UsageError

ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
SENSORS = ("auto", "s2", "s1")
MOST_DAYS = 366
"""A scene from another year answers another question."""
EARLIEST = date(1972, 7, 23)
"""Launch of Landsat 1: before it nothing of the kind was taken."""
MOST_BASELINE = 100
"""More dates than one orbit has in the 400 days in which they may lie."""
MOST_BYTES = 100_000
"""A recipe has a dozen short lines."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to compare, and how."""

    area: str
    """A built-in site's name or the path of an area file."""
    before: date
    after: date
    sensor: str = "auto"
    """"auto", "s2" or "s1"."""
    source: str = "auto"
    """Such as "folder:PATH" or "demo"."""
    within_days: int = 10
    """How far from `before` and `after` a scene may be."""
    baseline: int = 20
    """Most earlier dates from which the noise of unchanged ground is learned; 0: compare two dates alone."""
    false_alarms_per_km2: float = 1.0
    """Flags that chance alone may give per km2 of searched ground, both scales together."""
    gsd: float | None = None
    """Pixel spacing, metres; None: the sensor's own."""


def parse_date(text: object, name: str) -> date:
    """Return an ISO date.

    Parameters
    ----------
    text
        Such as "2024-12-07", or a date already (TOML has them).
    name
        What the date is, for the message.

    Raises
    ------
    UsageError
        Where it is not written so or not in the calendar.
    """
    if isinstance(text, date) and not isinstance(text, datetime):
        return text
    if isinstance(text, str) and ISO_DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise UsageError(f"{name} {text!r} is not in the calendar: {error}") from error
    raise UsageError(f"{name} {str(text)!r} is no date; write it as 2024-12-07 (year-month-day)")


def _number(value: object, name: str) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{name} must be a number, not {value!r}")
    return float(value)


def _whole(value: object, name: str) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{name} must be a whole number, not {value!r}")
    return value


def _text(value: object, name: str) -> str:
    """Return a text."""
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name} must be a text, not {value!r}")
    return value


_PARSERS: Mapping[str, Any] = {
    "area": _text,
    "before": parse_date,
    "after": parse_date,
    "sensor": _text,
    "source": _text,
    "within_days": _whole,
    "baseline": _whole,
    "false_alarms_per_km2": _number,
    "gsd": _number,
}


def recipe_from(table: Mapping[str, object]) -> Recipe:
    """Return the recipe that a table of values describes.

    Raises
    ------
    UsageError
        For keys that no recipe has, missing keys and values of the wrong kind.
    """
    for key in table:
        if key not in _PARSERS:
            close = get_close_matches(key, _PARSERS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(_PARSERS)}."
            raise UsageError(f"a recipe has no {key!r}.{hint}")
    missing = [name for name in ("area", "before", "after") if name not in table]
    if missing:
        raise UsageError(f"a recipe needs {', '.join(missing)} as well")
    return Recipe(**{key: _PARSERS[key](value, key) for key, value in table.items()})


def read_table(path: Path) -> dict[str, object]:
    """Return the values of a TOML file of a recipe, which may be only some of a recipe's.

    Raises
    ------
    UsageError
        Where the file cannot be read or is not TOML.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} has {path.stat().st_size} bytes; a recipe has a dozen short lines")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the recipe {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise error if isinstance(error, UsageError) else UsageError(f"{path} is not TOML: {error}") from error


def recipe_table(recipe: Recipe) -> dict[str, str | int | float]:
    """Return a recipe as plain values, dates as ISO texts, what is not set left out."""
    values = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    return {k: v.isoformat() if isinstance(v, date) else v for k, v in values.items() if v is not None}


def to_toml(recipe: Recipe) -> str:
    """Return a recipe as TOML that `read_table` and `recipe_from` turn into the same recipe."""
    # A JSON text is a TOML text but for DEL, which TOML wants escaped.
    lines = (
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n".replace("\x7f", "\\u007f")
        for key, value in recipe_table(recipe).items()
    )
    return "".join(lines)


def command_of(recipe: Recipe) -> str:
    """Return the command line that repeats a recipe (but for its pixel spacing, which has no option)."""
    options = {
        "--before": recipe.before,
        "--after": recipe.after,
        "--sensor": recipe.sensor,
        "--source": recipe.source,
        "--within": recipe.within_days,
        "--baseline": recipe.baseline,
        "--false-alarms": recipe.false_alarms_per_km2,
    }
    words = [word for name, value in options.items() for word in (name, str(value))]
    return shlex.join(["revisit", "compare", recipe.area, *words])


def _check_dates(before: date, after: date, today: date) -> None:
    """Refuse dates between which nothing can be compared."""
    if before == after:
        raise UsageError(f"before and after are the same day, {before}: a change needs two dates")
    if before > after:
        raise UsageError(f"before ({before}) is later than after ({after}): exchange them")
    if before < EARLIEST:
        raise UsageError(f"before ({before}) is earlier than any satellite image of the ground ({EARLIEST})")
    if after > today:
        raise UsageError(f"after ({after}) lies in the future; today is {today} (UTC)")


def check_recipe(recipe: Recipe, *, today: date) -> None:
    """Refuse what cannot be run, before anything is read.

    Parameters
    ----------
    recipe
        As asked.
    today
        The day in UTC.

    Raises
    ------
    UsageError
        With the values and what to do.
    """
    _check_dates(recipe.before, recipe.after, today)
    if recipe.sensor not in SENSORS:
        raise UsageError(f"the sensor is {recipe.sensor!r}; known: {', '.join(SENSORS)}")
    if recipe.sensor == "s1":
        raise UsageError("sensor s1: this version compares optical scenes only; use --sensor s2")
    if not 0 <= recipe.within_days <= MOST_DAYS:
        raise UsageError(f"within {recipe.within_days} days: choose 0 to {MOST_DAYS}")
    if not 0 <= recipe.baseline <= MOST_BASELINE:
        raise UsageError(f"a baseline of {recipe.baseline} dates: choose 0 to {MOST_BASELINE}")
    if not recipe.false_alarms_per_km2 > 0 or not math.isfinite(recipe.false_alarms_per_km2):
        raise UsageError(f"{recipe.false_alarms_per_km2} false alarms per km2: choose a number above 0, such as 1")
    if recipe.gsd is not None and not 1 <= recipe.gsd <= 1000:
        raise UsageError(f"a pixel spacing of {recipe.gsd} m: choose 1 to 1000 m")
