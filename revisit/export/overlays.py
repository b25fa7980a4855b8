"""Every picture of a run for GIS: as PNG with its place and a strip for a person, and as cloud-optimised GeoTIFF."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp

from aoi import Grid
from imagery.files import inside
from imagery.geotiff import write_cog
from imagery.raster import Raster
from revisit.drawing import watermarked
from revisit.export.pictures import dates, sensor_line
from revisit.export.zipped import write_zip
from revisit.legend import Strip, legend_strip
from revisit.mapframe import sidecars
from revisit.picture import (
    Shades,
    Stretch,
    both_dates,
    enlarged,
    enlargement,
    heat_shades,
    png_bytes,
    second_bands,
    shades,
    shared_stretch,
)
from revisit.runs import SavedRun
from revisit.symbols import SIMULATED
from revisit.wording import stamp

_LEAST_WIDTH, _BESIDE_MAP = 900, "#f7f7f5"
_BANDS = ("red", "green", "blue", "opacity")
COLOURS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
"""What programs show the bands as."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One picture of the grid."""

    name: str
    """Of its files."""
    title: str
    """What it shows, and of which date."""
    note: str
    """How its colours are to be read."""
    colours: Shades


def _names(stretch: Stretch) -> str:
    """Return the name of a stretch for a file."""
    if stretch.decibels:
        return "backscatter" if len(stretch.bands) == 1 else "polarisations"
    return stretch.description.partition(";")[0].lower().replace(" ", "-")


def _dated(both: tuple[Raster, Raster], stretch: Stretch) -> Iterator[Look]:
    """Yield both dates by one stretch."""
    kind = _names(stretch)
    for role, raster in zip(("before", "after"), both, strict=True):
        title = f"{role}, {stamp(raster.acquired)}"
        yield Look(name=f"{role}-{kind}", title=title, note=stretch.description, colours=shades(raster, stretch))


def _heat(run: SavedRun) -> Iterator[Look]:
    """Yield the maps of change of both scales, where the manifest says what was needed to be flagged."""
    maps, needed = run.change(), run.manifest["detection"]["thresholds"]
    days = f"{stamp(run.acquired('before'))} against {stamp(run.acquired('after'))}"
    for scale in ("object", "area"):
        low, high = needed.get(scale) or (None, None)
        if not low or not high:
            continue
        note = (
            f"grey below what was needed to be flagged ({low:.3g}, up to {high:.3g} on other ground), orange at it, "
            f"yellow from {2 * high:.3g} on; only searched ground is flagged"
        )
        colours = heat_shades(maps[f"{scale}_statistic"], (float(low), float(high)))
        yield Look(name=f"heat-{scale}s", title=f"change heat of {scale}s, {days}", note=note, colours=colours)


def _looks_of(run: SavedRun) -> Iterator[Look]:
    """Yield the pictures of one sensor."""
    before, after = dates(run).values()
    first = shared_stretch((before, after))
    yield from _dated((before, after), first)
    bands = second_bands(before)
    if bands is not None:
        yield from _dated((before, after), shared_stretch((before, after), bands))
    if first.decibels:
        title = f"both dates in one, {stamp(before.acquired)} and {stamp(after.acquired)}"
        note = f"blue: brighter before; amber: brighter after; grey: alike. {first.description}"
        yield Look(name="both-dates", title=title, note=note, colours=both_dates(before, after, first))
    yield from _heat(run)


def looks(run: SavedRun) -> Iterator[tuple[Look, SavedRun]]:
    """Yield the pictures that a run's own rasters give, all on its grid, each with the part of its sensor.

    Both dates in true colour (radar: backscatter), in false colour (radar: both polarisations), radar in both dates in
    one, and the change heat of both scales. What a run has no bands for is left out. The names of a second sensor's
    begin with its own.
    """
    for part in run.parts:
        for look in _looks_of(part):
            yield replace(look, name=f"{part.prefix}{look.name}", title=f"{part.head}{look.title}"), part


