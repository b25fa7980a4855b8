"""ESA's offset decided from numbers: fields, towns, sea, deserts, and files whose catalogue lies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imagery.bands import SCL
from imagery.errors import SceneError
from imagery.geotiff import write_cog
from imagery.offset import Evidence, needs_evidence, thinned, weigh, with_offset
from imagery.reading import read_scene
from imagery.scene import Asset, Scene
from tests.passes import scene
from tests.rasters import grid, write_raster

BANDS = ("B02", "B03", "B04", "B08")
GROUNDS = {
    SCL.VEGETATION: (0.03, 0.06, 0.045, 0.33),
    SCL.BARE: (0.12, 0.17, 0.24, 0.32),
    SCL.WATER: (0.045, 0.04, 0.03, 0.02),
    SCL.DARK: (0.02, 0.02, 0.02, 0.03),
    SCL.CLOUD_HIGH: (0.7, 0.7, 0.7, 0.75),
}
"""Reflectance of each class in B02, B03, B04, B08: green fields, dry soil, coastal sea, shadow, cloud."""
DESERT = (0.11, 0.20, 0.32, 0.42)
SHAPE = (80, 80)
Numbers = NDArray[np.uint16]


def ground(*classes: SCL, soil: tuple[float, ...] = GROUNDS[SCL.BARE], seed: int = 3) -> tuple[Numbers, Numbers]:
    """Return (4, row, col) DN without an offset, and (row, col) classes, in stripes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.array(classes), SHAPE[0] // len(classes))[:, np.newaxis] * np.ones(SHAPE[1], int)
    colours = GROUNDS | {SCL.BARE: soil}
    bands = np.array([[colours[SCL(label)][band] for label in labels[:, 0]] for band in range(4)])
    texture = 1 + 0.1 * rng.standard_normal((4, *SHAPE))
    return np.clip(bands[:, :, np.newaxis] * texture * 1e4, 1, 20000).astype(np.uint16), labels.astype(np.uint16)


LANDSCAPES = [
    (SCL.BARE, SCL.VEGETATION),
    (SCL.BARE, SCL.WATER),
    (SCL.BARE, SCL.BARE, SCL.BARE, SCL.DARK),
    (SCL.WATER,),
    (SCL.VEGETATION, SCL.CLOUD_HIGH),
]


@pytest.mark.parametrize("classes", LANDSCAPES)
@pytest.mark.parametrize(("added", "expected"), [(0, 0.0), (1000, -0.1)])
def test_row_36_landscapes_with_anything_dark_are_decided(
    classes: tuple[SCL, ...], added: int, expected: float
) -> None:
    numbers, labels = ground(*classes)
    assert weigh(numbers + np.uint16(added), labels, where="here").offset == expected


@pytest.mark.parametrize("added", [0, 1000])
def test_row_36_a_bright_desert_is_never_taken_for_raw_numbers(added: int) -> None:
    numbers, labels = ground(SCL.BARE, soil=DESERT)
    assert weigh(numbers + np.uint16(added), labels, where="here").offset is None


def test_row_36_a_few_pixels_called_water_in_a_desert_decide_nothing() -> None:
    numbers, labels = ground(SCL.BARE, soil=DESERT)
    numbers, labels = np.tile(numbers, (1, 3, 3)), np.tile(labels, (3, 3))
    labels[:2] = SCL.WATER
    # The darkest band of this sand is where water is in raw numbers: only its share gives it away.
    assert 800 < np.percentile(numbers[:, :2].min(axis=0), 25) < 1600
    assert weigh(numbers, labels, where="here").offset is None


def test_row_36_dark_rock_shows_that_the_offset_is_off() -> None:
    numbers, labels = ground(SCL.BARE, soil=(0.05, 0.06, 0.07, 0.08))
    assert weigh(numbers, labels, where="here").offset == 0.0


def test_row_36_what_shows_both_signs_is_not_decided() -> None:
    numbers, labels = ground(SCL.BARE, SCL.VEGETATION)
    numbers += np.uint16(1000)
    # One pixel in fifty far under what raw numbers can be.
    numbers[:, labels == SCL.BARE] = np.where(np.arange(np.count_nonzero(labels == SCL.BARE)) % 50, 2500, 300)
    assert weigh(numbers, labels, where="here").offset is None


def test_cloud_alone_decides_nothing() -> None:
    numbers, labels = ground(SCL.CLOUD_HIGH)
    evidence = weigh(numbers, labels, where="the area")
    assert (evidence.offset, str(evidence)) == (None, "the area shows neither land nor water")


def test_without_classes_only_darkness_speaks() -> None:
    numbers, _ = ground(SCL.BARE, SCL.VEGETATION)
    assert weigh(numbers, None, where="here").offset == 0.0
    assert weigh(numbers + np.uint16(1000), None, where="here").offset is None


@given(st.integers(0, 2**16), st.sampled_from([0, 1000]), st.floats(0.5, 1.5))
def test_no_light_makes_the_decision_wrong(seed: int, added: int, light: float) -> None:
    numbers, labels = ground(SCL.BARE, SCL.VEGETATION, SCL.WATER, SCL.BARE, seed=seed)
    lit = (numbers * light).astype(np.uint16) + np.uint16(added)
    assert weigh(lit, labels, where="here").offset in (None, 0.0 if added == 0 else -0.1)


def test_a_coarser_layer_takes_the_nearest_pixels() -> None:
    layer = np.arange(36).reshape(6, 6)
    assert thinned(layer, (3, 3)).tolist() == [[7, 9, 11], [19, 21, 23], [31, 33, 35]]
    assert thinned(layer, (6, 6)) is not None
    np.testing.assert_array_equal(thinned(layer, (6, 6)), layer)


