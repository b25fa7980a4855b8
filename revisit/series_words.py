"""What a series says in words: the honest line first, then zone by zone what came and went, and between which dates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from revisit.afloat import BERTH_KINDS, WATER_KINDS
from revisit.series_result import ChangeRecord, Followed, Gap, SeriesResult, TrackSeries, ZoneDate
from revisit.wording import plural

SENSORS = {"s2": "Sentinel-2", "s1": "Sentinel-1 (radar)"}
LEAST_M = 10.0
"""A pixel."""
MOST_LINES = 6
"""Changes of a zone that are told one by one; the rest is in the table."""
UNSEEN, UNSEEN_AFLOAT = "what is smaller than a transport", "smaller vessels"
MEANING = (
    "Counted are objects that came or went within the series. What stood there on every date cannot be told from the"
    " ground, and is not counted; nor is what came and went between two dates. Objects smaller than a transport are"
    " often missed."
)


def day(moment: datetime) -> str:
    """Return a day in words, such as "12 Dec"."""
    return f"{moment.day} {moment:%b}"


def years(result: SeriesResult) -> str:
    """Return the years of a series, such as "2024" or "2024-2025"."""
    first, last = result.recipe.start.year, result.recipe.end.year
    return f"{first}" if first == last else f"{first}-{last}"


def span(after: datetime, before: datetime) -> str:
    """Return "between 12 and 17 Dec 2024"."""
    same_month = (after.year, after.month) == (before.year, before.month)
    first = str(after.day) if same_month else day(after) + (f" {after.year}" if after.year != before.year else "")
    return f"between {first} and {day(before)} {before.year}"


def range_of(least: int, most: int) -> str:
    """Return "2" or "1-3"."""
    return f"{least}" if least == most else f"{least}-{most}"


def chance(value: float) -> str:
    """Return a chance as text that never says 0."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.01 else f"{value:.2f}"


def surety(value: float) -> str:
    """Return a probability as text that never says 1."""
    return "> 0.99" if value > 0.99 else f"{value:.2f}"


def size(item: Followed) -> str:
    """Return the size of an object in words: nothing is measured below a pixel."""
    if item.length_m < LEAST_M:
        return f"under {LEAST_M:.0f} m"
    return f"about {item.length_m:.0f} x {max(item.width_m, LEAST_M):.0f} m"


def track_name(one: TrackSeries) -> str:
    """Return a track in words: of radar several are followed, and told apart by their orbits."""
    return SENSORS[one.stack.sensor] + (f", {one.stack.track}" if one.stack.sensor == "s1" else "")


def used_of(one: TrackSeries) -> str:
    """Return which dates of a track were used, and what kept the others out."""
    within = [look for look in one.stack.looks if look.within]
    used = [look for look in within if look.state == "used"]
    lost = [(look.state, look) for look in within if look.state != "used"]
    parts = []
    for state, group in groupby(sorted(lost, key=lambda pair: (pair[0], pair[1].scene.acquired)), lambda p: p[0]):
        named = [f"{look.scene.acquired:%Y-%m-%d}" for _, look in group]
        shown = ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")
        parts.append(f"{state}: {shown}")
    earlier = sum(look.state == "used" for look in one.stack.looks) - len(used)
    text = f"{SENSORS[one.stack.sensor]}, {one.stack.track}: {plural(len(within), 'date')}, {len(used)} used"
    text += f" ({'; '.join(parts)})" if parts else ""
    return text + (f", and {earlier} earlier to know what is usual" if earlier else "")


def honest_line(result: SeriesResult) -> str:
    """Return how much was found and how much of it chance alone would give."""
    places = sum(len(one.objects) for one in result.series)
    expected = sum(one.scan.expected_false for one in result.series if one.scan)
    sure = [change for change in result.changes if change.sure]
    if not places:
        return (
            f"Nothing was seen to come or go on the dates that show the ground; chance alone would give"
            f" about {expected:.1f} such places. Gaps are listed: nothing is known of them."
        )
    real = len({change.object.id for change in sure})
    doubtful = len(result.changes) - len(sure)
    return (
        f"{plural(len(sure), 'change')} dated at {plural(real, 'place')}"
        + (f", {doubtful} more doubtful" if doubtful else "")
        + f"; {plural(places, 'place')} in all, of which chance alone would give about {expected:.1f}"
        f" ({result.recipe.false_places_per_km2:g} per km2 asked)"
    )


def _group_key(change: ChangeRecord) -> tuple[datetime, datetime, str]:
    return change.after, change.before, change.kind


def _what(changes: Sequence[ChangeRecord]) -> str:
    """Return how many of which size came or left."""
    large = [change for change in changes if change.object.large]
    verb = "came" if changes[0].kind == "arrival" else "left"
    if len(changes) == 1:
        item = changes[0].object
        return f"1 object of {size(item)} ({item.id}) {verb}"
    ids = ", ".join(change.object.id for change in changes)
    return f"{len(changes)} objects, {len(large)} of them large ({ids}), {verb}"


def _radar(changes: Sequence[ChangeRecord], result: SeriesResult) -> str:
    """Return what the other sensor says of some changes."""
    votes = [(result.series[number], testimony) for change in changes for number, testimony in change.heard.items()]
    if not votes:
        return ""
    agreed = [(one, heard) for one, heard in votes if heard.witness == "agrees"]
    name = "radar" if votes[0][0].stack.sensor == "s1" else "Sentinel-2"
    if agreed:
        dates = sorted({one.stack.times[k] for one, heard in agreed for k in heard.dates})
        count = len({id(change) for change in changes if any(h.witness == "agrees" for h in change.heard.values())})
        of = "" if count == len(changes) else f" of {count} of them"
        return f"; {name} agrees{of}: {day(dates[0])} against {day(dates[-1])}"
    if any(heard.witness == "differs" for _, heard in votes):
        return f"; {name} differs"
    if all(heard.witness == "had no date to tell" for _, heard in votes):
        return f"; {name} had no date to tell"
    return f"; {name} does not show it"


