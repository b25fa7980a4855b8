"""Sentinel-1 from the Planetary Computer: passes that must not be compared, and pixels that are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from imagery.coregister import align
from imagery.http import Client
from imagery.raster import Raster
from imagery.scene import Scene
from imagery.select import doubts, mismatch
from tests.servers import Server, start
from tests.world_sources import GRID, cdse, planetary_computer, scene_of

DESCENDING, ASCENDING, AGAIN, OTHER = "2024-12-06", "2024-12-12", "2024-12-18", "2024-12-25"
"""Relative orbits 94, 14, 94 and 21."""
BANDS = ("VV", "VH")


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """Return the world with the radar passes of December."""
    with start("world", days=[DESCENDING, ASCENDING, AGAIN, OTHER]) as server:
        yield server


@pytest.fixture
def world(running: Server) -> Server:
    """Return the world as it was at the start."""
    running.reset()
    return running


def radar(world: Server, day: str) -> Scene:
    """Return the radar pass of a day."""
    with Client() as client:
        return scene_of(planetary_computer(world, client), day, sensor="s1")


def test_scenes_say_how_they_were_looked_at(world: Server) -> None:
    scenes = [radar(world, day) for day in (DESCENDING, ASCENDING, OTHER)]
    assert [(scene.relative_orbit, scene.direction) for scene in scenes] == [
        (94, "descending"),
        (14, "ascending"),
        (21, "descending"),
    ]
    assert all(set(scene.assets) == {"VV", "VH"} for scene in scenes)


def test_row_42_passes_that_look_otherwise_are_never_a_pair(world: Server) -> None:
    first = radar(world, DESCENDING)
    assert mismatch(first, radar(world, AGAIN)) is None
    assert "relative orbit 94" in str(mismatch(first, radar(world, ASCENDING)))
    assert "relative orbit 94" in str(mismatch(first, radar(world, OTHER)))
    other_side = replace(radar(world, AGAIN), relative_orbit=None, direction="ascending")
    assert "is descending" in str(mismatch(first, other_side))


def test_row_42_one_polarisation_and_two_are_never_a_pair(world: Server) -> None:
    first = radar(world, DESCENDING)
    world.set(single_pol=[AGAIN])
    second = radar(world, AGAIN)
    assert f"{first.id} has VH, VV, {second.id} has VV: other polarisations" == mismatch(first, second)


def test_row_42_another_satellite_is_flagged(world: Server) -> None:
    first = radar(world, DESCENDING)
    assert doubts(first, radar(world, AGAIN)) == doubts(first, replace(first, platform="sentinel-1b")) == ()
    world.set(s1c=[AGAIN])
    second = radar(world, AGAIN)
    assert mismatch(first, second) is None
    assert any("sentinel-1a and sentinel-1c, which may lie some pixels apart" in line for line in doubts(first, second))


def in_decibels(raster: Raster) -> Raster:
    """Return a raster whose structure is not that of its few brightest echoes."""
    return raster.with_pixels((10 * np.log10(raster.data)).astype(np.float32), raster.valid, raster.uncertain)


def test_row_42_a_shift_of_another_satellite_is_measured_and_taken_out(world: Server) -> None:
    world.set(s1c=[AGAIN], rtc_shift_px={AGAIN: [2, 0]})
    with Client() as client:
        source = planetary_computer(world, client)
        first, second = (
            in_decibels(source.read(scene_of(source, day, sensor="s1"), GRID, BANDS)) for day in (DESCENDING, AGAIN)
        )
    aligned = align(first, second)
    np.testing.assert_allclose(aligned.alignment.shift_px, (-2, 0), atol=0.05)
    left = align(aligned.before, aligned.after).alignment.shift_px
    assert max(map(abs, left)) < 0.1


def test_row_43_strips_without_data_are_valid_nowhere(world: Server) -> None:
    world.set(rtc_bad=[DESCENDING])
    with Client() as client:
        source = planetary_computer(world, client)
        bad = source.read(scene_of(source, DESCENDING, sensor="s1"), GRID, BANDS)
        world.set(rtc_bad=[])
        good = source.read(scene_of(source, DESCENDING, sensor="s1"), GRID, BANDS)
    assert good.valid.all()
    assert 0.5 < bad.valid.mean() < 1
    assert np.isnan(bad.data[:, ~bad.valid]).all()
    assert (bad.data[:, bad.valid] > 0).all()
    np.testing.assert_array_equal(bad.data[:, bad.valid], good.data[:, bad.valid])


def test_radar_is_not_surveyed_and_the_witness_knows_it_too(world: Server) -> None:
    with Client() as client:
        source = planetary_computer(world, client)
        one = scene_of(source, DESCENDING, sensor="s1")
        assert source.survey(one, GRID) is None
        witness = scene_of(cdse(world, client), DESCENDING, sensor="s1")
    assert (witness.relative_orbit, witness.platform, witness.assets) == (94, one.platform, {})
