"""Flags of two sensors held against each other, with the truth implanted."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from detect.change import Candidate, ChangedObject
from detect.detectability import ClassDetectability
from revisit.result import Flag, Witness
from revisit.together import Sight, chance_share, strength_factor, witnesses
from revisit.witnessed import period, ratio_words, witness_note

SHAPE = (80, 80)
RATE = 0.5
KINDS = {None: "area", "apron": "apron", "quay": "quay"}
JET = (Candidate(name="Il-76", likelihood=1.0),)


def seen(name: str, pd: float, *, direction: Any = "appeared", placements: int = 200) -> ClassDetectability:
    """Return how often a class was flagged on the apron."""
    return ClassDetectability(
        object=name,
        ground="apron",
        direction=direction,
        pd=pd,
        low=0.0,
        high=1.0,
        placements=placements,
        blank_rate=0.0,
        observable=pd >= 0.5,
        least_contrast_area_m2=math.nan,
    )


def flag(name: str, at: tuple[int, int], **changes: Any) -> Flag:
    """Return a flag of 2 x 4 pixels."""
    rows, cols = np.mgrid[at[0] : at[0] + 2, at[1] : at[1] + 4]
    values: dict[str, Any] = {
        "scale": "object",
        "change": "appeared",
        "rows": rows.ravel(),
        "cols": cols.ravel(),
        "statistic": 50.0,
        "strength": 2.0,
        "length_m": 45.0,
        "width_m": 30.0,
        "orientation_deg": 0.0,
        "area_m2": 800.0,
        "contrast": 0.1,
        "p_value": 1e-4,
    }
    return Flag(id=name, object=ChangedObject(**(values | changes)), zone="apron", notes=())


def sight(sensor: str, *flags: Flag, days: tuple[int, int] = (7, 17), **changes: Any) -> Sight:
    """Return what a sensor saw between two days of December."""
    first, last = (datetime(2024, 12, day, tzinfo=UTC) for day in days)
    values: dict[str, Any] = {
        "valid": np.ones(SHAPE, np.bool_),
        "detectability": [seen("Il-76", 0.9 if sensor == "s1" else 0.98)],
        "rate": RATE,
        "calibrated": True,
    }
    return Sight(sensor=sensor, before=first, after=last, flags=flags, **(values | changes))


def told(optical: Sight, radar: Sight) -> tuple[Witness, Witness | None]:
    """Return what is said of the first flag of each."""
    first, second = witnesses(optical, radar, kinds=KINDS, gsd=10.0)
    return first["F1"], second.get("R1")


OPTICAL = sight("s2", flag("F1", (30, 30), candidates=JET))


def test_one_change_seen_twice_is_worth_the_product() -> None:
    alone, _ = told(OPTICAL, sight("s1", calibrated=False))
    first, second = told(OPTICAL, sight("s1", flag("R1", (31, 31))))
    assert second is not None
    assert (first.outcome, first.flags, second.flags) == ("agrees", ("R1",), ("F1",))
    assert first.ratio == pytest.approx(alone.ratio)
    assert first.combined == pytest.approx((first.ratio or 0) * (second.ratio or 0), rel=1e-9)
    assert first.combined == pytest.approx(second.combined, rel=1e-9)
    # On 0.01 km2 and at 0.5 per km2, chance flags once in 200; the flag is among the strongest 2.5 % of those.
    assert first.ratio == pytest.approx(0.978 * strength_factor(0.01 / 0.4) / (1 - math.exp(-0.005)), rel=0.01)


def test_the_silence_of_a_sensor_that_would_have_seen_it_counts_against_it() -> None:
    first, _ = told(OPTICAL, sight("s1"))
    assert (first.outcome, first.object, first.pd) == ("silent", "Il-76", 0.9)
    assert first.other_ratio == pytest.approx((1 - 180.5 / 201) / math.exp(-0.005), rel=1e-6)
    assert (first.combined or 0) < 0.11 * (first.ratio or 0)


def test_the_silence_of_a_blind_sensor_says_nothing() -> None:
    blind, _ = told(OPTICAL, sight("s1", detectability=[seen("Il-76", 0.02, placements=2000)]))
    assert blind.other_ratio == pytest.approx(1.0, abs=0.03)
    other, _ = told(OPTICAL, sight("s1", detectability=[seen("ship-120m", 1.0)]))
    assert (other.outcome, other.pd, other.combined) == ("silent", None, other.ratio)


@pytest.mark.parametrize(("gap", "outcome"), [(0, "agrees"), (3, "agrees"), (4, "silent")])
def test_flags_are_of_one_change_up_to_30_m_apart(gap: int, outcome: str) -> None:
    first, _ = told(OPTICAL, sight("s1", flag("R1", (30, 34 + gap))))
    assert first.outcome == outcome


def test_opposite_signs_are_told_and_not_counted_together() -> None:
    first, _ = told(OPTICAL, sight("s1", flag("R1", (30, 30), change="vanished")))
    assert (first.outcome, first.flags, first.other_ratio) == ("opposite", ("R1",), None)
    either, _ = told(OPTICAL, sight("s1", flag("R1", (30, 30), change="altered")))
    assert either.outcome == "agrees"


def test_under_cloud_there_is_no_silence() -> None:
    valid = np.ones(SHAPE, np.bool_)
    valid[30:32, 30:33] = False
    first, _ = told(OPTICAL, sight("s1", valid=valid))
    assert (first.outcome, first.other_ratio, first.combined) == ("not seen", None, first.ratio)


def test_dates_that_do_not_meet_are_not_counted_together() -> None:
    radar = flag("R1", (30, 30))
    apart, _ = told(OPTICAL, sight("s1", radar, days=(18, 30)))
    assert (apart.outcome, apart.overlap, apart.other_ratio) == ("agrees", 0.0, None)
    whole, half = (told(OPTICAL, sight("s1", radar, days=days))[0] for days in ((7, 17), (12, 22)))
    assert half.overlap == 0.5
    assert half.other_ratio == pytest.approx(0.5 + 0.5 * (whole.other_ratio or 0))
    silent, hushed = (told(OPTICAL, sight("s1", days=days))[0] for days in ((7, 17), (12, 22)))
    assert hushed.other_ratio == pytest.approx(0.5 + 0.5 * (silent.other_ratio or 0))


def test_what_is_not_calibrated_has_no_ratio() -> None:
    bare = flag("F1", (30, 30), candidates=JET, p_value=None)
    first, second = told(sight("s2", bare, calibrated=False), sight("s1", flag("R1", (30, 30))))
    assert second is not None
    assert (first.outcome, first.ratio, first.combined) == ("agrees", None, None)
    assert (second.other_ratio, second.combined) == (None, second.ratio)


def test_radar_takes_the_classes_of_the_optical_flag_that_agrees() -> None:
    long = flag("R1", (30, 30), length_m=150.0)
    _, second = witnesses(sight("s2"), sight("s1", long), kinds=KINDS, gsd=10.0)
    alone = second["R1"]
    _, met = told(OPTICAL, sight("s1", long))
    assert met is not None
    assert (alone.ratio, met.object) == (None, "Il-76")
    assert met.ratio


def test_of_several_flags_the_one_that_chance_explains_least_counts() -> None:
    weak, strong = flag("R1", (30, 30), p_value=4e-3), flag("R2", (33, 30), p_value=1e-4)
    first, _ = told(OPTICAL, sight("s1", weak, strong))
    alone, _ = told(OPTICAL, sight("s1", replace(strong, id="R1")))
    assert first.flags == ("R2", "R1")
    assert first.other_ratio == pytest.approx(alone.other_ratio)


def test_direction_is_told_apart_where_it_was_measured() -> None:
    rows = [seen("Il-76", 0.9), seen("Il-76", 0.3, direction="vanished")]
    gone = sight("s2", flag("F1", (30, 30), candidates=JET, change="vanished"), detectability=rows)
    first, _ = told(gone, sight("s1", detectability=rows))
    assert first.pd == 0.3
    appeared, _ = told(OPTICAL, sight("s1", detectability=rows))
    assert appeared.pd == 0.9


def test_chance_is_not_taken_for_evidence() -> None:
    """Over all that chance can show, a likelihood ratio has the mean 1: here by quadrature over a flag's strength."""
    shares = np.logspace(-8.5, 0, 400)
    silent, _ = told(OPTICAL, sight("s1"))
    ratios = []
    for share in shares:
        p = -math.expm1(-0.01 * 0.8 * RATE * share)
        ratios.append(told(OPTICAL, sight("s1", flag("R1", (30, 30), p_value=p)))[0].other_ratio)
    flagged = 1 - math.exp(-RATE * 0.01)
    mean = flagged * float(np.trapezoid(np.array(ratios, float), shares)) + (1 - flagged) * (silent.other_ratio or 0)
    assert 0.9 < mean < 1.001


