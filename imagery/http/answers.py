"""What the head and the body of an answer mean: pure functions."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from imagery.documents import parse_json
from imagery.errors import (
    BadAnswerError,
    ChangedError,
    CredentialsError,
    GoneError,
    ImageryError,
    NoRangeError,
    RateLimitedError,
    RefusedFileError,
    SourceError,
)
from imagery.exchange import Request
from imagery.redact import one_line, redact
from imagery.retry import asked_wait_s

Kind = Literal["unreachable", "busy", "failed", "signature"]
REDIRECTS = frozenset({301, 302, 303, 307, 308})
NEVER_FITS = "RATE_LIMIT_TOKEN_COUNT_EXCEEDS_CAPACITY"
"""Sentinel Hub's word for a single request that costs more than its limit ever allows: waiting does not help."""

_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_DROPPED = frozenset({"set-cookie", "set-cookie2", "content-encoding", "content-length", "transfer-encoding"})


@dataclass(frozen=True, kw_only=True)
class Setback:
    """A failure after which the same request is worth another try."""

    text: str
    """What happened, to follow the host's name and a colon."""
    error: type[ImageryError]
    """Raised where all tries ended like this."""
    kind: Kind = "failed"
    """No connection; told to wait; anything else; or a signature that has to be a new one."""
    asked_s: float | None = None
    """The wait that the server asked for, seconds."""
    crowded: bool = False
    """Whether the host has too much to do."""


def refused_head(request: Request, status: int, headers: Mapping[str, str]) -> ImageryError | Setback | None:
    """Return what is wrong with the head of a 2xx answer, before any of its body is read; None where nothing is."""
    if request.span is not None and status == 200:
        return NoRangeError("sends the whole file where a part of it was asked for")
    if (status == 206) != (request.span is not None):
        return _bad(f"answered {status} to a request {'without' if request.span is None else 'with'} a range")
    if request.version is not None:
        tag = headers.get("etag")
        if tag is None:
            return _bad("does not say any more which version of the object it sends (no ETag)")
        if tag != request.version:
            return ChangedError(f"the object is no longer the one that was begun with (ETag {tag}, {request.version})")
    return None


def length_of_part(span: tuple[int, int], headers: Mapping[str, str]) -> int | None:
    """Return how many bytes the body of a 206 answer must have; None where it is not the part that was asked for.

    A part may be shorter than asked for where the object ends (RFC 9110, section 15.3.7).
    """
    told = _RANGE.fullmatch(headers.get("content-range", "").strip())
    if not told:
        return None
    first, last = int(told[1]), int(told[2])
    ends = [span[0] + span[1] - 1] + ([] if told[3] == "*" else [int(told[3]) - 1])
    right = first == span[0] and first <= last and (last == min(ends) if told[3] != "*" else last <= ends[0])
    return last - first + 1 if right else None


def cap_of(request: Request, headers: Mapping[str, str]) -> int | Setback | BadAnswerError:
    """Return how many bytes the body of a 2xx answer may have, or what is wrong with what its head says of it."""
    told = headers.get("content-length", "")
    length = int(told) if told.isascii() and told.isdigit() else None
    if request.span is None:
        return too_long(request.most_bytes) if length and length > request.most_bytes else request.most_bytes
    part = length_of_part(request.span, headers)
    if part is None:
        return _bad(f"sent another part than was asked for ({one_line(headers.get('content-range', ''), most=60)!r})")
    if length not in (None, part) and request.method != "HEAD":
        return _bad(f"announced {length:,} bytes for a part of {part:,}")
    return too_long(request.most_bytes) if part > request.most_bytes else part


