"""Google Earth's KMZ: both dates laid on the ground with their times, flags and zones as placemarks."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
import shapely
from affine import Affine
from PIL import Image
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform_bounds
from shapely.geometry.base import BaseGeometry

from revisit.drawing import watermarked
from revisit.export.pictures import dates
from revisit.export.tables import candidates_text
from revisit.export.zipped import write_zip
from revisit.picture import Shades, shades, shared_stretch
from revisit.runs import SavedFlag, SavedRun
from revisit.symbols import SIGN_COLOURS, SIMULATED, ZONE_COLOUR
from revisit.witnessed import SENSOR_WORDS
from revisit.wording import contrast_words, stamp

_NAMESPACE = "http://www.opengis.net/kml/2.2"
_FINER = 3
"""Pixels of an overlay per pixel of the grid: a nearest-neighbour turn then moves no edge by more than a sixth."""
_MOST_SIDE = 6000
_FACTS = (
    ("change", "change"), ("scale", "scale"), ("zone", "zone"), ("length_m", "length, m"), ("width_m", "width, m"),
    ("p_value", "p per place"), ("false_alarms", "expected by chance"), ("before", "before"), ("after", "after"),
    ("likelihood_ratio", "likelihood ratio alone"), ("combined_likelihood_ratio", "with the other sensor"),
)  # fmt: skip


def _add(parent: Element, tag: str, text: object = None, /, **attributes: str) -> Element:
    """Add an element; control characters, which XML cannot hold, become "?"."""
    child = SubElement(parent, tag, attributes)
    if text is not None:
        plain = str(text).encode("utf-8", "replace").decode()
        child.text = "".join(char if char >= " " or char in "\n\t" else "?" for char in plain)
    return child


def _colour(rgb: str, opacity: str = "ff") -> str:
    """Return a colour as KML writes it: opacity, blue, green, red."""
    return opacity + rgb[5:7] + rgb[3:5] + rgb[1:3]


def _styles(document: Element) -> None:
    """Add the styles of flags and zones: outlines, nothing filled."""
    for name, colour in (*SIGN_COLOURS.items(), ("zone", ZONE_COLOUR)):
        style = _add(document, "Style", id=name)
        line = _add(style, "LineStyle")
        _add(line, "color", _colour(colour, "a0" if name == "zone" else "ff"))
        _add(line, "width", "1" if name == "zone" else "3")
        _add(_add(style, "PolyStyle"), "fill", "0")


def _span(parent: Element, begin: str | None, end: str | None) -> None:
    """Add when something is shown."""
    span = _add(parent, "TimeSpan")
    if begin:
        _add(span, "begin", begin)
    if end:
        _add(span, "end", end)


def _ring(parent: Element, kind: str, ring: BaseGeometry) -> None:
    """Add a ring of a polygon."""
    text = " ".join(f"{lon:.8f},{lat:.8f}" for lon, lat in shapely.get_coordinates(ring).tolist())
    _add(_add(_add(parent, kind), "LinearRing"), "coordinates", text)


def _polygons(parent: Element, geometry: BaseGeometry) -> None:
    """Add a geometry, clamped to the ground."""
    whole = _add(parent, "MultiGeometry")
    for part in shapely.get_parts(geometry):
        polygon = _add(whole, "Polygon")
        _add(polygon, "tessellate", "1")
        _ring(polygon, "outerBoundaryIs", shapely.get_exterior_ring(part))
        for hole in part.interiors:
            _ring(polygon, "innerBoundaryIs", hole)


def _flag(folder: Element, flag: SavedFlag, run: SavedRun) -> None:
    """Add a flag with its numbers."""
    mark = _add(folder, "Placemark")
    _add(mark, "name", flag.id)
    _span(mark, str(flag.properties.get("after") or run.manifest["after"]), None)
    _add(mark, "styleUrl", f"#{flag.change}")
    data = _add(mark, "ExtendedData")
    sensor = str(flag.properties.get("sensor"))
    values: dict[str, object] = {"sensor": SENSOR_WORDS.get(sensor, sensor)}
    values |= {title: flag.properties[key] for key, title in _FACTS if key in flag.properties}
    values["contrast"] = contrast_words(flag.properties.get("contrast"), sensor)
    values["consistent with"] = candidates_text(flag.properties) or None
    values["notes"] = "; ".join(map(str, flag.properties.get("notes") or [])) or None
    for title, value in values.items():
        entry = _add(data, "Data", name=title)
        _add(entry, "value", "not known" if value is None else value)
    _polygons(mark, flag.geometry)


def _overlay(document: Element, run: SavedRun, role: str, box: Iterable[float]) -> None:
    """Add a date's picture, shown until the next date; of two sensors radar's lies ready, switched off."""
    overlay = _add(document, "GroundOverlay")
    moment = run.acquired(role)  # type: ignore[arg-type]  # one of the two
    _add(overlay, "name", f"{run.head}{role}, {stamp(moment)}")
    if run.prefix:
        _add(overlay, "visibility", "0")
    before, after = str(run.manifest["before"]), str(run.manifest["after"])
    _span(overlay, *((before, after) if role == "before" else (after, None)))
    _add(overlay, "drawOrder", "1" if role == "before" else "2")
    _add(_add(overlay, "Icon"), "href", f"files/{run.prefix}{role}.png")
    place = _add(overlay, "LatLonBox")
    west, south, east, north = box
    for name, value in (("north", north), ("south", south), ("east", east), ("west", west)):
        _add(place, name, f"{value:.9f}")


def turned(picture: Shades, run: SavedRun) -> tuple[Shades, tuple[float, float, float, float]]:
    """Return a picture of the grid on a grid of longitude and latitude, and its (west, south, east, north).

    Nearest neighbour on finer pixels, so that the squares of the grid stay squares; transparent outside the grid.
    """
    west, south, east, north = transform_bounds(run.grid.crs, "EPSG:4326", *run.grid.bounds, densify_pts=21)
    finer = min(_FINER, _MOST_SIDE / max(run.grid.shape))
    height, width = (round(size * finer) for size in run.grid.shape)
    out = np.zeros((4, height, width), np.uint8)
    reproject(
        np.ascontiguousarray(np.moveaxis(picture, 2, 0)),
        out,
        src_transform=run.grid.transform,
        src_crs=run.grid.crs,
        dst_transform=Affine((east - west) / width, 0.0, west, 0.0, (south - north) / height, north),
        dst_crs="EPSG:4326",
        resampling=Resampling.nearest,
    )
    return np.ascontiguousarray(np.moveaxis(out, 0, 2)), (west, south, east, north)


def _marked(picture: Shades, run: SavedRun) -> Image.Image:
    """Return a picture as it is laid on the ground: with SIMULATED across it where it is."""
    image = Image.fromarray(picture)
    if not run.simulated:
        return image
    marked = watermarked(image, SIMULATED)
    marked.putalpha(image.getchannel("A"))
    return marked


def _document(run: SavedRun, box: tuple[float, float, float, float]) -> Element:
    """Return the KML document."""
    root = Element("kml", {"xmlns": _NAMESPACE})
    document = _add(root, "Document")
    _add(document, "name", f"{'SIMULATED: ' if run.simulated else ''}{run.name}")
    known = (
        "" if run.manifest["calibrated"] else " The thresholds are not calibrated: chance alone may give some flags."
    )
    notice = SIMULATED if run.simulated else run.notice
    _add(document, "description", f"{notice}. Compared by revisit on pixels of {run.grid.gsd:g} m.{known}")
    _styles(document)
    for part in run.parts:
        for role in ("before", "after"):
            _overlay(document, part, role, box)
    zones = _add(document, "Folder")
    _add(zones, "name", "Zones")
    for zone in run.zones:
        if zone.geometry is not None:
            mark = _add(zones, "Placemark")
            _add(mark, "name", zone.name)
            _add(mark, "styleUrl", "#zone")
            _polygons(mark, zone.geometry)
    for part in run.parts:
        flags = _add(document, "Folder")
        _add(flags, "name", f"Flagged changes{f' by {SENSOR_WORDS[part.only]}' if part.only else ''}")
        for flag in part.flags:
            _flag(flags, flag, part)
    return root


def write_kmz(run: SavedRun, path: Path) -> None:
    """Write a run as a KMZ; the same run gives the same bytes.

    Parameters
    ----------
    run
        What to write.
    path
        The file.
    """
    files = {}
    box = (0.0, 0.0, 0.0, 0.0)
    for part in run.parts:
        both = dates(part)
        stretch = shared_stretch(tuple(both.values()))
        for role, raster in both.items():
            picture, box = turned(shades(raster, stretch), run)
            buffer = io.BytesIO()
            _marked(picture, run).save(buffer, "PNG", compress_level=6)
            files[f"files/{part.prefix}{role}.png"] = buffer.getvalue()
    text = b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(_document(run, box), encoding="utf-8")
    write_zip(path, {"doc.kml": text, **files})
