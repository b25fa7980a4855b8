"""What the classification alone promises, held against what the bands then keep."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from imagery.bands import SCL
from imagery.mask import LARGE_M2, classify_validity
from imagery.survey import survey_classes

BANDS = ("B02", "B03", "B04", "B08")


@settings(max_examples=40)
@given(st.integers(0, 2**16), st.floats(0.2, 0.8), st.floats(1, 12), st.booleans())
def test_what_is_kept_lies_between_the_two_promises(seed: int, cover: float, size: float, bright: bool) -> None:
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.standard_normal((120, 120)), size)
    kinds = rng.choice([SCL.CLOUD_HIGH, SCL.CLOUD_MEDIUM, SCL.SNOW, SCL.CIRRUS, SCL.CLOUD_SHADOW, SCL.SATURATED])
    classes = np.where(field > np.quantile(field, cover), kinds, SCL.BARE)
    classes[:5] = SCL.NO_DATA
    colours = np.array([0.12, 0.17, 0.24, 0.32])[:, np.newaxis, np.newaxis] * np.ones((4, 120, 120))
    image = colours + (classes == kinds) * (0.2 if bright else 0.0)
    valid, _ = classify_validity(classes, image.astype(np.float32), BANDS, 10.0)
    survey = survey_classes(classes, 10.0)
    assert not (survey.usable & ~valid).any()
    assert not (valid & ~survey.possible).any()


def test_a_small_cloud_may_be_ground_and_a_large_one_not() -> None:
    classes = np.full((400, 400), SCL.BARE)
    classes[10:20, 10:20] = SCL.CLOUD_HIGH
    classes[100:250, 100:250] = SCL.CLOUD_HIGH
    assert LARGE_M2 < 150**2 * 100
    survey = survey_classes(classes, 10.0)
    assert (survey.possible[15, 15], survey.usable[15, 15]) == (True, False)
    assert not survey.possible[175, 175]
    assert not survey.possible[98, 175], "the ground around a cloud is not used either"
    assert survey.usable[300, 300]


def test_shadow_is_never_refuted_and_no_data_is_nothing() -> None:
    classes = np.full((60, 60), SCL.BARE)
    classes[30, 30], classes[:, 50:] = SCL.CLOUD_SHADOW, SCL.NO_DATA
    survey = survey_classes(classes, 10.0)
    assert not survey.possible[30, 30]
    assert not survey.possible[30, 35]
    assert survey.usable[10, 10]
    assert not survey.possible[:, 50:].any()
