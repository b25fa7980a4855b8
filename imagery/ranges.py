"""Byte ranges of one version of a remote file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple, Protocol, TypeVar

from imagery.errors import BadAnswerError, ChangedError, RefusedFileError
from imagery.exchange import MIB, Request, Response
from imagery.pieces import MissingBytesError, Pieces, Span

HEAD_BYTES = 8 << 10
"""Asked for first. GDAL's cloud-optimised layout of a Sentinel-2 band of 10 m keeps its directories within 2.7 kB with
blocks of 1024 px and 6.7 kB with blocks of 512 (measured). What lies beyond is asked for in ever larger parts."""
MOST_HEADER_REQUESTS = 16
"""Further places in which directories and tables of blocks may lie."""
HEAD_KEPT = timedelta(hours=24)
"""How long the first bytes serve without asking whether the object is still the same."""
RANGE_KEPT = timedelta(days=60)
"""How long ranges of a certain version serve: they cannot become wrong."""
PARALLEL = 4
"""What is asked for at once; the client has its own limit for each host."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
T = TypeVar("T")
R = TypeVar("R")


class Sender(Protocol):
    """What sends requests, such as `imagery.http.Client`."""

    def send(self, request: Request) -> Response:
        """Return a complete answer."""


class Identity(NamedTuple):
    """What tells one version of an object from another."""

    size: int
    """Bytes."""
    etag: str | None
    modified: str | None
    """Last-Modified, as sent."""

    def differs(self, other: Identity) -> bool:
        """Return whether two answers tell of different versions; what one of them does not tell proves nothing."""
        told = [pair for pair in ((self.etag, other.etag), (self.modified, other.modified)) if all(pair)]
        return self.size != other.size or any(one != another for one, another in told[:1])


class RemoteFile:
    """One version of a remote file, and what of it is here."""

    def __init__(self, client: Sender, request: Request, *, fresh: bool) -> None:
        """Ask for the first bytes; `fresh`: of the server, whatever the cache holds.

        Raises
        ------
        NoRangeError
            Where the server sends whole files only.
        """
        self._client, self._request, self._fresh = client, request, fresh
        self._tag: str | None = None
        head = client.send(self._ranged((0, HEAD_BYTES), kept=HEAD_KEPT))
        self.version = _identity(head)
        # A weak tag (W/"...") promises the same meaning, not the same bytes.
        self._tag = self.version.etag if self.version.etag and self.version.etag.startswith('"') else None
        self.pieces = Pieces(self.size)
        """What is here of it."""
        self.pieces.add(0, head.content)

    @property
    def size(self) -> int:
        """Of the whole file, bytes."""
        return self.version.size

    def _ranged(self, span: Span, *, kept: timedelta) -> Request:
        return replace(
            self._request,
            span=span,
            version=self._tag,
            keep=timedelta(0) if self._fresh else max(kept, self._request.keep or kept),
            check=lambda response: _check_range(response, span),
            most_bytes=span[1],
        )

    def take(self, spans: Sequence[Span]) -> None:
        """Fetch ranges, several at once.

        Raises
        ------
        ChangedError
            Where the object is no longer the one that was begun with.
        """
        kept = RANGE_KEPT if self._tag else HEAD_KEPT
        answers = in_parallel(lambda span: self._client.send(self._ranged(span, kept=kept)), spans)
        for span, answer in zip(spans, answers, strict=True):
            if self.version.differs(_identity(answer)):
                raise ChangedError(f"{answer.url} changed on its server while it was read; run the command again")
            self.pieces.add(span[0], answer.content)

    def with_bytes(self, action: Callable[[], T]) -> T:
        """Return what `action` returns once all bytes are here that it finds missing.

        Raises
        ------
        RefusedFileError
            Where they lie in too many places.
        """
        for attempt in range(MOST_HEADER_REQUESTS):
            try:
                return action()
            except MissingBytesError as missing:
                self.take([self._chunk(missing.span, min(HEAD_BYTES << attempt, MIB))])
        raise RefusedFileError(f"its directories lie in more than {MOST_HEADER_REQUESTS} places")

    def _chunk(self, span: Span, least: int) -> Span:
        """Return a span with what follows it; at the end of the file with what comes before it instead."""
        count = min(max(span[1], least), self.size)
        start = min(span[0], self.size - count)
        return start, count


def _check_range(response: Response, span: Span) -> None:
    """Refuse a part that is not the one that was asked for, up to the end of the file."""
    first, last, size = _told_range(response)
    if first != span[0] or last - first + 1 != len(response.content) or last != min(sum(span), size) - 1:
        told = f"bytes {first} to {last} of {size} and {len(response.content)} bytes came"
        raise BadAnswerError(f"{response.url}: {span[1]} bytes from {span[0]} on were asked for; {told}")


def _told_range(response: Response) -> tuple[int, int, int]:
    """Return first byte, last byte and size of the whole as the answer tells them."""
    told = response.headers.get("content-range", "")
    found = _CONTENT_RANGE.fullmatch(told.strip())
    if not found:
        raise BadAnswerError(f"{response.url}: a range was asked for, and the answer says {told[:60]!r} of its place")
    first, last, size = map(int, found.groups())
    return first, last, size


def _identity(response: Response) -> Identity:
    return Identity(_told_range(response)[2], response.headers.get("etag"), response.headers.get("last-modified"))


def in_parallel(action: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return what `action` returns for each item, in order; after a failure nothing more is begun."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        futures = [pool.submit(action, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
