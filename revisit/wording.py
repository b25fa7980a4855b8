"""The sentences about a run: the same words in the pictures, in the report and wherever else a person reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from detect.series import MIN_DATES
from revisit.flags import SIMULATED as SIMULATED_NOTE
from revisit.ground import outline_note
from revisit.radar_dates import LEAST_SHIFT_PX
from revisit.result import AlignmentRecord, Flag, Result
from revisit.symbols import SIMULATED
from revisit.witnessed import sensor_head, window_of

BEYOND_CHANCE = 0.1
"""A flag of which chance would give fewer than this many in the searched ground is called beyond chance."""

AREAS_UNCALIBRATED = "areas have no probability here, since their thresholds did not hold on all earlier dates"

DECIBELS = 10 / math.log(10)
"""Decibels of a natural logarithm of power."""

_SENSORS = {"s2": "Sentinel-2 MSI (optical)", "s1": "Sentinel-1 C-band radar"}

_KNOWN_OBJECTS = (
    ("Grigorovich class frigate", 124.8, 15.2),
    ("Kilo class submarine", 73.8, 9.9),
    ("An-124 transport", 69.1, 73.3),
    ("Il-76 transport", 46.6, 50.5),
    ("Su-24 strike aircraft", 22.5, 17.6),
    ("Ka-52 helicopter, with rotors", 16.0, 14.5),
    ("S-400 launcher vehicle", 13.0, 3.1),
)
"""Name, length and width over all (span, rotor), metres, as published for the type."""


@dataclass(frozen=True, kw_only=True)
class PixelSize:
    """How large a known object is in the pixels of a run."""

    name: str
    length_m: float
    width_m: float
    length_px: float
    width_px: float
    meaning: str


def stamp(moment: datetime) -> str:
    """Return a time as in "2017-10-03 08:23 UTC"; `moment` is aware and in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number in at most `digits` significant digits, no exponent above one; "not known" for None and NaN."""
    if value is None or not math.isfinite(value):
        return "not known"
    return f"{value:.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 in percent, never rounded up to 100 nor down to 0."""
    if share is None or not math.isfinite(share):
        return "not known"
    if 0 < share < 0.01:
        return "under 1 %"
    return f"{min(round(share * 100), 99) if share < 1 else 100} %"


def decimals(value: float, places: int = 2) -> str:
    """Return a number with so many decimals; "not known" for NaN."""
    return f"{value:.{places}f}" if math.isfinite(value) else "not known"


def contrast_words(contrast: float | None, sensor: str) -> str:
    """Return a flag's contrast in its unit: reflectance, or dB of radar, whose `contrast` is ln(after / before)."""
    if contrast is None or not math.isfinite(contrast):
        return "not known"
    # Adding zero to a rounded number turns -0.0 into 0.0.
    value, places, unit = (contrast * DECIBELS, 1, " dB") if sensor == "s1" else (contrast, 3, "")
    rounded = round(value, places) + 0.0
    return f"{rounded:{'+' if rounded else ''}.{places}f}{unit}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as "1 change" or "7 changes"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def plural_of(amount: float, noun: str) -> str:
    """Return a rough amount with its noun, such as "0.1 flags" or "1 flag"."""
    written = number(amount, 2)
    return f"{written} {noun}{'' if written == '1' else 's'}"


def attribution(result: Result) -> str:
    """Return whose data the pictures are made of."""
    if result.simulated:
        return SIMULATED
    years = sorted({raster.acquired.year for part in result.parts for raster in (part.before, part.after)})
    return f"Contains modified Copernicus Sentinel data {', '.join(map(str, years))}"


def sensor_words(result: Result) -> str:
    """Return sensor, platforms, pixel spacing and CRS in a line."""
    whose = " and ".join(_one_sensor(part) for part in result.parts)
    return f"{whose}; pixels of {result.grid.gsd:g} m; {result.grid.crs}"


def _one_sensor(result: Result) -> str:
    """Return a sensor with its platforms."""
    used = {scene_id for raster in (result.before, result.after) for scene_id in raster.scene_ids}
    platforms = sorted({r.scene.platform for r in result.scenes if r.scene.id in used and r.scene.platform})
    sensors = {r.scene.sensor for r in result.scenes} or {result.recipe.sensor}
    names = " and ".join(_SENSORS.get(sensor, sensor) for sensor in sorted(sensors))
    whose = f" ({', '.join(platforms)})" if platforms else ""
    return f"{names}{whose}"


def title(result: Result) -> str:
    """Return the headline of a run."""
    return f"{result.aoi.name}: {result.before.acquired:%Y-%m-%d} compared with {result.after.acquired:%Y-%m-%d}"


def by_chance(result: Result) -> float:
    """Return how many flags chance alone was asked to give on the ground that was searched, by all sensors."""
    return sum(part.recipe.false_alarms_per_km2 * part.searched_km2 for part in result.parts)


