"""The picture of a series: zone by zone, both sensors on one axis of time, gaps as gaps.

Colours are of the palette of M. Okabe and K. Ito, whose pairs all colour visions tell apart; the two sensors differ by
their marks as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from PIL import Image, ImageDraw

from revisit.drawing import drawable, font, shortened
from revisit.manifest import ATTRIBUTION
from revisit.series_dates import window_of
from revisit.series_result import ChangeRecord, Gap, SeriesResult, ZoneDate
from revisit.series_words import SENSORS, years
from revisit.symbols import SIMULATED

WIDTH, LEFT, RIGHT, TOP, FOOT = 1600, 250, 30, 92, 96
HEAD, PLOT, LANE, SPACE = 30, 96, 12, 26
"""Heights of a zone's strip of changes, of its axis of counts, of a track's lane of passes, and below, pixels."""
PAPER, INK, SOFT, LINE, GAP_FILL, GAP_LINE = "#ffffff", "#15191e", "#5b636d", "#d3d7dc", "#f1f1ee", "#b9bcb4"
WARNING, FAINT = "#7a0f2b", "#efe3e6"
COLOURS = {"s2": "#0072b2", "s1": "#d55e00"}
LIGHT = {"s2": "#9cc9e3", "s1": "#f3bd97"}
SHADES = (("#d55e00", "#f3bd97"), ("#7b3200", "#c9a78f"), ("#cc79a7", "#ecc9dc"), ("#8a6d00", "#d9cb8f"))
"""Of radar tracks: they see the same ground from other sides, and are not one series."""
MOST_TICKS = 12
STEPS_DAYS = (1, 2, 5, 7, 14, 30, 61, 91, 183, 365)


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """From time and count to the picture."""

    start: datetime
    end: datetime
    most: int
    top: float
    """Of the counts' part of the panel."""

    def x(self, moment: datetime) -> float:
        """Return where a moment stands."""
        share = (moment - self.start) / (self.end - self.start)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def y(self, count: float) -> float:
        """Return where a count stands."""
        return self.top + PLOT - 10 - count / max(self.most, 1) * (PLOT - 20)

    def ticks(self) -> list[datetime]:
        """Return the days that are named."""
        days = max((self.end - self.start).days, 1)
        step = next((s for s in STEPS_DAYS if days / s <= MOST_TICKS), STEPS_DAYS[-1])
        first = datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)
        moments = [first + timedelta(days=k * step) for k in range(days // step + 2)]
        return [moment for moment in moments if self.start <= moment <= self.end]


def _hatched(draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float]) -> None:
    """Fill a box with slanting lines: nothing is known here."""
    left, top, right, bottom = box
    if right - left < 1:
        return
    draw.rectangle(box, fill=GAP_FILL)
    height = bottom - top
    at = left - height
    while at < right:
        start, end = max(at, left), min(at + height, right)
        if end > start:
            draw.line([(start, bottom - (start - at)), (end, bottom - (end - at))], fill=GAP_LINE, width=1)
        at += 9
    draw.rectangle(box, outline=GAP_LINE, width=1)


@dataclass(frozen=True, kw_only=True)
class _Ink:
    """How a track is drawn."""

    sensor: str
    dark: str
    light: str


def _inks(result: SeriesResult) -> dict[int, _Ink]:
    """Return how each track is drawn: radar tracks each in a shade of their own."""
    inks, radar = {}, 0
    for number, one in enumerate(result.series):
        sensor = one.stack.sensor
        dark, light = (COLOURS[sensor], LIGHT[sensor]) if sensor == "s2" else SHADES[radar % len(SHADES)]
        radar += sensor == "s1"
        inks[number] = _Ink(sensor=sensor, dark=dark, light=light)
    return inks


def _mark(draw: ImageDraw.ImageDraw, x: float, y: float, ink: _Ink, size: float = 5.0) -> None:
    """Draw a date: a disc for optical, a square for radar."""
    box = (x - size, y - size, x + size, y + size)
    if ink.sensor == "s2":
        draw.ellipse(box, fill=ink.dark, outline=PAPER)
    else:
        draw.rectangle(box, fill=ink.dark, outline=PAPER)


def _count(row: ZoneDate) -> tuple[float, float, float] | None:
    """Return least, most likely and most objects of a row; None where there are none to show."""
    return None if row.objects is None else (float(row.objects[0]), float(row.objects[1]), float(row.objects[2]))


def _gap_bands(
    draw: ImageDraw.ImageDraw, gaps: Sequence[Gap], lanes: dict[int, int], axis: _Axis, bottom: float
) -> None:
    """Draw the gaps of each track in a lane of its own below the counts."""
    for gap in gaps:
        top = bottom + 4 + LANE * lanes[gap.series]
        _hatched(draw, (axis.x(gap.start), top, axis.x(gap.end), top + 9))


def _series(draw: ImageDraw.ImageDraw, rows: Sequence[ZoneDate], gaps: Sequence[Gap], axis: _Axis, ink: _Ink) -> None:
    """Draw the counts of one track: steps between neighbouring dates, broken at gaps, with their ranges."""
    broken = {(gap.start, gap.end) for gap in gaps}
    seen = [(row, count) for row in rows if row.seen and (count := _count(row)) is not None]
    for (one, first), (two, second) in pairwise(seen):
        if (one.acquired, two.acquired) in broken:
            continue
        left, right, middle = (
            axis.x(one.acquired),
            axis.x(two.acquired),
            axis.x(one.acquired + (two.acquired - one.acquired) / 2),
        )
        points = [
            (left, axis.y(first[1])),
            (middle, axis.y(first[1])),
            (middle, axis.y(second[1])),
            (right, axis.y(second[1])),
        ]
        draw.line(points, fill=ink.light, width=3)
    for row, (least, likely, most) in seen:
        x = axis.x(row.acquired)
        if most > least:
            draw.line([(x, axis.y(least)), (x, axis.y(most))], fill=ink.dark, width=2)
            for end in (least, most):
                draw.line([(x - 4, axis.y(end)), (x + 4, axis.y(end))], fill=ink.dark, width=2)
        _mark(draw, x, axis.y(likely), ink)
        if row.odd:
            draw.ellipse((x - 9, axis.y(likely) - 9, x + 9, axis.y(likely) + 9), outline=INK, width=2)


def _changes(draw: ImageDraw.ImageDraw, changes: Sequence[ChangeRecord], result: SeriesResult, axis: _Axis) -> None:
    """Draw the times between which something came (up) or left (down), above the counts."""
    spans: dict[tuple[datetime, datetime, str, int], list[ChangeRecord]] = {}
    for change in changes:
        spans.setdefault((change.after, change.before, change.kind, change.series), []).append(change)
    inks = _inks(result)
    for (after, before, kind, number), some in spans.items():
        ink = inks[number]
        y = axis.top - (22 if kind == "arrival" else 8)
        left, right = axis.x(after), axis.x(before)
        sure = any(change.sure for change in some)
        draw.line([(left + 2, y), (right - 2, y)], fill=ink.dark, width=3 if sure else 1)
        middle, up = (left + right) / 2, kind == "arrival"
        shift = -4 if ink.sensor == "s2" else 4
        tip, base = (y - 6, y + 5) if up else (y + 6, y - 5)
        middle += shift
        draw.polygon([(middle, tip), (middle - 6, base), (middle + 6, base)], fill=ink.dark, outline=PAPER)
        if len(some) > 1:
            draw.text((middle + 9, y), str(len(some)), fill=INK, font=font(13), anchor="lm")


def _passes(draw: ImageDraw.ImageDraw, rows: Sequence[ZoneDate], axis: _Axis, *, y: float, ink: _Ink) -> None:
    """Draw every pass of a track in its lane: a stroke where it shows the zone, a cross where it does not."""
    for row in rows:
        x = axis.x(row.acquired)
        if row.seen:
            draw.line([(x, y - 4), (x, y + 4)], fill=ink.dark, width=2)
        else:
            for side in (-1, 1):
                draw.line([(x - 4, y - 4 * side), (x + 4, y + 4 * side)], fill=INK, width=2)


def _panel(draw: ImageDraw.ImageDraw, zone: tuple[str, str], result: SeriesResult, axis: _Axis) -> None:
    """Draw one zone."""
    name, kind = zone
    rows = [row for row in result.rows if row.zone == name]
    gaps = [gap for gap in result.gaps if gap.zone == name]
    bottom = axis.top + PLOT
    draw.text((20, axis.top + 12), shortened(drawable(name), 18, LEFT - 70), fill=INK, font=font(18), anchor="lm")
    draw.text((20, axis.top + 36), kind, fill=SOFT, font=font(14), anchor="lm")
    draw.rectangle((LEFT, axis.top, WIDTH - RIGHT, bottom), outline=LINE)
    if result.simulated:
        draw.text((20, axis.top + 62), "SIMULATED", fill=WARNING, font=font(18), anchor="lm")
        draw.text(((LEFT + WIDTH) / 2, axis.top + PLOT / 2), "SIMULATED", fill=FAINT, font=font(60), anchor="mm")
    for count in sorted({0, axis.most // 2, axis.most}):
        draw.line([(LEFT - 5, axis.y(count)), (LEFT, axis.y(count))], fill=SOFT)
        draw.text((LEFT - 9, axis.y(count)), str(count), fill=SOFT, font=font(13), anchor="rm")
    for moment in axis.ticks():
        draw.line([(axis.x(moment), axis.top), (axis.x(moment), bottom)], fill=LINE)
    numbers, inks = sorted({row.series for row in rows}), _inks(result)
    lanes = {number: lane for lane, number in enumerate(numbers)}
    for number in numbers:
        own, holes = [r for r in rows if r.series == number], [g for g in gaps if g.series == number]
        if inks[number].sensor == "s2":
            for gap in holes:
                _hatched(draw, (axis.x(gap.start) + 1, axis.top + 1, axis.x(gap.end) - 1, bottom - 1))
        _gap_bands(draw, holes, lanes, axis, bottom)
        y = bottom + 8.5 + LANE * lanes[number]
        _passes(draw, own, axis, y=y, ink=inks[number])
        draw.text((LEFT - 9, y), result.series[number].stack.name, fill=inks[number].dark, font=font(11), anchor="rm")
    for number in numbers:
        own, holes = [r for r in rows if r.series == number], [g for g in gaps if g.series == number]
        _series(draw, own, holes, axis, inks[number])
    _changes(draw, [change for change in result.changes if change.object.lies_in(name)], result, axis)


def _legend(draw: ImageDraw.ImageDraw, y: float, result: SeriesResult) -> None:
    """Explain the marks, in two lines."""
    x, inks = 20.0, _inks(result)
    for sensor in dict.fromkeys(ink.sensor for ink in inks.values()):
        own = [ink for ink in inks.values() if ink.sensor == sensor]
        for ink in own:
            _mark(draw, x + 5, y, ink)
            x += 14
        each = ", each track by itself" if len(own) > 1 else ""
        text = f"{SENSORS[sensor]}{each}: objects that came or went, with 95 % range"
        draw.text((x + 4, y), text, fill=INK, font=font(15), anchor="lm")
        x += 26 + font(15).getlength(text)
    x, y = 20.0, y + 26
    draw.polygon([(x + 6, y - 6), (x, y + 5), (x + 12, y + 5)], fill=SOFT)
    draw.polygon([(x + 24, y + 6), (x + 18, y - 5), (x + 30, y - 5)], fill=SOFT)
    words = (
        (38, "came, left: between the ends of the line"),
        (330, "strokes below: passes;  x: a pass without a view"),
        (690, ""),
    )
    for shift, text in words:
        draw.text((x + shift, y), text, fill=INK, font=font(15), anchor="lm")
    _hatched(draw, (x + 690, y - 7, x + 722, y + 7))
    draw.text((x + 730, y), "gap: nothing is known of it", fill=INK, font=font(15), anchor="lm")
    draw.ellipse((x + 960, y - 8, x + 976, y + 8), outline=INK, width=2)
    draw.text((x + 984, y), "ground more restless than on the zone's other dates", fill=INK, font=font(15), anchor="lm")


def series_picture(result: SeriesResult) -> Image.Image:
    """Return the picture of a series.

    Parameters
    ----------
    result
        The series; zones stand below one another in their order.
    """
    window = window_of(result.recipe)
    zones = result.zones
    panel = HEAD + PLOT + LANE * len(result.series) + SPACE
    picture = Image.new("RGB", (WIDTH, TOP + panel * len(zones) + FOOT), PAPER)
    draw = ImageDraw.Draw(picture)
    head = f"{drawable(result.ground.aoi.name)}: what came and went, {result.recipe.start} to {result.recipe.end}"
    draw.text((20, 22), shortened(head, 24, WIDTH - 40), fill=INK, font=font(24), anchor="lm")
    for k, zone in enumerate(zones):
        rows = [row for row in result.rows if row.zone == zone[0]]
        most = max((row.objects[2] for row in rows if row.objects is not None), default=0)
        top = TOP + panel * k + HEAD
        axis = _Axis(start=window.start, end=window.end, most=max(most, 2), top=top)
        _panel(draw, zone, result, axis)
        if k == 0:
            for moment in axis.ticks():
                draw.text((axis.x(moment), TOP - 26), f"{moment:%d %b %Y}", fill=SOFT, font=font(13), anchor="mm")
    _legend(draw, picture.height - FOOT + 26, result)
    notice = SIMULATED if result.simulated else f"{ATTRIBUTION} {years(result)}"
    draw.text((20, picture.height - 14), notice, fill=SOFT, font=font(13), anchor="lm")
    return picture
