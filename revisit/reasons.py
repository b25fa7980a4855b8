"""The sentences of a verdict: what was seen on which look, and why neither side is decided."""

from __future__ import annotations

from collections.abc import Sequence

from revisit.evidence import Look
from revisit.weighing import LEAST_RATIO, MOST_P, Support, best_of, ratio_of
from revisit.wording import plural


def sensors_of(looks: Sequence[Look]) -> str:
    """Return by which sensors looks were taken, in words."""
    names = {"s2": "optical", "s1": "radar"}
    return " and ".join(names.get(name, name) for name in sorted({look.sensor for look in looks}, reverse=True))


def _since(look: Look) -> str:
    """Return since when a change may have happened, in words."""
    return f", held against {look.since:%Y-%m-%d}" if look.since else ""


def seen_on(support: Support, count: int) -> tuple[str, ...]:
    """Return what was flagged, and what the other sensors and orbits say of it."""
    look = support.look
    what = "a change" if count == 1 else f"{count} changes"
    worth = f"chance {best_of(look, count):.2g} per place; Pd {look.pd or 0.0:.2f}"
    told = [f"{look.scene} ({sensors_of([look])}{_since(look)}): {what} consistent with it, {worth}"]
    told += [
        f"{one.scene} ({sensors_of([one])}) flags the same spot; Pd {one.pd or 0.0:.2f}" for one in support.agreeing
    ]
    told += [
        f"{one.scene} ({sensors_of([one])}) does not show it, though its Pd is {one.pd or 0.0:.2f}"
        for one in support.denying
    ]
    return tuple(told)


def _of_matches(matched: Sequence[Look], count: int) -> str:
    """Return why flags that fit decide nothing."""
    fullest = max(matched, key=lambda look: (len(look.matches), -best_of(look)))
    if len(fullest.matches) < count:
        return f"{fullest.scene}: {len(fullest.matches)} of the {count} that the statement speaks of would fit"
    look = min(matched, key=best_of)
    told = f"{look.scene} ({sensors_of([look])}): a change that fits was flagged, but"
    if look.pd is None and best_of(look) <= MOST_P:
        return f"{told} how often one would be flagged there was not measured: it counts neither way"
    worth = f"chance {best_of(look):.2g} per place, likelihood ratio {ratio_of(look):.2g}"
    return f"{told} chance explains it too well ({worth})"


def why_open(looks: Sequence[Look], count: int = 1, found: Support | None = None) -> tuple[str, ...]:
    """Return why neither side is decided."""
    if found is not None:
        short = f"together a likelihood ratio of {found.ratio:.2g}, and {LEAST_RATIO:g} are asked"
        return f"a change that fits was flagged, but that is not enough: {short}", *seen_on(found, count)
    if matched := [look for look in looks if look.matches]:
        return (_of_matches(matched, count),)
    known = [look.pd for look in looks if look.pd is not None]
    if not known:
        return ("what these looks would have shown of it was not measured: neither a flag nor silence decides",)
    if weak := sum(look.weak for look in looks):
        told = f"{weak} change(s) of its size were flagged there, weaker than 95 % of such objects put there would be"
        return (f"{told}; Pd {max(known):.2f}",)
    if other := sum(look.unclear for look in looks):
        have = "has" if other == 1 else "have"
        told = f"{plural(other, 'change')} flagged there {have} another size or sign than the statement's"
        return (f"{told}; Pd {max(known):.2f}",)
    return (f"nothing that fits was flagged; with Pd {max(known):.2f} and the gaps of the window that excludes little",)
