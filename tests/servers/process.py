"""The Process API of Sentinel Hub: known scripts on known scenes. No script is run."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.servers import cog
from tests.servers.holdings import Holdings
from tests.servers.items_s2 import Product
from tests.servers.passes import Slice
from tests.servers.pixels import Look, change, granule_sheet, slice_sheet, values_at
from tests.servers.settings import Settings
from tests.servers.wire import Answer

SCRIPTS = Path(__file__).parents[2] / "imagery" / "evalscripts"
MOST_PX = 2500
TYPES = {"INT8": "i1", "UINT8": "u1", "INT16": "i2", "UINT16": "u2", "FLOAT32": "f4", "AUTO": "u1"}
REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 415: "Unsupported Media Type"}


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def refusal(status: int, code: str, message: str) -> Answer:
    """Return an error as Sentinel Hub writes it."""
    told = {"status": status, "reason": REASONS[status], "message": message, "code": code}
    body = json.dumps({"error": told}).encode()
    return Answer(status=status, headers={"Content-Type": "application/json"}, body=body)


def read_script(text: str) -> tuple[str, dict[str, Any]]:
    """Return the hash of a script and what its `setup` promises; its output is taken to be its bands in order."""
    bands = re.search(r"bands:\s*\[([^\]]*)\]", text)
    assert bands, "a script without a list of bands"
    units = re.search(r"units:\s*\"(\w+)\"", text)
    sample = re.search(r"sampleType:\s*\"(\w+)\"", text)
    told = {"bands": re.findall(r"\"(\w+)\"", bands[1]), "units": units[1] if units else "REFLECTANCE",
            "sample": sample[1] if sample else "AUTO"}  # fmt: skip
    return hashlib.sha256(text.encode()).hexdigest(), told


def known_scripts(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return what each known script gives, by its hash: those of the package, and those that were registered."""
    ours = [read_script(path.read_text()) for path in sorted(SCRIPTS.glob("*.js"))]
    return dict(ours) | settings.evalscripts


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A request, understood."""

    kind: str
    """"sentinel-2-l2a" or "sentinel-1-grd"."""
    first: datetime
    last: datetime
    most_cloud: float
    order: str
    harmonize: bool
    options: dict[str, Any]
    """All of `dataFilter` and `processing`."""
    epsg: int
    x: NDArray[np.float64]
    """Of pixel centres, (row, col)."""
    y: NDArray[np.float64]
    corner: tuple[float, float]
    gsd: tuple[float, float]
    responses: dict[str, dict[str, Any]]


def _size(asked: dict[str, Any], box: list[float]) -> tuple[int, int]:
    """Return width and height in pixels."""
    output = asked.get("output", {})
    if "resx" in output or "resy" in output:
        if "width" in output or "height" in output:
            raise RefusedError(400, "COMMON_BAD_PAYLOAD", "Specify either width and height or resx and resy, not both.")
        width = round((box[2] - box[0]) / output["resx"])
        height = round((box[3] - box[1]) / output["resy"])
    else:
        width, height = output.get("width", 256), output.get("height", 256)
    for name, size in (("width", width), ("height", height)):
        if not 1 <= size <= MOST_PX:
            text = f"Invalid output {name}: {size}. It must be between 1 and {MOST_PX} pixels."
            raise RefusedError(400, "COMMON_BAD_PAYLOAD", text)
    return width, height


def _responses(asked: dict[str, Any], scripts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what each response of a known script holds, of those that are asked for."""
    script = hashlib.sha256(asked["evalscript"].encode()).hexdigest()
    if script not in scripts:
        raise RefusedError(400, "RENDERER_EXCEPTION", f"This stand-in does not know the script {script}: register it.")
    held = scripts[script].get("responses") or {"default": scripts[script]}
    names = [one["identifier"] for one in asked.get("output", {}).get("responses", [])] or ["default"]
    missing = [name for name in names if name not in held]
    if missing:
        raise RefusedError(400, "RENDERER_EXCEPTION", f"Requested output {missing[0]} is not defined in the script.")
    return {name: held[name] for name in names}


