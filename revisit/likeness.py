"""What a known object would look like at the place of a flag: drawn by the sensor model on the run's own picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from affine import Affine

from aoi import Grid
from aoi.geometry import centre
from detect.errors import DetectError
from detect.forward import Optics, Pose, Sunlight, render
from detect.radar_detectability import CROSS_SECTIONS_DBSM
from detect.radar_injection import MOST_POINTS, POINT_SPACING_M, inject_points
from detect.speckle import looks_of_ratios
from detect.targets import ObjectClass, object_class
from imagery.bands import SENTINEL2_BANDS
from imagery.raster import FloatArray, Raster
from revisit.detectability import SHADOW_SHARE, WATER_KINDS
from revisit.mapframe import Window
from revisit.picture import Shades, Stretch, shades
from revisit.result import Flag, Result
from revisit.runs import Role
from revisit.sun import sun_over

USUAL, USUAL_AFLOAT = "Il-76", "ship-120m"
"""The class that is drawn for a flag without candidates, on land and on water: sizes that many readers know."""
SIDE_PX = 40
"""Pixels of the grid around the flag's middle."""
LEVEL = 0.5
"""Of the class's reflectance, half way between its least and its largest."""
NOMINAL_LOOKS = 4.4
"""Of radar where a chip has too few pixels to measure them: Sentinel-1 IW GRD, high resolution (ESA, product
specification)."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """A drawn object on a date without the flagged one."""

    name: str
    """Of the class in the catalogue."""
    role: Role
    """The date whose picture it is drawn on."""
    window: Window
    """The part of the grid that is shown."""
    picture: Shades
    cross_section_m2: float | None = None
    """Of radar: the radar cross-section that is assumed for it; None for optical."""


def _sunlight(result: Result, raster: Raster, bands: tuple[str, ...]) -> Sunlight:
    """Return where the sun stood; where the hour of a scene is not known, where it stands when Sentinel-2 passes."""
    scene = next((r.scene for r in result.scenes if r.scene.id in raster.scene_ids), None)
    lon, lat = centre(result.aoi.geometry)
    told = (scene.sun_elevation_deg, scene.sun_azimuth_deg) if scene else (None, None)
    elevation, azimuth = sun_over(raster.acquired, lon, lat, told=told)
    shares = tuple(SHADOW_SHARE.get(band, min(SHADOW_SHARE.values())) for band in bands)
    return Sunlight(elevation_deg=elevation, azimuth_deg=azimuth, shadow_share=shares)


def _optics(gsd: float, bands: tuple[str, ...]) -> Optics | None:
    """Return the blur of bands at the run's pixel spacing; None where a band's is not published."""
    sigmas = [SENTINEL2_BANDS[band].psf_sigma_m if band in SENTINEL2_BANDS else None for band in bands]
    native = [SENTINEL2_BANDS[band].gsd_m if band in SENTINEL2_BANDS else gsd for band in bands]
    known = [sigma / own * gsd for sigma, own in zip(sigmas, native, strict=True) if sigma is not None]
    return Optics(gsd_m=gsd, psf_sigma_m=tuple(known)) if len(known) == len(bands) else None


def _model(flag: Flag, result: Result) -> ObjectClass:
    """Return the class that a flag is most consistent with; of radar, one whose cross-section somebody assumed."""
    best = max(flag.object.candidates, key=lambda candidate: candidate.likelihood, default=None)
    fitting = best.name if best else flag.witness.object if flag.witness else None
    afloat = any(zone.name == flag.zone and zone.kind in WATER_KINDS for zone in result.aoi.zones)
    usual = object_class(USUAL_AFLOAT if afloat else USUAL)
    if fitting is None or (result.sensor == "s1" and fitting not in CROSS_SECTIONS_DBSM):
        return usual
    try:
        return object_class(fitting)
    except DetectError:
        return usual


def _cut(raster: Raster, window: Window) -> Raster:
    """Return a part of a raster."""
    part = slice(window.row, window.row + window.height), slice(window.col, window.col + window.width)
    west, _, _, north = raster.grid.bounds
    gsd = raster.grid.gsd
    grid = Grid(
        crs=raster.grid.crs,
        transform=Affine(gsd, 0.0, west + window.col * gsd, 0.0, -gsd, north - window.row * gsd),
        width=window.width,
        height=window.height,
    )
    return replace(
        raster,
        data=raster.data[:, part[0], part[1]],
        valid=raster.valid[part],
        uncertain=raster.uncertain[part],
        grid=grid,
    )


def _window(middle: tuple[float, float], grid: Grid) -> Window:
    """Return the part of the grid around a (row, col), moved inward at its edges."""
    height, width = (min(SIDE_PX, size) for size in grid.shape)
    row, col = (round(at - size / 2) for at, size in zip(middle, (height, width), strict=True))
    row, col = min(max(row, 0), grid.height - height), min(max(col, 0), grid.width - width)
    return Window(row=row, col=col, height=height, width=width)


def _added(data: FloatArray, chip: FloatArray, row: int, col: int) -> FloatArray:
    """Return data (band, row, col) with a chip added around a pixel; what lies beyond the edge is lost."""
    half = chip.shape[1] // 2
    room = np.pad(data, ((0, 0), (half, half), (half, half)))
    room[:, row : row + chip.shape[1], col : col + chip.shape[2]] += chip
    return np.asarray(room[:, half : half + data.shape[1], half : half + data.shape[2]])


@dataclass(frozen=True, kw_only=True)
class _Parked:
    """What is drawn, and where in the part that is shown."""

    model: ObjectClass
    heading_deg: float
    place: tuple[float, float]
    """(row, col), the middle of a pixel a whole number."""


def _lit(cut: Raster, drawn: _Parked, *, bands: tuple[str, ...], optics: Optics, sunlight: Sunlight) -> Raster:
    """Return a part of an optical date with an object in sunlight on it."""
    place = drawn.place
    row, col = (round(at) for at in place)
    # The middle of a pixel is a whole number here; the rest of the way, east and north, in metres.
    offset = ((place[1] - col) * cut.grid.gsd, (row - place[0]) * cut.grid.gsd)
    shown = [cut.bands.index(band) for band in bands]
    ground = cut.data[shown]
    chip = render(
        drawn.model,
        Pose(heading_deg=drawn.heading_deg, offset_m=offset),
        optics=optics,
        background=np.nanmedian(ground, axis=(1, 2)),
        reflectance=drawn.model.reflectance(bands, LEVEL),
        sunlight=sunlight,
    )
    data = cut.data.copy()
    data[shown] = _added(ground, chip, row, col)
    return cut.with_pixels(np.maximum(data, 0), cut.valid, cut.uncertain)


def _looks(before: Raster, after: Raster) -> tuple[float, ...]:
    """Return the equivalent number of looks of each polarisation: how much the two dates differ beyond their levels."""
    both = before.valid & after.valid
    found = []
    for early, late in zip(before.data, after.data, strict=True):
        positive = both & (early > 0) & (late > 0)
        ratios = np.log(late[positive] / early[positive])
        try:
            found.append(looks_of_ratios(ratios - np.median(ratios)) if ratios.size else NOMINAL_LOOKS)
        except DetectError:
            found.append(NOMINAL_LOOKS)
    return tuple(found)


def _cross_section_m2(model: ObjectClass) -> float:
    """Return the radar cross-section in the middle of what is assumed for a class."""
    return float(10 ** (CROSS_SECTIONS_DBSM[model.name][0] / 10))


def _echoing(cut: Raster, drawn: _Parked, *, looks: tuple[float, ...], rng: np.random.Generator) -> Raster:
    """Return a part of a radar date with the bright points of an object in its speckle: one drawing of many."""
    gsd, heading, length_m = cut.grid.gsd, np.radians(drawn.heading_deg), drawn.model.length_m
    count = int(np.clip(length_m / POINT_SPACING_M, 1, MOST_POINTS))
    along = rng.uniform(-0.45, 0.45, count) * length_m / gsd
    power = _cross_section_m2(drawn.model) / gsd**2 * rng.dirichlet(np.ones(count))
    rows, cols = drawn.place[0] - along * np.cos(heading), drawn.place[1] + along * np.sin(heading)
    data = inject_points(cut.data, np.stack([rows, cols, np.sqrt(power)], axis=1), looks=looks, gsd=gsd, rng=rng)
    return cut.with_pixels(data, cut.valid, cut.uncertain)


def likeness(flag: Flag, result: Result, stretch: Stretch) -> Likeness | None:
    """Return what an object of the flag's likeliest class would look like there, on the date without the flagged one.

    It is drawn on the before picture where something appeared or was altered and on the after picture where something
    vanished, along the flag's axis. Optical: with mid reflectance, shadow and the sensor's blur; the light that the air
    adds to and takes from an uncorrected (L1C) image is left out: there, a light object looks a little too light.
    Radar: bright points through the impulse response into that date's speckle, which share the cross-section that is
    assumed for the class (`detect.radar_detectability`): how they lie and beat is one drawing of many.

    Parameters
    ----------
    flag, result
        Of one sensor's run.
    stretch
        That of the run's pictures.

    Returns
    -------
    Likeness or None
        None where nothing is valid, and where the blur of a shown band is not known.
    """
    role: Role = "after" if flag.object.change == "vanished" else "before"
    raster = result.after if role == "after" else result.before
    optics = _optics(result.grid.gsd, stretch.bands) if raster.quantity == "reflectance" else None
    if raster.quantity == "reflectance" and optics is None:
        return None
    middle = float(np.mean(flag.object.rows)), float(np.mean(flag.object.cols))
    window, model = _window(middle, result.grid), _model(flag, result)
    cut = _cut(raster, window)
    if not cut.valid.any():
        return None
    drawn = _Parked(
        model=model,
        heading_deg=flag.object.orientation_deg,
        place=(middle[0] - window.row, middle[1] - window.col),
    )
    if optics:
        light = _sunlight(result, raster, stretch.bands)
        picture = _lit(cut, drawn, bands=stretch.bands, optics=optics, sunlight=light)
    else:
        looks = _looks(_cut(result.before, window), _cut(result.after, window))
        # Seeded by the place, so that the same run gives the same picture.
        rng = np.random.default_rng([window.row, window.col])
        picture = _echoing(cut, drawn, looks=looks, rng=rng)
    return Likeness(
        name=model.name,
        role=role,
        window=window,
        picture=shades(picture, stretch),
        cross_section_m2=None if optics else _cross_section_m2(model),
    )
