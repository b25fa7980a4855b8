"""Whether the surface of a whole place was changed, against ground of the same cover that was not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detect.filters import BoolArray, FloatArray, box_mean
from detect.optical import Pair, PairModel, area_statistic, fit_pair
from detect.significance import AREA_SPACING_M, TooFewMaximaError, own_threshold

USUAL_SHARE = 0.999
"""Share of unchanged ground of a cover that stays below what counts as changed."""
LEAST_USUAL = 2000
"""Pixels; a cover with fewer takes the limit of all covers together."""
CHANGES_PER_KM2 = 1.0
"""Chance maxima of the area map from which ground does not count as unchanged."""
SEEN_SHARE = 0.01
"""Share of a place beyond the limit from which it is not taken for unchanged."""
LIKE = 0.5
"""Least share of a place elsewhere that has the covers of the place itself."""
SAME_COVER = 0.1
"""A cover with a larger share of a place is no other cover."""
TEXTURE_PX = 8
"""Side of the piece of other ground that is repeated over a place."""
PURE = 0.9
"""Least share of one cover in such a piece."""
REACH_M = 250.0
"""How far a pixel's statistic looks."""
TRIALS = 40
MOVES = 60
"""Places that are tried for a trial elsewhere."""


@dataclass(frozen=True, kw_only=True)
class SurfaceChange:
    """How far the surface of a place differs between two dates."""

    share: float
    """Of its valid pixels, beyond the limit of unchanged ground of their cover, 0 to 1."""
    pd: float
    """Share of changes put there, and on equally shaped places elsewhere, that would not have been taken for no
    change, 0 to 1."""
    trials: int


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """Two dates with all that is known of their ground."""

    pair: Pair
    model: PairModel
    cover: NDArray[np.intp]
    """(row, col) on the earlier date."""
    usual: BoolArray
    """(row, col) True = valid, not flagged, and not part of the place."""
    limit: FloatArray
    """(row, col) of the area statistic: what reaches it counts as changed."""
    blocks: dict[int, NDArray[np.intp]]
    """By cover: the (n, 2) upper left pixels of pure pieces."""


def _usual(statistic: FloatArray, ground: BoolArray, gsd: float) -> BoolArray:
    """Return the part of some ground (row, col) that shows no change."""
    try:
        threshold = own_threshold(
            statistic, ground, gsd=gsd, spacing_m=AREA_SPACING_M, per_km2=CHANGES_PER_KM2, floor=0.0
        )
    except TooFewMaximaError:
        return ground
    return np.asarray(ground & (statistic < threshold))


def _limits(statistic: FloatArray, cover: NDArray[np.intp], usual: BoolArray) -> FloatArray:
    """Return the value (row, col) below which USUAL_SHARE of the unchanged ground of the same cover stays."""
    limit = np.full(statistic.shape, np.quantile(statistic[usual], USUAL_SHARE), np.float32)
    for k in np.unique(cover):
        here = usual & (cover == k)
        if here.sum() >= LEAST_USUAL:
            limit[cover == k] = np.quantile(statistic[here], USUAL_SHARE)
    return limit


def _blocks(cover: NDArray[np.intp], usual: BoolArray) -> dict[int, NDArray[np.intp]]:
    """Return where pure pieces of each cover begin."""
    found = {}
    rows, cols = cover.shape
    for k in np.unique(cover).tolist():
        pure = (usual & (cover == k)).astype(np.float32)[None]
        # An even window reaches one pixel farther to the upper left.
        share = box_mean(pure, np.ones_like(usual), TEXTURE_PX + 1)[0]
        middle = np.argwhere(share >= PURE)
        corner = middle - TEXTURE_PX // 2
        inside = (corner >= 0).all(1) & (corner[:, 0] <= rows - TEXTURE_PX) & (corner[:, 1] <= cols - TEXTURE_PX)
        if inside.any():
            found[int(k)] = corner[inside]
    return found


