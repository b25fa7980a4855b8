"""The world of stand-ins: catalogues, files, tokens and the Process API, in one process on three ports.

One port speaks http for catalogues and SAS, one for the files (in reality other hosts), and one speaks TLS for
Sentinel Hub, whose client refuses to send a secret over anything less.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.servers import cog
from tests.servers.access import Signatures, Tokens
from tests.servers.holdings import Holdings, hold
from tests.servers.pixels import granule_sheet, kept, slice_sheet
from tests.servers.process import Process, refusal
from tests.servers.settings import Settings
from tests.servers.stac import STYLES, Catalogue, reply
from tests.servers.wire import Answer, Call

HUB = "/sentinel-hub"
TOKEN_PATH = "/identity/auth/realms/CDSE/protocol/openid-connect/token"


class Pace:
    """A limit of requests a second."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._times: list[float] = []
        self._lock = threading.Lock()

    def is_kept(self, rate: int) -> bool:
        """Return whether one more request is within the limit, and count it."""
        with self._lock:
            now = self._now()
            self._times = [time for time in self._times if now - time < 1]
            if rate and len(self._times) >= rate:
                return False
            self._times.append(now)
            return True


class World:
    """Everything behind the ports."""

    signatures: Signatures
    process: Process
    held: Holdings

    def __init__(self, told: dict[str, Any], now: Callable[[], float], folder: Path | None) -> None:
        self.first = Settings(**told)
        self.settings = self.first
        self.now = now
        self.folder = folder
        self.assets = ""
        """Address of the port that hosts the files."""
        self.tokens = Tokens(self.first, now)
        self._forget()
        self._lock = threading.Lock()

    def begin(self, assets: str) -> None:
        """Take the address of the files, and fill the catalogues."""
        self.assets = assets
        self.restore()

    def change(self, changed: dict[str, Any]) -> None:
        """Change settings; tokens that were issued stay known."""
        settings = replace(self.settings, **changed)
        held = hold(settings, self.assets)
        with self._lock:
            self.settings, self.held = settings, held
            self.catalogues = {style.root: Catalogue(style, held.items[style.name], settings) for style in STYLES}
            self.signatures.settings = self.tokens.settings = settings
            spent, self.process = self.process.spent, Process(held, settings)
            self.process.spent = spent

    def _forget(self) -> None:
        """Set the start's settings, with nothing spent; tokens that clients hold stay good."""
        self.settings = self.first
        self.signatures = Signatures(self.first, self.now)
        self.process = Process(Holdings(), self.first)
        self.pace = Pace(self.now)

    def restore(self) -> None:
        """Go back to the start."""
        self._forget()
        self.change({})

    def __call__(self, call: Call) -> Answer:
        """Answer a request on any port."""
        path = call.route
        if path == TOKEN_PATH:
            return self.tokens(call)
        if path.startswith(HUB):
            return self._hub(call)
        if path.startswith("/planetary-computer/api/sas/v1/"):
            return self.signatures(call)
        for root, catalogue in self.catalogues.items():
            if path == root or path.startswith(root + "/"):
                return self._catalogue(call, catalogue)
        return self._file(call)

    def _catalogue(self, call: Call, catalogue: Catalogue) -> Answer:
        """Answer a request to an open catalogue."""
        if catalogue.style.name == "cdse" and not self.pace.is_kept(self.settings.cdse_rate):
            return replace(reply({"detail": "Too Many Requests"}, 429), headers={"Retry-After": "2"})
        return catalogue(call)

    def _hub(self, call: Call) -> Answer:
        """Answer a request to Sentinel Hub."""
        catalogue = next(one for one in self.catalogues.values() if one.style.name == "sentinel-hub")
        if not self.tokens.is_good(call):
            if call.route.startswith(catalogue.style.root):
                return reply({"code": 401, "description": "You are not authorized! Please provide a valid token."}, 401)
            return refusal(401, "COMMON_UNAUTHORIZED", "You are not authorized! Please provide valid credentials.")
        if call.route == f"{HUB}/api/v1/process" and call.method == "POST":
            return self.process(call.body)
        if call.route.startswith(catalogue.style.root):
            return catalogue(call)
        return refusal(404, "COMMON_NOT_FOUND", f"Not found: {call.route}")

    def _file(self, call: Call) -> Answer:
        """Return an object of the asset hosts."""
        path = call.route
        blob = path.split("/")[1].endswith(".blob.core.windows.net") if path.count("/") > 1 else False
        denied = self.signatures.refusal(call) if blob else None
        if denied:
            return denied
        content = self._content(path)
        if content is None:
            kind, text = "application/xml", b"<Error><Code>NoSuchKey</Code></Error>"
            return Answer(status=404, headers={"Content-Type": kind}, body=text)
        return Answer(headers={"Content-Type": "image/tiff"}, body=content, ranges=True)

    def _content(self, path: str) -> bytes | None:
        """Return the bytes of a file, drawn at the first call."""
        settings = self.settings
        # What is drawn depends on these alone; the rest of the settings must not draw it anew.
        drawing = (settings.skies, settings.apron_is_cloud, settings.wedge, settings.water_zeros, settings.rtc_bad,
                   settings.rtc_shift_px, settings.declare_nodata)  # fmt: skip
        if path in self.held.files:
            granule, band, look = self.held.files[path]
            key = f"{granule} {band} {look} {drawing}"
            return kept(self.folder, key, lambda: cog.write(granule_sheet(granule, band, look, settings)))
        if path in self.held.radar_files:
            product, polarisation = self.held.radar_files[path]
            key = f"{product} {polarisation} {drawing}"
            return kept(self.folder, key, lambda: cog.write(slice_sheet(product, polarisation, settings)))
        return None