UNCLEAR = Evidence(where="the area", pixels=5000, lowest=1400, dark=float("nan"))
CLEAR = Evidence(where="the granule", pixels=90000, lowest=180, dark=320)


def test_the_first_clear_evidence_decides_and_is_written_down() -> None:
    decided = with_offset(scene("l2a", doubtful=True), [UNCLEAR, CLEAR])
    assert not needs_evidence(decided, BANDS)
    assert {decided.assets[band].offset for band in BANDS} == {0.0}
    (note,) = decided.notes
    assert note == (
        "ESA's offset is taken off its numbers already, as its catalogue says: the granule has 90000 px of land and"
        " water, 0.5 % of them under 180 in the darkest band; vegetation, water and shadow: 25 % under 320"
    )


def test_row_36_where_nothing_is_clear_the_scene_is_refused_with_the_figures() -> None:
    with pytest.raises(
        SceneError, match=r"not used \(the area has 5000 px of land and water, 0.5 % of them under 1400"
    ):
        with_offset(scene("l2a", doubtful=True), [UNCLEAR])


def write(folder: Path, numbers: Numbers, labels: Numbers, *, offset: float, doubtful: bool = True) -> Scene:
    """Write a scene whose catalogue says `offset`."""
    folder.mkdir(exist_ok=True)
    assets = {"SCL": Asset(href=str(write_raster(folder / "SCL.tif", labels.astype(np.uint8), nodata=0)), nodata=0.0)}
    for band, pixels in zip(BANDS, numbers, strict=True):
        path = write_raster(folder / f"{band}.tif", pixels, nodata=0)
        assets[band] = Asset(href=str(path), scale=1e-4, offset=offset, nodata=0.0, offset_doubtful=doubtful)
    return replace(scene(folder.name), assets=assets)


def fetch(asset: Asset) -> Path:
    """Return the file itself."""
    return Path(asset.href)


PLACE = grid(width=SHAPE[1], height=SHAPE[0])


@pytest.mark.parametrize("said", [0.0, -0.1])
@pytest.mark.parametrize("added", [0, 1000])
def test_row_36_whatever_the_catalogue_says_the_same_ground_comes_out(tmp_path: Path, said: float, added: int) -> None:
    numbers, labels = ground(SCL.BARE, SCL.VEGETATION, SCL.WATER, SCL.BARE)
    raster = read_scene(
        write(tmp_path / "l2a", numbers + np.uint16(added), labels, offset=said), PLACE, BANDS, fetch=fetch
    )
    np.testing.assert_allclose(raster.data, numbers * 1e-4, atol=1e-6)
    assert raster.origin
    assert {raster.origin.assets[band].offset for band in BANDS} == {-0.1 if added else 0.0}
    agrees = said == (-0.1 if added else 0.0)
    assert ("as its catalogue says" if agrees else "against what its catalogue says") in raster.origin.notes[0]


def desert_granule(folder: Path, added: int) -> tuple[Scene, dict[str, Path]]:
    """Write a desert as the area, and a granule of it with fields as overviews."""
    numbers, labels = ground(SCL.BARE, soil=DESERT)
    wide, classes = ground(SCL.BARE, SCL.VEGETATION, soil=DESERT)
    one = write(folder, numbers + np.uint16(added), labels, offset=0.0)
    coarse = {}
    for name, layer in (*zip(BANDS, wide + np.uint16(added), strict=True), ("SCL", classes)):
        path = folder / f"{name}-coarse.tif"
        kind = "uint8" if name == "SCL" else "uint16"
        write_cog(path, layer, grid=PLACE, descriptions=(name,), nodata=0, dtype=kind)
        coarse[one.assets[name].href] = path
    return one, coarse


@pytest.mark.parametrize(("added", "expected"), [(0, 0.0), (1000, -0.1)])
def test_row_36_in_a_desert_the_whole_granule_decides(tmp_path: Path, added: int, expected: float) -> None:
    one, coarse = desert_granule(tmp_path / "l2a", added)
    with pytest.raises(SceneError, match="do not show whether the offset"):
        read_scene(one, PLACE, BANDS, fetch=fetch)
    raster = read_scene(one, PLACE, BANDS, fetch=fetch, coarse=lambda asset: coarse[asset.href])
    assert raster.origin
    assert raster.origin.assets["B02"].offset == expected
    assert "the granule has" in raster.origin.notes[0]


def test_what_is_certain_is_not_questioned(tmp_path: Path) -> None:
    numbers, labels = ground(SCL.BARE, soil=DESERT)

    def never(_: Asset) -> Any:
        raise AssertionError

    one = write(tmp_path / "c1", numbers, labels, offset=0.0, doubtful=False)
    raster = read_scene(one, PLACE, BANDS, fetch=fetch, coarse=never)
    assert raster.origin
    assert raster.origin.notes == ()


def test_row_35_two_processings_of_one_ground_show_no_change(tmp_path: Path) -> None:
    numbers, labels = ground(SCL.BARE, SCL.VEGETATION, SCL.WATER, SCL.BARE)
    old = write(tmp_path / "n0301", numbers, labels, offset=0.0, doubtful=False)
    new = write(tmp_path / "n0511", numbers + np.uint16(1000), labels, offset=-0.1, doubtful=False)
    first, second = (read_scene(one, PLACE, BANDS, fetch=fetch) for one in (old, new))
    np.testing.assert_allclose(first.data, second.data, atol=1e-7)
    np.testing.assert_array_equal(first.valid, second.valid)
