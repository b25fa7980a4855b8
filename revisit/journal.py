"""The lines of a running job, kept in a hidden file beside its folder while it runs, for whoever watches."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from revisit.plain import iso_time

SUFFIX = ".progress.json"
MOST_LINES = 200
MOST_BYTES = 200_000
MOST_FILES = 200

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as its file has it."""

    name: str
    """Of the folder that it will leave."""
    running: bool
    """False: its process is gone, and it left nothing."""
    started: str
    lines: tuple[str, ...]


def journal_path(target: Path) -> Path:
    """Return the file that a job keeps beside its folder."""
    return target.with_name(f".{target.name}{SUFFIX}")


@contextmanager
def journal(target: Path, tell: Tell) -> Iterator[Tell]:
    """Give what to call with each line: it is passed on, and kept beside `target` until the job ends.

    A job is never stopped by its journal: where the file cannot be written, the lines are only passed on.
    """
    path, lines = journal_path(target), []
    started = iso_time(datetime.now(UTC).replace(microsecond=0))

    def note(line: str) -> None:
        tell(line)
        lines.append(line)
        record = {"pid": os.getpid(), "started": started, "lines": lines[-MOST_LINES:]}
        part = path.with_name(f"{path.name}.{os.getpid()}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(record), encoding="utf-8")
            part.replace(path)

    try:
        yield note
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    """Return whether a process is there."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _job(path: Path) -> Job | None:
    """Return the job of a file; None where the file is not a journal."""
    try:
        if path.is_symlink() or path.stat().st_size > MOST_BYTES:
            return None
        record: Any = json.loads(path.read_text(encoding="utf-8"))
        return Job(
            name=path.name[1 : -len(SUFFIX)],
            running=_alive(int(record["pid"])),
            started=str(record["started"]),
            lines=tuple(str(line) for line in record["lines"]),
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def jobs(root: Path) -> list[Job]:
    """Return the jobs that run, or were stopped, in a folder and one level below it."""
    paths = [*root.glob(f".*{SUFFIX}"), *root.glob(f"[!.]*/.*{SUFFIX}")]
    found = (_job(path) for path in sorted(paths)[:MOST_FILES])
    return [job for job in found if job]
