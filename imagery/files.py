"""Folders that others filled: walked within caps, and never left."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from imagery.errors import MissingFileError, RefusedFileError

MAX_ENTRIES = 200_000
"""Files and folders under one root: four thousand SAFE products."""
MAX_DEPTH = 16
"""Levels below the root; a SAFE product takes five."""

ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""What may name a scene, and so a file."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A raster file in memory, such as a member of an archive."""

    name: str
    """For messages."""
    content: bytes


@dataclass(kw_only=True)
class Walk:
    """What a walk through a folder met."""

    items: list[Path] = field(default_factory=list)
    """Files named *.json."""
    safes: list[Path] = field(default_factory=list)
    """Folders named *.SAFE; nothing inside them is listed elsewhere."""
    zips: list[Path] = field(default_factory=list)
    """Files named *.zip."""
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    """What was not followed, and why."""


def walk(root: Path) -> Walk:
    """List what may describe scenes under `root`, at any depth up to `MAX_DEPTH`, in the order of their names.

    Links to folders are not followed; folders and files whose names begin with a dot are not looked at.

    Raises
    ------
    RefusedFileError
        Where `root` is no folder, or holds more than `MAX_ENTRIES` entries.
    """
    if not root.is_dir():
        raise RefusedFileError(f"{root} is not a folder; give the folder that holds the scenes")
    found, seen = Walk(), 0
    for folder, subfolders, files in os.walk(root, followlinks=False):
        here = Path(folder)
        depth = len(here.relative_to(root).parts)
        seen += len(subfolders) + len(files)
        if seen > MAX_ENTRIES:
            raise RefusedFileError(f"{root} holds more than {MAX_ENTRIES:,} entries; give a smaller folder")
        subfolders[:] = sorted(_entered(here, subfolders, depth, found))
        for name in sorted(files):
            _list_file(here / name, found)
    return found


def _entered(here: Path, subfolders: list[str], depth: int, found: Walk) -> Iterator[str]:
    """Yield the subfolders to go into; put products and reasons into `found`."""
    for name in sorted(subfolders):
        path = here / name
        if name.startswith("."):
            continue
        if path.is_symlink():
            found.skipped.append((path, "a link to a folder; not followed"))
        elif name.upper().endswith(".SAFE"):
            found.safes.append(path)
        elif depth + 1 > MAX_DEPTH:
            found.skipped.append((path, f"more than {MAX_DEPTH} levels down; not looked into"))
        else:
            yield name


def _list_file(path: Path, found: Walk) -> None:
    lists = {".json": found.items, ".zip": found.zips}
    if not path.name.startswith(".") and path.suffix.lower() in lists:
        lists[path.suffix.lower()].append(path)


def inside(root: Path, path: Path) -> Path:
    """Return `path` with its links resolved, provided that it exists and lies under `root`.

    Raises
    ------
    MissingFileError
        Where it does not exist.
    RefusedFileError
        Where it leads out of `root`, or is no regular file.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise MissingFileError(f"{path.name}: there is no such file") from error
    if not real.is_relative_to(root.resolve()):
        raise RefusedFileError(f"{path.name}: leads out of the folder {root}; not opened")
    if not real.is_file():
        raise RefusedFileError(f"{path.name}: is not a regular file")
    return real


def local_path(href: str, *, base: Path, root: Path) -> Path:
    """Return the file that a description in the folder `base` refers to.

    Parameters
    ----------
    href
        A relative path, an absolute one, or a `file:` address without a host.
    base
        The folder of the description.
    root
        What must not be left.

    Raises
    ------
    RefusedFileError
        For every other kind of address, and for whatever `inside` refuses.
    """
    if not href or len(href) > 4096 or any(ord(c) < 32 or ord(c) == 127 for c in href):
        raise RefusedFileError(f"the address {href[:60]!r} is empty, too long or has control characters; not opened")
    parts = urlsplit(href)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return inside(root, Path(unquote(parts.path)))
    if parts.scheme or parts.netloc or href.startswith("/vsi"):
        raise RefusedFileError(f"{href[:120]!r} is not a file of this folder; only relative paths and file: are opened")
    return inside(root, base / href)


def check_id(text: object) -> str:
    """Return `text` where it may name a scene and its files.

    Raises
    ------
    RefusedFileError
        For anything but letters, digits, dots, dashes and underscores, 1 to 200 of them, and for reserved names.
    """
    if not isinstance(text, str) or not ID_PATTERN.fullmatch(text) or text.endswith(".") or _RESERVED.fullmatch(text):
        shown = repr(text)[:80]
        raise RefusedFileError(f"the id {shown} may hold only letters, digits, '.', '-' and '_', 200 at most")
    return text


def write_text(path: Path, text: str) -> None:
    """Write a text file: all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        target = Path(folder) / path.name
        with target.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        target.replace(path)
