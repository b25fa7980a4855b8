"""Many dates: what is usual is not flagged, what comes or goes is, whether or not the place is usually empty."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from detect import calibrated, series_maps
from detect.calibrated import detect_series
from detect.change import ChangedObject
from detect.errors import DetectError
from detect.filters import FloatArray
from detect.objects import find_objects
from detect.optical import Pair, fit_pair
from detect.series import Series
from detect.temporal import fit_series, series_statistics

SIZE, DATES = 150, 12
STAND = (70, 80)


def ground() -> FloatArray:
    """Return a fixed textured ground (4, SIZE, SIZE)."""
    rng = np.random.default_rng(5)
    texture = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)), (0, 0), 2.0)
    levels = np.array([0.12, 0.16, 0.2, 0.25])[:, None, None]
    return np.asarray(levels * (1 + 0.15 * texture / texture.std()), dtype=np.float32)


def date(seed: int, *, object_at: tuple[int, int] | None = None, contrast: float = 0.08) -> FloatArray:
    """Return the ground on one date: gain, offset, stains and noise of its own, with an object where asked."""
    rng = np.random.default_rng(seed)
    stains = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)), (0, 0), 6.0)
    image = ground() * (1 + 0.01 * stains / stains.std())
    if object_at:
        row, col = object_at
        spot = np.zeros((SIZE, SIZE), np.float32)
        spot[row - 1 : row + 2, col - 1 : col + 2] = contrast
        image = image + cv2.GaussianBlur(spot, (0, 0), 0.6)
    gain = 1 + 0.04 * rng.standard_normal((4, 1, 1))
    noisy = gain * image + 0.004 * rng.standard_normal((4, 1, 1)) + 0.0015 * rng.standard_normal(image.shape)
    return np.asarray(noisy, dtype=np.float32)


def series(before: FloatArray, after: FloatArray, baseline: list[FloatArray] | None = None) -> Series:
    dates = np.stack(baseline or [date(seed) for seed in range(DATES)])
    valid = np.ones((SIZE, SIZE), bool)
    return Series(
        before=before,
        after=after,
        baseline=dates,
        valid=valid,
        baseline_valid=np.ones((len(dates), SIZE, SIZE), bool),
        gsd=10.0,
    )


def flags(dates: Series, rate: float = 1.0) -> list[tuple[str, bool]]:
    """Return sign and "on the stand" of each flag."""
    return [(item.change, _on_the_stand(item)) for item in found_in(dates, rate)]


def on_the_stand(dates: Series) -> set[tuple[str, str]]:
    """Return scale and sign of the flags on the stand."""
    return {(item.scale, item.change) for item in found_in(dates) if _on_the_stand(item)}


def _on_the_stand(item: ChangedObject) -> bool:
    return bool(((item.rows == STAND[0]) & (item.cols == STAND[1])).any())


def found_in(dates: Series, rate: float = 1.0) -> tuple[ChangedObject, ...]:
    """Return the flags."""
    pair = Pair(before=dates.before, after=dates.after, valid=dates.valid, gsd=10.0, shift_error_px=(0.02, 0.02))
    model = fit_pair(pair)
    strata = np.ones((SIZE, SIZE), np.uint8)
    change = detect_series(dates, strata, false_alarms_per_km2=rate, pair=pair, pair_model=model)
    return find_objects(change, pair, model)


@pytest.mark.parametrize("contrast", [0.08, -0.06])
def test_an_arrival_and_a_departure_are_flagged_with_their_sign(contrast: float) -> None:
    there, gone = date(101, object_at=STAND, contrast=contrast), date(102)
    assert ("appeared", True) in flags(series(gone, there))
    assert ("vanished", True) in flags(series(there, gone))


@pytest.mark.parametrize("contrast", [0.08, -0.06])
def test_a_departure_from_a_stand_that_is_always_taken_has_vanished(contrast: float) -> None:
    taken = [date(seed, object_at=STAND, contrast=contrast) for seed in range(DATES)]
    there, gone = date(101, object_at=STAND, contrast=contrast), date(102)
    assert ("vanished", True) in flags(series(there, gone, taken))
    assert ("appeared", True) in flags(series(gone, there, taken))


def test_what_stands_there_on_both_dates_is_no_change() -> None:
    dates = series(date(101, object_at=STAND), date(102, object_at=STAND))
    assert not any(there for _, there in flags(dates, rate=0.5))


def test_a_visitor_that_looks_otherwise_on_the_second_date_has_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another haze, another shadow: a quarter less of it, far beyond the ground's own noise."""
    contrast = 0.1
    lately = [date(seed, object_at=STAND if seed >= DATES - 3 else None, contrast=contrast) for seed in range(DATES)]
    stood = date(101, object_at=STAND, contrast=contrast)
    same, gone = series(stood, date(102, object_at=STAND, contrast=0.75 * contrast), lately), date(102)
    assert ("object", "vanished") not in on_the_stand(same)
    assert ("object", "vanished") in on_the_stand(series(stood, gone, lately))
    monkeypatch.setattr(series_maps, "STANDING", 0.0)
    assert ("object", "vanished") in on_the_stand(same)


