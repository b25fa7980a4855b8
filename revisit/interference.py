"""Interference in radar passes over a place: what the products' own records say, and what they cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from aoi import AOI
from aoi.geometry import grid_for
from detect.errors import DetectError
from detect.rfi import find_stripes
from imagery.datatake import one_per_pass
from imagery.documents import parse_xml
from imagery.errors import ImageryError, SceneError
from imagery.files import inside, walk
from imagery.raster import Raster
from imagery.rfi import RfiAnnotation, azimuth_times, read_rfi
from imagery.scene import Period, Scene
from imagery.sources.base import Source
from revisit.plain import iso_time, rounded
from revisit.radar_dates import LOOK_BEARINGS_DEG, usual_power
from revisit.scenes import UNUSABLE

CAVEATS = (
    "Both witnesses localise along the flight only: the source may lie anywhere across the swath, within its 250 km.",
    "Mitigation may have removed stripes from the image that the record still tells of.",
    "Silence is not absence: nothing may have sent while the satellite passed, and old products have no record.",
    "A stripe may have other causes, such as a fault of the product; a record and a stripe on one date support both.",
)
MOST_IMAGES = 60
"""Dates of which the image is read at most: the nearest to the end of the period."""
GSD_M = 10.0
GROUND_KM_S = 6.8
"""Speed of Sentinel-1 over the ground."""
SAME_PASS = timedelta(minutes=2)
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
    offsets_km: tuple[float, ...] = ()
    """Of the detections, from the area's middle along the flight, northwards."""


@dataclass(frozen=True, kw_only=True)
class ImageLines:
    """What one polarisation of one image shows along the flight."""

    scene: str
    platform: str
    polarisation: str
    acquired: datetime
    offset_km: NDArray[np.float64]
    """(line,) distance of each line from the area's middle along the flight, northwards."""
    excess_db: NDArray[np.float64]
    """(line,) of its dark ground over the neighbouring lines', less what it has on the other dates; NaN where the image
    shows too little."""
    stripes: NDArray[np.bool_]
    """(line,) whether it stands out."""
    compared: bool
    """Whether other dates of the track showed what its lines usually have."""


@dataclass(frozen=True, kw_only=True)
class Interference:
    """The records of a period."""

    records: tuple[PassRecord, ...]
    """Oldest first."""
    without: tuple[str, ...]
    """Products over the area that have no record: nothing is known of them."""
    skipped: tuple[str, ...]
    """What could not be read, and why."""
    images: tuple[ImageLines, ...] = ()
    """Oldest first."""


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
        yield _record(product.name, annotation, span, north=1 if found.group(1) == "ASCENDING" else -1)


def _record(name: str, annotation: RfiAnnotation, span: tuple[datetime, datetime], *, north: int) -> PassRecord:
    """Return what one polarisation recorded; `north` is 1 where the satellite flew north, else -1."""
    over = annotation.between(*span)
    middle = span[0] + (span[1] - span[0]) / 2
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
        offsets_km=tuple(north * GROUND_KM_S * (report.time - middle).total_seconds() for report in over),
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
    return Interference(records=tuple(ordered), without=tuple(without), skipped=tuple(skipped))


def _lines_of(track: Sequence[tuple[Scene, Raster]]) -> Iterator[ImageLines]:
    """Yield the lines of the images of one track, each against the mean of the others."""
    usual, known = usual_power([raster for _, raster in track])
    for scene, raster in track:
        for k, band in enumerate(raster.bands):
            try:
                found = find_stripes(
                    np.asarray(raster.data[k]),
                    raster.valid & known,
                    look_bearing_deg=LOOK_BEARINGS_DEG[scene.direction or ""],
                    usual=None if usual is None else usual[k],
                )
            except DetectError:
                continue
            yield ImageLines(
                scene=scene.id,
                platform=scene.platform or "not known",
                polarisation=band,
                acquired=scene.acquired,
                offset_km=found.offset_px * raster.grid.gsd / 1000,
                excess_db=found.excess_db,
                stripes=found.found,
                compared=usual is not None,
            )


def find_stripes_in(
    source: Source, aoi: AOI, days: tuple[date, date], *, progress: Callable[[str], None]
) -> tuple[tuple[ImageLines, ...], tuple[str, ...]]:
    """Return what the images of a source show along the flight, and what could not be read.

    Parameters
    ----------
    source
        Where to search; images of each relative orbit are held against one another.
    aoi
        Place.
    days
        First and last, included.
    progress
        Told of each image that is read.

    Raises
    ------
    SourceError
        Where the source failed.
    """
    first, last = (datetime.combine(day, clock, UTC) for day, clock in zip(days, (time.min, time.max), strict=True))
    found = source.search(aoi, [Period(start=first, end=last)], sensor="s1")
    grid = grid_for(aoi, GSD_M)
    scenes, _ = one_per_pass(found.scenes, aoi=aoi, crs=grid.crs)
    chosen = [scene for scene in sorted(scenes, key=lambda one: one.acquired) if scene.direction in LOOK_BEARINGS_DEG]
    skipped = [*found.warnings, *(f"{one.id}: no flight direction" for one in scenes if one not in chosen)]
    if len(chosen) > MOST_IMAGES:
        skipped.append(f"{len(chosen) - MOST_IMAGES} older images were not read; ask for a shorter period")
    tracks: dict[tuple[object, ...], list[tuple[Scene, Raster]]] = {}
    for scene in chosen[-MOST_IMAGES:]:
        progress(f"reading {scene.id}")
        try:
            raster = source.read(scene, grid, [band for band in ("VV", "VH") if band in scene.assets])
        except UNUSABLE as error:
            skipped.append(f"{scene.id}: {error}")
            continue
        if raster.valid.any():
            tracks.setdefault((scene.relative_orbit, scene.direction, raster.bands), []).append((scene, raster))
    lines = [line for track in tracks.values() for line in _lines_of(track)]
    return tuple(sorted(lines, key=lambda one: (one.acquired, one.polarisation))), tuple(skipped)


@dataclass(frozen=True, kw_only=True)
class Passed:
    """Both witnesses of one polarisation of one pass."""

    when: datetime
    platform: str
    polarisation: str
    record: PassRecord | None
    """None where no product with a record is at hand."""
    image: ImageLines | None
    """None where no image is at hand."""


def passes(found: Interference) -> list[Passed]:
    """Return both witnesses side by side, oldest first."""
    rows, left = [], list(found.images)
    for record in found.records:
        mine = [
            one
            for one in left
            if one.polarisation == record.polarisation and abs(one.acquired - record.first) <= SAME_PASS
        ]
        image = mine[0] if mine else None
        left = [one for one in left if one is not image]
        rows.append(
            Passed(
                when=record.first,
                platform=record.platform,
                polarisation=record.polarisation,
                record=record,
                image=image,
            )
        )
    rows += [
        Passed(when=one.acquired, platform=one.platform, polarisation=one.polarisation, record=None, image=one)
        for one in left
    ]
    return sorted(rows, key=lambda row: (row.when, row.polarisation))


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
        "images": [
            {
                "scene": one.scene,
                "platform": one.platform,
                "polarisation": one.polarisation,
                "acquired": iso_time(one.acquired),
                "stripes_km": [round(float(at), 2) for at in one.offset_km[one.stripes]],
                "excess_db": rounded(float(np.nanmax(one.excess_db)), 2),
                "held_against_other_dates": one.compared,
            }
            for one in found.images
        ],
        "without_record": list(found.without),
        "skipped": list(found.skipped),
        "caveats": list(CAVEATS),
    }
