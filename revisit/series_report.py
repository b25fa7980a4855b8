"""The report of a series: one HTML file that opens from disk and asks nobody for anything."""

from __future__ import annotations

import base64
from typing import Any

from markupsafe import Markup

from revisit.manifest import ATTRIBUTION, software
from revisit.picture import png_bytes
from revisit.report import environment, inline_hash, template_text
from revisit.series_recipe import series_command
from revisit.series_result import ChangeRecord, Followed, SeriesResult, TrackSeries
from revisit.series_strip import object_strip
from revisit.series_words import (
    MEANING,
    chance,
    honest_line,
    size,
    surety,
    track_name,
    used_of,
    years,
    zone_lines,
)
from revisit.symbols import SIGN_COLOURS, SIMULATED
from revisit.wording import percent, stamp

MOST_STRIPS = 40
METHOD = (
    (
        "All passes between the two days were read, one file of each, each track by itself: one optical orbit, and"
        " every radar orbit. Optical dates were aligned on the clearest, radar dates on what is bright and steady;"
        " dates under haze or cloud were left out and are listed with the reason."
    ),
    (
        "Each place has its usual state and spread over the dates. A date departs from it by its filtered residual,"
        " band by band (optical), or by the gamma likelihood ratio of its power (radar)."
    ),
    (
        "Places are followed where a date, or 2, 4 or 8 dates in a row, depart by more than chance would on so much"
        " ground and so many dates, by the tail of all dates' own maxima on that kind of ground."
    ),
    (
        "A followed place is a chain of two states, empty and taken, whose chances are worked out forwards and"
        " backwards over all dates. A change lies between the last date that shows the old state and the first that"
        " shows the new; its confidence is the probability of just that, over all dates together. Dates that do not"
        " show the place are left out, never read as empty."
    ),
    (
        "Counts are given as the 95 % range of how many places were taken, with the chance that a place is none."
        " Vessels on open water are counted on each date by itself, berths by their own history over one radar track."
    ),
)
LIMITS = (
    "What stood there on all dates cannot be told from the ground and is not counted.",
    "What came and went between two dates leaves no trace.",
    "An object replaced by another of its kind between two dates is no change.",
    "Objects nearer to one another than about 35 m may be one.",
    "Radar shows neither small nor smooth objects on every date: that it does not show a change is no denial.",
    "One pixel covers 10 x 10 m. Type, owner and purpose are below it.",
)


def _policy(style: str) -> str:
    """Return the content security policy: the page's own style and pictures, no script, nothing from elsewhere."""
    return f"default-src 'none'; img-src data:; style-src '{inline_hash(style)}'; base-uri 'none'; form-action 'none'"


def _style() -> str:
    """Return the style sheet."""
    own = "".join(f"--{name}:{value};" for name, value in [("cols", 600), ("rows", 600), *SIGN_COLOURS.items()])
    return f":root{{{own}}}\n{template_text('base.css')}\n{template_text('report.css')}\n{template_text('series.css')}"


def _uri(png: bytes) -> str:
    """Return a picture as part of the page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _says(change: ChangeRecord, result: SeriesResult) -> str:
    """Return what the other sensor's tracks say of a change."""
    words = []
    for number, heard in change.heard.items():
        one = result.series[number].stack
        dates = ", ".join(f"{one.times[k]:%Y-%m-%d}" for k in heard.dates)
        words.append(f"{one.name} {heard.witness}{f': {dates}' if dates else ''}")
    return "; ".join(words) or "no other sensor"


def _change_view(change: ChangeRecord, result: SeriesResult) -> dict[str, str]:
    """Return a row of the table of changes."""
    return {
        "object": change.object.id,
        "kind": "came" if change.kind == "arrival" else "left",
        "after": f"{change.after:%Y-%m-%d}",
        "before": f"{change.before:%Y-%m-%d}",
        "size": size(change.object),
        "confidence": surety(change.confidence),
        "p": chance(change.object.track.place.p_value),
        "sensor": track_name(result.series[change.series]),
        "says": _says(change, result),
        "sure": "" if change.sure else "doubtful",
    }


