"""The object catalogue: what claims speak of, with true sizes, and how each covers the ground seen from above.

Dimensions are published ones, their source named per class. Reflectances, effective heights and the proportions of wing
and tail are estimates. `docs/targets.md` shows the table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detect import outlines
from detect.errors import DetectError
from detect.outlines import Outline, Plane

Kind = Literal["aircraft", "helicopter", "vehicle", "ship"]
Range = tuple[float, float]
"""Least and largest value."""
FloatArray = NDArray[np.float32]

MOST_SILHOUETTES = 1000
"""Drawings that are kept, of 100 kB at most in the cells that stamps are drawn in."""
NEAR_INFRARED = frozenset({"B08", "B8A"})
"""Bands of the near-infrared family; all others are taken as visible."""


@dataclass(frozen=True, kw_only=True)
class Rotor:
    """Blades at rest, spread evenly over their disc: where each blade stands is not known."""

    diameter_m: float
    solidity: float
    """Area of all blades over that of the disc, 0 to 1."""
    at: float
    """Hub, from the nose, as a share of the fuselage's length."""


@dataclass(frozen=True, kw_only=True)
class ObjectClass:
    """A kind of object that claims speak of."""

    name: str
    kind: Kind
    length_m: float
    """Along the heading, rotors left out."""
    width_m: float
    """Across it: span, or beam; rotors left out."""
    height_m: float
    """Effective height of the body: its shadow is that of an upright prism so high. An estimate; fins are left out."""
    outline: Outline
    """Corners (right, forward), metres from the object's centre."""
    visible: tuple[float, float]
    """Least and largest reflectance in the visible bands; an assumption."""
    near_infrared: tuple[float, float]
    """The same in the near infrared."""
    source: str
    """Where the dimensions come from, and what is estimated."""
    rotor: Rotor | None = None

    @cached_property
    def planform_m2(self) -> float:
        """Area seen from above, square metres; rotor blades included."""
        if self.rotor is None:
            return outlines.area(self.outline)
        return float(silhouette(self, 0.0, cell_m=0.2).sum(dtype=np.float64)) * 0.2**2

    def reflectance(self, bands: Sequence[str], level: float) -> FloatArray:
        """Return the reflectance (band,) at `level` between the least (0) and the largest (1) of each family."""
        if not 0 <= level <= 1:
            raise DetectError(f"the level of {self.name}'s reflectance must lie between 0 and 1, not at {level}")
        ranges = [self.near_infrared if band in NEAR_INFRARED else self.visible for band in bands]
        return np.array([low + level * (high - low) for low, high in ranges], np.float32)


def _half(model: ObjectClass, cell_m: float, offset_m: tuple[float, float], margin_m: float) -> int:
    """Return the cells on each side of the middle one that hold an object at any heading, and room around it."""
    reach = float(np.hypot(*np.array(model.outline).T).max())
    if model.rotor:
        reach = max(reach, abs(0.5 - model.rotor.at) * model.length_m + 0.51 * model.rotor.diameter_m)
    return math.ceil((reach + math.hypot(*offset_m) + margin_m) / cell_m + 0.5)


@lru_cache(maxsize=MOST_SILHOUETTES)
def _drawn(model: ObjectClass, heading_deg: float, cell_m: float, offset_m: tuple[float, float]) -> FloatArray:
    """Draw an object without room around it; once for all dates, shadows and bands."""
    half = _half(model, cell_m, offset_m, 0.0)
    shape, middle = (2 * half + 1, 2 * half + 1), np.array([half + 0.5, half + 0.5])
    down = np.array([1.0, -1.0]) / cell_m
    body = outlines.cover(middle + down * outlines.placed(model.outline, heading_deg, offset_m), shape)
    if model.rotor is not None:
        hub = (0.5 - model.rotor.at) * model.length_m
        circle = tuple((x, y + hub) for x, y in outlines.disc(model.rotor.diameter_m))
        blades = outlines.cover(middle + down * outlines.placed(circle, heading_deg, offset_m), shape)
        body = body + (1 - body) * np.float32(model.rotor.solidity) * blades
    body.setflags(write=False)
    return body


