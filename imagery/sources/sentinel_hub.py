"""Sentinel Hub, at Copernicus Data Space or at Planet: its catalogue, and pictures that it renders on our grid.

Requests are built with the `sentinelhub` package and sent through `imagery.http.Client`, so that patience, the cache
and the counting are the same as everywhere; the package's session gets the tokens. Pictures hold numbers off which the
provider took ESA's offset (`harmonizeValues`): 1 = 0.0001 of reflectance, and 0 where it would be negative.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentinelhub.api.catalog import SentinelHubCatalog
from sentinelhub.api.process import SentinelHubRequest
from sentinelhub.config import SHConfig
from sentinelhub.constants import CRS, MimeType, ResamplingType
from sentinelhub.data_collections import DataCollection
from sentinelhub.download.session import SentinelHubSession
from sentinelhub.geometry import BBox

from aoi import AOI, Grid
from imagery.bands import CLASSES_BAND
from imagery.catalogue import joined
from imagery.credentials import Credentials, Deployment, Secret, where_from
from imagery.errors import BudgetError, CredentialsError, RateLimitedError, SceneError, SourceError
from imagery.exchange import Request, Response, Signed
from imagery.http import Client
from imagery.http.oauth import Grant, obtain_token
from imagery.hub_scenes import COLLECTIONS, NAME, catalog_url, hosts_of, parse_features, radar_arguments, search_cost
from imagery.pictures import (
    CLASSES,
    PRESENT_BAND,
    Script,
    coarser,
    cut,
    decode_picture,
    finer,
    picture_classes,
    picture_patch,
    script_for,
)
from imagery.processing_units import SPENT_HEADER
from imagery.raster import Raster
from imagery.reading import settle
from imagery.redact import quiet_loggers
from imagery.retry import Clock, Patience
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Survey
from imagery.stac import PAGE_ITEMS, Answer, find_items, search_request
from imagery.survey import survey_classes
from imagery.tokens import Token, Tokens

AROUND = timedelta(minutes=5)
"""Time asked for around an acquisition: all files of its pass over an area lie within, and a satellite's next pass, or
its sister's, is more than 40 minutes away."""
PICTURE_KEPT = timedelta(days=30)
"""How long a picture serves from the cache."""
SURVEY_GSD_M = 40.0
"""Pixels of the coarse look at the classification, whose own have 20 m."""
_PACKAGED = {"s2": DataCollection.SENTINEL2_L2A, "s1": DataCollection.SENTINEL1_IW}


