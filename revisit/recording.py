"""Everything that a run learnt from its source, kept so that the run can be repeated without that source.

A `RecordingSource` stands in front of any source and writes down each answer: searches, surveys, pixels and refusals. A
`ReplaySource` gives the same answers to the same questions, and refuses any other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from shapely.geometry import mapping, shape

from aoi import AOI, Grid
from imagery.errors import GoneError, ImageryError, RefusedFileError, SceneError, SourceError
from imagery.geotiff import read_band, write_cog
from imagery.raster import Raster
from imagery.scene import Asset, Period, Scene
from imagery.sources.base import Asked, Found, Source, Survey
from revisit.errors import UsageError
from revisit.plain import iso_time, to_json

INDEX = "answers.json"
SCHEMA = "revisit/answers/1"
MOST_ANSWERS = 20_000
REFUSALS: Mapping[str, type[ImageryError]] = {
    kind.__name__: kind for kind in (SceneError, RefusedFileError, GoneError, SourceError)
}
"""Errors that belong to a source's answer."""


def plain_scene(scene: Scene) -> dict[str, Any]:
    """Return a scene as plain JSON values that `scene_from` turns into the same scene."""
    values = {entry.name: getattr(scene, entry.name) for entry in fields(scene)}
    plain = {name: iso_time(value) if isinstance(value, datetime) else value for name, value in values.items()}
    return plain | {
        "footprint": mapping(scene.footprint),
        "assets": {
            name: {f.name: getattr(asset, f.name) for f in fields(asset)} for name, asset in scene.assets.items()
        },
        "parts": [plain_scene(part) for part in scene.parts],
        "notes": list(scene.notes),
    }


def scene_from(values: Mapping[str, Any]) -> Scene:
    """Return the scene of `plain_scene`."""
    moments = {name: datetime.fromisoformat(values[name]) for name in ("acquired", "generated") if values[name]}
    return Scene(
        **{**values, **moments}
        | {
            "footprint": shape(values["footprint"]),
            "assets": {name: Asset(**asset) for name, asset in values["assets"].items()},
            "parts": tuple(scene_from(part) for part in values["parts"]),
            "notes": tuple(values["notes"]),
        }
    )


def _place(aoi: AOI) -> str:
    """Return what tells one area from another."""
    return hashlib.sha256(aoi.geometry.wkb).hexdigest()


def _periods(periods: Sequence[Period]) -> list[list[str]]:
    """Return periods as plain JSON values."""
    return [[iso_time(period.start), iso_time(period.end)] for period in periods]


def plain_grid(grid: Grid) -> dict[str, Any]:
    """Return a grid as plain JSON values."""
    return {"crs": grid.crs, "transform": list(grid.transform)[:6], "width": grid.width, "height": grid.height}


def _grid_from(values: Mapping[str, Any]) -> Grid:
    """Return the grid of `plain_grid`."""
    transform = Affine(*values["transform"])
    return Grid(crs=values["crs"], transform=transform, width=values["width"], height=values["height"])


def _found(found: Found) -> dict[str, Any]:
    """Return the answer to a search as plain JSON values."""
    return {
        "scenes": [plain_scene(scene) for scene in found.scenes],
        "complete": found.complete,
        "warnings": list(found.warnings),
        "asked": [{f.name: getattr(asked, f.name) for f in fields(asked)} for asked in found.asked],
    }


def _found_from(values: Mapping[str, Any]) -> Found:
    """Return the answer of `_found`."""
    return Found(
        scenes=tuple(scene_from(scene) for scene in values["scenes"]),
        complete=values["complete"],
        warnings=tuple(values["warnings"]),
        asked=tuple(Asked(**asked) for asked in values["asked"]),
    )


def _refusal(error: ImageryError) -> dict[str, str]:
    """Return an error as plain JSON values; its nearest kind that is known here."""
    kind = next(name for name, known in REFUSALS.items() if isinstance(error, known))
    return {"kind": kind, "message": str(error)}


def _write_layers(path: Path, layers: Sequence[np.ndarray], grid: Grid, names: Sequence[str]) -> None:
    """Write maps as one GeoTIFF of float32."""
    stacked = np.stack([np.asarray(layer, np.float32) for layer in layers])
    write_cog(path, stacked, grid=grid, descriptions=list(names))


def _read_layers(path: Path, count: int) -> list[np.ndarray]:
    """Return the maps of `_write_layers`."""
    return [read_band(path, index)[0] for index in range(1, count + 1)]


