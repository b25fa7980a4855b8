"""Drawing an area and its zones in a browser, over the newest picture that covers it."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
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
from revisit.picture import shades, shared_stretch
from revisit.report_map import place_terms
from revisit.runs import SavedRun
from revisit.viewer.guard import Guard
from revisit.viewer.server import static_file
from revisit.wording import stamp

GSD_M = 10.0
"""Of the page's grid where there is no picture; drawing is not bound to it."""
MARGIN_PX = 40
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
            return Backdrop(grid=run.grid, picture=buffer.getvalue(), words=words)
    grid = grid_for(aoi, GSD_M).padded(MARGIN_PX)
    return Backdrop(grid=grid, picture=None, words="no picture: an empty sheet")


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
