"""Loose rasters of one acquisition to a STAC Item beside cloud-optimised GeoTIFFs, numbers and grids as they are."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from shapely.geometry import mapping
from shapely.geometry.polygon import orient

from imagery.bands import CLASSES_BAND, SENTINEL2_BANDS, sensor_of
from imagery.errors import SceneError
from imagery.files import write_text
from imagery.geotiff import read_band, write_cog
from imagery.items import parse_item
from imagery.opening import Header, inspect
from imagery.outline import lonlat_outline

STAC_VERSION = "1.0.0"
SCHEMAS = "https://stac-extensions.github.io/{}/schema.json"
COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
CONSTELLATIONS = {"s2": "sentinel-2", "s1": "sentinel-1"}
_BAND_IN_NAME = re.compile(r"(?:^|[^A-Za-z0-9])(B\d\d|B8A|SCL|V[VH])(?=[^A-Za-z0-9]|$)")


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """What is known about the rasters of one acquisition; None where it is not."""

    sensor: str
    """"s2" or "s1"."""
    acquired: datetime
    """UTC, aware."""
    day_only: bool = False
    """True: the time of day is not known, and midnight stands for it."""
    scale: float | None = None
    """Physical value = number x scale + offset; needed for whole numbers."""
    offset: float | None = None
    nodata: float | None = None
    """The number that means "nothing here"; None: what the files say, if they do."""
    platform: str | None = None
    relative_orbit: int | None = None
    direction: str | None = None
    """"ascending" or "descending"."""
    processing_baseline: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """One band in one file."""

    band: str
    path: Path
    index: int
    """1 = the file's first band."""
    header: Header
    nodata: float | None

    @property
    def dtype(self) -> str:
        return self.header.dtypes[self.index - 1]


def parse_date(text: str) -> tuple[datetime, bool]:
    """Return a day or a time as aware UTC, and whether it was a day only.

    Raises
    ------
    SceneError
        Where it is neither.

    Examples
    --------
    >>> parse_date("2015-08-20")
    (datetime.datetime(2015, 8, 20, 0, 0, tzinfo=datetime.timezone.utc), True)
    """
    try:
        if re.fullmatch(r"\d{4}-?\d\d-?\d\d", text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC), True
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SceneError(f"the date {text[:40]!r} is none; give 2024-12-07 or 2024-12-07T08:20:00Z") from error
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)), False


def _layers(files: Sequence[Path], bands: Sequence[str], about: Acquisition) -> list[_Layer]:
    """Return which band lies where, the names being in the order of the files and of the bands in them."""
    wrong = [band for band in bands if sensor_of(band) != about.sensor]
    if wrong or len(set(bands)) != len(bands):
        known = (*SENTINEL2_BANDS, CLASSES_BAND) if about.sensor == "s2" else ("VV", "VH")
        raise SceneError(f"the bands {', '.join(bands)} must be different ones of {', '.join(known)}")
    headers = [inspect(path.resolve()) for path in files]
    places = [(p, k, h) for p, h in zip(files, headers, strict=True) for k in range(1, len(h.dtypes) + 1)]
    if len(places) != len(bands):
        held = ", ".join(f"{path.name} {len(header.dtypes)}" for path, header in zip(files, headers, strict=True))
        raise SceneError(f"{len(bands)} bands are named, but the files hold {len(places)} ({held}); name each one")
    layers = []
    for band, (path, index, header) in zip(bands, places, strict=True):
        nodata = header.nodata if about.nodata is None else about.nodata
        layers.append(_Layer(band=band, path=path, index=index, header=header, nodata=nodata))
        _check_layer(layers[-1], about)
    return layers


def _check_layer(layer: _Layer, about: Acquisition) -> None:
    """Refuse what would be wrong in silence later."""
    named = layer.header.descriptions[layer.index - 1] or ""
    inside_name = _BAND_IN_NAME.findall(layer.path.stem) if len(layer.header.dtypes) == 1 else []
    stated = named if sensor_of(named) else inside_name[0] if len(inside_name) == 1 else layer.band
    if stated != layer.band:
        raise SceneError(
            f"band {layer.index} of {layer.path.name} calls itself {stated}, but {layer.band} is given for it; put the"
            " names of --bands into the order of the files"
        )
    if layer.header.masked:
        raise SceneError(f"{layer.path.name} has a mask beside its numbers; write it with a nodata number instead")
    kind = np.dtype(layer.dtype)
    if layer.band != CLASSES_BAND and kind.kind in "iu" and (about.scale is None or about.offset is None):
        raise SceneError(
            f"{layer.path.name} holds {layer.dtype} numbers: --scale and --offset are needed for their unit"
        )
    if layer.nodata is not None and kind.kind in "iu" and not _fits(layer.nodata, kind):
        raise SceneError(
            f"{layer.path.name} holds {layer.dtype} numbers, none of which can be the nodata {layer.nodata:g}"
        )


