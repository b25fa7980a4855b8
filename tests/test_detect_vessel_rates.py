"""What a date shows of ships put into it: more of the large, less in rough water, none without room."""

from __future__ import annotations

import numpy as np
import pytest

from detect.errors import DetectError
from detect.vessel_rates import optical_vessel_rates, radar_vessel_rates
from tests.test_detect_vessels import SEEN, SIDE, harbour, sea

WATER = np.zeros((SIDE, SIDE), bool)
WATER[:, 85:] = True


def radar_pd(dbsm: float) -> float:
    """Return the share of ships of a cross-section that is seen."""
    rates = radar_vessel_rates(sea([]), SEEN, gsd=10.0, looks=(4.4, 4.4), rng=np.random.default_rng(1), dbsm=dbsm)
    assert rates.interval[0] <= rates.pd <= rates.interval[1] + 1e-9
    return rates.pd


def test_ships_of_a_large_cross_section_are_seen_and_small_ones_are_not() -> None:
    assert radar_pd(35.0) >= 0.9
    assert radar_pd(5.0) <= 0.2
    assert radar_pd(5.0) <= radar_pd(18.0) <= radar_pd(35.0)


def test_optical_ships_are_seen_on_calm_water_and_small_ones_less() -> None:
    bands, _ = harbour([])
    seen = [
        optical_vessel_rates(bands, SEEN, WATER, gsd=10.0, rng=np.random.default_rng(1), length_m=length).pd
        for length in (10.0, 80.0)
    ]
    assert seen[1] >= 0.8
    assert seen[0] < seen[1]


def test_no_room_is_said() -> None:
    strips = SEEN.copy()
    strips[::8] = False
    with pytest.raises(DetectError, match="test ships"):
        radar_vessel_rates(sea([]), strips, gsd=10.0, looks=(4.4, 4.4), rng=np.random.default_rng(1))
