"""The looks of a check on a line of time, as numbers for an inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from revisit.check import CheckedArea, Dossier
from revisit.claims import Claim
from revisit.evidence import Evidence, Look, window

WIDTH, LEFT, RIGHT, ROW, HEAD = 1000.0, 90.0, 20.0, 26.0, 34.0
"""Units of the drawing: its width, the room left and right of the line, the height of a row and of the axis."""
DAY = 90.0
"""Width of a day's name, which must not stick out."""
STEPS_DAYS = (1, 2, 5, 10, 30, 90, 365)
MOST_TICKS = 9


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """From time to place."""

    start: datetime
    end: datetime

    def x(self, moment: datetime) -> float:
        """Return where a moment stands."""
        share = (moment - self.start) / (self.end - self.start)
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self) -> list[dict[str, Any]]:
        """Return days to be named below the line."""
        days = (self.end - self.start).days
        step = next((s for s in STEPS_DAYS if days / s <= MOST_TICKS), STEPS_DAYS[-1])
        first = datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC) + timedelta(days=1)
        moments = (first + timedelta(days=k * step) for k in range(days // step + 1))
        named = ((self.x(moment), f"{moment:%Y-%m-%d}") for moment in moments if moment <= self.end)
        return [{"x": x, "day": day} for x, day in named if x <= WIDTH - DAY / 2]


def _marks(looks: Sequence[Look], axis: _Axis) -> list[dict[str, Any]]:
    """Return the looks of a claim."""
    return [
        {
            "x": axis.x(look.acquired),
            "usable": look.usable,
            "radar": look.sensor == "s1",
            "title": f"{look.acquired:%Y-%m-%d %H:%M} UTC, {look.scene}: {describe(look)}",
        }
        for look in looks
    ]


def describe(look: Look) -> str:
    """Return in a few words what a look was worth."""
    if look.rejected is not None:
        return look.rejected
    return f"{100 * look.valid_share:.0f} % of the place valid" + ("" if look.usable else ": too little")


def _row(claim: Claim, evidence: Evidence, at: int, axis: _Axis, scenes: dict[str, datetime]) -> dict[str, Any]:
    """Return a claim's row: its window, its looks and what they were held against."""
    start, end = window(claim)
    looks = [*evidence.looks, *evidence.later]
    return {
        "id": claim.id,
        "y": HEAD + ROW * at,
        "left": axis.x(start),
        "width": round(max(axis.x(end) - axis.x(start), 2.0), 1),
        "looks": _marks(looks, axis),
        "references": [{"x": axis.x(scenes[name]), "title": name} for name in evidence.references if name in scenes],
    }


def timeline(one: CheckedArea, dossier: Dossier) -> dict[str, Any] | None:
    """Return the drawing of an area's claims and looks; None where no claim was looked at."""
    told = [(claim, dossier.gathered[claim.id].evidence) for claim in one.area.claims if claim.id in dossier.gathered]
    if not told:
        return None
    scenes = {scene.id: scene.acquired for scene in one.scenes}
    moments = [moment for claim, _ in told for moment in window(claim)]
    moments += [scenes[name] for _, e in told for name in e.references if name in scenes]
    moments += [look.acquired for _, e in told for look in e.later]
    axis = _Axis(start=min(moments) - timedelta(days=1), end=max(moments) + timedelta(days=1))
    rows = [_row(claim, evidence, at, axis, scenes) for at, (claim, evidence) in enumerate(told)]
    height = HEAD + ROW * len(rows)
    return {"where": one.area.where, "width": WIDTH, "height": height, "rows": rows, "ticks": axis.ticks()}
