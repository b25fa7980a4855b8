"""Runs read back from their folders: what another program, or an attacker, may have changed since is checked again."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from affine import Affine
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from aoi import Grid
from aoi.geometry import to_crs
from detect.detectability import ClassDetectability
from imagery.documents import MAX_JSON_BYTES, parse_json
from imagery.errors import RefusedFileError
from imagery.files import inside
from imagery.opening import open_raster
from imagery.raster import FloatArray, Raster
from revisit.errors import UsageError
from revisit.manifest import ATTRIBUTION, SCHEMA
from revisit.seen import NAME as DETECTABILITY
from revisit.symbols import SIGN_COLOURS, SIMULATED
from revisit.witnessed import SENSOR_WORDS

Role = Literal["before", "after"]

MANIFEST, FLAGS = "run.json", "flags.geojson"
MOST_RUNS = 2000
"""In one folder; more are not looked at."""
DEEPEST = 3
"""Levels below the folder that are searched for runs."""


@dataclass(frozen=True, kw_only=True)
class SavedFlag:
    """A flag as flags.geojson has it."""

    id: str
    change: str
    """"appeared", "vanished" or "altered"."""
    scale: str
    """"object" or "area"."""
    geometry: BaseGeometry
    """Longitude and latitude."""
    properties: Mapping[str, Any]
    """All of them, as in the file."""


@dataclass(frozen=True, kw_only=True)
class SavedZone:
    """A zone as the manifest has it."""

    name: str
    kind: str
    source: str
    accuracy_m: float | None
    geometry: BaseGeometry | None
    """Longitude and latitude; None in manifests that do not keep it."""


@dataclass(frozen=True)
class SavedRun:
    """A run's folder and its manifest."""

    folder: Path
    manifest: Mapping[str, Any]
    only: str | None = None
    """The sensor whose part this is, "s2" or "s1"; None for all that the run found."""

    @property
    def parts(self) -> tuple[SavedRun, ...]:
        """Each sensor's dates, pictures and flags by themselves; of one sensor, the run as it is."""
        told = {} if self.only else self.manifest.get("sensors") or {}
        found = [SavedRun(self.folder, {**self.manifest, **told[name]}, name) for name in ("s2", "s1") if name in told]
        return tuple(found) if len(found) > 1 else (self,)

    @property
    def prefix(self) -> str:
        """Before the names of the files of this part: those of radar beside an optical sensor's."""
        return "s1-" if self.only == "s1" else ""

    @property
    def kind(self) -> str:
        """The sensor of the pictures here, "s2" or "s1"."""
        return str(self.compared_scenes[0].get("sensor")) if self.compared_scenes else ""

    @property
    def head(self) -> str:
        """What stands before the names of this part's pictures: its sensor, where there are two."""
        return f"{SENSOR_WORDS[self.only]}, " if self.only else ""

    @property
    def name(self) -> str:
        """The area's name."""
        return str(self.manifest["area"]["name"])

    @property
    def simulated(self) -> bool:
        """Whether nothing in it is real."""
        return bool(self.manifest.get("simulated"))

    @property
    def notice(self) -> str:
        """Whose data its pictures are made of."""
        if self.simulated:
            return SIMULATED
        years = sorted({self.acquired("before").year, self.acquired("after").year})
        return f"{ATTRIBUTION} {', '.join(map(str, years))}"

    def acquired(self, role: Role) -> datetime:
        """Return when a date was taken, UTC."""
        return datetime.fromisoformat(str(self.manifest[role]))

    @property
    def compared_scenes(self) -> list[Mapping[str, Any]]:
        """The scenes of before.tif and after.tif and their baseline: of two sensors, those of the first."""
        scenes = self.manifest["scenes"]
        sensor = self.only or scenes[0].get("sensor")
        return [scene for scene in scenes if scene.get("sensor") == sensor]

    @cached_property
    def grid(self) -> Grid:
        """The grid of its rasters."""
        saved = self.manifest["grid"]
        rows, cols = saved["shape"]
        return Grid(crs=str(saved["crs"]), transform=Affine(*saved["transform"]), width=int(cols), height=int(rows))

    @cached_property
    def area(self) -> BaseGeometry:
        """The area's outline, longitude and latitude."""
        return shape(self.manifest["area"]["geometry"])

    @cached_property
    def zones(self) -> tuple[SavedZone, ...]:
        """The zones in their order."""
        return tuple(_zone(zone) for zone in self.manifest["area"].get("zones", []))

    @cached_property
    def flags(self) -> tuple[SavedFlag, ...]:
        """The flags, strongest first."""
        flags = (_flag(feature) for feature in _read(self.folder, FLAGS)["features"])
        return tuple(flag for flag in flags if self.only in (None, flag.properties.get("sensor")))

    def raster(self, role: Role) -> Raster:
        """Return a date as it was compared.

        Raises
        ------
        RefusedFileError
            Where the file is not what the run wrote.
        """
        data, bands = self._bands(f"{self.prefix}{role}.tif")
        return Raster(
            data=data,
            valid=np.asarray(np.isfinite(data).all(axis=0)),
            uncertain=np.zeros(self.grid.shape, np.bool_),
            grid=self.grid,
            bands=bands,
            quantity=str(self.manifest["detection"]["quantity"]),
            acquired=self.acquired(role),
            scene_ids=tuple(str(scene["id"]) for scene in self.compared_scenes if scene["role"] == role),
        )

    def change(self) -> dict[str, FloatArray]:
        """Return the bands of change.tif by their names."""
        data, names = self._bands(f"{self.prefix}change.tif")
        return dict(zip(names, data, strict=True))

    def detectability(self) -> dict[str, list[ClassDetectability]]:
        """Return what could have been seen, by the sensor's name; empty where it was not measured.

        Raises
        ------
        RefusedFileError
            Where the file is not what the run wrote.
        """
        found: dict[str, list[ClassDetectability]] = {}
        if not (self.folder / DETECTABILITY).is_file():
            return found
        try:
            for row in _read(self.folder, DETECTABILITY)["rows"]:
                sensor = SENSOR_WORDS[row.get("sensor", self.kind)]
                found.setdefault(sensor, []).append(_seen(row))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise RefusedFileError(f"{DETECTABILITY} is not of this run: {error}") from error
        return found

    def _bands(self, name: str) -> tuple[FloatArray, tuple[str, ...]]:
        """Return all bands of one of its rasters with their names."""
        with open_raster(inside(self.folder, self.folder / name)) as dataset:
            if dataset.shape != self.grid.shape:
                raise RefusedFileError(
                    f"{name} has {dataset.shape} pixels, the manifest says {self.grid.shape}: not of this run"
                )
            data = np.asarray(dataset.read(), np.float32)
            return data, tuple(text or f"band {k}" for k, text in enumerate(dataset.descriptions, start=1))

    def outline(self, flag: SavedFlag) -> BaseGeometry:
        """Return a flag's outline in pixel coordinates of the grid, one pixel clear of its own pixels."""
        inverse = ~self.grid.transform
        placed = shapely.transform(
            to_crs(flag.geometry, self.grid.crs), lambda xy: xy * (inverse.a, inverse.e) + (inverse.c, inverse.f)
        )
        # Its corners are those of pixels, but for a millimetre and the necks that join pixels at a corner.
        return shapely.set_precision(placed, 1.0).buffer(1, join_style="mitre").simplify(0)


