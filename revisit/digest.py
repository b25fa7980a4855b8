"""What a person reads in the terminal after a run: the honest line first, then the flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from revisit.errors import one_line
from revisit.ground import AREA
from revisit.result import Flag, Result
from revisit.seen import seen_lines
from revisit.witnessed import SENSOR_WORDS, other_cell, ratio_words, sensor_head
from revisit.wording import (
    AREAS_UNCALIBRATED,
    BEYOND_CHANCE,
    agreed,
    areas_uncalibrated,
    beyond_chance,
    by_chance,
    contrast_words,
    number,
    percent,
    plural,
    shift_left,
    why_uncalibrated,
)

MOST_ROWS = 20
"""Of the table; the report has all."""
HEADS = ("flag", "zone", "change", "scale", "size", "contrast")
CHANCE_HEADS = ("p", "expected")
"""Of calibrated runs: the flag's probability per place, and how many such flags chance alone would give."""
LIKELY = 0.5
"""Classes at least so likely beside the likeliest are named, at most `MOST_CLASSES`; the report has all."""
MOST_CLASSES = 3


def _no_change(result: Result) -> str:
    """Return what can be said where nothing was flagged: of ground that was valid, and no more."""
    ground = f"{percent(result.searched_valid_share)} of the searched ground that was valid on both dates"
    line = f"No change flagged on the {ground} ({number(result.searched_km2)} km2)."
    return line if result.detectability else f"{line} How small a change would have been seen there was not measured."


def _both_lines(result: Result) -> list[str]:
    """Return the honest lines of two sensors: what the run promised as a whole, then each sensor by itself."""
    rate, count = number(result.recipe.false_alarms_per_km2), len(result.flags)
    chance = number(by_chance(result), 2)
    met = agreed(result)
    known = all(part.change.calibrated for part in result.parts)
    told = f"chance alone would give about {chance}" if known else f"about {chance} by chance asked for"
    flagged = f"{plural(count, 'change')} flagged by two sensors"
    lines = [f"{flagged}; {told} ({rate} per km2, half of it to each)"]
    lines += [f"radar agrees with {met or 'none'} of the optical flags"] if count else []
    return [*lines, *(f"{sensor_head(part)}: {line}" for part in result.parts for line in honest_lines(part))]


def honest_lines(result: Result) -> list[str]:
    """Return how many changes were flagged, and what is known of how many of them are chance."""
    if result.other is not None:
        return _both_lines(result)
    rate, count = number(result.recipe.false_alarms_per_km2), len(result.flags)
    reason = why_uncalibrated(result)
    chance = number(by_chance(result), 2)
    if reason is not None:
        caution = f"Uncalibrated: {reason}."
        if not count:
            return [_no_change(result), caution]
        asked = f"about {chance} by chance {'was' if chance == '1' else 'were'} asked for ({rate} per km2)"
        return [f"{plural(count, 'change')} flagged; {asked}, but the true number is not known", caution]
    if not count:
        return [_no_change(result), f"Chance alone would give about {chance} ({rate} per km2 asked)."]
    beyond = beyond_chance(result)
    few = f"fewer than {BEYOND_CHANCE:g} such expected"
    areas = sum(flag.object.scale == "area" for flag in result.flags)
    told = areas and areas_uncalibrated(result)
    return [
        f"{plural(count, 'change')} flagged; chance alone would give about {chance} ({rate} per km2 asked)",
        f"{beyond or 'none'} of them beyond chance ({few})",
        *([f"{plural(areas, 'area')} among them: {AREAS_UNCALIBRATED}"] if told else []),
    ]


def _size(flag: Flag) -> str:
    """Return length and width, metres."""
    return f"{flag.object.length_m:.0f} x {flag.object.width_m:.0f} m"


