"""What a reader must know before the flags of a run, gravest first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from revisit.flags import SIMULATED as SIMULATED_NOTE
from revisit.ground import outline_note, outline_warnings
from revisit.radar_dates import LEAST_SHIFT_PX
from revisit.result import AlignmentRecord, Result
from revisit.witnessed import sensor_head
from revisit.wording import (
    AREAS_UNCALIBRATED,
    BEYOND_CHANCE,
    areas_uncalibrated,
    beyond_chance,
    by_chance,
    decimals,
    number,
    percent,
    plural,
    plural_of,
    shift_left,
    why_uncalibrated,
)


@dataclass(frozen=True, kw_only=True)
class Caveat:
    """What a reader must know before the flags."""

    head: str
    """The statement."""
    text: str
    """Its reason and reach."""


def _together(result: Result) -> list[Caveat]:
    """Say what two sensors in one run mean."""
    if result.other is None:
        return []
    rate = number(result.recipe.false_alarms_per_km2)
    text = (
        f"Each was given half of the flags by chance that were asked for, {rate} per km². Their dates differ, so that"
        " they need not have seen the same things; where both flag one change, their likelihood ratios are multiplied,"
        " as if their noise were independent. How often radar sees an object rests on assumed cross-sections."
    )
    return [Caveat(head="Two sensors looked, each on dates of its own.", text=text)]


def _of_sensor(result: Result, named: bool) -> list[Caveat]:
    """Return what limits one sensor's part, with its name where there are two."""
    found = [_calibration(result), *_validity(result), _shift(result)]
    return [replace(one, head=f"{sensor_head(result)}: {one.head}") for one in found] if named else found


def _calibration(result: Result) -> Caveat:
    """Say how far the thresholds can be believed."""
    rate, ground = result.recipe.false_alarms_per_km2, result.searched_km2
    asked = f"{number(rate)} per km² asked for, on {number(ground)} km² of searched ground"
    chance = f"about {plural_of(by_chance(result), 'such flag')}"
    reason = why_uncalibrated(result)
    if reason is None:
        beyond = f"{plural(beyond_chance(result), 'flag')} beyond chance: fewer than {BEYOND_CHANCE:g} such expected."
        text = f"That is the rate of {asked}, measured on {result.baseline_dates} earlier dates. {beyond}"
        if areas_uncalibrated(result):
            text += f" {AREAS_UNCALIBRATED[0].upper()}{AREAS_UNCALIBRATED[1:]}: it speaks of objects."
        return Caveat(head=f"Chance alone would give {chance}.", text=text)
    text = (
        f"{reason[0].upper()}{reason[1:]}. At the rate of {asked}, chance would give {chance}; it may give more. "
        "No flag has a probability."
    )
    return Caveat(head="Uncalibrated: how often chance gives a flag is not known.", text=text)


def _validity(result: Result) -> list[Caveat]:
    """Say how much ground could be compared, and how much of it is doubted."""
    share = result.searched_valid_share
    lost = "cloud, shadow, missing" if result.sensor == "s2" else "missing"
    text = f"The rest is {lost} or outside a scene on at least one date; nothing is said about it."
    head = f"{percent(share)} of the searched ground is valid on both dates."
    found = [Caveat(head=head, text="" if share == 1 else text)]
    valid = result.change.valid
    doubted = (result.before.uncertain | result.after.uncertain) & valid
    if doubted.any():
        head = f"Uncertain: {percent(float(doubted.sum() / valid.sum()))} of the valid ground in the picture."
        text = "The provider's classification calls it cloud, shadow or snow on one date; it was used all the same."
        found.append(Caveat(head=head, text=text))
    return found


def _shift(result: Result) -> Caveat:
    """Say how far the dates lay apart, and how well that is known."""
    records = [record for record in result.alignments if record.scene_id in result.after.scene_ids]
    if not records:
        text = "Edges of unchanged things may be flagged."
        return Caveat(head="The two dates were not moved onto each other.", text=text)
    told = " ".join(_one_shift(record, result.grid.gsd) for record in records)
    rest = "what is left of it shows as pairs of a bright and a dark edge."
    if all(shift_left(record, result) for record in records):
        return Caveat(
            head="The two dates were compared as they lay.",
            text=f"{told} Under {LEAST_SHIFT_PX:g} px nothing is moved; {rest}",
        )
    return Caveat(head="The two dates did not lie exactly on each other.", text=f"{told} It was taken out; {rest}")


def _one_shift(record: AlignmentRecord, gsd: float) -> str:
    """Say one scene's shift in pixels and metres."""
    (rows, cols), (row_error, col_error) = record.shift_px, record.standard_error_px
    along_rows = f"{rows:+.2f} px (±\u00a0{decimals(row_error, 3)}) in rows"
    along_cols = f"{cols:+.2f} px (±\u00a0{decimals(col_error, 3)}) in columns"
    total = f"{math.hypot(rows, cols) * gsd:.1f} m in all"
    return f"To lie on the before scene, the after scene had to move {along_rows} and {along_cols}, {total}."


def _meaning(result: Result) -> Caveat:
    """Say what a flag is not."""
    return Caveat(
        head="A flag says that the ground looks different, not what is there.",
        text=f"Type, owner and purpose cannot be read from pixels of {result.grid.gsd:g} m; neither can what happened "
        "between the two dates.",
    )


def _outlines(result: Result) -> list[Caveat]:
    """Say in one line what the warnings say of each zone whose outline is rough."""
    zones = result.aoi.zones
    rough = [zone for zone in zones if outline_note(zone)]
    if not rough:
        return []
    stated = [zone.accuracy_m for zone in rough if zone.accuracy_m is not None]
    reach = f"They may be off by up to {max(stated):g} m" if stated else "How far they are off is not stated"
    unknown = (
        f", {plural(len(rough) - len(stated), 'zone')} by an unknown distance" if 0 < len(stated) < len(rough) else ""
    )
    text = (
        f"{reach}{unknown}; a flag near the edge of a zone may belong elsewhere. The table of zones names the sources."
    )
    return [Caveat(head=f"The outlines of {len(rough)} of {plural(len(zones), 'zone')} are estimates.", text=text)]


def caveats(result: Result) -> tuple[Caveat, ...]:
    """Return what limits the run, gravest first, the run's own warnings last."""
    named = result.other is not None
    found = [*_together(result), *(one for part in result.parts for one in _of_sensor(part, named))]
    found += [_meaning(result), *_outlines(result)]
    if not result.complete:
        text = "Another scene might have been compared, had it answered in full."
        found.insert(0, Caveat(head="The source answered in part.", text=text))
    said = {SIMULATED_NOTE, *map(outline_note, result.aoi.zones), *outline_warnings(result.aoi)}
    return (*found, *(Caveat(head="Warning.", text=text) for text in result.warnings if text not in said))
