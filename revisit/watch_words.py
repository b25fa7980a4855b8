"""What came of a look, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from revisit.errors import one_line
from revisit.watch_plan import next_pass
from revisit.watch_values import SENSOR_NAMES, AreaLook, Compared, KnownPass, SeenPass
from revisit.wording import percent, plural

AGAIN = "Tried again at the next call"
MOST_NAMED = 3


def _days(one: Compared) -> str:
    """Return the two dates of a comparison."""
    return f"{one.after.acquired:%Y-%m-%d} with {one.before.acquired:%Y-%m-%d}"


def _compared_words(look: AreaLook) -> list[str]:
    """Return what was compared, and how much of the ground that says something about."""
    made = [one for one in look.compared if one.refused is None]
    refused = [one for one in look.compared if one.refused is not None]
    words = []
    if made:
        sensors = "+".join(dict.fromkeys(one.after.scene.sensor for one in made))
        named = ", ".join(f"{_days(one)}, {percent(one.valid_share)} valid" for one in made[-MOST_NAMED:])
        more = "... " if len(made) > MOST_NAMED else ""
        found = (
            plural(look.new, "new change") if look.new else "no new change on the ground that was valid on both dates"
        )
        words.append(f"{plural(len(made), 'comparison')} ({sensors}: {more}{named}), {found}")
    words += [f"{_days(one)} cannot be compared: {one.refused}" for one in refused[-MOST_NAMED:]]
    return words


def _named(passes: Sequence[SeenPass]) -> str:
    """Return passes with what is valid of them."""
    shown = [f"{one.acquired:%Y-%m-%d} {one.scene.sensor} {percent(one.share)}" for one in passes[-MOST_NAMED:]]
    return ("... " if len(passes) > MOST_NAMED else "") + ", ".join(shown)


def _expectation(passes: Sequence[KnownPass], now: datetime) -> str:
    """Return which pass is the newest and when the next is to be expected."""
    if not passes:
        return "no pass over it is known yet"
    newest = passes[-1]
    found = next_pass(passes, now)
    said = f"the newest pass is of {newest.acquired:%Y-%m-%d %H:%M} UTC ({SENSOR_NAMES[newest.sensor]})"
    if found is None:
        return f"{said}; when the next comes is not known"
    moment, of = found
    orbit = f", orbit {of.orbit}" if of.orbit is not None else ""
    return f"{said}, the next is expected about {moment:%Y-%m-%d} ({SENSOR_NAMES[of.sensor]}{orbit})"


def outcome(look: AreaLook, now: datetime) -> str:
    """Return what came of a look, in one line: looked, nothing to look at, or could not look; never one for another.

    Parameters
    ----------
    look
        At an area.
    now
        UTC.
    """
    words = _compared_words(look)
    if look.clouded:
        count = f"{len(look.clouded)} new pass{'' if len(look.clouded) == 1 else 'es'}"
        words.append(f"{count} not usable, too little of the ground to be searched is valid ({_named(look.clouded)})")
    if look.alone:
        words.append(f"nothing earlier to compare {_named(look.alone)} with: later passes are compared with it")
    if look.problems:
        reasons = "; ".join(look.problems[:MOST_NAMED])
        words.insert(0, f"could not look{' in full' if words else ''}: {reasons}. {AGAIN}")
    if not words:
        # What a source left out may be new: that there is nothing new would be more than is known.
        said = f" that can be used (the source says: {'; '.join(look.warnings[:MOST_NAMED])})" if look.warnings else ""
        words.append(f"no new imagery{said}; {_expectation(look.passes, now)}")
    return one_line(f"{look.name}: {'; '.join(words)}.")
