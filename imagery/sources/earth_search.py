"""Element 84's Earth Search: Sentinel-2 as cloud-optimised GeoTIFFs, without an account.

Two collections are searched together: Collection 1, whose pixels are ESA's own, and the older one, from whose pixels
the offset was taken off for most scenes (`imagery.offset`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aoi import AOI, Grid
from imagery.catalogue import ask_plainly, hosts_for, of_sensor, read_remote, search_catalogue, survey_remote
from imagery.raster import Raster
from imagery.remote_items import Dialect
from imagery.retry import Clock
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Survey

if TYPE_CHECKING:
    from imagery.http import Client

NAME = "earth-search"
ROOT = "https://earth-search.aws.element84.com/v1"
"""Its public address."""
PIXEL_HOSTS = (
    "e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com",
    "sentinel-cogs.s3.us-west-2.amazonaws.com",
)
"""Where its files lie; those of JPEG 2000 lie elsewhere and cost the reader money."""
KEYS = {
    "B01": "coastal",
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge1",
    "B06": "rededge2",
    "B07": "rededge3",
    "B08": "nir",
    "B8A": "nir08",
    "B09": "nir09",
    "B11": "swir16",
    "B12": "swir22",
    "SCL": "scl",
}
"""Asset that holds a band."""


class EarthSearch:
    """Earth Search, version 1.

    Parameters
    ----------
    client
        Asks.
    root
        Address of the catalogue. Another than the public one is where the user said; a loopback address opens loopback
        hosts to the files too.
    clock
        Decides whether a kept search is young enough.
    """

    name = NAME
    """As the command line and the manifest call it."""

    def __init__(self, client: Client, *, root: str = ROOT, clock: Clock | None = None) -> None:
        self._client, self._clock = client, clock or Clock()
        self._hosts = hosts_for(root, ("earth-search.aws.element84.com",), public=ROOT)
        files = hosts_for(root, PIXEL_HOSTS, public=ROOT)
        self._ask = ask_plainly(files)
        self._dialects = {
            "s2": (
                Dialect(
                    source=NAME,
                    root=root,
                    collection="sentinel-2-c1-l2a",
                    sensor="s2",
                    hosts=files,
                    keys=KEYS,
                    offset="declared",
                ),
                Dialect(
                    source=NAME,
                    root=root,
                    collection="sentinel-2-l2a",
                    sensor="s2",
                    hosts=files,
                    keys=KEYS,
                    offset="claimed",
                ),
            )
        }

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return the scenes of `sensor` that touch `aoi` within any of `periods`, oldest first, twins included.

        Raises
        ------
        NoSceneError
            For radar, which it does not have.
        SourceError
            Where nothing at all could be had.
        """
        dialects = of_sensor(self._dialects, sensor, name=NAME)
        now = self._clock.now()
        return search_catalogue(self._client, dialects, hosts=self._hosts, aoi=aoi, periods=periods, now=now)

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return what of `scene` can be used on `grid`, from its classification alone; None where it has none."""
        return survey_remote(self._client, scene, grid, ask=self._ask)

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return `bands` of `scene` on `grid`; errors as `imagery.catalogue.read_remote`."""
        return read_remote(self._client, scene, grid, bands, ask=self._ask)
