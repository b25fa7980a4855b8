"""A watch on a folder of small scenes that grows between calls."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from revisit.cli.main import call
from tests.scenery import Pass, feature, write_scenes

SINCE = "2024-12-05"
FIRST = Pass(day="2024-12-02")
TIMES = {"area": ("last_look", "last_outcome"), "notice": ("made", "payload")}
"""Columns that hold a time, or a path."""


def unnamed(objects: Sequence[Any], *_: Any, **__: Any) -> Sequence[Any]:
    """Give changed objects no candidates: finding them takes most of a small comparison, and decides nothing here."""
    return objects


def light_run(_: object, folder: Path) -> Path:
    """Leave a run's folder without its pictures and maps, which take the other half of a small comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text("a report")
    return folder


def write_field(path: Path, name: str = "testfield") -> Path:
    """Write a small area around the object of the scenes."""
    features = [feature("area", name, (50.3, 40.3, 114.7, 104.7))]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@dataclass(frozen=True, kw_only=True)
class Field:
    """A watched area with its folder of scenes."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def state(self) -> Path:
        """File of the state."""
        return self.root / "state.sqlite"

    def grow(self, *passes: Pass) -> None:
        """Let passes come in."""
        write_scenes(self.root / "scenes", *passes)

    def add(self, *options: str, code: int = 0) -> str:
        """Put the area on the list; return what was said."""
        source = ["--source", f"folder:{self.root / 'scenes'}", "--since", SINCE, "--baseline", "0", "--sensor", "s2"]
        return self.watch("add", str(self.root / "area.geojson"), *source, *options, code=code)[1]

    def watch(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Call the command line; return what it printed and what it said."""
        got = call(["watch", *arguments, "--state", str(self.state)])
        shown = self.capsys.readouterr()
        assert got == code, shown.err
        return shown.out, shown.err

    def told(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """Look, and return the notices that are told."""
        out, _ = self.watch("run", "--json", *arguments, code=code)
        notices: list[dict[str, Any]] = json.loads(out)["notices"]
        return notices


def make_field(root: Path, capsys: pytest.CaptureFixture[str]) -> Field:
    """Return a field that had one pass before the first day."""
    field = Field(root=root, capsys=capsys)
    write_field(root / "area.geojson")
    field.grow(FIRST)
    return field


def content(state: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return everything that a state holds, but for times and paths."""
    with closing(sqlite3.connect(state)) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {}
        for name in sorted(set(names) - {"sqlite_sequence", "about"}):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({name})")]
            kept = [column for column in columns if column not in TIMES.get(name, ())]
            tables[name] = sorted(database.execute(f"SELECT {', '.join(kept)} FROM {name}").fetchall(), key=repr)
    return tables
