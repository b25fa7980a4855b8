"""What the viewer shows of many runs, as plain values, and the pictures of their dates."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import shapely
from PIL import Image
from shapely.geometry.base import BaseGeometry

from revisit.export.tables import candidates_text
from revisit.mapframe import projected_lines
from revisit.picture import Stretch, shades, shared_stretch
from revisit.plain import iso_time
from revisit.report_map import place_terms
from revisit.runs import Role, SavedFlag, SavedRun
from revisit.symbols import SIGN_COLOURS, SIMULATED, labelled
from revisit.wording import stamp

STRETCHED = 6
"""Dates of an area from which the common stretch is taken, evenly spread."""
KEPT = 64
"""Pictures that are kept in memory."""


def key_of(text: str) -> str:
    """Return a short name for a place on the disk, which says nothing of it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


@dataclass(frozen=True)
class Shot:
    """One date of an area: a run that has it, and the role that it has there."""

    run: SavedRun
    role: Role


@dataclass(frozen=True)
class Area:
    """The runs that lie on one grid."""

    key: str
    runs: tuple[SavedRun, ...]

    @cached_property
    def shots(self) -> tuple[Shot, ...]:
        """Each date once, earliest first."""
        roles: tuple[Role, Role] = ("before", "after")
        every = {run.acquired(role): Shot(run, role) for run in reversed(self.runs) for role in roles}
        return tuple(every[moment] for moment in sorted(every))


def _signature(run: SavedRun) -> str:
    """Return what two runs of one area have in common."""
    shown = [run.manifest["detection"].get(key) for key in ("quantity", "bands")]
    return json.dumps([run.name, run.grid.crs, list(run.grid.transform)[:6], run.grid.shape, shown])


def areas_of(runs: Sequence[SavedRun]) -> tuple[Area, ...]:
    """Return the runs by area, in the order in which the areas come first."""
    found: dict[str, list[SavedRun]] = {}
    for run in runs:
        found.setdefault(_signature(run), []).append(run)
    return tuple(Area(key_of(signature), tuple(members)) for signature, members in found.items())


def _path(geometry: BaseGeometry) -> str:
    """Return the rings of a geometry in pixel coordinates as the data of a path."""
    rings = (shapely.get_coordinates(ring) for ring in shapely.get_rings(geometry))
    return "".join("M" + " ".join(f"{x:g},{y:g}" for x, y in ring.tolist()) + "Z" for ring in rings)


def _flag(flag: SavedFlag, run: SavedRun, key: str) -> dict[str, Any]:
    """Return a flag as the page wants it."""
    outline, values = run.outline(flag), flag.properties
    numbers = ("length_m", "width_m", "area_m2", "contrast", "p_value", "false_alarms")
    return {
        "run": key,
        "id": flag.id,
        "label": labelled(flag.id, flag.change),  # type: ignore[arg-type]  # checked when it was read
        "sign": flag.change,
        "scale": flag.scale,
        "zone": values.get("zone"),
        "sensor": values.get("sensor"),
        "before": values.get("before"),
        "after": values.get("after"),
        **{name: values.get(name) for name in numbers},
        "candidates": candidates_text(values),
        "notes": [str(note) for note in values.get("notes") or []],
        "path": _path(outline),
        "box": list(outline.bounds),
    }


