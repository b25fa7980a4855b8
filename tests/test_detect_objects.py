"""Implanted aircraft, ships and building sites: found, with their sign, their size, and each of them once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from detect import objects
from detect.change import ChangedObject
from detect.objects import find_objects
from detect.optical import Pair, detect_pair, fit_pair
from detect.targets import object_class
from tests.views import Parked, View, apron, fields, look, two_dates, with_object

FloatArray = NDArray[np.float32]
SIZE = 200
PLACE = (100, 80)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a comparison gave."""

    flags: tuple[ChangedObject, ...]

    def at(self, row: float, col: float, radius: float = 5.0) -> list[ChangedObject]:
        """Return the flags whose centre lies near a place."""
        return [f for f in self.flags if np.hypot(f.rows.mean() - row, f.cols.mean() - col) <= radius]


def compare(before: FloatArray, after: FloatArray, *, seed: int = 0, strata: NDArray[np.uint8] | None = None) -> Found:
    first, second = two_dates(before, after, seed=seed)
    valid = np.ones(first.shape[1:], np.bool_)
    pair = Pair(before=first, after=second, valid=valid, gsd=10.0, shift_error_px=(0.03, 0.03))
    model = fit_pair(pair)
    ground = valid.astype(np.uint8) if strata is None else strata
    change = detect_pair(pair, ground, false_alarms_per_km2=1.0, model=model)
    return Found(flags=find_objects(change, pair, model))


FLEET = {
    "An-124": (80, 40),
    "Il-76": (80, 100),
    "An-26": (80, 160),
    "Ka-52": (150, 40),
    "launcher": (150, 160),
    "ship-120m": (150, 100),
}


def with_fleet(ground: FloatArray, *, level: float, heading_deg: float) -> FloatArray:
    """Return the ground with one object of each size on it, far apart."""
    for name, place in FLEET.items():
        ground = with_object(ground, Parked(name=name, place=place, level=level, heading_deg=heading_deg))
    return ground


@pytest.mark.parametrize("leaves", [False, True], ids=["arrives", "leaves"])
@pytest.mark.parametrize("level", [0.0, 1.0], ids=["dark", "light"])
def test_implanted_objects_are_found_once_each_with_their_sign(level: float, leaves: bool) -> None:
    empty = apron(1, SIZE)
    taken = with_fleet(empty, level=level, heading_deg=35.0)
    found = compare(taken, empty) if leaves else compare(empty, taken)
    wanted = [("object", "vanished" if leaves else "appeared")]
    for name, place in FLEET.items():
        assert [(flag.scale, flag.change) for flag in found.at(*place)] == wanted, name
    assert len(found.flags) <= len(FLEET) + 6  # 4 km2 at one false alarm per km2


@pytest.mark.parametrize(("heading", "level"), [(10.0, 0.0), (60.0, 1.0), (130.0, 1.0)])
def test_length_is_right_within_a_third_and_a_ship_lies_as_it_was_laid(heading: float, level: float) -> None:
    empty = apron(2, SIZE)
    found = compare(empty, with_fleet(empty, level=level, heading_deg=heading))
    for name in ("An-124", "Il-76", "ship-120m"):
        (flag,), model = found.at(*FLEET[name]), object_class(name)
        assert flag.length_m == pytest.approx(max(model.length_m, model.width_m), rel=0.3), name
        assert flag.width_m <= flag.length_m
    (ship,) = found.at(*FLEET["ship-120m"])
    assert min(abs(ship.orientation_deg - heading), 180 - abs(ship.orientation_deg - heading)) < 10


@pytest.mark.parametrize(("level", "sign"), [(0.0, -1), (1.0, 1)])
def test_contrast_is_light_or_dark_against_the_ground(level: float, sign: int) -> None:
    empty = apron(4, SIZE)
    (flag,) = compare(empty, with_object(empty, Parked(name="An-124", level=level))).at(*PLACE)
    assert sign * flag.contrast > 0.03


def test_exchanging_the_dates_turns_every_sign() -> None:
    empty = look(fields(5, SIZE), View())
    one = with_object(empty, Parked(name="Il-76"))
    other = with_object(empty, Parked(name="An-124", place=(60, 140)))
    first, second = two_dates(one, other)
    valid, turn = (
        np.ones((SIZE, SIZE), np.bool_),
        {"appeared": "vanished", "vanished": "appeared", "altered": "altered"},
    )
    both = []
    for before, after in ((first, second), (second, first)):
        pair = Pair(before=before, after=after, valid=valid, gsd=10.0, shift_error_px=(0.03, 0.03))
        model = fit_pair(pair)
        change = detect_pair(pair, valid.astype(np.uint8), false_alarms_per_km2=1.0, model=model)
        both.append(find_objects(change, pair, model))
    assert len(both[0]) >= 2
    assert [turn[flag.change] for flag in both[0]] == [flag.change for flag in both[1]]
    for there, back in zip(*both, strict=True):
        assert there.contrast == pytest.approx(-back.contrast, rel=1e-4)
        assert there.strength == pytest.approx(back.strength, rel=1e-4)
        np.testing.assert_array_equal(there.rows, back.rows)


@pytest.mark.parametrize("apart", [6, 9])
def test_a_row_of_aircraft_is_as_many_flags(apart: int) -> None:
    empty = taken = apron(6, SIZE)
    cols = [60 + apart * k for k in range(5)]
    for col in cols:
        taken = with_object(taken, Parked(name="Il-76", place=(100, col), heading_deg=3.0 * col))
    found = compare(empty, taken)
    assert [len(found.at(100, col, radius=apart / 2 - 0.5)) for col in cols] == [1] * 5
    assert all(flag.scale == "object" for col in cols for flag in found.at(100, col))