def _seen(row: Mapping[str, Any]) -> ClassDetectability:
    """Return a row of detectability.json; null is not known."""
    low, high, blank, pd, least = (
        math.nan if row[key] is None else float(row[key])
        for key in ("low", "high", "blank_rate", "pd", "least_contrast_area_m2")
    )
    # Earlier runs have no such keys.
    strength, visitor = row.get("least_strength"), row.get("visitor_pd")
    return ClassDetectability(
        object=str(row["object"]),
        ground=str(row["ground"]),
        direction="appeared" if row["direction"] == "appeared" else "vanished",
        pd=pd,
        low=low,
        high=high,
        placements=int(row["placements"]),
        blank_rate=blank,
        observable=bool(row["observable"]),
        least_contrast_area_m2=least,
        least_strength=math.nan if strength is None else float(strength),
        reason=None if row["reason"] is None else str(row["reason"]),
        vacant=tuple(str(zone) for zone in row.get("vacant", ())),
        visitor_pd=None if visitor is None else float(visitor),
    )


def _zone(zone: Mapping[str, Any]) -> SavedZone:
    """Return a zone of a manifest."""
    outline, accuracy = zone.get("geometry"), zone.get("accuracy_m")
    return SavedZone(
        name=str(zone["name"]),
        kind=str(zone["kind"]),
        source=str(zone.get("source", "")),
        accuracy_m=None if accuracy is None else float(accuracy),
        geometry=None if outline is None else shape(outline),
    )


