"""The two-date statistics: exact properties, the algebra against plain matrices, and implanted changes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy.stats import chi2

from detect import optical
from detect.errors import DetectError
from detect.filters import difference_of_gaussians, gradient
from detect.objects import find_objects
from detect.optical import Pair, PairModel, PairOptions, area_statistic, detect_pair, fit_pair, object_statistic
from tests.views import FINE, MARGIN, Parked, View, apron, fields, look, pavement, two_dates, with_object

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
SIZE = 160
STATISTICS = (object_statistic, area_statistic)


def pair_of(
    before: FloatArray,
    after: FloatArray,
    valid: BoolArray | None = None,
    shift_error_px: tuple[float, float] = (0.02, 0.03),
) -> Pair:
    everywhere = np.ones(before.shape[1:], np.bool_)
    return Pair(
        before=before,
        after=after,
        valid=everywhere if valid is None else valid,
        gsd=10.0,
        shift_error_px=shift_error_px,
    )


def searched(pair: Pair) -> NDArray[np.uint8]:
    return np.ones(pair.valid.shape, np.uint8)


@cache
def quiet() -> Pair:
    """Return two dates of fields between which only the light changed."""
    ground = look(fields(1, SIZE), View())
    before, after = two_dates(ground, ground)
    return pair_of(before, after)


@cache
def quiet_model() -> PairModel:
    return fit_pair(quiet())


def turned(pair: Pair) -> Pair:
    return pair_of(pair.after, pair.before, pair.valid, pair.shift_error_px)


# --- exact properties ------------------------------------------------------------------------------------------------


def flags_of_the_same_image_twice(image: FloatArray, valid: BoolArray | None = None) -> int:
    pair = pair_of(image, image.copy(), valid)
    model = fit_pair(pair)
    change = detect_pair(pair, searched(pair), false_alarms_per_km2=20.0, model=model)
    assert np.nanmax(change.objects.statistic) < 0.1
    assert np.nanmax(change.areas.statistic) < 0.1
    return len(find_objects(change, pair, model))


def test_identical_pixels_give_no_flag() -> None:
    assert flags_of_the_same_image_twice(quiet().before) == 0


def test_identical_real_pixels_give_no_flag(real_data: Path) -> None:
    with rasterio.open(real_data / "crops_utm" / "beirut_airport_S2L1C_20171003.tif") as file:
        image = file.read((1, 2, 3, 4), window=Window(150, 150, 220, 220)).astype(np.float32) * np.float32(1e-4)
    assert flags_of_the_same_image_twice(image, (image > 0).all(axis=0)) == 0


def test_exchanging_the_dates_keeps_the_statistics_and_turns_the_direction() -> None:
    pair, back = quiet(), turned(quiet())
    model, backward = quiet_model(), fit_pair(turned(quiet()))
    for statistic in STATISTICS:
        np.testing.assert_allclose(statistic(back, backward), statistic(pair, model), rtol=1e-4)
    there = detect_pair(pair, searched(pair), false_alarms_per_km2=1.0, model=model)
    again = detect_pair(back, searched(back), false_alarms_per_km2=1.0, model=backward)
    for one, other in ((there.objects, again.objects), (there.areas, again.areas)):
        np.testing.assert_array_equal(one.direction, -other.direction)
        assert (one.direction != 0).any()
        np.testing.assert_allclose(one.threshold, other.threshold, rtol=1e-4)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_part_of_the_pair_is_judged_as_in_the_whole(statistic: type) -> None:
    pair, model = quiet(), quiet_model()
    part = np.s_[20:150, 10:130]
    alone = pair_of(pair.before[:, *part], pair.after[:, *part], pair.valid[part], pair.shift_error_px)
    inner = np.s_[20:-20, 20:-20]  # the widest window is a ring of 31 pixels
    np.testing.assert_allclose(
        statistic(alone, model)[inner], statistic(pair, model)[part][inner], rtol=1e-4, atol=1e-4
    )


def test_what_is_not_valid_takes_no_part() -> None:
    pair, valid = quiet(), quiet().valid.copy()
    valid[50:70, 90:120] = False
    results = []
    for rubbish in (np.nan, 1e6):
        before, after = (np.where(valid, x, np.float32(rubbish)) for x in (pair.before, pair.after))
        holed = pair_of(before, after, valid)
        results.append([statistic(holed, fit_pair(holed)) for statistic in STATISTICS])
        for one in results[-1]:
            np.testing.assert_array_equal(np.isnan(one), ~valid)
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize("bands", [1, 2])
def test_any_number_of_bands_will_do(bands: int) -> None:
    pair = pair_of(quiet().before[:bands], quiet().after[:bands])
    for statistic in STATISTICS:
        found = statistic(pair, fit_pair(pair))
        assert np.isfinite(found).all()
        assert (found >= 0).all()


# --- the algebra -----------------------------------------------------------------------------------------------------


def test_misregistration_in_the_covariance_is_what_a_matrix_per_pixel_would_give() -> None:
    pair = pair_of(quiet().before, quiet().after, shift_error_px=(0.1, 0.25))
    options, model = PairOptions(), quiet_model().forward
    filtered = {"inner": options.psf_px, "outer": options.psf_px * options.ground_over_psf}
    residual = model.expected.residual(pair.before, pair.after, pair.valid, fine=True)
    response = difference_of_gaussians(residual, pair.valid, **filtered)
    middle = np.asarray((pair.before + pair.after) / 2, dtype=np.float32)
    slopes = gradient(difference_of_gaussians(middle, pair.valid, **filtered))
    alone = np.einsum("brc,bd,drc->rc", response, np.linalg.inv(model.object_covariance), response)
    noise = optical._noise_scale((alone / 4).astype(np.float32), pair.valid, 10.0, model.object_level, options)
    found = optical._object_distance(pair.before, pair.after, pair, model, options)
    for row, col in np.random.default_rng(1).integers(0, SIZE, (200, 2)):
        moved = [s * g[:, row, col] for s, g in zip(pair.shift_error_px, slopes, strict=True)]
        covariance = noise[row, col] * model.object_covariance + sum(np.outer(m, m) for m in moved)
        here = response[:, row, col]
        assert found[row, col] == pytest.approx(here @ np.linalg.solve(covariance, here), rel=1e-3, abs=1e-3)


def test_noise_alone_has_the_distance_of_gaussian_noise() -> None:
    ground = apron(3, SIZE)
    before, after = two_dates(ground, ground)
    pair = pair_of(before, after, shift_error_px=(0.0, 0.0))
    statistic = object_statistic(pair, fit_pair(pair))[SIZE // 4 + 20 :]
    assert np.median(statistic) == pytest.approx(chi2.median(4), rel=0.1)
    # The two directions of time see nearly the same noise, so that their mean still has its spread.
    assert np.quantile(statistic, 0.99) == pytest.approx(chi2.isf(0.01, 4), rel=0.1)


def edge_and_point(shift: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Return two dates out of register: on both a bright block; on the later one a bright point as well."""
    ground = np.full((4, (SIZE + 2 * MARGIN) * FINE, (SIZE + 2 * MARGIN) * FINE), 0.15, np.float32)
    start = (MARGIN + 30) * FINE
    ground[:, start + 3 : start + 245, start + 2 : start + 484] = 0.35
    later, corner = ground.copy(), (MARGIN + 110) * FINE
    # A quarter of a pixel: as strong as what the misregistered edge leaves.
    later[:, corner : corner + FINE // 2, corner : corner + FINE // 2] = 0.35
    return look(ground, View(noise=0.004, seed=1)), look(later, View(shift=shift, noise=0.004, seed=2))


def test_an_edge_out_of_register_by_the_stated_error_is_no_change_but_a_point_is() -> None:
    before, after = edge_and_point((0.25, 0.25))
    blind, told = (pair_of(before, after, shift_error_px=error) for error in ((0.0, 0.0), (0.25, 0.25)))
    edges, point = np.s_[20:70, 20:100], np.s_[105:116, 105:116]
    unaware, statistic = (object_statistic(pair, fit_pair(pair)) for pair in (blind, told))
    assert unaware[edges].max() > 5 * statistic[edges].max()
    change = detect_pair(told, searched(told), false_alarms_per_km2=1.0)
    limit = change.objects.threshold[0, 0]
    assert statistic[edges].max() < limit < statistic[point].max()
    np.testing.assert_array_equal(change.objects.statistic, statistic)


# --- what stays and what is new --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "level"), [("Il-76", 1.0), ("Su-24", 0.0), ("Ka-52", 0.0)])
def test_what_is_parked_there_on_both_dates_is_no_change(name: str, level: float) -> None:
    # Pavement with hardly a texture is the hard case: nothing there tells how the light changed.
    ground = pavement(1, SIZE)
    for place in ((50, 50), (50, 110), (110, 50), (110, 110)):
        ground = with_object(ground, Parked(name=name, place=place, heading_deg=place[1], level=level))
    pair = pair_of(*two_dates(ground, ground))
    model = fit_pair(pair)
    change = detect_pair(pair, searched(pair), false_alarms_per_km2=1.0, model=model)
    for flag in find_objects(change, pair, model):
        assert min(np.hypot(flag.rows.mean() - r, flag.cols.mean() - c) for r in (50, 110) for c in (50, 110)) > 5


def test_new_ground_on_a_featureless_plain_is_a_changed_area() -> None:
    # Nothing of the kind was there before: plain regression would predict the plain from whatever stands there now.
    plain = pavement(3, SIZE)
    built = plain.copy()
    built[:, 70:80, 60:80] = np.array([0.3, 0.33, 0.36, 0.4])[:, None, None]
    pair = pair_of(*two_dates(plain, built))
    statistic = area_statistic(pair, fit_pair(pair))
    assert statistic[73:77, 65:75].min() > 3 * statistic[:40].max()


def test_a_large_change_does_not_make_its_own_kind_of_cover_look_changed() -> None:
    ground = look(fields(1, SIZE), View())
    built = ground.copy()
    built[:, 70:80, 60:80] = np.array([0.3, 0.33, 0.36, 0.4])[:, None, None]
    pair = pair_of(*two_dates(ground, built))
    model = fit_pair(pair)
    change = detect_pair(pair, searched(pair), false_alarms_per_km2=1.0, model=model)
    elsewhere = [
        flag
        for flag in find_objects(change, pair, model)
        if not (60 < flag.rows.mean() < 90 and 50 < flag.cols.mean() < 90)
    ]
    assert len(elsewhere) <= 3


# --- what it says of itself ------------------------------------------------------------------------------------------


def test_two_dates_are_never_called_calibrated() -> None:
    strata = searched(quiet())
    strata[:40] = 0
    change = detect_pair(quiet(), strata, false_alarms_per_km2=1.0, model=quiet_model())
    assert not change.calibrated
    for scale in (change.objects, change.areas):
        assert np.isnan(scale.p_value).all()
        np.testing.assert_array_equal(np.isnan(scale.threshold), strata == 0)


def test_chance_gives_about_as_many_flags_as_asked() -> None:
    flags = km2 = 0.0
    for seed in range(4):
        ground = apron(seed, SIZE) if seed % 2 else look(fields(seed, SIZE), View())
        before, after = two_dates(ground, ground, seed=seed)
        pair = pair_of(before, after)
        model = fit_pair(pair)
        change = detect_pair(pair, searched(pair), false_alarms_per_km2=2.0, model=model)
        flags += len(find_objects(change, pair, model))
        km2 += SIZE**2 * 1e-4
    assert flags <= 2 * 2.0 * km2


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(DetectError, match=r"shapes differ: before \(4, 160, 160\), after \(4, 80, 160\)"):
        pair_of(quiet().before, quiet().after[:, :80])


def test_too_few_valid_pixels_are_refused_with_their_number() -> None:
    valid = np.zeros((SIZE, SIZE), np.bool_)
    valid[:10, :30] = True
    with pytest.raises(DetectError, match="only 300 pixels"):
        fit_pair(pair_of(quiet().before, quiet().after, valid))
