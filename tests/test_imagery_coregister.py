"""Co-registration against shifts that are known, against two other methods on real pairs, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from skimage import registration

from aoi import Grid
from imagery.coregister import Alignment, align, estimate_shift
from imagery.errors import InsufficientImageryError, NoStructureError
from imagery.raster import Raster
from tests.views import BANDS, View, fields, look, noisy, periodic

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
SIZE = 160
EVERYWHERE = np.ones((SIZE, SIZE), np.bool_)
SHIFT = (0.375, -0.625)


@cache
def ground() -> FloatArray:
    return fields(1, SIZE)


def shift_between(reference: FloatArray, moving: FloatArray, valid_moving: BoolArray | None = None) -> Alignment:
    everywhere = np.ones(reference.shape[1:], np.bool_)
    return estimate_shift(reference, moving, everywhere, everywhere if valid_moving is None else valid_moving, gsd=10.0)


def raster(data: FloatArray, valid: BoolArray | None = None, uncertain: BoolArray | None = None) -> Raster:
    rows, cols = data.shape[1:]
    nothing = np.zeros((rows, cols), np.bool_)
    return Raster(
        data=data,
        valid=~nothing if valid is None else valid,
        uncertain=nothing if uncertain is None else uncertain,
        grid=Grid(crs="EPSG:32636", transform=Affine(10, 0, 7e5, 0, -10, 39e5), width=cols, height=rows),
        bands=tuple(f"B0{k}" for k in range(len(data))),
        quantity="reflectance",
        acquired=datetime(2024, 12, 7, 8, 20, tzinfo=UTC),
        scene_ids=("one",),
    )


def known(shift: tuple[float, float], error: float = 0.0) -> Alignment:
    return Alignment(shift_px=shift, standard_error_px=(error, error), scatter_px=(0.0, 0.0), score=1.0, gsd=10.0)


# --- known shifts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [(0.0, 0.0), SHIFT, (1.125, 0.5), (-3.25, 5.875), (6.0, -6.0), (-6.0, 0.25)], ids=str)
def test_a_known_shift_is_recovered_under_noise(shift: tuple[float, float]) -> None:
    reference = look(ground(), View(noise=0.004, seed=1))
    found = shift_between(reference, look(ground(), View(shift=shift, noise=0.004, seed=2)))
    assert found.shift_px == pytest.approx(shift, abs=0.02)
    assert found.shift_m == pytest.approx((10 * shift[0], 10 * shift[1]), abs=0.2)


def with_gains(image: FloatArray) -> tuple[FloatArray, BoolArray]:
    gain = np.array([0.8, 1.1, 1.0, 1.3], np.float32)[:, None, None]
    return gain * image + np.float32(0.03), EVERYWHERE


def with_a_cloud(image: FloatArray) -> tuple[FloatArray, BoolArray]:
    rows, cols = np.mgrid[:SIZE, :SIZE]
    cloud = np.exp(-((rows - 50) ** 2 + (cols - 100) ** 2) / (2 * 15**2))
    return (image * (1 - cloud) + 0.7 * cloud).astype(np.float32), EVERYWHERE


def with_an_invalid_wedge(image: FloatArray) -> tuple[FloatArray, BoolArray]:
    rows, cols = np.mgrid[:SIZE, :SIZE]
    valid = cols > 20 + 0.3 * rows
    return np.where(valid, image, np.float32(np.nan)), valid


def with_changes(image: FloatArray) -> tuple[FloatArray, BoolArray]:
    rng = np.random.default_rng(5)
    changed = image.copy()
    for row, col in rng.integers(0, SIZE - 8, (20, 2)):  # 20 x 64 pixels: 5 %
        changed[:, row : row + 8, col : col + 8] = 0.05 + 0.4 * rng.random()
    return changed, EVERYWHERE


@pytest.mark.parametrize("spoil", [with_gains, with_a_cloud, with_an_invalid_wedge, with_changes])
def test_what_does_not_move_with_the_ground_does_not_move_the_shift(
    spoil: Callable[[FloatArray], tuple[FloatArray, BoolArray]],
) -> None:
    reference = look(ground(), View(noise=0.002, seed=1))
    moving, valid = spoil(look(ground(), View(shift=SHIFT, noise=0.002, seed=2)))
    found = shift_between(reference, moving, valid)
    assert found.shift_px == pytest.approx(SHIFT, abs=0.02)


def test_the_standard_error_is_that_of_repeated_measurements() -> None:
    errors, stated = [], []
    for seed in range(16):
        first = noisy(periodic(seed, SIZE), 0.01, 2 * seed)
        second = noisy(periodic(seed, SIZE, (0.37, -0.61)), 0.01, 2 * seed + 1)
        found = shift_between(first, second)
        errors.append(np.subtract(found.shift_px, (0.37, -0.61)))
        stated.append(found.standard_error_px)
    spread = np.sqrt(np.mean(np.square(errors), axis=0))
    ratio = spread / np.mean(stated, axis=0)
    assert (ratio > 0.5).all()
    assert (ratio < 2).all()
    assert (np.abs(errors) <= 3 * np.array(stated)).mean() >= 0.9


def test_more_noise_states_a_larger_error() -> None:
    def stated(noise: float) -> float:
        first, second = (noisy(periodic(3, SIZE), noise, seed) for seed in (1, 2))
        return max(shift_between(first, second).standard_error_px)

    assert stated(0.002) < 0.5 * stated(0.01)


def test_exchanging_the_images_turns_the_sign() -> None:
    first = look(ground(), View(noise=0.004, seed=1))
    second = look(ground(), View(shift=(1.125, -2.5), noise=0.004, seed=2))
    there, back = shift_between(first, second), shift_between(second, first)
    assert np.add(there.shift_px, back.shift_px) == pytest.approx((0, 0), abs=1e-6)
    assert there.standard_error_px == pytest.approx(back.standard_error_px, rel=1e-4)
    assert there.scatter_px == pytest.approx(back.scatter_px, rel=1e-3)
    assert there.score == pytest.approx(back.score, rel=1e-5)


def test_turning_the_images_exchanges_rows_and_columns() -> None:
    first, second = look(ground(), View()), look(ground(), View(shift=SHIFT, noise=0.002))
    rows, cols = shift_between(first, second).shift_px
    turned = shift_between(first.transpose(0, 2, 1), second.transpose(0, 2, 1)).shift_px
    assert turned == pytest.approx((cols, rows), abs=1e-4)


def test_scatter_tells_a_stretched_image() -> None:
    # 0.4 % longer: the shift runs from -0.5 to 0.5 px across the image, which no single translation can mend.
    side = 256
    first = noisy(periodic(4, side), 0.001, 1)
    rows, cols = np.mgrid[:side, :side].astype(np.float32)
    source = (cols, (rows - side / 2) * np.float32(1.004) + side / 2)
    second = np.stack([cv2.remap(band, *source, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT) for band in first])
    still, stretched = shift_between(first, noisy(first, 0.001, 2)), shift_between(first, second)
    assert still.scatter_px[0] < 0.02
    assert stretched.scatter_px[0] > 0.1
    assert stretched.residual_px[0] >= stretched.scatter_px[0]


@pytest.mark.parametrize("side", [64, 67, 100])
def test_a_small_image_states_an_error_too(side: int) -> None:
    errors, stated = [], []
    for seed in range(12):
        first = noisy(periodic(seed, SIZE)[:, :side, :side], 0.01, 2 * seed)
        second = noisy(periodic(seed, SIZE, SHIFT)[:, :side, :side], 0.01, 2 * seed + 1)
        found = shift_between(first, second)
        errors.append(np.subtract(found.shift_px, SHIFT))
        stated.append(found.standard_error_px)
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / np.median(stated, axis=0)
    assert (ratio > 0.4).all()
    assert (ratio < 2.5).all()


# --- real pairs ------------------------------------------------------------------------------------------------------

CROPS = {
    "beirut_airport": ("20150820", "20171003"),
    "beirut_port": ("20150820", "20171003"),
    "pisa_airport": ("20150704", "20180211"),
}


def crop(folder: Path, name: str) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return both dates (4, row, col) of a crop in reflectance, and where both have data."""
    images = []
    for day in CROPS[name]:
        with rasterio.open(folder / "crops_utm" / f"{name}_S2L1C_{day}.tif") as file:
            assert file.descriptions[:4] == ("B02", "B03", "B04", "B08")
            images.append(file.read((1, 2, 3, 4)).astype(np.float32) * np.float32(1e-4))
    return images[0], images[1], np.asarray((images[0] > 0).all(axis=0) & (images[1] > 0).all(axis=0))


