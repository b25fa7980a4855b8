"""The catalogue of Copernicus Data Space: open to all, while its pixels need an account.

It is ESA's own and has every acquisition, so it is asked as a witness: what it knows and no other source has is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from aoi import AOI, Grid
from imagery.catalogue import hosts_for, of_sensor, search_catalogue
from imagery.errors import CredentialsError
from imagery.remote_items import Dialect
from imagery.retry import Clock
from imagery.scene import Period, Scene
from imagery.sources.base import Found

if TYPE_CHECKING:
    from imagery.http import Client

NAME = "cdse"
ROOT = "https://stac.dataspace.copernicus.eu/v1"
"""Its public address."""
COLLECTIONS = {"s2": "sentinel-2-l2a", "s1": "sentinel-1-grd"}
"""Names in the catalogue, by sensor."""


class Cdse:
    """The STAC catalogue of Copernicus Data Space, without pixels.

    Parameters
    ----------
    client
        Asks.
    root
        Address of the catalogue.
    clock
        Decides whether a kept search is young enough.
    """

    name = NAME
    """As the command line and the manifest call it."""

    def __init__(self, client: Client, *, root: str = ROOT, clock: Clock | None = None) -> None:
        self._client, self._clock = client, clock or Clock()
        self._hosts = hosts_for(root, (urlsplit(ROOT).netloc,), public=ROOT)
        self._dialects = {
            sensor: (Dialect(source=NAME, root=root, collection=name, sensor=sensor, hosts=self._hosts),)
            for sensor, name in COLLECTIONS.items()
        }

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return the scenes of `sensor` that touch `aoi` within any of `periods`, oldest first, without assets.

        Raises
        ------
        SourceError
            Where nothing at all could be had.
        """
        return search_catalogue(
            self._client,
            of_sensor(self._dialects, sensor, name=NAME),
            hosts=self._hosts,
            aoi=aoi,
            periods=periods,
            now=self._clock.now(),
            # A hundred assets an item, of no use without an account.
            leave_out=("assets",),
        )

    def survey(self, scene: Scene, grid: Grid) -> NoReturn:
        """Raise `CredentialsError`, as `read`."""
        self.read(scene, grid, ())

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> NoReturn:  # noqa: ARG002
        """Raise `CredentialsError`: pixels need an account, and with one the source sentinel-hub has them."""
        raise CredentialsError(
            f"{NAME} gives the pixels of {scene.id} only to those with an account; with one, take --source sentinel-hub"
        )