def _zone_view(zone: tuple[str, str], result: SeriesResult) -> dict[str, Any]:
    """Return what is shown of a zone."""
    changes = [change for change in result.changes if change.object.lies_in(zone[0])]
    return {
        "name": zone[0],
        "kind": zone[1],
        "lines": [(line.strip(), line.startswith(" ")) for line in zone_lines(zone[0], result)],
        "changes": [_change_view(change, result) for change in changes],
    }


def _stays(item: Followed, one: TrackSeries) -> str:
    """Return the visits of an object in words."""
    times, words = one.stack.times, []
    for visit in item.track.visits:
        first, last = (f"{times[k]:%Y-%m-%d}" for k in (visit.first, visit.last))
        seen = f"seen on {first}" if visit.first == visit.last else f"seen from {first} to {last}"
        came = (
            "there before the first date"
            if visit.arrival is None
            else f"came after {times[visit.arrival.last]:%Y-%m-%d}"
        )
        gone = (
            "there on the last date" if visit.departure is None else f"gone by {times[visit.departure.first]:%Y-%m-%d}"
        )
        words.append(f"{seen} ({came}, {gone})")
    return "; ".join(words)


def _object_view(item: Followed, one: TrackSeries, place: str) -> dict[str, Any] | None:
    """Return what is shown of an object; None where nothing can be."""
    strip = object_strip(item, one)
    if strip is None:
        return None
    return {
        "id": item.id,
        "zone": item.zone,
        "size": size(item),
        "sensor": one.stack.name,
        "stays": _stays(item, one),
        "unclear": item.track.sense == "unclear",
        "href": _uri(png_bytes(strip, f"{place} {item.id}")),
        "width": strip.width,
        "height": strip.height,
    }


def _object_views(result: SeriesResult) -> list[dict[str, Any]]:
    """Return the objects whose changes are sure, strongest first."""
    sure = {change.object.id for change in result.changes if change.sure}
    chosen = [(item, one) for one in result.series for item in one.objects if item.id in sure][:MOST_STRIPS]
    views = (_object_view(item, one, result.ground.aoi.name) for item, one in chosen)
    return [view for view in views if view is not None]


def _pass_views(result: SeriesResult) -> list[dict[str, str]]:
    """Return the table of passes."""
    return [
        {
            "acquired": stamp(look.scene.acquired),
            "sensor": one.stack.name,
            "id": look.scene.id,
            "state": look.state if look.within else f"{look.state}, earlier",
            "reason": look.reason,
            "share": percent(look.record.valid_share) if look.record else "",
            "sha256": (look.record.sha256[:16] if look.record else ""),
        }
        for one in result.series
        for look in one.stack.looks
    ]


def _caveats(result: SeriesResult) -> list[tuple[str, str]]:
    """Return what must be read first."""
    lines = [("Chance.", honest_line(result)), ("Counts.", MEANING)]
    lost = [f"{one.stack.name}: {sum(look.state != 'used' for look in one.stack.looks)} of {len(one.stack.looks)}"
            for one in result.series]  # fmt: skip
    lines.append(("Gaps.", f"Passes that show nothing: {'; '.join(lost)}. Of those times nothing is known."))
    if not result.complete:
        lines.append(
            ("Not complete.", "A source failed or answered in part; what is missing may have shown something.")
        )
    return lines


def render_series(result: SeriesResult, picture: bytes) -> str:
    """Return the page; the same series gives the same text.

    Parameters
    ----------
    result
        The series.
    picture
        series.png.
    """
    style = Markup(_style())  # noqa: S704 - our own files
    recipe = result.recipe
    return (
        environment()
        .get_template("series.html.j2")
        .render(
            style=style,
            policy=_policy(style),
            name=result.ground.aoi.name,
            start=f"{recipe.start}",
            end=f"{recipe.end}",
            simulated=SIMULATED if result.simulated else None,
            attribution=None if result.simulated else f"{ATTRIBUTION} {years(result)}",
            caveats=_caveats(result),
            summary=honest_line(result),
            used=[used_of(one) for one in result.series],
            picture=_uri(picture),
            zones=[_zone_view(zone, result) for zone in result.zones],
            objects=_object_views(result),
            passes=_pass_views(result),
            method=METHOD,
            limits=LIMITS,
            warnings=result.warnings,
            command=series_command(recipe),
            software=software(),
        )
    )