def _classes(flag: Flag) -> str:
    """Return the likeliest classes that a flag's size and contrast agree with."""
    likely = [one.name for one in flag.object.candidates if one.likelihood >= LIKELY]
    return ", ".join(likely[:MOST_CLASSES]) + (" ..." if len(likely) > MOST_CLASSES else "") or "-"


def _row(flag: Flag, *, calibrated: bool, sensor: str) -> tuple[str, ...]:
    """Return the cells of one flag."""
    item = flag.object
    chance = (number(item.p_value, 2), number(item.false_alarms, 2)) if calibrated else ()
    place = one_line(flag.zone or "-")
    other = (other_cell(flag.witness), ratio_words(flag.witness.combined)) if flag.witness else ()
    size, contrast = _size(flag), contrast_words(item.contrast, sensor)
    return flag.id, place, item.change, item.scale, size, contrast, *chance, *other, _classes(flag)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines with aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _shift_line(result: Result) -> str:
    """Return how far the later date lay off, and how well that is known."""
    record = next(row for row in result.alignments if row.scene_id in result.after.scene_ids)
    # Adding zero to a rounded number turns -0.0 into 0.0.
    rows, cols = (round(value, 3) + 0.0 for value in record.shift_px)
    row_error, col_error = record.standard_error_px
    return (
        f"Shift of the later date: {rows:+.3f} px in rows (+- {row_error:.3f}), {cols:+.3f} px in columns"
        f" (+- {col_error:.3f}); {'left, too small to mend' if shift_left(record, result) else 'removed'}."
    )


def _shares_line(result: Result) -> str:
    """Return the valid share of each zone, or of the area where there are no zones."""
    zones = {name: share for name, share in result.valid_share.items() if name != AREA} or result.valid_share
    return (
        "Valid on both dates: " + ", ".join(f"{one_line(name)} {percent(share)}" for name, share in zones.items()) + "."
    )


def _flag_lines(result: Result) -> list[str]:
    """Return the table of the strongest flags, of two sensors one each."""
    if result.other is not None:
        told = [(part, _flag_lines(part)) for part in result.parts]
        return [line for part, lines in told if lines for line in ("", f"{sensor_head(part)}:", *lines)]
    if not result.flags:
        return []
    more = len(result.flags) - MOST_ROWS
    calibrated = result.change.calibrated
    rows = [_row(flag, calibrated=calibrated, sensor=result.sensor) for flag in result.flags[:MOST_ROWS]]
    other = (f"{SENSOR_WORDS[flag.sensor]} here", "ratio") if (flag := result.flags[0].witness) else ()
    lines = table([(*HEADS, *(CHANCE_HEADS if calibrated else ()), *other, "consistent with"), *rows])
    return [*lines, f"... and {more} more, in the report"] if more > 0 else lines


def _seen_lines(result: Result) -> list[str]:
    """Return what could have been seen, where that was measured."""
    lines = seen_lines(result)
    return ["", *lines] if lines else []


def _compared_line(result: Result) -> str:
    """Return which days were compared, and how much ground."""
    days = f"{result.before.acquired:%Y-%m-%d} with {result.after.acquired:%Y-%m-%d}"
    ground = f"{number(result.searched_km2)} km2, {percent(result.searched_valid_share)} of the searched ground"
    return f"Compared {days} at {one_line(result.aoi.name)}: {ground}."


def digest(result: Result, folder: Path) -> str:
    """Return the lines for the terminal.

    Parameters
    ----------
    result
        Of a run.
    folder
        Where it was written.
    """
    head = ["SIMULATED scenes: nothing here is real imagery."] if result.simulated else []
    for part in result.parts:
        name = f"{sensor_head(part)}: " if result.other else ""
        head += [name + _compared_line(part), name + _shift_line(part), name + _shares_line(part)]
    body = [*honest_lines(result), *_flag_lines(result), *_seen_lines(result)]
    return "\n".join([*head, "", *(f"  {line}".rstrip() for line in body), "", f"Report: {folder / 'report.html'}"])
