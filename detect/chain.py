"""One place over many dates as a chain of two states, empty and taken: which date was which, and when it changed.

A two-state Markov chain in continuous time; dates that show nothing are left out, so that a gap is bridged by what is
likely and never read as "nothing". A date's departure from the usual state (band by band, in standard deviations) is
held against two densities: that of unchanged ground, a multivariate Student's t whose width and weight of tail are
measured on it, and that of the object, around the departures that the place shows when it is taken. Forward and
backward recursions (L. Rabiner 1989, doi:10.1109/5.18626) give the probability of every state and of every change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

Values = NDArray[np.float64]

STAY_DAYS = 30.0
"""Mean time that a place stays empty or taken, before anything is known of it."""
RELATIVE_SPREAD = 0.35
"""How much an object's departure varies from date to date, as a share of it: sun, wetness, fading."""
OTHER_SHARE = 0.3
"""Chance that a taken place holds something that departs otherwise than the last object there did."""
ROUNDS = 8
"""Of learning the object's departure; it settles in two or three."""
EVEN = 0.5
"""Probability from which a place counts as taken."""
SURE = 0.9
"""Probability from which a state or a change counts as told."""
TAILS = (2.5, 3.0, 4.0, 6.0, 10.0, 30.0)
"""Degrees of freedom that are tried for the noise."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The departures of ground on which nothing happened: a multivariate t around 0."""

    scale: float
    """Standard deviations of the usual spread."""
    tail: float
    """Degrees of freedom; fewer = more frequent large values."""


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """What is known of one place on all dates of a series."""

    taken: Values
    """(date,) probability that the place was taken; also on dates that do not show it, from those around them."""
    forward: Values
    """(date, 2) logarithms; with `backward` and `steps`, the chance of any two states follows."""
    backward: Values
    """(date, 2)."""
    steps: Values
    """(date - 1, 2, 2) logarithm of going from one state to another and of what the later date then shows."""
    shown: NDArray[np.bool_]
    """(date,) True = the date shows the place."""
    evidence: float
    """Logarithm of the likelihood, taken and empty, over that of always empty or always taken, the better one."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change of a place."""

    arrival: bool
    """True = from empty to taken."""
    last: int
    """Index of the last date that shows the old state."""
    first: int
    """Index of the first date that shows the new one."""
    confidence: float
    """Probability that the place was in the old state on the one and in the new on the other."""


def _log_t(squared: Values, scale: Values | float, tail: float, channels: int) -> Values:
    """Return the log density (n,) of a multivariate t from squared distances, not yet divided by the scale's square."""
    constant = gammaln((tail + channels) / 2) - gammaln(tail / 2) - channels / 2 * np.log(tail * np.pi)
    return np.asarray(
        constant - channels * np.log(scale) - (tail + channels) / 2 * np.log1p(squared / (np.square(scale) * tail))
    )


def fit_noise(departures: Values) -> Noise:
    """Return the noise that departures (n, channel) of unchanged ground show, by maximum likelihood.

    Parameters
    ----------
    departures
        (n, channel) from places and dates of calm ground; a few changes among them do not matter.
    """
    squared, channels = (departures**2).sum(axis=1), departures.shape[1]
    middle = np.sqrt(np.median(squared) / channels)
    fits = [
        (float(_log_t(squared, middle * factor, tail, channels).mean()), float(middle * factor), tail)
        for tail in TAILS
        for factor in np.geomspace(0.5, 1.6, 15)
    ]
    _, scale, tail = max(fits)
    return Noise(scale=max(scale, 0.3), tail=tail)


def _emissions(departures: Values, object_mean: Values, noise: Noise) -> Values:
    """Return the log densities (date, 2) of departures (date, channel): empty, taken."""
    channels = departures.shape[1]
    empty = _log_t((departures**2).sum(axis=1), noise.scale, noise.tail, channels)
    size = float(np.sqrt((object_mean**2).sum() / channels))
    around = _log_t(
        ((departures - object_mean) ** 2).sum(axis=1),
        float(np.hypot(noise.scale, RELATIVE_SPREAD * size)),
        noise.tail,
        channels,
    )
    # Another object departs by as much, in whatever direction: not at all is the rarest, so that the density of its
    # distance is that of a t weighted by the squared distance (over its mean, which makes it a density again).
    squared, spread = (departures**2).sum(axis=1), max(size, noise.scale)
    mean_square = channels * spread**2 * noise.tail / (noise.tail - 2)
    other = _log_t(squared, spread, noise.tail, channels) + np.log(np.maximum(squared, 1e-9) / mean_square)
    taken = np.logaddexp(np.log(1 - OTHER_SHARE) + around, np.log(OTHER_SHARE) + other)
    return np.stack([empty, taken], axis=1)


def _transitions(days: Values) -> Values:
    """Return the log chances (date - 1, 2, 2) of going from a state to another between dates."""
    change = (1 - np.exp(-2 * np.diff(days) / STAY_DAYS)) / 2
    change = np.clip(change, 1e-6, 0.5)
    return np.log(np.stack([np.stack([1 - change, change], -1), np.stack([change, 1 - change], -1)], -2))


