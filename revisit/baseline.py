"""Reading the dates that show how much unchanged ground differs, onto the frame in which the two dates meet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from aoi import AOI
from imagery.baseline import (
    baseline_doubts,
    baseline_order,
    baseline_period,
    choose_baseline,
    displaced,
    odd_scores,
    thin,
)
from imagery.coregister import Alignment, estimate_shift
from imagery.datatake import one_per_pass
from imagery.displacement import displace
from imagery.errors import InsufficientImageryError, NoStructureError
from imagery.raster import BoolArray, FloatArray, Raster
from imagery.scene import Scene
from imagery.sources.base import Found, Source
from imagery.veil import veil_levels, veiled
from revisit.result import SceneRecord
from revisit.scenes import UNUSABLE, Pair, applied_offset

MOST_VALUES = 250_000_000
"""1 GB of numbers: the detector's own maps take several times what the stack of dates does."""
NOTHING = Found(scenes=(), complete=True)

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class BaselineDate:
    """A date of the baseline that was read."""

    record: SceneRecord
    alignment: Alignment
    """Against the before scene."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The dates of a baseline on the half-way frame of the pair."""

    dates: tuple[BaselineDate, ...]
    """Oldest first."""
    data: FloatArray
    """(date, band, row, col); NaN where not valid."""
    valid: BoolArray
    """(date, row, col)."""
    warnings: tuple[str, ...]
    """What was rejected and why; what is not known of what was taken."""
    complete: bool
    """False where the source answered in part."""
    notes: tuple[str, ...] = ()
    """What every flag of the pair must say."""

    def taken(self, order: Sequence[int]) -> Baseline:
        """Return the baseline of these of its dates, in this order."""
        if list(order) == list(range(len(self.dates))):
            return self
        dates, index = tuple(self.dates[k] for k in order), list(order)
        return replace(self, dates=dates, data=self.data[index], valid=self.valid[index])


@dataclass(kw_only=True)
class _Gatherer:
    """Reads dates one at a time, keeps of each what is needed, and says why the others cannot serve."""

    source: Source
    before: Raster
    """As read, before the pair was aligned."""
    pair: Alignment
    """Of the later date against the earlier."""
    searched: BoolArray
    progress: Progress
    data: FloatArray
    """(date, band, row, col) to be filled."""
    valid: BoolArray
    dates: list[BaselineDate] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def judge(self, scene: Scene) -> str | None:
        """Read a date; keep it and return None, or return why it cannot serve."""
        self.progress(f"reading {scene.id} for the baseline, {self._ahead()}")
        try:
            if (reason := self._clouded(scene)) is not None:
                return reason
            raster = self.source.read(scene, self.before.grid, self.before.bands)
            share = float(raster.valid[self.searched].mean())
            reason = thin(share)
            if reason is None:
                alignment = self._align(raster)
                reason = displaced(alignment)
        except (*UNUSABLE, InsufficientImageryError) as error:
            return f"{error}"
        if reason is None:
            self._keep(scene, raster, share, alignment)
        return reason

    def _ahead(self) -> str:
        """Return how far the reading is, and how long the rest will take at this pace."""
        kept, wanted = len(self.dates), len(self.data)
        if not kept:
            return f"{kept} of up to {wanted} kept"
        left = (time.monotonic() - self.started) / kept * (wanted - kept)
        return f"{kept} of up to {wanted} kept, about {left:.0f} s left"

    def _clouded(self, scene: Scene) -> str | None:
        """Return why the classification alone excludes a date; None where its bands must tell."""
        survey = self.source.survey(scene, self.before.grid)
        return None if survey is None else thin(float(survey.possible[self.searched].mean()))

    def _align(self, raster: Raster) -> Alignment:
        """Return where a date lies against the before scene."""
        clear = [r.valid & ~r.uncertain for r in (self.before, raster)]
        gsd = self.before.grid.gsd
        try:
            return estimate_shift(np.asarray(self.before.data), np.asarray(raster.data), clear[0], clear[1], gsd=gsd)
        except NoStructureError:
            # Open sea: where the pair itself could not be aligned, no date can, and its error is that of the pair.
            if self.pair.score > 0:
                raise
            return self.pair

    def _keep(self, scene: Scene, raster: Raster, share: float, alignment: Alignment) -> None:
        """Resample a date, once, to where the two dates meet, and keep it."""
        rows, cols = (half / 2 - own for half, own in zip(self.pair.shift_px, alignment.shift_px, strict=True))
        at = len(self.dates)
        self.data[at], self.valid[at] = displace(np.asarray(raster.data), raster.valid, (rows, cols))
        used = raster.origin or scene
        record = SceneRecord(
            scene=used,
            role="baseline",
            offset=applied_offset(used, raster.bands),
            sha256=raster.sha256,
            valid_share=share,
        )
        self.dates.append(BaselineDate(record=record, alignment=alignment))

    def odd(self) -> list[str | None]:
        """Return for each date that was kept why it cannot serve beside the others."""
        count = len(self.dates)
        levels = veil_levels(self.data[:count], self.valid[:count], self.searched, gsd=self.before.grid.gsd)
        scores = odd_scores([date.alignment.score for date in self.dates])
        return [score or veil for score, veil in zip(scores, veiled(levels.tolist()), strict=True)]

    def baseline(self, *, complete: bool) -> Baseline:
        """Return the dates that were kept."""
        count = len(self.dates)
        return Baseline(
            dates=tuple(self.dates),
            data=self.data[:count],
            valid=self.valid[:count],
            warnings=(),
            complete=complete,
        )


