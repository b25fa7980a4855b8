"""What stands on plain ground, through the demo's camera: size, place, shadow, and what the air does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from aoi import Grid
from detect.targets import CATALOGUE
from imagery.bands import SCL
from revisit.demo.camera import add_air, add_objects, classify
from revisit.demo.traffic import Parked
from revisit.demo.weather import Weather

GRID = Grid.from_bounds((766000.0, 3921000.0, 766600.0, 3921600.0), crs="EPSG:32636", gsd=10.0)
GROUND, BRIGHT = 0.2, np.full(4, 0.45, np.float32)


@pytest.fixture
def calm() -> Weather:
    """No cloud, no haze, no error of any kind; a morning sun in the south-east."""
    nothing = np.zeros(GRID.shape, np.float32)
    return Weather(
        sun_elevation_deg=28.9, sun_azimuth_deg=135.0, growth=np.zeros(1, np.float32), gain=np.ones((1, 4), np.float32),
        stains=np.zeros((4, *GRID.shape), np.float32), band_gain=np.ones(4, np.float32),
        band_offset=np.zeros(4, np.float32), haze=nothing, shift_px=(0.0, 0.0), wobble_px=(nothing, nothing),
        cloud=nothing, cloud_shadow=nothing,
    )  # fmt: skip


def parked(name: str, east: float, south: float, heading_deg: float = 0.0) -> Parked:
    """Return an object so many metres from the north-west corner of the grid."""
    west, _, _, north = GRID.bounds
    return Parked(model=CATALOGUE[name], zone="apron", x=west + east, y=north - south, heading_deg=heading_deg,
                  reflectance=BRIGHT, days=frozenset({date(2024, 12, 7)}))  # fmt: skip


def picture(weather: Weather, *objects: Parked) -> NDArray[np.float32]:
    image = np.full((4, *GRID.shape), GROUND, np.float32)
    add_objects(image, objects, weather, GRID)
    return image


def middle(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the (south, east) centre of a map in metres from the north-west corner."""
    rows, cols = np.mgrid[: values.shape[0], : values.shape[1]] * 10.0 + 5.0
    return float((rows * values).sum() / values.sum()), float((cols * values).sum() / values.sum())


@pytest.mark.parametrize("name", ["An-124", "Il-76", "Su-34", "Ka-52", "launcher"])
def test_an_object_has_its_true_size_and_place(name: str, calm: Weather) -> None:
    high_sun = replace(calm, sun_elevation_deg=89.9)
    added = picture(high_sun, parked(name, 303.0, 296.0, 40.0))[0] - GROUND
    assert added.sum() * 100 / (0.45 - GROUND) == pytest.approx(CATALOGUE[name].planform_m2, rel=0.01)
    turned = np.mean(np.array(CATALOGUE[name].outline), axis=0)
    assert middle(added) == pytest.approx((296.0, 303.0), abs=2 + 0.3 * abs(turned[1]) + 0.1 * CATALOGUE[name].length_m)


def test_shadows_fall_to_the_north_west_in_the_morning(calm: Weather) -> None:
    change = picture(calm, parked("Il-76", 300.0, 300.0))[3] - GROUND
    body, dark = middle(np.maximum(change, 0)), middle(np.maximum(-change, 0))
    assert dark[0] < body[0] - 5, "north"
    assert dark[1] < body[1] - 5, "west"


def test_a_pixel_shows_what_it_looks_at(calm: Weather) -> None:
    high_sun = replace(calm, sun_elevation_deg=89.9)
    lorry = parked("lorry", 300.0, 300.0)
    still = middle(picture(high_sun, lorry)[0] - GROUND)
    moved = middle(picture(replace(high_sun, shift_px=(0.3, -0.4)), lorry)[0] - GROUND)
    assert (moved[0] - still[0], moved[1] - still[1]) == pytest.approx((-3.0, 4.0), abs=0.1)


def test_objects_off_the_image_leave_no_trace(calm: Weather) -> None:
    assert (picture(calm, parked("An-124", -500.0, 300.0)) == np.float32(GROUND)).all()


def test_haze_adds_blue_light_and_takes_contrast(calm: Weather) -> None:
    clear = picture(calm, parked("An-124", 300.0, 300.0))
    hazy = clear.copy()
    add_air(hazy, replace(calm, haze=np.full(GRID.shape, 0.05, np.float32)))
    assert (hazy - clear)[0].mean() > (hazy - clear)[3].mean() + 0.02
    assert np.ptp(hazy[0]) == pytest.approx(0.9 * np.ptp(clear[0]), rel=0.01)


def test_the_classification_knows_cloud_shadow_and_growth(calm: Weather) -> None:
    image = np.empty((4, *GRID.shape), np.float32)
    image[:3], image[3] = 0.05, 0.3
    image[3, :, 30:] = 0.06
    cloud, shade, misread = np.zeros((3, *GRID.shape), np.float32)
    cloud[:10], shade[50:], misread[24:30, 10:14] = 0.9, 0.6, 1
    found = classify(image, replace(calm, cloud=cloud, cloud_shadow=shade), misread > 0)
    assert found.shape == (30, 30)
    assert (found[:5] == SCL.CLOUD_HIGH).all()
    assert (found[25:] == SCL.CLOUD_SHADOW).all()
    assert (found[12:15, 5:7] == SCL.CLOUD_MEDIUM).all()
    assert (found[16:24, :15] == SCL.VEGETATION).all()
    assert (found[16:24, 15:] == SCL.BARE).all()
