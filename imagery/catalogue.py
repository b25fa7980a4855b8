"""What the sources have in common that find scenes in a catalogue and read windows of their files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aoi import AOI, Grid
from imagery.addresses import parse_origin
from imagery.bands import CLASSES_BAND
from imagery.errors import CredentialsError, NoSceneError, SceneError, SourceError
from imagery.exchange import MIB, Hosts, Request
from imagery.raster import Raster
from imagery.remote_items import Dialect, parse_all
from imagery.scene import Asset, Period, Scene
from imagery.sources.base import Found, Survey
from imagery.stac import Answer, find_items, search_request

if TYPE_CHECKING:
    from imagery.http import Client
    from imagery.reading import Fetch

MOST_FILE_BYTES = 512 * MIB
"""Of one file, where its server sends whole files only: a band of 10 m of a granule has up to some 250 MB."""

Ask = Callable[[str], Request]
"""Makes the request for a whole file from its unsigned address."""


def hosts_for(root: str, suffixes: Sequence[str], *, public: str) -> Hosts:
    """Return where a source may be asked: its public hosts, and the address that the user gave in place of the root.

    Parameters
    ----------
    root
        Address in use.
    suffixes
        Public hosts.
    public
        The address when the user gave none.
    """
    configured = () if root.rstrip("/") == public.rstrip("/") else (str(parse_origin(root)),)
    return Hosts(suffixes=tuple(suffixes), configured=configured)


def joined(periods: Sequence[Period]) -> list[Period]:
    """Return the same time in as few periods as possible, oldest first."""
    result: list[Period] = []
    for period in sorted(periods, key=lambda one: one.start):
        if result and period.start <= result[-1].end:
            result[-1] = Period(start=result[-1].start, end=max(result[-1].end, period.end))
        else:
            result.append(period)
    return result


def search_catalogue(
    client: Client,
    dialects: Sequence[Dialect],
    *,
    hosts: Hosts,
    aoi: AOI,
    periods: Sequence[Period],
    now: datetime,
    leave_out: Sequence[str] = (),
) -> Found:
    """Return the scenes of a catalogue that touch `aoi` within any of `periods`, oldest first, twins included.

    Parameters
    ----------
    client
        Asks.
    dialects
        Of the collections that are searched together; all of one catalogue.
    hosts
        Where the catalogue may be.
    aoi, periods
        Place and time.
    now
        Decides how long the answers serve from the cache.
    leave_out
        Fields of the items that are not needed.

    Raises
    ------
    SourceError, CredentialsError
        Where nothing at all could be had.
    """
    first = dialects[0]
    west, south, east, north = aoi.geometry.bounds
    answers: list[Answer] = []
    failures: list[SourceError | CredentialsError] = []
    for period in joined(periods):
        request = search_request(
            first.root,
            hosts=hosts,
            collections=[dialect.collection for dialect in dialects],
            bounds=(west, south, east, north),
            period=period,
            now=now,
            leave_out=leave_out,
        )
        try:
            answers.append(find_items(client, request, name=first.source))
        except (SourceError, CredentialsError) as error:
            failures.append(error)
    if not answers and failures:
        raise failures[0]
    items = [item for answer in answers for item in answer.items]
    scenes, left_out = parse_all(items, {dialect.collection: dialect for dialect in dialects})
    return Found(
        scenes=_wanted(scenes, aoi, periods),
        complete=not failures and all(answer.complete for answer in answers),
        warnings=(
            *(f"{first.source}: {error}" for error in failures),
            *(line for answer in answers for line in answer.warnings),
            *left_out,
        ),
    )


def _wanted(scenes: Sequence[Scene], aoi: AOI, periods: Sequence[Period]) -> tuple[Scene, ...]:
    """Return the scenes on the area and in the periods, each once: two searches may bring the same."""
    touching = {
        scene.href: scene
        for scene in scenes
        if scene.footprint.intersects(aoi.geometry)
        and any(period.start <= scene.acquired <= period.end for period in periods)
    }
    return tuple(sorted(touching.values(), key=lambda scene: (scene.acquired, scene.id)))


def of_sensor(dialects: Mapping[str, Sequence[Dialect]], sensor: str, *, name: str) -> Sequence[Dialect]:
    """Return the collections of a sensor.

    Raises
    ------
    NoSceneError
        Where the source has none.
    """
    if sensor not in dialects:
        kind = {"s1": "no radar images that are corrected for terrain", "s2": "no optical images"}
        raise NoSceneError(f"{name} has {kind.get(sensor, f'nothing of the sensor {sensor!r}')}; take another source")
    return dialects[sensor]


@contextmanager
def _fetching(
    client: Client, scene: Scene, grid: Grid, bands: Sequence[str], ask: Ask
) -> Iterator[tuple[Fetch, Fetch]]:
    """Yield what makes files of a scene available on this machine: their windows under `grid`, and their overviews.

    The files of one scene are fetched side by side as soon as one of them is asked for, those of a part not before.
    """
    from imagery.remote import coarsest, windows

    names = (*bands, CLASSES_BAND) if scene.sensor == "s2" else tuple(bands)
    together = [
        [member.assets[name].href for name in names if name in member.assets] for member in (scene, *scene.parts)
    ]
    here: dict[str, Path] = {}
    with tempfile.TemporaryDirectory(prefix="revisit-windows-") as folder:

        def fetch(asset: Asset) -> Path:
            if asset.href not in here:
                hrefs = next(hrefs for hrefs in together if asset.href in hrefs)
                paths = windows(client, [ask(href) for href in hrefs], grid, folder=Path(folder))
                here.update(zip(hrefs, paths, strict=True))
            return here[asset.href]

        def coarse(asset: Asset) -> Path:
            return coarsest(client, ask(asset.href), folder=Path(folder))

        yield fetch, coarse


def read_remote(client: Client, scene: Scene, grid: Grid, bands: Sequence[str], *, ask: Ask) -> Raster:
    """Return `bands` of a scene on `grid`; only the windows under the grid are fetched.

    Raises
    ------
    SceneError
        Where a band is missing, or the numbers contradict the scene's description.
    SourceError, CredentialsError, BudgetError
        Where a file could not be had.
    """
    from imagery.reading import read_scene

    with _fetching(client, scene, grid, bands, ask) as (fetch, coarse):
        return read_scene(scene, grid, bands, fetch=fetch, coarse=coarse)


def survey_remote(client: Client, scene: Scene, grid: Grid, *, ask: Ask) -> Survey | None:
    """Return what of a scene can be used on `grid`, from its classification alone; None where it has none.

    Raises
    ------
    SceneError, SourceError, CredentialsError, BudgetError
        As `read_remote`.
    """
    if scene.sensor != "s2" or CLASSES_BAND not in scene.assets:
        return None
    from imagery.reading import read_classes
    from imagery.survey import survey_classes

    with _fetching(client, scene, grid, (), ask) as (fetch, _):
        classes = read_classes(scene, grid, fetch=fetch)
    if classes is None:
        raise SceneError(f"{scene.id} has no {CLASSES_BAND}")
    return survey_classes(classes, grid.gsd)


def ask_plainly(hosts: Hosts) -> Ask:
    """Return what makes requests for files that need no signature."""
    return lambda href: Request(url=href, hosts=hosts, most_bytes=MOST_FILE_BYTES)