def by_ecc(first: FloatArray, second: FloatArray) -> tuple[float, float]:
    """Return the shift by the enhanced correlation coefficient (Evangelidis and Psarakis 2008), in OpenCV."""
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-6)
    one, two = (image[:3].mean(axis=0).astype(np.float32) for image in (first, second))
    everywhere = np.full(one.shape, 255, np.uint8)
    _, warp = cv2.findTransformECC(
        one, two, np.eye(2, 3, dtype=np.float32), cv2.MOTION_TRANSLATION, stop, everywhere, 5
    )
    return -float(warp[1, 2]), -float(warp[0, 2])


def by_correlation(first: FloatArray, second: FloatArray) -> tuple[float, float]:
    """Return the shift at the correlation's peak (Guizar-Sicairos and others 2008), in scikit-image."""
    window = np.outer(np.hanning(first.shape[1]), np.hanning(first.shape[2]))
    one, two = (image[:3].mean(axis=0) for image in (first, second))
    correlate: Any = registration.phase_cross_correlation
    shift, _, _ = correlate(
        (one - one.mean()) * window, (two - two.mean()) * window, upsample_factor=50, normalization=None
    )
    return float(shift[0]), float(shift[1])


@pytest.mark.parametrize("name", CROPS)
def test_two_other_methods_agree_on_real_pairs(real_data: Path, name: str) -> None:
    first, second, valid = crop(real_data, name)
    ours = estimate_shift(first, second, valid, valid, gsd=10.0)
    for other in (by_ecc, by_correlation):
        assert other(first, second) == pytest.approx(ours.shift_px, abs=0.12), other.__name__


