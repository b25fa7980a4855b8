"""The pictures of a run for a person: before, after, and the flags on the after picture."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from imagery.raster import Raster
from revisit.drawing import Taken, draw_dots, draw_label, draw_line, watermarked
from revisit.legend import Strip, legend_strip
from revisit.mapframe import Line, outline, projected_lines, sidecars
from revisit.picture import Shades, Stretch, enlarged, enlargement, limited, muted, png_bytes, shades, shared_stretch
from revisit.result import Flag, Result
from revisit.symbols import LINE_WIDTHS, SIGN_COLOURS, SIMULATED, ZONE_COLOUR, labelled, strength_step
from revisit.wording import attribution, plural, sensor_words, stamp, summary

PICTURES = ("before.png", "after.png", "overlay.png")

_LEAST_WIDTH = 900
"""Of a picture, so that the strip below a narrow map can be read."""
_LABEL_SIZE = 17
_LABEL_ROOM, _LEAST_LABELS = 32_000, 12
"""Picture pixels of map for each label, and labels that even a small map may have: more would hide the map."""
_BESIDE_MAP = "#f7f7f5"


def write_pictures(result: Result, folder: Path, prefix: str = "") -> None:
    """Write before.png, after.png and overlay.png, each with a world file (.pgw) and its CRS (.prj, .png.aux.xml).

    The map stands in the upper left corner of each picture, every pixel of the grid enlarged by the same whole factor
    without any smoothing; the strip with the legend stands below it. The same result gives the same bytes.

    Parameters
    ----------
    result
        Of a run.
    folder
        An existing folder; files of these names are replaced.
    prefix
        Of the files' names.

    Raises
    ------
    OSError
        Where the folder cannot be written to.
    """
    factor = enlargement(result.grid.shape)
    alone = result.parts[0]
    stretch = shared_stretch((result.before, result.after))
    after = shades(result.after, stretch)
    pictures = {
        "before.png": _dated(alone, "before", result.before, shades(result.before, stretch), stretch),
        "after.png": _dated(alone, "after", result.after, after, stretch),
        "overlay.png": _flagged(result, after, factor),
    }
    beside = sidecars(result.grid, factor)
    for name, picture in pictures.items():
        path = folder / f"{prefix}{name}"
        path.write_bytes(png_bytes(picture, f"{result.aoi.name}: {attribution(result)}"))
        for suffix, text in beside.items():
            path.with_suffix(suffix).write_text(text, encoding="utf-8")


def _dated(result: Result, role: str, raster: Raster, picture: Shades, stretch: Stretch) -> Image.Image:
    """Return the picture of one date with its strip."""
    factor = enlargement(result.grid.shape)
    hatched = "" if raster.valid.all() else "; hatched: not valid on this date"
    strip = Strip(
        title=f"{result.aoi.name}: {role}, {stamp(raster.acquired)}",
        lines=(sensor_words(result), f"{stretch.description}{hatched}", attribution(result)),
        signs=False,
        pixel_m=result.grid.gsd / factor,
    )
    return _mounted(_marked(enlarged(picture, factor), result), strip)


def _flagged(result: Result, after: Shades, factor: int) -> Image.Image:
    """Return the flags and zones on the muted after picture, with their strip."""
    picture = _marked(enlarged(limited(muted(after), result.change.valid), factor), result)
    left_out = _draw_flags(ImageDraw.Draw(picture), result, factor)
    dates = f"{stamp(result.before.acquired)} against {stamp(result.after.acquired)}"
    unnamed = f" The strongest are labelled; {plural(left_out, 'flag')} without a label." if left_out else ""
    outlines = f" Outlines stand one pixel clear of what they enclose.{unnamed}" if result.flags else ""
    strip = Strip(
        title=f"{result.aoi.name}: {dates}",
        lines=(summary(result) + outlines, sensor_words(result), attribution(result)),
        signs=True,
        pixel_m=result.grid.gsd / factor,
    )
    return _mounted(picture, strip)


def _marked(picture: Image.Image, result: Result) -> Image.Image:
    """Return the picture, with SIMULATED across it where it is."""
    return watermarked(picture, SIMULATED) if result.simulated else picture


def _mounted(picture: Image.Image, strip: Strip) -> Image.Image:
    """Return the map in the upper left corner with the strip below it."""
    width = max(picture.width, _LEAST_WIDTH)
    below = legend_strip(strip, width)
    sheet = Image.new("RGB", (width, picture.height + below.height), _BESIDE_MAP)
    sheet.paste(picture, (0, 0))
    sheet.paste(below, (0, picture.height))
    return sheet


def _draw_flags(draw: ImageDraw.ImageDraw, result: Result, factor: int) -> int:
    """Draw zones, outlines and labels, strongest flag last and labelled first; return how many have no label."""
    for zone in result.aoi.zones:
        for line in projected_lines(zone.geometry, result.grid):
            draw_dots(draw, line * factor, ZONE_COLOUR)
    taken: Taken = np.zeros((result.grid.height * factor, result.grid.width * factor), np.bool_)
    rings = {flag.id: [ring * factor for ring in outline(flag.object)] for flag in result.flags}
    for flag in reversed(result.flags):
        _draw_outline(draw, flag, rings[flag.id])
        for ring in rings[flag.id]:
            _take(taken, ring)
    most = max(taken.size // _LABEL_ROOM, _LEAST_LABELS)
    drawn = [_name(draw, flag, rings[flag.id], taken) for flag in result.flags[:most]]
    return len(result.flags) - drawn.count(True)


def _draw_outline(draw: ImageDraw.ImageDraw, flag: Flag, rings: list[Line]) -> None:
    """Draw one flag's outline by sign, strength and scale."""
    colour = SIGN_COLOURS[flag.object.change]
    for ring in rings:
        width = LINE_WIDTHS[strength_step(flag.object)]
        draw_line(draw, ring, colour, width=width, broken=flag.object.scale == "area")


def _take(taken: Taken, ring: Line) -> None:
    """Mark the pixels of the picture under a ring, whose sides all run along rows or columns, as drawn on."""
    for start, end in pairwise(ring):
        (left, top), (right, bottom) = np.sort([start, end], axis=0).round().astype(int).clip(0).tolist()
        taken[max(top - 3, 0) : bottom + 3, max(left - 3, 0) : right + 3] = True


def _name(draw: ImageDraw.ImageDraw, flag: Flag, rings: list[Line], taken: Taken) -> bool:
    """Write a flag's label beside its outline; return whether there was room."""
    points = np.clip(np.concatenate(rings), 0, taken.shape[::-1])
    colour = SIGN_COLOURS[flag.object.change]
    text = labelled(flag.id, flag.object.change)
    return draw_label(draw, text, colour, points=points, taken=taken, size=_LABEL_SIZE)
