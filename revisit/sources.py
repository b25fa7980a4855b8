"""From the words of `--source` to a source of scenes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from revisit.errors import UsageError

if TYPE_CHECKING:
    from imagery.sources.base import Source

CHOICES = "--source folder:PATH for scenes on disk (`revisit import` makes them from loose rasters), or --source demo"


def _folder(text: str) -> Path:
    """Return the path of a folder of scenes."""
    path = Path(text).expanduser()
    if not text or not path.exists():
        raise UsageError(f"the folder of scenes {text!r} does not exist")
    if not path.is_dir():
        raise UsageError(f"{path} is a file; --source folder:PATH wants the folder that holds the scenes")
    return path


@contextmanager
def open_source(spec: str) -> Iterator[Source]:
    """Open a source of scenes.

    Parameters
    ----------
    spec
        "folder:PATH", or "demo" (simulated scenes, written to a temporary folder for as long as the source is open).

    Raises
    ------
    UsageError
        For words that name no source, and folders that are not there.
    """
    from imagery.sources.folder import FolderSource

    kind, _, rest = spec.partition(":")
    if kind == "folder":
        yield FolderSource(_folder(rest))
    elif spec == "demo":
        from revisit.demo import write_demo

        with tempfile.TemporaryDirectory(prefix="revisit-demo-") as folder:
            write_demo(Path(folder) / "scenes")
            yield FolderSource(Path(folder) / "scenes")
    elif spec == "auto":
        raise UsageError(f"no source of scenes was given, and this version has none on the network. Give {CHOICES}")
    else:
        raise UsageError(f"{spec!r} is no source of scenes in this version. Give {CHOICES}")
