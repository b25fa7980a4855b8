"""Time stamps after RFC 3161: a server that the user names signs that a file with this SHA-256 existed at a time.

What is checked here: that the answer grants a time stamp, that it is for this very file, that it answers this very
request (its nonce), and which time it states. What is **not** checked is the server's signature and whether its
certificate deserves trust: that is for `openssl ts -verify`, with the certificates that the server publishes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from imagery.addresses import parse_origin
from imagery.errors import BadAnswerError
from imagery.exchange import Hosts, Request, Response
from revisit import der
from revisit.der import DerError, Element
from revisit.errors import UsageError

SUFFIX = ".tsr"
SHA256 = "2.16.840.1.101.3.4.2.1"
SIGNED_DATA = "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
GRANTED = (0, 1)
"""PKIStatus: granted; granted with modifications."""
MOST_BYTES = 256 << 10
"""A time stamp has some kilobytes, with its certificates."""
NONCE_BITS = 63
ASKED, ANSWERED = "application/timestamp-query", "application/timestamp-reply"
MOMENT = re.compile(rb"(\d{14})(?:\.\d{1,9})?Z")

Send = Callable[[Request], Response]


@dataclass(frozen=True, kw_only=True)
class TimeStamp:
    """What a time stamp says, its signature apart."""

    sha256: str
    """Of the file that it is for."""
    moment: datetime
    """UTC, as the server states it."""
    nonce: int | None


def _imprint(digest: bytes) -> bytes:
    """Return the MessageImprint of a SHA-256."""
    return der.encode(
        der.SEQUENCE, der.encode(der.SEQUENCE, der.oid(SHA256), der.NULL), der.encode(der.OCTET_STRING, digest)
    )


def query(digest: bytes, nonce: int) -> bytes:
    """Return a TimeStampReq (RFC 3161, 2.4.1) for a SHA-256, which asks for the server's certificate as well."""
    return der.encode(
        der.SEQUENCE, der.integer(1), _imprint(digest), der.integer(nonce), der.encode(der.BOOLEAN, der.TRUE)
    )


def _is(element: Element, dotted: str) -> bool:
    """Return whether an element is an object identifier."""
    return der.encode(element.tag, element.content) == der.oid(dotted)


def _info(token: Element) -> list[Element]:
    """Return the fields of the TSTInfo within a ContentInfo of SignedData (RFC 5652, 5.1)."""
    kind, wrapped = der.elements(token.of(der.SEQUENCE, "the token").content)
    if not _is(kind, SIGNED_DATA):
        raise DerError("the token is no signed data")
    signed = der.only(wrapped.of(der.EXPLICIT_0, "the signed data").content, der.SEQUENCE, "the signed data")
    kind, wrapped = der.elements(signed[2].of(der.SEQUENCE, "the signed content").content)
    if not _is(kind, TST_INFO):
        raise DerError("what was signed is no time stamp")
    (octets,) = der.elements(wrapped.of(der.EXPLICIT_0, "the time stamp").content)
    return der.only(octets.of(der.OCTET_STRING, "the time stamp").content, der.SEQUENCE, "the time stamp")


def _digest(imprint: Element) -> bytes:
    """Return the SHA-256 of a MessageImprint, refusing other hashes."""
    algorithm, value = der.elements(imprint.of(der.SEQUENCE, "the imprint").content)
    name = next(der.elements(algorithm.of(der.SEQUENCE, "the hash").content))
    if not _is(name, SHA256) or len(value.of(der.OCTET_STRING, "the hash").content) != hashlib.sha256().digest_size:
        raise DerError("the time stamp is not for a SHA-256")
    return value.content


def _read(content: bytes) -> TimeStamp:
    """Return what a TimeStampResp says; any error but DerError is of one of its shapes."""
    status, *token = der.only(content, der.SEQUENCE, "the answer")
    code = der.number_of(next(der.elements(status.of(der.SEQUENCE, "the status").content)), "the status")
    if code not in GRANTED:
        raise DerError(f"the server refused (status {code})")
    (body,) = token
    _, _, imprint, _, moment, *rest = _info(body)
    written = MOMENT.fullmatch(moment.of(der.TIME, "the time").content)
    if not written:
        raise DerError("the time is not written as RFC 3161 asks")
    nonce = next((one for one in rest if one.tag == der.INTEGER), None)
    return TimeStamp(
        sha256=_digest(imprint).hex(),
        moment=datetime.strptime(written[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC),
        nonce=None if nonce is None else der.number_of(nonce, "the nonce"),
    )


def read_stamp(content: bytes) -> TimeStamp:
    """Return what a TimeStampResp (RFC 3161, 2.4.2) says.

    Raises
    ------
    DerError
        Where it is none, or grants nothing.
    """
    if len(content) > MOST_BYTES:
        raise DerError(f"more than {MOST_BYTES} bytes are no time stamp")
    try:
        return _read(content)
    except DerError:
        raise
    except (ValueError, IndexError, StopIteration) as error:
        raise DerError(f"the answer is no time stamp: {error}") from error


def stamp_file(file: Path, url: str, *, send: Send) -> TimeStamp:
    """Ask a server for a time stamp of a file, and leave its answer beside it as FILE.tsr.

    Parameters
    ----------
    file
        Such as an evidence pack. Only its SHA-256 is sent.
    url
        Of the server, as the user gave it: https, or http on this machine.
    send
        Of a client.

    Raises
    ------
    imagery.errors.SourceError
        Where the server failed, or its answer is not for this file and this request; nothing is left then.
    """
    digest, nonce = hashlib.sha256(file.read_bytes()).digest(), secrets.randbits(NONCE_BITS)

    def check(response: Response) -> None:
        try:
            found = read_stamp(response.content)
        except DerError as error:
            raise BadAnswerError(f"answers with no time stamp that can be used: {error}") from error
        if found.sha256 != digest.hex():
            raise BadAnswerError("answers with a time stamp for another file")
        if found.nonce != nonce:
            raise BadAnswerError("answers with a time stamp for another request")

    request = Request(
        url=url,
        hosts=Hosts(suffixes=(), configured=(str(parse_origin(url)),)),
        method="POST",
        content=query(digest, nonce),
        headers={"Content-Type": ASKED, "Accept": ANSWERED},
        most_bytes=MOST_BYTES,
        check=check,
    )
    answer = send(request)
    file.with_name(file.name + SUFFIX).write_bytes(answer.content)
    return read_stamp(answer.content)


def check_stamp(file: Path, sha256: str) -> TimeStamp | None:
    """Return the time stamp beside a file; None where there is none.

    Raises
    ------
    UsageError
        Where what lies there is no time stamp, or is one for another file.
    """
    beside = file.with_name(file.name + SUFFIX)
    if not beside.is_file():
        return None
    try:
        with beside.open("rb") as opened:
            found = read_stamp(opened.read(MOST_BYTES + 1))
    except (OSError, DerError) as error:
        raise UsageError(f"{beside} is no time stamp: {error}") from error
    if found.sha256 != sha256:
        raise UsageError(f"{beside} is a time stamp for another file: it names the SHA-256 {found.sha256}")
    return found
