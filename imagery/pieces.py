"""Parts of a file that is not wholly here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from imagery.errors import ImageryError, RefusedFileError

Span = tuple[int, int]
"""(first byte, number of bytes)."""


class MissingBytesError(ImageryError):
    """Bytes of a file that are needed and not at hand."""

    def __init__(self, first: int, count: int) -> None:
        super().__init__(f"{count} bytes from {first} on are not at hand")
        self.span: Span = (first, count)


class Pieces:
    """The bytes of a file that are at hand."""

    def __init__(self, size: int) -> None:
        self.size = size
        """Of the whole file."""
        self._pieces: dict[int, bytes] = {}

    def add(self, first: int, content: bytes) -> None:
        """Take in bytes; of two pieces that begin alike the longer one stays."""
        if len(content) > len(self._pieces.get(first, b"")):
            self._pieces[first] = content

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield (first byte, content) of each piece; they may overlap."""
        return iter(sorted(self._pieces.items()))

    def read(self, first: int, count: int) -> bytes:
        """Return bytes that are at hand.

        Raises
        ------
        MissingBytesError
            Where some are not; it names the first gap to the end of what is asked.
        RefusedFileError
            Where they would lie outside the file.
        """
        if first < 0 or count < 0 or first + count > self.size:
            raise RefusedFileError(f"points to {count:,} bytes at {first:,}, and has {self.size:,} bytes")
        parts, at = [], first
        while at < first + count:
            part = self._part(at, first + count - at)
            if not part:
                raise MissingBytesError(at, first + count - at)
            parts.append(part)
            at += len(part)
        return b"".join(parts)

    def _part(self, at: int, count: int) -> bytes:
        """Return the longest run of bytes from `at` on that one piece holds, up to `count`."""
        found = (content[at - first : at - first + count] for first, content in self._pieces.items() if first <= at)
        return max(found, key=len, default=b"")

    def lacking(self, spans: Iterable[Span]) -> list[Span]:
        """Return those of `spans` that are not wholly at hand."""
        return [span for span in spans if not self._holds(span)]

    def _holds(self, span: Span) -> bool:
        try:
            self.read(*span)
        except MissingBytesError:
            return False
        return True
