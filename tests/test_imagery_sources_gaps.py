"""Ground without data, as it comes from a remote source in files that do not declare it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from imagery.http import Client
from imagery.sources.base import Source
from tests.servers import Server, start, truth
from tests.world_sources import BANDS, GRID, earth_search, planetary_computer, scene_of

DAY = "2024-11-30"
WEDGE_M = 3500.0
"""East plus south of the corner of the drawn ground: there the wedge ends."""


@pytest.mark.parametrize("make", [earth_search, planetary_computer])
@pytest.mark.parametrize("declared", [True, False])
def test_row_39_a_wedge_without_data_is_not_valid_and_has_no_bright_edge(
    make: Callable[[Server, Client], Source], declared: bool
) -> None:
    with start("world", days=[DAY], wedge=[DAY], declare_nodata=declared) as world, Client() as client:
        source = make(world, client)
        raster = source.read(scene_of(source, DAY), GRID, BANDS)
    x, y = np.meshgrid(np.arange(GRID.width) + 0.5, np.arange(GRID.height) + 0.5)
    east, north = GRID.transform.c + GRID.gsd * x, GRID.transform.f - GRID.gsd * y
    inside = WEDGE_M - (east - truth.WEST) - (truth.NORTH - north)
    assert inside.max() > 1000
    # The classification has pixels of 20 m, so that it ends up to one of them beside the bands.
    assert not raster.valid[inside > 0].any()
    assert raster.valid[inside < -2 * 20].all()
    assert np.nanmin(raster.data) > 0
    assert np.isnan(raster.data[:, inside > 0]).all()
