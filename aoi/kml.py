"""Areas as KML: the polygons of a file's placemarks. Links and overlays are never followed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element  # the type alone: defusedxml reads

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse
from numpy.typing import NDArray
from shapely.geometry import Polygon

from aoi.assemble import PROPERTIES, Outline
from aoi.check import one_geometry, polygon
from aoi.errors import AOIError
from aoi.names import shown

MOST_ELEMENTS, DEEPEST = 200_000, 64
"""Each element costs memory far beyond its bytes in the file."""

_TUPLE = re.compile(r"(-?\d+(?:\.\d*)?(?:[eE][-+]?\d{1,3})?),(-?\d+(?:\.\d*)?(?:[eE][-+]?\d{1,3})?)(?:,[-+.\deE]*)?")


def _local(element: Element) -> str:
    """Return an element's name without its namespace: files of every KML version and none are read."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _root(content: bytes) -> Element:
    depth, elements = 0, 0
    events: Any = iterparse(io.BytesIO(content), events=("start", "end"), forbid_dtd=True)
    try:
        for event, _ in events:
            depth += 1 if event == "start" else -1
            elements += event == "start"
            if depth > DEEPEST or elements > MOST_ELEMENTS:
                raise AOIError(f"its XML is nested deeper than {DEEPEST} or has more than {MOST_ELEMENTS} elements")
    except DefusedXmlException as error:
        raise AOIError("its XML declares a document type or entities, which KML has no use for; remove them") from error
    except (ParseError, ValueError, LookupError) as error:
        raise AOIError(f"it is not well-formed XML: {error}") from error
    root: Element = events.root
    return root


def _below(element: Element, name: str) -> Iterator[Element]:
    return (found for found in element.iter() if _local(found) == name)


def _text(element: Element, name: str) -> str | None:
    """Return the text of the first child of that name."""
    return next((child.text for child in element if _local(child) == name), None)


def _ring(boundary: Element) -> NDArray[np.float64]:
    text = next((found.text for found in _below(boundary, "coordinates")), None) or ""
    points = []
    for tuple_text in text.split():
        match = _TUPLE.fullmatch(tuple_text)
        if match is None:
            raise AOIError(f"{shown(tuple_text)} is no KML position; one is longitude,latitude in degrees")
        points.append((float(match[1]), float(match[2])))
    if not points:
        raise AOIError("a ring of a polygon has no coordinates")
    return np.array(points)


def _polygon(element: Element) -> Polygon:
    outer = [child for child in element if _local(child) == "outerBoundaryIs"]
    inner = [child for child in element if _local(child) == "innerBoundaryIs"]
    if len(outer) != 1:
        raise AOIError(f"a polygon has {len(outer)} outer boundaries; it must have one")
    return polygon([_ring(boundary) for boundary in outer + inner])


def _properties(placemark: Element) -> dict[str, object]:
    """Return the placemark's name and what its extended data say of the zone."""
    found: dict[str, object] = {}
    for data in (*_below(placemark, "Data"), *_below(placemark, "SimpleData")):
        key = data.get("name", "").lower()
        if key in PROPERTIES:
            found[key] = (_text(data, "value") if _local(data) == "Data" else data.text) or None
    return {**found, "name": " ".join((_text(placemark, "name") or "").split()) or None}


def read_kml(content: bytes) -> list[Outline]:
    """Return the polygons of a KML document's placemarks, each with its name and extended data.

    Placemarks without a polygon (points, lines) are left aside.

    Raises
    ------
    AOIError
        Where it is not XML, not KML, or a polygon is not one; where it declares a document type or entities.
    """
    root = _root(content)
    if _local(root) != "kml":
        raise AOIError(f"its outermost element is {shown(_local(root))}, not kml")
    outlines = []
    for placemark in _below(root, "Placemark"):
        parts = [_polygon(element) for element in _below(placemark, "Polygon")]
        if parts:
            outlines.append(Outline(geometry=one_geometry(parts), properties=_properties(placemark)))
    return outlines
