"""The rules from evidence to verdict, case by case and over many simulated worlds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from scipy.stats import poisson

from revisit.chance import control, poisson_tail
from revisit.claims import Claim, Kind, Publication
from revisit.evidence import Evidence, Look, Match, Surface, Verdict, longest_gap_hours
from revisit.verdict import decide

SAID = Publication(title="T", publisher="P", published=date(2024, 12, 17))
PLACES = 10.0


def claim(kind: Kind = "appeared", start: int = 8, end: int = 13, thing: str | None = "An-124") -> Claim:
    return Claim(
        id="C1",
        statement="S",
        kind=kind,
        start=date(2024, 12, start),
        end=date(2024, 12, end),
        area="khmeimim",
        object=thing,
        publication=SAID,
    )


def look(day: int = 10, p: float | None = None, **changes: Any) -> Look:
    matches = (Match(flag="r1/F1", p_value=p),) if p is not None else ()
    values: dict[str, Any] = {
        "scene": f"S{day}",
        "acquired": datetime(2024, 12, day, 8, 20, tzinfo=UTC),
        "reference": "S7",
        "since": datetime(2024, 12, 7, 8, 20, tzinfo=UTC),
        "valid_share": 1.0,
        "pd": 0.98,
        "false_alarm": 0.02,
        "matches": matches,
    }
    return Look(**(values | changes))


def evidence(*looks: Look, of: Claim | None = None, **changes: Any) -> Evidence:
    return Evidence(claim=of or claim(), object_kind="aircraft", looks=looks, **changes)


def verdict(given: Evidence) -> str:
    return decide(given, places=PLACES).verdict


def test_a_flag_beyond_chance_supports() -> None:
    given = decide(evidence(look(10), look(12, p=1e-4)), places=PLACES)
    assert given.verdict == "supported"
    assert given.flags == ("r1/F1",)
    assert given.likelihood_ratio == pytest.approx(49)
    assert given.p_value == pytest.approx(20 * 1e-4, rel=0.01)


@pytest.mark.parametrize("changes", [{"p": 0.02}, {"p": 1e-4, "false_alarm": 0.1}])
def test_a_flag_that_chance_explains_does_not(changes: dict[str, float]) -> None:
    assert verdict(evidence(look(10, **changes))) == "inconclusive"


def test_silence_between_distant_looks_excludes_no_visit() -> None:
    assert verdict(evidence(look(8), look(13))) == "inconclusive"


def test_silence_on_every_look_of_a_covered_window_contradicts() -> None:
    hours = [datetime(2024, 12, 13, hour, tzinfo=UTC) for hour in range(1, 24, 2)]
    looks = [replace(look(13), scene=f"S{moment:%H}", acquired=moment) for moment in hours]
    assert verdict(evidence(*looks, of=claim(start=13))) == "contradicted"
    assert verdict(evidence(*looks[:-1], of=claim(start=13))) == "inconclusive"
    assert verdict(evidence(*looks[:-1], replace(looks[-1], pd=0.9), of=claim(start=13))) == "inconclusive"


def test_what_has_not_left_by_the_end_of_the_window_contradicts() -> None:
    of = claim("left", thing="ship-120m")
    assert verdict(evidence(look(10), of=of, later=(look(15),))) == "contradicted"
    assert verdict(evidence(look(10), of=of)) == "inconclusive"
    assert verdict(evidence(look(13, p=1e-5), of=of, later=(look(15, p=1e-5),))) == "supported"


def test_what_is_gone_only_after_the_window_may_have_left_after_it() -> None:
    given = decide(evidence(look(10), of=claim("left"), later=(look(18, p=1e-5),)), places=PLACES)
    assert given.verdict == "inconclusive"
    assert given.reasons[0] == "S18: gone by then, but that is after the window: it may have left later"


def test_a_change_that_may_have_come_before_the_window_does_not_contradict_unchanged() -> None:
    long_ago = datetime(2024, 11, 30, 8, 20, tzinfo=UTC)
    given = decide(evidence(look(13, p=1e-5, since=long_ago), of=claim("unchanged")), places=PLACES)
    assert given.verdict == "inconclusive"
    assert "since 2024-11-30, which may have been before the window" in given.reasons[0]


def test_unchanged_is_not_supported_by_a_look_early_in_the_window() -> None:
    assert verdict(evidence(look(9), of=claim("unchanged"))) == "inconclusive"


def radar(day: int = 12, p: float | None = None, hour: int = 15, **changes: Any) -> Look:
    """Return a look by radar, held against a pass of its own orbit."""
    moment = datetime(2024, 12, day, hour, 33, tzinfo=UTC)
    own = {"scene": f"R{day}", "acquired": moment, "sensor": "s1", "reference": "R0"}
    return look(day, p, **(own | changes))


def at(x: float, p: float) -> tuple[Match, ...]:
    return (Match(flag="r1/F1", p_value=p, at=(x, 0.0)),)


def test_two_sensors_that_flag_one_spot_support_together_what_neither_does_alone() -> None:
    optical, by_radar = (
        one(12, pd=0.7, false_alarm=0.05, matches=at(x, 0.004)) for one, x in ((look, 0.0), (radar, 90.0))
    )
    assert verdict(evidence(optical)) == verdict(evidence(by_radar)) == "inconclusive"
    given = decide(evidence(optical, by_radar), places=1.0)
    assert given.verdict == "supported"
    assert given.likelihood_ratio == pytest.approx(14 * 14)
    assert "R12 (radar) flags the same spot" in given.reasons[1]
    elsewhere = replace(by_radar, matches=at(400.0, 0.004))
    assert verdict(evidence(optical, elsewhere)) == "inconclusive"


def test_two_looks_that_share_a_reference_do_not_add_up() -> None:
    looks = [look(day, pd=0.7, false_alarm=0.05, matches=at(0.0, 0.004)) for day in (10, 12)]
    assert decide(evidence(*looks), places=1.0).verdict == "inconclusive"


def test_a_flag_that_the_other_sensor_should_show_and_does_not_is_no_support() -> None:
    ship = claim(thing="ship-120m")
    flagged = look(12, p=1e-5)
    given = decide(Evidence(claim=ship, object_kind="ship", looks=(flagged, radar(12))), places=PLACES)
    assert given.verdict == "inconclusive"
    assert any("R12 (radar) does not show it" in reason for reason in given.reasons)
    # The next day it may have gone; and what radar would have seen was not measured.
    for other in (radar(13), radar(12, pd=None)):
        assert decide(Evidence(claim=ship, object_kind="ship", looks=(flagged, other)), places=PLACES).verdict == (
            "supported"
        )


def test_sensors_that_disagree_on_what_has_left_leave_it_open() -> None:
    gone, there = look(12, p=1e-5), radar(13, hour=23)
    assert verdict(evidence(gone, of=claim("left"))) == "supported"
    assert verdict(evidence(there, of=claim("left"))) == "contradicted"
    assert verdict(evidence(gone, there, of=claim("left"))) == "inconclusive"


def test_unmeasured_radar_neither_contradicts_nor_hinders_what_optical_looks_tell() -> None:
    of = claim("unchanged", thing="ship-120m")
    unknown = radar(12, pd=None)
    assert verdict(evidence(unknown, of=of)) == "inconclusive"
    assert verdict(evidence(look(12), unknown, of=of)) == "supported"
    assert verdict(evidence(look(12), replace(unknown, unclear=1), of=of)) == "inconclusive"
    assert verdict(evidence(look(12), radar(12, pd=0.8), of=of)) == "inconclusive"


def test_a_weak_flag_is_neither_support_nor_silence_and_is_told() -> None:
    faint = look(13, unclear=1, weak=1)
    for kind in ("appeared", "left", "unchanged"):
        given = decide(evidence(faint, of=claim(kind)), places=PLACES)
        assert given.verdict == "inconclusive"
        assert "weaker than 95 % of such objects put there would be" in given.reasons[0]


def test_uncalibrated_looks_are_set_aside_and_named() -> None:
    odd = radar(12, p=1e-9, calibrated=False, doubt="3 dates only")
    given = decide(evidence(look(12), odd), places=PLACES)
    assert given.verdict == "inconclusive"
    assert "R12 is set aside: not calibrated (3 dates only)" in given.reasons


def test_presence_is_never_contradicted_by_the_absence_of_change() -> None:
    assert verdict(evidence(look(10), look(12), of=claim("present"))) == "inconclusive"


def test_unchanged_is_supported_by_silence_and_contradicted_by_a_flag() -> None:
    of = claim("unchanged", thing="ship-120m")
    assert verdict(evidence(look(10), look(13), of=of)) == "supported"
    assert verdict(evidence(look(10), look(13, p=1e-4), of=of)) == "contradicted"
    assert verdict(evidence(look(10), look(13, pd=0.8), of=of)) == "inconclusive"


def test_a_state_is_not_observable_whatever_was_flagged() -> None:
    given = decide(evidence(look(10, p=1e-9), of=claim("state")), places=PLACES)
    assert given.verdict == "not observable"
    assert "0.5 m" in given.would_change_it[0]


def test_what_is_seldom_flagged_is_not_observable_even_where_something_was_flagged() -> None:
    assert verdict(evidence(look(10, p=1e-9, pd=0.3), look(12, pd=0.49))) == "not observable"
    assert verdict(evidence(look(10, p=1e-4, pd=0.3), look(12, pd=0.6, p=1e-5))) == "supported"


def test_without_a_usable_look_imagery_is_insufficient() -> None:
    cloudy = look(10, valid_share=0.6)
    given = decide(evidence(cloudy, replace(look(12), rejected="haze")), places=PLACES)
    assert given.verdict == "insufficient imagery"
    assert "S12: haze" in given.reasons
    assert verdict(evidence()) == "insufficient imagery"
    unheld = replace(look(10), reference=None, since=None, rejected="no usable pass of its orbit before the window")
    given = decide(evidence(unheld), places=PLACES)
    assert given.reasons[0] == "no usable look before the window to hold it against"


@pytest.mark.parametrize("kind", ["present", "appeared", "left", "unchanged", "activity"])
def test_uncalibrated_runs_are_never_better_than_inconclusive(kind: Kind) -> None:
    given = evidence(look(10, p=1e-9, calibrated=False, flags=9), of=claim(kind), later=(look(15, calibrated=False),))
    assert verdict(given) == "inconclusive"


def test_activity_is_more_flags_than_chance_gives() -> None:
    of = claim("activity", thing=None)
    assert verdict(evidence(look(10, flags=6, expected=0.5), look(12, flags=3, expected=0.5), of=of)) == "supported"
    assert verdict(evidence(look(10, flags=1, expected=0.5), of=of)) == "inconclusive"
    assert verdict(evidence(look(10, flags=0, expected=0.5), of=of)) == "inconclusive"


@pytest.mark.parametrize(
    ("share", "pd", "expected"),
    [(0.7, 1.0, "supported"), (0.005, 0.97, "contradicted"), (0.005, 0.9, "inconclusive"), (0.2, 1.0, "inconclusive")],
)
def test_surfaces_are_judged_by_their_share(share: float, pd: float, expected: str) -> None:
    surface = (Surface(scene="S10", share=share, pd=pd),)
    assert verdict(evidence(look(10), of=claim("surface", thing=None), surface=surface)) == expected


def test_the_longest_gap_counts_the_ends_of_the_window_and_only_usable_looks() -> None:
    looks = [look(9), look(10, valid_share=0.1), look(11)]
    assert longest_gap_hours(claim(start=9, end=12), looks) == pytest.approx(48)


@pytest.mark.parametrize(("count", "mean"), [(0, 0.5), (1, 0.5), (3, 0.5), (7, 2.0), (20, 4.0)])
def test_the_tail_of_a_count_is_poisson(count: int, mean: float) -> None:
    assert poisson_tail(count, mean) == pytest.approx(poisson.sf(count - 1, mean), abs=1e-12)


def test_many_claims_together_need_stronger_support_than_one() -> None:
    weak = [Verdict(id=f"C{n}", verdict="supported", reasons=(), p_value=p) for n, p in enumerate((0.001, 0.04, 0.045))]
    noise = [Verdict(id=f"N{n}", verdict="inconclusive", reasons=(), p_value=0.3 + 0.1 * n) for n in range(7)]
    kept = [v.id for v in control([*weak, *noise]) if v.verdict == "supported"]
    assert kept == ["C0"]
    assert [v.verdict for v in control(weak[:1])] == ["supported"]


def test_over_many_worlds_no_verdict_is_wrong_more_often_than_stated() -> None:
    """Truth is set; flags come by chance or by the object with the stated probabilities."""
    rng, wrong, decided = np.random.default_rng(7), 0, 0
    for world in range(2000):
        true = bool(world % 2)
        seen = rng.random(2) < (0.98 if true else 0.0)
        alarms = rng.random(2) < 1 - (1 - 0.001) ** PLACES
        looks = [
            look(day, p=1e-6 if hit else float(rng.uniform(0, 0.001)) if alarm else None, false_alarm=0.01)
            for day, hit, alarm in zip((10, 12), seen, alarms, strict=True)
        ]
        given = decide(evidence(*looks), places=PLACES).verdict
        decided += given != "inconclusive"
        wrong += (given == "supported" and not true) or (given == "contradicted" and true)
    assert decided > 900
    assert wrong / 1000 <= 0.03