def understand(asked: dict[str, Any], scripts: dict[str, dict[str, Any]]) -> Wanted:
    """Return a request, understood."""
    try:
        bounds, data = asked["input"]["bounds"], asked["input"]["data"][0]
        box = [float(side) for side in bounds["bbox"]]
        named = bounds.get("properties", {}).get("crs", "http://www.opengis.net/def/crs/OGC/1.3/CRS84")
        span = data["dataFilter"]["timeRange"]
        first, last = datetime.fromisoformat(span["from"]), datetime.fromisoformat(span["to"])
        responses = _responses(asked, scripts)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise RefusedError(400, "COMMON_BAD_PAYLOAD", f"Invalid request: {error!r}") from error
    width, height = _size(asked, box)
    gsd = (box[2] - box[0]) / width, (box[3] - box[1]) / height
    x, y = np.meshgrid(box[0] + (np.arange(width) + 0.5) * gsd[0], box[3] - (np.arange(height) + 0.5) * gsd[1])
    options, processing = data["dataFilter"], data.get("processing", {})
    return Wanted(
        kind=data["type"], first=first, last=last, most_cloud=float(options.get("maxCloudCoverage", 100)),
        order=options.get("mosaickingOrder", "mostRecent"), harmonize=bool(processing.get("harmonizeValues", True)),
        options=options | processing, epsg=4326 if "CRS84" in named else int(named.rsplit("/", 1)[-1]), x=x, y=y,
        corner=(box[0], box[3]), gsd=gsd, responses=responses,
    )  # fmt: skip


def _products(wanted: Wanted, held: Holdings) -> list[Product | Slice]:
    """Return the products of a request, the one on top first."""
    if wanted.kind == "sentinel-2-l2a":
        fitting = [
            one for one in held.granules
            if wanted.first <= one.sensed <= wanted.last and one.granule.cloud <= wanted.most_cloud
        ]  # fmt: skip
        # Own zone over the neighbour's: both hold the same pass, and a mosaic shows one of them.
        fitting.sort(key=lambda one: (one.granule.tile, one.granule.generated))
        if wanted.order == "leastCC":
            return [*sorted(fitting, key=lambda one: one.granule.cloud)]
        return [*sorted(fitting, key=lambda one: one.granule.take, reverse=wanted.order == "mostRecent")]
    if wanted.kind != "sentinel-1-grd":
        raise RefusedError(400, "COMMON_BAD_PAYLOAD", f"Unknown data type {wanted.kind}.")
    direction = wanted.options.get("orbitDirection", "").lower()
    slices = [
        one for one in held.slices
        if wanted.first <= datetime.fromisoformat(one.time) + timedelta(0) <= wanted.last
        and direction in ("", one.direction)
    ]  # fmt: skip
    return [*sorted(slices, key=lambda one: one.time, reverse=wanted.order == "mostRecent")]


def _laid(wanted: Wanted, sheet: cog.Sheet) -> NDArray[np.float64]:
    """Return a sheet's values nearest to the pixels of a request."""
    x, y = wanted.x, wanted.y
    if wanted.epsg != sheet.epsg:
        x, y = change(wanted.epsg, sheet.epsg).transform(x, y)
    return values_at(sheet, np.asarray(x), np.asarray(y))


def _sheet(product: Product | Slice, band: str, settings: Settings) -> cog.Sheet:
    """Return a band of a product."""
    if isinstance(product, Slice):
        return slice_sheet(product, band, settings)
    # The hub knows that 0 is nodata, whatever the files of others declare.
    return granule_sheet(product.granule, band, Look(half=product.half), replace(settings, declare_nodata=True))


def _values(wanted: Wanted, product: Product | Slice, band: str, settings: Settings) -> NDArray[np.float64]:
    """Return a band's numbers at the pixels of a request."""
    return _laid(wanted, _sheet(product, band, settings))


def _in_units(
    numbers: NDArray[np.float64], product: Product | Slice, band: str, units: str, *, harmonize: bool
) -> NDArray[np.float64]:
    """Return numbers in the units that a script asks for."""
    if isinstance(product, Slice) or band in ("SCL", "CLD", "SNW", "AOT"):
        return numbers
    offset = 1000 if product.granule.baseline >= "04.00" else 0
    if units == "DN":
        return np.maximum(numbers - offset, 0) if harmonize else numbers
    reflectance = (numbers - offset) / 1e4
    return np.maximum(reflectance, 0) if harmonize else reflectance