def change_lines(changes: Sequence[ChangeRecord], result: SeriesResult) -> Iterator[str]:
    """Yield a line for each time and direction of change that is sure, and one for the others."""
    sure = [change for change in changes if change.sure]
    for key, group in groupby(sorted(sure, key=_group_key), _group_key):
        some = list(group)
        confidence = min(change.confidence for change in some)
        p_value = max(change.object.track.place.p_value for change in some)
        yield (
            f"{span(key[0], key[1])}: {_what(some)} (confidence {surety(confidence)}, p {chance(p_value)})"
            f"{_radar(some, result)}"
        )
    doubtful = [change for change in changes if not change.sure]
    if doubtful:
        ids = ", ".join(dict.fromkeys(change.object.id for change in doubtful))
        yield f"doubtful, by strength or date, and may be chance: {plural(len(doubtful), 'change')} ({ids})"


def _count_text(row: ZoneDate) -> str:
    """Return how many objects a date shows, as a range."""
    least, _, most = row.objects or (0, 0, 0)
    return range_of(least, most)


def _also(row: ZoneDate) -> str:
    """Return what a date shows beside objects that came or went: vessels, a berth's state."""
    parts = []
    if row.vessels is not None:
        found = row.vessels
        unknown = math.isnan(found.low)
        told = "how many, cannot be told" if unknown else f"{int(found.low)}-{found.high:.0f}"
        parts.append(f"vessels {told} ({found.found} found)")
    if row.berth is not None:
        parts.append(f"berth {row.berth}")
    return f"; on {day(row.acquired)} {', '.join(parts)}" if parts else ""


def _head(rows: Sequence[ZoneDate], spans: Sequence[tuple[datetime, datetime]]) -> str:
    """Return the counts of a zone from change to change."""
    afloat = rows[0].kind in (*WATER_KINDS, *BERTH_KINDS)
    if not spans:
        first, last = _count_text(rows[0]), _count_text(rows[-1])
        if all(_count_text(row) == "0" for row in rows):
            return f"nothing was seen to come or go; {UNSEEN_AFLOAT if afloat else UNSEEN} may have, unseen"
        return f"{first} on all dates" if first == last else f"{first} on the first date, {last} on the last"
    parts = [_count_text(rows[0])]
    for after, before in spans:
        then = next((row for row in rows if row.acquired >= before), rows[-1])
        parts[-1] += f" until {span(after, before)}"
        parts.append(_count_text(then))
    return ", ".join(parts) + " after"


def zone_head(zone: str, result: SeriesResult, number: int) -> str | None:
    """Return how many objects a track shows in a zone from change to change; None where no date shows it."""
    rows = [row for row in result.rows if row.zone == zone and row.series == number and row.seen]
    if not rows:
        return None
    changes = [c for c in result.changes if c.series == number and c.object.lies_in(zone) and c.sure]
    spans = sorted({(change.after, change.before) for change in changes})
    if len(spans) > MOST_LINES:
        text = f"{_count_text(rows[0])} on the first date, {_count_text(rows[-1])} on the last, {len(spans)} changes"
    else:
        text = _head(rows, spans)
    return f"{text}{_also(rows[-1])}"


def gap_line(gaps: Sequence[Gap]) -> str:
    """Return the gaps of a zone as one line."""
    told = [f"{day(gap.start)} - {day(gap.end)} ({gap.reason})" for gap in gaps[:MOST_LINES]]
    more = f" and {len(gaps) - MOST_LINES} more" if len(gaps) > MOST_LINES else ""
    return f"gap{'s' if len(gaps) > 1 else ''}: {'; '.join(told)}{more}"


def zone_lines(zone: str, result: SeriesResult) -> list[str]:
    """Return what is said of a zone: counts at both ends, changes, gaps, by sensor."""
    lines = []
    for number, one in enumerate(result.series):
        name = track_name(one)
        head = zone_head(zone, result, number)
        lines.append(f"{name}: {head or 'no date shows it: nothing is known'}")
        own = [change for change in result.changes if change.series == number and change.object.lies_in(zone)]
        told = list(change_lines(own, result))
        lines += [f"  {line}" for line in told[:MOST_LINES]]
        if len(told) > MOST_LINES:
            more = len(told) - MOST_LINES
            lines.append(f"  and {more} more {'time' if more == 1 else 'times'} of change: see series.csv")
        berth = one.berths.get(zone)
        if berth is not None and berth.reason:
            hint = " (more --baseline dates may do)" if "are needed" in berth.reason else ""
            lines.append(f"  berth: cannot tell: {berth.reason}{hint}")
        gaps = [gap for gap in result.gaps if gap.zone == zone and gap.series == number]
        if gaps:
            lines.append(f"  {gap_line(gaps)}")
    return lines


def series_digest(result: SeriesResult, folder: str) -> str:
    """Return what is printed of a series."""
    recipe = result.recipe
    head = f"Series of {result.ground.aoi.name}, {recipe.start} to {recipe.end}"
    head += " - SIMULATED scenes, nothing here is real imagery." if result.simulated else ""
    lines = [head, honest_line(result), *(used_of(one) for one in result.series), MEANING, ""]
    for zone, kind in result.zones:
        lines += [f"{zone} ({kind})", *(f"  {line}" for line in zone_lines(zone, result))]
    if not result.complete:
        lines += ["", "NOT COMPLETE: a source failed or answered in part; what was read is shown, the rest is unknown."]
    return "\n".join([*lines, "", f"Report: {folder}/report.html"])