@dataclass(kw_only=True, eq=False)
class SentinelHubSource:
    """Sentinel Hub as a source of scenes; several threads may use one."""

    client: Client
    deployment: Deployment
    credentials: Credentials | None
    """None: only what is in the cache can be had."""
    most_units: float | None = None
    """Processing units that all pictures of this source together may cost; None: no limit of ours."""
    clock: Clock = field(default_factory=Clock)
    patience: Patience = field(default_factory=Patience)
    """With the token server; with all others the client's."""
    _tokens: Tokens = field(init=False, repr=False)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Quieten the package's loggers: some write tokens."""
        quiet_loggers()
        self._tokens = Tokens(self._fetch_token, self.clock)

    @property
    def name(self) -> str:
        """As the command line and the manifest call it."""
        return NAME

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return the scenes of `sensor` that touch `aoi` within any of `periods`, oldest first.

        Raises
        ------
        SourceError
            Where nothing at all could be had.
        CredentialsError
            Where there are none, or they are refused.
        BudgetError
            Where it would cost more than is left of `most_units`; nothing was sent.
        """
        answers: list[Answer] = []
        failures: list[SourceError | CredentialsError] = []
        for period in joined(periods):
            try:
                cost = search_cost(aoi.geometry.bounds, period)
                with self._explained(f"The search was estimated at {cost:.2f} processing units"):
                    request = replace(self._search_request(aoi, period, sensor), sign=self._sign(cost))
                    answers.append(find_items(self.client, request, name=NAME))
            except (SourceError, CredentialsError) as error:
                failures.append(error)
        if failures and not answers:
            raise failures[0]
        items = [item for answer in answers for item in answer.items]
        scenes, left_out = parse_features(items, self.deployment, sensor)
        inside = [scene for scene in scenes if scene.footprint.intersects(aoi.geometry)]
        return Found(
            scenes=tuple(sorted(inside, key=lambda scene: (scene.acquired, scene.id))),
            complete=not failures and all(answer.complete for answer in answers),
            warnings=(
                *(f"{NAME}: {error}" for error in failures),
                *(line for answer in answers for line in answer.warnings),
                *left_out,
            ),
        )

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return `bands` of `scene` on `grid` in physical units, with validity settled.

        The picture shows all files of the scene's pass. Where the grid has the scene's own pixels they come as they
        are, else the nearest ones.

        Raises
        ------
        SceneError
            Where a band is missing, or there are no data for that date over the grid.
        SourceError, CredentialsError
            Where the picture could not be had.
        BudgetError
            Where it would cost more than is left of `most_units`; nothing was sent.
        """
        script = script_for(scene.sensor, bands)
        layers = self._layers(scene, grid, script)
        present = layers[PRESENT_BAND] == 1
        if not present.any():
            day = f"{scene.acquired:%Y-%m-%d}"
            raise SceneError(f"no data for {day}: Sentinel Hub renders no pixel of {scene.id} over the area")
        patches = {band: picture_patch(layers[band], present, grid) for band in bands}
        classes = picture_classes(layers, present) if CLASSES_BAND in layers else None
        return settle(scene, grid, patches, classes=classes)

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return which pixels can be used for sure and which at most, from a coarse look at the classification.

        Raises
        ------
        SceneError, SourceError, CredentialsError, BudgetError
            As `read`.
        """
        if scene.sensor != "s2":
            return None
        factor = max(1, round(SURVEY_GSD_M / grid.gsd))
        layers = self._layers(scene, coarser(grid, factor), CLASSES)
        classes = picture_classes(layers, layers[PRESENT_BAND] == 1)
        return survey_classes(finer(classes, factor, grid.shape), grid.gsd)

    def check(self) -> None:
        """Ask for a token and for the names of the collections, which costs nothing.

        Raises
        ------
        SourceError, CredentialsError
            Where either cannot be had.
        """
        url = f"{catalog_url(self.deployment)}/collections"
        with self._explained("Nothing was asked that costs"):
            self.client.json(Request(url=url, hosts=hosts_of(self.deployment), sign=self._sign(0.0)))

    def estimate(self, grid: Grid, bands: Sequence[str], *, sensor: str) -> float:
        """Return what `read` costs for one scene, processing units."""
        return script_for(sensor, bands).units(grid)

    def _config(self) -> SHConfig:
        """Return the package's configuration: nothing from its file or the environment, and no secret."""
        return SHConfig(
            use_defaults=True,
            sh_base_url=self.deployment.url,
            sh_token_url=self.deployment.token_url,
            # Patience is ours: the package's would wait 5, 15 and 45 seconds.
            max_download_attempts=1,
            download_sleep_time=0,
        )

    def _search_request(self, aoi: AOI, period: Period, sensor: str) -> Request:
        west, south, east, north = (round(value, 7) for value in aoi.geometry.bounds)
        first = search_request(
            catalog_url(self.deployment),
            hosts=hosts_of(self.deployment),
            collections=[COLLECTIONS[sensor]],
            bounds=(west, south, east, north),
            period=period,
            now=self.clock.now(),
        )
        found = SentinelHubCatalog(config=self._config()).search(
            _PACKAGED[sensor],
            time=(period.start.replace(microsecond=0), period.end.replace(microsecond=0)),
            bbox=BBox((west, south, east, north), CRS.WGS84),
            limit=PAGE_ITEMS,
        )
        return replace(first, url=found.url, body=found.params, retry_after_ms=True)

    def _picture_request(self, scene: Scene, grid: Grid, script: Script) -> Request:
        """Return the request for a picture of the scene's pass; all of it is in the body but the token."""
        optical = scene.sensor == "s2"
        data = SentinelHubRequest.input_data(
            _PACKAGED[scene.sensor],
            time_interval=(_whole_second(scene.acquired - AROUND), _whole_second(scene.acquired + AROUND)),
            upsampling=ResamplingType.NEAREST if optical else None,
            downsampling=ResamplingType.NEAREST if optical else None,
            other_args={"processing": {"harmonizeValues": True}} if optical else radar_arguments(scene),
        )
        # As the package defines them, its collections are always asked for at Planet's, whatever the configuration. One
        # of our own would be registered for the whole process, and be in the way of whoever else does the same.
        data.service_url = self.deployment.url
        built = SentinelHubRequest(
            evalscript=script.text,
            input_data=[data],
            responses=[SentinelHubRequest.output_response("default", MimeType.TIFF)],
            bbox=BBox(grid.bounds, CRS(grid.crs.removeprefix("EPSG:"))),
            size=(grid.width, grid.height),
            config=self._config(),
        ).download_list[0]
        return Request(
            url=str(built.url),
            hosts=hosts_of(self.deployment),
            method="POST",
            body=built.post_values,
            headers={"accept": built.headers["accept"]},
            retry_after_ms=True,
            most_bytes=script.most_bytes(grid),
            keep=PICTURE_KEPT,
            check=partial(_check_picture, grid=grid, script=script),
        )

    def _layers(self, scene: Scene, grid: Grid, script: Script) -> dict[str, NDArray[Any]]:
        """Return the layers of a picture of `grid` by name, (row, col) each, put together from its pieces."""
        whole = np.zeros((len(script.layers), *grid.shape), script.dtype)
        pieces = cut(grid)
        cost = script.units(grid)
        for piece in pieces:
            request = self._picture_request(scene, piece.grid, script)
            response = self._send(replace(request, sign=self._sign(cost)), script.units(piece.grid))
            whole[:, *piece.spot] = decode_picture(response.content, piece.grid, script)
            cost -= script.units(piece.grid)
        return dict(zip(script.layers, whole, strict=True))

    def _send(self, request: Request, units: float) -> Response:
        """Send a request for a picture and see to it that its cost is counted."""
        with self._explained(f"The picture was estimated at {units:.2f} processing units"):
            response = self.client.send(request)
        if not response.from_cache and SPENT_HEADER not in response.headers:
            with self._lock:
                self.client.traffic.processing_units += units
        return response

    @contextmanager
    def _explained(self, about: str) -> Iterator[None]:
        """Add to a refusal what the client cannot know: where credentials come from, and what was asked to be paid."""
        hint = where_from(self.deployment)
        try:
            yield
        except CredentialsError as error:
            raise CredentialsError(str(error) if hint in str(error) else f"{error}. {hint}") from None
        except SourceError as error:
            if type(error) not in (SourceError, RateLimitedError):
                raise
            raise type(error)(
                f"{error}. {about}; {self.client.traffic.processing_units:.2f} are spent so far"
            ) from None

    def _sign(self, cost: float) -> Callable[[str, bool], Signed]:
        """Return what puts a token on a request just before it is sent, if `cost` (processing units) is affordable."""
        last: Secret | None = None

        def sign(url: str, refused: bool) -> Signed:
            nonlocal last
            self._check_budget(cost)
            last = self._tokens.get(refused=last if refused else None)
            return Signed(url=url, headers={"authorization": f"Bearer {last.reveal()}"})

        return sign

    def _check_budget(self, cost: float) -> None:
        spent = self.client.traffic.processing_units
        if self.most_units is not None and cost and spent + cost > self.most_units:
            raise BudgetError(
                f"the next request to Sentinel Hub costs about {cost:.2f} processing units, and {spent:.2f} of the"
                f" {self.most_units:g} that --max-units allows are spent; it was not sent. Allow more, or take a"
                " smaller area"
            )

    def _fetch_token(self) -> Token:
        if self.credentials is None:
            raise CredentialsError(f"{self.deployment.title} needs an account. {where_from(self.deployment)}")
        config = self._config()
        config.sh_client_id = self.credentials.client_id.reveal()
        config.sh_client_secret = self.credentials.client_secret.reveal()
        grant = Grant(
            ask=lambda: SentinelHubSession(config, refresh_before_expiry=None).token,
            url=self.deployment.token_url,
            hint=where_from(self.deployment),
        )
        return obtain_token(grant, clock=self.clock, patience=self.patience, sent=self._count_request)

    def _count_request(self) -> None:
        """Count what goes out past the client."""
        self.client.traffic.requests += 1


def _check_picture(response: Response, *, grid: Grid, script: Script) -> None:
    decode_picture(response.content, grid, script)


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