def test_strength_is_the_share_of_chance_flags_that_reach_it() -> None:
    rate, rng = 0.5, np.random.default_rng(1)
    # Chance flags of objects: the rate of those at least as strong is even from none to all.
    stronger = 0.8 * rate * rng.random(20_000)
    shares = [chance_share(-math.expm1(-0.01 * one), rate) for one in stronger]
    assert np.quantile(shares, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.02)


def test_the_other_sensor_is_told_in_plain_words() -> None:
    agrees, back = told(OPTICAL, sight("s1", flag("R1", (30, 30)), days=(6, 18)))
    assert back is not None
    words = witness_note(agrees, "appeared")
    assert words.startswith("radar, 6 to 18 Dec 2024: also appeared here (R1); likelihood ratio ")
    assert words.endswith("with it (the two windows share 83 %)")
    assert witness_note(back, "appeared").startswith("optical, 7 to 17 Dec 2024: also appeared here (F1)")
    silent, _ = told(OPTICAL, sight("s1"))
    assert "it would have flagged an object like an Il-76 with probability 0.90; likelihood" in witness_note(
        silent, "x"
    )
    assert period(datetime(2023, 12, 30, tzinfo=UTC), datetime(2024, 1, 5, tzinfo=UTC)) == "30 Dec 2023 to 5 Jan 2024"
    assert [ratio_words(one) for one in (None, 0.0312, 4.0, 1234.0, 3e7)] == [
        "-",
        "0.031",
        "4",
        "1\u00a0200",
        "over a million",
    ]
