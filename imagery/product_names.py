"""What ESA's product names say: platform, time, orbit, tile and processing, where a catalogue says less."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_S2 = re.compile(
    r"(S2[A-D])_MSIL(1C|2A)_(\d{8}T\d{6})(?:_N(\d\d)(\d\d))?_R(\d{3})_T(\d{2}[C-X][A-Z]{2})_(\d{8}T\d{6})(?:\.SAFE)?"
)
_S1 = re.compile(
    r"(S1[A-D])_([A-Z0-9]{2})_(GRD|SLC)[A-Z_]_\d[SA](DV|DH|SV|SH|HH|HV|VV|VH)_(\d{8}T\d{6})_(\d{8}T\d{6})"
    r"_(\d{6})_([0-9A-F]{6})(?:_[0-9A-F]{4})?(?:_[A-Za-z]+)?(?:\.SAFE)?"
)
_ORBIT_SHIFT = {"S1A": 73, "S1B": 27}
"""Absolute orbit at relative orbit 1, less a whole number of cycles of 175 (ESA, Sentinel-1 product specification)."""


@dataclass(frozen=True, kw_only=True)
class ProductName:
    """The parts of a product's name."""

    sensor: str
    """"s2" or "s1"."""
    platform: str
    """Such as "sentinel-2a"."""
    datatake: str
    """What the name says of the pass: for Sentinel-2 the beginning of ESA's datatake identifier, such as
    "GS2A_20240108T082251"; for Sentinel-1 platform and number, such as "S1A_043BC9"."""
    started: datetime
    """Of the datatake (Sentinel-2) or of the slice (Sentinel-1), UTC."""
    relative_orbit: int | None
    """None for Sentinel-1C and 1D, whose names do not give it."""
    tile: str | None = None
    """MGRS tile, Sentinel-2 only."""
    level: str | None = None
    """"L1C" or "L2A", Sentinel-2 only."""
    processing_baseline: str | None = None
    """Such as "05.11", Sentinel-2 only."""
    generated: datetime | None = None
    """UTC, Sentinel-2 only."""
    mode: str | None = None
    """Such as "IW", Sentinel-1 only."""
    polarisation: str | None = None
    """Such as "DV", Sentinel-1 only."""


def parse_product_name(name: str) -> ProductName | None:
    """Return the parts of a product's name, None where it is not of ESA's present form.

    Examples
    --------
    >>> name = parse_product_name("S2B_MSIL2A_20201229T101329_N0214_R022_T33TUK_20201229T115442")
    >>> name.platform, name.relative_orbit, name.tile, name.processing_baseline
    ('sentinel-2b', 22, '33TUK', '02.14')
    >>> parse_product_name("S1A_IW_GRDH_1SDV_20210113T022710_20210113T022735_036113_043BC9_2981").relative_orbit
    166
    """
    try:
        if found := _S2.fullmatch(name):
            return _optical(found)
        if found := _S1.fullmatch(name):
            return _radar(found)
    except ValueError:
        # Digits in the right places that make no date.
        return None
    return None


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def _platform(letters: str) -> str:
    return f"sentinel-{letters[1:].lower()}"


def _optical(found: re.Match[str]) -> ProductName:
    satellite, level, taken, major, minor, orbit, tile, generated = found.groups()
    return ProductName(
        sensor="s2",
        platform=_platform(satellite),
        datatake=f"G{satellite}_{taken}",
        started=_moment(taken),
        relative_orbit=int(orbit),
        tile=tile,
        level=f"L{level}",
        # Planetary Computer's ids are product names without it.
        processing_baseline=None if major is None else f"{major}.{minor}",
        generated=_moment(generated),
    )


def _radar(found: re.Match[str]) -> ProductName:
    satellite, mode, _, polarisation, start, end, orbit, datatake = found.groups()
    _moment(end)
    shift = _ORBIT_SHIFT.get(satellite)
    return ProductName(
        sensor="s1",
        platform=_platform(satellite),
        datatake=f"{satellite}_{datatake}",
        started=_moment(start),
        relative_orbit=None if shift is None else (int(orbit) - shift) % 175 + 1,
        mode=mode,
        polarisation=polarisation,
    )
