"""Items of public catalogues to scenes: each collection has its own names and its own way to state an offset.

What a catalogue leaves out is taken from ESA's product name where that says it, and is None where nothing does. The
offset follows from the processing baseline, never from a date (ESA, Sentinel-2 Products Specification Document: from
baseline 04.00 on, reflectance = (DN - 1000) / 10000).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from imagery import fields
from imagery.addresses import reach_of
from imagery.bands import CLASSES_BAND
from imagery.errors import SceneError, SourceError
from imagery.exchange import Hosts
from imagery.fields import BASELINE, DIRECTIONS, Json
from imagery.files import check_id
from imagery.items import NO_CLASSES, OFFSET_BASELINE
from imagery.offset import ESA_OFFSET
from imagery.product_names import ProductName, parse_product_name
from imagery.safe import FIRST_PRELIMINARY, QUANTIFICATION
from imagery.scene import Asset, Scene

NEEDED = {"s2": ("B02", "B03", "B04", "B08"), "s1": ("VV",)}
"""Bands without which a scene is of no use, by sensor."""
RADAR_MODE = "IW"
"""The mode in which Sentinel-1 takes land; others have other pixels."""

_PLATFORM = re.compile(r"sentinel-[12][a-d]")
_TILE = re.compile(r"\d{2}[C-X][A-Z]{2}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one collection of one catalogue describes its scenes."""

    source: str
    """Name of the source."""
    root: str
    """Address of the catalogue."""
    collection: str
    sensor: str
    """"s2" or "s1"."""
    hosts: Hosts
    """Where the files may lie."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Key of the asset that holds a band, by band; empty for a catalogue without pixels."""
    offset: Literal["declared", "claimed", "raw"] = "raw"
    """"declared": the asset says it. "raw": the pixels are ESA's own, the baseline says it. "claimed": the item says
    whether it was taken off, and is known to be wrong at times."""


def parse_remote(item: Json, dialect: Dialect) -> Scene:
    """Return the scene that an Item of a catalogue describes.

    Parameters
    ----------
    item
        As it came.
    dialect
        Of its collection.

    Raises
    ------
    SceneError
        Where something that is needed is missing or makes no sense; the message names it.
    RefusedFileError
        Where its id is not safe.
    """
    properties = fields.child(fields.check_item(item), "properties")
    name = check_id(item.get("id"))
    product = _product(name, properties)
    baseline = _baseline(properties, product) if dialect.sensor == "s2" else None
    _check_mode(properties, product, dialect)
    assets, notes = _assets(item, dialect, baseline) if dialect.keys else ({}, ())
    return Scene(
        id=name,
        sensor=dialect.sensor,
        platform=_platform(properties, product),
        acquired=fields.acquired(properties),
        footprint=fields.footprint(item),
        source=dialect.source,
        href=f"{dialect.root.rstrip('/')}/collections/{dialect.collection}/items/{name}",
        assets=assets,
        relative_orbit=_first(fields.orbit(properties, dialect.sensor), (product.relative_orbit if product else None)),
        direction=fields.one_of(properties, "sat:orbit_state", DIRECTIONS),
        processing_baseline=baseline,
        level="L2A" if dialect.sensor == "s2" else None,
        sun_elevation_deg=fields.number(properties, "view:sun_elevation", -90, 90),
        sun_azimuth_deg=fields.number(properties, "view:sun_azimuth", 0, 360),
        tile=_tile(properties, product),
        datatake=_datatake(properties, product),
        datastrip=_name(properties.get("s2:datastrip_id")),
        generated=_generated(properties, product),
        notes=notes,
    )


def _first(*values: Any) -> Any:
    """Return the first value that is known."""
    return next((value for value in values if value is not None), None)


def _product(name: str, properties: Json) -> ProductName | None:
    """Return what ESA's product name says, wherever the catalogue keeps it."""
    uri = properties.get("s2:product_uri")
    found = [parse_product_name(text.removesuffix(".SAFE")) for text in (uri, name) if isinstance(text, str)]
    return next((product for product in found if product), None)


def _platform(properties: Json, product: ProductName | None) -> str | None:
    said = str(properties.get("platform", "")).lower()
    return said if _PLATFORM.fullmatch(said) else (product.platform if product else None)


def _baseline(properties: Json, product: ProductName | None) -> str | None:
    """Return ESA's processing baseline; refuse the preliminary ones, whose radiometry is not settled."""
    stated = (fields.matching(properties, key, BASELINE) for key in ("s2:processing_baseline", "processing:version"))
    baseline = _first(*stated, (product.processing_baseline if product else None))
    if baseline is not None and baseline >= FIRST_PRELIMINARY:
        raise SceneError(f"processing baseline {baseline} marks a preliminary product; not used")
    return str(baseline) if baseline is not None else None


def _check_mode(properties: Json, product: ProductName | None, dialect: Dialect) -> None:
    mode = _first(properties.get("sar:instrument_mode"), (product.mode if product else None))
    if dialect.sensor == "s1" and mode not in (None, RADAR_MODE):
        raise SceneError(f"taken in the mode {str(mode)[:10]!r}; only {RADAR_MODE} is compared")


