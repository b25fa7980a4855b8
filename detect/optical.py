"""Two optical dates, and where the ground changed between them.

Two maps, because there are two questions, and one filter cannot serve both. *Objects* of the pixel's order (aircraft,
vehicles) are sought with a zero-mean point-spread filter against the local noise. *Areas* of tens of metres (fill,
construction, clearing) are sought in the unnormalised, smoothed residual, because a local normalisation would hide
what is larger than its ring. Both look in both directions of time: what the chronochrome of the earlier date does
not explain in the later, and the reverse.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from detect import robust
from detect.change import Change, Scale, ScaleChange
from detect.chronochrome import Chronochrome, fit_chronochrome
from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray, blur, difference_of_gaussians, gradient, ring_mean
from detect.significance import AREA_SPACING_M, OBJECT_SPACING_M, by_stratum, gaussian_floor, own_threshold

FloatMatrix = NDArray[np.float64]

METHOD = (
    "two dates: robust chronochrome per cover in both directions; objects by a zero-mean point-spread filter against "
    "local noise and the error of the co-registration; areas by the smoothed residual, the least of both directions"
)


@dataclass(frozen=True, kw_only=True)
class PairOptions:
    """How two dates are compared. Lengths are metres, so that any pixel spacing is served."""

    psf_px: float = 0.53
    """Standard deviation of the sensor's point spread, pixels: MTF at Nyquist 0.25, the mean of the 10 m bands."""
    ground_over_psf: float = 3.4
    """Width of the ground that an object is held against, in point spreads (SCIENCE: 0.53 against 1.8 px)."""
    noise_floor: float = 5e-4
    """Least standard deviation of the difference, reflectance; below what the instrument can reach."""
    area_detail_m: float = 7.0
    """Standard deviation of the smoothing of the residual vector."""
    area_extent_m: float = 25.0
    """Standard deviation of the smoothing of the area statistic."""
    ring_outer_m: float = 310.0
    ring_inner_m: float = 90.0
    """Sides of the square ring in which an object's local noise is measured."""


@dataclass(frozen=True, kw_only=True)
class DirectionModel:
    """What was fitted for one direction of time."""

    expected: Chronochrome
    object_covariance: FloatMatrix
    """(band, band) of the filtered residual."""
    object_level: float
    """Median of its squared distance over the image, per band: 1 for Gaussian noise."""
    area_covariance: FloatMatrix
    """(band, band) of the smoothed residual."""
    light_covariance: FloatMatrix
    """(band, band) of the same residual by structural regression."""


@dataclass(frozen=True, kw_only=True)
class PairModel:
    """What was fitted to a pair; with it, any part of the pair gives the same statistics as the whole."""

    forward: DirectionModel
    """The later date from the earlier."""
    backward: DirectionModel
    """The earlier date from the later."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two aligned dates."""

    before: FloatArray
    """(band, row, col) reflectance; anything where not valid."""
    after: FloatArray
    valid: BoolArray
    """(row, col), True = usable on both dates."""
    gsd: float
    """Metres per pixel."""
    shift_error_px: tuple[float, float]
    """(rows, cols) standard deviation of the co-registration error at any one place."""

    def __post_init__(self) -> None:
        """Check the shapes."""
        if self.before.shape != self.after.shape or self.before.shape[1:] != self.valid.shape:
            raise DetectError(
                f"shapes differ: before {self.before.shape}, after {self.after.shape}, valid {self.valid.shape}"
            )


def _object_response(image: FloatArray, valid: BoolArray, options: PairOptions) -> FloatArray:
    """Return the point-spread response of each band."""
    return difference_of_gaussians(image, valid, inner=options.psf_px, outer=options.psf_px * options.ground_over_psf)


def _area_residual(residual: FloatArray, pair: Pair, options: PairOptions) -> FloatArray:
    """Return the residual with its finest detail smoothed."""
    return blur(residual, pair.valid, max(options.area_detail_m / pair.gsd, 0.3))


def _samples(image: FloatArray, valid: BoolArray) -> FloatMatrix:
    """Return at most 100 000 valid pixels (n, band), always the same."""
    vectors = image[:, valid].T
    return vectors[robust.thin(len(vectors), 100_000)].astype(np.float64)


def _area_covariance(residual: FloatArray, pair: Pair, options: PairOptions) -> FloatMatrix:
    """Return the covariance (band, band) of a residual once it is smoothed."""
    samples = _samples(_area_residual(residual, pair, options), pair.valid)
    return robust.shrunk(robust.covariance(samples), AREA_SHRINKAGE) + options.noise_floor**2 * np.eye(len(residual))


def _fit_direction(predictor: FloatArray, target: FloatArray, pair: Pair, options: PairOptions) -> DirectionModel:
    """Fit one direction of time."""
    expected = fit_chronochrome(predictor, target, pair.valid)
    plain, fine = (expected.residual(predictor, target, pair.valid, fine=fine) for fine in (False, True))
    samples = _samples(_object_response(fine, pair.valid, options), pair.valid)
    object_covariance = robust.covariance(samples) + options.noise_floor**2 * np.eye(len(target))
    return DirectionModel(
        expected=expected,
        object_covariance=object_covariance,
        object_level=float(np.median(robust.distance(samples, object_covariance))) / len(target),
        area_covariance=_area_covariance(plain, pair, options),
        light_covariance=_area_covariance(fine, pair, options),
    )


