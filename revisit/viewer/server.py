"""The viewer's server: one folder of runs, read only, on the loopback address, behind a token that each start draws."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from imagery.errors import RefusedFileError, SceneError
from imagery.files import inside
from revisit.errors import UsageError
from revisit.journal import jobs
from revisit.runs import find_runs
from revisit.viewer.catalogue import Catalogue
from revisit.viewer.guard import REPORT_POLICY, Guard

ADDRESS = "127.0.0.1"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
_PAGES = ("view.html", "view.js", "view.css", "draw.html", "draw.js", "draw.css", "land.json")
OWN = dict.fromkeys(_PAGES, "viewer/static")
SHARED = {"base.css": "templates", "map.css": "templates", "map.js": "templates"}
"""Our own files that the page is made of; nothing else is given out by name."""
DOWNLOADS = {"flags.geojson": "application/geo+json", "run.json": "application/json", "overlay.png": "image/png"}
MOST_AT_ONCE = 100
"""Requests that are worked on at the same time; more are told to come again (503)."""
LONGEST_HEAD = 16_384
"""Bytes of a request's head."""


def static_file(name: str) -> Response:
    """Return one of our own files.

    Raises
    ------
    HTTPException
        404 for any other name.
    """
    folder = {**OWN, **SHARED}.get(name)
    if folder is None:
        raise HTTPException(404)
    content = files("revisit").joinpath(folder, name).read_bytes()
    return Response(content, media_type=TYPES[Path(name).suffix])


class Site:
    """The answers to what the page asks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = Lock()
        self._seen: tuple[tuple[str, int], ...] = ()
        self._catalogue = Catalogue([], [])

    def catalogue(self) -> Catalogue:
        """Return the runs as they are now; they are read again only where one came, went or was replaced."""
        with self._lock:
            runs, problems = find_runs(self.root)
            seen = tuple((str(run.folder), (run.folder / "run.json").stat().st_mtime_ns) for run in runs)
            if seen != self._seen or not self._seen:
                said = [problem.replace(f"{self.root}/", "") for problem in problems]
                self._catalogue, self._seen = Catalogue(runs, said), seen
            return self._catalogue

    def page(self, request: Request) -> Response:  # noqa: ARG002 - every answer has one
        """Return the page."""
        return static_file("view.html")

    def static(self, request: Request) -> Response:
        """Return one of the page's files."""
        return static_file(request.path_params["name"])

    def runs(self, request: Request) -> Response:  # noqa: ARG002
        """Return areas, runs and flags."""
        return Response(self.catalogue().document, media_type="application/json")

    def jobs(self, request: Request) -> Response:  # noqa: ARG002
        """Return what is running."""
        found = [asdict(job) for job in jobs(self.root)]
        return Response(json.dumps(found), media_type="application/json")

    def picture(self, request: Request) -> Response:
        """Return the picture of a date."""
        try:
            content = self._catalogue.picture(request.path_params["area"], request.path_params["number"])
        except (LookupError, RefusedFileError, SceneError, OSError) as error:
            raise HTTPException(404) from error
        return Response(content, media_type="image/png")

    def file(self, request: Request) -> Response:
        """Return the report of a run, or one of the few files that may be taken along."""
        run, name = self._catalogue.runs.get(request.path_params["run"]), request.path_params["name"]
        if run is None or (name != "report.html" and name not in DOWNLOADS):
            raise HTTPException(404)
        try:
            path = inside(run.folder, run.folder / name)
        except (RefusedFileError, OSError) as error:
            raise HTTPException(404) from error
        if name == "report.html":
            return FileResponse(path, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})
        return FileResponse(path, media_type=DOWNLOADS[name])


def make_app(root: Path, *, token: str, port: int) -> Guard:
    """Return the application.

    Parameters
    ----------
    root
        A folder of runs, or of one.
    token
        First part of every address.
    port
        On which it will be asked.
    """
    site = Site(root.resolve())
    routes = [
        Route(f"/{token}/", site.page),
        Route(f"/{token}/static/{{name}}", site.static),
        Route(f"/{token}/runs.json", site.runs),
        Route(f"/{token}/jobs.json", site.jobs),
        Route(f"/{token}/area/{{area}}/date/{{number:int}}.png", site.picture),
        Route(f"/{token}/run/{{run}}/{{name}}", site.file),
    ]
    return Guard(Starlette(routes=routes), token=token, port=port)


def new_token() -> str:
    """Return a word that nobody guesses."""
    return secrets.token_urlsafe(24)


class Server(uvicorn.Server):
    """A server that says when it can be asked."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(app: Guard, port: int, ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C.

    Parameters
    ----------
    app
        Made for this port.
    port
        On the loopback address.
    ready
        Called when it can be asked.

    Raises
    ------
    UsageError
        Where the port is taken.
    """
    config = uvicorn.Config(
        app,
        host=ADDRESS,
        port=port,
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_AT_ONCE,
        h11_max_incomplete_event_size=LONGEST_HEAD,
        http="h11",
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    try:
        Server(config, ready).run()
    except SystemExit as error:
        raise UsageError(f"port {port} of {ADDRESS} is taken; choose another with --port") from error