def silhouette(
    model: ObjectClass,
    heading_deg: float,
    *,
    cell_m: float,
    offset_m: tuple[float, float] = (0.0, 0.0),
    margin_m: float = 0.0,
) -> FloatArray:
    """Return the share of each cell that an object covers, seen from above.

    Parameters
    ----------
    model
        The object.
    heading_deg
        Of its nose, clockwise from grid north.
    cell_m
        Side of a cell, metres.
    offset_m
        (east, north) of the object's centre from the centre of the middle cell.
    margin_m
        Room to leave around the object at any heading, for its shadow.

    Returns
    -------
    (n, n) float32, 0 to 1, n odd; the object fits in at any heading. The cover is exact: its sum times the area of a
    cell is the object's planform.
    """
    # Rows and columns of a wider chip are those of the narrow one, with nothing around it.
    half = _half(model, cell_m, offset_m, margin_m)
    return np.pad(_drawn(model, heading_deg, cell_m, offset_m), half - _half(model, cell_m, offset_m, 0.0))


def _aircraft(
    name: str,
    length_m: float,
    body: tuple[float, float],
    *,
    wing: Plane,
    wing_at: float,
    tail: Plane,
    paint: tuple[Range, Range],
    source: str,
) -> ObjectClass:
    """Return an aeroplane; `body` is its width and effective height, metres, `paint` the visible and infrared range."""
    plan = outlines.aircraft(length_m, body[0], wing=wing, wing_at=wing_at, tail=tail)
    return ObjectClass(name=name, kind="aircraft", length_m=length_m, width_m=wing.span_m, height_m=body[1],
                       outline=plan, visible=paint[0], near_infrared=paint[1], source=source)  # fmt: skip


def _plane(span_m: float, area_m2: float, taper: float, sweep_deg: float) -> Plane:
    """Return a lifting surface."""
    return Plane(span_m=span_m, area_m2=area_m2, taper=taper, sweep_deg=sweep_deg)


def _vessel(length_m: float, beam_m: float, height_m: float, source: str) -> ObjectClass:
    """Return a ship of a length; hulls are grey, decks anything from dark to light."""
    return ObjectClass(name=f"ship-{length_m:.0f}m", kind="ship", length_m=length_m, width_m=beam_m, height_m=height_m,
                       outline=outlines.hull(length_m, beam_m), visible=(0.09, 0.30), near_infrared=(0.10, 0.32),
                       source=source)  # fmt: skip


_LIGHT = ((0.26, 0.52), (0.26, 0.52))
_GREY = ((0.13, 0.30), (0.14, 0.31))
_CAMOUFLAGE = ((0.045, 0.12), (0.14, 0.30))
# Unchecked: in general circulation, not held against the maker's own document. pydcs: the unit sizes of a game.
_SHAPE = "the rest of the shape is estimated"
_GAME = "pydcs"
_RECALLED = "unchecked reference figures"
_STUB, _STABILISER = _plane(7.3, 7.5, 0.7, 5.0), _plane(2.7, 2.0, 0.8, 5.0)

