"""The file that holds a watch's state: an SQLite database, checked before it is believed."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from revisit.errors import UsageError

APPLICATION_ID = 0x52565754
"""SQLite's mark of whose file it is: "RVWT"."""
VERSION = 1
"""Of the tables."""
BUSY_S = 10.0
"""How long a writer waits for another one's transaction, which takes milliseconds."""
_START = b"SQLite format 3\x00"

TABLES = """
CREATE TABLE about (uid TEXT NOT NULL, made TEXT NOT NULL);
CREATE TABLE area (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, spec TEXT NOT NULL, geojson TEXT NOT NULL,
    source TEXT NOT NULL, sensor TEXT NOT NULL, false_alarms REAL NOT NULL, baseline INTEGER NOT NULL,
    since TEXT NOT NULL, last_look TEXT, last_outcome TEXT);
CREATE TABLE settled (
    area INTEGER NOT NULL REFERENCES area ON DELETE CASCADE, sensor TEXT NOT NULL, until TEXT NOT NULL,
    PRIMARY KEY (area, sensor));
CREATE TABLE pass (
    id INTEGER PRIMARY KEY, area INTEGER NOT NULL REFERENCES area ON DELETE CASCADE, sensor TEXT NOT NULL,
    acquired TEXT NOT NULL, platform TEXT, orbit INTEGER, scene TEXT NOT NULL, share REAL NOT NULL, refused TEXT,
    UNIQUE (area, sensor, acquired, platform, orbit));
CREATE TABLE comparison (
    id INTEGER PRIMARY KEY, area INTEGER NOT NULL REFERENCES area ON DELETE CASCADE,
    before INTEGER NOT NULL REFERENCES pass ON DELETE CASCADE, after INTEGER NOT NULL REFERENCES pass ON DELETE CASCADE,
    run TEXT NOT NULL, flags INTEGER NOT NULL, by_chance REAL NOT NULL, refused TEXT, UNIQUE (before, after));
CREATE TABLE change (
    id TEXT PRIMARY KEY, area INTEGER NOT NULL REFERENCES area ON DELETE CASCADE,
    comparison INTEGER NOT NULL REFERENCES comparison ON DELETE CASCADE, sign TEXT NOT NULL, before TEXT NOT NULL,
    after TEXT NOT NULL, outline TEXT NOT NULL);
CREATE TABLE sighting (
    change TEXT NOT NULL REFERENCES change ON DELETE CASCADE,
    comparison INTEGER NOT NULL REFERENCES comparison ON DELETE CASCADE, flag TEXT NOT NULL,
    PRIMARY KEY (comparison, flag));
CREATE TABLE notice (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    area INTEGER NOT NULL REFERENCES area ON DELETE CASCADE, made TEXT NOT NULL, payload TEXT NOT NULL,
    printed INTEGER NOT NULL DEFAULT 0, webhook TEXT NOT NULL);
"""


def _unusable(path: Path, error: sqlite3.Error) -> UsageError:
    """Return the error for what SQLite cannot do with the file."""
    said = str(error)
    if "locked" in said:
        return UsageError(f"{path} is held by another program for more than {BUSY_S:g} s; close that, and try again")
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return UsageError(
            f"{path} is damaged ({said}). Put a copy in its place; or move it away and add the areas again, and changes"
            " since the day that --since names are reported again"
        )
    return UsageError(
        f"{path} cannot be used: {said}; make it writable, make room on its disk, or give another --state"
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into one line that says what to do.

    Raises
    ------
    UsageError
        In the place of every error of SQLite.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _unusable(path, error) from error


def _put_in_place(stage: Path, path: Path) -> None:
    """Give a new file its name, unless another call was faster: a renaming would throw away what that one began.

    Raises
    ------
    FileExistsError
        Where it was.
    """
    try:
        os.link(stage, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links; there, the lock alone keeps two calls apart.
        if path.exists():
            raise FileExistsError(path) from None
        stage.rename(path)


def _create(path: Path, made: str) -> None:
    """Make an empty state that nobody else may read; whole or not at all."""
    stage = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(stage, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with explained(path):
            connection = sqlite3.connect(stage)
            connection.executescript(
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; BEGIN; {TABLES} COMMIT;"
            )
            connection.execute("INSERT INTO about VALUES (?, ?)", (secrets.token_hex(16), made))
            connection.commit()
            connection.close()
        _put_in_place(stage, path)
    except FileExistsError:
        return
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror or error}; give another --state") from error
    finally:
        stage.unlink(missing_ok=True)


def _absent(path: Path) -> UsageError:
    """Return the error for a state that is not there."""
    return UsageError(f"there is no state {path}: `revisit watch add AREA` makes it, or give another --state")


def require_file(path: Path) -> None:
    """Refuse a state that is not there, before a lock is made beside it.

    Raises
    ------
    UsageError
        Where it is missing.
    """
    if not path.exists():
        raise _absent(path)


def _check_kind(path: Path) -> None:
    """Refuse what is no SQLite database, or cannot be read and written."""
    if not path.is_file():
        raise UsageError(f"{path} is no file; give another --state")
    try:
        with path.open("rb") as file:
            start = file.read(len(_START))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if start != _START:
        raise UsageError(f"{path} is no state of a watch; give another --state (it is left as it is)")
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise UsageError(
            f"{path}, or its folder, is read-only: what was reported could not be kept, and would be reported again."
            " Make both writable, or give another --state"
        )


def _check_content(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a database of something else, of a newer program, or one that is damaged."""
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if mark != APPLICATION_ID:
        raise UsageError(f"{path} is a database of another program; give another --state (it is left as it is)")
    if version != VERSION:
        age = "a newer" if version > VERSION else "an unknown"
        raise UsageError(
            f"{path} was written by {age} revisit (tables of version {version}; this one knows {VERSION}): update"
            " revisit, or give another --state"
        )
    said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if said != "ok":
        raise sqlite3.DatabaseError(" ".join(str(said).split()))


def open_file(path: Path, *, create: str | None = None) -> sqlite3.Connection:
    """Open the database of a state.

    A rollback journal, not a write-ahead log: one call writes at a time, a few rows an hour, so that a second file and
    shared memory would buy nothing, and the state stays one file that can be copied and may lie on a network's disk.

    Parameters
    ----------
    path
        Of the file.
    create
        The time now, to make the file where there is none; None: refuse that.

    Raises
    ------
    UsageError
        Where there is none, or it is damaged, foreign, newer than this program or read-only.
    """
    if not path.exists():
        if create is None:
            raise _absent(path)
        _create(path, create)
    _check_kind(path)
    with explained(path):
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        try:
            _check_content(path, connection)
            connection.execute("PRAGMA journal_mode = DELETE")
            # Each commit is on the disk before anything is told of it.
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
    return connection
