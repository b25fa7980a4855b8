"""A run's folder: written beside its place under another name, and moved there when it is whole."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from detect.change import ScaleChange
from imagery.geotiff import write_cog
from imagery.raster import FloatArray, Raster
from revisit.errors import UsageError
from revisit.flags import SIMULATED, flag_collection
from revisit.item import NAME as ITEM
from revisit.item import item
from revisit.manifest import ATTRIBUTION, SCHEMA, manifest
from revisit.overlay import write_pictures
from revisit.plain import iso_time, write_json
from revisit.report import write_report
from revisit.result import Result
from revisit.seen import NAME as DETECTABILITY
from revisit.seen import detectability_table
from revisit.wording import why_uncalibrated

MANIFEST = "run.json"
CHANGE_BANDS = ("object_statistic", "object_p", "area_statistic", "area_p", "direction", "valid")
PREFIXES = ("", "s1-")
"""Of the names of the maps and pictures: the first sensor's have the plain names, the radar's beside it these."""
UNSAFE = re.compile(r"[^\w.-]+")
LONGEST_NAME = 80
MOST_MANIFEST_BYTES = 50_000_000


def default_folder(name: str, before: str, after: str) -> Path:
    """Return where a run goes when nobody says: runs/AREA_BEFORE_AFTER, the area's name made safe for a file system."""
    safe = UNSAFE.sub("-", name).strip(".-")[:LONGEST_NAME] or "area"
    return Path("runs") / f"{safe}_{before}_{after}"


def _strength(scale: ScaleChange) -> FloatArray:
    """Return evidence over the evidence that is needed (row, col), 0 where not valid.

    Ground that is not searched has no threshold; the middle one of the searched ground serves there.
    """
    needed = scale.threshold[np.isfinite(scale.threshold)]
    usual = np.median(needed) if needed.size else np.float32(np.inf)
    ratio = np.nan_to_num(scale.statistic / np.where(np.isnan(scale.threshold), usual, scale.threshold))
    # The area statistic is a root, that of objects a squared distance.
    return np.asarray(ratio if scale.scale == "object" else ratio**2, dtype=np.float32)


def change_bands(result: Result) -> FloatArray:
    """Return the bands of change.tif, in the order of `CHANGE_BANDS`: (6, row, col) float32.

    The direction is that of the scale that is stronger at a pixel, each measured against what it needs to be flagged.
    """
    objects, areas = result.change.objects, result.change.areas
    direction = np.where(_strength(objects) >= _strength(areas), objects.direction, areas.direction)
    maps = (objects.statistic, objects.p_value, areas.statistic, areas.p_value, direction, result.change.valid)
    return np.stack([np.asarray(band, dtype=np.float32) for band in maps])


def _tags(result: Result, raster: Raster | None = None) -> dict[str, str]:
    """Return the texts that stand in a file's own metadata, so that it can be told without the folder around it."""
    tags = {"AREA": result.aoi.name, "NOTICE": SIMULATED if result.simulated else ATTRIBUTION}
    if raster:
        tags |= {
            "ACQUIRED": iso_time(raster.acquired),
            "QUANTITY": raster.quantity,
            "SCENE": " ".join(raster.scene_ids),
        }
    return tags


def _write_rasters(result: Result, folder: Path, prefix: str) -> None:
    """Write the change maps and both dates of one sensor as compared."""
    maps = change_bands(result)
    reason = why_uncalibrated(result)
    tags = _tags(result) | {"CALIBRATION": f"uncalibrated: {reason}" if reason else "calibrated"}
    write_cog(folder / f"{prefix}change.tif", maps, grid=result.grid, descriptions=CHANGE_BANDS, tags=tags)
    for name, raster in (("before.tif", result.before), ("after.tif", result.after)):
        tags = _tags(result, raster)
        write_cog(folder / (prefix + name), raster.data, grid=raster.grid, descriptions=raster.bands, tags=tags)