def _zones(area: Area) -> list[dict[str, Any]]:
    """Return the zones of an area, by the run that came last."""
    run, found = area.runs[-1], []
    for zone in run.zones:
        lines = projected_lines(zone.geometry, run.grid) if zone.geometry is not None else ()
        if lines:
            points = np.concatenate(lines)
            bounds = [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]
            path = "".join("M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in line.tolist()) for line in lines)
            found.append({"name": zone.name, "kind": zone.kind, "path": path, "box": bounds})
    return found


def _run(run: SavedRun, key: str, area: Area) -> dict[str, Any]:
    """Return a run as the page wants it."""
    manifest = run.manifest
    return {
        "key": key,
        "area": area.key,
        "folder": run.folder.name,
        "before": iso_time(run.acquired("before")),
        "after": iso_time(run.acquired("after")),
        "flags": len(run.flags),
        "calibrated": bool(manifest["calibrated"]),
        "rate": manifest.get("false_alarms_per_km2"),
        "searched_km2": manifest.get("searched_km2"),
        "valid": manifest.get("searched_valid_share"),
        "complete": bool(manifest.get("complete", True)),
        "notice": run.notice,
        "report": (run.folder / "report.html").is_file(),
    }


def _sensors(area: Area) -> str:
    """Return whose pictures and flags an area's runs have; the pictures are those of the first named."""
    radar = area.runs[0].manifest["detection"].get("quantity") != "reflectance"
    both = any(len(run.parts) > 1 for run in area.runs)
    return "optical and radar" if both else "radar" if radar else "optical"


def _area(area: Area) -> dict[str, Any]:
    """Return an area as the page wants it."""
    grid = area.runs[0].grid
    return {
        "key": area.key,
        "name": area.runs[0].name,
        "sensor": _sensors(area),
        "box": list(area.runs[0].area.bounds),
        "cols": grid.width,
        "rows": grid.height,
        "gsd": grid.gsd,
        "places": json.loads(place_terms(grid)),
        "zones": _zones(area),
        "watermark": SIMULATED if any(run.simulated for run in area.runs) else None,
        "dates": [
            {
                "moment": iso_time(shot.run.acquired(shot.role)),
                "words": stamp(shot.run.acquired(shot.role)),
                "picture": f"area/{area.key}/date/{number}.png",
            }
            for number, shot in enumerate(area.shots)
        ],
    }


class Catalogue:
    """The runs of a folder, and their pictures as they are asked for."""

    def __init__(self, runs: Sequence[SavedRun], problems: Sequence[str]) -> None:
        self.runs = {key_of(str(run.folder)): run for run in runs}
        self.areas = {area.key: area for area in areas_of(runs)}
        self.problems = tuple(problems)
        self._stretches: dict[str, Stretch] = {}
        self._pictures: dict[tuple[str, int], bytes] = {}
        self._lock = Lock()

    @cached_property
    def document(self) -> bytes:
        """Areas, runs and flags as JSON."""
        keys = {id(run): key for key, run in self.runs.items()}
        members = [(run, keys[id(run)], area) for area in self.areas.values() for run in area.runs]
        value = {
            "areas": [_area(area) for area in self.areas.values()],
            "runs": [_run(run, key, area) for run, key, area in members],
            "flags": [_flag(flag, run, key) for run, key, _ in members for flag in run.flags],
            "colours": dict(SIGN_COLOURS),
            "problems": self.problems,
        }
        return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()

    def _stretch(self, area: Area) -> Stretch:
        """Return the stretch that all dates of an area share."""
        if area.key not in self._stretches:
            step = max(len(area.shots) // STRETCHED, 1)
            taken = area.shots[::step][:STRETCHED]
            self._stretches[area.key] = shared_stretch(tuple(shot.run.raster(shot.role) for shot in taken))
        return self._stretches[area.key]

    def picture(self, area_key: str, number: int) -> bytes:
        """Return a date's picture, one pixel of the grid a pixel, as PNG.

        Raises
        ------
        LookupError
            Where there is no such area or date.
        RefusedFileError
            Where its raster is not what the run wrote.
        """
        area = self.areas[area_key]
        if not 0 <= number < len(area.shots):
            raise IndexError(f"the area has {len(area.shots)} dates, not {number + 1}")
        with self._lock:
            if (area_key, number) not in self._pictures:
                shot = area.shots[number]
                buffer = io.BytesIO()
                shown = shades(shot.run.raster(shot.role), self._stretch(area))
                Image.fromarray(shown).save(buffer, "PNG", compress_level=1)
                while len(self._pictures) >= KEPT:
                    self._pictures.pop(next(iter(self._pictures)))
                self._pictures[area_key, number] = buffer.getvalue()
            return self._pictures[area_key, number]
