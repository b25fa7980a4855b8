"""The few parts of DER (ITU-T X.690) that a time stamp needs: strict, bounded, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

BOOLEAN, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, TIME = 0x01, 0x02, 0x04, 0x06, 0x30, 0x31, 0x18
EXPLICIT_0 = 0xA0
"""Context tag 0, constructed."""
NULL = b"\x05\x00"
MOST_LENGTH_BYTES = 4
TRUE = b"\xff"


class DerError(ValueError):
    """Bytes that are no DER, or not the DER that is expected."""


@dataclass(frozen=True, kw_only=True)
class Element:
    """One value with its tag."""

    tag: int
    content: bytes

    def of(self, tag: int, what: str) -> Element:
        """Return the element itself, refusing another tag."""
        if self.tag != tag:
            raise DerError(f"{what} has the tag 0x{self.tag:02x}, not 0x{tag:02x}")
        return self


def encode(tag: int, *parts: bytes) -> bytes:
    """Return one element of these parts."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def integer(value: int) -> bytes:
    """Return a whole number of 0 or more, with room for its sign."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """Return an object identifier such as "2.16.840.1.101.3.4.2.1"."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    out = bytearray()
    for arc in (40 * first + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        out += bytes(reversed(septets))
    return encode(OID, bytes(out))


def number_of(element: Element, what: str) -> int:
    """Return the whole number that an element holds."""
    content = element.of(INTEGER, what).content
    if not content or len(content) > 64:
        raise DerError(f"{what} is no number of a usual size")
    return int.from_bytes(content, "big", signed=True)


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return (length, where the content begins) of the length field at `at`."""
    if at >= len(data):
        raise DerError("it ends before a length")
    first = data[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    octets = data[at + 1 : at + 1 + count]
    if not 0 < count <= MOST_LENGTH_BYTES or len(octets) != count:
        raise DerError("a length is indefinite, cut short or too long")
    size = int.from_bytes(octets, "big")
    if size < 0x80 or octets[0] == 0:
        raise DerError("a length is not written in the shortest form")
    return size, at + 1 + count


def elements(data: bytes) -> Iterator[Element]:
    """Yield the elements that follow each other in bytes, to their end.

    Raises
    ------
    DerError
        Where the bytes are no DER, or anything is left over.
    """
    at = 0
    while at < len(data):
        tag = data[at]
        if tag & 0x1F == 0x1F:
            raise DerError("a tag of several bytes, which no time stamp has")
        size, begin = _length(data, at + 1)
        if begin + size > len(data):
            raise DerError("an element is longer than what holds it")
        yield Element(tag=tag, content=data[begin : begin + size])
        at = begin + size


def only(data: bytes, tag: int, what: str) -> list[Element]:
    """Return what the one element that fills `data` holds, of that tag."""
    found = list(elements(data))
    if len(found) != 1:
        raise DerError(f"{what} is not one element")
    return list(elements(found[0].of(tag, what).content))
