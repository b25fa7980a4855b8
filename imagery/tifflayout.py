"""Where the blocks of a TIFF lie, read from a few bytes of it.

Only what says where things are is read here, within caps, from whatever bytes are at hand; what lacks is named, so that
the caller can fetch it. What the file means is left to GDAL. TIFF 6.0 and BigTIFF; our own reader because one made for
whole files swallows a short read, and then misses a directory without a word.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagery.errors import ImageryError, RefusedFileError
from imagery.opening import MAX_PIXELS
from imagery.pieces import Pieces, Span

Area = tuple[int, int, int, int]
"""First row, first column, row and column after the last: pixels of one image."""

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value, by the number of its type."""
CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""`struct` codes of the types of whole numbers."""
TABLES = (273, 279, 324, 325)
"""Tags that hold an entry per block: offsets and byte counts of strips, then of tiles."""
MAX_ENTRIES = 512
"""Of one directory; real ones have about thirty."""
MAX_IMAGES = 64
"""Directories of one file: the image, its overviews and their masks."""
MAX_HEADER_BYTES = 4 << 20
"""Of all values but the tables of blocks."""
BLOCK_SLACK = 1 << 16
"""Bytes that a block may have over twice what it decodes to; no compression makes more of it."""


class UnplannedFileError(ImageryError):
    """A TIFF in order, but laid out such that only the whole of it is of use."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One entry of a directory: where its values lie."""

    kind: int
    """The number of its type."""
    count: int
    position: int
    """Of the first value in the file."""

    @property
    def span(self) -> Span:
        """The bytes of its values."""
        return self.position, self.count * SIZES[self.kind]