def why_uncalibrated(result: Result) -> str | None:
    """Return why nothing is known of how often chance gives a flag; None where that was measured."""
    dates, asked = result.baseline_dates, result.recipe.baseline
    if result.change.calibrated:
        return None
    if not asked:
        return "two dates alone were asked for, and they do not tell how often unchanged ground looks changed"
    if dates < MIN_DATES:
        used = f"{plural(dates, 'earlier date') if dates else 'no earlier date'} of the same orbit could be used"
        used = f"only {plural(asked, 'earlier date')} were asked for" if asked < MIN_DATES else used
        return f"{used}, and at least {MIN_DATES} are needed to tell how often unchanged ground looks changed"
    if result.obstacle:
        return f"the {dates} earlier dates do not tell how often unchanged ground looks changed: {result.obstacle}"
    return (
        f"the thresholds learned on some of the {dates} earlier dates did not hold on the others, so that it is not"
        " known how often unchanged ground looks changed"
    )


def areas_uncalibrated(result: Result) -> bool:
    """Return whether the areas of a calibrated run have no probability: their rate did not hold on earlier dates."""
    areas = result.change.areas
    known, searched = np.isfinite(areas.p_value).any(), np.isfinite(areas.threshold).any()
    return bool(result.change.calibrated and searched and not known)


def beyond_chance(result: Result) -> int:
    """Return how many flags are beyond chance: fewer than `BEYOND_CHANCE` such were to be expected."""
    expected = (flag.object.false_alarms for flag in result.flags)
    return sum(count is not None and count < BEYOND_CHANCE for count in expected)


def summary(result: Result) -> str:
    """Return the outcome in one sentence; "no change" is said of ground that was valid on both dates only."""
    if result.other is not None:
        told = (f"{sensor_head(part)}, {window_of(part)}: {summary(part)}" for part in result.parts)
        return " ".join((*told, _agreed(result)))
    if not result.searched_km2 > 0:
        return "Nothing could be compared: none of the searched ground is valid on both dates."
    ground = f"{number(result.searched_km2)} km² of searched ground that is valid on both dates"
    if not result.flags:
        return f"No change reached the threshold on {ground}."
    signs = [flag.object.change for flag in result.flags]
    parts = [f"{signs.count(sign)} {sign}" for sign in ("appeared", "vanished", "altered") if sign in signs]
    known = "" if result.change.calibrated else ", uncalibrated"
    return f"{plural(len(signs), 'change')} flagged ({', '.join(parts)}) on {ground}{known}."


def agreed(result: Result) -> int:
    """Return how many flags of the first of two sensors the other agrees with."""
    return sum(flag.witness is not None and flag.witness.outcome == "agrees" for flag in result.parts[0].flags)


def _agreed(result: Result) -> str:
    """Say how far two sensors agree."""
    count = agreed(result)
    if not count:
        return "No flag of one sensor agrees with one of the other."
    return f"Radar agrees with {plural(count, 'optical flag')}."


def flag_notes(flag: Flag, result: Result) -> tuple[str, ...]:
    """Return a flag's notes without what the page says of every flag, its zone's outline in short."""
    zone = next((zone for zone in result.aoi.zones if zone.name == flag.zone), None)
    full = outline_note(zone) if zone else None
    within = "of unknown accuracy" if zone is None or zone.accuracy_m is None else f"within {zone.accuracy_m:g} m"
    notes = [note for note in flag.notes if note not in (full, SIMULATED_NOTE)]
    return (*notes, f"the zone's outline is an estimate, {within}") if full in flag.notes else tuple(notes)


def pixel_sizes(gsd: float) -> tuple[PixelSize, ...]:
    """Return how large known objects are in pixels of `gsd` metres."""
    return tuple(
        PixelSize(
            name=name,
            length_m=length,
            width_m=width,
            length_px=length / gsd,
            width_px=width / gsd,
            meaning=_pixel_meaning(length / gsd, width / gsd),
        )
        for name, length, width in _KNOWN_OBJECTS
    )


def _pixel_meaning(length_px: float, width_px: float) -> str:
    """Say what a picture can show of an object of so many pixels."""
    if min(length_px, width_px) >= 4:
        return "a shape of several pixels: presence and size, not the type"
    if max(length_px, width_px) >= 4:
        return "a streak: presence and length, not the type"
    if max(length_px, width_px) >= 2:
        return "a few mixed pixels: presence and a rough size at best"
    return "a pixel or two, mixed with the ground: at most a change of brightness"


def shift_left(record: AlignmentRecord, result: Result) -> bool:
    """Return whether a date was left where it lay: a radar date is not resampled for a few hundredths of a pixel."""
    return result.sensor == "s1" and math.hypot(*record.shift_px) < LEAST_SHIFT_PX


def method_steps(result: Result) -> tuple[str, ...]:
    """Return how the run came to its flags, in plain words."""
    optical = result.sensor == "s2"
    light = (
        "What changed everywhere alike (light, haze, season) was predicted from the other date and taken off."
        if optical
        else "Brightness was compared as a ratio, because radar noise grows with the signal."
    )
    lost = "cloud, shadow and missing pixels" if optical else "missing pixels"
    way = "half of it on each date" if optical else f"where it was {LEAST_SHIFT_PX:g} px or more"
    dates = result.baseline_dates
    learned = f"How much unchanged ground differs was learned, place by place, from {dates} earlier dates of one orbit."
    usual = [learned] if dates >= MIN_DATES else []
    return (
        f"Both scenes were brought to physical units on one grid; {lost} were left out.",
        f"The shift between the dates was measured to a fraction of a pixel and taken out, {way}.",
        light,
        *usual,
        "What was left was looked at twice: once for objects of about a pixel, once for areas of tens of metres.",
        "Places where the statistic reaches the threshold were joined to flags, on the searched ground only.",
    )
