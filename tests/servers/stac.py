"""The catalogues: landing page, collections, items and search, in the three ways of turning pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.servers.matching import WrongQueryError, tests_of, trimmed
from tests.servers.settings import Settings
from tests.servers.wire import Answer, Call

Item = dict[str, Any]
Shelves = dict[str, list[Item]]
FOREIGN = {
    "foreign": "https://198.51.100.7/search",
    "downgrade": "http://example.org/search",
    "local-path": "/etc/hosts",
}
"""Where a wrong next link leads; nobody is there."""
CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features", "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#fields", "https://api.stacspec.org/v1.0.0/item-search#filter",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text", "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
]  # fmt: skip
QUERY = ["https://api.stacspec.org/v1.0.0/item-search#query", "https://api.stacspec.org/v1.0.0/item-search#sort"]


@dataclass(frozen=True, kw_only=True)
class Style:
    """What is particular to a catalogue."""

    name: str
    root: str
    """Path of its landing page, without a slash at the end."""
    paging: str
    """"next" (Earth Search), "token" (pgstac) or "context" (Sentinel Hub)."""
    version: str = "1.0.0"
    limit: int = 10
    """Items on a page where none is asked for."""
    most: int = 1000
    too_many: int = 400
    """Answer to a limit over `most`."""
    counts: bool = False
    """Whether it says how many items fit."""
    merge: bool = False
    """Whether its next links hold only what is new."""


STYLES = (
    Style(name="earth-search", root="/earth-search/v1", paging="next", most=267, too_many=502, counts=True),
    Style(name="planetary-computer", root="/planetary-computer/api/stac/v1", paging="token", limit=250),
    Style(name="cdse", root="/cdse/v1", paging="token", version="1.1.0", counts=False, merge=True),
    Style(name="sentinel-hub", root="/sentinel-hub/api/v1/catalog/1.0.0", paging="context", limit=10, most=100,
          merge=True),
)  # fmt: skip


def reply(content: Any, status: int = 200, kind: str = "application/json") -> Answer:
    """Return an answer in JSON."""
    return Answer(status=status, headers={"Content-Type": kind}, body=json.dumps(content).encode())


def _asked(call: Call) -> dict[str, Any]:
    """Return what a search asks, from the body or from the query."""
    if call.method == "POST":
        try:
            told = json.loads(call.body)
        except ValueError as error:
            message = "the body is not JSON"
            raise WrongQueryError(message) from error
        return dict(told)
    told = dict(call.query)
    for name in ("collections", "ids"):
        if name in told:
            told[name] = told[name].split(",")
    for name in ("query", "intersects"):
        if name in told:
            told[name] = json.loads(told[name])
    if "bbox" in told:
        told["bbox"] = [float(side) for side in told["bbox"].split(",")]
    return told


class Catalogue:
    """One catalogue."""

    def __init__(self, style: Style, shelves: Shelves, settings: Settings) -> None:
        self.style = style
        self.shelves = shelves
        self.settings = settings

    def __call__(self, call: Call) -> Answer:
        """Answer a request below the root."""
        path = call.route.removeprefix(self.style.root).strip("/").split("/")
        pages: dict[str, Callable[[Call], Answer]] = {
            "": self._landing, "conformance": lambda _: reply({"conformsTo": self._conformance()}),
            "search": self._search,
        }  # fmt: skip
        try:
            if path[0] == "collections":
                return self._collections(call, path[1:])
            return pages[path[0]](call) if path[0] in pages else self._not_found(call.route)
        except WrongQueryError as error:
            return reply({"code": "RequestValidationError", "description": str(error)}, 400)

    def _base(self, call: Call) -> str:
        """Return the address of the root as the client calls it."""
        return call.origin + self.style.root

    def _conformance(self) -> list[str]:
        """Return the conformance classes."""
        return CONFORMS + (QUERY if self.style.paging != "context" else [])

    def _not_found(self, what: str) -> Answer:
        """Return 404."""
        return reply({"code": "NotFoundError", "description": f"{what} does not exist."}, 404)

    def _landing(self, call: Call) -> Answer:
        """Return the landing page."""
        base = self._base(call)
        links = [
            {"rel": "self", "href": base, "type": "application/json"},
            {"rel": "root", "href": base, "type": "application/json"},
            {"rel": "data", "href": f"{base}/collections", "type": "application/json"},
            {"rel": "conformance", "href": f"{base}/conformance", "type": "application/json"},
            {"rel": "search", "href": f"{base}/search", "type": "application/geo+json", "method": "GET"},
            {"rel": "search", "href": f"{base}/search", "type": "application/geo+json", "method": "POST"},
        ]
        links += [{"rel": "child", "href": f"{base}/collections/{name}"} for name in self.shelves]
        return reply({"type": "Catalog", "id": self.style.name, "stac_version": self.style.version, "links": links,
                      "description": "Local stand-in", "conformsTo": self._conformance()})  # fmt: skip

    def _collection(self, call: Call, name: str) -> dict[str, Any]:
        """Return a collection's description."""
        base = self._base(call)
        home = f"{base}/collections/{name}"
        links = [{"rel": "self", "href": home}, {"rel": "root", "href": base},
                 {"rel": "items", "href": f"{home}/items", "type": "application/geo+json"}]  # fmt: skip
        extent = {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2014-10-03T00:00:00Z", None]]},
        }
        return {"type": "Collection", "id": name, "stac_version": self.style.version, "description": name,
                "license": "proprietary", "extent": extent, "links": links}  # fmt: skip

    def _collections(self, call: Call, path: list[str]) -> Answer:
        """Answer below /collections."""
        if not path:
            found = [self._collection(call, name) for name in self.shelves]
            return reply({"collections": found, "links": []})
        name, *rest = path
        if name not in self.shelves:
            return self._not_found(f"Collection {name}")
        if not rest:
            return reply(self._collection(call, name))
        if rest == ["queryables"]:
            return reply({"type": "object", "properties": {"eo:cloud_cover": {"type": "number"}}})
        if rest == ["items"]:
            return self._page(call, {**call.query, "collections": [name]} | _asked(call))
        named = [one for one in self.shelves[name] if [one["id"]] == rest[1:]]
        return reply(self._linked(call, named[0]), kind="application/geo+json") if named else self._not_found(rest[-1])

    def _linked(self, call: Call, item: Item) -> Item:
        """Return an item with its links."""
        base = self._base(call)
        home = f"{base}/collections/{item['collection']}"
        links = [{"rel": "self", "href": f"{home}/items/{item['id']}", "type": "application/geo+json"},
                 {"rel": "collection", "href": home}, {"rel": "parent", "href": home},
                 {"rel": "root", "href": base}]  # fmt: skip
        return {**item, "links": links}

    def _search(self, call: Call) -> Answer:
        """Answer a search."""
        return self._page(call, _asked(call))

    def _fitting(self, asked: dict[str, Any]) -> list[Item]:
        """Return all items that a search means, newest first."""
        tests = tests_of(asked)
        names = asked.get("collections") or list(self.shelves)
        items = [item for name in names for item in self.shelves.get(name, []) if all(test(item) for test in tests)]
        order = asked.get("sortby")
        newest = not (isinstance(order, list) and order and order[0].get("direction") == "asc")
        return sorted(items, key=lambda one: (one["properties"]["datetime"], one["id"]), reverse=newest)

    def _page(self, call: Call, asked: dict[str, Any]) -> Answer:
        """Return one page of a search."""
        limit = int(asked.get("limit") or self.style.limit)
        if limit > self.style.most:
            return self._over_limit(limit)
        limit = min(limit, self.settings.page_limit.get(self.style.name, limit))
        items, wrong = self._fitting(asked), self.settings.paging.get(self.style.name, "plain")
        start = _start(items, asked, self.style.paging)
        if wrong == "duplicates" and start:
            start -= 1
        page, behind = items[start : start + limit], start + limit
        empty = wrong == "empty-page" and start == limit and not _is_passed(asked)
        if empty:
            page, behind = [], start
        more = behind < len(items) or (wrong == "loop" and bool(page))
        content: dict[str, Any] = {
            "type": "FeatureCollection", "features": [self._shown(call, item, asked) for item in page],
            "links": [{"rel": "self", "href": f"{self._base(call)}/search"}],
        }  # fmt: skip
        count = len(items) + (wrong == "short")
        told: dict[str, Any] = {"limit": limit, "returned": len(page)}
        if self.style.counts:
            content |= {"numberMatched": count, "numberReturned": len(page)}
            told["matched"] = count
        if more:
            following = start if wrong == "loop" and start else behind
            mark = _mark(items, following, page, self.style.paging)
            mark = _passed(mark) if empty else mark
            content["links"].append(self._next(call, asked, mark))
            told["next"] = mark
        if self.style.paging == "context":
            content["context"] = {key: value for key, value in told.items() if key != "matched"}
        elif self.style.counts:
            content["context"] = {key: told[key] for key in ("limit", "matched", "returned")}
        return reply(content, kind="application/geo+json")

    def _over_limit(self, limit: int) -> Answer:
        """Return what the catalogue says to a page that is too large."""
        if self.style.too_many == 502:
            return reply({"message": "Internal server error"}, 502)
        text = f"limit {limit} is over {self.style.most}"
        return reply({"code": self.style.too_many, "description": text}, self.style.too_many)

    def _shown(self, call: Call, item: Item, asked: dict[str, Any]) -> Item:
        """Return an item as a page shows it."""
        return trimmed(self._linked(call, item), asked.get("fields"))

    def _next(self, call: Call, asked: dict[str, Any], mark: Any) -> dict[str, Any]:
        """Return the link to the next page."""
        href = f"{self._base(call)}/search"
        href = FOREIGN.get(self.settings.paging.get(self.style.name, ""), href)
        name = "token" if self.style.paging == "token" else "next"
        new = {name: mark}
        link: dict[str, Any] = {"rel": "next", "type": "application/geo+json", "href": href}
        if call.method == "GET":
            return link | {"method": "GET", "href": f"{href}?{urlencode({**call.query, **new})}"}
        return link | {"method": "POST", "merge": self.style.merge, "body": new if self.style.merge else asked | new}


