"""Probabilities of detection: true to a detector whose answer is known, to the ground, and to the images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from detect.detectability import (
    ClassDetectability,
    Dates,
    InjectionPlan,
    Maps,
    StatisticsOf,
    Stratum,
    measure,
)
from detect.errors import DetectError
from detect.filters import FloatArray
from detect.forward import Optics, Pose, Sunlight, render
from detect.injection import View, Window, chip_of, make_stamp
from detect.optical import Pair, area_statistic, detect_pair, fit_pair, object_statistic
from detect.rates import half_seen, wilson
from detect.targets import CATALOGUE, object_class

BANDS = ("B02", "B08")
SIZE = 120
GROUND = np.array([0.15, 0.20], np.float32)


def view(gsd: float = 10.0, transmission: float = 1.0, path: float = 0.0) -> View:
    """Return a sensor with two bands under a sun of 35 degrees."""
    return View(
        bands=BANDS,
        optics=Optics(gsd_m=gsd, psf_sigma_m=(0.52 * gsd, 0.55 * gsd)),
        sunlight=Sunlight(elevation_deg=35.0, azimuth_deg=160.0, shadow_share=(0.38, 0.16)),
        transmission=(transmission,) * 2,
        path=(path,) * 2,
    )


def dates(gsd: float = 10.0, noise: float = 0.0, size: int = SIZE) -> Dates:
    """Return two dates of plain ground."""
    rng = np.random.default_rng(3)
    plain = np.broadcast_to(GROUND[:, None, None], (2, size, size))
    first, second = (
        (plain + noise * rng.standard_normal(plain.shape, dtype=np.float32)).astype(np.float32) for _ in range(2)
    )
    valid = np.ones((size, size), np.bool_)
    return Dates(before=first, after=second, valid=valid, before_view=view(gsd), after_view=view(gsd))


def brightness(seen: Dates) -> StatisticsOf:
    """Return a detector whose score is how much the dates differ at the pixel: its answer can be computed."""

    def statistics_of(before: FloatArray, after: FloatArray, window: Window) -> tuple[FloatArray, FloatArray]:
        assert before.shape == after.shape == seen.before[:, window[0], window[1]].shape
        difference = np.abs(after - before).max(axis=0)
        return difference, np.zeros_like(difference)

    return statistics_of


def maps(seen: Dates, threshold: float) -> Maps:
    """Return what `brightness` says of the images as they are, and its threshold everywhere."""
    objects, areas = brightness(seen)(seen.before, seen.after, (slice(None), slice(None)))
    limit = np.full(objects.shape, threshold, np.float32)
    return Maps(objects=objects, areas=areas, object_threshold=limit, area_threshold=np.full_like(limit, np.inf))


def whole(seen: Dates, name: str = "apron", *, water: bool = False) -> list[Stratum]:
    """Return one kind of ground, everywhere."""
    return [Stratum(name=name, where=np.ones(seen.valid.shape, np.bool_), water=water)]


def by_name(rows: tuple[ClassDetectability, ...]) -> dict[tuple[str, str], ClassDetectability]:
    """Return rows by class and direction."""
    return {(row.object, row.direction): row for row in rows}


def measured(
    threshold: float, seen: Dates | None = None, plan: InjectionPlan | None = None
) -> dict[tuple[str, str], ClassDetectability]:
    """Return what the known detector sees of a few classes on plain ground."""
    there = seen or dates()
    plan = plan or InjectionPlan(classes=("Il-76", "launcher"), placements=30, poses=10)
    return by_name(measure(brightness(there), there, strata=whole(there), maps=maps(there, threshold), plan=plan))


def test_the_probability_is_that_of_the_range_of_colours() -> None:
    """At 1 m a ship's inside shows its whole contrast: the share of its colours beyond the threshold is seen."""
    seen, plan = dates(gsd=1.0, size=260), InjectionPlan(classes=("ship-120m",), placements=40, poses=5)
    answer = maps(seen, 0.075)
    rows = by_name(measure(brightness(seen), seen, strata=whole(seen, water=True), maps=answer, plan=plan))
    ship = object_class("ship-120m")
    levels = np.linspace(0, 1, 2001)
    contrasts = np.array([np.abs(ship.reflectance(BANDS, level) - GROUND).max() for level in levels])
    for row in rows.values():
        assert row.pd == pytest.approx((contrasts >= 0.075).mean(), abs=0.05)
        assert row.blank_rate == 0.0
        assert not row.observable


def test_what_is_too_faint_is_not_observable() -> None:
    rows = measured(0.08)
    assert rows["launcher", "appeared"].pd == 0.0
    assert not rows["launcher", "appeared"].observable
    assert rows["Il-76", "vanished"].observable


def test_a_low_threshold_sees_all_and_an_infinite_one_nothing() -> None:
    low, never = measured(0.002), measured(math.inf)
    assert {row.pd for row in low.values()} == {1.0}
    assert all(row.observable and row.low > 0.88 and row.high == 1.0 for row in low.values())
    assert {row.pd for row in never.values()} == {0.0}
    assert all(row.reason and "too little valid ground" in row.reason for row in never.values())


