"""Microsoft's Planetary Computer: Sentinel-2 and terrain-corrected Sentinel-1, without an account.

Its files are opened by a token for their whole container, of some minutes to hours, that anybody is given. We fetch and
renew it ourselves: the provider's own package waits without an end and knows no renewal for a token that is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aoi import AOI, Grid
from imagery.addresses import parse_origin
from imagery.bands import CLASSES_BAND, SENTINEL1_BANDS, SENTINEL2_BANDS
from imagery.catalogue import MOST_FILE_BYTES, hosts_for, of_sensor, read_remote, search_catalogue, survey_remote
from imagery.credentials import Secret
from imagery.documents import parse_json
from imagery.errors import AddressError, BadAnswerError, RefusedFileError
from imagery.exchange import Hosts, Request, Response, Sign, Signed
from imagery.raster import Raster
from imagery.remote_items import Dialect
from imagery.retry import Clock
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Survey
from imagery.tokens import Token, Tokens

if TYPE_CHECKING:
    from imagery.http import Client

NAME = "planetary-computer"
ROOT = "https://planetarycomputer.microsoft.com/api/stac/v1"
"""Its public address."""
SAS_ROOT = "https://planetarycomputer.microsoft.com/api/sas/v1/token"
"""Where its tokens are given."""
CONTAINERS = {"s2": ("sentinel2l2a01", "sentinel2-l2"), "s1": ("sentinel1euwestrtc", "sentinel1-grd-rtc")}
"""Storage account and container of the files, by sensor. Nothing else is ever signed."""
BLOB_HOST = "{}.blob.core.windows.net"
"""Of a storage account."""
COLLECTIONS = {"s2": "sentinel-2-l2a", "s1": "sentinel-1-rtc"}
"""Names in the catalogue, by sensor."""
KEYS = {
    "s2": {name: name for name in (*SENTINEL2_BANDS, CLASSES_BAND) if name != "B10"},
    "s1": {name: name.lower() for name in SENTINEL1_BANDS},
}
"""Asset that holds a band, by sensor. ESA's level 2A has no B10."""


def token_life(response: Response) -> tuple[str, float]:
    """Return a token, and how many seconds of its life are left by the server's own clock.

    Raises
    ------
    BadAnswerError
        Where the answer holds no token, or one whose time is over: such ones are given at times, and a new one is
        asked for.
    """
    host = urlsplit(response.url).netloc
    try:
        document = parse_json(response.content)
    except RefusedFileError as error:
        raise BadAnswerError(f"{host} did not answer with a token: {error}") from error
    token, expiry = (document.get(key) for key in ("token", "msft:expiry")) if isinstance(document, dict) else ("", "")
    if not isinstance(token, str) or not token or not isinstance(expiry, str):
        raise BadAnswerError(f"{host} did not answer with a token and its msft:expiry")
    try:
        ends = datetime.fromisoformat(expiry)
    except ValueError as error:
        raise BadAnswerError(f"{host} gave a token until {expiry[:40]!r}, which is no time") from error
    left = ((ends if ends.tzinfo else ends.replace(tzinfo=UTC)) - _server_time(response)).total_seconds()
    if left <= 0:
        raise BadAnswerError(f"{host} gave a token whose time was over {-left:.0f} s ago")
    return token, left


def _check_token(response: Response) -> None:
    token_life(response)


def _server_time(response: Response) -> datetime:
    """Return the time by the server's clock; by ours only where it does not tell."""
    try:
        moment = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return response.received
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class PlanetaryComputer:
    """The Planetary Computer.

    Parameters
    ----------
    client
        Asks.
    root, sas_root
        Addresses of the catalogue and of the tokens. Others than the public ones are where the user said; a loopback
        address opens loopback hosts to the files too.
    clock
        Measures the lives of tokens and decides whether a kept search is young enough.
    """

    name = NAME
    """As the command line and the manifest call it."""

    def __init__(
        self, client: Client, *, root: str = ROOT, sas_root: str = SAS_ROOT, clock: Clock | None = None
    ) -> None:
        self._client, self._clock = client, clock or Clock()
        self._hosts = hosts_for(root, (urlsplit(ROOT).netloc,), public=ROOT)
        self._sas_root = sas_root.rstrip("/")
        self._sas_hosts = hosts_for(sas_root, (urlsplit(SAS_ROOT).netloc,), public=SAS_ROOT)
        self._files: Mapping[str, Hosts] = {
            sensor: hosts_for(root, (BLOB_HOST.format(account),), public=ROOT)
            for sensor, (account, _) in CONTAINERS.items()
        }
        self._tokens = {sensor: Tokens(partial(self._fetch_token, sensor), self._clock) for sensor in CONTAINERS}
        self._dialects = {
            sensor: (
                Dialect(
                    source=NAME,
                    root=root,
                    collection=COLLECTIONS[sensor],
                    sensor=sensor,
                    hosts=self._files[sensor],
                    keys=KEYS[sensor],
                ),
            )
            for sensor in COLLECTIONS
        }

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return the scenes of `sensor` that touch `aoi` within any of `periods`, oldest first, twins included.

        Raises
        ------
        SourceError
            Where nothing at all could be had.
        """
        dialects = of_sensor(self._dialects, sensor, name=NAME)
        now = self._clock.now()
        return search_catalogue(self._client, dialects, hosts=self._hosts, aoi=aoi, periods=periods, now=now)

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return what of `scene` can be used on `grid`, from its classification alone; None where it has none."""
        return survey_remote(self._client, scene, grid, ask=lambda href: self._request(href, scene.sensor))

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return `bands` of `scene` on `grid`; errors as `imagery.catalogue.read_remote`."""
        return read_remote(self._client, scene, grid, bands, ask=lambda href: self._request(href, scene.sensor))

    def _request(self, href: str, sensor: str) -> Request:
        """Return the request for a file, signed when it is sent."""
        return Request(url=href, hosts=self._files[sensor], sign=self._signer(href, sensor), most_bytes=MOST_FILE_BYTES)

    def _signer(self, href: str, sensor: str) -> Sign:
        """Return what signs the requests for one file.

        Raises
        ------
        AddressError
            Where it lies outside the container that the token is for, unless on this machine.
        """
        origin = parse_origin(href)
        account, container = CONTAINERS[sensor]
        inside = origin.host == BLOB_HOST.format(account) and urlsplit(href).path.startswith(f"/{container}/")
        if not inside and str(origin) not in self._files[sensor].configured and not origin.is_loopback:
            raise AddressError(f"{href[:120]!r} does not lie in {account}/{container}; not signed")
        # Several threads ask for ranges of one file; each knows which token it was refused.
        used = threading.local()

        def sign(url: str, refused: bool) -> Signed:
            token = used.token = self._tokens[sensor].get(getattr(used, "token", None) if refused else None)
            return Signed(url=f"{url}{'&' if '?' in url else '?'}{token.reveal()}")

        return sign

    def _fetch_token(self, sensor: str) -> Token:
        """Ask for a token for the container of a sensor."""
        request = Request(
            url="/".join((self._sas_root, *CONTAINERS[sensor])),
            hosts=self._sas_hosts,
            check=_check_token,
        )
        text, left = token_life(self._client.send(request))
        return Token(value=Secret(text), life_s=left)
