"""Reading the dates of one track, each once: what cannot serve is kept with its reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from imagery.errors import SourceError
from imagery.raster import BoolArray, Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Source
from revisit.result import SceneRecord
from revisit.scenes import UNUSABLE, applied_offset
from revisit.series_dates import CLEAR, SEEN, Frame, Look, State

Progress = Callable[[str], None]

EDGE_M = 100.0
"""How far from ground that cloud hides a date is not believed: thin edges and shadows reach beyond what masks show."""
OFTEN = 0.5
"""Share of the dates on which ground must be usable for its absence on another to be cloud."""
HOLE_M2 = 5_000.0
"""A smaller hole in what is valid is a bright roof that was taken for cloud, with no edge around it."""


def clear_of_cloud(raster: Raster, often: BoolArray, *, doubt: bool) -> Raster:
    """Return an optical date without what lies near cloud.

    Parameters
    ----------
    raster
        The date.
    often
        (row, col) True = usable on most dates: what is not, is no cloud but the edge of the scenes.
    doubt
        Whether what the classification doubts counts as cloud: where much of the ground is hidden it is, more often
        than not.
    """
    hidden = often & (~raster.valid | raster.uncertain if doubt else ~raster.valid)
    parts, count = ndimage.label(hidden)
    sizes = np.bincount(parts.ravel(), minlength=count + 1) * raster.grid.gsd**2
    large = (sizes >= HOLE_M2)[parts] & hidden
    if not large.any():
        return raster
    near = ndimage.distance_transform_edt(~large) * raster.grid.gsd <= EDGE_M
    clear = raster.valid & ~near
    return raster.with_pixels(np.asarray(raster.data), clear, raster.uncertain & clear)


def cloud_words(share: float) -> str:
    """Return in words how little of the searched ground a date shows."""
    return f"cloud or no data: {int(share * 100)} % of the searched ground can be seen"


@dataclass(kw_only=True)
class Reading:
    """The dates of one track as they are read."""

    source: Source
    frame: Frame
    bands: tuple[str, ...]
    window: Period
    progress: Progress
    looks: list[Look] = field(default_factory=list)
    rasters: list[Raster | None] = field(default_factory=list)
    failed: str | None = None
    """What the source said when it failed."""
    started: float = field(default_factory=time.monotonic)

    def read(self, scene: Scene, left: int) -> bool:
        """Read a scene and note what came of it; return whether it can serve."""
        within = scene.acquired >= self.window.start
        if self.failed is not None:
            self.note(scene, "not read", f"not read: {self.failed}", within)
            return False
        self.progress(f"reading {scene.id}, {self._ahead(left)}")
        try:
            hidden = self._hidden(scene, within)
            return False if hidden else self._take(scene, within)
        except UNUSABLE as error:
            self.note(scene, "unreadable", str(error), within)
        except SourceError as error:
            self.failed = str(error)
            self.note(scene, "not read", f"not read: {error}", within)
        return False

    def note(
        self, scene: Scene, state: State, reason: str, within: bool, shares: Mapping[str, float] | None = None
    ) -> None:
        """Note a scene that does not serve, and why."""
        self.looks.append(Look(scene=scene, state=state, reason=reason, within=within, shares=shares or {}))
        self.rasters.append(None)

    def _hidden(self, scene: Scene, within: bool) -> bool:
        """Return whether the classification alone says that no zone can be seen, and note it."""
        survey = self.source.survey(scene, self.frame.ground.grid.padded(self.frame.margin))
        if survey is None:
            return False
        shares = self.frame.shares(survey.possible)
        if max(shares.values()) >= SEEN:
            return False
        self.note(scene, "cloud", cloud_words(self.frame.searched(survey.possible)), within, shares)
        return True

    def _take(self, scene: Scene, within: bool) -> bool:
        """Read a scene's bands; keep them where they show enough of any zone."""
        grid = self.frame.ground.grid.padded(self.frame.margin)
        raster = self.source.read(scene, grid, self.bands)
        searched = self.frame.searched(raster.valid)
        shares = self.frame.shares(raster.valid)
        used = raster.origin or scene
        record = SceneRecord(
            scene=used,
            role="date" if within else "baseline",
            offset=applied_offset(used, raster.bands),
            sha256=raster.sha256,
            valid_share=searched,
        )
        good = max(shares.values()) >= SEEN
        state: State = "used" if good else "cloud"
        reason = "" if good else cloud_words(searched)
        self.looks.append(Look(scene=used, state=state, reason=reason, within=within, shares=shares, record=record))
        self.rasters.append(raster if good else None)
        return good

    def _ahead(self, left: int) -> str:
        """Return how many are left, and how long that takes at this pace."""
        done = len(self.looks)
        if not done:
            return f"{left} to go"
        return f"{left} to go, about {(time.monotonic() - self.started) / done * left:.0f} s"

    def clear(self) -> None:
        """Take what lies near cloud out of all optical dates; one that then shows too little of every zone is lost."""
        kept = self.kept
        if not kept:
            return
        seen = [raster.valid for raster in self.rasters if raster is not None]
        often: BoolArray = np.mean(seen, axis=0) > OFTEN
        for k in kept:
            raster = self.rasters[k]
            assert raster is not None  # noqa: S101 - `kept`
            clear = clear_of_cloud(raster, often, doubt=self.frame.searched(raster.valid) < CLEAR)
            shares, searched = self.frame.shares(clear.valid), self.frame.searched(clear.valid)
            record = self.looks[k].record
            self.looks[k] = replace(
                self.looks[k], shares=shares, record=record and replace(record, valid_share=searched)
            )
            self.rasters[k] = clear
            if max(shares.values()) < SEEN:
                self.reject(k, "cloud", cloud_words(searched))

    def reject(self, at: int, state: State, reason: str) -> None:
        """Take back a date that was read."""
        self.looks[at] = replace(self.looks[at], state=state, reason=reason)
        self.rasters[at] = None

    @property
    def kept(self) -> list[int]:
        """Places of the dates that serve."""
        return [k for k, raster in enumerate(self.rasters) if raster is not None]

    def sort(self) -> None:
        """Put the dates in the order of time."""
        order = sorted(range(len(self.looks)), key=lambda k: self.looks[k].scene.acquired)
        self.looks = [self.looks[k] for k in order]
        self.rasters = [self.rasters[k] for k in order]
