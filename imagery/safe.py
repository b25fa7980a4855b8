"""Sentinel-2 SAFE products, L1C and L2A, of the present and the old format: metadata to scenes.

The radiometric offset of each band is the one that the product's own metadata state; never one that a date suggests.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from imagery.archive import Product
from imagery.bands import CLASSES_BAND, SENTINEL2_BANDS
from imagery.documents import parse_xml
from imagery.errors import SceneError
from imagery.fields import BASELINE, DIRECTIONS
from imagery.files import check_id
from imagery.items import NO_CLASSES, OFFSET_BASELINE
from imagery.outline import lonlat_outline
from imagery.scene import Asset, Scene

QUANTIFICATION = 10_000.0
"""DN per unit of reflectance, in every Sentinel-2 product."""
FIRST_PRELIMINARY = "90.00"
"""Processing baselines from here on mark test products, whose radiometry is not settled."""
BAND_IDS = tuple(name for name in SENTINEL2_BANDS)
"""ESA's `band_id` 0 to 12."""

_METADATA = re.compile(r"(MTD_MSIL(?:1C|2A)|S2[A-D]_(?:OPER|USER)_MTD_SAFL(?:1C|2A)_[A-Z0-9_]+)\.xml")
_TILE_METADATA = re.compile(r"GRANULE/([^/]+)/(MTD_TL|S2[A-D]_(?:OPER|USER)_MTD_L(?:1C|2A)_TL_[A-Z0-9_]+)\.xml")
_IMAGE = re.compile(r"GRANULE/([^/]+)/IMG_DATA/(?:R(?:10|20|60)m/)?[^/]*\.jp2")
_BAND = re.compile(r"_(B\d\d|B8A|SCL)(?:_(\d\d)m)?\.jp2$")
_OLD_CLASSES = re.compile(r"_(SCL)_L2A_TL_[A-Z0-9_]+_(\d\d)m\.jp2$")
_TILE = re.compile(r"_T(\d\d[A-Z]{3})(?:_|$)")
_UTM = re.compile(r"EPSG:32[67]\d\d")


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What holds for all granules of a product."""

    level: str
    baseline: str
    platform: str | None
    orbit: int | None
    direction: str | None
    start: datetime | None
    offsets: dict[str, float]
    """By band, in reflectance."""
    nodata: float
    outline: Polygon | None
    """Ground with data, lon/lat."""


@dataclass(frozen=True, kw_only=True)
class _Tile:
    """What one granule says of itself."""

    acquired: datetime | None
    square: BaseGeometry
    """lon/lat."""
    sun_elevation_deg: float | None
    sun_azimuth_deg: float | None


def product_scenes(product: Product) -> list[Scene]:
    """Return the scenes of a SAFE product: one, or one a granule in the old format.

    Raises
    ------
    RefusedFileError
        Where a file is not safe to be read.
    SceneError
        Where the metadata lack something that is needed or contradict the format; the message names it.
    """
    found = [name for name in product.names if "/" not in name and _METADATA.fullmatch(name)]
    if len(found) != 1:
        raise SceneError(f"has {len(found)} metadata files MTD_MSIL1C.xml or MTD_MSIL2A.xml; exactly one is needed")
    facts = _read_facts(parse_xml(product.content(found[0])))
    tiles = [match for name in product.names if (match := _TILE_METADATA.fullmatch(name))]
    if not tiles:
        raise SceneError("has no granule with metadata (GRANULE/*/MTD_TL.xml)")
    granules = [match[1] for match in tiles]
    if len(set(granules)) != len(granules):
        raise SceneError("has a granule with two metadata files")
    return [_scene(product, facts, match, alone=len(tiles) == 1) for match in tiles]


def _scene(product: Product, facts: _Facts, match: re.Match[str], *, alone: bool) -> Scene:
    granule, tile = match[1], _read_tile(parse_xml(product.content(match[0])))
    images = _images(product, granule)
    acquired = tile.acquired or facts.start
    if acquired is None:
        raise SceneError("the metadata have neither SENSING_TIME nor PRODUCT_START_TIME")
    if not set(images) - {CLASSES_BAND}:
        raise SceneError(f"granule {granule} has no images (GRANULE/*/IMG_DATA/**/*_B02*.jp2)")
    missing = sorted(set(images) - set(facts.offsets) - {CLASSES_BAND})
    if missing:
        raise SceneError(
            f"the metadata give radiometric offsets, but none for {', '.join(missing)}; nothing is guessed"
        )
    named = _TILE.search(granule)
    label = product.label if alone else f"{product.label}_{named[1] if named else granule}"
    overlap = facts.outline.intersection(tile.square) if facts.outline else tile.square
    return Scene(
        id=check_id(label),
        sensor="s2",
        platform=facts.platform,
        acquired=acquired,
        footprint=tile.square if overlap.is_empty else overlap,
        source="folder",
        href=product.href(match[0]),
        assets={band: _asset(product, band, name, facts) for band, name in images.items()},
        relative_orbit=facts.orbit,
        direction=facts.direction,
        processing_baseline=facts.baseline,
        level=facts.level,
        sun_elevation_deg=tile.sun_elevation_deg,
        sun_azimuth_deg=tile.sun_azimuth_deg,
        notes=() if CLASSES_BAND in images else (NO_CLASSES,),
    )


def _asset(product: Product, band: str, name: str, facts: _Facts) -> Asset:
    if band == CLASSES_BAND:
        return Asset(href=product.href(name), nodata=0.0)
    scale, offset = 1 / QUANTIFICATION, facts.offsets[band]
    return Asset(href=product.href(name), scale=scale, offset=offset, nodata=facts.nodata)


def _images(product: Product, granule: str) -> dict[str, str]:
    """Return the finest image of each band of a granule, by band."""
    found: dict[str, tuple[int, str]] = {}
    for name in product.names:
        inside = _IMAGE.fullmatch(name)
        band = _OLD_CLASSES.search(name) or _BAND.search(name)
        if not inside or inside[1] != granule or not band or band[1] not in (*BAND_IDS, CLASSES_BAND):
            continue
        spacing = int(band[2] or 0)
        if band[1] not in found or spacing < found[band[1]][0]:
            found[band[1]] = spacing, name
    return {band: name for band, (_, name) in sorted(found.items())}


def _all(root: Element, *names: str) -> Iterator[Element]:
    """Yield the elements of these names in document order, whatever their namespace."""
    return (element for element in root.iter() if str(element.tag).rpartition("}")[2] in names)


def _text(root: Element, *names: str) -> str | None:
    """Return the text of the first element of these names, stripped; None where there is none."""
    element = next(_all(root, *names), None)
    return None if element is None or element.text is None else element.text.strip()


def _needed(root: Element, *names: str) -> str:
    text = _text(root, *names)
    if not text:
        raise SceneError(f"the metadata have no {' or '.join(names)}")
    return text


def _float(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise SceneError(f"{name} is {text[:40]!r}, no number") from error
    if not math.isfinite(value):
        raise SceneError(f"{name} is {text[:40]!r}, no number")
    return value


def _moment(root: Element, name: str) -> datetime | None:
    """Return the time in the first element of this name; None where there is none."""
    text = _text(root, name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SceneError(f"{name} is {text[:40]!r}, no time") from error
    # ESA's times are UTC, with or without the Z.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _read_facts(root: Element) -> _Facts:
    level = {"Level-1C": "L1C", "Level-2A": "L2A", "Level-2Ap": "L2A"}.get(_needed(root, "PROCESSING_LEVEL"))
    if level is None:
        raise SceneError(
            f"PROCESSING_LEVEL is {_needed(root, 'PROCESSING_LEVEL')[:40]!r}; Level-1C and Level-2A are read"
        )
    baseline = _needed(root, "PROCESSING_BASELINE")
    if not BASELINE.fullmatch(baseline) or baseline >= FIRST_PRELIMINARY:
        raise SceneError(f"PROCESSING_BASELINE {baseline[:20]!r} is not known; its radiometry cannot be relied on")
    _check_quantification(root, level)
    platform = _text(root, "SPACECRAFT_NAME")
    direction = (_text(root, "SENSING_ORBIT_DIRECTION") or "").lower()
    return _Facts(
        level=level,
        baseline=baseline,
        platform=platform.lower() if platform and re.fullmatch(r"Sentinel-2[A-D]", platform) else None,
        orbit=_orbit(_text(root, "SENSING_ORBIT_NUMBER")),
        direction=direction if direction in DIRECTIONS else None,
        start=_moment(root, "PRODUCT_START_TIME"),
        offsets=_offsets(root, baseline),
        nodata=_nodata(root),
        outline=_outline(_text(root, "EXT_POS_LIST")),
    )


def _check_quantification(root: Element, level: str) -> None:
    names = {"L1C": ("QUANTIFICATION_VALUE",), "L2A": ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE")}[
        level
    ]
    value = _float(_needed(root, *names), names[0])
    if value != QUANTIFICATION:
        raise SceneError(f"{names[0]} is {value:g}; every product has {QUANTIFICATION:g}, so the metadata are wrong")


def _orbit(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,3}", text) and 1 <= int(text) <= 143 else None


def _offsets(root: Element, baseline: str) -> dict[str, float]:
    """Return the offset of each band in reflectance, from the product's own list."""
    listed = {}
    for element in _all(root, "BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"):
        number, text = element.get("band_id") or "", (element.text or "").strip()
        if not number.isdecimal() or not int(number) < len(BAND_IDS):
            raise SceneError(f"an offset has the band_id {number[:20]!r}; 0 to {len(BAND_IDS) - 1} are known")
        offset = _float(text, "an offset") / QUANTIFICATION
        if abs(offset) > 1:
            raise SceneError(f"the offset of {BAND_IDS[int(number)]} is {text[:40]}, more than full reflectance")
        listed[BAND_IDS[int(number)]] = offset
    if listed:
        return listed
    if baseline >= OFFSET_BASELINE:
        raise SceneError(f"PROCESSING_BASELINE {baseline} has radiometric offsets, but the metadata do not list them")
    return dict.fromkeys(BAND_IDS, 0.0)


