"""Places that come and go over dates are found, dated and told from chance; optical and radar alike."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from detect.activity import count_on, hear, restlessness
from detect.departures import Departures, optical_departures
from detect.errors import DetectError
from detect.radar_departures import radar_departures
from detect.scan import Scan, scan_places
from detect.scan_tail import TooFewMaximaError, chance_limits, common_shape, fit_scan_tail
from detect.tracks import Track, follow_places, size_of
from tests.speckled import date as radar_date

SIZE, DATES = 130, 12
STAND, BERTH, OFTEN = (40, 60), (85, 30), (90, 95)
DAYS = np.linspace(0.0, 55.0, DATES)
STRATA = np.ones((SIZE, SIZE), np.uint8)
STAYS = {STAND: range(7, DATES), BERTH: range(5), OFTEN: [k for k in range(DATES) if k != 6]}
"""From the eighth date on; until the fifth; always but on one date."""


def image(k: int) -> np.ndarray:
    """Return date k (4, row, col) with its own light, stains and noise, and what stands there."""
    ground, day = np.random.default_rng(5), np.random.default_rng(100 + k)
    texture = gaussian_filter(ground.standard_normal((SIZE, SIZE)), 2.0)
    picture = np.array([0.12, 0.16, 0.2, 0.25])[:, None, None] * (1 + 0.1 * texture / texture.std())
    for (row, col), dates in STAYS.items():
        if k in dates:
            picture[:, row - 2 : row + 3, col - 1 : col + 2] += 0.12
    picture = np.stack([gaussian_filter(band, 0.6) for band in picture])
    stains = gaussian_filter(day.standard_normal((SIZE, SIZE)), 6.0)
    light = 1 + 0.03 * day.standard_normal((4, 1, 1))
    noise = 0.0015 * day.standard_normal(picture.shape)
    return np.asarray(light * picture * (1 + 0.01 * stains / stains.std()) + noise, dtype=np.float32)


@cache
def optical() -> tuple[Departures, Scan, tuple[Track, ...]]:
    """Return a followed series in which date 9 is half hidden, the stand with it."""
    dates = np.stack([image(k) for k in range(DATES)]).astype(np.float32)
    valid = np.ones((DATES, SIZE, SIZE), bool)
    valid[8, :65] = False
    seen = optical_departures(dates, valid, gsd=10.0)
    scan = scan_places(seen, STRATA, false_places_per_km2=0.5)
    return seen, scan, follow_places(seen, scan, DAYS, STRATA, rng=np.random.default_rng(1))


def track_at(tracks: tuple[Track, ...], place: tuple[int, int]) -> Track:
    """Return the one track at a place."""
    (found,) = (t for t in tracks if np.hypot(t.place.at[0] - place[0], t.place.at[1] - place[1]) <= 4)
    return found


def test_what_comes_stays_and_goes_is_dated() -> None:
    tracks = optical()[2]
    (visit,) = track_at(tracks, STAND).visits
    assert visit.arrival is not None
    assert (visit.arrival.last, visit.arrival.first, visit.departure) == (6, 7, None)
    (visit,) = track_at(tracks, BERTH).visits
    assert visit.departure is not None
    assert (visit.arrival, visit.departure.last, visit.departure.first) == (None, 4, 5)
    assert all(track_at(tracks, place).real for place in STAYS)


def test_a_stand_that_is_empty_once_has_two_visits_and_not_one_object_too_many() -> None:
    track = track_at(optical()[2], OFTEN)
    assert track.sense == "object"
    assert [(visit.first, visit.last) for visit in track.visits] == [(0, 5), (7, DATES - 1)]


def test_chance_gives_no_more_places_than_it_may() -> None:
    _, scan, tracks = optical()
    others = [t for t in tracks if all(np.hypot(t.place.at[0] - r, t.place.at[1] - c) > 6 for r, c in STAYS)]
    assert sum(track.real for track in others) == 0
    assert len(scan.places) <= len(STAYS) + 4


def test_a_hidden_date_widens_the_count_and_is_not_shown() -> None:
    tracks = optical()[2]
    stand = track_at(tracks, STAND)
    assert not stand.shown[8]
    assert count_on([stand], 2) == (0, 0, 0)
    assert count_on([stand], 8)[1:] == (1, 1)
    assert size_of(stand.place.pixels, gsd=10.0, radar=False)[0] == pytest.approx(50, abs=20)


def test_a_date_on_which_much_moves_is_odd() -> None:
    seen, scan, _ = optical()
    calm = restlessness(seen, scan, STRATA > 0, STRATA)
    assert not calm.odd.any()
    stirred = seen.channels.copy()
    stirred[3, :, 70:110, 40:110] *= 4
    changed = Departures(**{**vars(seen), "channels": stirred})
    assert restlessness(changed, scan, STRATA > 0, STRATA).odd.tolist() == [k == 3 for k in range(DATES)]


def test_radar_dates_ships_and_agrees_with_the_other_sensor() -> None:
    rng = np.random.default_rng(4)
    stays = [(40.0, 60.0, 33.0)]
    power = np.stack(
        [radar_date(rng, points=[(20.0, 20.0, 30.0), *(stays if k >= 7 else [])], side=SIZE) for k in range(DATES)]
    )
    seen = radar_departures(power, np.ones((DATES, SIZE, SIZE), bool), gsd=10.0)
    scan = scan_places(seen, STRATA, false_places_per_km2=0.5)
    tracks = follow_places(seen, scan, DAYS + 1, STRATA, rng=np.random.default_rng(1), water=STRATA > 0)
    (visit,) = track_at(tracks, STAND).visits
    assert visit.arrival is not None
    assert (visit.arrival.last, visit.arrival.first) == (6, 7)
    stand = track_at(optical()[2], STAND)
    step = stand.visits[0].arrival
    assert step is not None
    shown = np.ones(DATES, bool)
    heard = hear(stand, step, DAYS, others=tracks, other_days=DAYS + 1, shown=shown)
    assert heard.witness == "agrees"
    silent = hear(stand, step, DAYS, others=[], other_days=DAYS + 1, shown=shown)
    assert silent.witness == "does not show it"
    late = hear(stand, step, DAYS, others=[], other_days=DAYS + 200, shown=shown)
    assert late.witness == "had no date to tell"


def test_too_little_is_refused_and_said() -> None:
    with pytest.raises(DetectError, match="at least 5"):
        optical_departures(np.zeros((3, 4, 50, 50), np.float32), np.ones((3, 50, 50), bool), gsd=10.0)
    with pytest.raises(TooFewMaximaError, match="do not show"):
        fit_scan_tail(np.ones(20), 1.0)


def maxima(kind: int, changes: int) -> np.ndarray:
    """Return chance maxima of a small kind of ground, with as many that are no chance: some strong, some faint."""
    rng = np.random.default_rng(kind)
    return np.asarray(np.r_[rng.exponential(2.0, 500) + 5, rng.uniform(30, 400, changes)])


def test_what_came_and_went_does_not_teach_how_far_chance_reaches() -> None:
    calm = fit_scan_tail(maxima(1, 0), 5.0, usual_shape=0.0)
    limits = chance_limits({1: maxima(1, 12), 2: maxima(2, 0)}, {1: 5.0, 2: 5.0}, per_km2_date=0.002)
    assert limits[1] == pytest.approx(calm.threshold(0.002), rel=0.35)
    busy = maxima(1, 12)
    mixed = fit_scan_tail(busy[busy <= limits[1]], 5.0, end=limits[1], usual_shape=0.0)
    assert mixed.threshold(0.006) == pytest.approx(calm.threshold(0.006), rel=0.2)
    assert mixed.rate(mixed.threshold(0.1)) == pytest.approx(0.1, rel=0.05)
    # By its own few maxima alone, and with the changes among them, chance would seem to reach beyond most aircraft.
    assert fit_scan_tail(busy, 5.0).threshold(0.006) > 3 * mixed.threshold(0.006)


def test_the_shape_is_learned_from_all_kinds_together_and_a_heavy_tail_is_kept() -> None:
    rng = np.random.default_rng(2)
    heavy = [8 + 2 * rng.pareto(1 / 0.3, 600) / 0.3 for _ in range(6)]
    assert common_shape([(part, np.inf) for part in heavy]) == pytest.approx(0.3, abs=0.1)
    assert common_shape([(maxima(kind, 0), np.inf) for kind in range(1, 7)]) <= 0.1


def test_radar_thresholds_of_busy_ground_stay_at_what_speckle_gives() -> None:
    """Ground of three kinds; on the smallest, objects come and go: their brightness must not raise its threshold."""
    rng = np.random.default_rng(4)
    dates = rng.gamma(4.4, 1 / 44, (DATES, 2, SIZE, SIZE)).astype(np.float32)
    strata = np.ones((SIZE, SIZE), np.uint8)
    strata[:, 60:95], strata[:, 95:] = 2, 3
    thresholds = {}
    for busy in (False, True):
        if busy:
            for k in range(6):
                dates[3 + k : 5 + k, :, 15 + 18 * k, 110] += 3.0
        seen = radar_departures(dates, np.ones((DATES, SIZE, SIZE), bool), gsd=10.0)
        tails = scan_places(seen, strata, false_places_per_km2=0.5).tails[1]
        thresholds[busy] = tails[3].threshold(0.01)
    assert thresholds[True] == pytest.approx(thresholds[False], rel=0.25)
    assert 15 < thresholds[False] < 45


@pytest.mark.parametrize("stay", [range(6, DATES), range(6), range(8)])
def test_what_stays_for_half_of_the_dates_or_longer_is_dated(stay: range) -> None:
    """Between two states of six dates each, the median lies halfway and both would depart from it alike."""
    at = (40, 60)
    pictures = np.stack([image(k) for k in range(DATES)])
    pictures[:, :, at[0] - 2 : at[0] + 3, at[1] - 1 : at[1] + 2] = pictures[0, :, 20:25, 20:23]
    power = np.random.default_rng(8).gamma(4.4, 1 / 44, (DATES, 2, SIZE, SIZE)).astype(np.float32)
    for k in stay:
        pictures[k, :, at[0] - 2 : at[0] + 3, at[1] - 1 : at[1] + 2] += 0.12
        power[k, :, at[0], at[1]] += 3.0
    valid = np.ones((DATES, SIZE, SIZE), bool)
    for seen in (optical_departures(pictures, valid, gsd=10.0), radar_departures(power, valid, gsd=10.0)):
        scan = scan_places(seen, STRATA, false_places_per_km2=0.5)
        tracks = follow_places(seen, scan, DAYS, STRATA, rng=np.random.default_rng(1))
        (visit,) = track_at(tracks, at).visits
        assert (visit.first, visit.last) == (stay[0], stay[-1])
        steps = [step for step in (visit.arrival, visit.departure) if step is not None]
        assert [step.arrival for step in steps] == [stay.start > 0]
        assert steps[0].confidence > 0.9