def test_chance_gives_about_as_many_flags_as_asked() -> None:
    counts = [len(flags(series(date(300 + k), date(400 + k)), rate=4.0)) for k in range(6)]
    km2 = 6 * SIZE * SIZE * 1e-4
    assert 0.2 < sum(counts) / (4.0 * km2) < 2.5


def test_changed_pixels_change_the_maps_only_around_them() -> None:
    dates = series(date(101), date(102))
    model = fit_series(dates)
    plain = series_statistics(dates.before, dates.after, dates.valid, model)
    more = series_statistics(dates.before, dates.after + (date(7, object_at=STAND) - date(7)), dates.valid, model)
    assert more.objects[STAND] > plain.objects[STAND] + 50
    np.testing.assert_allclose(more.objects[:25, :25], plain.objects[:25, :25], rtol=0.05, atol=0.3)


def test_dates_with_holes_do_not_speak_where_they_are_blind() -> None:
    whole = series(date(101), date(102))
    holed = whole.baseline.copy()
    seen = whole.baseline_valid.copy()
    seen[::2, 40:60, 40:60] = False
    holed[::2, :, 40:60, 40:60] = 5.0
    model = fit_series(replace(whole, baseline=holed, baseline_valid=seen))
    maps = series_statistics(whole.before, whole.after, whole.valid, model)
    assert np.isfinite(maps.objects).all()
    assert maps.objects[40:60, 40:60].max() < 80


def test_ground_seen_too_rarely_is_not_valid() -> None:
    whole = series(date(101), date(102))
    seen = whole.baseline_valid.copy()
    seen[3:, :30] = False
    model = fit_series(replace(whole, baseline_valid=seen))
    assert not model.seen[:30].any()
    assert model.seen[30:].all()


def test_too_few_dates_are_refused() -> None:
    with pytest.raises(DetectError, match="3 baseline dates; at least 4"):
        series(date(101), date(102), [date(seed) for seed in range(3)])


PATCHES = np.kron(np.random.default_rng(11).standard_normal((SIZE // 10, SIZE // 10)), np.ones((10, 10)))
"""How much more than the others each field of 100 m grows."""
SITE = (slice(60, 85), slice(60, 85))


def growing(seed: int, growth: float, *, built: bool = False) -> FloatArray:
    """Return a date on which fields have grown, each in its own way, with a building site where asked."""
    image = date(seed) + np.float32(growth) * PATCHES.astype(np.float32)
    if built:
        image[(slice(None), *SITE)] += np.float32(0.08)
    return np.asarray(image, dtype=np.float32)


def areas_of(dates: Series) -> list[tuple[float | None, bool]]:
    """Return the chance and "on the building site" of each flagged area."""
    pair = Pair(before=dates.before, after=dates.after, valid=dates.valid, gsd=10.0, shift_error_px=(0.02, 0.02))
    model = fit_pair(pair)
    strata = np.zeros((SIZE, SIZE), np.uint8)
    strata[40:110, 40:110] = 1
    change = detect_series(dates, strata, false_alarms_per_km2=1.0, pair=pair, pair_model=model)
    found = [item for item in find_objects(change, pair, model) if item.scale == "area"]
    centre = SITE[0].start + 12
    return [(item.p_value, bool(((item.rows == centre) & (item.cols == centre)).any())) for item in found]


def test_a_season_that_no_earlier_pair_shows_is_no_change_of_areas_and_a_building_site_is() -> None:
    quiet = [growing(seed, 0.001 * (seed % 3)) for seed in range(DATES)]
    grown = areas_of(series(growing(101, 0.0), growing(102, 0.012), quiet))
    assert not [one for one in grown if one[0] is not None and one[0] * SIZE**2 * 1e-2 < 0.1]
    assert len(grown) <= 1
    built = areas_of(series(growing(101, 0.0), growing(102, 0.012, built=True), quiet))
    assert [there for _, there in built].count(True) == 1


def test_areas_whose_rate_does_not_hold_have_no_probability_and_objects_keep_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibrated, "holds_on_other_dates", lambda *_, per_km2: per_km2 != 1.0)
    dates = series(date(101), date(102))
    pair = Pair(before=dates.before, after=dates.after, valid=dates.valid, gsd=10.0, shift_error_px=(0.02, 0.02))
    strata = np.ones((SIZE, SIZE), np.uint8)
    change = detect_series(dates, strata, false_alarms_per_km2=0.5, pair=pair, pair_model=fit_pair(pair))
    assert np.isnan(change.areas.p_value).all()
    assert np.isfinite(change.areas.threshold).all()
    assert np.isfinite(change.objects.p_value).all()
    assert change.calibrated
