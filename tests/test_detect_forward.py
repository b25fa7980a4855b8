"""How an object looks through a sensor: light kept, place kept, shadows on the right side."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detect.errors import DetectError
from detect.forward import Optics, Pose, Sunlight, render, shadow
from detect.targets import CATALOGUE, silhouette

GROUND = np.array([0.20], np.float32)
PAINT = np.array([0.45], np.float32)
SENTINEL = Optics(gsd_m=10.0, psf_sigma_m=(5.22,))
MORNING = Sunlight(elevation_deg=30.0, azimuth_deg=155.0, shadow_share=(0.3,))


@pytest.mark.parametrize("gsd_m", [10.0, 3.0, 0.5])
@pytest.mark.parametrize("name", ["An-124", "Il-76", "Su-34", "Ka-52", "launcher", "ship-25m"])
def test_light_is_kept(name: str, gsd_m: float) -> None:
    model, optics = CATALOGUE[name], Optics(gsd_m=gsd_m, psf_sigma_m=(0.55 * gsd_m,))
    chip = render(
        model,
        Pose(heading_deg=25.0, offset_m=(0.2 * gsd_m, -0.3 * gsd_m)),
        optics=optics,
        background=GROUND,
        reflectance=PAINT,
    )
    assert chip.sum() * gsd_m**2 == pytest.approx(0.25 * model.planform_m2, rel=0.01)


@pytest.mark.parametrize("offset_m", [(0.0, 0.0), (3.3, 1.7), (-4.9, 4.9)])
def test_the_centre_of_light_lies_where_the_object_stands(offset_m: tuple[float, float]) -> None:
    chip = render(
        CATALOGUE["launcher"],
        Pose(heading_deg=70.0, offset_m=offset_m),
        optics=SENTINEL,
        background=GROUND,
        reflectance=PAINT,
    )[0]
    half = len(chip) // 2
    rows, cols = np.mgrid[-half : half + 1, -half : half + 1] * 10.0
    east, north = (cols * chip).sum() / chip.sum(), -(rows * chip).sum() / chip.sum()
    assert (east, north) == pytest.approx(offset_m, abs=0.15)


def test_blur_is_the_gaussian_of_the_point_spread_function() -> None:
    # A lorry seen with a blur of 20 m is a point: sigma^2 adds up from the PSF and the box of the lorry itself.
    model, optics = CATALOGUE["lorry"], Optics(gsd_m=10.0, psf_sigma_m=(20.0,))
    chip = render(model, Pose(heading_deg=0.0), optics=optics, background=GROUND, reflectance=PAINT)[0].astype(float)
    half = len(chip) // 2
    rows = np.arange(-half, half + 1)[:, None] * 10.0
    variance = (rows**2 * chip).sum() / chip.sum()
    assert variance == pytest.approx(400.0 + model.length_m**2 / 12, rel=0.01)


def test_each_band_has_its_own_blur_and_contrast() -> None:
    optics = Optics(gsd_m=10.0, psf_sigma_m=(5.0, 8.0))
    chip = render(
        CATALOGUE["Su-35"],
        Pose(heading_deg=10.0),
        optics=optics,
        background=np.array([0.2, 0.3], np.float32),
        reflectance=np.array([0.4, 0.1], np.float32),
    )
    assert chip[0].max() > 0 > chip[1].min()
    assert chip[0].max() > abs(chip[1].min())


@pytest.mark.parametrize(("azimuth_deg", "east", "north"), [(135, -1, 1), (180, 0, 1), (90, -1, 0), (225, 1, 1)])
def test_shadows_fall_away_from_the_sun(azimuth_deg: float, east: int, north: int) -> None:
    body = silhouette(CATALOGUE["launcher"], 45.0, cell_m=0.5, margin_m=12.0)
    dark = shadow(body, 4.0, sun_elevation_deg=30.0, sun_azimuth_deg=azimuth_deg, cell_m=0.5)
    rows, cols = np.nonzero(dark > 0.5)
    middle = len(body) // 2
    assert np.sign(np.round((cols.mean() - middle) / 2)) == east
    assert np.sign(np.round((middle - rows.mean()) / 2)) == north


@pytest.mark.parametrize("azimuth_deg", [90.0, 131.0, 180.0])
def test_the_shadow_of_a_box_has_the_area_of_geometry(azimuth_deg: float) -> None:
    model, height_m, elevation = CATALOGUE["launcher"], 6.0, 35.0
    body = silhouette(model, 0.0, cell_m=0.25, margin_m=15.0)
    dark = shadow(body, height_m, sun_elevation_deg=elevation, sun_azimuth_deg=azimuth_deg, cell_m=0.25)
    reach = height_m / math.tan(math.radians(elevation))
    east, north = abs(math.sin(math.radians(azimuth_deg))), abs(math.cos(math.radians(azimuth_deg)))
    swept = reach * (model.length_m * east + model.width_m * north)
    assert dark.sum() * 0.25**2 == pytest.approx(swept, rel=0.03)


def test_a_shadow_darkens_north_west_of_an_object_in_the_morning() -> None:
    without = render(CATALOGUE["Il-76"], Pose(heading_deg=0.0), optics=SENTINEL, background=GROUND, reflectance=PAINT)
    chip = render(
        CATALOGUE["Il-76"],
        Pose(heading_deg=0.0),
        optics=SENTINEL,
        background=GROUND,
        reflectance=PAINT,
        sunlight=MORNING,
    )
    trim = (chip.shape[1] - without.shape[1]) // 2
    added = (chip[:, trim : chip.shape[1] - trim, trim : chip.shape[2] - trim] - without)[0]
    rows, cols = np.mgrid[: len(added), : len(added)] - len(added) // 2
    assert added.sum() < 0
    assert (rows * added).sum() / added.sum() < -0.2
    assert (cols * added).sum() / added.sum() < -0.1


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DetectError, match=r"1 PSF sigmas, but values for \[1, 2\] bands"):
        render(
            CATALOGUE["lorry"],
            Pose(heading_deg=0.0),
            optics=SENTINEL,
            background=GROUND,
            reflectance=np.array([0.1, 0.2], np.float32),
        )
    with pytest.raises(DetectError, match=r"too narrow for a GSD of 10\.0 m"):
        Optics(gsd_m=10.0, psf_sigma_m=(1.0,))
    with pytest.raises(DetectError, match="a sun -3 degrees high"):
        shadow(np.zeros((3, 3), np.float32), 2.0, sun_elevation_deg=-3, sun_azimuth_deg=0, cell_m=1.0)
