"""A berth on one optical date: with a ship, empty, in haze, under cloud, and beside a quay that is not known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from detect.berths_optical import BerthLook, optical_berth_level, optical_berth_state
from detect.errors import DetectError
from tests.test_detect_vessels import SEEN, SIDE, harbour

SHIP = (slice(60, 75), slice(81, 84))
BERTH = np.zeros((SIDE, SIDE), bool)
BERTH[55:80, 80:86] = True
BASIN = np.zeros((SIDE, SIDE), bool)
BASIN[:, 95:] = True
BoolArray = NDArray[np.bool_]


def looked(ships: list[tuple[slice, slice]], *, haze: float = 0.0, known: bool = True, seed: int = 1) -> BerthLook:
    """Return the state of the berth."""
    bands, land = harbour(ships, haze=haze, seed=seed)
    return optical_berth_state(bands, SEEN, BERTH, BASIN, land=land if known else None)


@pytest.mark.parametrize("haze", [0.0, 0.12])
def test_a_berth_with_a_known_quay_is_told_in_any_haze(haze: float) -> None:
    assert [looked([], haze=haze, seed=seed).state for seed in range(5)] == ["empty"] * 5
    ship = looked([SHIP], haze=haze)
    assert ship.state == "occupied"
    assert ship.probability > 0.9
    assert 0.05 < ship.contrast < 0.2


def test_a_bright_berth_whose_quay_is_not_known_cannot_be_told() -> None:
    assert looked([SHIP], known=False).state == "cannot tell"


def test_a_rough_or_small_basin_shows_no_empty_water() -> None:
    bands, land = harbour([SHIP])
    rough = {name: band + 0.05 * np.random.default_rng(1).standard_normal(band.shape).astype(np.float32)
             for name, band in bands.items()}  # fmt: skip
    assert optical_berth_state(rough, SEEN, BERTH, BASIN, land=land).state == "cannot tell"
    small = np.zeros_like(BASIN)
    small[:12, 95:107] = True
    assert optical_berth_state(bands, SEEN, BERTH, small, land=land).state == "cannot tell"


def test_a_berth_under_cloud_has_no_level() -> None:
    bands, _ = harbour([SHIP])
    valid = SEEN & ~BERTH
    assert np.isnan(optical_berth_level(bands, valid, BERTH, BASIN)).all()
    assert optical_berth_state(bands, valid, BERTH, BASIN).state == "cannot tell"


def test_the_level_over_the_basin_s_does_not_feel_haze() -> None:
    ratios = []
    for haze in (0.0, 0.15):
        level, basin = optical_berth_level(harbour([SHIP], haze=haze)[0], SEEN, BERTH, BASIN)
        ratios.append(level / basin)
    assert ratios[0] == pytest.approx(ratios[1], rel=0.05)
    assert ratios[0] > 5


def test_what_is_missing_is_named() -> None:
    bands, _ = harbour([])
    with pytest.raises(DetectError, match="B08 missing"):
        optical_berth_level({name: bands[name] for name in ("B02", "B03", "B04")}, SEEN, BERTH, BASIN)
    with pytest.raises(DetectError, match="without a pixel"):
        optical_berth_level(bands, SEEN, ~SEEN, BASIN)
