"""The sequential omnibus: its false alarms per run on pure speckle, and the dates of implanted changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from detect.errors import DetectError
from detect.omnibus import omnibus_threshold, sequential_omnibus

FloatArray = NDArray[np.float32]
SEEN = np.ones((200, 200), bool)


def speckle(dates: int, looks: tuple[float, ...], seed: int = 1, side: int = 200) -> FloatArray:
    """Return (date, polarisation, row, col) of mean 1."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.gamma(n, 1 / n, (dates, side, side)) for n in looks], axis=1).astype(np.float32)


@pytest.mark.parametrize("dates", [2, 6, 12, 22])
@pytest.mark.parametrize("looks", [(4.4,), (2.6,), (4.4, 2.6)])
def test_a_run_without_change_shows_one_with_the_chance_that_was_asked(dates: int, looks: tuple[float, ...]) -> None:
    for level in (0.05, 0.005):
        run = sequential_omnibus(speckle(dates, looks), SEEN, looks=looks, level=level)
        assert (run.count > 0).mean() == pytest.approx(level, rel=0.2)
        np.testing.assert_array_equal(run.count > 0, run.statistic >= run.threshold)


def test_the_threshold_of_two_dates_is_that_of_their_ratio() -> None:
    threshold = omnibus_threshold(0.01, 2, (4.4,))
    ratio = stats.f.ppf(0.995, 8.8, 8.8)
    rho = 1 - 3 / (12 * 4.4)
    assert threshold == pytest.approx(rho * 4 * 4.4 * np.log(np.cosh(np.log(ratio) / 2)), rel=0.01)


def test_dates_and_signs_of_implanted_changes_are_found() -> None:
    power = speckle(20, (4.4, 4.4))
    power[8:, :, :, :100] *= 20
    power[14:, :, :, :50] /= 20
    run = sequential_omnibus(power, SEEN, looks=(4.4, 4.4), level=1e-3)
    assert (run.changes[7, :, :100] == 1).mean() > 0.95
    assert (run.changes[13, :, :50] == -1).mean() > 0.95
    assert (run.first[:, :100] == 8).mean() > 0.95
    assert run.count[:, 100:].sum() < 50
    assert run.count[:, :50].mean() == pytest.approx(2, abs=0.1)


def test_a_visit_of_one_date_is_two_changes() -> None:
    power = speckle(12, (4.4,))
    power[5, :, 40:60, 40:60] *= 60
    run = sequential_omnibus(power, SEEN, looks=(4.4,), level=1e-3)
    assert (run.changes[4, 40:60, 40:60] == 1).mean() > 0.95
    assert (run.changes[5, 40:60, 40:60] == -1).mean() > 0.9


def test_slow_change_is_not_lost_where_no_single_date_stands_out() -> None:
    power = speckle(22, (4.4,)) * np.geomspace(1, 10, 22, dtype=np.float32)[:, None, None, None]
    run = sequential_omnibus(power, SEEN, looks=(4.4,), level=1e-3)
    assert ((run.count > 0) == (run.statistic >= run.threshold)).all()
    assert (run.count > 0).mean() > 0.8


def test_what_is_not_valid_is_not_judged_and_nonsense_is_refused() -> None:
    power, seen = speckle(5, (4.4,)), SEEN.copy()
    power[2, :, :10], seen[:10] = np.nan, False
    run = sequential_omnibus(power, seen, looks=(4.4,), level=0.01)
    assert np.isnan(run.statistic[:10]).all()
    assert not run.changes[:, :10].any()
    with pytest.raises(DetectError, match="2 numbers of looks"):
        sequential_omnibus(power, seen, looks=(4.4, 2.6), level=0.01)