@dataclass(frozen=True, kw_only=True)
class Image:
    """One directory: an image, an overview of it, or a mask."""

    width: int
    height: int
    block_shape: tuple[int, int]
    """(rows, cols); a strip is as wide as the image."""
    planes: int
    """How often all blocks come: the bands where each is stored by itself, else 1."""
    block_bytes: int
    """What one block decodes to."""
    reduced: bool
    """An overview."""
    mask: bool
    offsets: Field
    counts: Field

    @property
    def blocks_across(self) -> tuple[int, int]:
        """(rows, cols) of blocks."""
        rows, cols = self.block_shape
        return math.ceil(self.height / rows), math.ceil(self.width / cols)

    @property
    def all(self) -> Area:
        """All its pixels."""
        return 0, 0, self.height, self.width

    def blocks(self, area: Area) -> list[int]:
        """Return the numbers of the blocks that hold any pixel of an area, all bands."""
        top, left, bottom, right = max(area[0], 0), max(area[1], 0), min(area[2], self.height), min(area[3], self.width)
        if top >= bottom or left >= right:
            return []
        (rows, cols), (down, across) = self.block_shape, self.blocks_across
        return [
            (plane * down + row) * across + col
            for plane in range(self.planes)
            for row in range(top // rows, (bottom - 1) // rows + 1)
            for col in range(left // cols, (right - 1) // cols + 1)
        ]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """All directories of a TIFF."""

    order: str
    """Of bytes, as `struct` writes it: "<" or ">"."""
    images: tuple[Image, ...]
    """In the order of the file; the first one is the image itself."""

    def mask_of(self, image: Image) -> Image | None:
        """Return the mask that belongs to an image: the first one of its size and level."""
        fits = (
            (one.width, one.height, one.reduced) == (image.width, image.height, image.reduced) for one in self.images
        )
        return next((one for one, fit in zip(self.images, fits, strict=True) if fit and one.mask), None)


def read_layout(pieces: Pieces) -> Layout:
    """Return where the blocks of a TIFF lie.

    Every value that a reader of the file will look at is asked for on the way, but for the tables of its blocks.

    Raises
    ------
    MissingBytesError
        Where bytes are needed that are not at hand: add them, and call again.
    RefusedFileError
        Where the file contradicts itself or declares more than the caps of this module.
    UnplannedFileError
        Where it must be read as a whole.
    """
    order, big = _byte_order(pieces)
    first = struct.unpack(order + "Q", pieces.read(8, 8)) if big else struct.unpack(order + "I", pieces.read(4, 4))
    waiting, seen, images, room = [first[0]], set[int](), list[Image](), MAX_HEADER_BYTES
    while waiting:
        position = waiting.pop(0)
        if not position:
            continue
        if position in seen or len(seen) >= MAX_IMAGES:
            raise RefusedFileError(f"its directories form a circle, or are more than {MAX_IMAGES}")
        seen.add(position)
        fields, following = _directory(pieces, position, order=order, big=big)
        room -= sum(field.span[1] for tag, field in fields.items() if tag not in TABLES)
        if room < 0:
            raise RefusedFileError(f"its directories hold more than {MAX_HEADER_BYTES:,} bytes")
        reader = _Values(pieces, order, fields)
        reader.fetch_all()
        images.append(_image(reader))
        waiting += [following, *reader.several(330)]
    if not images:
        raise RefusedFileError("it has no directory")
    return Layout(order=order, images=tuple(images))


def _byte_order(pieces: Pieces) -> tuple[str, bool]:
    """Return the order of bytes as `struct` writes it, and whether it is a BigTIFF."""
    head = pieces.read(0, 8)
    orders = {b"II": "<", b"MM": ">"}
    if head[:2] not in orders:
        raise RefusedFileError(f"begins with {head!r}, which is no TIFF")
    order = orders[head[:2]]
    number, size, zero = struct.unpack(order + "HHH", head[2:])
    if number == 42:
        return order, False
    if (number, size, zero) == (43, 8, 0):
        return order, True
    raise RefusedFileError(f"begins with {head!r}, which is no TIFF")


def _directory(pieces: Pieces, position: int, *, order: str, big: bool) -> tuple[dict[int, Field], int]:
    """Return the entries of a directory by tag, and where the next directory lies (0: nowhere)."""
    head, entry, link = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
    room = struct.calcsize(link)
    (count,) = struct.unpack(order + head, pieces.read(position, struct.calcsize(head)))
    if not 1 <= count <= MAX_ENTRIES:
        raise RefusedFileError(f"a directory has {count:,} entries; 1 to {MAX_ENTRIES} are accepted")
    start, size = position + struct.calcsize(head), struct.calcsize(order + entry) + room
    content = pieces.read(start, count * size + room)
    fields: dict[int, Field] = {}
    for index in range(count):
        tag, kind, number = struct.unpack_from(order + entry, content, index * size)
        if kind not in SIZES:
            continue
        value = start + index * size + size - room
        if number * SIZES[kind] > room:
            (value,) = struct.unpack_from(order + link, content, index * size + size - room)
        fields.setdefault(tag, Field(kind=kind, count=number, position=value))
    return fields, struct.unpack_from(order + link, content, count * size)[0]


@dataclass(frozen=True)
class _Values:
    """The values of one directory."""

    pieces: Pieces
    order: str
    fields: dict[int, Field]

    def fetch_all(self) -> None:
        """Ask for the bytes of every value but those of the tables, where only the bounds are checked."""
        for tag, field in self.fields.items():
            if tag not in TABLES:
                self.pieces.read(*field.span)
            elif sum(field.span) > self.pieces.size:
                raise RefusedFileError(f"its table of blocks ends beyond its {self.pieces.size:,} bytes")

    def several(self, tag: int) -> tuple[int, ...]:
        """Return the whole numbers of a tag; none where it is not there."""
        field = self.fields.get(tag)
        return read_numbers(self.pieces, self.order, field, range(field.count)) if field else ()

    def one(self, tag: int, default: int | None = None) -> int:
        """Return the first number of a tag."""
        found = self.several(tag)
        if not found and default is None:
            raise RefusedFileError(f"a directory lacks the tag {tag}")
        return found[0] if found else default or 0

    def table(self, tag: int, count: int) -> Field:
        """Return the table of an entry per block."""
        field = self.fields.get(tag)
        if field is None or field.kind not in CODES:
            raise RefusedFileError(f"a directory lacks the table of its blocks (tag {tag})")
        if field.count < count:
            raise RefusedFileError(f"a table has {field.count:,} entries for {count:,} blocks")
        return field


def read_numbers(pieces: Pieces, order: str, field: Field, indices: range) -> tuple[int, ...]:
    """Return the whole numbers of a field at consecutive indices."""
    if field.kind not in CODES:
        raise RefusedFileError(f"a number is stored as type {field.kind}")
    size = SIZES[field.kind]
    content = pieces.read(field.position + indices.start * size, len(indices) * size)
    return struct.unpack(f"{order}{len(indices)}{CODES[field.kind]}", content)


def _image(values: _Values) -> Image:
    width, height = values.one(256), values.one(257)
    samples, bits = values.one(277, 1), max(values.several(258) or (1,))
    planes = samples if values.one(284, 1) == 2 else 1
    tiled = 322 in values.fields
    rows, cols = (values.one(323), values.one(322)) if tiled else (min(values.one(278, height), height), width)
    if not 0 < width * height <= MAX_PIXELS or not 0 < rows * cols <= MAX_PIXELS or not 0 < samples * bits <= 1 << 16:
        raise RefusedFileError(
            f"declares {height} x {width} px in blocks of {rows} x {cols} px, {samples} x {bits} bits each; the cap is"
            f" {MAX_PIXELS:,} px"
        )
    count = planes * math.ceil(height / rows) * math.ceil(width / cols)
    kind = values.one(254, 0)
    return Image(
        width=width,
        height=height,
        block_shape=(rows, cols),
        planes=planes,
        block_bytes=math.ceil(rows * cols * bits * (samples // planes) / 8),
        reduced=bool(kind & 1),
        mask=bool(kind & 4),
        offsets=values.table(324 if tiled else 273, count),
        counts=values.table(325 if tiled else 279, count),
    )


def block_spans(pieces: Pieces, layout: Layout, image: Image, blocks: Sequence[int]) -> dict[int, Span]:
    """Return where blocks lie, by their numbers; (0, 0) for those that the file leaves out.

    Raises
    ------
    MissingBytesError
        Where the tables are not at hand.
    RefusedFileError
        Where a block would lie outside the file or be larger than any compression makes it.
    """
    result: dict[int, Span] = {}
    for run in _runs(blocks):
        offsets = read_numbers(pieces, layout.order, image.offsets, run)
        counts = read_numbers(pieces, layout.order, image.counts, run)
        result |= {block: (first, count) for block, first, count in zip(run, offsets, counts, strict=True)}
    for block, (first, count) in result.items():
        if count and (not first or first + count > pieces.size or count > 2 * image.block_bytes + BLOCK_SLACK):
            raise RefusedFileError(
                f"block {block} of {image.block_bytes:,} bytes lies at {first:,} and has {count:,} bytes; the file has"
                f" {pieces.size:,}"
            )
    return {block: span if span[1] else (0, 0) for block, span in result.items()}


def _runs(numbers: Sequence[int]) -> Iterator[range]:
    """Yield the runs of consecutive numbers."""
    first = last = None
    for number in sorted(numbers):
        if first is not None and last is not None and number > last + 1:
            yield range(first, last + 1)
            first = None
        first, last = number if first is None else first, number
    if first is not None and last is not None:
        yield range(first, last + 1)
