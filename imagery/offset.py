"""Whether ESA's offset is still in the numbers of a Sentinel-2 scene, decided from the numbers themselves.

From processing baseline 04.00 on ESA adds 1000 to every DN. One public copy takes it off for most scenes and says so in
a field that is wrong both ways for some. Believing it would darken or brighten the whole ground by 0.1.

Two signs are looked for, and both must agree. In raw numbers next to nothing lies under 800, since no ground is darker
than -0.02 in reflectance; where the offset was taken off, the darkest of land and water lies far under 600. And
vegetation, water and shadow have a band, whichever it is, in which they are nearly black: their darkest quarter lies
near 1000 in raw numbers and near 0 to 500 in the others. The second sign is what tells raw numbers from a desert, where
nothing is dark. Where neither the area nor its whole granule shows both, nothing is decided and the scene is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imagery.bands import CLASSES_BAND, SCL
from imagery.errors import SceneError
from imagery.scene import Scene

ESA_OFFSET = -0.1
"""Reflectance: -1000 / 10000."""
LOWEST_PERCENT = 0.5
"""Of land and water; fewer may be errors of the atmospheric correction."""
TAKEN_OFF_UNDER, RAW_FROM = 600.0, 800.0
"""DN: a lowest percentile under the first is impossible with the offset in, one from the second unlikely without it."""
DARK_PERCENT = 25
"""Of vegetation, water and shadow: mixed pixels are among the others."""
DARK_RAW_UNTIL = 1600.0
"""DN of a reflectance of 0.06 with the offset in: vegetation and water are darker than that in their darkest band."""
LEAST_PIXELS, LEAST_DARK, LEAST_DARK_SHARE = 1000, 200, 0.02
"""Pixels of land and water, and of vegetation, water and shadow, and share of the latter, that can be relied on: a few
pixels of any class are wrongly classified."""

_GROUND = (SCL.DARK, SCL.VEGETATION, SCL.BARE, SCL.WATER)
_NEARLY_BLACK = (SCL.DARK, SCL.VEGETATION, SCL.WATER)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the numbers of some ground say."""

    where: str
    """Which ground, for messages."""
    pixels: int
    """Of land and water."""
    lowest: float
    """Lowest over the bands of the `LOWEST_PERCENT` percentile, DN; NaN without pixels."""
    dark: float
    """`DARK_PERCENT` percentile of the darkest band of vegetation, water and shadow, DN; NaN where they are too few."""

    @property
    def offset(self) -> float | None:
        """0 where it was taken off, -0.1 where it is in the numbers, None where that is not clear."""
        if self.pixels < LEAST_PIXELS:
            return None
        if self.lowest < TAKEN_OFF_UNDER and not self.dark >= RAW_FROM:
            return 0.0
        raw = self.lowest >= RAW_FROM and RAW_FROM <= self.dark <= DARK_RAW_UNTIL
        return ESA_OFFSET if raw else None

    def __str__(self) -> str:
        """Return the figures in words."""
        if not self.pixels:
            return f"{self.where} shows neither land nor water"
        dark = "too few" if np.isnan(self.dark) else f"{DARK_PERCENT} % under {self.dark:.0f}"
        return (
            f"{self.where} has {self.pixels} px of land and water, {LOWEST_PERCENT:g} % of them under {self.lowest:.0f}"
            f" in the darkest band; vegetation, water and shadow: {dark}"
        )


def thinned(layer: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.generic]:
    """Return the pixels of a layer (row, col) that lie nearest to those of a coarser one of the same ground."""
    rows, cols = (
        ((np.arange(few) + 0.5) * many / few).astype(int) for few, many in zip(shape, layer.shape, strict=True)
    )
    return layer[np.ix_(rows, cols)]


def weigh(numbers: NDArray[np.generic], classes: NDArray[np.generic] | None, *, where: str) -> Evidence:
    """Return what numbers say of their offset.

    Parameters
    ----------
    numbers
        (band, row, col) DN as in the files; 0 where there are none.
    classes
        (row, col) of the scene classification; None where there is none, and everything counts as bare ground.
    where
        Which ground it is.
    """
    held = (np.asarray(numbers) > 0).all(axis=0)
    ground = held if classes is None else held & np.isin(classes, _GROUND)
    pixels = int(np.count_nonzero(ground))
    if not pixels:
        return Evidence(where=where, pixels=0, lowest=np.nan, dark=np.nan)
    lowest = min(float(np.percentile(band[ground], LOWEST_PERCENT)) for band in np.asarray(numbers, np.float64))
    black = ground & np.isin(classes, _NEARLY_BLACK) if classes is not None else np.zeros_like(ground)
    count = np.count_nonzero(black)
    if count < LEAST_DARK or count < LEAST_DARK_SHARE * pixels:
        return Evidence(where=where, pixels=pixels, lowest=lowest, dark=np.nan)
    darkest = np.asarray(numbers)[:, black].min(axis=0)
    return Evidence(where=where, pixels=pixels, lowest=lowest, dark=float(np.percentile(darkest, DARK_PERCENT)))


def needs_evidence(scene: Scene, bands: Sequence[str]) -> bool:
    """Return whether the offset of any of these bands is in doubt."""
    return any(scene.assets[band].offset_doubtful for band in bands)


def with_offset(scene: Scene, evidence: Iterable[Evidence]) -> Scene:
    """Return the scene with the offset that its numbers show, and a note on the decision.

    Parameters
    ----------
    scene
        With doubtful offsets.
    evidence
        Asked one by one until one is clear.

    Raises
    ------
    SceneError
        Where none is; the message gives the figures.
    """
    seen = []
    for one in evidence:
        seen.append(str(one))
        if one.offset is not None:
            return _decided(scene, one)
    raise SceneError(
        f"{scene.id}: its numbers do not show whether the offset of 1000 is in them, and its catalogue is known to be"
        f" wrong about that; not used ({'; '.join(seen)})"
    )


def _decided(scene: Scene, evidence: Evidence) -> Scene:
    offset = evidence.offset
    doubtful = {band: asset for band, asset in scene.assets.items() if band != CLASSES_BAND and asset.offset_doubtful}
    claimed = {asset.offset for asset in doubtful.values()}
    says = "as its catalogue says" if claimed == {offset} else "against what its catalogue says"
    state = "taken off its numbers already" if offset == 0 else "still in its numbers"
    assets = {band: replace(asset, offset=offset or 0.0, offset_doubtful=False) for band, asset in doubtful.items()}
    note = f"ESA's offset is {state}, {says}: {evidence}"
    return replace(scene, assets={**scene.assets, **assets}, notes=(*scene.notes, note))