def render(wanted: Wanted, held: Holdings, settings: Settings) -> dict[str, NDArray[Any]]:
    """Return the pixels (row, col, band) of each response; zeros, with dataMask 0, where there are no data."""
    products = _products(wanted, held)
    drawn = {name: np.zeros((*wanted.x.shape, len(told["bands"]))) for name, told in wanted.responses.items()}
    free = np.ones(wanted.x.shape, np.bool_)
    for product in products:
        if not free.any():
            break
        first = "VV" if isinstance(product, Slice) else "B04"
        numbers = _values(wanted, product, first, settings)
        here = free & (numbers > 0 if not isinstance(product, Slice) else numbers > -1000)
        for name, told in wanted.responses.items():
            _draw(drawn[name], here, wanted, product, (told, settings))
        free &= ~here
    return {name: _typed(drawn[name], told.get("sample", "AUTO")) for name, told in wanted.responses.items()}


def _draw(
    image: NDArray[np.float64], here: NDArray[np.bool_], wanted: Wanted, product: Product | Slice,
    how: tuple[dict[str, Any], Settings],
) -> None:  # fmt: skip
    """Fill the pixels `here` of an image (row, col, band) from a product."""
    told, settings = how
    if not here.any():
        return
    for at, band in enumerate(told["bands"]):
        if band == "dataMask":
            image[here, at] = 1
            continue
        numbers = _values(wanted, product, band, settings)
        units = told.get("units", "REFLECTANCE")
        image[here, at] = _in_units(numbers, product, band, units, harmonize=wanted.harmonize)[here]


def _typed(image: NDArray[np.float64], sample: str) -> NDArray[Any]:
    """Return an image in its sample type: integers are rounded and clamped."""
    kind = np.dtype(TYPES[sample])
    if kind.kind == "f":
        return image.astype(kind)
    if sample == "AUTO":
        image = image * 255
    limits = np.iinfo(kind)
    return np.clip(np.rint(image), limits.min, limits.max).astype(kind)


def units_of(wanted: Wanted) -> float:
    """Return the price of a request in processing units."""
    told = list(wanted.responses.values())
    bands = {band for one in told for band in one["bands"]} - {"dataMask"}
    price = max(wanted.x.size / 512**2, 0.01) * max(len(bands), 1) / 3
    if any(one.get("sample") == "FLOAT32" for one in told):
        price *= 2
    if wanted.kind == "sentinel-1-grd":
        terrain = wanted.options.get("backCoeff") == "GAMMA0_TERRAIN"
        price *= 2.5 if terrain else 2 if wanted.options.get("orthorectify") else 1
    return max(round(price, 4), 0.005)


def as_tiff(wanted: Wanted, image: NDArray[Any]) -> bytes:
    """Return an image as a GeoTIFF."""
    sheet = cog.Sheet(shape=image.shape[:2], window=image if image.shape[2] > 1 else image[:, :, 0], corner=(0, 0),
                      plain=lambda *_: 0.0, corner_m=wanted.corner, gsd=wanted.gsd[0], epsg=wanted.epsg,
                      block=256)  # fmt: skip
    return cog.write(sheet, overviews=False)


class Process:
    """The endpoint."""

    def __init__(self, held: Holdings, settings: Settings) -> None:
        self.held = held
        self.settings = settings
        self.spent = 0.0
        self._lock = threading.Lock()
        self._scripts = known_scripts(settings)

    def __call__(self, body: bytes) -> Answer:
        """Answer a request that is authorised."""
        try:
            wanted = understand(json.loads(body), self._scripts)
            self._charge(units_of(wanted))
            images = render(wanted, self.held, self.settings)
        except ValueError as error:
            return refusal(400, "COMMON_BAD_PAYLOAD", f"Invalid JSON: {error}")
        except RefusedError as error:
            return refusal(error.status, error.code, str(error))
        headers = {"X-ProcessingUnits-Spent": f"{units_of(wanted)}", "Content-Type": "image/tiff"}
        files = {name: as_tiff(wanted, image) for name, image in images.items()}
        if len(files) == 1:
            return Answer(headers=headers, body=next(iter(files.values())))
        return Answer(headers=headers | {"Content-Type": "application/tar"}, body=_tar(files))

    def _charge(self, price: float) -> None:
        """Count a price, or refuse where the account does not hold it."""
        with self._lock:
            if self.settings.units_left is not None and self.spent + price > self.settings.units_left:
                text = "Insufficient processing units."
                raise RefusedError(403, "COMMON_INSUFFICIENT_PERMISSIONS", text)
            self.spent += price


def _tar(files: dict[str, bytes]) -> bytes:
    """Return several responses in one archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{name}.tif")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
