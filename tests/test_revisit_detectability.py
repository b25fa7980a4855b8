"""The glue between a run and what could have been seen: sun, air, blur, kinds of ground."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from shapely.geometry import box

from aoi import AOI, Zone
from detect.change import ChangedObject
from imagery.bands import SENTINEL2_BANDS
from imagery.scene import Scene
from imagery.sources.folder import FolderSource
from revisit.detectability import name_candidates, optics_of, scene_before, strata_of, view_of
from revisit.ground import lay_out
from tests.scenery import Pass, write_scenes
from tests.standin import BANDS, make_grid, make_raster, on_grid

HERE = (35.95, 35.40)
NOON = datetime(2024, 12, 7, 8, 25, tzinfo=UTC)
SCENE = Scene(id="S", sensor="s2", platform=None, acquired=NOON, footprint=box(35, 35, 36, 36), source="test", href="",
              assets={}, level="L2A")  # fmt: skip


def seen_by(scene: Scene, **changes: Any) -> Any:
    """Return how a scene sees the ground; `lift` is added to its reflectance."""
    grid = make_grid()
    raster = make_raster(grid, scene.acquired)
    lifted = np.asarray(raster.data) + np.float32(changes.get("lift", 0.0))
    return view_of(replace(raster, data=lifted), scene, optics_of(BANDS, 10.0), HERE)


def test_the_sun_is_that_of_the_scene_or_of_its_time_and_place() -> None:
    told = seen_by(replace(SCENE, sun_elevation_deg=40.0, sun_azimuth_deg=170.0)).sunlight
    assert (told.elevation_deg, told.azimuth_deg) == (40.0, 170.0)
    known = seen_by(SCENE).sunlight
    # The spherical triangle of a declination of -22.6 degrees and an hour angle of -15.7 (10:57 solar time).
    assert known.elevation_deg == pytest.approx(30.1, abs=0.5)
    assert known.azimuth_deg == pytest.approx(163.2, abs=0.7)


def test_a_scene_with_a_day_and_no_hour_has_the_sun_of_a_pass() -> None:
    midnight = seen_by(replace(SCENE, acquired=datetime(2024, 12, 7, tzinfo=UTC))).sunlight
    assert midnight.elevation_deg == pytest.approx(seen_by(SCENE).sunlight.elevation_deg, abs=2)


@pytest.mark.parametrize(
    ("level", "lift", "raw"), [("L2A", 0.1, False), ("L1C", 0.1, True), (None, 0.1, True), (None, 0.0, False)]
)
def test_the_air_is_taken_off_where_it_is_there(level: str | None, lift: float, raw: bool) -> None:
    view = seen_by(replace(SCENE, level=level), lift=lift)
    assert (view.transmission[0] < 1) == raw
    # The ground's reflectances begin at 0.02.
    assert view.path[0] == pytest.approx(0.02 + lift if raw else 0.0, abs=0.002)


def test_the_blur_is_that_of_the_bands_in_pixels() -> None:
    sentinel, fine = optics_of(BANDS, 10.0), optics_of(BANDS, 3.0)
    assert sentinel.psf_sigma_m == pytest.approx([SENTINEL2_BANDS[band].psf_sigma_m for band in BANDS])
    assert fine.psf_sigma_m == pytest.approx([0.3 * sigma for sigma in sentinel.psf_sigma_m])


def test_kinds_of_ground_are_named_and_padded() -> None:
    grid = make_grid()
    kinds = {"apron": (5, 5, 30, 30), "basin": (40, 5, 70, 30)}
    zones = tuple(
        Zone(name=f"{kind}-1", kind=kind, geometry=on_grid(grid, *place), source="", accuracy_m=1.0)
        for kind, place in kinds.items()
    )
    area = on_grid(grid, 0, 0, 80, 60)
    found = {s.name: s for s in strata_of(lay_out(AOI(name="a", geometry=area, zones=zones), grid), 7)}
    assert {name: stratum.water for name, stratum in found.items()} == {"apron": False, "basin": True}
    assert found["basin"].where.shape == (74, 94)
    assert found["basin"].where[7 + 15, 7 + 55]
    (whole,) = strata_of(lay_out(AOI(name="a", geometry=area), grid), 0)
    assert (whole.name, whole.water) == ("area", False)


def test_the_scene_before_is_the_last_one_earlier(tmp_path: Any) -> None:
    days = ("2024-11-20", "2024-12-01", "2024-12-06", "2024-12-09")
    write_scenes(tmp_path, *(Pass(day=day) for day in days))
    everywhere = AOI(name="everywhere", geometry=box(-180, -90, 180, 90))
    source = FolderSource(tmp_path)
    assert scene_before(source, everywhere, date(2024, 12, 7), within_days=3) == date(2024, 12, 1)
    assert scene_before(source, everywhere, date(2024, 12, 9), within_days=0) == date(2024, 12, 6)


@pytest.mark.parametrize(
    ("infrared", "kind", "ship"), [(0.3, "other", False), (0.03, "other", True), (0.3, "quay", True)]
)
def test_a_ship_is_named_where_the_ground_may_be_water(infrared: float, kind: str, ship: bool) -> None:
    """Nobody reads "a ship of 25 m" on the soil of an airfield; beside a quay half of what is around is land."""
    grid = make_grid()
    zone = Zone(name="there", kind=kind, geometry=on_grid(grid, 5, 5, 55, 50), source="survey", accuracy_m=5)
    ground = lay_out(AOI(name="a", geometry=on_grid(grid, 0, 0, 80, 60), zones=(zone,)), grid)
    raster = make_raster(grid, NOON)
    light = {"B02": 0.08, "B03": 0.10, "B04": 0.10, "B08": infrared}
    pixels = np.stack([np.full(raster.valid.shape, light[band], np.float32) for band in raster.bands])
    flat = replace(raster, data=pixels)
    rows, cols = (index.ravel() for index in np.mgrid[20:22, 20:23])
    item = ChangedObject(
        scale="object", change="vanished", rows=rows, cols=cols, statistic=50.0, strength=2.5,
        length_m=27.0, width_m=8.0, orientation_deg=90.0, area_m2=600.0, contrast=-0.05,
    )  # fmt: skip
    (named,) = name_candidates([item], ground, flat, flat, scenes=(SCENE, SCENE))
    assert any(one.name.startswith("ship") for one in named.candidates) == ship
