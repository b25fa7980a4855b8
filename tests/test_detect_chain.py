"""A place as a chain of two states: changes are dated, gaps are bridged and never read as empty, noise is no change."""

from __future__ import annotations

import numpy as np
import pytest

from detect.chain import Noise, Posterior, count_range, fit_noise, follow_place, joint_chance, steps_of

NOISE = Noise(scale=1.0, tail=6.0)
DAYS = np.linspace(0.0, 55.0, 12)
OBJECT = np.array([8.0, 7.0, 6.0, 5.0])


def followed(taken: str, *, hidden: str = "", size: float = 1.0, seed: int = 1) -> Posterior:
    """Return what is told of a place that is taken on the dates with an x; on those with a c it cannot be seen."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((len(taken), 4))
    for k, mark in enumerate(taken):
        values[k] += size * OBJECT * (mark == "x") * rng.normal(1, 0.15)
    shown = np.array([mark != "c" for mark in hidden.ljust(len(taken), ".")])
    values[~shown] = np.nan
    return follow_place(values, shown, DAYS[: len(taken)], NOISE)


@pytest.mark.parametrize("taken", ["......xxxxxx", "xxx.........", "....x.......", "..xxx..xxx..", "...........x"])
def test_every_change_lies_between_its_two_dates(taken: str) -> None:
    steps = steps_of(followed(taken))
    true = [(k, k + 1, taken[k + 1] == "x") for k in range(len(taken) - 1) if taken[k] != taken[k + 1]]
    assert [(step.last, step.first, step.arrival) for step in steps] == true
    assert all(step.confidence > 0.95 for step in steps)


def test_a_hidden_date_widens_the_interval_and_is_no_state() -> None:
    posterior = followed("......xxxxxx", hidden="....ccc.....")
    (step,) = steps_of(posterior)
    assert (step.last, step.first) == (3, 7)
    assert 0.2 < posterior.taken[5] < 0.8


def test_a_gap_while_the_object_stays_is_no_departure() -> None:
    (step,) = steps_of(followed("...xxxxxxxxx", hidden=".....ccc...."))
    assert (step.last, step.first, step.arrival) == (2, 3, True)


def test_noise_alone_is_rarely_taken_for_a_sure_change() -> None:
    sure = [step for seed in range(60) for step in steps_of(followed("." * 12, seed=seed)) if step.confidence > 0.9]
    assert len(sure) <= 6


def test_a_faint_object_is_dated_with_less_confidence() -> None:
    strong, faint = (steps_of(followed("......xxxxxx", size=size)) for size in (1.0, 0.2))
    assert min(step.confidence for step in strong) > min([step.confidence for step in faint] or [0.0])


def test_the_joint_chance_of_all_states_is_one() -> None:
    posterior = followed("....xxxx....", hidden="..c..c......")
    total = sum(joint_chance(posterior, 3, old, 6, new) for old in (0, 1) for new in (0, 1))
    assert total == pytest.approx(1.0)


def test_noise_is_measured_with_its_tail() -> None:
    rng = np.random.default_rng(3)
    scaled = rng.standard_normal((4000, 4)) / np.sqrt(rng.chisquare(4, (4000, 1)) / 4)
    assert fit_noise(scaled).tail <= 6
    assert fit_noise(1.3 * rng.standard_normal((4000, 4))).scale == pytest.approx(1.3, rel=0.1)


def test_a_count_has_a_range() -> None:
    assert count_range([]) == (0, 0)
    assert count_range([0.999] * 3) == (3, 3)
    low, high = count_range([0.5] * 10)
    assert low < 5 < high


@pytest.mark.parametrize("size", [0.8, 1.5])
def test_a_visit_on_the_last_date_but_one_is_dated_at_both_ends(size: float) -> None:
    """What stands there next may depart otherwise, but not by nothing: one calm date is enough to call it gone."""
    arrival, departure = steps_of(followed("..........x.", size=size, seed=3))
    assert (arrival.last, departure.first) == (9, 11)
    assert min(arrival.confidence, departure.confidence) > 0.95
