"""Candidates of flags: the true class is among them, and no class is named where the size does not tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from detect.candidates import with_candidates
from detect.change import ChangedObject
from detect.detectability import Dates
from detect.filters import FloatArray
from detect.forward import Optics, Pose, Sunlight, render
from detect.injection import View
from detect.objects import find_objects
from detect.optical import Pair, detect_pair, fit_pair
from detect.targets import CATALOGUE

BANDS = ("B02", "B03", "B04", "B08")
SIZE, STEP = 320, 45
SUN = Sunlight(elevation_deg=35.0, azimuth_deg=160.0, shadow_share=(0.38, 0.30, 0.24, 0.16))
VIEW = View(
    bands=BANDS,
    optics=Optics(gsd_m=10.0, psf_sigma_m=(5.2, 5.1, 5.4, 5.2)),
    sunlight=SUN,
    transmission=(1.0,) * 4,
    path=(0.0,) * 4,
)


def images(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return two dates of textured ground, one 2 % brighter."""
    texture = 0.12 * gaussian_filter(rng.standard_normal((SIZE, SIZE)), 4)
    ground = np.stack([level * (1 + texture) for level in (0.14, 0.17, 0.20, 0.24)])
    first, second = (ground * gain + rng.normal(0, 0.003, ground.shape) for gain in (1.0, 1.02))
    return first.astype(np.float32), second.astype(np.float32)


def put(image: FloatArray, name: str, at: tuple[int, int], rng: np.random.Generator) -> None:
    """Put an object of a class into an image, in place, in a random pose and colour."""
    model = CATALOGUE[name]
    pose = Pose(heading_deg=rng.uniform(0, 360), offset_m=(rng.uniform(-5, 5), rng.uniform(-5, 5)))
    under = image[:, at[0] - 1 : at[0] + 2, at[1] - 1 : at[1] + 2].mean(axis=(1, 2))
    paint, sun = model.reflectance(BANDS, rng.uniform()), None if model.kind == "ship" else SUN
    chip = render(model, pose, optics=VIEW.optics, background=under, reflectance=paint, sunlight=sun)
    half = chip.shape[1] // 2
    image[:, at[0] - half : at[0] + half + 1, at[1] - half : at[1] + half + 1] += chip


@cache
def flagged(seed: int) -> tuple[Dates, tuple[tuple[str, ChangedObject], ...]]:
    """Return two dates with objects of all classes, and each flag that lies on one with the class's name."""
    rng = np.random.default_rng(seed)
    before, after = images(rng)
    names, truth = list(rng.permutation(list(CATALOGUE))), []
    for number, (r, c) in enumerate((r, c) for r in range(30, SIZE - 20, STEP) for c in range(30, SIZE - 20, STEP)):
        truth.append((str(names[number % len(names)]), r, c))
        put(after if rng.random() < 0.5 else before, *truth[-1][:1], (r, c), rng)
    valid = np.ones((SIZE, SIZE), np.bool_)
    pair = Pair(before=before, after=after, valid=valid, gsd=10.0, shift_error_px=(0.05, 0.05))
    model = fit_pair(pair)
    change = detect_pair(pair, valid.astype(np.uint8), false_alarms_per_km2=1.0, model=model)
    dates = Dates(before=before, after=after, valid=valid, before_view=VIEW, after_view=VIEW)
    named = with_candidates(find_objects(change, pair, model), dates)
    return dates, tuple(matched(named, truth))


def matched(items: tuple[ChangedObject, ...], truth: list[tuple[str, int, int]]) -> Iterator[tuple[str, ChangedObject]]:
    """Yield the largest flag within 30 m of each place, with what was put there."""
    for name, row, col in truth:
        near = [i for i in items if i.scale == "object" and np.hypot(i.rows - row, i.cols - col).min() < 3]
        if near:
            yield name, max(near, key=lambda item: item.area_m2)


def test_the_true_class_is_among_the_candidates() -> None:
    found = [pair for seed in (0, 1, 2) for pair in flagged(seed)[1]]
    named = [name in {c.name for c in item.candidates} for name, item in found]
    assert len(found) > 80
    assert np.mean(named) >= 0.9


def test_what_is_smaller_than_two_pixels_has_many_candidates() -> None:
    """Nothing at 10 m tells a helicopter from a lorry: whatever was put there, several classes stand in the list."""
    small = [item for name, item in flagged(0)[1] if name in {"Ka-52", "launcher", "Mi-8"}]
    assert small
    assert all(len(item.candidates) >= 3 for item in small)


def test_a_transport_is_told_from_a_fighter_but_not_from_another_transport() -> None:
    large = [item for seed in (0, 1, 2) for name, item in flagged(seed)[1] if name == "Il-76" and item.length_m > 40]
    assert large
    for item in large:
        names = {c.name for c in item.candidates}
        assert len(names) >= 2
        assert not names & {"Ka-52", "lorry", "Su-35"}


def test_likelihoods_are_relative_to_the_best() -> None:
    for _, item in flagged(0)[1]:
        values = [c.likelihood for c in item.candidates]
        assert values == sorted(values, reverse=True)
        assert values[:1] in ([], [1.0])
        assert all(value >= 0.05 for value in values)


def test_ships_are_candidates_only_where_they_can_lie() -> None:
    dates, found = flagged(0)
    item = next(item for name, item in found if name == "ship-75m")
    everywhere = np.ones((SIZE, SIZE), np.bool_)
    (dry,) = with_candidates([item], dates, water=~everywhere, land=everywhere)
    (wet,) = with_candidates([item], dates, water=everywhere, land=~everywhere)
    assert not any(c.name.startswith("ship") for c in dry.candidates)
    assert wet.candidates[0].name == "ship-75m"
    assert all(c.name.startswith("ship") for c in wet.candidates)


@pytest.mark.parametrize("length_m", [400.0, 1500.0])
def test_what_is_like_nothing_in_the_catalogue_has_no_candidates(length_m: float) -> None:
    dates, found = flagged(0)
    strange = replace(found[0][1], length_m=length_m, width_m=length_m / 2, contrast=0.2)
    (told,) = with_candidates([strange], dates)
    assert told.candidates == ()


def test_areas_have_no_candidates_and_stay_as_they_are() -> None:
    dates, found = flagged(0)
    area = replace(found[0][1], scale="area", candidates=())
    assert with_candidates([area], dates)[0] is area
