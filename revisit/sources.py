"""From the words of `--source` to a source of scenes, with the network, the cache and the credentials that it needs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from revisit.errors import UsageError

if TYPE_CHECKING:
    from imagery.exchange import Traffic
    from imagery.http import Client
    from imagery.sources.base import Source
    from revisit.settings import Settings

NETWORK = ("auto", "earth-search", "planetary-computer", "sentinel-hub")
"""Sources on the network."""
CHOICES = f"--source {', '.join(NETWORK)}, folder:PATH for scenes on disk (`revisit import` makes them), or demo"

Watch = Callable[["Traffic"], None]


@dataclass(frozen=True, kw_only=True)
class Access:
    """How the network may be used."""

    offline: bool = False
    """Ask nobody: only what was fetched before."""
    most_units: float | None = None
    """Processing units of Sentinel Hub that one run may spend; None: as many as it takes."""
    watch: Watch | None = None
    """Called with what went over the wire so far."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    """Where settings are looked for."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A source that can be asked."""

    source: Source
    client: Client | None = None
    """Of the sources on the network; None for the others."""

    def traffic(self) -> dict[str, float] | None:
        """Return what went over the wire; None without a network."""
        if self.client is None:
            return None
        seen = self.client.traffic
        return {
            "requests": seen.requests,
            "retries": seen.retries,
            "received_bytes": seen.received_bytes,
            "answers_from_cache": seen.from_cache,
            "processing_units": round(seen.processing_units, 3),
        }

    def notes(self) -> tuple[str, ...]:
        """Return what the exchange with servers and the cache left to be warned about."""
        return tuple(self.client.notes) if self.client else ()


def _folder(text: str) -> Path:
    """Return the path of a folder of scenes."""
    path = Path(text).expanduser()
    if not text or not path.exists():
        raise UsageError(f"the folder of scenes {text!r} does not exist")
    if not path.is_dir():
        raise UsageError(f"{path} is a file; --source folder:PATH wants the folder that holds the scenes")
    return path


def _earth_search(client: Client, settings: Settings) -> Source:
    from imagery.sources.earth_search import EarthSearch

    return EarthSearch(client, root=settings.earth_search_url)


def _planetary_computer(client: Client, settings: Settings) -> Source:
    from imagery.sources.planetary_computer import PlanetaryComputer

    return PlanetaryComputer(client, root=settings.planetary_computer_url, sas_root=settings.planetary_computer_sas_url)


def _sentinel_hub(client: Client, settings: Settings, most_units: float | None) -> Source:
    from imagery.sources.sentinel_hub import SentinelHubSource

    return SentinelHubSource(
        client=client,
        deployment=settings.sentinel_hub,
        credentials=settings.credentials,
        most_units=most_units,
    )


def _auto(client: Client, settings: Settings, most_units: float | None) -> Source:
    """Return all sources that need no account, and Sentinel Hub where there are credentials."""
    from imagery.sources.auto import AutoSource
    from imagery.sources.cdse import Cdse

    sources = [_earth_search(client, settings), _planetary_computer(client, settings)]
    if settings.credentials is not None:
        sources.append(_sentinel_hub(client, settings, most_units))
    return AutoSource(sources, witness=Cdse(client, root=settings.cdse_stac_url))


def _on_network(spec: str, access: Access) -> Opened:
    """Return a source on the network with its client."""
    from imagery.cache import Cache
    from imagery.http import Client
    from revisit.settings import load_settings

    settings = load_settings(access.environment)
    cache = Cache(settings.cache_folder, most_bytes=settings.cache_most_bytes)
    client = Client(cache=cache, offline=access.offline, watch=access.watch)
    made = {
        "earth-search": lambda: _earth_search(client, settings),
        "planetary-computer": lambda: _planetary_computer(client, settings),
        "sentinel-hub": lambda: _sentinel_hub(client, settings, access.most_units),
        "auto": lambda: _auto(client, settings, access.most_units),
    }
    return Opened(source=made[spec](), client=client)


@contextmanager
def open_source(spec: str, access: Access | None = None) -> Iterator[Opened]:
    """Open a source of scenes.

    Parameters
    ----------
    spec
        One of `NETWORK`, "folder:PATH", or "demo" (simulated scenes, written to a temporary folder for as long as the
        source is open).
    access
        How the network may be used; None: freely.

    Raises
    ------
    UsageError
        For words that name no source, folders that are not there, and settings that make no sense.
    """
    from imagery.sources.folder import FolderSource

    kind, _, rest = spec.partition(":")
    if kind == "folder":
        yield Opened(source=FolderSource(_folder(rest)))
    elif spec == "demo":
        from revisit.demo import write_demo

        with tempfile.TemporaryDirectory(prefix="revisit-demo-") as folder:
            write_demo(Path(folder) / "scenes")
            yield Opened(source=FolderSource(Path(folder) / "scenes"))
    elif spec in NETWORK:
        yield _on_network(spec, access or Access())
    else:
        raise UsageError(f"{spec!r} is no source of scenes. Give {CHOICES}")


def check_source(spec: str) -> None:
    """Refuse what `open_source` would refuse, before a long job begins; nobody is asked and nothing is written.

    Raises
    ------
    UsageError
        As `open_source`.
    """
    if spec != "demo":
        with open_source(spec, Access(offline=True)):
            pass
