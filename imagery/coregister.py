"""Sub-pixel co-registration of two dates, with its standard error, and their meeting on a half-way grid.

The shift is a translation. It is estimated on all bands at once by robust Gauss-Newton steps on the
brightness-constancy equation (Lucas and Kanade 1981; symmetric form and Cauchy weights), because on real
pairs it beats phase correlation, which is pulled towards zero by what did not move with the ground.
Its standard error comes from deleting one block of the image at a time: neighbouring pixels are not
independent, so that the textbook formula would promise far too much.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from imagery.displacement import displace
from imagery.errors import InsufficientImageryError, NoStructureError
from imagery.raster import BoolArray, FloatArray, Raster

MAX_SHIFT_PX = 8.0
"""A larger shift is no residual misregistration but a wrong file; it is not believed."""
BLOCK_PX = 64
"""Side of the blocks of the jackknife and of the scatter, well over the texture's correlation length; smaller in images
that would not hold nine of them."""
MIN_PIXELS = 400
"""Fewer usable pixels (20 x 20) do not carry a sub-pixel shift."""
LEAST_SCORE = 0.3
"""Under this correlation the shift may be anything: on real sea up to 12 px off, with a small standard error."""
UNALIGNED_M = 5.0
"""Standard deviation per axis of the shift between dates that cannot be aligned: what Sentinel-2 products had before
their geometric refinement (12.5 m at two sigma was required of each)."""
CAUCHY = 2.385
"""Tuning constant, in robust standard deviations: 95 % efficiency on Gaussian residuals (Holland and Welsch 1977)."""

FloatMap = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Where a moving image lies against a reference."""

    shift_px: tuple[float, float]
    """(rows, cols) to be added to a position in the moving image to have it in the reference."""
    standard_error_px: tuple[float, float]
    """(rows, cols), of the shift of the whole image."""
    scatter_px: tuple[float, float]
    """(rows, cols) robust spread of the shift from place to place, after the whole shift is taken off; what is left
    of terrain, attitude and resampling that one translation cannot mend."""
    score: float
    """Correlation of the two aligned images' fine structure, -1 to 1."""
    gsd: float
    """Metres per pixel."""

    @property
    def shift_m(self) -> tuple[float, float]:
        """(southward, eastward) metres."""
        return self.shift_px[0] * self.gsd, self.shift_px[1] * self.gsd

    @property
    def residual_px(self) -> tuple[float, float]:
        """(rows, cols) standard deviation of what is left at any one place: the error of the shift and the scatter."""
        rows, cols = (float(np.hypot(e, s)) for e, s in zip(self.standard_error_px, self.scatter_px, strict=True))
        return rows, cols


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Two dates on their half-way grid."""

    before: Raster
    after: Raster
    alignment: Alignment


@dataclass(frozen=True, kw_only=True)
class _Equations:
    """Normal equations of the shift, block by block."""

    normal: FloatMap
    """(block, 2, 2)."""
    right: FloatMap
    """(block, 2)."""

    def solve(self) -> FloatMap:
        """Return the shift (rows, cols) of all blocks together."""
        return np.linalg.solve(self.normal.sum(0), self.right.sum(0))

    def standard_error(self) -> tuple[float, float]:
        """Return the delete-one-block jackknife's standard error (rows, cols) (Efron and Tibshirani 1993, ch. 11)."""
        used = np.trace(self.normal, axis1=1, axis2=2) > 0
        count = int(used.sum())
        if count < 2:
            return MAX_SHIFT_PX, MAX_SHIFT_PX
        total_n, total_r = self.normal.sum(0), self.right.sum(0)
        left_out = np.linalg.solve(total_n - self.normal[used], (total_r - self.right[used])[..., None])[..., 0]
        variance = (count - 1) / count * ((left_out - left_out.mean(0)) ** 2).sum(0)
        return float(np.sqrt(variance[0])), float(np.sqrt(variance[1]))

    def scatter(self) -> tuple[float, float]:
        """Return the robust spread (rows, cols) of the single blocks' shifts, over the best-textured half of them."""
        smallest = np.linalg.eigvalsh(self.normal)[:, 0]
        good = smallest > max(float(np.median(smallest)), 0.0)
        if good.sum() < 4:
            return 0.0, 0.0
        shifts = np.linalg.solve(self.normal[good], self.right[good][..., None])[..., 0]
        spread = 1.4826 * np.median(np.abs(shifts - np.median(shifts, axis=0)), axis=0)
        return float(spread[0]), float(spread[1])