def _fits(number: float, kind: np.dtype[Any]) -> bool:
    limits = np.iinfo(kind)
    return float(number).is_integer() and limits.min <= number <= limits.max


def _scene_id(layers: Sequence[_Layer], about: Acquisition) -> str:
    """Return a name that is the same for the same sensor, time and ground."""
    ground = sorted({(layer.header.crs, *(round(v, 6) for v in layer.header.bounds)) for layer in layers})
    digest = hashlib.sha256(repr(ground).encode()).hexdigest()[:8].upper()
    return f"{about.sensor.upper()}_{about.acquired:%Y%m%dT%H%M%S}_{digest}"


def _asset(layer: _Layer, about: Acquisition, href: str) -> dict[str, Any]:
    described: dict[str, Any] = {"data_type": layer.dtype}
    if layer.nodata is not None:
        described["nodata"] = "nan" if math.isnan(layer.nodata) else float(layer.nodata)
    if layer.band != CLASSES_BAND:
        described |= {"scale": 1.0 if about.scale is None else about.scale}
        described |= {"offset": 0.0 if about.offset is None else about.offset}
    return {
        "href": href,
        "type": COG_TYPE,
        "roles": ["data"],
        "title": layer.band,
        **_projection(layer.header.crs),
        "proj:shape": [layer.header.height, layer.header.width],
        "proj:transform": list(layer.header.transform)[:6],
        "raster:bands": [described],
    }


def _projection(crs: str) -> dict[str, Any]:
    return {"proj:code": crs, "proj:epsg": int(crs[5:])} if crs.startswith("EPSG:") else {"proj:wkt2": crs}


def _properties(about: Acquisition) -> dict[str, Any]:
    stated = {
        "datetime": about.acquired.isoformat().replace("+00:00", "Z"),
        "constellation": CONSTELLATIONS[about.sensor],
        "platform": about.platform,
        "sat:relative_orbit": about.relative_orbit,
        "sat:orbit_state": about.direction,
        "s2:processing_baseline": about.processing_baseline,
        "revisit:day_only": True if about.day_only else None,
    }
    return {name: value for name, value in stated.items() if value is not None}


def _item(name: str, layers: Sequence[_Layer], about: Acquisition) -> dict[str, Any]:
    outline = max((lonlat_outline(layer.header.crs, layer.header.bounds) for layer in layers), key=lambda s: s.area)
    properties = _properties(about)
    extensions = ["projection/v1.2.0", "raster/v1.1.0"]
    extensions += ["sat/v1.0.0"] if any(key.startswith("sat:") for key in properties) else []
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [SCHEMAS.format(extension) for extension in extensions],
        "id": name,
        "geometry": mapping(orient(outline)),
        "bbox": list(outline.bounds),
        "properties": properties,
        "links": [],
        "assets": {layer.band: _asset(layer, about, f"./{name}/{layer.band}.tif") for layer in layers},
    }


def import_rasters(
    files: Sequence[Path], bands: Sequence[str], *, about: Acquisition, out: Path, force: bool = False
) -> Path:
    """Write the Item and the GeoTIFFs of one acquisition into a folder that `FolderSource` reads.

    Parameters
    ----------
    files
        GeoTIFF or JPEG 2000 files, of one or several bands, each on a grid of its own. They are not changed.
    bands
        A name for each band, in the order of `files` and of the bands in them.
    about
        What is known about the acquisition.
    out
        The folder; further acquisitions may lie in it.
    force
        Replace an acquisition of the same sensor, time and ground.

    Returns
    -------
    path
        Of the Item.

    Raises
    ------
    SceneError
        Where something needed is missing, contradicts the files, or the acquisition is there already.
    RefusedFileError
        Where a file is not fit to be read.
    """
    layers = _layers(files, bands, about)
    name = _scene_id(layers, about)
    home, target = out / name, out / f"{name}.json"
    if not force and (home.exists() or target.exists()):
        raise SceneError(f"{target} is there already: same sensor, time and ground; --force replaces it")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".importing-") as folder:
        stage = Path(folder)
        document = _item(name, layers, about)
        for layer in layers:
            numbers, header = read_band(layer.path.resolve(), layer.index)
            into = stage / name / f"{layer.band}.tif"
            write_cog(into, numbers, grid=header, descriptions=[layer.band], nodata=layer.nodata, dtype=layer.dtype)
        # What is written must be readable by the same rules as everybody else's Items.
        parse_item(document, path=stage / target.name, root=stage)
        if home.exists():
            shutil.rmtree(home)
        (stage / name).rename(home)
    write_text(target, json.dumps(document, indent=1, allow_nan=False) + "\n")
    return target