@dataclass(kw_only=True)
class RecordingSource:
    """A source that writes down what it answers."""

    source: Source
    folder: Path
    """New or empty."""
    answers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the source behind."""
        return self.source.name

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return what the source returns, and keep it."""
        found = self.source.search(aoi, periods, sensor=sensor)
        asked = {"area": _place(aoi), "periods": _periods(periods), "sensor": sensor}
        self._keep("search", asked, {"found": _found(found)})
        return found

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return what the source returns, and keep it."""
        asked = {"scene": scene.id, "grid": plain_grid(grid)}
        try:
            survey = self.source.survey(scene, grid)
        except tuple(REFUSALS.values()) as error:
            self._keep("survey", asked, {"refusal": _refusal(error)})
            raise
        if survey is None:
            self._keep("survey", asked, {"file": None})
            return None
        file = self._file()
        _write_layers(self.folder / file, (survey.usable, survey.possible), grid, ("usable", "possible"))
        self._keep("survey", asked, {"file": file})
        return survey

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return what the source returns, and keep it."""
        asked = {"scene": scene.id, "grid": plain_grid(grid), "bands": list(bands)}
        try:
            raster = self.source.read(scene, grid, bands)
        except tuple(REFUSALS.values()) as error:
            self._keep("read", asked, {"refusal": _refusal(error)})
            raise
        file = self._file()
        names = (*raster.bands, "valid", "uncertain")
        _write_layers(self.folder / file, (*raster.data, raster.valid, raster.uncertain), grid, names)
        facts = {
            "bands": list(raster.bands),
            "quantity": raster.quantity,
            "acquired": iso_time(raster.acquired),
            "scene_ids": list(raster.scene_ids),
            "sha256": raster.sha256,
        }
        self._keep("read", asked, {"file": file, "raster": facts})
        return raster

    def _file(self) -> str:
        """Return the name of the next file."""
        return f"{len(self.answers):05d}.tif"

    def _keep(self, kind: str, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Keep an answer; the index is written each time, so that what was learnt is never lost."""
        self.answers.append({"kind": kind, "asked": dict(asked), **answer})
        self.folder.mkdir(parents=True, exist_ok=True)
        index = {"schema": SCHEMA, "source": self.name, "answers": self.answers}
        (self.folder / INDEX).write_text(to_json(index), encoding="utf-8")


def _key(kind: str, asked: Mapping[str, Any]) -> str:
    """Return what tells one question from another."""
    return json.dumps([kind, asked], sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class ReplaySource:
    """A source that answers from a recording, and from nothing else."""

    folder: Path
    name: str
    answers: Mapping[str, Mapping[str, Any]]

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return the recorded answer."""
        asked = {"area": _place(aoi), "periods": _periods(periods), "sensor": sensor}
        return _found_from(self._answer("search", asked)["found"])

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return the recorded answer."""
        answer = self._answer("survey", {"scene": scene.id, "grid": plain_grid(grid)})
        if answer["file"] is None:
            return None
        usable, possible = _read_layers(self.folder / answer["file"], 2)
        return Survey(usable=usable > 0, possible=possible > 0)

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return the recorded pixels.

        Raises
        ------
        SourceError
            Where they were not recorded, or are not as they were.
        """
        answer = self._answer("read", {"scene": scene.id, "grid": plain_grid(grid), "bands": list(bands)})
        facts = answer["raster"]
        *data, valid, uncertain = _read_layers(self.folder / answer["file"], len(facts["bands"]) + 2)
        raster = Raster(
            data=np.stack(data),
            valid=valid > 0,
            uncertain=uncertain > 0,
            grid=grid,
            bands=tuple(facts["bands"]),
            quantity=facts["quantity"],
            acquired=datetime.fromisoformat(facts["acquired"]),
            scene_ids=tuple(facts["scene_ids"]),
        )
        if raster.sha256 != facts["sha256"]:
            raise SourceError(f"the recorded pixels of {scene.id} are not as they were read")
        return raster

    def _answer(self, kind: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer to a question, raising what the source raised."""
        answer = self.answers.get(_key(kind, asked))
        if answer is None:
            raise SourceError(f"the recording has no {kind} of {asked.get('scene', asked.get('sensor'))}")
        if "refusal" in answer:
            raise REFUSALS[answer["refusal"]["kind"]](answer["refusal"]["message"])
        return answer


def open_recording(folder: Path) -> ReplaySource:
    """Return the source of a recording.

    Raises
    ------
    UsageError
        Where there is none, or it is not one of ours.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no recording: {error}") from error
    if index.get("schema") != SCHEMA or len(index["answers"]) > MOST_ANSWERS:
        raise UsageError(f"{folder} holds a recording of another kind: {str(index.get('schema'))[:40]!r}")
    answers = {_key(answer["kind"], answer["asked"]): answer for answer in index["answers"]}
    return ReplaySource(folder=folder, name=index["source"], answers=answers)
