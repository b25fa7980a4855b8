"""Drawing an area and its zones in a browser, over the newest picture that covers it."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pyproj import CRS
from shapely.geometry import box, mapping
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aoi import AOI, ZONE_KINDS, AOIError, Grid
from aoi.formats import read_area
from aoi.geojson import area_as_geojson, write_area
from aoi.geometry import grid_for, to_crs
from imagery.opening import Header, inspect
from imagery.patch import put_on_grid, read_patch
from imagery.raster import BoolArray, FloatArray
from revisit.errors import UsageError
from revisit.picture import Shades, shades, shared_stretch
from revisit.report_map import place_terms
from revisit.runs import SavedRun
from revisit.symbols import SIMULATED
from revisit.viewer.guard import Guard
from revisit.viewer.server import static_file
from revisit.wording import stamp

GSD_M = 10.0
"""Of the page's grid where there is no picture; drawing is not bound to it."""
MARGIN_PX = 40
MOST_SIDE = 2000
"""Pixels of a basemap along the longer side of the area."""
METRES_A_DEGREE = 111_320.0
MOST_BYTES = 1_000_000
"""Of a drawing."""
SAVE = "save"


@dataclass(frozen=True, kw_only=True)
class Backdrop:
    """What is drawn on."""

    grid: Grid
    picture: bytes | None
    """PNG, one pixel of the grid a pixel; None: an empty sheet."""
    words: str
    """Date and origin of the picture."""
    simulated: bool = False
    """Whether the picture is not real: then it says so across itself."""


def backdrop(aoi: AOI, runs: list[SavedRun]) -> Backdrop:
    """Return the newest picture that covers an area's middle, else an empty sheet around it.

    Parameters
    ----------
    aoi
        What there is so far.
    runs
        Whose dates may serve, in any order.
    """
    middle = aoi.geometry.envelope.centroid
    for run in sorted(runs, key=lambda one: one.acquired("after"), reverse=True):
        if box(*run.grid.bounds).contains(to_crs(middle.buffer(1e-6), run.grid.crs)):
            raster = run.raster("after")
            buffer = io.BytesIO()
            Image.fromarray(shades(raster, shared_stretch((raster,)))).save(buffer, "PNG", compress_level=1)
            words = f"{stamp(raster.acquired)}, {run.notice}"
            return Backdrop(grid=run.grid, picture=buffer.getvalue(), words=words, simulated=run.simulated)
    grid = grid_for(aoi, GSD_M).padded(MARGIN_PX)
    return Backdrop(grid=grid, picture=None, words="no picture: an empty sheet")


def _spacing(header: Header, aoi: AOI) -> float:
    """Return the pixels, metres, on which a basemap is shown: its own, but no more than `MOST_SIDE` across the area."""
    own = header.transform.a * (1.0 if CRS.from_user_input(header.crs).is_projected else METRES_A_DEGREE)
    coarse = grid_for(aoi, GSD_M)
    return float(max(own, max(coarse.shape) * GSD_M / MOST_SIDE))


def _shown(numbers: FloatArray, valid: BoolArray, *, ready: bool) -> Shades:
    """Return three bands (band, row, col) as colours; what is no picture of 8 bits yet is stretched band by band."""
    colours = np.zeros((*valid.shape, 4), np.uint8)
    for band, values in enumerate(numbers):
        inside = values[valid]
        low, high = (0.0, 255.0) if ready or not inside.size else np.percentile(inside, (0.5, 99.7))
        share = (values - low) / max(high - low, 1e-9)
        colours[..., band] = np.where(valid, 255 * np.clip(share, 0, 1), 0).round()
    colours[..., 3] = np.where(valid, 255, 0)
    return colours