def _tile(properties: Json, product: ProductName | None) -> str | None:
    square = (properties.get(f"mgrs:{part}") for part in ("utm_zone", "latitude_band", "grid_square"))
    joined = "".join(str(part).zfill(2) if isinstance(part, int) else str(part) for part in square)
    told = (properties.get("s2:mgrs_tile"), properties.get("grid:code"), joined)
    plain = (str(text).removeprefix("MGRS-").zfill(5) for text in told)
    return next((text for text in plain if _TILE.fullmatch(text)), (product.tile if product else None))


def _name(text: object) -> str | None:
    """Return a name of ESA's; None for anything else."""
    return text if isinstance(text, str) and _NAME.fullmatch(text) else None


def _datatake(properties: Json, product: ProductName | None) -> str | None:
    told = _name(properties.get("s2:datatake_id")) or _name(properties.get("s1:datatake_id"))
    return told or (product.datatake if product else None)


def _generated(properties: Json, product: ProductName | None) -> datetime | None:
    text = properties.get("s2:generation_time")
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None:
        return product.generated if product else None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _assets(item: Json, dialect: Dialect, baseline: str | None) -> tuple[dict[str, Asset], tuple[str, ...]]:
    """Return the assets by band, and a note where the scene classification is missing."""
    assets, problems = {}, dict[str, str]()
    for band, key in dialect.keys.items():
        try:
            assets[band] = _asset(item, dialect, band, baseline)
        except (SceneError, SourceError) as error:
            problems[band] = f"{band} (asset {key}): {error}"
    missing = [problems[band] for band in NEEDED[dialect.sensor] if band in problems]
    if missing:
        raise SceneError(f"lacks {'; '.join(missing)}")
    unmasked = dialect.sensor == "s2" and CLASSES_BAND in problems
    return assets, (NO_CLASSES,) if unmasked else ()


def _asset(item: Json, dialect: Dialect, band: str, baseline: str | None) -> Asset:
    """Return the asset of a band.

    Raises
    ------
    SceneError
        Where there is none, or its numbers would have no unit.
    AddressError
        Where its file lies where this catalogue has none.
    """
    key = dialect.keys[band]
    record = fields.child(fields.child(item, "assets"), key)
    href = record.get("href")
    if not isinstance(href, str):
        raise SceneError("has no address")
    # A signature would be out of date soon, and is a secret: files are signed anew each time they are asked for.
    plain = href.partition("?")[0]
    reach_of(plain, dialect.hosts)
    told = fields.band_record(key, record)
    if band == CLASSES_BAND:
        return Asset(href=plain, nodata=0.0)
    if dialect.sensor == "s1":
        return Asset(href=plain, nodata=fields.finite(key, told["nodata"], "nodata"))
    scale = fields.finite(key, told["scale"], "scale")
    if scale is not None and abs(scale * QUANTIFICATION - 1) > 1e-6:
        raise SceneError(f"scale {scale:g}; every product has {1 / QUANTIFICATION:g}")
    offset, doubtful = _offset(item, dialect, baseline, fields.finite(key, told["offset"], "offset"))
    return Asset(href=plain, scale=1 / QUANTIFICATION, offset=offset, nodata=0.0, offset_doubtful=doubtful)


def _offset(item: Json, dialect: Dialect, baseline: str | None, declared: float | None) -> tuple[float, bool]:
    """Return the offset of a band in reflectance, and whether only the numbers themselves can confirm it."""
    late = baseline is not None and baseline >= OFFSET_BASELINE
    by_baseline = ESA_OFFSET if late else 0.0
    if dialect.offset == "raw":
        if baseline is None:
            raise SceneError("the processing baseline is not stated, and with it the offset; nothing is guessed")
        return by_baseline, False
    if baseline is not None and not late:
        # There was nothing to take off, whatever the item says.
        return 0.0, False
    if dialect.offset == "declared":
        agrees = declared is not None and math.isclose(declared, by_baseline)
        return (by_baseline if late else declared or 0.0), not (late and agrees)
    applied = fields.child(item, "properties").get("earthsearch:boa_offset_applied")
    return (0.0 if applied is True else ESA_OFFSET), True


def parse_all(items: Sequence[Json], dialects: Mapping[str, Dialect]) -> tuple[list[Scene], list[str]]:
    """Return the scenes of Items, and a line on each Item that is left out and why.

    Parameters
    ----------
    items
        As they came; one that is wrong harms no other.
    dialects
        By collection.
    """
    scenes, warnings = [], []
    for item in items:
        try:
            scenes.append(parse_remote(item, _dialect(item, dialects)))
        except ValueError as error:
            source = next(iter(dialects.values())).source
            warnings.append(f"{source}: {str(item.get('id'))[:120]} is left out: {error}")
    return scenes, warnings


def _dialect(item: Json, dialects: Mapping[str, Dialect]) -> Dialect:
    collection = item.get("collection")
    if collection is None and len(dialects) == 1:
        return next(iter(dialects.values()))
    if str(collection) not in dialects:
        raise SceneError(f"is of the collection {str(collection)[:60]!r}, which was not asked for")
    return dialects[str(collection)]