def _room(most: int, before: Raster) -> tuple[int, tuple[str, ...]]:
    """Return how many dates the memory holds, and the warning where that is fewer than asked for."""
    held = MOST_VALUES // before.data.size
    if held >= most:
        return most, ()
    rows, cols = before.grid.shape
    return held, (f"baseline: {held} dates instead of {most}: more of {rows} x {cols} pixels do not fit into memory",)


def _rejected(dates: Sequence[BaselineDate], reasons: Sequence[str | None]) -> list[str]:
    """Return one line for each date that there is a reason against."""
    named = zip(dates, reasons, strict=True)
    return [f"baseline: {date.record.scene.id} rejected: {reason}" for date, reason in named if reason]


def _oldest_first(dates: Sequence[BaselineDate], reasons: Sequence[str | None]) -> list[int]:
    """Return the places of the dates that there is no reason against, oldest first."""
    kept = [k for k, reason in enumerate(reasons) if reason is None]
    return sorted(kept, key=lambda k: dates[k].record.scene.acquired)


def _doubts(baseline: Baseline, before: Scene) -> tuple[str, ...]:
    """Return what is doubtful about the dates that serve."""
    scenes = [date.record.scene for date in baseline.dates]
    notes = [f"{scene.id}: {note}" for scene in scenes for note in scene.notes]
    return (*baseline_doubts(scenes, before), *notes)


def gather(
    source: Source, pair: Pair, alignment: Alignment, *, aoi: AOI, searched: BoolArray, most: int, progress: Progress
) -> Baseline:
    """Search, read and align the dates of a baseline.

    Parameters
    ----------
    source
        Where to search.
    pair
        The two dates, as read.
    alignment
        Of the later against the earlier.
    aoi
        Place.
    searched
        (row, col) on the pair's grid: where a date must be clear.
    most
        How many dates are wanted; of 0, nothing is searched.
    progress
        Told of each date that is read.

    Raises
    ------
    SourceError
        Where the source failed.
    """
    before, after = (record.scene for record in pair.records)
    room, cramped = _room(most, pair.before)
    found = source.search(aoi, [baseline_period(before)], sensor=before.sensor) if room else NOTHING
    scenes, _ = one_per_pass(found.scenes, aoi=aoi, crs=pair.before.grid.crs)
    ordered = baseline_order(scenes, before=before, after=after)
    room = min(room, len(ordered))
    gatherer = _Gatherer(
        source=source,
        before=pair.before,
        pair=alignment,
        searched=searched,
        progress=progress,
        data=np.empty((room, *pair.before.data.shape), np.float32),
        valid=np.empty((room, *pair.before.grid.shape), np.bool_),
    )
    choice = choose_baseline(ordered, most=room, judge=gatherer.judge)
    odd = gatherer.odd()
    warnings = (*cramped, *found.warnings, *choice.rejected, *_rejected(gatherer.dates, odd))
    baseline = gatherer.baseline(complete=found.complete).taken(_oldest_first(gatherer.dates, odd))
    return replace(baseline, warnings=(*warnings, *_doubts(baseline, before)))