BEYOND = 1_000_000
"""Added to a place in a list, or "+" to a name: the mark that follows an empty page."""


def _passed(mark: Any) -> Any:
    """Return a mark that leads to the same place, past the empty page."""
    return mark + BEYOND if isinstance(mark, int) else f"{mark}+"


def _is_passed(asked: dict[str, Any]) -> bool:
    """Return whether a mark leads past the empty page."""
    mark = asked.get("next") or asked.get("token") or ""
    return f"{mark}".endswith("+") or (f"{mark}".isdecimal() and int(mark) >= BEYOND)


def _key(item: Item) -> str:
    """Return Earth Search's mark of an item."""
    return f"{item['properties']['datetime']},{item['id']},{item['collection']}"


def _mark(items: list[Item], following: int, page: list[Item], paging: str) -> Any:
    """Return what the next link holds: the last item given, or the place in the list."""
    if paging == "context":
        return following
    last = items[following - 1] if following else page[-1]
    return _key(last) if paging == "next" else f"next:{last['collection']}:{last['id']}"


def _start(items: list[Item], asked: dict[str, Any], paging: str) -> int:
    """Return the place of a page's first item."""
    if paging == "context":
        return int(asked.get("next") or 0) % BEYOND
    if paging == "next":
        known = [_key(item) for item in items]
        mark = asked.get("next")
    else:
        known = [f"next:{item['collection']}:{item['id']}" for item in items]
        mark = asked.get("token")
    if not mark:
        return 0
    if mark.removesuffix("+") not in known:
        message = f"invalid page {mark!r}"
        raise WrongQueryError(message)
    return known.index(mark.removesuffix("+")) + 1
