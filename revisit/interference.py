"""Interference in radar passes over a place: what the products' own records say, and what they cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from shapely.geometry import Polygon

from aoi import AOI
from imagery.documents import parse_xml
from imagery.errors import ImageryError, RefusedFileError, SceneError
from imagery.files import inside, walk
from imagery.rfi import RfiAnnotation, azimuth_times, read_rfi
from revisit.plain import iso_time, rounded

CAVEATS = (
    "A record localises along the flight only: the source may lie anywhere across the swath, within its 250 km.",
    "Mitigation may have removed stripes from the image that the record still tells of.",
    "Silence is not absence: nothing may have sent while the satellite passed, and old products have no record.",
)
NAMESPACE = {"gml": "http://www.opengis.net/gml", "safe": "http://www.esa.int/safe/sentinel-1.0"}
PASS = re.compile(r"<s1:pass>(ASCENDING|DESCENDING)</s1:pass>")


@dataclass(frozen=True, kw_only=True)
class PassRecord:
    """What one polarisation of one pass recorded over an area."""

    product: str
    platform: str
    polarisation: str
    first: datetime
    last: datetime
    """UTC, when the satellite flew by the area."""
    detections: int
    """Noise pulses within that time that the processor calls interference."""
    elsewhere: int
    """The same in the rest of the product."""
    power: float
    """Strongest spectral density of those over the area; 0 without any."""
    mitigation: str
    """"None", or the method that was applied to the image."""


@dataclass(frozen=True, kw_only=True)
class Interference:
    """The records of a period."""

    records: tuple[PassRecord, ...]
    """Oldest first."""
    without: tuple[str, ...]
    """Products over the area that have no record: nothing is known of them."""
    skipped: tuple[str, ...]
    """What could not be read, and why."""


def _text(root: Any, path: str) -> str:
    """Return the text of the first node of a manifest."""
    node = root.find(f".//{path}", NAMESPACE)
    if node is None or not (node.text or "").strip():
        raise SceneError(f"the manifest has no {path.rsplit(':', maxsplit=1)[-1]}")
    return str(node.text).strip()


def _moment(text: str) -> datetime:
    """Return a manifest's time, UTC."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise SceneError(f"the manifest's time {text[:40]!r} is none") from error


def _corners(text: str) -> list[tuple[float, float]]:
    """Return the (lon, lat) of a footprint written as lat,lon pairs."""
    try:
        pairs = [tuple(map(float, pair.split(","))) for pair in text.split()]
        corners = [(lon, lat) for lat, lon in pairs]
    except ValueError as error:
        raise SceneError(f"the manifest's footprint {text[:60]!r} is no list of corners") from error
    if len(corners) != 4:
        raise SceneError(f"the manifest's footprint has {len(corners)} corners; 4 are expected")
    return corners


def _records(product: Path, root: Path, aoi: AOI, days: tuple[date, date]) -> Iterator[PassRecord | None]:
    """Yield the records of a product over the area; None where it has none at all."""
    manifest = inside(root, product / "manifest.safe").read_bytes()
    tree = parse_xml(manifest)
    times = _moment(_text(tree, "safe:startTime")), _moment(_text(tree, "safe:stopTime"))
    corners = _corners(_text(tree, "gml:coordinates"))
    if not days[0] <= times[0].date() <= days[1] or not Polygon(corners).intersects(aoi.geometry):
        return
    found = PASS.search(manifest.decode("utf-8", "replace"))
    if not found:
        raise SceneError("the manifest does not say whether the satellite flew north or south")
    west, south, east, north = aoi.geometry.bounds
    points = [(west, south), (east, south), (east, north), (west, north)]
    span = azimuth_times(corners, times, points, ascending=found.group(1) == "ASCENDING")
    annotations = read_rfi(product)
    if not annotations:
        yield None
    for annotation in annotations:
        yield _record(product.name, annotation, span)


def _record(name: str, annotation: RfiAnnotation, span: tuple[datetime, datetime]) -> PassRecord:
    """Return what one polarisation recorded."""
    over = annotation.between(*span)
    return PassRecord(
        product=name.removesuffix(".SAFE"),
        platform=annotation.platform,
        polarisation=annotation.polarisation,
        first=span[0],
        last=span[1],
        detections=len(over),
        elsewhere=len(annotation.detections) - len(over),
        power=max((report.power for report in over), default=0.0),
        mitigation=annotation.mitigation,
    )


def find_interference(folder: Path, aoi: AOI, days: tuple[date, date]) -> Interference:
    """Return the interference records of the Sentinel-1 products of a folder over an area.

    Parameters
    ----------
    folder
        Holds .SAFE folders at any depth; their annotation is enough.
    aoi
        Place.
    days
        First and last, included.

    Raises
    ------
    RefusedFileError
        Where the folder cannot be walked.
    """
    records: list[PassRecord] = []
    without: list[str] = []
    skipped: list[str] = []
    for product in walk(folder).safes:
        if not product.name.upper().startswith("S1"):
            continue
        try:
            for record in _records(product, folder, aoi, days):
                if record is None:
                    without.append(product.name)
                else:
                    records.append(record)
        except (ImageryError, OSError) as error:
            skipped.append(f"{product.name}: {error}")
    ordered = sorted(records, key=lambda one: (one.first, one.polarisation))
    if not ordered and not without and not skipped:
        raise RefusedFileError(f"{folder} holds no Sentinel-1 product over {aoi.name} between {days[0]} and {days[1]}")
    return Interference(records=tuple(ordered), without=tuple(without), skipped=tuple(skipped))


def plain_interference(found: Interference) -> dict[str, Any]:
    """Return the records as plain JSON values."""
    return {
        "records": [
            {
                "product": one.product,
                "platform": one.platform,
                "polarisation": one.polarisation,
                "first": iso_time(one.first),
                "last": iso_time(one.last),
                "detections": one.detections,
                "elsewhere": one.elsewhere,
                "power": rounded(one.power, 6),
                "mitigation": one.mitigation,
            }
            for one in found.records
        ],
        "without_record": list(found.without),
        "skipped": list(found.skipped),
        "caveats": list(CAVEATS),
    }