def _nodata(root: Element) -> float:
    for special in _all(root, "Special_Values"):
        if _text(special, "SPECIAL_VALUE_TEXT") == "NODATA":
            return _float(_needed(special, "SPECIAL_VALUE_INDEX"), "SPECIAL_VALUE_INDEX")
    return 0.0


def _outline(text: str | None) -> Polygon | None:
    """Return the ground with data from ESA's list of latitudes and longitudes; None where it is no polygon."""
    numbers = (text or "").split()
    if len(numbers) < 8 or len(numbers) > 2000 or not all(re.fullmatch(r"-?\d{1,3}(\.\d*)?", n) for n in numbers):
        return None
    step = 3 if numbers[2] == "0" and len(numbers) % 3 == 0 else 2
    points = [(float(numbers[k + 1]), float(numbers[k])) for k in range(0, len(numbers) - step + 1, step)]
    shape = Polygon(points)
    return shape if shape.is_valid and shape.area > 0 else None


def _read_tile(root: Element) -> _Tile:
    sun = next(_all(root, "Mean_Sun_Angle"), None)
    zenith, azimuth = (None, None) if sun is None else (_text(sun, "ZENITH_ANGLE"), _text(sun, "AZIMUTH_ANGLE"))
    return _Tile(
        acquired=_moment(root, "SENSING_TIME"),
        square=_square(root),
        sun_elevation_deg=90 - _float(zenith, "ZENITH_ANGLE") if zenith else None,
        sun_azimuth_deg=_float(azimuth, "AZIMUTH_ANGLE") if azimuth else None,
    )


def _square(root: Element) -> BaseGeometry:
    """Return the tile's ground, lon/lat."""
    crs = _needed(root, "HORIZONTAL_CS_CODE").upper()
    if not _UTM.fullmatch(crs):
        raise SceneError(f"HORIZONTAL_CS_CODE is {crs[:40]!r}; a UTM zone such as EPSG:32636 is expected")
    size, place = (next(_all(root, name), None) for name in ("Size", "Geoposition"))
    if size is None or place is None:
        raise SceneError("the metadata have no Size or no Geoposition of the tile")
    gsd = _float(size.get("resolution") or "", "the resolution of Size")
    rows, cols = (_float(_needed(size, name), name) for name in ("NROWS", "NCOLS"))
    west, north = (_float(_needed(place, name), name) for name in ("ULX", "ULY"))
    if not (0 < gsd <= 60 and 0 < rows * gsd <= 2e5 and 0 < cols * gsd <= 2e5):
        raise SceneError(f"the tile has {rows:g} x {cols:g} px of {gsd:g} m; at most 200 km are expected")
    return lonlat_outline(crs, (west, north - rows * gsd, west + cols * gsd, north))
