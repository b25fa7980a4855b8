"""The chronochrome on changes of light that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from detect.chronochrome import fit_chronochrome
from tests.views import View, fields, look, noisy

FloatArray = NDArray[np.float32]
SIZE = 128
EVERYWHERE = np.ones((SIZE, SIZE), np.bool_)


def covers() -> tuple[FloatArray, NDArray[np.intp]]:
    """Return four kinds of ground in stripes, each with a texture of its own, and which is where."""
    rng = np.random.default_rng(4)
    kind = np.repeat(np.arange(4), SIZE // 4)[:, None].repeat(SIZE, axis=1)
    colours = np.array([[0.05, 0.06, 0.04, 0.03], [0.2, 0.22, 0.25, 0.3], [0.07, 0.1, 0.08, 0.4], [0.4, 0.4, 0.4, 0.4]])
    image = colours[kind].transpose(2, 0, 1) * (1 + 0.03 * rng.standard_normal((4, SIZE, SIZE)))
    return image.astype(np.float32), kind


def test_an_affine_change_of_each_cover_leaves_nothing() -> None:
    before, kind = covers()
    rng = np.random.default_rng(5)
    gains = np.eye(4) + 0.1 * rng.standard_normal((4, 4, 4))
    offsets = 0.02 * rng.standard_normal((4, 4))
    after = np.einsum("rcij,jrc->irc", gains[kind], before) + offsets[kind].transpose(2, 0, 1)
    after = after.astype(np.float32)
    model = fit_chronochrome(before, after, EVERYWHERE)
    inside = np.ones(SIZE, np.bool_)
    inside[[31, 32, 63, 64, 95, 96]] = False  # where stripes meet, the 3 x 3 mean belongs to no cover
    plain, fine = (model.residual(before, after, EVERYWHERE, fine=fine)[:, inside] for fine in (False, True))
    assert np.sqrt((plain**2).mean()) < 2e-4
    # Structural regression trusts slopes less that differ from cover to cover.
    assert np.sqrt((fine**2).mean()) < 3e-3
    assert np.sqrt(((after - before) ** 2).mean()) > 0.02


def test_what_changed_stands_out_and_does_not_bend_the_prediction() -> None:
    before = look(fields(2, SIZE), View(noise=0.002, seed=1))
    after = 0.9 * noisy(before, 0.002, 2) + np.float32(0.02)
    changed = after.copy()
    changed[:, 40:70, 40:70] += np.float32(0.2)  # 5.5 % of the image
    clean = fit_chronochrome(before, after, EVERYWHERE).residual(before, after, EVERYWHERE)
    left = fit_chronochrome(before, changed, EVERYWHERE).residual(before, changed, EVERYWHERE)
    assert left[:, 45:65, 45:65].mean() == pytest.approx(0.2, abs=0.01)
    assert np.abs(left - clean)[:, 80:].mean() < 1e-3


def test_what_is_not_valid_takes_no_part() -> None:
    before, _ = covers()
    after, valid = 1.1 * before, EVERYWHERE.copy()
    valid[10:30, 10:50] = False
    results = []
    for rubbish in (0.0, np.nan):
        one, two = (np.where(valid, x, np.float32(rubbish)) for x in (before, after))
        results.append(fit_chronochrome(one, two, valid).residual(one, two, valid))
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0][:, ~valid] == 0).all()


def test_the_same_images_give_the_same_model() -> None:
    before = look(fields(3, SIZE), View(noise=0.002))
    one, two = (fit_chronochrome(before, before[::-1].copy(), EVERYWHERE) for _ in range(2))
    np.testing.assert_array_equal(one.clusters, two.clusters)
    np.testing.assert_array_equal(one.coefficients, two.coefficients)


def test_a_part_of_the_image_is_predicted_as_in_the_whole() -> None:
    before, after = (look(fields(3, SIZE), View(noise=0.002, seed=seed)) for seed in (1, 2))
    model = fit_chronochrome(before, after, EVERYWHERE)
    part = np.s_[:, 20:90, 30:100]
    whole = model.residual(before, after, EVERYWHERE)[part]
    alone = model.residual(before[part], after[part], np.ones((70, 70), np.bool_))
    inner = np.s_[:, 1:-1, 1:-1]  # the 3 x 3 mean at the border sees less
    np.testing.assert_allclose(alone[inner], whole[inner], atol=1e-6)


def test_few_pixels_get_fewer_kinds_of_cover() -> None:
    image = look(fields(3, SIZE), View(noise=0.002))[:, :25, :40]
    model = fit_chronochrome(image, image, np.ones((25, 40), np.bool_))
    assert len(model.clusters) == 2  # 1000 pixels, 400 at least to each


def test_what_stands_out_and_stayed_is_explained_by_the_change_of_light() -> None:
    rng = np.random.default_rng(7)
    ground = np.full((4, SIZE, SIZE), 0.2) + 0.002 * rng.standard_normal((4, SIZE, SIZE))
    ground[:, 60:63, 60:63] += 0.15
    before = noisy(ground.astype(np.float32), 0.004, 1)
    after = 1.1 * noisy(ground.astype(np.float32), 0.004, 2)
    model = fit_chronochrome(before, after, EVERYWHERE)
    plain, fine = (model.residual(before, after, EVERYWHERE, fine=fine)[:, 60:63, 60:63] for fine in (False, True))
    assert np.abs(fine).mean() < 0.01
    assert np.abs(plain).mean() > 0.05
