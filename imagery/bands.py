"""What the bands and classes of Sentinel-2 mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, kw_only=True)
class Band:
    """One spectral band of Sentinel-2's imager."""

    name: str
    """Such as "B08"."""
    centre_nm: float
    """Central wavelength of Sentinel-2A, nm (ESA, Sentinel-2 spectral response functions)."""
    gsd_m: float
    """Native pixel spacing, metres."""
    mtf_nyquist: float | None
    """Modulation transfer at the Nyquist frequency, detector footprint included; None where not published."""

    @property
    def psf_sigma_m(self) -> float | None:
        """Standard deviation of the Gaussian whose transfer at Nyquist is `mtf_nyquist`, metres.

        From exp(-2 pi^2 sigma^2 f^2) = MTF at f = 1 / (2 gsd).
        """
        if self.mtf_nyquist is None:
            return None
        return math.sqrt(-2.0 * math.log(self.mtf_nyquist)) / math.pi * self.gsd_m


def _band(name: str, centre_nm: float, gsd_m: float, mtf_nyquist: float | None) -> Band:
    return Band(name=name, centre_nm=centre_nm, gsd_m=gsd_m, mtf_nyquist=mtf_nyquist)


# MTF: the values of ESA's Sentinel-2 User Handbook (SUHET) as used in the SupReME super-resolution code
# (github.com/lanha/SupReME). B10 is not among them.
_TABLE = (
    _band("B01", 442.7, 60, 0.32),
    _band("B02", 492.4, 10, 0.26),
    _band("B03", 559.8, 10, 0.28),
    _band("B04", 664.6, 10, 0.24),
    _band("B05", 704.1, 20, 0.38),
    _band("B06", 740.5, 20, 0.34),
    _band("B07", 782.8, 20, 0.34),
    _band("B08", 832.8, 10, 0.26),
    _band("B8A", 864.7, 20, 0.33),
    _band("B09", 945.1, 60, 0.26),
    _band("B10", 1373.5, 60, None),
    _band("B11", 1613.7, 20, 0.22),
    _band("B12", 2202.4, 20, 0.23),
)

SENTINEL2_BANDS = {band.name: band for band in _TABLE}
"""By name, in the order of ESA's `band_id` 0 to 12 with B8A after B08."""

SENTINEL1_BANDS = ("VV", "VH")
"""Polarisations that are read."""

CLASSES_BAND = "SCL"
"""Name under which a scene carries its classification."""


class SCL(IntEnum):
    """Classes of the scene classification of Sentinel-2 L2A (Sen2Cor)."""

    NO_DATA = 0
    SATURATED = 1
    DARK = 2
    CLOUD_SHADOW = 3
    VEGETATION = 4
    BARE = 5
    WATER = 6
    UNCLASSIFIED = 7
    CLOUD_MEDIUM = 8
    CLOUD_HIGH = 9
    CIRRUS = 10
    SNOW = 11


def sensor_of(band: str) -> str | None:
    """Return "s2" or "s1" for the name of a band, None where no sensor has it.

    Examples
    --------
    >>> sensor_of("B8A"), sensor_of("VV"), sensor_of("thumbnail")
    ('s2', 's1', None)
    """
    if band in SENTINEL2_BANDS or band == CLASSES_BAND:
        return "s2"
    return "s1" if band in SENTINEL1_BANDS else None
