"""Everything that a run learnt from its source, kept so that the run can be repeated without that source.

A `RecordingSource` stands in front of any source and writes down each answer: searches, surveys, pixels and refusals.
What was asked before is answered from what is written down, so that several runs read each scene once. Without a source
behind it, it is a replay: it gives the same answers to the same questions, and refuses any other.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from shapely.geometry import mapping, shape

from aoi import AOI, Grid
from imagery.errors import (
    BudgetError,
    CredentialsError,
    GoneError,
    ImageryError,
    NoSceneError,
    RefusedFileError,
    SceneError,
    SourceError,
)
from imagery.geotiff import read_band, write_cog
from imagery.raster import Raster
from imagery.scene import Asset, Period, Scene
from imagery.sources.base import Asked, Found, Source, Survey
from revisit.errors import UsageError
from revisit.plain import iso_time, to_json

INDEX = "answers.json"
SCHEMA = "revisit/answers/1"
MOST_ANSWERS = 20_000
LASTING: Mapping[str, type[ImageryError]] = {
    kind.__name__: kind for kind in (SceneError, RefusedFileError, GoneError, NoSceneError)
}
"""Refusals that belong to a scene, or a sensor that the source does not have: another call gets the same."""
PASSING: Mapping[str, type[ImageryError]] = {
    kind.__name__: kind for kind in (SourceError, CredentialsError, BudgetError)
}
"""A source that failed is asked again as long as there is one; a replay fails where it failed."""
_KEPT = {**LASTING, **PASSING}
NAN = "nan"
_SCENES = ("parts", "twins")
_MOMENTS = ("acquired", "generated")


def _plain_asset(asset: Asset) -> dict[str, Any]:
    """Return an asset as plain JSON values, which know no NaN."""
    values = {f.name: getattr(asset, f.name) for f in fields(asset)}
    return values | ({"nodata": NAN} if asset.nodata is not None and math.isnan(asset.nodata) else {})


def _asset_from(values: Mapping[str, Any]) -> Asset:
    """Return the asset of `_plain_asset`."""
    return Asset(**{**values, "nodata": math.nan if values["nodata"] == NAN else values["nodata"]})


def plain_scene(scene: Scene) -> dict[str, Any]:
    """Return a scene as plain JSON values that `scene_from` turns into the same scene."""
    values = {entry.name: getattr(scene, entry.name) for entry in fields(scene)}
    plain = {name: iso_time(value) if isinstance(value, datetime) else value for name, value in values.items()}
    return plain | {
        "footprint": mapping(scene.footprint),
        "assets": {name: _plain_asset(asset) for name, asset in scene.assets.items()},
        "notes": list(scene.notes),
        **{name: [plain_scene(other) for other in getattr(scene, name)] for name in _SCENES},
    }


def scene_from(values: Mapping[str, Any]) -> Scene:
    """Return the scene of `plain_scene`."""
    moments = {name: datetime.fromisoformat(values[name]) for name in _MOMENTS if values[name]}
    return Scene(
        **{**values, **moments}
        | {
            "footprint": shape(values["footprint"]),
            "assets": {name: _asset_from(asset) for name, asset in values["assets"].items()},
            "notes": tuple(values["notes"]),
            **{name: tuple(scene_from(other) for other in values[name]) for name in _SCENES},
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


def _plain_found(found: Found) -> dict[str, Any]:
    """Return the answer to a search as plain JSON values."""
    return {
        "scenes": [plain_scene(scene) for scene in found.scenes],
        "complete": found.complete,
        "warnings": list(found.warnings),
        "asked": [{f.name: getattr(asked, f.name) for f in fields(asked)} for asked in found.asked],
    }


def _found_from(values: Mapping[str, Any]) -> Found:
    """Return the answer of `_plain_found`."""
    return Found(
        scenes=tuple(scene_from(scene) for scene in values["scenes"]),
        complete=values["complete"],
        warnings=tuple(values["warnings"]),
        asked=tuple(Asked(**asked) for asked in values["asked"]),
    )


def _refusal(error: ImageryError) -> dict[str, str]:
    """Return an error as plain JSON values; its nearest kind that is known here."""
    kind = next(name for name, known in _KEPT.items() if isinstance(error, known))
    return {"kind": kind, "message": str(error)}


def _plain_raster(raster: Raster) -> dict[str, Any]:
    """Return what is to be known of a raster beside its pixels, as plain JSON values."""
    return {
        "bands": list(raster.bands),
        "quantity": raster.quantity,
        "acquired": iso_time(raster.acquired),
        "scene_ids": list(raster.scene_ids),
        "sha256": raster.sha256,
        "origin": plain_scene(raster.origin) if raster.origin else None,
    }


def _write_layers(path: Path, layers: Sequence[np.ndarray], grid: Grid, names: Sequence[str]) -> None:
    """Write maps as one GeoTIFF of float32."""
    stacked = np.stack([np.asarray(layer, np.float32) for layer in layers])
    write_cog(path, stacked, grid=grid, descriptions=list(names))


def _read_layers(path: Path, count: int) -> list[np.ndarray]:
    """Return the maps of `_write_layers`."""
    return [read_band(path, index)[0] for index in range(1, count + 1)]


def _key(kind: str, asked: Mapping[str, Any]) -> str:
    """Return what tells one question from another."""
    return json.dumps([kind, asked], sort_keys=True)


@dataclass(kw_only=True)
class RecordingSource:
    """A source that writes down what it answers, or one that repeats what was written down."""

    folder: Path
    """Of the recording; new or empty where there is a source."""
    source: Source | None = None
    """Who is asked what was not asked before; None: nobody."""
    named: str = ""
    """Name of the source of a replay."""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By question, in the order in which they were asked."""

    @property
    def name(self) -> str:
        """Of the source behind, now or then."""
        return self.source.name if self.source else self.named

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return what the source returns, and keep it."""
        asked = {"area": _place(aoi), "periods": _periods(periods), "sensor": sensor}
        if (answer := self._known("search", asked)) is not None:
            return _found_from(answer["found"])
        source = self._behind("search", sensor)
        try:
            found = source.search(aoi, periods, sensor=sensor)
        except tuple(_KEPT.values()) as error:
            self._keep("search", asked, {"refusal": _refusal(error)})
            raise
        self._keep("search", asked, {"found": _plain_found(found)})
        return found

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return what the source returns, and keep it."""
        asked = {"scene": scene.id, "grid": plain_grid(grid)}
        if (answer := self._known("survey", asked)) is not None:
            return self._survey(answer)
        source = self._behind("survey", scene.id)
        try:
            survey = source.survey(scene, grid)
        except tuple(_KEPT.values()) as error:
            self._keep("survey", asked, {"refusal": _refusal(error)})
            raise
        file = None
        if survey is not None:
            file = self._file()
            _write_layers(self.folder / file, (survey.usable, survey.possible), grid, ("usable", "possible"))
        self._keep("survey", asked, {"file": file})
        return survey

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return what the source returns, and keep it.

        Raises
        ------
        SourceError
            Where the source failed; in a replay, where the pixels were not recorded, or are not as they were.
        """
        asked = {"scene": scene.id, "grid": plain_grid(grid), "bands": list(bands)}
        if (answer := self._known("read", asked)) is not None:
            return self._raster(answer, grid)
        source = self._behind("read", scene.id)
        try:
            raster = source.read(scene, grid, bands)
        except tuple(_KEPT.values()) as error:
            self._keep("read", asked, {"refusal": _refusal(error)})
            raise
        file = self._file()
        names = (*raster.bands, "valid", "uncertain")
        _write_layers(self.folder / file, (*raster.data, raster.valid, raster.uncertain), grid, names)
        self._keep("read", asked, {"file": file, "raster": _plain_raster(raster)})
        return raster

    def _behind(self, kind: str, what: str) -> Source:
        """Return the source that can be asked."""
        if self.source is None:
            raise SourceError(f"the recording has no {kind} of {what}")
        return self.source

    def _known(self, kind: str, asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the answer that was written down, raising what was raised; None where nobody asked yet."""
        answer = self.answers.get(_key(kind, asked))
        if answer is None or "refusal" not in answer:
            return answer
        kept = answer["refusal"]
        if kept["kind"] in PASSING and self.source is not None:
            return None
        raise _KEPT[kept["kind"]](kept["message"])

    def _survey(self, answer: Mapping[str, Any]) -> Survey | None:
        """Return the survey that was written down."""
        if answer["file"] is None:
            return None
        usable, possible = _read_layers(self.folder / answer["file"], 2)
        return Survey(usable=usable > 0, possible=possible > 0)

    def _raster(self, answer: Mapping[str, Any], grid: Grid) -> Raster:
        """Return the pixels that were written down."""
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
            origin=scene_from(facts["origin"]) if facts["origin"] else None,
        )
        if raster.sha256 != facts["sha256"]:
            raise SourceError(f"the recorded pixels of {answer['asked']['scene']} are not as they were read")
        return raster

    def _file(self) -> str:
        """Return the name of the next file."""
        return f"{len(self.answers):05d}.tif"

    def _keep(self, kind: str, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Keep an answer; the index is written each time, so that what was learnt is never lost."""
        self.answers[_key(kind, asked)] = {"kind": kind, "asked": dict(asked), **answer}
        self.folder.mkdir(parents=True, exist_ok=True)
        index = {"schema": SCHEMA, "source": self.name, "answers": list(self.answers.values())}
        (self.folder / INDEX).write_text(to_json(index), encoding="utf-8")


def open_recording(folder: Path) -> RecordingSource:
    """Return the source of a recording, with nobody behind it.

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
    return RecordingSource(folder=folder, named=index["source"], answers=answers)