def test_pisa_is_out_of_register_by_eleven_metres(real_data: Path) -> None:
    first, second, valid = crop(real_data, "pisa_airport")
    south, east = estimate_shift(first, second, valid, valid, gsd=10.0).shift_m
    assert 10.5 <= abs(south) <= 12.0
    assert 1.0 <= abs(east) <= 2.5


def tile_shifts(pair: tuple[Raster, Raster], side: int = 128) -> NDArray[np.float64]:
    """Return the shifts (tile, 2) that independent tiles still have; open sea shows none."""
    first, second = pair
    both = first.valid & second.valid
    found = []
    for row in range(0, both.shape[0] - side + 1, side):
        for col in range(0, both.shape[1] - side + 1, side):
            tile = np.s_[row : row + side, col : col + side]
            if both[tile].mean() > 0.5:
                one, two = (np.nan_to_num(image.data[(slice(None), *tile)]) for image in pair)
                with suppress(NoStructureError):
                    found.append(estimate_shift(one, two, both[tile], both[tile], gsd=10.0).shift_px)
    return np.array(found)


@pytest.mark.parametrize("name", ["pisa_airport", "beirut_airport"])
def test_tiles_of_an_aligned_real_pair_hardly_scatter(real_data: Path, name: str) -> None:
    first, second, valid = crop(real_data, name)
    aligned = align(raster(first, valid), raster(second, valid))
    shifts = tile_shifts((aligned.before, aligned.after))
    assert len(shifts) >= 6
    assert (np.median(np.abs(shifts - np.median(shifts, axis=0)), axis=0) <= 0.12).all()


# --- refusals --------------------------------------------------------------------------------------------------------


def test_images_without_structure_are_refused() -> None:
    plain = np.full((BANDS, 64, 64), 0.2, np.float32)
    with pytest.raises(NoStructureError, match="no structure"):
        shift_between(plain, plain)