def _solved(emissions: Values, days: Values, shown: NDArray[np.bool_]) -> Posterior:
    """Run the recursions."""
    dates = len(emissions)
    steps = _transitions(days) + emissions[1:, None, :]
    forward, backward = np.empty((dates, 2)), np.zeros((dates, 2))
    forward[0] = np.log(0.5) + emissions[0]
    for k in range(1, dates):
        forward[k] = logsumexp(forward[k - 1][:, None] + steps[k - 1], axis=0)
    for k in range(dates - 2, -1, -1):
        backward[k] = logsumexp(steps[k] + backward[k + 1][None], axis=1)
    joint = forward + backward
    total = logsumexp(joint[0])
    same = max(float(emissions[:, state].sum()) for state in (0, 1))
    return Posterior(
        taken=np.exp(joint[:, 1] - logsumexp(joint, axis=1)),
        forward=forward,
        backward=backward,
        steps=steps,
        shown=shown,
        evidence=float(total) - same,
    )


def follow_place(departures: Values, shown: NDArray[np.bool_], days: Values, noise: Noise) -> Posterior:
    """Tell on which dates a place departed from its usual state.

    Parameters
    ----------
    departures
        (date, channel) in standard deviations of the usual spread; anything on dates that do not show the place.
    shown
        (date,) True = the date shows the place; at least two.
    days
        (date,) when, in days, rising.
    noise
        Of unchanged ground of its kind.

    Returns
    -------
    Posterior
        "Taken" is the state that departs. Which of the two holds an object is for the caller to tell. A date that shows
        nothing has the probability that the dates around it leave.
    """
    departures = np.where(shown[:, None], departures, 0.0)
    size = (departures**2).sum(axis=1)
    mean = departures[int(np.argmax(size))].copy()

    def solved(mean: Values) -> Posterior:
        return _solved(np.where(shown[:, None], _emissions(departures, mean, noise), 0.0), days, shown)

    posterior = solved(mean)
    for _ in range(ROUNDS):
        # What is less than half of the strongest departure teaches nothing of the object, lest it fade into the noise.
        weight = shown * posterior.taken * (size >= size.max() / 4)
        if weight.sum() < 1e-6:
            break
        updated = (weight[:, None] * departures).sum(axis=0) / weight.sum()
        done = float(np.abs(updated - mean).max()) < 1e-3 * float(np.abs(mean).max() + 1e-9)
        mean = updated
        posterior = solved(mean)
        if done:
            break
    return posterior


def joint_chance(posterior: Posterior, first: int, state: int, last: int, later: int) -> float:
    """Return the probability of `state` on date `first` and of state `later` on date `last`, 0 to 1.

    Parameters
    ----------
    first, last
        Indices of dates, first < last.
    state, later
        0 = empty, 1 = taken.
    """
    path = np.full(2, -np.inf)
    path[state] = posterior.forward[first, state]
    for k in range(first, last):
        path = logsumexp(path[:, None] + posterior.steps[k], axis=0)
    total = logsumexp(posterior.forward[-1])
    return float(np.exp(min(path[later] + posterior.backward[last, later] - total, 0.0)))


def steps_of(posterior: Posterior) -> tuple[Step, ...]:
    """Return the changes of a place, in the order of time.

    A change lies between neighbouring dates where these are sure; around dates that are not, it is given the shortest
    span from a date that is sure to one that is, as far as there are such.
    """
    dates = np.flatnonzero(posterior.shown)
    chances = posterior.taken[dates]
    taken = chances >= EVEN
    found = []
    for k in np.flatnonzero(taken[1:] != taken[:-1]).tolist():
        arrival = bool(taken[k + 1])
        last, first = (int(dates[at]) for at in _widened(chances, k, taken))
        old, new = (0, 1) if arrival else (1, 0)
        chance = joint_chance(posterior, last, old, first, new)
        found.append(Step(arrival=arrival, last=last, first=first, confidence=chance))
    return tuple(found)


def _widened(chances: Values, k: int, taken: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the dates between which a change after date k lies for sure, within the runs on both sides."""
    certain = np.maximum(chances, 1 - chances) >= SURE
    last = k
    while last > 0 and not certain[last] and taken[last - 1] == taken[k]:
        last -= 1
    first = k + 1
    while first < len(chances) - 1 and not certain[first] and taken[first + 1] == taken[k + 1]:
        first += 1
    return (last if certain[last] else k), (first if certain[first] else k + 1)


def count_chances(chances: Sequence[float]) -> Values:
    """Return the distribution (count,) of how many of independent places are taken (Poisson-binomial), 0 and up."""
    out = np.ones(1)
    for chance in chances:
        out = np.convolve(out, [1 - chance, chance])
    return out


def count_range(chances: Sequence[float], *, level: float = 0.95) -> tuple[int, int]:
    """Return the least and the most places that are taken, with the chance `level` or more.

    Examples
    --------
    >>> count_range([0.999, 0.999, 0.5])
    (2, 3)
    """
    total = np.cumsum(count_chances(chances))
    outside = (1 - level) / 2
    return int(np.searchsorted(total, outside, side="right")), int(np.searchsorted(total, 1 - outside - 1e-12))