def basemap(path: Path, aoi: AOI) -> Backdrop:
    """Return the part of a georeferenced picture that an area needs.

    Parameters
    ----------
    path
        A GeoTIFF or JPEG 2000 file in any CRS: its first three bands are red, green and blue, or its first is grey.
    aoi
        What is drawn.

    Raises
    ------
    RefusedFileError
        For a file that is none, or does not say where it lies.
    UsageError
        Where it does not cover the area.
    """
    header = inspect(path)
    spacing = _spacing(header, aoi)
    grid = grid_for(aoi, spacing).padded(MARGIN_PX)
    bands = (1, 2, 3) if len(header.dtypes) >= 3 else (1,)
    found = [put_on_grid(read_patch(path, grid, band_index=band, keep_zero=True), grid) for band in bands]
    valid = np.logical_and.reduce([present for _, present in found])
    if not valid.any():
        raise UsageError(f"{path} shows nothing of {aoi.name}; give a basemap that covers it")
    numbers = np.stack([found[min(band, len(found) - 1)][0] for band in range(3)])
    buffer = io.BytesIO()
    colours = _shown(numbers, valid, ready=header.dtypes[0] == "uint8")
    Image.fromarray(colours).save(buffer, "PNG", compress_level=1)
    return Backdrop(grid=grid, picture=buffer.getvalue(), words=f"{path.name}, a basemap without a known date")


def area_of_run(run: SavedRun, name: str) -> AOI:
    """Return the ground of a run as a new area without zones."""
    return AOI(name=name, geometry=run.area, zones=())


class Drawing:
    """The answers to what the page of a drawing asks."""

    def __init__(self, aoi: AOI, sheet: Backdrop, path: Path, saved: Callable[[AOI], None]) -> None:
        self.aoi = aoi
        self.sheet = sheet
        self.path = path
        self.saved = saved

    def page(self, request: Request) -> Response:  # noqa: ARG002 - every answer has one
        """Return the page."""
        return static_file("draw.html")

    def static(self, request: Request) -> Response:
        """Return one of the page's files."""
        return static_file(request.path_params["name"])

    def scene(self, request: Request) -> Response:  # noqa: ARG002
        """Return the grid, the places and what is drawn so far."""
        grid = self.sheet.grid
        document: dict[str, Any] = {
            "name": self.aoi.name,
            "file": self.path.name,
            "cols": grid.width,
            "rows": grid.height,
            "gsd": grid.gsd,
            "places": json.loads(place_terms(grid)),
            "words": self.sheet.words,
            "watermark": SIMULATED if self.sheet.simulated else None,
            "picture": self.sheet.picture is not None,
            "kinds": ZONE_KINDS,
            "drawn": json.loads(area_as_geojson(self.aoi)),
            "geometry": mapping(self.aoi.geometry),
        }
        return JSONResponse(document)

    def picture(self, request: Request) -> Response:  # noqa: ARG002
        """Return the picture that is drawn on."""
        if self.sheet.picture is None:
            raise HTTPException(404)
        return Response(self.sheet.picture, media_type="image/png")

    async def save(self, request: Request) -> Response:
        """Check a drawing as any area file is checked, and write it."""
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > MOST_BYTES:
                raise HTTPException(413)
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / "drawn.geojson"
            draft.write_bytes(content)
            try:
                aoi = read_area(draft, name=self.aoi.name)
                write_area(aoi, self.path)
            except AOIError as error:
                said = str(error).replace(f"{draft}: ", "").replace(str(draft), "the drawing")
                return JSONResponse({"error": said}, status_code=400)
        self.saved(aoi)
        return JSONResponse({"saved": str(self.path), "zones": len(aoi.zones)})


def make_drawing_app(drawing: Drawing, *, token: str, port: int) -> Guard:
    """Return the application of a drawing.

    Parameters
    ----------
    drawing
        What is drawn.
    token
        First part of every address.
    port
        On which it will be asked.
    """
    routes = [
        Route(f"/{token}/", drawing.page),
        Route(f"/{token}/static/{{name}}", drawing.static),
        Route(f"/{token}/scene.json", drawing.scene),
        Route(f"/{token}/picture.png", drawing.picture),
        Route(f"/{token}/{SAVE}", drawing.save, methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes), token=token, port=port, saving=SAVE)
