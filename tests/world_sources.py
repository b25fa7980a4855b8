"""Sources that ask the world of stand-ins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aoi import AOI
from aoi.geometry import grid_for
from imagery.datatake import one_per_pass
from imagery.http import Client
from imagery.retry import Clock
from imagery.scene import Period, Scene
from imagery.sources.base import Source
from imagery.sources.cdse import Cdse
from imagery.sources.earth_search import EarthSearch
from imagery.sources.planetary_computer import PlanetaryComputer
from tests.passes import KHMEIMIM
from tests.servers import Server

GRID = grid_for(KHMEIMIM, 10)
BANDS = ("B02", "B03", "B04", "B08")


def earth_search(server: Server, client: Client, clock: Clock | None = None) -> EarthSearch:
    """Return Earth Search as the world has it."""
    return EarthSearch(client, root=f"{server.url}/earth-search/v1", clock=clock)


def planetary_computer(server: Server, client: Client, clock: Clock | None = None) -> PlanetaryComputer:
    """Return the Planetary Computer as the world has it."""
    root = f"{server.url}/planetary-computer/api"
    return PlanetaryComputer(client, root=f"{root}/stac/v1", sas_root=f"{root}/sas/v1/token", clock=clock)


def cdse(server: Server, client: Client) -> Cdse:
    """Return the witness as the world has it."""
    return Cdse(client, root=f"{server.url}/cdse/v1")


def day_of(day: str) -> list[Period]:
    """Return one whole day."""
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return [Period(start=start, end=start + timedelta(hours=23.9))]


def scenes_of(source: Source, day: str, *, sensor: str = "s2", aoi: AOI = KHMEIMIM) -> tuple[Scene, ...]:
    """Return the chosen scenes of one day."""
    found = source.search(aoi, day_of(day), sensor=sensor)
    assert found.complete, found.warnings
    return one_per_pass(found.scenes, aoi=aoi, crs=grid_for(aoi, 10).crs)[0]


def scene_of(source: Source, day: str, *, sensor: str = "s2", aoi: AOI = KHMEIMIM) -> Scene:
    """Return the only chosen scene of one day."""
    (scene,) = scenes_of(source, day, sensor=sensor, aoi=aoi)
    return scene
