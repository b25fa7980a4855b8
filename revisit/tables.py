"""Tables of a TOML file that a person wrote: what is missing, unknown or senseless is refused with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from revisit.errors import UsageError
from revisit.recipe import parse_date


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where in the file something stands, for messages."""

    path: str
    lines: tuple[str, ...]
    table: str
    """"[source]" or "[[claim]]"."""
    number: int = 1
    """The how-manieth table of that name."""

    def refuse(self, message: str, key: str | None = None) -> UsageError:
        """Return the error that names the file and the line."""
        return UsageError(f"{self.path}, line {self._line(key)}: {message}")

    def _line(self, key: str | None) -> int:
        """Return the line, from 1, of a key of the table, or of the table itself."""
        starts = [n for n, line in enumerate(self.lines, 1) if line.split("#")[0].strip() == self.table]
        start = starts[self.number - 1] if len(starts) >= self.number else 1
        for n, line in enumerate(self.lines[start:], start + 1):
            if line.lstrip().startswith("["):
                break
            if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return n
        return start


def known_only(table: Mapping[str, Any], keys: Sequence[str], spot: Spot) -> None:
    """Refuse keys that mean nothing here."""
    for key in table:
        if key not in keys:
            close = get_close_matches(key, keys, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(keys)}"
            raise spot.refuse(f"{spot.table} has no {key!r}; {hint}", key)


def text_of(table: Mapping[str, Any], key: str, spot: Spot, *, needed: bool = True) -> str | None:
    """Return a text of one or more printable lines."""
    value = table.get(key)
    if value is None and not needed:
        return None
    if value is None:
        raise spot.refuse(f"{spot.table} needs {key!r}")
    if not isinstance(value, str) or not value.strip():
        raise spot.refuse(f"{key} must be a text, not {value!r}", key)
    return " ".join(value.split())


def day_of(table: Mapping[str, Any], key: str, spot: Spot) -> date:
    """Return a day, written as a TOML date or as text."""
    value = table.get(key)
    if value is None:
        raise spot.refuse(f"{spot.table} needs {key!r}, such as {key} = 2024-12-08")
    try:
        return value.date() if isinstance(value, datetime) else parse_date(value, key)
    except UsageError as error:
        raise spot.refuse(str(error), key) from error
