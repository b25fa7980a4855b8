"""What the report of a run of two sensors shows beside that of one: the radar's pictures, and each flag's witness."""

from __future__ import annotations

from itertools import islice
from typing import Any

from revisit.picture import png_bytes, shades, shared_stretch, statistic_shades
from revisit.report_map import data_uri, embedded, likeness_view
from revisit.report_view import MOST_CHIPS, flag_view
from revisit.result import Flag, Result
from revisit.seen import seen_groups
from revisit.witnessed import SENSOR_WORDS, other_cell, ratio_words
from revisit.wording import attribution, stamp


def radar_pictures(result: Result) -> dict[str, Any] | None:
    """Return the radar's dates and statistics as parts of the page; None where one sensor looked."""
    radar = result.other
    if radar is None:
        return None
    stretch, words = shared_stretch((radar.before, radar.after)), attribution(radar)
    scales = {"object": radar.change.objects, "area": radar.change.areas}
    return {
        "before": embedded(shades(radar.before, stretch), words)[0],
        "after": embedded(shades(radar.after, stretch), words)[0],
        "before_at": stamp(radar.before.acquired),
        "after_at": stamp(radar.after.acquired),
        "statistic": {name: data_uri("png", png_bytes(statistic_shades(one), words)) for name, one in scales.items()},
        "stretch": stretch.description,
    }


def _pictures_of(flag: Flag, part: Result, *, both: bool) -> dict[str, Any]:
    """Return which of the page's pictures a flag's chips are cut from: its own sensor's, then the other's."""
    radar = both and part.sensor == "s1"
    own, other = ("radar", "picture") if radar else ("picture", "radar")
    name = "optical" if radar else "radar"
    beside = [(f"{other}-{role}", f"{name}, {role}") for role in ("before", "after")] if both else []
    return {
        "own": own,
        "statistic_id": f"statistic-{'radar-' if radar else ''}{flag.object.scale}",
        "beside": [{"picture": picture, "name": words} for picture, words in beside],
    }


def _witness(flag: Flag, part: Result) -> dict[str, str]:
    """Return a flag's sensor and what the other one adds, as texts."""
    witness = flag.witness
    if witness is None:
        return {"sensor": SENSOR_WORDS[part.sensor], "other": "", "alone": "", "both": ""}
    return {
        "sensor": SENSOR_WORDS[part.sensor],
        "other": other_cell(witness),
        "alone": ratio_words(witness.ratio),
        "both": ratio_words(witness.combined),
    }


def flag_views(result: Result) -> list[dict[str, Any]]:
    """Return what is shown of the flags of all sensors; the first ones have the picture of a known object."""
    both = result.other is not None
    told = [(flag, part) for flag, part in result.each_flag()]
    views = [
        flag_view(flag, part) | _pictures_of(flag, part, both=both) | {"witness": _witness(flag, part)}
        for flag, part in told
    ]
    stretches = {part.sensor: shared_stretch((part.before, part.after)) for part in result.parts}
    for view, (flag, part) in zip(views, islice(told, MOST_CHIPS), strict=False):
        view["like"] = likeness_view(flag, part, stretches[part.sensor])
    return views


def seen_table(result: Result) -> list[dict[str, Any]]:
    """Return what could have been seen as texts: of each object, a row for each sensor and kind of ground."""
    return seen_groups({SENSOR_WORDS[part.sensor]: part.detectability for part in result.parts})


def methods(result: Result) -> str:
    """Return how changes were looked for, of two sensors each in turn."""
    if result.other is None:
        return result.change.method
    return "; ".join(f"{SENSOR_WORDS[part.sensor]}: {part.change.method}" for part in result.parts)
