"""From the tracks of a series to what stands in its table: zones date by date, changes, gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from detect.activity import Testimony, count_on, hear
from detect.chain import Step
from revisit.series_dates import SEEN, Look, window_of
from revisit.series_recipe import SeriesRecipe
from revisit.series_result import ChangeRecord, Followed, Gap, TrackSeries, ZoneDate

LONG_STEP = 1.6
"""Times the usual step between passes from which the time between two dates is a gap."""
DAY_S = 86_400.0


def days_of(one: TrackSeries) -> NDArray[np.float64]:
    """Return the dates (date,) of a track, days."""
    return np.array([moment.timestamp() / DAY_S for moment in one.stack.times])


def _gap_reason(look: Look, share: float | None) -> str:
    """Return why a pass says nothing of a zone."""
    if look.state != "used":
        return look.reason
    return f"only {int((share or 0) * 100)} % of the zone can be seen"


def _row(one: TrackSeries, at: int, zone: tuple[str, str], series: int, objects: Sequence[Followed]) -> ZoneDate:
    """Return a zone on one pass."""
    look, (name, kind) = one.stack.looks[at], zone
    share = look.shares.get(name)
    shown = look.state == "used" and one.scan is not None and share is not None and share >= SEEN
    row = ZoneDate(
        zone=name,
        kind=kind,
        series=series,
        acquired=look.scene.acquired,
        scene=look.scene.id,
        seen=shown,
        reason="" if shown else one.obstacle or _gap_reason(look, share),
        share=share,
    )
    return _filled(row, one, one.stack.used.index(at), objects) if shown else row


def _filled(row: ZoneDate, one: TrackSeries, date: int, objects: Sequence[Followed]) -> ZoneDate:
    """Return a row with what its date shows."""
    tracks = [item.track for item in objects]
    real = [item for item in objects if item.track.real and item.track.sense == "object"]
    present = [item for item in real if item.track.present[date] and item.track.shown[date]]
    visits = [visit for item in real for visit in item.track.visits]
    times = one.stack.times
    stays = [
        (times[date] - times[visit.first]).total_seconds() / DAY_S
        for item in present
        for visit in item.track.visits
        if visit.first <= date <= visit.last
    ]
    berth, anomaly = one.berths.get(row.zone), one.anomalies.get(row.zone)
    told = berth is not None and len(berth.states) > 0
    chance = float(berth.probability[date]) if berth and told else float("nan")
    return replace(
        row,
        date=date,
        objects=count_on(tracks, date),
        large=sum(item.large for item in present),
        arrived=sum(visit.arrival is not None and visit.arrival.first == date for visit in visits),
        left=sum(visit.departure is not None and visit.departure.first == date for visit in visits),
        longest_stay_days=max(stays, default=None),
        vessels=one.vessels.get(row.zone, {}).get(date),
        berth=(berth.states[date] if told else "cannot tell") if berth else None,
        berth_chance=None if np.isnan(chance) else chance,
        anomaly=None if anomaly is None or np.isnan(anomaly.ratio[date]) else float(anomaly.ratio[date]),
        odd=bool(anomaly.odd[date]) if anomaly else False,
    )


def make_rows(series: Sequence[TrackSeries], zones: Sequence[tuple[str, str]]) -> tuple[ZoneDate, ...]:
    """Return every zone on every pass within the window, by zone, track and time."""
    return tuple(
        _row(one, at, zone, number, [item for item in one.objects if item.lies_in(zone[0])])
        for zone in zones
        for number, one in enumerate(series)
        for at, look in enumerate(one.stack.looks)
        if look.within
    )


def _runs(
    rows: Sequence[ZoneDate], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, list[ZoneDate]]]:
    """Yield the times between seen dates, with the passes that show nothing."""
    last = start
    missed: list[ZoneDate] = []
    for row in rows:
        if row.seen:
            yield last, row.acquired, missed
            last, missed = row.acquired, []
        else:
            missed.append(row)
    yield last, end, missed


def _why(missed: Sequence[ZoneDate]) -> str:
    """Return why nothing is known of a time."""
    if not missed:
        return "no acquisition found"
    first = missed[0].reason
    short = "cloud or no data" if all(row.reason.startswith(("cloud", "only")) for row in missed) else first
    return f"{len(missed)} pass{'es' if len(missed) > 1 else ''} without a view: {short}"


def make_gaps(rows: Sequence[ZoneDate], recipe: SeriesRecipe) -> tuple[Gap, ...]:
    """Return the times in which a track shows nothing of a zone for longer than its passes are usually apart."""
    window, gaps = window_of(recipe), []
    for zone, number in dict.fromkeys((row.zone, row.series) for row in rows):
        own = [row for row in rows if (row.zone, row.series) == (zone, number)]
        steps = np.diff([row.acquired.timestamp() for row in own])
        usual = float(np.median(steps)) if len(steps) else DAY_S
        for start, end, missed in _runs(own, window.start, window.end):
            if (end - start).total_seconds() > LONG_STEP * usual:
                gaps.append(Gap(zone=zone, series=number, start=start, end=end, reason=_why(missed)))
    return tuple(gaps)


def _steps(item: Followed) -> Iterator[Step]:
    """Yield the changes of an object."""
    for visit in item.track.visits:
        for step in (visit.arrival, visit.departure):
            if step is not None:
                yield step


def _heard(item: Followed, step: Step, number: int, series: Sequence[TrackSeries]) -> dict[int, Testimony]:
    """Return what the tracks of the other sensor say of a change."""
    own = series[number]
    out = {}
    for other_number, other in enumerate(series):
        if other.stack.sensor == own.stack.sensor or other.scan is None:
            continue
        row, col = item.track.place.at
        out[other_number] = hear(
            item.track,
            step,
            days_of(own),
            others=[one.track for one in other.objects],
            other_days=days_of(other),
            shown=other.stack.valid[:, row, col],
        )
    return out


def make_changes(series: Sequence[TrackSeries], recipe: SeriesRecipe) -> tuple[ChangeRecord, ...]:
    """Return every arrival and departure that ends within the window, in the order of time."""
    window, found = window_of(recipe), []
    for number, one in enumerate(series):
        times = one.stack.times
        for item in one.objects:
            for step in _steps(item):
                if times[step.first] < window.start:
                    continue
                found.append(
                    ChangeRecord(
                        object=item,
                        series=number,
                        kind="arrival" if step.arrival else "departure",
                        after=times[step.last],
                        before=times[step.first],
                        confidence=step.confidence,
                        heard=_heard(item, step, number, series),
                    )
                )
    return tuple(sorted(found, key=lambda change: (change.before, change.after, change.object.id)))