def test_nearly_all_objects_come_out_stronger_than_the_least_strength() -> None:
    """The weakest twentieth of them: half as strong where the threshold is twice as high, and 0 where all is lost."""
    low, high, never = measured(0.01), measured(0.02), measured(math.inf)
    for key, row in low.items():
        assert row.least_strength > 1
        assert high[key].least_strength == pytest.approx(row.least_strength / 2)
        assert never[key].least_strength == 0.0
    faint = measured(0.08)["launcher", "appeared"]
    assert faint.pd == 0.0
    assert 0 < faint.least_strength < 1


def test_what_is_flagged_anyway_is_not_called_observed() -> None:
    """Where chance flags everything, nothing that is put there is seen."""
    seen = dates(noise=0.02)
    rows = measured(0.001, seen)
    assert all(row.pd == row.blank_rate == 1.0 and not row.observable for row in rows.values())


def test_the_same_seed_gives_the_same_numbers_whatever_else_is_measured() -> None:
    both = measured(0.1)
    alone = measured(0.1, plan=InjectionPlan(classes=("Il-76",), placements=30, poses=10))
    assert [alone["Il-76", way].pd for way in ("appeared", "vanished")] == [
        both["Il-76", way].pd for way in ("appeared", "vanished")
    ]
    assert measured(0.1) == both


def test_ground_that_was_not_valid_has_no_probability() -> None:
    seen = dates()
    hidden = np.zeros(seen.valid.shape, np.bool_)
    hidden[:40] = True
    seen.valid[:40] = False
    strata = [Stratum(name="runway", where=hidden, water=False), Stratum(name="apron", where=~hidden, water=False)]
    plan = InjectionPlan(classes=("Il-76",), placements=20, poses=5)
    rows = measure(brightness(seen), seen, strata=strata, maps=maps(seen, 0.01), plan=plan)
    lost, kept = rows[:2], rows[2:]
    assert all(math.isnan(row.pd) and row.placements == 0 and not row.observable for row in lost)
    assert all(row.reason == "none of this ground is valid on both dates" for row in lost)
    assert all(row.pd == 1.0 and row.reason is None for row in kept)


@pytest.mark.parametrize(("water", "expected"), [(True, {"ship-75m"}), (False, {"Il-76", "lorry"})])
def test_ships_are_put_on_water_and_nothing_else_is(water: bool, expected: set[str]) -> None:
    seen, plan = dates(), InjectionPlan(classes=("Il-76", "lorry", "ship-75m"), placements=2, poses=2)
    rows = measure(brightness(seen), seen, strata=whole(seen, water=water), maps=maps(seen, 0.1), plan=plan)
    assert {row.object for row in rows} == expected


@pytest.mark.parametrize(("gsd", "threshold"), [(10.0, 0.03), (30.0, 0.002)])
def test_half_are_seen_where_the_signal_of_a_point_meets_the_threshold(gsd: float, threshold: float) -> None:
    """The peak of a point of contrast-area C blurred by s is C / (2 pi s^2): that much contrast-area shows half."""
    seen = dates(gsd)
    plan = InjectionPlan(classes=("launcher", "lorry", "Ka-52", "Mi-8"), placements=60, poses=20)
    rows = measure(brightness(seen), seen, strata=whole(seen), maps=maps(seen, threshold), plan=plan)
    least = rows[0].least_contrast_area_m2
    point = threshold * 2 * math.pi * (0.535 * gsd) ** 2
    # Two bands of which the stronger counts, bodies as large as the blur, pixels beside the peak: a factor of two.
    assert 0.5 * point < least < 2.0 * point


def test_windows_give_what_the_whole_frame_gives() -> None:
    """The two-date detector on a window around an object scores as on the frame."""
    seen = dates(noise=0.004, size=200)
    pair = Pair(before=seen.before, after=seen.after.copy(), valid=seen.valid, gsd=10.0, shift_error_px=(0.05, 0.05))
    model = fit_pair(pair)
    stamp = make_stamp(object_class("Su-34"), Pose(heading_deg=30.0), seen.after_view)
    chip = chip_of(stamp, seen.after_view, background=GROUND, reflectance=np.array([0.25, 0.3], np.float32))
    half = stamp.half
    pair.after[:, 100 - half : 101 + half, 90 - half : 91 + half] += chip
    window = slice(100 - 29, 100 + 30), slice(90 - 29, 90 + 30)
    part = Pair(
        before=pair.before[:, *window], after=pair.after[:, *window], valid=pair.valid[window], gsd=10.0,
        shift_error_px=pair.shift_error_px,
    )  # fmt: skip
    for statistic in (object_statistic, area_statistic):
        near = statistic(pair, model)[97:104, 87:94]
        np.testing.assert_allclose(statistic(part, model)[26:33, 26:33], near, rtol=2e-3, atol=2e-3)


