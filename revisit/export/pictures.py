"""Pictures of a saved run: a panel a date, flags and zones on it, a strip with scale, dates and attribution below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely
from PIL import Image, ImageDraw

from imagery.geotiff import write_cog
from imagery.raster import FloatArray, Raster
from revisit.drawing import draw_dots, draw_label, draw_line, watermarked
from revisit.legend import Strip, legend_strip
from revisit.mapframe import projected_lines
from revisit.picture import Stretch, enlarged, enlargement, png_bytes, shades, shared_stretch
from revisit.runs import Role, SavedRun
from revisit.symbols import SIGN_COLOURS, SIMULATED, ZONE_COLOUR, labelled
from revisit.witnessed import SENSOR_WORDS
from revisit.wording import plural, stamp

_SHEET_SIDE, _STACKED_SIDE = 1100, 1700
"""Longest side of a panel, picture pixels: side by side, and one above the other."""
_WIDE = 1.4
"""Grids wider than so many times their height have their panels one above the other."""
_GAP, _PAPER = 12, "#f7f7f5"
_SENSORS = {"s2": "Sentinel-2 MSI (optical)", "s1": "Sentinel-1 C-band radar"}
_LEAST_WIDTH = 900
_LABEL_ROOM, _LEAST_LABELS = 32_000, 12
"""Picture pixels of map for each label, and labels that even a small map may have: the strongest flags get them."""


def dates(run: SavedRun) -> dict[Role, Raster]:
    """Return both dates as they were compared."""
    return {"before": run.raster("before"), "after": run.raster("after")}


def sensor_line(run: SavedRun) -> str:
    """Return sensor, pixel spacing and CRS in a line."""
    return f"{_SENSORS.get(run.kind, run.kind)}; pixels of {run.grid.gsd:g} m; {run.grid.crs}"


def panel(run: SavedRun, raster: Raster, stretch: Stretch, *, factor: int, marks: bool) -> Image.Image:
    """Return one date as a picture, every pixel of the grid `factor` x `factor` times.

    Parameters
    ----------
    run, raster
        The run and one of its dates.
    stretch
        The same for every date of a comparison.
    factor
        1 or more.
    marks
        Whether flags and zones are drawn.
    """
    picture = enlarged(shades(raster, stretch), factor)
    if run.simulated:
        picture = watermarked(picture, SIMULATED)
    if marks:
        _draw_marks(picture, run, factor)
    return picture


def _draw_marks(picture: Image.Image, run: SavedRun, factor: int) -> None:
    """Draw zones, then flags with their labels."""
    draw = ImageDraw.Draw(picture)
    for zone in run.zones:
        for line in projected_lines(zone.geometry, run.grid) if zone.geometry is not None else ():
            draw_dots(draw, line * factor, ZONE_COLOUR)
    taken = np.zeros(picture.size[::-1], np.bool_)
    most = max(taken.size // _LABEL_ROOM, _LEAST_LABELS)
    for number, flag in enumerate(run.flags):
        rings = [shapely.get_coordinates(ring) * factor for ring in shapely.get_rings(run.outline(flag))]
        colour = SIGN_COLOURS[flag.change]  # type: ignore[index]  # checked when it was read
        for ring in rings:
            draw_line(draw, ring, colour, width=2, broken=flag.scale == "area")
        if number < most:
            points = np.clip(np.concatenate(rings), 0, taken.shape[::-1])
            text = labelled(flag.id, flag.change)  # type: ignore[arg-type]
            draw_label(draw, text, colour, points=points, taken=taken, size=17)


def mounted(picture: Image.Image, strip: Strip) -> Image.Image:
    """Return a picture with its strip below, at least as wide as the strip needs."""
    width = max(picture.width, _LEAST_WIDTH)
    below = legend_strip(strip, width)
    sheet = Image.new("RGB", (width, picture.height + below.height), _PAPER)
    sheet.paste(picture, ((width - picture.width) // 2, 0))
    sheet.paste(below, (0, picture.height))
    return sheet


def _one_sheet(run: SavedRun) -> Image.Image:
    """Return the sheet of one sensor."""
    both = dates(run)
    stretch = shared_stretch(tuple(both.values()))
    beside = run.grid.width <= run.grid.height * _WIDE
    factor = max((_SHEET_SIDE if beside else _STACKED_SIDE) // max(run.grid.shape), 1)
    panels = [panel(run, raster, stretch, factor=factor, marks=True) for raster in both.values()]
    size = panels[0].size
    step = (size[0] + _GAP, 0) if beside else (0, size[1] + _GAP)
    sheet = Image.new("RGB", (size[0] + step[0], size[1] + step[1]), _PAPER)
    for number, one in enumerate(panels):
        sheet.paste(one, (number * step[0], number * step[1]))
    places = "left" if beside else "above", "right" if beside else "below"
    days = "; ".join(f"{where}: {stamp(run.acquired(role))}" for where, role in zip(places, both, strict=True))
    known = "" if run.manifest["calibrated"] else "; the threshold is not calibrated, chance alone may give some"
    strip = Strip(
        title=f"{run.name}: {run.head}{days}",
        lines=(
            f"{plural(len(run.flags), 'change')} flagged{known}",
            sensor_line(run),
            stretch.description,
            run.notice,
        ),
        signs=True,
        strengths=False,
        pixel_m=run.grid.gsd / factor,
    )
    return mounted(sheet, strip)


def comparison_sheet(run: SavedRun) -> Image.Image:
    """Return before and after side by side with their flags, and below them dates, scale, signs and attribution.

    Two sensors have a sheet each, of their own dates and flags, one above the other.
    """
    sheets = [_one_sheet(part) for part in run.parts]
    whole = Image.new("RGB", (max(one.width for one in sheets), sum(one.height for one in sheets)), _PAPER)
    for number, one in enumerate(sheets):
        whole.paste(one, (0, sum(above.height for above in sheets[:number])))
    return whole


def write_sheet(run: SavedRun, path: Path) -> None:
    """Write the comparison sheet as a PNG."""
    path.write_bytes(png_bytes(comparison_sheet(run), f"{run.name}: {run.notice}"))


def write_stack(run: SavedRun, path: Path) -> None:
    """Write both dates and the maps of change as the bands of one cloud-optimised GeoTIFF."""
    bands: dict[str, FloatArray] = {}
    tags = {"AREA": run.name, "NOTICE": run.notice}
    for part in run.parts:
        head = SENSOR_WORDS[part.only] + " " if part.prefix and part.only else ""
        for role, raster in dates(part).items():
            bands |= {f"{head}{role} {name}": band for name, band in zip(raster.bands, raster.data, strict=True)}
            tags[f"{head}{role}".upper().replace(" ", "_")] = str(part.manifest[role])
        bands |= {f"{head}change {name}": band for name, band in part.change().items()}
    write_cog(path, np.stack([*bands.values()]), grid=run.grid, descriptions=[*bands], tags=tags)


def frame_factor(run: SavedRun, longest: int) -> int:
    """Return by how much a panel is enlarged so that its longer side is at most `longest`, 1 at least."""
    return min(max(longest // max(run.grid.shape), 1), enlargement(run.grid.shape))
