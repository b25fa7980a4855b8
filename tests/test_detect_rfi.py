"""Stripes of interference implanted across simulated ground, and what must not be taken for them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from detect.errors import DetectError
from detect.rfi import find_stripes

SIDE = 240
SEEN = np.ones((SIDE, SIDE), bool)


def ground(seed: int = 1, more: NDArray[np.float32] | float = 0.0) -> NDArray[np.float32]:
    """Return sea in the west, land in the east, and what more stands on it."""
    rng = np.random.default_rng(seed)
    level = np.where(np.arange(SIDE) < 120, 0.01, 0.1) + more
    return (rng.gamma(4.4, 1 / 4.4, (SIDE, SIDE)) * level).astype(np.float32)


def stripe(power: NDArray[np.float32], bearing: float, offset: float, width: float = 2.0) -> NDArray[np.float32]:
    """Return the power with a band added across the flight, `offset` pixels from the centre towards the north."""
    rows, cols = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    angle = np.radians(bearing)
    # The unit vector of the bearing is (sin, cos) east and north; what is left of it points along the flight.
    along = -cols * np.cos(angle) + -rows * np.sin(angle)
    out: NDArray[np.float32] = (power + 0.05 * (np.abs(along - offset) <= width)).astype(np.float32)
    return out


@pytest.mark.parametrize("bearing", [78.0, 102.0, 90.0])
def test_a_stripe_across_the_flight_is_found_where_it_is(bearing: float) -> None:
    found = find_stripes(stripe(ground(), bearing, 40.0), SEEN, look_bearing_deg=bearing)
    assert found.found.any()
    assert np.abs(found.offset_px[found.found] - 40).max() <= 4
    assert found.excess_db[found.found].max() > 2


def test_the_same_band_in_another_direction_is_none() -> None:
    assert not find_stripes(stripe(ground(), 40.0, 30.0), SEEN, look_bearing_deg=78.0).found.any()


def test_ground_without_interference_has_no_stripe() -> None:
    total = sum(int(find_stripes(ground(seed), SEEN, look_bearing_deg=78.0).found.sum()) for seed in range(30))
    assert total == 0


def test_a_ship_with_sidelobes_is_no_stripe() -> None:
    power = ground()
    power[100, 20:90] += 5
    assert not find_stripes(power, SEEN, look_bearing_deg=90.0).found.any()


def test_a_quay_across_the_flight_is_none_once_it_is_known_and_a_stripe_still_is() -> None:
    quay = stripe(np.zeros((SIDE, SIDE), np.float32), 78.0, -30.0)
    usual = np.mean([ground(seed, quay) for seed in range(20, 40)], axis=0).astype(np.float32)
    dates = [ground(seed, quay) for seed in range(5)]
    assert all(find_stripes(one, SEEN, look_bearing_deg=78.0).found.any() for one in dates)
    assert not any(find_stripes(one, SEEN, look_bearing_deg=78.0, usual=usual).found.any() for one in dates)
    hit = find_stripes(stripe(dates[0], 78.0, 40.0), SEEN, look_bearing_deg=78.0, usual=usual)
    assert np.abs(hit.offset_px[hit.found] - 40).max() <= 4


def test_too_little_ground_is_refused() -> None:
    with pytest.raises(DetectError, match="30 usable pixels"):
        find_stripes(ground(), np.zeros_like(SEEN), look_bearing_deg=78.0)