CATALOGUE: Mapping[str, ObjectClass] = {
    entry.name: entry
    for entry in (
        _aircraft("An-124", 69.1, (7.3, 8.0), wing=_plane(73.3, 628.0, 0.28, 33.0), wing_at=0.23,
                  tail=_plane(25.0, 96.0, 0.4, 35.0), paint=_LIGHT,
                  source=f"length, span, wing area: 24chasa.bg/bulgaria/article/21629288; {_SHAPE}"),
        _aircraft("Il-76", 46.6, (4.8, 6.5), wing=_plane(50.5, 300.0, 0.34, 27.0), wing_at=0.29,
                  tail=_plane(17.4, 63.0, 0.4, 32.0), paint=_LIGHT,
                  source=f"length, span, fuselage: ke.opera.news, the same in {_GAME}; wing area: {_RECALLED}; "
                         f"{_SHAPE}"),
        _aircraft("Il-62", 53.1, (3.8, 5.0), wing=_plane(43.2, 279.6, 0.28, 36.0), wing_at=0.35,
                  tail=_plane(12.2, 40.0, 0.4, 38.0), paint=_LIGHT,
                  source=f"length, span, wing area: State Aviation Museum, Kyiv (aviamuseum.com.ua); {_SHAPE}"),
        _aircraft("Tu-154", 47.9, (3.8, 5.0), wing=_plane(37.55, 201.5, 0.28, 38.0), wing_at=0.36,
                  tail=_plane(13.4, 42.0, 0.4, 42.0), paint=_LIGHT,
                  source=f"length, span, wing area: State Aviation Museum, Kyiv (aviamuseum.com.ua); {_SHAPE}"),
        _aircraft("An-26", 23.8, (2.9, 4.5), wing=_plane(29.2, 75.0, 0.35, 5.0), wing_at=0.34,
                  tail=_plane(10.0, 19.8, 0.5, 15.0), paint=_LIGHT,
                  source=f"length, span: Polish Aviation Museum (muzeumlotnictwa.pl), the same in {_GAME}; "
                         f"wing area: {_RECALLED}; {_SHAPE}"),
        _aircraft("An-72", 28.1, (3.1, 5.0), wing=_plane(31.9, 98.6, 0.3, 17.0), wing_at=0.28,
                  tail=_plane(10.4, 24.0, 0.5, 25.0), paint=_LIGHT,
                  source=f"length, span, wing area: {_RECALLED}; {_SHAPE}"),
        _aircraft("Su-24", 22.5, (3.6, 2.8), wing=_plane(14.0, 52.0, 0.3, 40.0), wing_at=0.34,
                  tail=_plane(8.4, 14.0, 0.4, 50.0), paint=_GREY,
                  source=f"length without probe and span of 10.4 to 17.6 m: {_RECALLED} ({_GAME}: 24.5 x 17.6 m, wings "
                         f"spread); drawn at a middle sweep; {_SHAPE}"),
        _aircraft("Su-34", 23.3, (4.2, 3.0), wing=_plane(14.7, 62.0, 0.28, 42.0), wing_at=0.36,
                  tail=_plane(9.9, 18.0, 0.4, 45.0), paint=_GREY,
                  source=f"length, span: {_RECALLED}, the same in {_GAME}; wing area: {_RECALLED}; {_SHAPE}"),
        _aircraft("Su-35", 21.9, (4.2, 3.0), wing=_plane(15.3, 62.0, 0.28, 42.0), wing_at=0.33,
                  tail=_plane(9.9, 18.0, 0.4, 45.0), paint=_GREY,
                  source=f"length, span, wing area: {_RECALLED} ({_GAME}, Su-27: 21.9 x 14.7 m); {_SHAPE}"),
        ObjectClass(
            name="Ka-52", kind="helicopter", length_m=14.0, width_m=7.3, height_m=3.2,
            outline=outlines.helicopter(14.0, 2.4, boom_width_m=1.0, wing=_STUB, wing_at=0.36),
            visible=_CAMOUFLAGE[0], near_infrared=_CAMOUFLAGE[1],
            rotor=Rotor(diameter_m=14.5, solidity=0.14, at=0.42),
            source=f"fuselage, stub wing, rotor: {_RECALLED} ({_GAME}, Ka-50: 15.8 x 14.4 m with rotors); "
                   f"{_SHAPE}",
        ),
        ObjectClass(
            name="Mi-8", kind="helicopter", length_m=18.2, width_m=2.7, height_m=3.4,
            outline=outlines.helicopter(18.2, 2.5, boom_width_m=0.9, wing=_STABILISER, wing_at=0.82),
            visible=_CAMOUFLAGE[0], near_infrared=_CAMOUFLAGE[1],
            rotor=Rotor(diameter_m=21.3, solidity=0.078, at=0.32),
            source=f"fuselage, rotor: {_RECALLED}, the rotor the same in {_GAME}; cabin 2.5 m wide: nld.com.vn; "
                   f"{_SHAPE}",
        ),
        ObjectClass(
            name="launcher", kind="vehicle", length_m=13.0, width_m=3.1, height_m=3.7,
            outline=outlines.box(13.0, 3.1), visible=_CAMOUFLAGE[0], near_infrared=_CAMOUFLAGE[1],
            source=f"S-400 launcher 5P85 on a MAZ-543M, 11.7 to 13 x 3.05 to 3.15 m: {_RECALLED}; tubes lowered; one "
                   "on a semitrailer is longer",
        ),
        ObjectClass(
            name="lorry", kind="vehicle", length_m=7.9, width_m=2.5, height_m=2.9,
            outline=outlines.box(7.9, 2.5), visible=(0.04, 0.35), near_infrared=(0.10, 0.38),
            source=f"three-axle army lorry: {_RECALLED}",
        ),
        _vessel(25.0, 6.0, 3.0, "patrol boat or tug; typical proportions, an estimate"),
        _vessel(75.0, 10.0, 4.0, f"as a Kilo submarine, 73.8 x 9.9 m, or a small corvette: {_RECALLED}"),
        _vessel(120.0, 15.0, 8.0, f"between a Ropucha, 112.5 x 15 m (Wikipedia), and a Grigorovich, 124.8 x 15.2 m: "
                                  f"{_RECALLED}"),
    )
}  # fmt: skip
"""Every class by its name."""


def object_class(name: str) -> ObjectClass:
    """Return the class of a name, whatever its case; an unknown one is refused with the list of those there are."""
    found = {known.lower(): entry for known, entry in CATALOGUE.items()}.get(name.strip().lower())
    if found is None:
        raise DetectError(f"the catalogue has no object {name!r}; it has {', '.join(CATALOGUE)}")
    return found