def _write_files(result: Result, folder: Path) -> None:
    """Write every file of a run into an empty folder, the Item last, since it has the others' checksums."""
    start = time.perf_counter()
    for part, prefix in zip(result.parts, PREFIXES, strict=False):
        _write_rasters(part, folder, prefix)
    write_json(folder / "flags.geojson", flag_collection(result))
    if any(part.detectability for part in result.parts):
        write_json(folder / DETECTABILITY, detectability_table(result))
    write_pictures(result, folder)
    if result.other is not None:
        write_pictures(result.other, folder, PREFIXES[1])
    write_report(result, folder)
    record = manifest(result)
    record["timings_s"]["write"] = round(time.perf_counter() - start, 3)
    write_json(folder / MANIFEST, record)
    write_json(folder / ITEM, item(result, folder))


def _listed(folder: Path) -> set[str] | None:
    """Return the names that a previous run of ours left in a folder; None where it is not one."""
    try:
        if (folder / MANIFEST).stat().st_size > MOST_MANIFEST_BYTES:
            return None
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if record.get("finished") is False:
            return {MANIFEST}
        listed = json.loads((folder / ITEM).read_text(encoding="utf-8"))
        if str(record["schema"]).rpartition("/")[0] != SCHEMA.rpartition("/")[0]:
            return None
        return {MANIFEST, ITEM, *listed["assets"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check_parent(folder: Path) -> None:
    """Refuse a place below something in which no folder can be made."""
    above = next(path for path in folder.absolute().parents if path.exists())
    if not above.is_dir():
        raise UsageError(f"{above} is a file; choose another folder with -o")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"{above} cannot be written; choose another folder with -o")


def check_place(folder: Path, *, kind: str, names: Container[str], is_ours: Callable[[Path], bool]) -> None:
    """Refuse a place where something must not be written: a file, or a folder with anything that we did not write.

    Parameters
    ----------
    folder
        Where it is to go.
    kind
        "series" or "check", for messages.
    names
        Of all that one may hold.
    is_ours
        Whether a folder with nothing else in it is one.

    Raises
    ------
    UsageError
        With what is in the way.
    """
    if not os.path.lexists(folder):
        check_parent(folder)
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file; choose another folder with -o")
    present = sorted(path.name for path in folder.iterdir())
    if foreign := [name for name in present if name not in names]:
        raise UsageError(f"{folder} holds {foreign[0]}, which no {kind} wrote; choose another folder with -o")
    if present and not is_ours(folder):
        raise UsageError(f"{folder} holds something that is not a {kind} of ours; choose another folder with -o")


def check_target(folder: Path) -> None:
    """Refuse a place where a run must not be written: a file, or a folder with anything that is not of a previous run.

    Raises
    ------
    UsageError
        With what is in the way.
    """
    if not os.path.lexists(folder):
        check_parent(folder)
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file; choose another folder with -o")
    present = {path.name for path in folder.iterdir()}
    if not present:
        return
    ours = _listed(folder)
    if ours is None:
        raise UsageError(f"{folder} holds something that is not a run of ours; choose another folder with -o")
    if foreign := sorted(present - ours):
        raise UsageError(f"{folder} holds {foreign[0]}, which no run wrote; move it, or choose another folder with -o")


def _replace(target: Path, stage: Path, old: Path) -> None:
    """Move the stage to the target; what was there waits under another name until that is done."""
    if target.exists():
        target.rename(old)
    try:
        stage.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def staged(target: Path, check: Callable[[Path], None] = check_target) -> Iterator[Path]:
    """Give a new folder beside the target, and move it there when all went well; else remove it.

    `check` refuses a target that must not be replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    stage, old = (target.parent / f".{target.name}.{token}.{kind}" for kind in ("partial", "old"))
    stage.mkdir()
    try:
        yield stage
        check(target)
        _replace(target, stage, old)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def write_run(result: Result, folder: Path) -> Path:
    """Write a run's folder, whole or not at all.

    Everything is written under a hidden name beside the folder and then moved into place, so that a run that is killed
    leaves no half folder. A previous run in the same place is replaced.

    Parameters
    ----------
    result
        What to write.
    folder
        Where; new, empty, or holding a previous run and nothing else.

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
    check_target(target)
    try:
        with staged(target) as stage:
            _write_files(result, stage)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from error
    return target
