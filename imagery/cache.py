"""Answers of servers kept on disk: nothing is given out that is not byte for byte what was received.

Who may be served what, and for how long, is not decided here but by `imagery.http`. Every process may be killed at any
moment, several may use one folder at once, and a disk may be full or closed to us: the worst that follows is that
something is asked for again, and it is said.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from imagery.entries import (
    BrokenEntryError,
    all_keys,
    data_paths,
    key_of,
    make_folder,
    read_entry,
    read_side,
    side_path,
    write_entry,
)
from imagery.exchange import Request, Response

LOCK_TIMEOUT_S = 300.0
"""How long to wait for another process that asks for the same: longer than any single request may take."""
EVICT_TO = 0.9
"""Share of the cap that is left after the oldest entries went, so that not every writing has to make room."""
RECOUNT_AFTER = 64
"""Writings between two counts of the folder: other processes write there too."""
STALE_S = 24 * 3600.0
"""Age from which an incomplete file or a lock that nobody removed is removed."""


@dataclass(frozen=True, kw_only=True)
class CacheInfo:
    """What a cache holds."""

    root: Path
    entries: int
    size_bytes: int
    """Of all its files, quarantine included."""
    most_bytes: int
    quarantined: int
    """Entries that were found damaged, kept aside."""
    oldest_use: float | None
    """When the entry that goes next was last used, seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class CacheCheck:
    """What a check of every entry found."""

    entries: int
    """Looked at."""
    bad: tuple[str, ...]
    """One line on each entry that was not what was kept; it is in quarantine now."""


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """The files of one entry, or one file in quarantine."""

    key: str
    used: float
    size: int
    files: tuple[Path, ...]
    """In the order in which they are to be removed: what names the others first."""