AREA_SHRINKAGE = 0.3
"""Share of the bands' correlation that the area covariance forgets: else its weakest direction rules the distance."""


def fit_pair(pair: Pair, options: PairOptions | None = None) -> PairModel:
    """Fit both directions of time to a pair; exchanging the dates exchanges the directions."""
    options = options or PairOptions()
    if pair.valid.sum() < 100 * len(pair.before):
        raise DetectError(
            f"only {int(pair.valid.sum())} pixels are valid on both dates: too few to learn what is usual"
        )
    return PairModel(
        forward=_fit_direction(pair.before, pair.after, pair, options),
        backward=_fit_direction(pair.after, pair.before, pair, options),
    )


def _noise_scale(distance: FloatArray, valid: BoolArray, gsd: float, level: float, options: PairOptions) -> FloatArray:
    """Return the local variance factor (row, col): the ring's capped mean distance, drawn to the image's."""
    capped = np.minimum(distance, np.float32(10 * max(level, 1e-12)))[None]
    outer, inner = (2 * round(side / gsd / 2) + 1 for side in (options.ring_outer_m, options.ring_inner_m))
    ring = ring_mean(capped, valid, outer=outer, inner=inner)[0]
    return np.asarray(0.8 * ring + 0.2 * level, dtype=np.float32)


def _inverse_products(vectors: list[FloatArray], matrix: FloatMatrix) -> list[list[FloatArray]]:
    """Return the maps u' M^-1 v of each pair of vector fields (band, row, col)."""
    root = np.linalg.inv(np.linalg.cholesky(matrix)).astype(np.float32)
    white = [np.tensordot(root, v, axes=1) for v in vectors]
    return [[(a * b).sum(0) for b in white] for a in white]


def _object_distance(
    predictor: FloatArray, target: FloatArray, pair: Pair, model: DirectionModel, options: PairOptions
) -> FloatArray:
    """Return the squared distance (row, col) of the filtered residual from what noise and misregistration explain.

    The covariance at a pixel is v W + s_r^2 g_r g_r' + s_c^2 g_c g_c': the image's filtered residual W scaled by the
    local noise v, and the response's own slopes g times the variance s^2 of the shift that is left. Its inverse
    follows from the two rank-one terms (Sherman, Morrison and Woodbury), without a matrix per pixel.
    """
    residual = model.expected.residual(predictor, target, pair.valid, fine=True)
    response = _object_response(residual, pair.valid, options)
    middle = ((pair.before + pair.after) / 2).astype(np.float32)
    slopes = gradient(_object_response(middle, pair.valid, options))
    scaled = [s * np.float32(e) for s, e in zip(slopes, pair.shift_error_px, strict=True)]
    products = _inverse_products([response, *scaled], model.object_covariance)
    noise = _noise_scale(products[0][0] / np.float32(len(target)), pair.valid, pair.gsd, model.object_level, options)
    noise = np.maximum(noise, np.float32(1e-3))
    d, r, c = (products[0][0] / noise, products[0][1] / noise, products[0][2] / noise)
    rr, rc, cc = (1 + products[1][1] / noise, products[1][2] / noise, 1 + products[2][2] / noise)
    explained = (cc * r * r - 2 * rc * r * c + rr * c * c) / (rr * cc - rc * rc)
    return np.asarray(np.maximum(d - explained, 0), dtype=np.float32)


def object_statistic(pair: Pair, model: PairModel, options: PairOptions | None = None) -> FloatArray:
    """Return the evidence (row, col) for a changed object of the pixel's order; NaN where not valid.

    The mean over both directions of time: an arrival stands out against what the earlier date predicts, a departure
    against what the later one does, and a threshold must treat them alike.
    """
    options = options or PairOptions()
    forward = _object_distance(pair.before, pair.after, pair, model.forward, options)
    backward = _object_distance(pair.after, pair.before, pair, model.backward, options)
    return np.where(pair.valid, (forward + backward) / 2, np.float32(np.nan))


def _area_distance(
    predictor: FloatArray, target: FloatArray, pair: Pair, model: DirectionModel, options: PairOptions
) -> tuple[FloatArray, FloatArray]:
    """Return the squared distances (row, col) of the smoothed residual, by plain and by structural regression."""
    distances = []
    for fine, covariance in ((False, model.area_covariance), (True, model.light_covariance)):
        residual = model.expected.residual(predictor, target, pair.valid, fine=fine)
        distances.append(_inverse_products([_area_residual(residual, pair, options)], covariance)[0][0])
    return distances[0], distances[1]