def _flag(feature: Mapping[str, Any]) -> SavedFlag:
    """Return a flag of flags.geojson, refusing a sign that no run gives."""
    values = feature["properties"]
    if values["change"] not in SIGN_COLOURS or values["scale"] not in ("object", "area"):
        raise RefusedFileError(f"{FLAGS}: a flag has the sign {values['change']!r} and scale {values['scale']!r}")
    geometry = shape(feature["geometry"])
    if geometry.is_empty or not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise RefusedFileError(f"{FLAGS}: a flag has no outline")
    return SavedFlag(
        id=str(values["id"]), change=values["change"], scale=values["scale"], geometry=geometry, properties=values
    )


def _read(folder: Path, name: str) -> Any:
    """Return a JSON document of a run."""
    with inside(folder, folder / name).open("rb") as file:
        return parse_json(file.read(MAX_JSON_BYTES + 1))


def _manifest(folder: Path) -> Mapping[str, Any]:
    """Return the manifest in a folder, refusing one of another schema."""
    manifest = _read(folder, MANIFEST)
    if str(manifest["schema"]).rpartition("/")[0] != SCHEMA.rpartition("/")[0]:
        raise RefusedFileError(f"{MANIFEST} says {str(manifest['schema'])[:60]!r}, not {SCHEMA!r}")
    return dict(manifest)


def open_run(folder: Path) -> SavedRun:
    """Return the run in a folder, its manifest and flags checked.

    Raises
    ------
    UsageError
        Where there is none, or what is there is not what a run leaves.
    """
    try:
        run = SavedRun(folder, _manifest(folder))
        _ = run.acquired("before"), run.acquired("after"), run.grid, run.area, run.zones, run.flags, run.name
    except (RefusedFileError, OSError) as error:
        raise UsageError(f"{folder} is no run that can be read: {error}") from error
    except (ValueError, LookupError, TypeError, AttributeError, shapely.errors.ShapelyError) as error:
        raise UsageError(f"{folder} is no run that can be read: its documents lack {error}") from error
    return run


def _folders(root: Path) -> Iterator[Path]:
    """Yield the folders with a manifest, `root` itself first; links and hidden folders are not followed."""
    for name, subfolders, files in os.walk(root, followlinks=False):
        here = Path(name)
        subfolders[:] = sorted(sub for sub in subfolders if not sub.startswith(".") and not (here / sub).is_symlink())
        if MANIFEST in files:
            subfolders.clear()
            yield here
        elif len(here.relative_to(root).parts) >= DEEPEST:
            subfolders.clear()


def find_runs(root: Path) -> tuple[list[SavedRun], list[str]]:
    """Return the runs in a folder and below it, earliest first, and why others could not be read.

    Parameters
    ----------
    root
        A run's folder, or one that holds several, at most three levels down.

    Raises
    ------
    UsageError
        Where it is no folder.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is no folder; give that of a run, or one that holds runs")
    found, problems = [], []
    for number, folder in enumerate(_folders(root)):
        if number >= MOST_RUNS:
            problems.append(f"only the first {MOST_RUNS} runs of {root} are looked at")
            break
        try:
            found.append(open_run(folder))
        except UsageError as error:
            problems.append(str(error))
    return sorted(found, key=lambda run: (run.acquired("before"), run.acquired("after"), str(run.folder))), problems