def _look(pair: Pair, place: BoolArray, ground: BoolArray) -> tuple[_Scene, FloatArray] | None:
    """Return the two dates with their area statistic; None where no unchanged ground is left."""
    model = fit_pair(pair)
    statistic = area_statistic(pair, model)
    usual = _usual(statistic, pair.valid & ground & ~place, pair.gsd)
    if usual.sum() < LEAST_USUAL:
        return None
    cover = model.forward.expected.covers(pair.before, pair.valid)
    limit = _limits(statistic, cover, usual)
    scene = _Scene(pair=pair, model=model, cover=cover, usual=usual, limit=limit, blocks=_blocks(cover, usual))
    return scene, statistic


def _covers_of(scene: _Scene, place: BoolArray) -> list[int]:
    """Return the covers that make up a place."""
    covers, counts = np.unique(scene.cover[place], return_counts=True)
    return [int(k) for k in covers[counts > SAME_COVER * place.sum()]]


def _elsewhere(scene: _Scene, place: BoolArray, rng: np.random.Generator) -> BoolArray:
    """Return a place of the same shape on unchanged ground, most of it alike; the place itself where none was met."""
    pixels, own = np.argwhere(place), np.isin(scene.cover, _covers_of(scene, place))
    low, high = -pixels.min(0), np.array(place.shape) - 1 - pixels.max(0)
    for _ in range(MOVES):
        moved = pixels + rng.integers(low, high + 1)
        at = moved[:, 0], moved[:, 1]
        if scene.usual[at].all() and own[at].mean() > LIKE:
            target = np.zeros_like(place)
            target[at] = True
            return target
    return place


def _texture(scene: _Scene, target: BoolArray, rng: np.random.Generator) -> FloatArray | None:
    """Return other ground of the later date (band, n), for the pixels of a target; None where there is none."""
    own = _covers_of(scene, target)
    others = [k for k in scene.blocks if k not in own]
    if not others:
        return None
    corners = scene.blocks[others[int(rng.integers(len(others)))]]
    row, col = corners[int(rng.integers(len(corners)))]
    piece = scene.pair.after[:, row : row + TEXTURE_PX, col : col + TEXTURE_PX]
    # Mirrored again and again: no seams.
    mirror = np.concatenate([np.arange(TEXTURE_PX), np.arange(TEXTURE_PX)[::-1]])
    rows, cols = np.nonzero(target)
    return np.asarray(piece[:, mirror[rows % len(mirror)], mirror[cols % len(mirror)]])


def _found(scene: _Scene, target: BoolArray, texture: FloatArray) -> bool:
    """Return whether a target with another surface would not be taken for unchanged."""
    pair, reach = scene.pair, math.ceil(REACH_M / scene.pair.gsd)
    pixels = np.argwhere(target)
    low, high = np.maximum(pixels.min(0) - reach, 0), pixels.max(0) + reach + 1
    window = slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
    changed = pair.after.copy()
    changed[:, target] = texture
    part = replace(pair, before=pair.before[:, *window], after=changed[:, *window], valid=pair.valid[window])
    statistic = area_statistic(part, scene.model)
    inside = target[window] & pair.valid[window]
    return bool((statistic[inside] >= scene.limit[window][inside]).mean() >= SEEN_SHARE)


def surface_change(
    pair: Pair, place: BoolArray, *, ground: BoolArray, rng: np.random.Generator, trials: int = TRIALS
) -> SurfaceChange | None:
    """Return how far the surface of a place differs between two dates, and whether a change of it would be found.

    Half of the trials replace the later pixels of the place itself, half those of an equally shaped place of like
    ground elsewhere, by the texture of other covers of the same image; edges are not blurred.

    Parameters
    ----------
    pair
        The two dates, with ground around the place.
    place
        (row, col), some of it valid.
    ground
        (row, col) True = may serve as the measure, where it is valid, shows no change and is not the place.
    rng
        Source of all chance.
    trials
        How many changes are put there.

    Returns
    -------
    None where there is too little unchanged ground, or of one cover only.
    """
    here = place & pair.valid
    looked = _look(pair, place, ground) if here.any() else None
    if looked is None:
        return None
    scene, statistic = looked
    hits = []
    for trial in range(trials):
        target = here if trial % 2 == 0 else _elsewhere(scene, here, rng)
        texture = _texture(scene, target, rng)
        if texture is None:
            return None
        hits.append(_found(scene, target, texture))
    share = float((statistic[here] >= scene.limit[here]).mean())
    return SurfaceChange(share=share, pd=float(np.mean(hits)), trials=trials)
