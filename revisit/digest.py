"""What a person reads in the terminal after a run: the honest line first, then the flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from revisit.errors import one_line
from revisit.ground import AREA
from revisit.result import Flag, Result
from revisit.wording import number, percent, plural

MOST_ROWS = 20
"""Of the table; the report has all."""
HEADS = ("flag", "zone", "change", "scale", "size", "towards", "contrast")


def honest_line(result: Result) -> str:
    """Return how many changes were flagged, and what is known of how many of them are chance."""
    rate, ground = result.recipe.false_alarms_per_km2, number(result.searched_km2)
    if not result.flags:
        return (
            f"No change flagged on the {percent(result.searched_valid_share)} of the searched ground that was valid on"
            f" both dates ({ground} km2). How small a change would have been seen there is not stated by this version."
        )
    chance = number(rate * result.searched_km2, 2)
    asked = f"about {chance} by chance were asked for ({number(rate)} per km2 on {ground} km2)"
    caution = (
        "" if result.change.calibrated else ", but a two-date threshold is not calibrated: the true number is not known"
    )
    return f"{plural(len(result.flags), 'change')} flagged; {asked}{caution}."


def _size(flag: Flag) -> str:
    """Return length and width, metres."""
    return f"{flag.object.length_m:.0f} x {flag.object.width_m:.0f} m"


def _row(flag: Flag) -> tuple[str, ...]:
    """Return the cells of one flag."""
    item = flag.object
    towards, contrast = f"{item.orientation_deg:.0f} deg", f"{item.contrast:+.3f}"
    return flag.id, one_line(flag.zone or "-"), item.change, item.scale, _size(flag), towards, contrast


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines with aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _shift_line(result: Result) -> str:
    """Return how far the later date lay off, and how well that is known."""
    record = result.alignments[-1]
    # Adding zero to a rounded number turns -0.0 into 0.0.
    rows, cols = (round(value, 3) + 0.0 for value in record.shift_px)
    row_error, col_error = record.standard_error_px
    return (
        f"Shift of the later date: {rows:+.3f} px in rows (+- {row_error:.3f}), {cols:+.3f} px in columns"
        f" (+- {col_error:.3f}); removed."
    )


def _shares_line(result: Result) -> str:
    """Return the valid share of each zone, or of the area where there are no zones."""
    zones = {name: share for name, share in result.valid_share.items() if name != AREA} or result.valid_share
    return (
        "Valid on both dates: " + ", ".join(f"{one_line(name)} {percent(share)}" for name, share in zones.items()) + "."
    )


def _flag_lines(result: Result) -> list[str]:
    """Return the table of the strongest flags."""
    if not result.flags:
        return []
    more = len(result.flags) - MOST_ROWS
    lines = table([HEADS, *(_row(flag) for flag in result.flags[:MOST_ROWS])])
    return [*lines, f"... and {more} more, in the report"] if more > 0 else lines


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
    days = f"{result.before.acquired:%Y-%m-%d} with {result.after.acquired:%Y-%m-%d}"
    ground = f"{number(result.searched_km2)} km2, {percent(result.searched_valid_share)} of the searched ground"
    head += [
        f"Compared {days} at {one_line(result.aoi.name)}: {ground}.",
        _shift_line(result),
        _shares_line(result),
    ]
    body = [honest_line(result), *_flag_lines(result)]
    return "\n".join([*head, "", *(f"  {line}" for line in body), "", f"Report: {folder / 'report.html'}"])
