"""Which classes of the catalogue a flag is consistent with: each is rendered on the flag's own ground and measured.

At 10 m a size is known to about a pixel and a colour to about a quarter, so that most flags have several candidates. A
candidate is a size and a contrast, never an identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detect.change import Candidate, ChangedObject
from detect.detectability import Dates
from detect.injection import BoolArray, FloatArray, Stamp, View, make_stamps, widened
from detect.objects import BODY_SHARE
from detect.targets import CATALOGUE, ObjectClass

POSES = 12
LEVELS = (0.125, 0.375, 0.625, 0.875)
"""Between a class's least and largest reflectance."""
SIZE_ERROR_PX, SIZE_ERROR_SHARE = 0.8, 0.1
"""Standard deviation of a measured length or width: pixels, and share of it; 8 m at 10 m, as rendered objects show."""
TRIMMED_PX = 1.5
"""The same where less is measured than there is: the faint ends of an object drown in the noise."""
CONTRAST_ERROR, CONTRAST_ERROR_SHARE = 0.01, 0.25
"""Standard deviation of a measured contrast: reflectance, and share of it."""
LEAST_LIKELIHOOD = 0.05
"""Relative to the best class; below it a class is left out."""
FARTHEST = 4.0
"""Standard deviations; where even the best class is farther off, the flag has no candidates."""
RING_PX = 4
"""Width of the frame around a flag in which its ground is looked up."""


@dataclass(frozen=True, kw_only=True)
class _Look:
    """A class in several poses on one date."""

    model: ObjectClass
    bodies: FloatArray
    """(pose, band, n, n)."""
    shades: FloatArray


@dataclass(frozen=True, kw_only=True)
class _Measures:
    """What would be measured of rendered objects, or was of a flag."""

    length_m: NDArray[np.float64]
    """(n,)"""
    width_m: NDArray[np.float64]
    brightest: NDArray[np.float64]
    """Largest band mean of object minus ground, 0 or more."""
    darkest: NDArray[np.float64]
    """Least band mean of object minus ground, 0 or less: its shadow, or itself."""


def _looks(models: Sequence[ObjectClass], view: View) -> list[_Look]:
    """Return all classes in their poses."""
    return [_look(model, make_stamps(model, view, count=POSES, rng=np.random.default_rng(7))) for model in models]


def _look(model: ObjectClass, stamps: Sequence[Stamp]) -> _Look:
    """Return a class's stamps as arrays of one size."""
    half = max(stamp.half for stamp in stamps)
    return _Look(
        model=model,
        bodies=np.stack([widened(stamp.body, half) for stamp in stamps]),
        shades=np.stack([widened(stamp.shade, half) for stamp in stamps]),
    )


def _chips(look: _Look, view: View, background: FloatArray) -> FloatArray:
    """Return what each pose adds to the image at each level of reflectance (n, band, row, col)."""
    path, share = np.array(view.path, np.float32), np.array(view.sunlight.shadow_share, np.float32)
    paints = np.stack([look.model.reflectance(view.bands, level) for level in LEVELS])
    contrast = path + np.array(view.transmission, np.float32) * paints - background
    dark = np.maximum(background - path, 0) * (share - 1)
    chips = look.bodies * contrast[:, None, :, None, None] + (look.shades * dark[:, None, None])[None]
    return np.asarray(chips.reshape(-1, *chips.shape[2:]), dtype=np.float32)


def _side_m(variance: NDArray[np.float64], psf_px: float, gsd: float) -> NDArray[np.float64]:
    """Return an ellipse's axis from its pixels' variance, pixels squared; `detect.objects` takes the blur off alike."""
    blur = psf_px**2 * np.log(1 / BODY_SHARE) / 2
    return np.asarray(4 * np.sqrt(np.maximum(variance - blur, 1 / 144)) * gsd)


def _measured(chips: FloatArray, gsd: float, psf_px: float) -> _Measures:
    """Return what `detect.objects` would measure of chips without noise (n, band, row, col)."""
    amplitude = np.sqrt((chips**2).mean(axis=1))
    body = amplitude >= BODY_SHARE * np.maximum(amplitude.max(axis=(1, 2), keepdims=True), 1e-9)
    weight = body / body.sum(axis=(1, 2), keepdims=True)
    places = np.arange(body.shape[1]) - body.shape[1] // 2
    row, col = weight.sum(2) @ places, weight.sum(1) @ places
    rr = weight.sum(2) @ places**2 - row**2 + 1 / 12
    cc = weight.sum(1) @ places**2 - col**2 + 1 / 12
    rc = np.einsum("nij,i,j->n", weight, places, places) - row * col
    middle, spread = (rr + cc) / 2, np.sqrt(((rr - cc) / 2) ** 2 + rc**2)
    mean = np.where(body, chips.mean(axis=1), 0).astype(np.float64)
    return _Measures(
        length_m=_side_m(middle + spread, psf_px, gsd),
        width_m=_side_m(middle - spread, psf_px, gsd),
        brightest=mean.max(axis=(1, 2)),
        darkest=mean.min(axis=(1, 2)),
    )