class Cache:
    """A folder of answers, safe with several threads and processes."""

    def __init__(self, root: Path, *, most_bytes: int) -> None:
        self.root = root
        """Made where it is missing, at the first writing; nobody else may enter it then."""
        self.most_bytes = most_bytes
        """Cap on the size of all files; the entries that were not used for longest go first."""
        self.notes: list[str] = []
        """What a run should warn of: entries found damaged, objects that changed, a folder that cannot be written."""
        self._entries, self._partial = root / "entries", root / "partial"
        self._locks, self._quarantine = root / "locks", root / "quarantine"
        self._held = threading.local()
        self._guard = threading.Lock()
        self._size: int | None = None
        self._writings = 0

    def key(self, request: Request) -> str:
        """Return the name under which the answer to a request is kept."""
        return key_of(request)

    def get(self, key: str) -> Response | None:
        """Return a kept answer, every byte of it checked, or None.

        A damaged entry goes to quarantine with a note and counts as none. Its age is the caller's matter.
        """
        try:
            response = self._read(key)
        except OSError as error:
            self._note_once(f"the cache folder {self.root} cannot be read ({error.strerror or error})")
            return None
        if response is not None:
            with suppress(OSError):
                os.utime(side_path(self._entries, key))
        return response

    def _read(self, key: str) -> Response | None:
        """Read an entry; where it is broken make sure, alone with it, that it is not just being replaced or removed."""
        try:
            return read_entry(self._entries, key)
        except BrokenEntryError:
            with self._lock_within(key, timeout_s=0.0) as lock:
                if lock == "busy":
                    return None
                try:
                    return read_entry(self._entries, key)
                except BrokenEntryError as error:
                    self._set_aside(key, error)
        return None

    def _set_aside(self, key: str, error: BrokenEntryError) -> None:
        """Move the files of a broken entry to quarantine, or remove them, or at least say so."""
        side = side_path(self._entries, key)
        try:
            url = read_side(side).url
        except (OSError, BrokenEntryError):
            url = "a request"
        moved = "it cannot be moved away"
        with suppress(OSError):
            make_folder(self._quarantine)
            for path in (side, *data_paths(self._entries, key)):
                if path.exists():
                    path.replace(self._quarantine / f"{time.time_ns()}-{path.name}")
            moved = f"moved to {self._quarantine}"
        self._note_once(f"cache: the answer kept for {url} (entry {key[:12]}) is {error}; {moved}, and not used")

    def put(self, key: str, response: Response) -> None:
        """Keep a complete, checked answer; where that fails it is said once, and the run goes on without keeping."""
        size = len(response.content)
        if size > self.most_bytes * EVICT_TO:
            self._note_once(f"cache: an answer of {size:,} bytes is not kept; the cap is {self.most_bytes:,} bytes")
            return
        try:
            with self.lock(key):
                self._note_change(key, response)
                written = write_entry(self._entries, self._partial, key, response)
            self._make_room(written)
        except OSError as error:
            reason = error.strerror or str(error)
            self._note_once(
                f"the cache folder {self.root} cannot be written ({reason}): answers are not kept; make room or give "
                "another folder to keep them"
            )

    def _note_change(self, key: str, response: Response) -> None:
        """Note where an object is no longer the one that was kept."""
        with suppress(OSError, BrokenEntryError):
            old = read_side(side_path(self._entries, key))
            before, now = old.headers.get("etag"), response.headers.get("etag")
            if before and now and before != now:
                seen = f"it was {before} on {old.received:%Y-%m-%d} and is {now} on {response.received:%Y-%m-%d}"
                self._note_once(f"{response.url} changed on its server: {seen}")

    def _note_once(self, note: str) -> None:
        with self._guard:
            if note not in self.notes:
                self.notes.append(note)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold a request alone among all threads and processes, so that it is sent once; may be nested in one thread.

        Where no lock can be had (a folder that cannot be written, or one held for longer than `LOCK_TIMEOUT_S`), the
        run goes on without: the worst is that the same is asked for twice.
        """
        with self._lock_within(key, timeout_s=LOCK_TIMEOUT_S):
            yield

    @contextmanager
    def _lock_within(self, key: str, *, timeout_s: float) -> Iterator[Literal["ours", "busy", "none"]]:
        """Yield whether the lock is ours, held by another, or not to be had in this folder at all."""
        held: set[str] = self._held.__dict__.setdefault("keys", set())
        if key in held:
            yield "ours"
            return
        lock = FileLock(self._locks / f"{key}.lock", timeout=timeout_s, mode=0o600)
        try:
            make_folder(self._locks)
            lock.acquire()
        except Timeout:
            yield "busy"
            return
        except (OSError, NotImplementedError):
            yield "none"
            return
        held.add(key)
        try:
            yield "ours"
        finally:
            held.discard(key)
            lock.release()

    def _make_room(self, written: int) -> None:
        """Remove what was not used for longest where the folder is over its cap."""
        with self._guard:
            self._writings += 1
            if self._size is not None:
                self._size += written
            due = self._size is None or self._size > self.most_bytes or self._writings % RECOUNT_AFTER == 0
        if due:
            with self._lock_within("making-room", timeout_s=0.0) as lock:
                size = self._evict() if lock == "ours" else None
            with self._guard:
                self._size = self._size if size is None else size

    def _evict(self) -> int:
        """Remove down to the cap and return the size that is left."""
        self._sweep()
        kept = self._listing()
        size = sum(one.size for one in kept)
        if size <= self.most_bytes:
            return size
        for one in kept:
            if size <= self.most_bytes * EVICT_TO:
                break
            if self._remove(one):
                size -= one.size
        return size

    def _remove(self, one: _Kept) -> bool:
        """Remove an entry unless somebody is at work on it; return whether it is gone."""
        with self._lock_within(one.key, timeout_s=0.0) as lock:
            if lock != "ours":
                return False
            for path in one.files:
                path.unlink(missing_ok=True)
            return True

    def _sweep(self) -> None:
        """Remove what killed processes left behind."""
        limit = time.time() - STALE_S
        for path in (*self._partial.glob("*"), *self._locks.glob("*")):
            with suppress(OSError):
                if path.stat().st_mtime < limit:
                    path.unlink()

    def _listing(self) -> list[_Kept]:
        """Return all that takes room, in the order in which it goes: quarantine first, then by last use."""
        aside = [_measure(path.name, (path,)) for path in self._quarantine.glob("*")]
        entries = [
            _measure(key, (side_path(self._entries, key), *data_paths(self._entries, key)))
            for key in all_keys(self._entries)
        ]
        return [*sorted(aside, key=lambda one: one.used), *sorted(entries, key=lambda one: one.used)]

    def info(self) -> CacheInfo:
        """Return what the cache holds; an empty one where there is no folder."""
        quarantined = len({path.name.partition("-")[2].split(".")[0] for path in self._quarantine.glob("*")})
        kept = self._listing()
        aside = sum(1 for _ in self._quarantine.glob("*"))
        return CacheInfo(
            root=self.root,
            entries=len(kept) - aside,
            size_bytes=sum(one.size for one in kept),
            most_bytes=self.most_bytes,
            quarantined=quarantined,
            oldest_use=kept[aside].used if len(kept) > aside else None,
        )

    def verify(self) -> CacheCheck:
        """Read every entry; those that are not what was kept go to quarantine.

        Raises
        ------
        OSError
            Where the folder cannot be read or trusted.
        """
        keys, before = list(all_keys(self._entries)), len(self.notes)
        for key in keys:
            self._read(key)
        return CacheCheck(entries=len(keys), bad=tuple(self.notes[before:]))

    def clear(self) -> CacheInfo:
        """Remove everything that the cache made below its root, and return what it held.

        Raises
        ------
        OSError
            Where something cannot be removed.
        """
        info = self.info()
        for folder in (self._entries, self._quarantine, self._partial, self._locks):
            if folder.is_dir():
                shutil.rmtree(folder)
        with self._guard:
            self._size = None
        return info


def _measure(key: str, files: tuple[Path, ...]) -> _Kept:
    """Return size and last use of files; those that another process has just removed count for nothing."""
    stats = []
    for path in files:
        with suppress(OSError):
            stats.append(path.stat())
    return _Kept(
        key=key,
        used=max((stat.st_mtime for stat in stats), default=0.0),
        size=sum(stat.st_size for stat in stats),
        files=files,
    )
