"""Whether everything is in place: libraries, cache, credentials, and which sources answer. Nothing secret is shown."""

from __future__ import annotations

import platform
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from imagery.addresses import parse_origin
from imagery.cache import Cache
from imagery.credentials import where_from
from imagery.errors import (
    AddressError,
    BadAnswerError,
    CredentialsError,
    ImageryError,
    RateLimitedError,
    UnreachableError,
)
from imagery.exchange import Hosts, Request
from imagery.hardening import live_drivers
from imagery.http import Client, Patience
from revisit.settings import DEFAULT, GIB, SETTINGS, Settings

Outcome = Literal["ok", "warning", "failed"]

WITHIN_S = 25.0
"""How long all sources together are waited for."""
LIBRARIES = (
    "affine", "defusedxml", "filelock", "jinja2", "numpy", "pillow", "platformdirs", "pyproj", "rasterio", "requests",
    "scikit-image", "scipy", "sentinelhub", "shapely", "tifffile", "typer",
)  # fmt: skip
"""Distributions that are needed, by the names that `pip` knows; cv2 is looked for by itself, since two bring it."""
LEAST_FREE_BYTES = 2 * GIB


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found about one thing."""

    name: str
    outcome: Outcome
    found: str
    """One line."""
    advice: str = ""
    """What to do; empty where nothing needs to be done."""
    seconds: float | None = None
    """How long a source took to answer; None for what is no source."""
    pixels: bool = False
    """Whether a run can get its pixels there."""


def examine(settings: Settings, *, within_s: float = WITHIN_S) -> tuple[Finding, ...]:
    """Look at this machine, and ask every source at the same time.

    Parameters
    ----------
    settings
        As a run would use them.
    within_s
        How long the sources are waited for, seconds.
    """
    return (
        _python(),
        _libraries(),
        _gdal(),
        _configuration(settings),
        _cache(settings),
        _credentials(settings),
        *_sources(settings, within_s),
    )


def can_run(findings: Sequence[Finding]) -> bool:
    """Return whether at least one source of pixels answers."""
    return any(finding.pixels and finding.outcome == "ok" for finding in findings)


def _python() -> Finding:
    found = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    return Finding(name="python", outcome="ok", found=found)


def _libraries() -> Finding:
    present, missing = [], []
    for name in LIBRARIES:
        try:
            present.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    try:
        import cv2

        present.append(f"cv2 {cv2.__version__}")
    except ImportError:
        missing.append("opencv-python-headless")
    if missing:
        lacking = " ".join(missing)
        return Finding(
            name="libraries", outcome="failed", found=f"missing: {lacking}", advice=f"Type: pip install {lacking}"
        )
    return Finding(name="libraries", outcome="ok", found=", ".join(present))


def _gdal() -> Finding:
    import rasterio

    with rasterio.Env() as env:
        lacking = {"GTiff", "COG", "JP2OpenJPEG"} - set(env.drivers())
    found = f"GDAL {rasterio.__gdal_version__}, rasterio {rasterio.__version__}"
    if lacking:
        advice = "Install rasterio's own wheel: pip install --force-reinstall rasterio"
        drivers = ", ".join(sorted(lacking))
        return Finding(name="gdal", outcome="failed", found=f"{found}; it cannot read {drivers}", advice=advice)
    live = sorted(live_drivers())
    if live:
        advice = "Something uses GDAL before revisit does; files are still opened by their own driver only"
        return Finding(name="gdal", outcome="warning", found=f"{found}; {len(live)} drivers too many", advice=advice)
    return Finding(name="gdal", outcome="ok", found=f"{found}, only the drivers that are needed")


def _configuration(settings: Settings) -> Finding:
    changed = [f"{key} from {origin}" for key, origin in settings.origins.items() if origin != DEFAULT]
    file = str(settings.config_file) if settings.config_file else "no config file"
    return Finding(name="settings", outcome="ok", found=f"{file}; {', '.join(changed) or 'all as they come'}")


def _cache(settings: Settings) -> Finding:
    folder = settings.cache_folder
    advice = "Name another folder in REVISIT_CACHE_DIR, or as folder under [cache] in the config file"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
        info = Cache(folder, most_bytes=settings.cache_most_bytes).info()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = f"{folder} cannot be written ({error.strerror or error})"
        return Finding(name="cache", outcome="failed", found=reason, advice=advice)
    found = (
        f"{folder}: {info.entries} answers, {info.size_bytes / GIB:.2f} of {info.most_bytes / GIB:g} GiB,"
        f" {free / GIB:.1f} GiB free on the disk"
    )
    if info.quarantined:
        found += f"; {info.quarantined} damaged ones set aside"
    if free < LEAST_FREE_BYTES:
        return Finding(name="cache", outcome="warning", found=found, advice=f"Make room on the disk. {advice}")
    return Finding(name="cache", outcome="ok", found=found)


def _credentials(settings: Settings) -> Finding:
    deployment = settings.sentinel_hub
    if settings.credentials:
        origins = sorted({settings.origins[key] for key, setting in SETTINGS.items() if setting.secret})
        found = f"for {deployment.title}, from {' and '.join(origins)}"
        return Finding(name="credentials", outcome="ok", found=found)
    found = f"none for {deployment.title}; the other sources need none"
    return Finding(name="credentials", outcome="warning", found=found, advice=where_from(deployment))


@dataclass(frozen=True, kw_only=True)
class _Probe:
    """How one source is asked."""

    name: str
    url: str
    ask: Callable[[Client], str]
    """Returns what was found; raises an `ImageryError`."""
    pixels: bool
    without: str
    """What is lost where it does not answer."""


def _sources(settings: Settings, within_s: float) -> list[Finding]:
    """Ask all sources at the same time; what takes too long is left behind."""
    probes = _probes(settings)
    answers: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    begun = time.monotonic()
    for probe in probes:
        asking = threading.Thread(target=lambda probe=probe: answers.put(_ask(probe)), daemon=True, name=probe.name)
        asking.start()
    found: dict[str, Finding] = {}
    while len(found) < len(probes):
        try:
            finding = answers.get(timeout=max(begun + within_s - time.monotonic(), 0.0))
        except queue.Empty:
            break
        found[finding.name] = finding
    return [found.get(probe.name) or _late(probe, within_s) for probe in probes]


def _late(probe: _Probe, within_s: float) -> Finding:
    return Finding(
        name=probe.name,
        outcome="failed",
        found=f"{probe.url}: no complete answer within {within_s:g} s",
        advice=f"It or the network is very slow: try again later. {probe.without}",
        seconds=within_s,
        pixels=probe.pixels,
    )


def _ask(probe: _Probe) -> Finding:
    patience = Patience(attempts=2, connect_attempts=1, connect_s=5.0, read_s=10.0, request_s=12.0, run_s=20.0)
    begun = time.monotonic()
    finding = Finding(name=probe.name, outcome="failed", found="", pixels=probe.pixels)
    try:
        with Client(patience=patience) as client:
            finding = replace(finding, outcome="ok", found=f"{probe.url}: {probe.ask(client)}")
    except ImageryError as error:
        finding = replace(finding, found=f"{error}", advice=f"{_meaning(error)} {probe.without}")
    return replace(finding, seconds=round(time.monotonic() - begun, 2))


def _meaning(error: Exception) -> str:
    """Return what a failure means and what to do about it."""
    meanings: tuple[tuple[type[Exception], str], ...] = (
        (CredentialsError, "It answers, but does not let you in: make new credentials, or correct them."),
        (UnreachableError, "No connection: check the network, a firewall, and the proxy in HTTPS_PROXY."),
        (RateLimitedError, "It answers, but is asked too much: try again in some minutes."),
        (BadAnswerError, "Something else than the source answers: an outage there, or a page of your network's proxy."),
        (AddressError, "This address is never asked: correct it in the environment or the config file."),
    )
    text = next((text for kind, text in meanings if isinstance(error, kind)), None)
    return text or "It answers, but not as it should: an outage there, or a wrong address in your settings."


def _probes(settings: Settings) -> list[_Probe]:
    others = "Runs use the other sources meanwhile."
    return [
        _Probe(
            name="earth-search",
            url=settings.earth_search_url,
            ask=lambda client: _catalogue(client, settings.earth_search_url),
            pixels=True,
            without=others,
        ),
        _Probe(
            name="planetary-computer",
            url=settings.planetary_computer_url,
            ask=lambda client: _planetary(client, settings),
            pixels=True,
            without=others,
        ),
        _Probe(
            name="cdse",
            url=settings.cdse_stac_url,
            ask=lambda client: f"{_catalogue(client, settings.cdse_stac_url)}; it has no pixels without an account",
            pixels=False,
            without="Runs go on without this witness of which passes there were.",
        ),
        _Probe(
            name="sentinel-hub",
            url=settings.sentinel_hub.url,
            ask=lambda client: _hub(client, settings),
            pixels=settings.credentials is not None,
            without=others,
        ),
    ]


def _catalogue(client: Client, root: str) -> str:
    """Ask a catalogue for its landing page."""
    page = client.json(Request(url=root, hosts=_hosts(root)))
    if not isinstance(page, Mapping) or page.get("type") != "Catalog":
        raise BadAnswerError(f"{root} answered with something else than the front page of a STAC catalogue")
    return "the catalogue answers"


def _planetary(client: Client, settings: Settings) -> str:
    """Ask for the catalogue and for a token, which opens the files."""
    from imagery.sources.planetary_computer import CONTAINERS, token_life

    said = _catalogue(client, settings.planetary_computer_url)
    account, container = CONTAINERS["s2"]
    root = settings.planetary_computer_sas_url
    _, left = token_life(client.send(Request(url=f"{root}/{account}/{container}", hosts=_hosts(root))))
    return f"{said}, and gives tokens for its files (good for {left / 60:.0f} minutes)"


def _hub(client: Client, settings: Settings) -> str:
    """Ask for a token and what it opens; without credentials, only whether anybody is there."""
    from imagery.hub_scenes import catalog_url, hosts_of
    from imagery.sources.sentinel_hub import SentinelHubSource

    deployment = settings.sentinel_hub
    if settings.credentials:
        patience = Patience(attempts=2, request_s=5.0)
        source = SentinelHubSource(
            client=client, deployment=deployment, credentials=settings.credentials, patience=patience
        )
        source.check()
        return f"{deployment.title} takes the credentials"
    with suppress(CredentialsError):
        client.send(Request(url=f"{catalog_url(deployment)}/collections", hosts=hosts_of(deployment)))
    return f"{deployment.title} answers; without credentials it gives nothing"


def _hosts(url: str) -> Hosts:
    """Return that a public address may lead to its public host alone, and one that the user set to where he said."""
    origin = parse_origin(url)
    public = any(setting.default == url for setting in SETTINGS.values())
    return Hosts(suffixes=(origin.host,)) if public else Hosts(suffixes=(), configured=(str(origin),))
