"""The signs by which a change is drawn and named, the same in the pictures and in the report."""

from __future__ import annotations

from typing import Literal

from detect.change import ChangedObject, Scale, Sign

Strength = Literal[1, 2, 3]

SIGN_COLOURS: dict[Sign, str] = {"appeared": "#ffb000", "vanished": "#4cc2ff", "altered": "#ffffff"}
"""Each pair differs by at least 24 (CIEDE2000) for normal sight and the three dichromacies (Machado et al. 2009)."""
SIGN_MARKS: dict[Sign, str] = {"appeared": "+", "vanished": "-", "altered": "~"}
"""Stand behind a flag's id, so that the colour is not the only bearer of the sign."""
SCALE_WORDS: dict[Scale, str] = {
    "object": "object (a single thing, from a pixel on)",
    "area": "area (tens of metres on)",
}
LINE_WIDTHS: dict[Strength, int] = {1: 1, 2: 2, 3: 4}
"""Screen pixels."""
STRENGTH_WORDS: dict[Strength, str] = {1: "strength under 1.5", 2: "1.5 to 3", 3: "over 3"}
"""Strength 1 is just enough to be flagged."""
ZONE_COLOUR = "#ffffff"
"""Thin and dotted: what is known beforehand, not found."""
CASING = "#101418"
"""Dark line below every coloured one: a light line alone is lost on light ground."""
SIMULATED = "SIMULATED - no real imagery"

_STEPS = (1.5, 3.0)


def strength_step(changed: ChangedObject) -> Strength:
    """Return how far an object's evidence exceeds what was needed, in the steps of `STRENGTH_WORDS`."""
    if changed.strength < _STEPS[0]:
        return 1
    return 2 if changed.strength < _STEPS[1] else 3


def labelled(flag_id: str, sign: Sign) -> str:
    """Return a flag's label, such as "F1+"."""
    return f"{flag_id}{SIGN_MARKS[sign]}"
