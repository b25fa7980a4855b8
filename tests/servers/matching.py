"""Which items a search means: collections, ids, time, place, and the two query languages."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from shapely.geometry import box, shape

Item = dict[str, Any]
Test = Callable[[Item], bool]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "neq": operator.ne, "lt": operator.lt, "lte": operator.le, "gt": operator.gt,
    "gte": operator.ge, "in": lambda value, wanted: value in wanted,
    "startsWith": lambda value, wanted: str(value).startswith(wanted),
    "contains": lambda value, wanted: wanted in value,
}  # fmt: skip
SIGNS = {"=": "eq", "<>": "neq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


class WrongQueryError(ValueError):
    """A search that the server does not understand: 400."""


def _time(text: str, *, default: datetime) -> datetime:
    """Return an end of a time range; ".." and nothing are open."""
    if text in ("", ".."):
        return default
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"invalid datetime {text!r}"
        raise WrongQueryError(message) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def within(asked: str) -> Test:
    """Return a test for a time or a range of times, ends included."""
    start, _, end = asked.partition("/")
    first = _time(start, default=datetime.min.replace(tzinfo=UTC))
    last = _time(end, default=datetime.max.replace(tzinfo=UTC)) if "/" in asked else first
    if first > last:
        message = f"the time range {asked} ends before it begins"
        raise WrongQueryError(message)
    return lambda item: first <= datetime.fromisoformat(item["properties"]["datetime"]) <= last


def _value(item: Item, name: str) -> Any:
    """Return what a name in a query stands for."""
    bare = name.removeprefix("properties.")
    return item[bare] if bare in ("id", "collection") else item["properties"].get(bare)


def _compare(name: str, sign: str, wanted: Any) -> Test:
    """Return a comparison; an item without the property never fits."""
    if sign not in COMPARE:
        message = f"unknown operator {sign!r}"
        raise WrongQueryError(message)

    def test(item: Item) -> bool:
        value = _value(item, name)
        return value is not None and COMPARE[sign](value, wanted)

    return test


def _cql_text(text: str) -> list[Test]:
    """Return the comparisons of a CQL2 text; only `and` joins them."""
    tests = []
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE):
        found = re.fullmatch(r"\"?([\w:.]+)\"?\s*(<=|>=|<>|=|<|>)\s*(?:'((?:[^']|'')*)'|(-?[\d.]+))", part)
        if not found:
            message = f"invalid filter near {part!r}"
            raise WrongQueryError(message)
        wanted: Any = float(found[4]) if found[4] else found[3].replace("''", "'")
        tests.append(_compare(found[1], SIGNS[found[2]], wanted))
    return tests


def _cql_json(told: dict[str, Any]) -> list[Test]:
    """Return the comparisons of a CQL2 JSON expression."""
    if told.get("op") == "and":
        return [test for part in told["args"] for test in _cql_json(part)]
    try:
        (named, wanted), sign = told["args"], SIGNS[told["op"]]
        return [_compare(named["property"], sign, wanted)]
    except (KeyError, TypeError, ValueError) as error:
        message = f"invalid filter {told}"
        raise WrongQueryError(message) from error


def _place(asked: dict[str, Any]) -> list[Test]:
    """Return the tests for `bbox` and `intersects`."""
    if asked.get("bbox") and asked.get("intersects"):
        message = "bbox and intersects are not allowed together"
        raise WrongQueryError(message)
    if asked.get("bbox"):
        sides = [float(side) for side in asked["bbox"]]
        if len(sides) != 4 or sides[1] > sides[3]:
            message = f"invalid bbox {sides}"
            raise WrongQueryError(message)
        wanted = box(*sides)
    elif asked.get("intersects"):
        wanted = shape(asked["intersects"])
    else:
        return []
    return [lambda item: bool(shape(item["geometry"]).intersects(wanted))]


def tests_of(asked: dict[str, Any]) -> list[Test]:
    """Return the tests that an item must pass for a search; its collections are not among them.

    Raises
    ------
    WrongQueryError
        Where the search is not understood.
    """
    tests = _place(asked)
    if asked.get("ids"):
        tests.append(lambda item: item["id"] in asked["ids"])
    if asked.get("datetime"):
        tests.append(within(asked["datetime"]))
    for name, wanted in (asked.get("query") or {}).items():
        tests += [_compare(name, sign, value) for sign, value in wanted.items()]
    told = asked.get("filter")
    if told:
        tests += _cql_text(told) if isinstance(told, str) else _cql_json(told)
    return tests


def trimmed(item: Item, fields: dict[str, list[str]] | None) -> Item:
    """Return an item with the fields that were asked for; parts of assets are not chosen."""
    if not fields:
        return item
    left = {key: value for key, value in item.items() if key not in fields.get("exclude", [])}
    dropped = {name.removeprefix("properties.") for name in fields.get("exclude", [])}
    properties = {key: value for key, value in item["properties"].items() if key not in dropped}
    wanted = fields.get("include") or []
    names = {name.removeprefix("properties.") for name in wanted if name.startswith("properties.")}
    if names and "properties" not in wanted:
        properties = {key: value for key, value in properties.items() if key in names | {"datetime"}}
    if "properties" in left:
        left["properties"] = properties
    always = {"id", "type", "geometry", "bbox", "links", "collection", "stac_version", "properties", "assets"}
    tops = {name.partition(".")[0] for name in wanted}
    return {key: value for key, value in left.items() if not wanted or key in always - {"assets"} | tops}