def _size_distance(seen: float, wanted: NDArray[np.float64], gsd: float) -> NDArray[np.float64]:
    """Return the squared distance of a measured side from those of a class, in standard deviations."""
    pixels = np.where(wanted > seen, TRIMMED_PX, SIZE_ERROR_PX)
    return np.asarray((seen - wanted) ** 2 / ((pixels * gsd) ** 2 + (SIZE_ERROR_SHARE * wanted) ** 2))


def _contrast_distance(seen: float, expected: _Measures) -> NDArray[np.float64]:
    """Return the squared distance of a measured contrast, object minus ground, from those of a class.

    A bright body beside its dark shadow shows both signs, and noise decides which is the stronger.
    """
    wanted = expected.brightest if seen > 0 else expected.darkest
    return np.asarray((seen - wanted) ** 2 / (CONTRAST_ERROR**2 + (CONTRAST_ERROR_SHARE * wanted) ** 2))


def _log_likelihood(item: ChangedObject, expected: _Measures, signs: Sequence[int], gsd: float) -> float:
    """Return the logarithm of how well a flag's size and contrast fit those of a class, 0 = as well as can be."""
    sizes = ((item.length_m, expected.length_m), (item.width_m, expected.width_m))
    distance = sum(_size_distance(seen, wanted, gsd) for seen, wanted in sizes)
    distance = distance + np.min([_contrast_distance(sign * item.contrast, expected) for sign in signs], axis=0)
    # The best tenth of the poses and levels: an object stands in one pose, and which is not known.
    best = np.sort(distance)[: max(1, len(distance) // 10)]
    return float(-best.mean() / 2)


def _ground_of(item: ChangedObject, image: FloatArray, valid: BoolArray) -> FloatArray | None:
    """Return the median (band,) of an image in a frame around a flag; None where nothing is valid there."""
    top, left = max(int(item.rows.min()) - RING_PX, 0), max(int(item.cols.min()) - RING_PX, 0)
    window = slice(top, int(item.rows.max()) + RING_PX + 1), slice(left, int(item.cols.max()) + RING_PX + 1)
    around = valid[window].copy()
    around[item.rows - top, item.cols - left] = False
    if not around.any():
        return None
    return np.asarray(np.median(image[:, window[0], window[1]][:, around], axis=1), dtype=np.float32)


def _ranked(scores: Mapping[str, float]) -> tuple[Candidate, ...]:
    """Return the classes that are consistent, best first."""
    best = max(scores.values(), default=-np.inf)
    if best < -(FARTHEST**2) / 2:
        return ()
    relative = {name: float(np.exp(score - best)) for name, score in scores.items()}
    kept = sorted((name for name in relative if relative[name] >= LEAST_LIKELIHOOD), key=lambda name: -relative[name])
    return tuple(Candidate(name=name, likelihood=relative[name]) for name in kept)


def with_candidates(
    objects: Sequence[ChangedObject],
    dates: Dates,
    *,
    water: BoolArray | None = None,
    land: BoolArray | None = None,
    psf_px: float = 0.53,
) -> tuple[ChangedObject, ...]:
    """Return the objects with the classes of the catalogue that their size and contrast allow.

    Parameters
    ----------
    objects
        In pixels of the dates' frame. Areas have no candidates.
    dates
        The images, their sensor and their sun.
    water, land
        (row, col) where ships can lie, and where everything else can stand; a place may be both. None: everywhere.
    psf_px
        As the objects were measured with.
    """
    views = {"appeared": dates.after_view, "vanished": dates.before_view}
    if not any(item.scale == "object" for item in objects):
        return tuple(objects)
    looks = {sign: _looks(list(CATALOGUE.values()), view) for sign, view in views.items()}
    gsd = dates.after_view.optics.gsd_m

    def candidates(item: ChangedObject) -> tuple[Candidate, ...]:
        sign = "vanished" if item.change == "vanished" else "appeared"
        ground = _ground_of(item, dates.before if sign == "vanished" else dates.after, dates.valid)
        if ground is None:
            return ()
        signs = {"appeared": (1,), "vanished": (-1,)}.get(item.change, (1, -1))
        wet, dry = (where is None or bool(where[item.rows, item.cols].any()) for where in (water, land))
        scores = {}
        for look in looks[sign]:
            if wet if look.model.kind == "ship" else dry:
                expected = _measured(_chips(look, views[sign], ground), gsd, psf_px)
                scores[look.model.name] = _log_likelihood(item, expected, signs, gsd)
        return _ranked(scores)

    return tuple(replace(item, candidates=candidates(item)) if item.scale == "object" else item for item in objects)
