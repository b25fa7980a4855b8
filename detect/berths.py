"""Whether a ship lay at a berth on each date of a radar series: occupied, empty, or it cannot be told.

A berth that is nearly always in use has the ship in its median, and change against that is noise. Here the berth's
*empty* state is found: over the dates of one track the brightness of its water, against the basin's on the same date,
falls into two groups, and the lower one is empty water and its quay. Wind that lifts the basin to where ships are,
interference, and berths whose brightness shows no two groups are not decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detect.errors import DetectError

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Values = NDArray[np.float64]
State = Literal["occupied", "empty", "cannot tell"]

BRIGHTEST_SHARE = 1 / 3
"""Of a berth's pixels, those that are averaged: a ship shorter than the berth fills them."""
FEWEST_DATES = 12
"""Fewer dates of one track do not show two groups."""
LEAST_SPREAD, MOST_SPREAD = 0.12, 0.6
"""Standard deviation (ln of power) of the empty dates: from what is left of speckle over a berth, to what ships passing
and their sidelobes add."""
LEAST_GAP = 0.7
"""Distance of the groups, ln of power (3 dB); ships of 30 m and more are 5 to 20 dB over the basin."""
MOST_UNCLEAR = 0.35
"""Share of undecided dates beyond which the berth shows no two groups."""
CERTAIN = 0.9
"""Probability from which a state is told."""
LOWEST = 0.03
"""Share of the dates on which even the busiest berth is empty."""
EMPTY_LEVEL = 0.5
"""ln over the basin up to which a berth without two groups is taken as always empty."""
STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Occupancy:
    """The states of one berth over the dates of one track."""

    probability: Values
    """(date,) that a ship lay there; NaN where it cannot be judged at all."""
    states: tuple[State, ...]
    """(date,)."""
    excess: Values
    """(date,) ln of the berth's power over what it would have if empty."""
    gap: float
    """From the middle of the empty dates to that of the occupied, ln of power; NaN where there are no two groups."""

    def count(self, state: State) -> int:
        """Return on how many dates the berth was in a state."""
        return sum(one == state for one in self.states)


def berth_level(dates: FloatArray, valid: BoolArray, berth: BoolArray) -> Values:
    """Return the mean power (date,) of the brightest third of a berth's pixels; NaN where under half are usable.

    Parameters
    ----------
    dates
        (date, row, col) linear power.
    valid
        (date, row, col) True = usable.
    berth
        (row, col) True = the berth's water, or a part of the basin to compare with.

    Raises
    ------
    DetectError
        Where the berth holds no pixel.
    """
    if not berth.any():
        raise DetectError("a berth without a pixel of the grid")
    inside, seen = dates[:, berth].astype(np.float64), valid[:, berth]
    ordered = -np.sort(-np.where(seen, inside, -np.inf), axis=1)
    most = np.maximum((seen.sum(axis=1) * BRIGHTEST_SHARE).astype(int), 1)
    taken = np.arange(ordered.shape[1])[None, :] < most[:, None]
    total = np.where(taken & np.isfinite(ordered), ordered, 0).sum(axis=1)
    return np.where(seen.mean(axis=1) >= 0.5, total / most, np.nan)


@dataclass(frozen=True, kw_only=True)
class _Groups:
    """Two Gaussian groups of dates: empty, and occupied by ships of all sizes."""

    share: float
    """Of the occupied dates."""
    middles: tuple[float, float]
    spreads: tuple[float, float]

    def likelihood(self, values: Values) -> float:
        """Return the log-likelihood of values."""
        densities = [
            weight / spread * np.exp(-(((values - middle) / spread) ** 2) / 2)
            for weight, middle, spread in zip((1 - self.share, self.share), self.middles, self.spreads, strict=True)
        ]
        return float(np.log(densities[0] + densities[1] + 1e-300).sum())

    def occupied(self, values: Values, share: float = 0.5) -> Values:
        """Return the probability that values are of occupied dates; it never falls with the value.

        Before a date is looked at, both states are taken as equally likely: a berth's habit is no evidence of a day.
        """
        inside = np.clip(values, *self.middles)
        logs = [
            np.log(weight) - np.log(spread) - ((inside - middle) / spread) ** 2 / 2
            for weight, middle, spread in zip((1 - share, share), self.middles, self.spreads, strict=True)
        ]
        return np.asarray(1 / (1 + np.exp(np.clip(logs[0] - logs[1], -500, 500))))


