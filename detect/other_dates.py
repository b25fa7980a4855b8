"""Whether thresholds of earlier dates hold on dates that they were not learned from, and for two dates like those."""

from __future__ import annotations

from dataclasses import replace

from scipy.special import pdtrc

from detect.calibration import CONTRADICTED, Nulls, TooLittleGroundError, passed, too_few, too_many
from detect.filters import BoolArray, FloatArray

COMMON_PER_KM2 = 30.0
"""Rate of maxima so low that they are the ground's own: real changes are not as many, even where a fleet has left."""
UNLIKE = 1.5
"""Times as many of these as between earlier dates from which two dates are not like those: the tail is far heavier
then. On real fields between summer and autumn 1.8 times as many went with three times the asked flags, 2.3 with 15."""


def holds_on_other_dates(nulls: Nulls, searched: BoolArray, *, per_km2: float) -> bool:
    """Return whether thresholds give the asked rate within WITHIN on each group of dates that they do not know.

    What comes with a date (the season, haze, rain on soil) comes to all of its pairs: a threshold that holds on the sum
    of all pairs may still be passed tenfold on one date and never on another. So none of the groups may have too many,
    and all together neither too many nor too few; nor may what is searched have too many, where it is but a part of the
    ground. Chance is allowed for as in `is_calibrated`.

    Parameters
    ----------
    nulls
        With `folds`, of two groups or more.
    searched
        (row, col) the part of the ground that is asked about.
    per_km2
        Rate that is asked of the threshold.
    """
    groups = sorted(set(nulls.folds))
    if len(groups) < 2:
        return False
    try:
        tails = [nulls.of_fold(one, inside=False).tails() for one in groups]
    except TooLittleGroundError:
        return False
    apart = [nulls.of_fold(one, inside=True) for one in groups]
    part = [replace(one, calm=one.calm & searched) for one in apart]
    whole, asked = (
        [passed(known, one, per_km2=per_km2) for known, one in zip(tails, tested, strict=True)]
        for tested in (apart, part)
    )
    # Each group is one look more at chance.
    broken = any(too_many([one], CONTRADICTED / len(groups)) for one in (*whole, *asked))
    many = too_many(asked, CONTRADICTED) or too_many(whole, CONTRADICTED)
    return not (broken or many or too_few(whole, CONTRADICTED))


def unlike_earlier(statistic: FloatArray, nulls: Nulls) -> float | None:
    """Return how many times as many common maxima two dates have as the pairs of earlier dates; None where alike.

    Thresholds that hold among the earlier dates say nothing of two dates that differ all over as no earlier ones do, as
    across a season that none of them spans.

    Parameters
    ----------
    statistic
        (row, col) of the two dates.
    nulls
        The same of pairs of earlier dates.

    Raises
    ------
    TooLittleGroundError
        Where even all kinds together show no rate.
    """
    count, expected = passed(nulls.tails(), replace(nulls, maps=(statistic,), once=1), per_km2=COMMON_PER_KM2)
    unlike = count > 0 and float(pdtrc(int(count) - 1, UNLIKE * expected)) < CONTRADICTED
    return count / expected if unlike else None
