"""What an object would look like at a flag: on the right date, of the right size, and nothing elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from detect.change import Candidate, Sign
from detect.radar_detectability import CROSS_SECTIONS_DBSM
from detect.targets import object_class
from imagery.raster import Raster
from revisit.likeness import likeness
from revisit.picture import Stretch, shades
from revisit.result import Result, Witness
from tests.standin import AFTER, BEFORE, blob, make_flags, make_grid, make_raster, make_result, make_zone

GREY = 0.1


def _flat(acquired: datetime, level: float = GREY) -> Raster:
    """Return even ground."""
    grid = make_grid(80, 80)
    return make_raster(grid, acquired, data=np.full((4, 80, 80), level, np.float32))


def _result(change: Sign = "appeared", **flag: Any) -> Result:
    """Return a result on even ground, the later date lighter, with one flag."""
    before, after = _flat(BEFORE), _flat(AFTER, 2 * GREY)
    item = replace(blob(40, 30, change=change), **flag)
    return make_result(before.grid, before=before, after=after, flags=make_flags([item]))


LINEAR = Stretch(bands=("B04", "B03", "B02"), low=(0.0,) * 3, high=(0.6,) * 3, decibels=False)


@pytest.mark.parametrize(("change", "role", "level"), [("appeared", "before", GREY), ("vanished", "after", 2 * GREY)])
def test_it_is_drawn_on_the_date_without_the_flagged_object(change: Sign, role: str, level: float) -> None:
    result = _result(change)
    drawn = likeness(result.flags[0], result, LINEAR)
    assert drawn is not None
    ground = shades(_flat(BEFORE, level), LINEAR)[0, 0]
    assert drawn.role == role
    assert np.array_equal(drawn.picture[0, 0], ground)
    assert (drawn.picture != ground).any()


def test_it_covers_the_ground_of_its_class_at_the_flag() -> None:
    result = _result()
    drawn = likeness(result.flags[0], result, LINEAR)
    assert drawn is not None
    assert drawn.name == "Il-76"
    light = drawn.picture[..., 0].astype(int) > drawn.picture[0, 0, 0] + 6
    rows, cols = np.nonzero(light)
    middle = rows.mean() + drawn.window.row, cols.mean() + drawn.window.col
    assert np.hypot(middle[0] - 40.5, middle[1] - 30.5) < 1.0
    reach = 10.0 * np.hypot(np.ptp(rows) + 1, np.ptp(cols) + 1)
    assert object_class("Il-76").length_m < reach < 2 * object_class("Il-76").length_m


def test_the_likeliest_candidate_is_drawn() -> None:
    named = (Candidate(name="Su-24", likelihood=0.4), Candidate(name="An-124", likelihood=1.0))
    result = _result(candidates=named)
    drawn = likeness(result.flags[0], result, LINEAR)
    assert drawn is not None
    assert drawn.name == "An-124"
    usual = likeness(replace(result.flags[0], object=replace(result.flags[0].object, candidates=())), result, LINEAR)
    assert usual is not None
    touched = [(picture != picture[0, 0]).any(axis=2).sum() for picture in (drawn.picture, usual.picture)]
    assert touched[0] > touched[1]


def test_a_day_without_an_hour_has_the_sun_of_the_pass() -> None:
    midnight = _flat(datetime(2024, 11, 30, tzinfo=UTC))
    result = make_result(midnight.grid, before=midnight, after=_flat(AFTER), flags=make_flags([blob(40, 30)]))
    drawn = likeness(result.flags[0], result, LINEAR)
    assert drawn is not None
    assert drawn.picture[..., :3].min() < drawn.picture[0, 0, :3].min() - 6, "no shadow"


def _radar(change: Sign = "appeared", kind: str = "apron", power: float = 0.02) -> Result:
    """Return a result of radar: speckle on two dates, the later one brighter, with one flag."""
    grid, rng = make_grid(80, 80), np.random.default_rng(5)
    before, after = (
        make_raster(grid, day, bands=("VV", "VH"), quantity="gamma0",
                    data=(level * rng.gamma(4.4, 1 / 4.4, (2, 80, 80))).astype(np.float32))
        for day, level in ((BEFORE, power), (AFTER, 2 * power))
    )  # fmt: skip
    zone = replace(make_zone(grid, "zone"), kind=kind)
    flags = make_flags([blob(40, 30, change=change)], zone="zone")
    return make_result(grid, before=before, after=after, flags=flags, zones=(zone,))


DECIBELS = Stretch(bands=("VV",), low=(-30.0,), high=(20.0,), decibels=True)


@pytest.mark.parametrize(("change", "role"), [("appeared", "before"), ("vanished", "after")])
def test_radar_shows_bright_points_in_the_speckle_of_that_very_date(change: Sign, role: str) -> None:
    result = _radar(change)
    drawn = likeness(result.flags[0], result, DECIBELS)
    assert drawn is not None
    assert (drawn.name, drawn.role) == ("Il-76", role)
    assert drawn.cross_section_m2 == pytest.approx(10 ** (CROSS_SECTIONS_DBSM["Il-76"][0] / 10))
    seen = shades(result.before if role == "before" else result.after, DECIBELS)[20:60, 10:50, 0].astype(int)
    change_px = drawn.picture[..., 0].astype(int) - seen
    rows, cols = np.nonzero(change_px > 25)
    assert np.hypot(rows.mean() - 20.5, cols.mean() - 20.5) < 2.5
    far = np.hypot(*np.mgrid[-20.5:19.5, -20.5:19.5]) > 9
    assert not change_px[far].any()
    assert change_px.max() > 60
    again = likeness(result.flags[0], result, DECIBELS)
    assert again is not None
    assert np.array_equal(again.picture, drawn.picture)


def test_on_water_a_ship_is_drawn_and_a_small_class_is_fainter() -> None:
    quay = _radar(kind="quay")
    ship = likeness(quay.flags[0], quay, DECIBELS)
    apron = _radar()
    witness = Witness(
        sensor="s2", before=BEFORE, after=AFTER, outcome="silent", flags=(), overlap=1.0, object="Ka-52", pd=None,
        ratio=None, other_ratio=None,
    )  # fmt: skip
    small = likeness(replace(apron.flags[0], witness=witness), apron, DECIBELS)
    assert ship is not None
    assert small is not None
    assert (ship.name, small.name) == ("ship-120m", "Ka-52")
    assert ship.picture[..., 0].astype(float).mean() > small.picture[..., 0].astype(float).mean() + 1