def _fine_structure(image: FloatArray, valid: BoolArray, sigma: float) -> FloatArray:
    """Return each band's structure between `sigma` and 6 px, in units of its robust spread; 0 where not valid."""
    weight = cv2.GaussianBlur(valid.astype(np.float32), (0, 0), 6.0) + np.float32(1e-6)
    out = np.zeros_like(image)
    for k, band in enumerate(image):
        filled = np.where(valid, band, np.float32(0))
        smooth = cv2.GaussianBlur(filled, (0, 0), 6.0) / weight
        high = np.where(valid, filled - smooth, np.float32(0))
        high = cv2.GaussianBlur(high, (0, 0), sigma) if sigma > 0 else high
        scale = 1.4826 * float(np.median(np.abs(high[valid]))) + 1e-9
        # A few glints must not steer the shift: their height is cut, smoothly, where the bulk ends.
        out[k] = np.where(valid, np.tanh(high / (6 * scale)) * 6, 0)
    return out


def _coarse_shift(reference: FloatArray, moving: FloatArray) -> tuple[float, float]:
    """Return the whole-pixel shift that correlates the summed structure best, not beyond MAX_SHIFT_PX."""
    first, second = reference.sum(0), moving.sum(0)
    product = np.fft.rfft2(first) * np.conj(np.fft.rfft2(second))
    correlation = np.fft.irfft2(product, s=first.shape)
    reach = int(MAX_SHIFT_PX)
    window = np.fft.fftshift(correlation)
    r, c = first.shape[0] // 2, first.shape[1] // 2
    window = window[max(r - reach, 0) : r + reach + 1, max(c - reach, 0) : c + reach + 1]
    peak = np.unravel_index(int(np.argmax(window)), window.shape)
    return float(peak[0] - min(r, reach)), float(peak[1] - min(c, reach))


def _starts(size: int) -> NDArray[np.intp]:
    """Return where the blocks begin along an axis; a sliver left over at the end would spoil the jackknife."""
    count = max(3, round(size / BLOCK_PX))
    return np.arange(count) * size // count


def _block_sums(values: FloatMap) -> FloatMap:
    """Return the sums of a (row, col) map over its blocks, as a flat array."""
    rows = np.add.reduceat(values, _starts(values.shape[0]), axis=0)
    return np.add.reduceat(rows, _starts(values.shape[1]), axis=1).ravel()


def _equations(first: FloatArray, second: FloatArray, valid: BoolArray) -> _Equations:
    """Return the robust normal equations for the shift that is left between two images of one frame."""
    difference = (second - first).astype(np.float64)
    mean = (first.astype(np.float64) + second) / 2
    slope_r, slope_c = np.gradient(mean, axis=(1, 2))
    spread = 1.4826 * np.median(np.abs(difference[:, valid]), axis=1) + 1e-9
    distance = np.sqrt(((difference / spread[:, None, None]) ** 2).mean(0))
    weight = np.where(valid, 1 / (1 + (distance / CAUCHY) ** 2), 0.0) / spread[:, None, None] ** 2
    sums = [(weight * a * b).sum(0) for a, b in ((slope_r, slope_r), (slope_r, slope_c), (slope_c, slope_c))]
    rr, rc, cc = (_block_sums(s) for s in sums)
    right = [_block_sums((weight * s * difference).sum(0)) for s in (slope_r, slope_c)]
    normal = np.stack([np.stack([rr, rc], -1), np.stack([rc, cc], -1)], -2)
    return _Equations(normal=normal, right=np.stack(right, -1))