def _map(look: Look, run: SavedRun, factor: int) -> Image.Image:
    """Return the map of a picture."""
    picture = enlarged(look.colours, factor)
    return watermarked(picture, SIMULATED) if run.simulated else picture


def _sheet(look: Look, picture: Image.Image, run: SavedRun, factor: int) -> Image.Image:
    """Return the map with its strip below; the map keeps the upper left corner, as the world file says."""
    hatched = "" if look.colours[..., 3].all() else "; hatched: not valid"
    strip = Strip(
        title=f"{run.name}: {look.title}",
        lines=(sensor_line(run), f"{look.note}{hatched}", run.notice),
        signs=False,
        pixel_m=run.grid.gsd / factor,
    )
    width = max(picture.width, _LEAST_WIDTH)
    below = legend_strip(strip, width)
    sheet = Image.new("RGB", (width, picture.height + below.height), _BESIDE_MAP)
    sheet.paste(picture, (0, 0))
    sheet.paste(below, (0, picture.height))
    return sheet


def _geotiff(picture: Image.Image, opacity: NDArray[np.uint8], run: SavedRun, factor: int, said: str) -> bytes:
    """Return a map as a cloud-optimised GeoTIFF of red, green, blue and opacity."""
    grid, step = run.grid, run.grid.gsd / factor
    finer = Grid(
        crs=grid.crs,
        transform=Affine(step, 0.0, grid.transform.c, 0.0, -step, grid.transform.f),
        width=grid.width * factor,
        height=grid.height * factor,
    )
    bands = np.concatenate([np.moveaxis(np.asarray(picture.convert("RGB")), 2, 0), opacity[None]])
    tags = {"AREA": run.name, "NOTICE": run.notice, "SHOWS": said, "SENSOR": sensor_line(run)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.tif"
        write_cog(path, bands, grid=finer, descriptions=_BANDS, nodata=None, dtype="uint8", tags=tags, colours=COLOURS)
        return path.read_bytes()


def _flagged(run: SavedRun, factor: int) -> dict[str, bytes]:
    """Return the run's own picture of its flags and zones, by sign and strength, in both forms."""
    content = inside(run.folder, run.folder / f"{run.prefix}overlay.png").read_bytes()
    with Image.open(io.BytesIO(content), formats=["PNG"]) as sheet:
        picture = sheet.convert("RGB").crop((0, 0, run.grid.width * factor, run.grid.height * factor))
    opacity = np.full(picture.size[::-1], 255, np.uint8)
    said = f"{run.head}flags on the after picture, {stamp(run.acquired('after'))}"
    name = f"{run.prefix}flags"
    return {f"{name}.png": content, f"{name}.tif": _geotiff(picture, opacity, run, factor, said)}


def write_overlays(run: SavedRun, path: Path) -> None:
    """Write a ZIP of all pictures: NAME.png with .pgw, .prj and .png.aux.xml, and NAME.tif; the same bytes each time.

    Parameters
    ----------
    run
        What to write.
    path
        The file.
    """
    factor = enlargement(run.grid.shape)
    found: dict[str, bytes] = {}
    for look, part in looks(run):
        picture = _map(look, run, factor)
        opacity = look.colours[..., 3].repeat(factor, axis=0).repeat(factor, axis=1)
        said = f"{look.title}; {look.note}"
        found[f"{look.name}.png"] = png_bytes(_sheet(look, picture, part, factor), f"{run.name}: {said}. {run.notice}")
        found[f"{look.name}.tif"] = _geotiff(picture, opacity, part, factor, said)
    for part in run.parts:
        found |= _flagged(part, factor)
    beside = {suffix: text.encode() for suffix, text in sidecars(run.grid, factor).items()}
    named = [Path(name).stem for name in found if name.endswith(".png")]
    found |= {f"{name}{suffix}": text for name in named for suffix, text in beside.items()}
    write_zip(path, dict(sorted(found.items())))