def shows_its_end(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether one can tell that the body of an answer is all of it.

    Where its length is told, or it comes in chunks, reading it has shown that. Otherwise the end of the connection is
    all there is, and a connection that broke looks the same, even one that broke within the head: such an answer counts
    only where its form has an end of its own, as a packed one has and JSON.
    """
    told = headers.get("content-length", "").isdigit() or "chunked" in headers.get("transfer-encoding", "").lower()
    if told or "gzip" in headers.get("content-encoding", "").lower():
        return True
    try:
        return "json" in headers.get("content-type", "").lower() and parse_json(body) is not None
    except RefusedFileError:
        return False


def processing_units(headers: Mapping[str, str]) -> float:
    """Return what Sentinel Hub says that an answer cost; 0 where it says nothing, or nonsense."""
    told = headers.get("x-processingunits-spent", "")
    return float(told) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,12})?", told) else 0.0


def judge_status(
    request: Request, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> ImageryError | Setback:
    """Return what a status other than 2xx means.

    Parameters
    ----------
    request
        What was asked.
    status
        Of the answer; 401 and 403 are final here: signing once more is the caller's matter.
    headers
        Names in lower case.
    body
        Its beginning: the server's own words are taken from it.
    now
        By this machine's clock.
    """
    words = server_words(body)
    said = f"answered {status}" + (f" ({words})" if words else "")
    asked_s = asked_wait_s(headers, milliseconds=request.retry_after_ms, now=now)
    if status == 429 and NEVER_FITS.encode() in body:
        return RateLimitedError(f"{said}: this one request costs more than its limit ever allows; ask for less")
    if status == 429:
        return Setback(text=said, error=RateLimitedError, kind="busy", asked_s=asked_s, crowded=True)
    if status == 408 or status >= 500:
        return Setback(text=said, error=BadAnswerError, asked_s=asked_s, crowded=status == 503)
    return _final(status, said, signed=request.sign is not None)


def _final(status: int, said: str, *, signed: bool) -> ImageryError:
    """Return the error for a status that another try does not change."""
    if status == 401 and signed:
        return CredentialsError(f"{said}: it does not take the credentials; check them, or make new ones")
    if status == 401:
        return CredentialsError(f"{said}: it asks for an account; give its credentials, or use another source")
    if status == 403:
        return SourceError(f"{said}: access is refused; a quota may be used up, or the object be closed")
    if status in (404, 410):
        return GoneError(f"{said}: the object is not there; search again, since catalogues name what was moved")
    return SourceError(f"{said}: it does not take this request")


def server_words(body: bytes) -> str:
    """Return what a server says about an error: one short line without secrets, empty where it says nothing.

    Understood are the JSON of Sentinel Hub, Copernicus Data Space and OAuth, the XML of Azure and S3, the title of a
    page in HTML, and plain text.
    """
    text = body.decode("utf-8", errors="replace").strip()
    return one_line(_from_json(text) or _from_markup(text) or text, most=200)


def _from_json(text: str) -> str:
    try:
        told = json.loads(text) if text.startswith(("{", "[")) else None
    except (ValueError, RecursionError):
        return ""
    return _sayings(told)


def _sayings(told: Any) -> str:
    """Return code and message of an error in JSON, wherever the server puts them."""
    if not isinstance(told, dict):
        return ""
    if isinstance(told.get("error"), dict):
        return _sayings(told["error"])
    parts = [told.get(name) for name in ("code", "error", "message", "error_description", "description", "detail")]
    return ": ".join(dict.fromkeys(str(part) for part in parts if isinstance(part, str) and part))


def _from_markup(text: str) -> str:
    if not text.startswith("<"):
        return ""
    found = [re.search(rf"<{tag}[^>]*>([^<]+)</{tag}>", text, re.IGNORECASE) for tag in ("Code", "Message", "title")]
    return ": ".join(match[1].strip() for match in found if match) or "a page in HTML or XML"


def decoded(body: bytes, headers: Mapping[str, str], *, most: int) -> bytes | Setback | ImageryError:
    """Return a body as the server meant it: unpacked where it was sent packed (gzip), up to `most` bytes."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        return _bad(f"sent its answer packed as {encoding[:20]!r}, which was not asked for")
    unpacking = zlib.decompressobj(wbits=31)
    try:
        content = unpacking.decompress(body, most + 1)
    except zlib.error:
        return _bad("sent an answer that cannot be unpacked (gzip)")
    if len(content) > most:
        return too_long(most)
    return content if unpacking.eof else _bad("cut its packed answer short")


def too_long(most: int) -> BadAnswerError:
    """Return the error for an answer over its cap: asking again would bring the same."""
    return BadAnswerError(f"sent more than the {most:,} bytes that such an answer may have")


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that go into a `Response`: without cookies, secrets, and what described the packing."""
    return {name: redact(value) for name, value in headers.items() if name not in _DROPPED}


def _bad(text: str) -> Setback:
    return Setback(text=text, error=BadAnswerError)