def _meet(
    images: tuple[FloatArray, FloatArray], valids: tuple[BoolArray, BoolArray], shift: tuple[float, float]
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return both structure images in the half-way frame, and where both are valid."""
    half = (shift[0] / 2, shift[1] / 2)
    first, seen_first = displace(images[0], valids[0], half)
    second, seen_second = displace(images[1], valids[1], (-half[0], -half[1]))
    both = seen_first & seen_second
    # Gradients reach one pixel further.
    both = cv2.erode(both.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).astype(bool)
    return np.nan_to_num(first), np.nan_to_num(second), both


def _correlation(first: FloatArray, second: FloatArray, valid: BoolArray) -> float:
    """Return the correlation of two images over their valid pixels, all bands together."""
    a, b = first[:, valid].ravel().astype(np.float64), second[:, valid].ravel().astype(np.float64)
    return float(a @ b / (np.sqrt((a @ a) * (b @ b)) + 1e-12))


def estimate_shift(
    reference: FloatArray, moving: FloatArray, valid_reference: BoolArray, valid_moving: BoolArray, *, gsd: float
) -> Alignment:
    """Estimate the translation between two images of the same ground.

    Exchanging the two images turns the sign of the shift and leaves its errors as they are.

    Parameters
    ----------
    reference, moving
        (band, row, col) float32, the same shape and bands.
    valid_reference, valid_moving
        (row, col), True = usable. Leave out what moves or may be cloud.
    gsd
        Metres per pixel.

    Returns
    -------
    Alignment
        The shift (rows, cols) to be added to `moving`.

    Raises
    ------
    InsufficientImageryError
        Where too few pixels are valid on both.
    NoStructureError
        Where the images have no structure in common.

    References
    ----------
    B. D. Lucas and T. Kanade (1981), An iterative image registration technique, IJCAI 81, 674-679.
    """
    both = valid_reference & valid_moving
    if both.sum() < MIN_PIXELS:
        raise InsufficientImageryError(
            f"only {int(both.sum())} pixels are clear on both dates; a shift needs at least {MIN_PIXELS}"
        )
    shift = np.zeros(2)
    for sigma, steps in ((2.0, 4), (0.8, 8)):
        images = (_fine_structure(reference, valid_reference, sigma), _fine_structure(moving, valid_moving, sigma))
        if sigma == 2.0:  # the first, coarse level starts from the best whole-pixel shift
            shift = np.array(_coarse_shift(*images))
        for _ in range(steps):
            first, second, seen = _meet(images, (valid_reference, valid_moving), (shift[0], shift[1]))
            step = _solved(first, second, seen).solve()
            shift = np.clip(shift + step, -MAX_SHIFT_PX, MAX_SHIFT_PX)
            if np.abs(step).max() < 1e-4:  # a hundredth of the error that can be reached
                break
    first, second, seen = _meet(images, (valid_reference, valid_moving), (shift[0], shift[1]))
    equations, score = _solved(first, second, seen), _correlation(first, second, seen)
    if score < LEAST_SCORE:
        raise NoStructureError(f"the dates have no structure in common: it correlates by {score:.2f} at the best shift")
    return Alignment(
        shift_px=(float(shift[0]), float(shift[1])),
        standard_error_px=equations.standard_error(),
        scatter_px=equations.scatter(),
        score=score,
        gsd=gsd,
    )


def _solved(first: FloatArray, second: FloatArray, seen: BoolArray) -> _Equations:
    """Return the equations, refusing images without structure in common."""
    if seen.sum() < MIN_PIXELS:
        raise InsufficientImageryError("the two dates do not overlap enough to be aligned")
    equations = _equations(first, second, seen)
    if np.linalg.cond(equations.normal.sum(0)) > 1e8:  # one direction is not determined at all
        raise NoStructureError("the images have no structure on which a shift could be measured")
    return equations


def _moved(raster: Raster, shift: tuple[float, float]) -> Raster:
    """Return the raster sampled at (position + shift)."""
    data, valid = displace(np.asarray(raster.data), raster.valid, shift)
    _, certain = displace(np.zeros_like(raster.data[:1]), ~raster.uncertain, shift)
    return raster.with_pixels(data, valid, ~certain & valid)


def _estimated(before: Raster, after: Raster) -> Alignment:
    """Return the alignment from what is certain on both dates; where nothing tells the shift, none and its error."""
    clear = [r.valid & ~r.uncertain for r in (before, after)]
    gsd = before.grid.gsd
    try:
        return estimate_shift(np.asarray(before.data), np.asarray(after.data), clear[0], clear[1], gsd=gsd)
    except NoStructureError:
        unknown = (UNALIGNED_M / gsd, UNALIGNED_M / gsd)
        return Alignment(shift_px=(0.0, 0.0), standard_error_px=unknown, scatter_px=(0.0, 0.0), score=0.0, gsd=gsd)


def align(before: Raster, after: Raster, alignment: Alignment | None = None) -> Aligned:
    """Bring two dates together: each is moved by half of the shift, so that neither is blurred alone.

    Parameters
    ----------
    before, after
        Rasters of the same grid and bands.
    alignment
        Of `after` against `before`; estimated from what is certain on both dates where not given. Dates without
        structure in common, such as open sea, stay where they are, with the error that their products have.

    Returns
    -------
    Aligned
        Both on the half-way grid, whose georeference is that of `before` moved by half of the shift.
    """
    if before.grid != after.grid or before.bands != after.bands:
        raise ValueError(f"the dates are not on one grid with the same bands: {before.bands} and {after.bands}")
    if alignment is None:
        alignment = _estimated(before, after)
    half = (alignment.shift_px[0] / 2, alignment.shift_px[1] / 2)
    return Aligned(before=_moved(before, half), after=_moved(after, (-half[0], -half[1])), alignment=alignment)
