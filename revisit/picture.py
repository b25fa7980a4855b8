"""From physical units to the colours of a screen, by one stretch for every date."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from detect.change import ScaleChange
from imagery.raster import FloatArray, Raster

Shades = NDArray[np.uint8]
"""(row, col, 4) red, green, blue and opacity, 0 to 255."""

FALSE_COLOUR = ("B08", "B04", "B03")
"""Near infrared as red: plants glow, water is black, and paint and metal stand out from concrete."""

POLARISATIONS = ("VV", "VH", "VV/VH")
"""Radar as colours: red and green where both polarisations return much (plants, buildings, metal at odd angles), blue
where VH returns little beside VV (water, bare even ground)."""

_TRUE_COLOUR = ("B04", "B03", "B02")
_PERCENTILES = (0.5, 99.7)
"""Of all valid pixels of all dates; the rest is clipped. The upper one is high because aprons and roofs are the
brightest ground there is, and are what is looked at."""
_GAMMA = 1.4
"""Opens the shadows; 1 = linear."""
_LEAST_POWER = 1e-6
"""Backscatter below it has no meaningful logarithm."""
_LONGEST_SIDE, _MOST = 1600, 40
"""Pixels of an enlarged picture; most enlargement."""
_BELOW_THRESHOLD = 126 / 254
"""Share of the palette that is grey."""
_HATCH_PERIOD, _HATCH_LIGHT, _HATCH_DARK = 8, (232, 232, 232), (178, 178, 178)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """How physical values become brightness on a screen."""

    bands: tuple[str, ...]
    """Three names (red, green, blue) or one (grey)."""
    low: tuple[float, ...]
    """Black, by band: reflectance, or dB of backscatter power."""
    high: tuple[float, ...]
    """Full brightness, by band."""
    decibels: bool
    """True: values are put into dB first."""

    @property
    def description(self) -> str:
        """One line for a legend."""
        named: dict[tuple[str, ...], str] = {
            _TRUE_COLOUR: "True colour",
            FALSE_COLOUR: "False colour",
            POLARISATIONS: "Polarisations as red, green and blue",
        }
        name = named.get(self.bands, "Colour" if len(self.bands) == 3 else "Grey")
        spans = ", ".join(
            f"{band} {low:.3g} to {high:.3g}" for band, low, high in zip(self.bands, self.low, self.high, strict=True)
        )
        return f"{name}; one stretch for both dates: {spans}{' dB' if self.decibels else ''}; gamma {_GAMMA:g}"


def shared_stretch(rasters: tuple[Raster, ...], bands: tuple[str, ...] | None = None) -> Stretch:
    """Return the stretch that all the rasters are shown with.

    True colour where B04, B03 and B02 are there, else the first three bands, else the first in grey; backscatter always
    in grey, because its polarisations are no colours.

    Parameters
    ----------
    rasters
        With the same bands and quantity.
    bands
        To show instead: three of theirs, or of ratios such as "VV/VH" of two of theirs.
    """
    first = rasters[0]
    bands = bands or _shown_bands(first)
    decibels = first.quantity != "reflectance"
    samples = [np.concatenate([_values(raster, band, decibels)[raster.valid] for raster in rasters]) for band in bands]
    limits = [np.percentile(sample, _PERCENTILES) if sample.size else np.array([0.0, 1.0]) for sample in samples]
    return Stretch(
        bands=bands,
        low=tuple(float(low) for low, _ in limits),
        # A constant picture has no span to stretch; any positive one shows it evenly.
        high=tuple(float(max(high, low + 1e-3)) for low, high in limits),
        decibels=decibels,
    )


def _shown_bands(raster: Raster) -> tuple[str, ...]:
    """Return the names of the bands to show."""
    if raster.quantity == "reflectance" and set(_TRUE_COLOUR) <= set(raster.bands):
        return _TRUE_COLOUR
    return raster.bands[:3] if raster.quantity == "reflectance" and len(raster.bands) >= 3 else raster.bands[:1]


def second_bands(raster: Raster) -> tuple[str, ...] | None:
    """Return the bands of the picture for a second look: false colour, or both polarisations; None without them."""
    optical = raster.quantity == "reflectance"
    wanted, needed = (FALSE_COLOUR, set(FALSE_COLOUR)) if optical else (POLARISATIONS, {"VV", "VH"})
    return wanted if needed <= set(raster.bands) else None


def _values(raster: Raster, band: str, decibels: bool) -> FloatArray:
    """Return one band (row, col), or the ratio of two, in the unit of the stretch."""
    if "/" in band:
        upper, lower = (_values(raster, name, decibels) for name in band.split("/"))
        ratio = upper - lower if decibels else upper / np.maximum(lower, np.float32(_LEAST_POWER))
        return np.asarray(ratio, np.float32)
    data = raster.data[raster.bands.index(band)]
    if decibels:
        return np.asarray(10 * np.log10(np.maximum(data, np.float32(_LEAST_POWER))), np.float32)
    return np.asarray(data)


def shades(raster: Raster, stretch: Stretch) -> Shades:
    """Return the raster in colour, one pixel a pixel, fully transparent where it is not valid."""
    out = np.zeros((*raster.grid.shape, 4), np.uint8)
    for channel, (band, low, high) in enumerate(zip(stretch.bands, stretch.low, stretch.high, strict=True)):
        share = np.clip((_values(raster, band, stretch.decibels) - low) / (high - low), 0.0, 1.0)
        level = np.where(raster.valid, 255 * share ** (1 / _GAMMA), 0).round().astype(np.uint8)
        out[..., channel : 3 if len(stretch.bands) == 1 else channel + 1] = level[..., None]
    out[..., 3] = np.where(raster.valid, 255, 0)
    return out


def both_dates(before: Raster, after: Raster, stretch: Stretch) -> Shades:
    """Return two dates in one picture: amber where only after is bright, blue where only before is, grey where alike.

    Parameters
    ----------
    before, after
        On one grid.
    stretch
        Of one band, shared by both.
    """
    early, late = shades(before, stretch), shades(after, stretch)
    valid = before.valid & after.valid
    between = ((early[..., 0].astype(np.uint16) + late[..., 0]) // 2).astype(np.uint8)
    opacity = np.full(valid.shape, 255, np.uint8)
    return limited(np.stack([late[..., 0], between, early[..., 0], opacity], axis=2), valid)


def muted(picture: Shades) -> Shades:
    """Return the picture with most of its colour taken out, so that coloured outlines stand out on it."""
    grey = picture[..., :3].mean(axis=2, keepdims=True)
    mixed = 0.75 * grey + 0.25 * picture[..., :3]
    return np.concatenate([mixed.round().astype(np.uint8), picture[..., 3:]], axis=2)


def limited(picture: Shades, valid: NDArray[np.bool_]) -> Shades:
    """Return the picture, transparent also where `valid` (row, col) is False."""
    return np.where(valid[..., None], picture, np.uint8(0))


def statistic_shades(scale: ScaleChange) -> Image.Image:
    """Return a map of change as a palette picture, transparent where it is NaN.

    Grey below the threshold, orange to yellow from it to twice as much and more. Ground that is not searched stays
    grey: there, the middle threshold of the searched ground is half way to orange, and nothing goes beyond.
    """
    searched = np.isfinite(scale.threshold) & (scale.threshold > 0)
    usual = np.median(scale.threshold[searched]) if searched.any() else np.float32(1)
    share = np.nan_to_num(scale.statistic / (2 * np.where(searched, scale.threshold, 2 * usual)), posinf=1.0)
    most = np.where(searched, 1.0, _BELOW_THRESHOLD)
    index = np.where(np.isfinite(scale.statistic), 1 + np.clip(share, 0, most) * 254, 0)
    picture = Image.fromarray(index.astype(np.uint8), mode=None)
    picture.putpalette(_palette())
    picture.info["transparency"] = 0
    return picture


def heat_shades(statistic: FloatArray, needed: tuple[float, float]) -> Shades:
    """Return a map of change as colours where only the range of the thresholds is known; transparent where it is NaN.

    Parameters
    ----------
    statistic
        (row, col) >= 0.
    needed
        The lowest and the highest threshold of the ground: grey below the lowest, orange at it, yellow from twice the
        highest on.
    """
    low, high = needed
    warm = np.clip((statistic - low) / (2 * high - low), 0, 1)
    level = np.where(statistic < low, 126 * statistic / low, 127 + 127 * warm)
    index = np.where(np.isfinite(statistic), 1 + np.nan_to_num(level), 0).astype(np.uint8)
    colours = np.frombuffer(_palette(), np.uint8).reshape(-1, 3)[index]
    return np.dstack([colours, np.where(index > 0, 255, 0).astype(np.uint8)])


def _palette() -> bytes:
    """Return 256 colours: one unused, 127 greys, then orange to yellow; brightness rises all the way."""
    greys = np.linspace(24, 132, 127)[:, None].repeat(3, axis=1)
    warm = np.linspace((224, 123, 0), (255, 246, 190), 128)
    return np.concatenate([np.zeros((1, 3)), greys, warm]).round().astype(np.uint8).tobytes()


def enlargement(rows_cols: tuple[int, int]) -> int:
    """Return the whole factor that makes the longer side of a picture at most 1600 pixels long, and 1 at least."""
    return min(max(_LONGEST_SIDE // max(rows_cols), 1), _MOST)


def enlarged(picture: Shades, factor: int) -> Image.Image:
    """Return an opaque picture with each pixel repeated `factor` x `factor` times, hatched where it is transparent."""
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    rows, cols = np.ogrid[: large.shape[0], : large.shape[1]]
    stripe = (rows + cols) % _HATCH_PERIOD < _HATCH_PERIOD // 2
    hatch = np.where(stripe[..., None], _HATCH_LIGHT, _HATCH_DARK)
    return Image.fromarray(np.where(large[..., 3:] > 0, large[..., :3], hatch).astype(np.uint8))


def png_bytes(picture: Image.Image, description: str) -> bytes:
    """Return a PNG that carries a description of itself; the same picture gives the same bytes."""
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("Description", description)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=texts, compress_level=6)
    return buffer.getvalue()