def test_the_prediction_holds_for_objects_put_there_by_hand() -> None:
    """Objects drawn from the same ranges by another program's hand are flagged as often as predicted."""
    seen = dates(noise=0.012, size=300)
    pair = Pair(before=seen.before, after=seen.after, valid=seen.valid, gsd=10.0, shift_error_px=(0.02, 0.02))
    model = fit_pair(pair)
    change = detect_pair(pair, np.ones(seen.valid.shape, np.uint8), false_alarms_per_km2=1.0, model=model)
    answer = Maps(
        objects=change.objects.statistic,
        areas=change.areas.statistic,
        object_threshold=change.objects.threshold,
        area_threshold=change.areas.threshold,
    )

    def statistics_of(before: FloatArray, after: FloatArray, window: Window) -> tuple[FloatArray, FloatArray]:
        part = Pair(before=before, after=after, valid=seen.valid[window], gsd=10.0, shift_error_px=(0.02, 0.02))
        return object_statistic(part, model), area_statistic(part, model)

    plan = InjectionPlan(classes=("Su-34",), placements=150, poses=30)
    row = measure(statistics_of, seen, strata=whole(seen), maps=answer, plan=plan)[0]
    after = seen.after.copy()
    places = drawn(after, np.random.default_rng(77))
    again = object_statistic(
        Pair(before=seen.before, after=after, valid=seen.valid, gsd=10.0, shift_error_px=(0.02, 0.02)), model
    )
    flagged = [bool((again >= change.objects.threshold)[r - 2 : r + 3, c - 2 : c + 3].any()) for r, c in places]
    assert row.pd == pytest.approx(np.mean(flagged), abs=0.15)
    assert 0.05 < row.pd < 0.95


def drawn(image: FloatArray, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Draw a Su-34 every 300 m into an image, in place, and return where."""
    model, seen = CATALOGUE["Su-34"], view()
    places = [(r, c) for r in range(30, 280, 30) for c in range(30, 280, 30)]
    for r, c in places:
        pose = Pose(heading_deg=rng.uniform(0, 360), offset_m=(rng.uniform(-5, 5), rng.uniform(-5, 5)))
        chip = render(model, pose, optics=seen.optics, background=GROUND, sunlight=seen.sunlight,
                      reflectance=model.reflectance(BANDS, rng.uniform()))  # fmt: skip
        half = chip.shape[1] // 2
        image[:, r - half : r + half + 1, c - half : c + half + 1] += chip
    return places


def test_a_stamp_in_colour_is_what_the_forward_model_renders() -> None:
    model, pose, seen = CATALOGUE["An-26"], Pose(heading_deg=77.0, offset_m=(2.0, -3.0)), view()
    paint = model.reflectance(BANDS, 0.4)
    wanted = render(model, pose, optics=seen.optics, background=GROUND, reflectance=paint, sunlight=seen.sunlight)
    chip = chip_of(make_stamp(model, pose, seen), seen, background=GROUND, reflectance=paint)
    rim = (chip.shape[1] - wanted.shape[1]) // 2
    inner: NDArray[np.float32] = chip[:, rim : chip.shape[1] - rim, rim : chip.shape[2] - rim]
    np.testing.assert_allclose(inner, wanted, atol=1e-6)


def test_air_takes_contrast_and_adds_none() -> None:
    """Through the air the ground is path + T r: the same object loses the share 1 - T of its contrast."""
    model, pose = CATALOGUE["launcher"], Pose(heading_deg=10.0)
    paint, clear, hazy = model.reflectance(BANDS, 0.5), view(), view(transmission=0.8, path=0.07)
    plain = chip_of(make_stamp(model, pose, clear), clear, background=GROUND, reflectance=paint)
    air = chip_of(make_stamp(model, pose, hazy), hazy, background=0.07 + 0.8 * GROUND, reflectance=paint)
    np.testing.assert_allclose(air, 0.8 * plain, atol=1e-6)


@pytest.mark.parametrize(("hits", "trials"), [(0, 20), (7, 20), (60, 60), (119, 120)])
def test_the_interval_is_wilsons(hits: int, trials: int) -> None:
    known = binomtest(hits, trials).proportion_ci(method="wilson")
    assert wilson(hits, trials) == pytest.approx((known.low, known.high), abs=1e-6)


def test_the_half_point_of_a_known_curve_is_found() -> None:
    rng = np.random.default_rng(5)
    x = np.exp(rng.uniform(math.log(2), math.log(200), 4000))
    hits = rng.random(4000) < 1 / (1 + (25 / x) ** 3)
    assert half_seen(x, hits) == pytest.approx(25, rel=0.08)
    assert math.isnan(half_seen(x, np.ones(4000, np.bool_)))
    assert math.isnan(half_seen(x, ~hits))


def test_plans_that_measure_nothing_are_refused() -> None:
    with pytest.raises(DetectError, match="0 placements"):
        InjectionPlan(placements=0)
    with pytest.raises(DetectError, match="no object 'Il-67'"):
        InjectionPlan(classes=("Il-67",))
    with pytest.raises(DetectError, match=r"bands B02, B08, but values for \[1, 2\]"):
        View(bands=BANDS, optics=view().optics, sunlight=view().sunlight, transmission=(1.0,), path=(0.0, 0.0))
