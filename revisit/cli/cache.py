"""`revisit cache info`, `verify` and `clear`: what was fetched from servers and is kept on this machine."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from revisit.cli.terminal import print_json, tell, warn
from revisit.errors import SOURCE_FAILED, UsageError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imagery.cache import Cache, CacheInfo

cache_app = typer.Typer(help="Show, check or remove what was fetched.", no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")]

_UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def _open() -> Cache:
    """Return the cache that the settings name; nothing is made."""
    from imagery.cache import Cache
    from revisit.settings import load_settings

    settings = load_settings(os.environ)
    return Cache(settings.cache_folder, most_bytes=settings.cache_most_bytes)


@contextmanager
def _at_work(root: Path) -> Iterator[None]:
    """Let a folder that cannot be read or changed be one line."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"the cache folder {root} cannot be used ({error.strerror or error}); REVISIT_CACHE_DIR names another one"
        ) from error


def _size(count: int) -> str:
    """Return a number of bytes as a person reads it."""
    return next((f"{count / unit:.1f} {name}" for name, unit in _UNITS if count >= unit), f"{count} bytes")


def _lines(info: CacheInfo) -> list[str]:
    """Return what `cache info` prints."""
    lines = [
        f"folder      {one_line(str(info.root))}",
        f"answers     {info.entries}",
        f"size        {_size(info.size_bytes)} of at most {_size(info.most_bytes)}",
        f"quarantine  {info.quarantined} that were found damaged",
    ]
    if info.oldest_use is not None:
        # In the user's own time, as `ls` shows it.
        used = datetime.fromtimestamp(info.oldest_use).astimezone()
        lines.append(f"goes next   what was last used on {used:%Y-%m-%d %H:%M}")
    return lines


@cache_app.command("info")
def info(json: Json = False) -> None:
    """Show where the cache is, what it holds and how large it may grow.

    REVISIT_CACHE_DIR names another folder, REVISIT_CACHE_MOST_GIB another cap.

    Example: revisit cache info
    """
    cache = _open()
    with _at_work(cache.root):
        found = cache.info()
    if json:
        print_json(
            {
                "folder": str(found.root),
                "answers": found.entries,
                "size_bytes": found.size_bytes,
                "most_bytes": found.most_bytes,
                "quarantined": found.quarantined,
                "oldest_use": found.oldest_use,
            }
        )
    else:
        typer.echo("\n".join(_lines(found)))


@cache_app.command("verify")
def verify(json: Json = False) -> None:
    """Read everything in the cache and compare it with its checksum.

    What is damaged is set aside, never used, and fetched again when it is next needed; the exit code is then 3.

    Example: revisit cache verify
    """
    cache = _open()
    with _at_work(cache.root):
        found = cache.verify()
    for line in found.bad:
        warn(line)
    if json:
        print_json({"folder": str(cache.root), "answers": found.entries, "damaged": list(found.bad)})
    else:
        typer.echo(f"{found.entries} answers read, {len(found.bad)} damaged")
    if found.bad:
        raise typer.Exit(SOURCE_FAILED)


@cache_app.command("clear")
def clear(yes: Yes = False) -> None:
    """Remove everything that was fetched; other files in the folder are left alone.

    Example: revisit cache clear --yes
    """
    cache = _open()
    with _at_work(cache.root):
        held = cache.info()
        question = f"Remove {held.entries} answers ({_size(held.size_bytes)}) from {one_line(str(cache.root))}?"
        if not yes:
            _confirm(question)
        cache.clear()
    tell(f"removed {held.entries} answers, {_size(held.size_bytes)}")


def _confirm(question: str) -> None:
    """Ask; anything but a yes stops the command."""
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise UsageError("nothing was removed; --yes removes without asking")
