"""A search of a STAC catalogue over HTTP, page by page, that never takes a broken answer for an empty one.

Every page is checked for what it is. What cannot be had is said, and makes the answer incomplete: absence then proves
nothing. The links to further pages are followed as given, but never to another origin.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from imagery.addresses import same_origin
from imagery.documents import parse_json
from imagery.errors import BadAnswerError, CredentialsError, RefusedFileError, SourceError
from imagery.exchange import Hosts, Request, Response
from imagery.http.answers import server_words
from imagery.scene import Period

if TYPE_CHECKING:
    from imagery.http import Client

Json = Mapping[str, Any]
Bounds = tuple[float, float, float, float]

PAGE_ITEMS = 100
"""Earth Search fails above some 260 (the answer is then over 6 MB); others have 100 as their most."""
MOST_PAGES = 100
"""Ten thousand items; five years of every tile over an area have some two thousand."""
SETTLED_AFTER = timedelta(days=30)
"""How long after a period its catalogue may still grow: late and reprocessed products."""
KEEP_SETTLED, KEEP_FRESH = timedelta(days=7), timedelta(hours=1)
"""How long an answer about a settled period serves from the cache, and any other."""
ITEM_FIELDS = ("type", "stac_version", "id", "collection", "geometry", "bbox", "properties", "assets")
"""What we read of an item. Servers differ in what they send beside fields that are asked for, so all are named."""
_NOT_PASSED_ON = {"authorization", "content-length", "cookie", "host", "proxy-authorization", "transfer-encoding"}
"""Headers that a link may not set: they are ours, or secrets."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a search brought."""

    items: tuple[Json, ...]
    """As the catalogue wrote them, each once, in its order; not yet checked."""
    complete: bool
    """False where anything may be missing."""
    warnings: tuple[str, ...]
    """What is missing or strange, one line each."""


@dataclass(kw_only=True)
class _Progress:
    """What the pages brought so far."""

    items: dict[tuple[str, str], Json] = field(default_factory=dict)
    """By (collection, id)."""
    asked: dict[str, Request] = field(default_factory=dict)
    """Every page asked for, by its text."""
    matched: int = 0
    """How many items there are, as the catalogue says; 0 where it does not say."""
    problem: str | None = None
    """Why the search ended before its end."""
    failed: bool = False
    """Whether a page could not be had; those before it are sound."""
    repeated: int = 0
    """Items that came again on a later page."""


def search_request(
    root: str,
    *,
    hosts: Hosts,
    collections: Sequence[str],
    bounds: Bounds,
    period: Period,
    now: datetime,
    leave_out: Sequence[str] = (),
) -> Request:
    """Return the request for the first page of a search.

    Parameters
    ----------
    root
        Address of the catalogue, such as "https://earth-search.aws.element84.com/v1".
    hosts
        Where it may be.
    collections
        Names in the catalogue.
    bounds
        West, south, east, north, degrees.
    period
        Both ends included.
    now
        Decides how long the answer serves from the cache.
    leave_out
        Fields of the items that the catalogue need not send.
    """
    body: dict[str, Any] = {
        "collections": list(collections),
        "bbox": [round(value, 7) for value in bounds],
        "datetime": f"{_written(period.start)}/{_written(period.end)}",
        "limit": PAGE_ITEMS,
    }
    if leave_out:
        kept = [name for name in ITEM_FIELDS if name not in leave_out]
        body["fields"] = {"include": kept, "exclude": list(leave_out)}
    return Request(
        url=f"{root.rstrip('/')}/search",
        hosts=hosts,
        method="POST",
        body=body,
        keep=KEEP_SETTLED if period.end + SETTLED_AFTER < now else KEEP_FRESH,
        check=_check_page,
    )


