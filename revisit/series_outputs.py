"""A series' folder: written beside its place under another name, and moved there when it is whole."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from revisit.errors import UsageError
from revisit.outputs import LONGEST_NAME, UNSAFE, check_place, staged
from revisit.picture import png_bytes
from revisit.plain import write_json
from revisit.series_plain import SCHEMA, series_csv, series_manifest, series_record, track_collection
from revisit.series_plot import series_picture
from revisit.series_report import render_series
from revisit.series_result import SeriesResult

MANIFEST, RECORD, TABLE, TRACKS, PICTURE, REPORT = (
    "manifest.json", "series.json", "series.csv", "tracks.geojson", "series.png", "report.html",
)  # fmt: skip
_OURS = {MANIFEST, RECORD, TABLE, TRACKS, PICTURE, REPORT}
MOST_MANIFEST_BYTES = 50_000_000


def default_folder(name: str, start: str, end: str) -> Path:
    """Return where a series goes when nobody says: runs/AREA_series_FROM_TO, safe for a file system."""
    safe = UNSAFE.sub("-", name).strip(".-")[:LONGEST_NAME] or "area"
    return Path("runs") / f"{safe}_series_{start}_{end}"


def _is_ours(path: Path) -> bool:
    """Return whether a manifest is that of a series."""
    try:
        if path.stat().st_size > MOST_MANIFEST_BYTES:
            return False
        return bool(json.loads(path.read_text(encoding="utf-8"))["schema"] == SCHEMA)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def check_series_folder(folder: Path) -> None:
    """Refuse a place where no series may be written: a file, or a folder with anything that no series wrote.

    Raises
    ------
    UsageError
        With what is in the way.
    """
    check_place(folder, kind="series", names=_OURS, is_ours=lambda place: _is_ours(place / MANIFEST))


def _write_files(result: SeriesResult, folder: Path) -> None:
    """Write every file into an empty folder, the manifest last, since it has the others' hashes."""
    start = time.perf_counter()
    write_json(folder / RECORD, series_record(result))
    (folder / TABLE).write_text(series_csv(result), encoding="utf-8", newline="\n")
    write_json(folder / TRACKS, track_collection(result))
    picture = png_bytes(series_picture(result), f"revisit series of {result.ground.aoi.name}")
    (folder / PICTURE).write_bytes(picture)
    (folder / REPORT).write_text(render_series(result, picture), encoding="utf-8", newline="\n")
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir()) if path.is_file()
    }
    record = series_manifest(result, files)
    record["timings_s"]["write"] = round(time.perf_counter() - start, 3)
    write_json(folder / MANIFEST, record)


def write_series(result: SeriesResult, folder: Path) -> Path:
    """Write a series' folder, whole or not at all; a previous series in the same place is replaced.

    Returns
    -------
    Path
        The folder, links resolved.

    Raises
    ------
    UsageError
        Where the folder holds anything else, or cannot be written.
    """
    target = Path(os.path.realpath(folder))
    check_series_folder(target)
    try:
        with staged(target, check_series_folder) as stage:
            _write_files(result, stage)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from error
    return target
