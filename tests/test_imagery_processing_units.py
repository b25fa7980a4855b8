"""Processing units: the provider's examples, and rules that must hold for any picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagery.processing_units import (
    FLOAT_FACTOR,
    ORTHORECTIFIED,
    SPECKLE_FILTERED,
    TERRAIN_CORRECTED,
    picture_units,
    search_units,
)


@pytest.mark.parametrize(
    ("shape", "bands", "samples", "factor", "units"),
    [
        ((512, 512), 3, 1, 1.0, 1.0),
        ((1024, 512), 3, 1, 1.0, 2.0),
        ((512, 512), 6, 1, 1.0, 2.0),
        ((512, 512), 1, 1, 1.0, 1 / 3),
        ((512, 512), 3, 4, 1.0, 4.0),
        ((512, 512), 3, 1, FLOAT_FACTOR, 2.0),
        ((512, 512), 3, 1, FLOAT_FACTOR * ORTHORECTIFIED * SPECKLE_FILTERED, 8.0),
        # A picture of 2048 x 2048 px of both polarisations, terrain-corrected, in 32 bits.
        ((2048, 2048), 2, 1, FLOAT_FACTOR * TERRAIN_CORRECTED, 16 * 2 / 3 * 2 * 2.5),
        # Under a hundredth of the unit's area, and under the least that any picture costs.
        ((10, 10), 3, 1, 1.0, 0.01),
        ((10, 10), 1, 1, 1.0, 0.005),
    ],
)
def test_pictures_cost_what_the_documentation_says(
    shape: tuple[int, int], bands: int, samples: int, factor: float, units: float
) -> None:
    assert picture_units(shape, bands, samples=samples, factor=factor) == pytest.approx(units)


@pytest.mark.parametrize(
    ("area_km2", "months", "units"),
    [(25, 0.5, 0.01), (1e6, 1, 1.0), (5e5, 1, 0.5), (1, 6, 0.06), (1e7, 12, 1.0)],
)
def test_searches_cost_between_a_hundredth_and_one(area_km2: float, months: float, units: float) -> None:
    assert search_units(area_km2, months) == pytest.approx(units)


@given(st.integers(1, 2500), st.integers(1, 2500), st.integers(1, 13))
def test_cutting_a_picture_in_two_never_makes_it_cheaper(rows: int, cols: int, bands: int) -> None:
    whole = picture_units((2 * rows, cols), bands)
    assert 2 * picture_units((rows, cols), bands) >= whole * (1 - 1e-12)
    assert whole >= 0.005


@pytest.mark.parametrize(("shape", "bands"), [((0, 5), 1), ((5, 5), 0)])
def test_a_picture_of_nothing_is_a_mistake(shape: tuple[int, int], bands: int) -> None:
    with pytest.raises(ValueError, match="no picture"):
        picture_units(shape, bands)