def area_statistic(pair: Pair, model: PairModel, options: PairOptions | None = None) -> FloatArray:
    """Return the evidence (row, col) for a changed area of tens of metres; NaN where not valid.

    The least distance of both directions and both regressions, since a change must be unexplained by any. Plain
    regression alone would take what stayed for changed where it stands on ground whose texture is no stronger than the
    noise. But on such ground it also explains everything away that is new (one cover is predicted from whatever there
    is), so that structural regression alone has a share of its own. Roots are smoothed, lest a glint weigh like a
    field.
    """
    options = options or PairOptions()
    forward = _area_distance(pair.before, pair.after, pair, model.forward, options)
    backward = _area_distance(pair.after, pair.before, pair, model.backward, options)
    plain, light = (np.sqrt(np.minimum(f, b)) for f, b in zip(forward, backward, strict=True))
    least = (1 - LIGHT_SHARE) * np.minimum(plain, light) + LIGHT_SHARE * light
    smooth = blur(least[None].astype(np.float32), pair.valid, options.area_extent_m / pair.gsd)[0]
    return np.where(pair.valid, smooth, np.float32(np.nan))


LIGHT_SHARE = 0.2
"""Weight of what structural regression leaves unexplained; between 0.1 and 0.3 it hardly matters on real pairs."""


def _structure(
    image: FloatArray, valid: BoolArray, covariance: FloatMatrix, *, inner: float, outer: float
) -> FloatArray:
    """Return how much a date stands out of its own surroundings (row, col), in units of the usual difference."""
    response = difference_of_gaussians(image, valid, inner=inner, outer=outer)
    energy = _inverse_products([response], covariance)[0][0][None]
    smooth: FloatArray = blur(energy, valid, outer / 2)[0]
    return smooth


def signed_direction(pair: Pair, model: PairModel, *, outer: float, options: PairOptions) -> NDArray[np.int8]:
    """Return +1 where the later date stands out more than the earlier, -1 where less, 0 where they are alike.

    Brightness alone cannot tell: a dark helicopter that arrives on concrete makes it darker.
    """
    covariance = (model.forward.object_covariance + model.backward.object_covariance) / 2
    earlier, later = (
        _structure(x, pair.valid, covariance, inner=options.psf_px, outer=outer) for x in (pair.before, pair.after)
    )
    alike = np.minimum(earlier, later) > ALIKE * np.maximum(earlier, later)
    sign = np.where(later > earlier, 1, -1)
    return np.where(alike | ~pair.valid, 0, sign).astype(np.int8)


ALIKE = 0.9
"""Two dates that stand out of their surroundings within a tenth of one another: neither appeared nor vanished."""


def _scale_change(
    scale: Scale, statistic: FloatArray, direction: NDArray[np.int8], threshold: FloatArray
) -> ScaleChange:
    """Return one scale's maps; p-values need other dates than the two."""
    return ScaleChange(
        scale=scale,
        statistic=statistic,
        p_value=np.full(statistic.shape, np.nan, np.float32),
        direction=direction,
        threshold=threshold,
    )


def detect_pair(
    pair: Pair,
    strata: NDArray[np.uint8],
    *,
    false_alarms_per_km2: float,
    model: PairModel | None = None,
    options: PairOptions | None = None,
) -> Change:
    """Compare two aligned dates.

    Parameters
    ----------
    pair
        The dates.
    strata
        (row, col), the kind of searched ground, 1 and up; 0 = not searched. Each kind has thresholds of its own, since
        soil and concrete do not share one noise; a kind too small to show its own takes that of all.
    false_alarms_per_km2
        Flags that chance alone may give, both scales together; each scale gets half. From two dates this is an aim,
        not a calibration: the noise is judged from the very pair that is tested.
    model
        Fitted to the pair where not given.
    options
        See `PairOptions`.

    Returns
    -------
    Change
        With `calibrated` False.
    """
    options = options or PairOptions()
    model = model or fit_pair(pair, options)
    rate = false_alarms_per_km2 / 2
    floor = gaussian_floor(len(pair.before), spacing_m=OBJECT_SPACING_M, per_km2=rate)
    ground = np.where(pair.valid, strata, np.uint8(0))
    objects, areas = object_statistic(pair, model, options), area_statistic(pair, model, options)
    aimed = partial(own_threshold, gsd=pair.gsd, per_km2=rate)
    object_rule = partial(aimed, spacing_m=OBJECT_SPACING_M, floor=floor)
    area_rule = partial(aimed, spacing_m=AREA_SPACING_M, floor=float(np.sqrt(floor)))
    narrow, wide = options.psf_px * options.ground_over_psf, options.area_extent_m / pair.gsd
    return Change(
        objects=_scale_change(
            "object",
            objects,
            signed_direction(pair, model, outer=narrow, options=options),
            by_stratum(objects, ground, object_rule),
        ),
        areas=_scale_change(
            "area",
            areas,
            signed_direction(pair, model, outer=wide, options=options),
            by_stratum(areas, ground, area_rule),
        ),
        valid=pair.valid,
        method=METHOD,
        calibrated=False,
    )
