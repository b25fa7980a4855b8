"""What the ground of the demo is made of. Every number is an assumption: see `docs/demo.md`."""

from __future__ import annotations

from dataclasses import dataclass

BANDS = ("B02", "B03", "B04", "B08")
Spectrum = tuple[float, float, float, float]
"""Reflectance in `BANDS`."""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A kind of ground."""

    name: str
    dry: Spectrum
    """At the end of the summer."""
    green: Spectrum | None = None
    """When the winter's growth covers it; None: it does not grow."""
    texture: tuple[float, float, float]
    """Relative spread that never changes, at about 3, 12 and 60 m."""
    nuisance: float
    """Relative spread from date to date, at 10 to 40 m: stains, moisture, dust."""
    gain: float
    """Relative spread from date to date of the whole surface: view and sun angle."""


SURFACES = (
    Surface(name="concrete", dry=(0.17, 0.205, 0.235, 0.275), texture=(0.04, 0.04, 0.03), nuisance=0.038, gain=0.015),
    Surface(name="old concrete", dry=(0.135, 0.165, 0.19, 0.225),
            texture=(0.05, 0.05, 0.04), nuisance=0.038, gain=0.015),
    Surface(name="asphalt", dry=(0.085, 0.10, 0.112, 0.135), texture=(0.03, 0.04, 0.03), nuisance=0.065, gain=0.02),
    Surface(name="bare soil", dry=(0.105, 0.145, 0.205, 0.275), texture=(0.04, 0.07, 0.08), nuisance=0.035, gain=0.03),
    Surface(name="grass", dry=(0.085, 0.120, 0.165, 0.285), green=(0.040, 0.072, 0.055, 0.345),
            texture=(0.05, 0.07, 0.08), nuisance=0.035, gain=0.04),
    Surface(name="field", dry=(0.09, 0.125, 0.175, 0.25), green=(0.030, 0.062, 0.040, 0.400),
            texture=(0.03, 0.04, 0.05), nuisance=0.030, gain=0.04),
    Surface(name="orchard", dry=(0.040, 0.066, 0.060, 0.285), green=(0.032, 0.060, 0.045, 0.325),
            texture=(0.10, 0.07, 0.05), nuisance=0.030, gain=0.04),
    Surface(name="greenhouse", dry=(0.21, 0.235, 0.25, 0.31), texture=(0.06, 0.08, 0.04), nuisance=0.030, gain=0.03),
    Surface(name="track", dry=(0.13, 0.165, 0.21, 0.27), texture=(0.05, 0.05, 0.04), nuisance=0.030, gain=0.03),
    Surface(name="roof", dry=(0.22, 0.24, 0.26, 0.29), texture=(0.04, 0.04, 0.0), nuisance=0.015, gain=0.03),
)  # fmt: skip
"""All kinds of ground."""

INDEX = {surface.name: k for k, surface in enumerate(SURFACES)}
"""Position in `SURFACES` by name."""

PAINT: Spectrum = (0.31, 0.33, 0.34, 0.35)
"""White markings, worn."""
SHADOW_SHARE: Spectrum = (0.38, 0.30, 0.24, 0.16)
"""Light left in a shadow: the sky's, so more in the blue."""
ZONE_SURFACE = {
    "apron": "concrete",
    "runway": "asphalt",
    "taxiway": "old concrete",
    "hardstand": "grass",
    "revetment": "bare soil",
    "storage": "track",
    "quay": "old concrete",
    "other": "bare soil",
}
"""What lies in a zone of a kind, under its stands; other kinds stay as they are."""
ZONE_ORDER = ("other", "storage", "revetment", "hardstand", "quay", "apron", "taxiway", "runway")
"""Laid in this order: where zones overlap, the later kind is on top."""
