"""What the report of a check shows, as plain texts and numbers: the template does no arithmetic."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from PIL import Image

from detect.targets import object_class
from revisit.check import Dossier
from revisit.claims import Claim
from revisit.comparing import Compared, rate_for
from revisit.evidence import Look, Verdict, coverage
from revisit.gathering import Gathered
from revisit.ground import outline_note
from revisit.mapframe import Line, bar_length, metres, outline, pixel_geometry
from revisit.picture import png_bytes, shades, shared_stretch
from revisit.report_map import data_uri
from revisit.report_view import svg_path
from revisit.result import Result
from revisit.timeline import describe
from revisit.wording import attribution, number, plural, stamp

OUTCOMES = ("supported", "contradicted", "inconclusive", "not observable", "insufficient imagery")
MEANINGS = {
    "supported": "what was seen is consistent with it, and chance or noise hardly explains it",
    "contradicted": "what it says would have been seen, and was not",
    "inconclusive": "what was seen decides neither way",
    "not observable": "no image of this kind can show it, whatever is true",
    "insufficient imagery": "there is no clear image at the right time",
}
_WORDS = {
    "is consistent with": ("supported",),
    "contradicts": ("contradicted",),
    "cannot tell on": ("inconclusive", "not observable", "insufficient imagery"),
}
_MARGIN_PX, _CHIP_SIDE = 8, 380
"""Ground shown around a place, and screen pixels of the longer side of a chip."""


def outcome_counts(dossier: Dossier) -> list[dict[str, Any]]:
    """Return how many verdicts of each kind there are, with what they mean."""
    counts: Counter[str] = Counter(verdict.verdict for verdict in dossier.verdicts)
    return [
        {"name": name, "css": name.replace(" ", "-"), "count": counts[name], "meaning": MEANINGS[name]}
        for name in OUTCOMES
    ]


def _imagery(dossier: Dossier) -> str:
    """Return what the claims were held against."""
    sensors = {scene.sensor for area in dossier.areas for scene in area.scenes}
    names = [name for sensor, name in (("s2", "Sentinel-2"), ("s1", "Sentinel-1 radar")) if sensor in sensors]
    return f"{' and '.join(names) or 'Sentinel-2'} imagery"


def _quotable(dossier: Dossier) -> str:
    """Return which statement the imagery is consistent with, which it contradicts, and of which it cannot tell."""
    named = {name: [v.id for v in dossier.verdicts if v.verdict in kinds] for name, kinds in _WORDS.items()}
    parts = [f"{words} {', '.join(ids)}" for words, ids in named.items() if ids]
    return f"The imagery {'; it '.join(parts)}. None of this is proof." if parts else ""


def summary_line(dossier: Dossier) -> str:
    """Return the one sentence that can be quoted."""
    counts: Counter[str] = Counter(verdict.verdict for verdict in dossier.verdicts)
    told = ", ".join(f"{counts[name]} {name}" for name in OUTCOMES if counts[name])
    line = f"Of {plural(len(dossier.verdicts), 'statement')} held against {_imagery(dossier)} of 10 m: {told}."
    line += f" {_quotable(dossier)}"
    if dossier.undecided:
        line += f" Not looked at, because the source failed: {', '.join(dossier.undecided)}."
    return line


def caveat_lines(dossier: Dossier) -> list[tuple[str, str]]:
    """Return what must be read first: (heading, text)."""
    lines: list[tuple[str, str]] = [
        (
            "What a verdict is.",
            (
                "It says what 10 m imagery is consistent with on the dates of the looks; it proves nothing about types,"
                " owners or purposes, and nothing about the time between the looks."
            ),
        )
    ]
    if dossier.failure:
        lines.insert(0, ("The check did not end.", f"{dossier.failure} What is missing may be decided by a repeat."))
    elif not dossier.complete:
        lines.append(("The source answered in part.", "Passes that it did not name or give may decide otherwise."))
    lines += radar_lines(dossier)
    looks = [look for one in dossier.gathered.values() for look in one.evidence.looks if look.usable]
    if any(not look.calibrated for look in looks):
        lines.append(
            (
                "Uncalibrated.",
                (
                    "Some comparisons had too few earlier dates, or thresholds that do not hold: claims of objects that"
                    " rest on them alone are never better than inconclusive."
                ),
            )
        )
    rough = dict.fromkeys(
        note
        for area in dossier.areas
        for zone in area.area.aoi.zones
        if zone.name in {claim.zone for claim in area.area.claims} and (note := outline_note(zone))
    )
    if rough:
        lines.append(("Outlines.", f"{capital('; '.join(rough))}."))
    return lines


def radar_lines(dossier: Dossier) -> list[tuple[str, str]]:
    """Return where and why radar could not bear on the claims, each reason once: (heading, text)."""
    told: dict[str, list[str]] = {}
    for area in dossier.areas:
        if area.radar is not None:
            told.setdefault(area.radar.rstrip("."), []).append(area.area.where)
    return [(f"Optical imagery alone at {', '.join(places)}.", f"{capital(why)}.") for why, places in told.items()]


def _window(gathered: Gathered) -> tuple[slice, slice]:
    """Return the (rows, cols) that show a place with ground around it."""
    pixels = np.argwhere(gathered.place.pixels)
    low = np.maximum(pixels.min(0) - _MARGIN_PX, 0)
    high = np.minimum(pixels.max(0) + _MARGIN_PX + 1, gathered.place.pixels.shape)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _moved(lines: tuple[Line, ...], window: tuple[slice, slice]) -> str:
    """Return outlines as the data of an SVG path within a window."""
    corner = (window[1].start, window[0].start)
    return svg_path(tuple(line - np.array(corner) for line in lines))


def _place_path(gathered: Gathered, window: tuple[slice, slice]) -> str:
    """Return the outline of a place within a window."""
    import shapely

    rows, cols = np.nonzero(gathered.place.pixels)
    ground = pixel_geometry(rows, cols).simplify(0)
    rings = shapely.get_rings(shapely.get_parts(ground))
    return _moved(tuple(shapely.get_coordinates(ring) for ring in rings), window)


def _shown(verdict: Verdict, gathered: Gathered) -> tuple[Compared, Result] | None:
    """Return the comparison that best shows what a verdict rests on."""
    done = [(one, one.result) for one in gathered.compared.values() if one.result is not None]
    named = [pair for pair in done if any(flag.startswith(f"{pair[0].name}/") for flag in verdict.flags)]
    shown = named or done
    return shown[-1] if shown else None


def _chips(verdict: Verdict, gathered: Gathered) -> dict[str, Any] | None:
    """Return the place before and after, with the flags there; None where nothing was compared."""
    shown = _shown(verdict, gathered)
    if shown is None:
        return None
    compared, result = shown
    window = _window(gathered)
    rows, cols = window[0].stop - window[0].start, window[1].stop - window[1].start
    stretch = shared_stretch((result.before, result.after))
    words, zoom = attribution(result), _CHIP_SIDE / max(rows, cols)
    pictures = [
        {
            "name": name,
            "when": stamp(raster.acquired),
            "href": data_uri("png", png_bytes(Image.fromarray(shades(raster, stretch)[window]), words)),
        }
        for name, raster in (("before", result.before), ("after", result.after))
    ]
    bar = bar_length(cols * result.grid.gsd / 3)
    there = [flag for flag in result.flags if gathered.place.pixels[flag.object.rows, flag.object.cols].any()]
    flags = [
        {
            "change": flag.object.change,
            "path": _moved(outline(flag.object), window),
            "named": f"{compared.name}/{flag.id}" in verdict.flags,
        }
        for flag in there
    ]
    return {
        "run": compared.name,
        "rows": rows,
        "cols": cols,
        "width": round(cols * zoom),
        "height": round(rows * zoom),
        "pictures": pictures,
        "place": _place_path(gathered, window),
        "flags": flags,
        "bar_px": round(bar / result.grid.gsd, 2),
        "bar": metres(bar),
    }


def capital(text: str) -> str:
    """Return a text with a large first letter."""
    return text[:1].upper() + text[1:]


def _look_view(look: Look, gathered: Gathered) -> dict[str, Any]:
    """Return a row of the table of looks."""
    compared = gathered.compared.get(look.scene)
    return {
        "scene": look.scene,
        "sensor": {"s2": "optical", "s1": "radar"}.get(look.sensor, look.sensor),
        "reference": look.reference,
        "acquired": stamp(look.acquired),
        "worth": describe(look),
        "pd": "not measured" if look.pd is None else f"{look.pd:.2f}",
        "false_alarm": number(look.false_alarm, 2) if look.usable else "none",
        "matches": ", ".join(f"{m.flag.rpartition('/')[2]} (p {m.p_value:.2g})" for m in look.matches) or "none",
        "others": look.flags - len(look.matches),
        "run": compared.name if compared and compared.result else None,
    }


def _thing(claim: Claim) -> str:
    """Return what a claim speaks of."""
    what = claim.object or (f"an object of {claim.length_m:g} m" if claim.length_m else "of no certain object")
    if claim.object:
        model = object_class(claim.object)
        what = f"{claim.object} ({model.length_m:g} x {model.width_m:g} m)"
    return f"{claim.count} x {what}" if claim.count else what


def claim_view(claim: Claim, verdict: Verdict, gathered: Gathered) -> dict[str, Any]:
    """Return what is shown of a claim."""
    evidence, said = gathered.evidence, claim.publication
    looks = [*evidence.looks, *evidence.later]
    return {
        "id": claim.id,
        "statement": claim.statement,
        "who": said.publisher,
        "title": said.title,
        "when": f"{said.published}",
        "url": said.url,
        "place": claim.place,
        "km2": number(gathered.place.km2, 2),
        "kind": claim.kind,
        "thing": _thing(claim),
        "window": f"{claim.start} to {claim.end}",
        "notes": claim.notes,
        "verdict": verdict.verdict,
        "css": verdict.verdict.replace(" ", "-"),
        "reasons": verdict.reasons,
        "would_change_it": verdict.would_change_it,
        "pd": "not measured" if verdict.pd is None else f"{verdict.pd:.2f}",
        "ratio": "none" if verdict.likelihood_ratio is None else number(verdict.likelihood_ratio, 2),
        "rate": None if (rate := rate_for(claim, gathered.place)) is None else f"{rate:g}",
        "coverage": capital(coverage(evidence)) if claim.kind != "state" else None,
        "looks": [_look_view(look, gathered) for look in looks],
        "surface": [
            {"share": f"{100 * one.share:.1f} %", "pd": f"{one.pd:.2f}", "scene": one.scene} for one in evidence.surface
        ],
        "chips": _chips(verdict, gathered),
    }