def test_stripes_do_not_tell_the_shift_along_them() -> None:
    stripes = np.broadcast_to(periodic(1, SIZE)[:, :1], (BANDS, SIZE, SIZE)).copy()
    with pytest.raises(NoStructureError, match="no structure"):
        shift_between(stripes, stripes)


def test_dates_without_anything_in_common_are_refused_not_believed() -> None:
    for seed in range(4):
        with pytest.raises(NoStructureError, match="no structure in common"):
            shift_between(periodic(seed, SIZE), periodic(seed + 50, SIZE))


def test_open_sea_stays_where_it_is_with_the_error_of_its_products(real_data: Path) -> None:
    first, second, valid = crop(real_data, "beirut_airport")
    sea = np.s_[200:300, 50:150]
    before, after = (raster(np.ascontiguousarray(x[(slice(None), *sea)]), valid[sea]) for x in (first, second))
    met = align(before, after)
    assert met.alignment.shift_px == (0.0, 0.0)
    assert met.alignment.residual_px == (0.5, 0.5)
    np.testing.assert_array_equal(met.after.data, after.data)


def test_too_few_clear_pixels_are_refused_with_their_number() -> None:
    image, valid = periodic(1, 64), np.zeros((64, 64), np.bool_)
    valid[:10, :30] = True
    with pytest.raises(InsufficientImageryError, match="only 300 pixels"):
        shift_between(image, image, valid)


def test_dates_on_different_grids_are_refused() -> None:
    with pytest.raises(ValueError, match="not on one grid"):
        align(raster(periodic(1, 64)), raster(periodic(1, 80)))


# --- the half-way grid ---------------------------------------------------------------------------------------------


def test_the_half_way_grid_blurs_both_dates_alike() -> None:
    rng = np.random.default_rng(3)
    white = [rng.standard_normal((BANDS, 256, 256)).astype(np.float32) for _ in range(2)]
    met = align(raster(white[0]), raster(white[1]), known((0.5, -0.9)))
    inner = np.s_[:, 8:-8, 8:-8]
    power = [(np.abs(np.fft.fft2(x.data[inner], norm="ortho")) ** 2).mean(axis=0) for x in (met.before, met.after)]
    frequency = np.hypot(np.fft.fftfreq(240)[:, None], np.fft.fftfreq(240)[None])
    ring = np.digitize(frequency.ravel(), np.linspace(0, 0.5, 7))
    before, after = (np.bincount(ring, weights=p.ravel())[1:7] / 240**2 for p in power)
    np.testing.assert_allclose(before, after, rtol=0.05)  # 5000 samples and more in a ring
    share = np.bincount(ring)[1:7] / 240**2
    assert after[-1] < 0.8 * share[-1]  # neither date was left as it came


def test_aligned_dates_show_the_same_ground() -> None:
    first = look(ground(), View())
    second = look(ground(), View(shift=(1.0, -2.0)))
    met = align(raster(first), raster(second))
    both = met.before.valid & met.after.valid
    apart = np.abs(met.before.data - met.after.data)[:, both]
    unaligned = np.abs(first - second)
    assert np.sqrt((apart**2).mean()) < 0.05 * np.sqrt((unaligned**2).mean())


def test_what_is_uncertain_stays_so_where_it_moves_to() -> None:
    uncertain = np.zeros((64, 64), np.bool_)
    uncertain[30:34, 40:44] = True
    met = align(raster(periodic(1, 64), uncertain=uncertain), raster(periodic(1, 64)), known((4.0, -2.0)))
    rows, cols = np.nonzero(met.before.uncertain)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (28, 31, 41, 44)
    assert not met.after.uncertain.any()


def test_uncertain_pixels_take_no_part_in_the_estimate() -> None:
    first, second = look(ground(), View()), look(ground(), View(shift=SHIFT)).copy()
    hidden = np.zeros((SIZE, SIZE), np.bool_)
    hidden[:, :80] = True
    second[:, :, :80] = first[:, :, :80]  # half of the image says: not moved at all
    told = align(raster(first), raster(second, uncertain=hidden)).alignment.shift_px
    assert told == pytest.approx(SHIFT, abs=0.02)