def _written(moment: datetime) -> str:
    """Return a time in UTC as STAC writes it, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_page(response: Response) -> None:
    """Refuse what is no page of a search: a message with status 200 is a failure, not "nothing found".

    Raises
    ------
    BadAnswerError
        Where it is no FeatureCollection with features.
    """
    try:
        document = parse_json(response.content)
    except RefusedFileError as error:
        raise BadAnswerError(f"answered a search with something else than a page of it: {error}") from error
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        said = server_words(response.content)
        raise BadAnswerError(f"answered a search with no FeatureCollection, but with this: {said or 'nothing'}")
    if not isinstance(document.get("features"), list):
        raise BadAnswerError("answered a search with a FeatureCollection without features")


def _canonical(request: Request) -> str:
    """Return what makes a page the same page."""
    return json.dumps([request.method, request.url, request.body, dict(request.headers)], sort_keys=True)


def _take(document: Json, progress: _Progress) -> None:
    """Add the items of a page."""
    for item in document["features"]:
        named = (str(item.get("collection")), str(item.get("id"))) if isinstance(item, dict) else ("", repr(item)[:80])
        if named in progress.items:
            progress.repeated += 1
        progress.items.setdefault(named, item if isinstance(item, dict) else {})
    context = document.get("context")
    counts = [document.get("numberMatched"), context.get("matched") if isinstance(context, dict) else None]
    progress.matched = max([progress.matched, *(count for count in counts if isinstance(count, int))])


def _next_link(document: Json) -> Json | None:
    links = document.get("links")
    found = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    return next((link for link in found if link.get("rel") == "next"), None)


def _next_request(document: Json, request: Request) -> Request | None:
    """Return the request for the page after this one, as the page asks for it; None after the last.

    Raises
    ------
    BadAnswerError
        Where the link leads to another origin, or is none.
    """
    context = document.get("context")
    token = context.get("next") if isinstance(context, dict) else None
    if token is not None:
        # Sentinel Hub's catalogue counts its pages in the context; its link need not say where it leads.
        return replace(request, body={**(request.body or {}), "next": token})
    link = _next_link(document)
    if link is None:
        return None
    href, method, body, headers = (link.get(key) for key in ("href", "method", "body", "headers"))
    if not isinstance(href, str) or not same_origin(href, request.url):
        raise BadAnswerError(f"its link to the next page leads elsewhere ({str(href)[:80]!r}); not followed")
    if method not in (None, "GET", "POST") or not isinstance(body, dict | None) or not isinstance(headers, dict | None):
        raise BadAnswerError("its link to the next page makes no sense; not followed")
    posted = method == "POST"
    merged = {**(request.body or {}), **(body or {})} if link.get("merge") is True else body or {}
    return replace(
        request,
        url=href,
        method="POST" if posted else "GET",
        body=merged if posted else None,
        headers={**request.headers, **_passed_on(headers or {})},
    )


def _passed_on(headers: Json) -> dict[str, str]:
    plain = {str(name): value for name, value in headers.items() if isinstance(value, str) and value.isprintable()}
    return {name: value for name, value in plain.items() if name.lower() not in _NOT_PASSED_ON}


def _pages(client: Client, first: Request, progress: _Progress) -> Iterator[Json]:
    """Yield page after page until the last, or until one cannot be had; the reason is then in `progress`."""
    request: Request | None = first
    while request is not None:
        if _canonical(request) in progress.asked:
            progress.problem = "its pages lead back to one that was there before"
            return
        progress.asked[_canonical(request)] = request
        try:
            document = client.json(request)
            yield document
            request = _next_request(document, request)
        except (SourceError, CredentialsError) as error:
            if not progress.items and len(progress.asked) == 1:
                raise
            progress.problem, progress.failed = str(error), True
            return
        if request is not None and len(progress.asked) >= MOST_PAGES:
            progress.problem = f"it has more than {MOST_PAGES} pages"
            return


def find_items(client: Client, first: Request, *, name: str) -> Answer:
    """Return the items of all pages of a search.

    Parameters
    ----------
    client
        Asks again for what fails; its answers are complete.
    first
        From `search_request`.
    name
        Of the catalogue, for messages.

    Raises
    ------
    SourceError, CredentialsError
        Where not even the first page could be had.
    """
    progress = _Progress()
    for page in _pages(client, first, progress):
        _take(page, progress)
    warnings = []
    if progress.problem:
        warnings.append(f"{name}: the search ended after {len(progress.items)} items: {progress.problem}")
    elif len(progress.items) < progress.matched:
        warnings.append(f"{name}: says that it has {progress.matched} items, and gave {len(progress.items)}")
    complete = not warnings
    if not (complete or progress.failed):
        # Kept, such pages would tell the same part for days.
        for request in progress.asked.values():
            client.distrust(request)
    if progress.repeated:
        warnings.append(f"{name}: {progress.repeated} items came again on a later page; each is taken once")
    return Answer(items=tuple(progress.items.values()), complete=complete, warnings=tuple(warnings))
