"""Scenes in a folder: static STAC Items beside their rasters, and Sentinel-2 SAFE products, at any depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aoi import AOI, Grid
from imagery.archive import fetch_file, is_member, open_folder, open_zip
from imagery.documents import read_json
from imagery.errors import ImageryError, SceneError
from imagery.files import inside, walk
from imagery.items import is_item, parse_item
from imagery.raster import Raster
from imagery.safe import product_scenes
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Survey

MOST_REASONS = 5
"""Reasons that one message lists."""


@dataclass(frozen=True)
class FolderSource:
    """A folder of scenes. Nothing is read before the first search, and nothing outside the folder ever."""

    root: Path

    @property
    def name(self) -> str:
        """As the command line and the manifest call it."""
        return f"folder:{self.root}"

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return the scenes of `sensor` that touch `aoi` within any of `periods`, oldest first.

        What cannot be used is left out with a warning that names the file and the reason. The rasters of the scenes
        that are returned have been opened and their headers checked; a block that cannot be read shows only in `read`.

        Raises
        ------
        RefusedFileError
            Where the folder cannot be walked.
        SceneError
            Where it holds nothing that can be used; the message lists the reasons.
        """
        scenes, warnings = _catalogue(self.root)
        of_sensor = [scene for scene in scenes if scene.sensor == sensor]
        touching = [scene for scene in of_sensor if scene.footprint.intersects(aoi.geometry)]
        if of_sensor and not touching:
            warnings.append(_elsewhere(of_sensor, aoi))
        usable = []
        for scene in touching:
            if not any(period.start <= scene.acquired <= period.end for period in periods):
                continue
            try:
                _check_files(scene, self.root)
            except ImageryError as error:
                warnings.append(f"{scene.id}: {error}")
            else:
                usable.append(scene)
        return Found(scenes=tuple(usable), complete=True, warnings=tuple(warnings))

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:  # noqa: ARG002
        """Return None: on this machine, reading everything costs as little."""
        return None

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return `bands` of `scene` on `grid` in physical units, with validity settled.

        Raises
        ------
        SceneError
            Where a band is missing, or the numbers contradict the scene's description.
        RefusedFileError
            Where a file is not fit to be read.
        """
        from imagery.reading import read_scene

        return read_scene(scene, grid, bands, fetch=lambda asset: fetch_file(asset.href, root=self.root))


def _catalogue(root: Path) -> tuple[list[Scene], list[str]]:
    """Return all scenes under `root`, oldest first, and a line on each file that should describe one and does not."""
    found = walk(root)
    warnings = [_line(root, path, reason) for path, reason in found.skipped]
    scenes: dict[str, Scene] = {}
    readers = ((found.items, _item_scenes), (found.safes, _folder_scenes), (found.zips, _zip_scenes))
    for path, read in ((path, read) for paths, read in readers for path in paths):
        try:
            _add(read(path, root), scenes)
        except ImageryError as error:
            warnings.append(_line(root, path, str(error)))
    if not scenes:
        raise SceneError(_nothing(root, warnings))
    return sorted(scenes.values(), key=lambda scene: (scene.acquired, scene.id)), warnings


def _add(new: Sequence[Scene], scenes: dict[str, Scene]) -> None:
    for scene in new:
        if scene.id in scenes:
            raise SceneError(f"the scene {scene.id} comes twice; the first is used")
        scenes[scene.id] = scene


def _line(root: Path, path: Path, reason: str) -> str:
    return f"{path.relative_to(root)}: {reason}"


def _item_scenes(path: Path, root: Path) -> list[Scene]:
    document = read_json(inside(root, path))
    return [parse_item(document, path=path, root=root)] if is_item(document) else []


def _folder_scenes(path: Path, root: Path) -> list[Scene]:
    return product_scenes(open_folder(path, root=root))


def _zip_scenes(path: Path, root: Path) -> list[Scene]:
    return product_scenes(open_zip(inside(root, path)))


def _nothing(root: Path, warnings: Sequence[str]) -> str:
    if not warnings:
        return (
            f"{root} holds neither STAC Items (*.json) nor Sentinel-2 products (*.SAFE, *.zip);"
            " `revisit import` makes Items from loose rasters"
        )
    more = f"; and {len(warnings) - MOST_REASONS} more" if len(warnings) > MOST_REASONS else ""
    return f"{root} holds no scene that can be used: {'; '.join(warnings[:MOST_REASONS])}{more}"


def _elsewhere(scenes: Sequence[Scene], aoi: AOI) -> str:
    bounds = [scene.footprint.bounds for scene in scenes]
    west, south, east, north = (
        pick(values) for pick, values in zip((min, min, max, max), zip(*bounds, strict=True), strict=True)
    )
    here = " ".join(f"{v:.4f}" for v in aoi.geometry.bounds)
    there = " ".join(f"{v:.4f}" for v in (west, south, east, north))
    return (
        f"none of the folder's {len(scenes)} scenes touches {aoi.name}: the area lies within (west south east north,"
        f" degrees) {here}, the scenes within {there}"
    )


def _check_files(scene: Scene, root: Path) -> None:
    """Refuse a scene one of whose rasters is not fit to be opened, before a run relies on it."""
    from imagery.opening import inspect

    for band, asset in scene.assets.items():
        if is_member(asset.href):
            continue
        header = inspect(inside(root, Path(asset.href)))
        bare = asset.scale == 1 and asset.offset == 0
        if scene.sensor == "s1" and bare and not header.dtypes[asset.band_index - 1].startswith("float"):
            raise SceneError(f"asset {band}: {header.dtypes[0]} numbers without scale and offset are no linear power")
