"""What the other sensor of a run saw at a flag's place, in plain words and as plain values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from revisit.plain import iso_time, rounded
from revisit.result import Flag, Result, Witness

SENSOR_WORDS = {"s2": "optical", "s1": "radar"}
"""The sensors as a sentence names them."""
MOST_RATIO = 1_000_000.0
"""Likelihood ratios beyond it say no more than that: the models behind them are not so good."""


def period(before: datetime, after: datetime) -> str:
    """Return a window as a person writes it, such as "6 to 18 Dec 2024"."""
    first = f"{before.day}"
    if (before.year, before.month) != (after.year, after.month):
        first += f" {before:%b}"
    if before.year != after.year:
        first += f" {before.year}"
    return f"{first} to {after.day} {after:%b %Y}"


def sensor_head(result: Result) -> str:
    """Return a sensor's name as a sentence begins with it."""
    return SENSOR_WORDS[result.sensor].capitalize()


def window_of(result: Result) -> str:
    """Return a sensor's window as a person writes it."""
    return period(result.before.acquired, result.after.acquired)


def ratio_words(ratio: float | None) -> str:
    """Return a likelihood ratio in two significant digits; "-" for None."""
    if ratio is None:
        return "-"
    if ratio >= MOST_RATIO:
        return "over a million"
    return f"{ratio:.2g}" if ratio < 100 else f"{float(f'{ratio:.2g}'):,.0f}".replace(",", "\u00a0")


def _such(name: str) -> str:
    """Return a class with its article."""
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _seen(witness: Witness, change: str) -> str:
    """Return what the other sensor saw."""
    ids = ", ".join(witness.flags)
    if witness.outcome == "agrees":
        return f"also {change} here ({ids})" if change != "altered" else f"changed here too ({ids})"
    if witness.outcome == "opposite":
        return f"a change of the opposite sign here ({ids}), so that the two are not counted together"
    if witness.outcome == "not seen":
        return "this place was not seen on both dates, so that it says nothing of it"
    if witness.pd is None or witness.object is None:
        return "no change here; how often it would have flagged such an object was not measured"
    like = f"an object like {_such(witness.object)}"
    return f"no change here; it would have flagged {like} with probability {witness.pd:.2f}"


def _weight(witness: Witness) -> str | None:
    """Return what both are worth together; None where they are not counted together."""
    if witness.outcome not in {"agrees", "silent"}:
        return None
    if witness.overlap <= 0:
        return "its dates do not meet this flag's, so that the two are not counted together"
    if witness.ratio is None or witness.other_ratio is None:
        return "no likelihood ratio: not known for both" if witness.outcome == "agrees" else None
    dates = "" if witness.overlap > 0.995 else f" (the two windows share {100 * witness.overlap:.0f} %)"
    return f"likelihood ratio {ratio_words(witness.ratio)} alone, {ratio_words(witness.combined)} with it{dates}"


def witness_note(witness: Witness, change: str) -> str:
    """Return the other sensor's word on a flag in one line, with its dates.

    Parameters
    ----------
    witness
        What it saw.
    change
        Sign of the flag.
    """
    head = f"{SENSOR_WORDS[witness.sensor]}, {period(witness.before, witness.after)}: {_seen(witness, change)}"
    weight = _weight(witness)
    return f"{head}; {weight}" if weight else head


def other_cell(witness: Witness) -> str:
    """Return the other sensor's word in a table: the flags that agree, or what it says instead."""
    if witness.outcome == "agrees":
        return f"= {' '.join(witness.flags)}"
    if witness.outcome == "opposite":
        return f"opposite {' '.join(witness.flags)}"
    if witness.outcome == "not seen":
        return "not seen"
    return "nothing" if witness.pd is None else f"nothing (Pd {witness.pd:.2f})"


def _digits(value: float | None) -> float | None:
    """Return a ratio in four significant digits."""
    return None if value is None else float(f"{value:.4g}")


def witness_properties(flag: Flag) -> dict[str, Any]:
    """Return what a flag's properties say of the other sensor, as plain values; nothing where one sensor looked."""
    witness = flag.witness
    if witness is None:
        return {}
    return {
        "agrees_with": list(witness.flags) if witness.outcome == "agrees" else [],
        "likelihood_ratio": _digits(witness.ratio),
        "combined_likelihood_ratio": _digits(witness.combined),
        "other_sensor": {
            "sensor": witness.sensor,
            "before": iso_time(witness.before),
            "after": iso_time(witness.after),
            "outcome": witness.outcome,
            "flags": list(witness.flags),
            "window_share": rounded(witness.overlap, 4),
            "object": witness.object,
            "pd": rounded(witness.pd, 4),
            "likelihood_ratio": _digits(witness.other_ratio),
        },
    }
