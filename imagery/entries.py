"""One kept answer as two files: its content, and a small JSON file beside it that says what the content must be.

The content is named by its own sha256 and written first; the JSON file names it and is written last, each by an atomic
replacement. So whatever moment a process is killed at, there is either the old answer, or none, or the new one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from imagery.exchange import Request, Response

SCHEMA = 1
"""Raised whenever the files or the keys change their meaning: entries of another schema are never read."""
KEPT_HEADERS = frozenset(
    (
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "etag",
        "last-modified",
        "x-processingunits-spent",
    )
)
"""No others are stored: a server may put anything into the rest, cookies among them."""
MAX_SIDE_BYTES = 1 << 16
"""Of the JSON file, which has some hundred bytes."""
FOLDER_MODE = 0o700


class BrokenEntryError(ValueError):
    """An entry that is not what was kept; the message says what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the JSON file says."""

    key: str
    url: str
    """Unsigned."""
    status: int
    headers: dict[str, str]
    """Those of `KEPT_HEADERS`."""
    received: datetime
    """UTC."""
    length: int
    """Of the content, bytes."""
    sha256: str
    """Of the content, hexadecimal."""

    def response(self, content: bytes) -> Response:
        """Return the answer as the cache gives it out."""
        return Response(
            url=self.url,
            status=self.status,
            headers=self.headers,
            content=content,
            received=self.received,
            from_cache=True,
        )


def key_of(request: Request) -> str:
    """Return the name of a request: sha256, hexadecimal, of all that decides its answer. No credentials are part."""
    canonical = {
        "schema": SCHEMA,
        "method": request.method,
        "url": request.url,
        "body": request.body,
        "span": request.span,
        "version": request.version,
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def side_path(entries: Path, key: str) -> Path:
    """Return where the JSON file of a key lies."""
    return entries / key[:2] / f"{key}.json"


def data_paths(entries: Path, key: str) -> list[Path]:
    """Return the content files of a key; more than one only where a process was stopped between two writings."""
    return sorted((entries / key[:2]).glob(f"{key}.*.data"))


def write_entry(entries: Path, partial: Path, key: str, response: Response) -> int:
    """Keep an answer and return how many bytes its files take; an older answer of the key is replaced.

    Raises
    ------
    OSError
        Where a file cannot be written; the older answer is then still there.
    """
    check_owner(entries)
    content = response.content
    entry = Entry(
        key=key,
        url=response.url,
        status=response.status,
        headers={name: value for name, value in sorted(response.headers.items()) if name in KEPT_HEADERS},
        received=response.received,
        length=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    side = side_path(entries, key)
    make_folder(side.parent)
    data = _data_path(side, entry)
    text = _to_json(entry)
    write_whole(data, content, partial=partial)
    write_whole(side, text, partial=partial)
    for old in data_paths(entries, key):
        if old != data:
            old.unlink(missing_ok=True)
    return len(content) + len(text)


def _data_path(side: Path, entry: Entry) -> Path:
    return side.with_name(f"{entry.key}.{entry.sha256}.data")


def make_folder(folder: Path) -> None:
    """Make a folder that nobody else may enter, and those above it that are missing."""
    if not folder.parent.is_dir():
        make_folder(folder.parent)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def check_owner(folder: Path) -> None:
    """Refuse a folder into which somebody else may have put entries of his own making.

    Raises
    ------
    PermissionError
        Where it is there, and belongs to another user than us and the administrator, or others may write to it.
    """
    try:
        stat = folder.stat()
    except FileNotFoundError:
        return
    if stat.st_uid not in (0, os.geteuid()) or stat.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "other users may write to it")


def write_whole(path: Path, content: bytes, *, partial: Path) -> None:
    """Write a file: all of it or nothing; `partial` is a folder of the same disk for what is not yet complete."""
    make_folder(partial)
    handle, name = tempfile.mkstemp(dir=partial)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _to_json(entry: Entry) -> bytes:
    document = {"schema": SCHEMA, **vars(entry), "received": entry.received.isoformat()}
    return json.dumps(document, indent=1, sort_keys=True).encode()


def read_entry(entries: Path, key: str) -> Response | None:
    """Return a kept answer whose every byte was checked; None where there is none.

    Raises
    ------
    BrokenEntryError
        Where there is something, and it is not what was kept.
    OSError
        Where the folder cannot be read or trusted.
    """
    check_owner(entries)
    side = side_path(entries, key)
    try:
        entry = read_side(side)
    except FileNotFoundError:
        if data_paths(entries, key):
            raise BrokenEntryError("without the file that describes it") from None
        return None
    try:
        content = _data_path(side, entry).read_bytes()
    except FileNotFoundError:
        raise BrokenEntryError("without its content") from None
    if len(content) != entry.length:
        raise BrokenEntryError(f"{len(content):,} bytes long instead of {entry.length:,}")
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise BrokenEntryError("altered: its sha256 is another one")
    return entry.response(content)


def read_side(side: Path) -> Entry:
    """Return what a JSON file says, checked.

    Raises
    ------
    FileNotFoundError
        Where it is not there.
    BrokenEntryError
        Where it is anything but complete.
    """
    with side.open("rb") as file:
        text = file.read(MAX_SIDE_BYTES + 1)
    try:
        document = json.loads(text.decode())
        entry = _from_json(document)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BrokenEntryError("described by a file that is damaged") from error
    if entry.key != side.stem:
        raise BrokenEntryError("described by a file of another request")
    return entry


def _from_json(document: dict[str, Any]) -> Entry:
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema {document['schema']}")
    headers = {str(name): str(value) for name, value in document["headers"].items()}
    received = datetime.fromisoformat(document["received"])
    length, sha256, status = document["length"], document["sha256"], document["status"]
    whole = type(length) is int and type(status) is int and len(bytes.fromhex(sha256)) == 32
    if received.tzinfo is None or not whole:
        raise ValueError("a field of another type")
    return Entry(
        key=str(document["key"]),
        url=str(document["url"]),
        status=status,
        headers=headers,
        received=received,
        length=length,
        sha256=sha256,
    )


def all_keys(entries: Path) -> Iterator[str]:
    """Yield the key of everything that lies in the folder of entries, in order, each once."""
    names = {path.name.split(".")[0] for path in entries.glob("??/*") if path.suffix in (".json", ".data")}
    yield from sorted(names)
