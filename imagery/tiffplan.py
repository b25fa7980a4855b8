"""Which bytes of a remote TIFF to fetch, as a value; and the local copy in which everything else fails to be read."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagery.errors import RefusedFileError
from imagery.pieces import Pieces, Span
from imagery.tifflayout import (
    CODES,
    SIZES,
    Area,
    Field,
    Image,
    Layout,
    UnplannedFileError,
    block_spans,
)

GAP_BYTES = 1 << 16
"""Ranges that lie nearer together are fetched as one: a request costs about as much as 64 KiB do."""
LONGEST_SPAN = 8 << 20
"""Longer ranges are fetched in parts, so that an interrupted run keeps what it has."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The blocks of one image that are needed."""

    image: Image
    spans: dict[int, Span]
    """By the number of the block; (0, 0) where the file leaves it out."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which blocks of a TIFF are needed and where they lie."""

    layout: Layout
    parts: tuple[Part, ...]

    @property
    def spans(self) -> list[Span]:
        """The bytes of all blocks, in the order of the file, each once."""
        return sorted({span for part in self.parts for span in part.spans.values() if span[1]})


def plan_area(pieces: Pieces, layout: Layout, image: Image, area: Area) -> Plan:
    """Return which blocks hold an area of an image, and of its mask where it has one.

    Raises
    ------
    MissingBytesError
        Where the tables are not at hand.
    RefusedFileError
        Where blocks lie outside the file or overlap.
    """
    images = [one for one in (image, layout.mask_of(image)) if one]
    parts = tuple(Part(image=one, spans=block_spans(pieces, layout, one, one.blocks(area))) for one in images)
    plan = Plan(layout=layout, parts=parts)
    for (first, count), (following, _) in zip(plan.spans, plan.spans[1:], strict=False):
        if following < first + count:
            raise RefusedFileError(f"two blocks overlap: {count:,} bytes at {first:,}, and one at {following:,}")
    return plan


def coarsest_image(layout: Layout) -> Image:
    """Return the smallest overview of a TIFF; the image itself where it has none that brings its mask along."""
    main, *others = layout.images
    masked = layout.mask_of(main) is not None
    fit = [one for one in others if one.reduced and not one.mask and (not masked or layout.mask_of(one))]
    return min((main, *fit), key=lambda one: one.width * one.height)


def coalesce(spans: Iterable[Span], *, gap: int = GAP_BYTES, longest: int = LONGEST_SPAN) -> list[Span]:
    """Return spans that cover `spans`: near ones as one, long ones in parts, in order and without overlap."""
    merged: list[Span] = []
    for first, count in sorted(spans):
        if merged and first <= sum(merged[-1]) + gap:
            start = merged[-1][0]
            merged[-1] = (start, max(sum(merged[-1]), first + count) - start)
        else:
            merged.append((first, count))
    return [
        (at, min(longest, first + count - at)) for first, count in merged for at in range(first, first + count, longest)
    ]


def write_copy(path: Path, pieces: Pieces, plan: Plan) -> None:
    """Write a file of the size of the whole that holds the pieces, with holes between them.

    Every block that is not in the plan is entered in the tables as one byte at the end of the file, which no reader can
    decode, compressed or not: reading it fails, and never gives zeros.

    Raises
    ------
    MissingBytesError
        Where a byte of the plan is not at hand.
    UnplannedFileError
        Where the tables cannot hold such an entry.
    OSError
        Where the file cannot be written.
    """
    for first, count in plan.spans:
        pieces.read(first, count)
    with path.open("wb") as file:
        file.truncate(pieces.size)
        for first, content in pieces:
            _write(file, first, content)
        for image in plan.layout.images:
            kept = {block: span for part in plan.parts if part.image == image for block, span in part.spans.items()}
            for position, content in _tables(plan.layout, image, kept, pieces.size):
                _write(file, position, content)


def _write(file: BinaryIO, position: int, content: bytes) -> None:
    file.seek(position)
    file.write(content)


def _tables(layout: Layout, image: Image, kept: dict[int, Span], size: int) -> Iterator[tuple[int, bytes]]:
    """Yield position and content of the tables of an image in which only the blocks of `kept` can be read."""
    for field, which, broken in ((image.offsets, 0, size - 1), (image.counts, 1, 1)):
        if broken >= 1 << 8 * SIZES[field.kind]:
            raise UnplannedFileError(f"a table of blocks has numbers of {SIZES[field.kind]} bytes")
        values = [broken] * field.count
        for block, span in kept.items():
            values[block] = span[which]
        yield field.position, _packed(layout.order, field, values)


def _packed(order: str, field: Field, values: list[int]) -> bytes:
    return struct.pack(f"{order}{len(values)}{CODES[field.kind]}", *values)
