"""Share of the flags that survive when the later image is moved by half a pixel.

    python benchmarks/shift_loss.py AREA=SCENES:BEFORE:AFTER ...

Each argument names an area file, a folder of scenes and two dates. The later scene is moved by (0.35, 0.35) px, that is
half a pixel, with quintic splines: another resampler than the product's. A flag is kept where a flag of the moved run
has its middle within 15 m of its own.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from collections.abc import Sequence
from dataclasses import replace

from aoi import AOI, Grid
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Source, Survey
from imagery.sources.folder import FolderSource
from revisit.pipeline import run
from revisit.recipe import Recipe
from revisit.result import Flag

SHIFT_PX = 0.5 / np.sqrt(2)


class Moved:
    """A source whose scenes from a day on are read a little beside their place."""

    def __init__(self, source: Source, since: date) -> None:
        self._source, self._since = source, since
        self.name = source.name

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return what the source finds."""
        return self._source.search(aoi, periods, sensor=sensor)

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return what the source tells."""
        return self._source.survey(scene, grid)

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return the raster, moved if it is late enough."""
        raster = self._source.read(scene, grid, bands)
        if scene.acquired.date() < self._since:
            return raster
        filled = np.where(raster.valid, raster.data, np.nanmedian(raster.data, axis=(1, 2))[:, None, None])
        moved = [ndimage.shift(band.astype(float), (SHIFT_PX, SHIFT_PX), order=5, mode="nearest") for band in filled]
        blind = ndimage.binary_dilation(~raster.valid, iterations=2)
        return replace(
            raster, data=np.stack(moved).astype(np.float32), valid=~blind, uncertain=raster.uncertain & ~blind
        )


def places(flags: Sequence[Flag], grid: Grid) -> np.ndarray:
    """Return (n, 2) the middle of each flag in metres."""
    middles = [(f.object.rows.mean(), f.object.cols.mean()) for f in flags]
    return grid.gsd * np.array(middles).reshape(-1, 2)


def main(cases: list[str]) -> None:
    """Print a line per case and the sum."""
    total = kept = 0
    for case in cases:
        area, _, rest = case.partition("=")
        folder, before, after = rest.rsplit(":", 2)
        recipe = Recipe(
            area=area, source=f"folder:{folder}", before=date.fromisoformat(before), after=date.fromisoformat(after)
        )
        source = FolderSource(Path(folder))
        plain, moved = run(recipe, source=source), run(recipe, source=Moved(source, recipe.after))
        here, there = places(plain.flags, plain.grid), places(moved.flags, plain.grid)
        near = [len(there) > 0 and np.hypot(*(there - place).T).min() <= 15 for place in here]
        total, kept = total + len(near), kept + int(sum(near))
        print(f"{area}: {int(sum(near))} of {len(near)} flags kept, {len(there)} in all after the shift")
    print(f"kept {kept} of {total}: {1 - kept / max(total, 1):.1%} lost")


if __name__ == "__main__":
    main(sys.argv[1:])