def built(ground: FloatArray, rows: int, cols: int) -> FloatArray:
    """Return the ground with new, paved and slightly uneven ground on it."""
    out, rng = ground.copy(), np.random.default_rng(9)
    texture = 1 + 0.05 * rng.standard_normal((rows, cols))
    top, left = PLACE[0] - rows // 2, PLACE[1] - cols // 2
    out[:, top : top + rows, left : left + cols] = np.array([0.30, 0.33, 0.36, 0.40])[:, None, None] * texture
    return out


@pytest.mark.parametrize(("rows", "cols", "cleared"), [(10, 20, False), (20, 10, True), (20, 40, True), (5, 30, False)])
def test_a_building_site_is_one_changed_area_of_its_size(rows: int, cols: int, cleared: bool) -> None:
    before = look(fields(2, SIZE), View())
    after = built(before, rows, cols)
    found = compare(after, before) if cleared else compare(before, after)
    areas = [flag for flag in found.at(*PLACE) if flag.scale == "area"]
    assert len(areas) == 1
    assert areas[0].area_m2 == pytest.approx(rows * cols * 100, rel=0.4)
    assert areas[0].length_m == pytest.approx(max(rows, cols) * 10, rel=0.4)
    assert found.flags[0] is areas[0]


def test_what_a_large_area_holds_is_said_and_not_flagged_again() -> None:
    before = look(fields(2, SIZE), View())
    found = compare(before, built(before, 10, 20))
    assert found.flags[0].notes == ("holds 2 object-sized changes",)
    inside = np.zeros((SIZE, SIZE), np.bool_)
    inside[found.flags[0].rows, found.flags[0].cols] = True
    assert all(inside[flag.rows, flag.cols].mean() < 0.5 for flag in found.flags[1:])


@pytest.mark.parametrize("sign", [1, -1])
def test_an_area_larger_than_its_ring_keeps_its_contrast(sign: int) -> None:
    before = look(fields(2, SIZE), View())
    after = before.copy()
    # As plants do: the bands' mean says little of it.
    for band, step in ((3, 0.15), (2, -0.05)):
        after[band, 80:120, 60:100] += np.float32(step * sign)
    areas = [flag for flag in compare(before, after).flags if flag.scale == "area"]
    largest = max(areas, key=lambda flag: flag.area_m2)
    assert 0.06 < sign * largest.contrast < 0.16


def test_an_area_without_probability_does_not_hide_objects_that_have_one() -> None:
    before = look(fields(2, SIZE), View())
    found = compare(before, built(before, 10, 20))
    area = found.flags[0]
    held = replace(area, scale="object", rows=area.rows[:30], cols=area.cols[:30], length_m=30.0, strength=1.5)
    for chance, kept in ((0.001, ["area"]), (None, ["object", "area"])):
        both = objects._without_repeats(
            [replace(held, p_value=0.01)], [replace(area, p_value=chance)], (SIZE, SIZE), 10.0
        )
        assert [item.scale for item in both] == kept


def test_only_searched_ground_is_flagged() -> None:
    empty = apron(7, SIZE)
    taken = with_object(with_object(empty, Parked(name="Il-76")), Parked(name="Il-76", place=(150, 140)))
    strata = np.zeros((SIZE, SIZE), np.uint8)
    strata[:, :110] = 1
    found = compare(empty, taken, strata=strata)
    assert len(found.at(*PLACE)) == 1
    assert not found.at(150, 140, radius=10)


def test_flags_are_connected_sorted_and_over_their_threshold() -> None:
    before = look(fields(8, SIZE), View())
    after = with_object(built(before, 10, 20), Parked(name="An-124", place=(150, 150)))
    flags = compare(before, after).flags
    assert [flag.strength for flag in flags] == sorted((flag.strength for flag in flags), reverse=True)
    for flag in flags:
        pixels = np.zeros((SIZE, SIZE), np.bool_)
        pixels[flag.rows, flag.cols] = True
        assert flag.strength >= 1
        assert pixels.sum() == len(flag.rows) == flag.area_m2 / 100
        assert ndimage.label(pixels, structure=np.ones((3, 3)))[1] == 1
        assert flag.p_value is flag.false_alarms is None


# --- measuring -------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(length=st.floats(10, 30), share=st.floats(0.4, 0.9), angle=st.floats(0, 180))
def test_an_ellipse_is_measured_right(length: float, share: float, angle: float) -> None:
    rows, cols = np.mgrid[-40:41, -40:41]
    east, south = np.sin(np.radians(angle)), -np.cos(np.radians(angle))
    along, across = cols * east + rows * south, cols * south - rows * east
    inside = np.nonzero((along / (length / 2)) ** 2 + (across / (share * length / 2)) ** 2 <= 1)
    form = objects._shape((inside[0], inside[1]), 10.0, 0.0)
    assert form.length_m == pytest.approx(10 * length, abs=10)
    assert form.width_m == pytest.approx(10 * share * length, abs=10)
    if share < 0.7:
        turned = abs(form.orientation_deg - angle)
        assert min(turned, 180 - turned) < 8


def test_ground_that_is_not_searched_takes_the_threshold_next_to_it() -> None:
    threshold = np.full((6, 8), np.nan, np.float32)
    threshold[:, :2], threshold[:, 6:] = 5, 9
    np.testing.assert_array_equal(objects._continued(threshold)[0], [5, 5, 5, 5, 9, 9, 9, 9])
    np.testing.assert_array_equal(objects._continued(np.full((2, 2), np.nan, np.float32)), np.full((2, 2), np.nan))