def _fitted(values: Values, cut: float) -> tuple[float, _Groups]:
    """Fit the groups by expectation and maximisation from a first cut between them; with their log-likelihood."""
    upper = (values > cut).astype(float)
    groups, likelihood = _Groups(share=0.5, middles=(0.0, 0.0), spreads=(1.0, 1.0)), -np.inf
    for _ in range(STEPS):
        weights = np.stack([1 - upper, upper]) + 1e-9
        middles = (weights * values).sum(axis=1) / weights.sum(axis=1)
        spreads = np.sqrt((weights * (values - middles[:, None]) ** 2).sum(axis=1) / weights.sum(axis=1))
        if middles[1] <= middles[0]:
            return -np.inf, groups
        groups = _Groups(
            share=float(np.clip(upper.mean(), 0.02, 0.98)),
            middles=(float(middles[0]), float(middles[1])),
            spreads=(float(np.clip(spreads[0], LEAST_SPREAD, MOST_SPREAD)), float(max(spreads[1], LEAST_SPREAD))),
        )
        last, likelihood = likelihood, groups.likelihood(values)
        if likelihood - last < 1e-4:
            break
        upper = groups.occupied(values, groups.share)
    return likelihood, groups


def _groups(values: Values) -> _Groups:
    """Fit the groups from cuts all over the range; the likeliest is kept."""
    low, high = np.quantile(values, [0.02, 0.98])
    fits = [_fitted(values, float(low + part * (high - low))) for part in (0.1, 0.2, 0.35, 0.5, 0.65)]
    return max(fits, key=lambda fit: fit[0])[1]


def berth_occupancy(level: Values, basin: Values, doubtful: BoolArray | None = None) -> Occupancy:
    """Tell the state of a berth on each date.

    The power of an empty berth is that of its quay, which does not change, and of its water, which follows the basin's.

    Parameters
    ----------
    level
        (date,) of the berth, by `berth_level`; one track, registered.
    basin
        (date,) of open water near by that no ship uses, by the same function.
    doubtful
        (date,) True = not to be judged, such as dates with interference.

    Raises
    ------
    DetectError
        Where fewer than FEWEST_DATES can be judged.
    """
    judged = np.isfinite(level) & np.isfinite(basin) & (level > 0) & (basin > 0)
    judged &= ~doubtful if doubtful is not None else True
    if judged.sum() < FEWEST_DATES:
        raise DetectError(f"{int(judged.sum())} dates of a berth can be judged; {FEWEST_DATES} are needed")
    quay = max(float(np.quantile((level - basin)[judged], LOWEST)), 0.0)
    values = np.log(level[judged]) - np.log(quay + basin[judged])
    empty = _groups(values).occupied(values) < 0.5
    if empty.any():  # the lowest dates gave the quay a first value, all empty ones give a better
        quay = max(float(np.median((level - basin)[judged][empty])), 0.0)
        values = np.log(level[judged]) - np.log(quay + basin[judged])
    groups = _groups(values)
    chance, excess = groups.occupied(values), np.full(len(level), np.nan)
    excess[judged] = values
    gap = groups.middles[1] - groups.middles[0]
    unclear = float(((chance > 1 - CERTAIN) & (chance < CERTAIN)).mean())
    probability = np.full(len(level), np.nan)
    two = gap >= LEAST_GAP and unclear <= MOST_UNCLEAR
    if two:
        probability[judged] = chance
        # On a windy date the basin alone would be as bright as ships usually are.
        usual = np.log(quay + np.median(basin[judged])) + groups.middles[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            windy = judged & (np.log(quay + basin) > usual - LEAST_GAP / 2)
        probability[windy] = np.nan
    elif np.median(np.log(level[judged] / basin[judged])) < EMPTY_LEVEL:
        probability[judged] = 1 - CERTAIN
    return Occupancy(
        probability=probability,
        states=tuple(state_of(one) for one in probability),
        excess=excess,
        gap=gap if two else float("nan"),
    )


def state_of(probability: float) -> State:
    """Return the state that a probability tells; NaN cannot tell."""
    if probability >= CERTAIN:
        return "occupied"
    return "empty" if probability <= 1 - CERTAIN + 1e-12 else "cannot tell"
