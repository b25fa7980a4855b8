"""The real command line in a process of its own, pointed at servers on this machine and at nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aoi import AOI
from aoi.builtin import load_site
from tests.servers import Server

ENDS_WITHIN_S = 120
"""A guard against commands that never end; nothing is timed."""
PORT_OF_NOBODY = "127.0.0.1:9"
APRONS = ("apron-north", "apron-centre")
"""Zones of Khmeimim on which the world's ground changes three times between 2024-11-30 and 2024-12-20."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line of what it said."""
        return self.err.splitlines()[-1]

    @property
    def said(self) -> str:
        """All of it, in small letters."""
        return f"{self.out}\n{self.err}".lower()


def environment(server: Server | None, cache: Path) -> dict[str, str]:
    """Return an environment in which the sources are those of a world, or nobody's, and nothing else is configured."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REVISIT_", "SH_", "PC_SDK_"))}
    config = cache.parent / "no-config"
    addresses = server.environment() if server else nobody()
    return {**kept, **addresses, "REVISIT_CACHE_DIR": str(cache), "XDG_CONFIG_HOME": str(config)}


def nobody() -> dict[str, str]:
    """Return addresses at which nobody listens."""
    variables = {
        "REVISIT_EARTH_SEARCH_URL": "http",
        "REVISIT_PLANETARY_COMPUTER_URL": "http",
        "REVISIT_PLANETARY_COMPUTER_SAS_URL": "http",
        "REVISIT_CDSE_STAC_URL": "http",
        "REVISIT_SENTINEL_HUB_URL": "https",
        "REVISIT_SENTINEL_HUB_TOKEN_URL": "https",
    }
    return {name: f"{scheme}://{PORT_OF_NOBODY}/here" for name, scheme in variables.items()}


def begin(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a command."""
    return subprocess.Popen(
        [sys.executable, "-c", "from revisit.cli.main import main; main()", *arguments],
        env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> Done:
    """Wait for a command, and kill it where it does not end."""
    try:
        out, err = process.communicate(timeout=ENDS_WITHIN_S)
    finally:
        process.kill()
    return Done(code=process.returncode, out=out, err=err)


def call(arguments: Sequence[str], environment: Mapping[str, str]) -> Done:
    """Run a command to its end."""
    return end(begin(arguments, environment))


def write_aprons(path: Path) -> Path:
    """Write an area file with two aprons of Khmeimim and some 100 m around them."""
    site = load_site("khmeimim")
    zones = [zone for zone in site.zones if zone.name in APRONS]
    ring = [[35.9385, 35.396], [35.947, 35.396], [35.947, 35.415], [35.9385, 35.415], [35.9385, 35.396]]
    features = [_feature({"type": "area", "name": "aprons"}, {"type": "Polygon", "coordinates": [ring]})]
    features += [_zone(site, zone.name) for zone in zones]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def _zone(site: AOI, name: str) -> dict[str, Any]:
    from shapely.geometry import mapping

    (zone,) = (one for one in site.zones if one.name == name)
    told = {"type": "zone", "name": name, "kind": zone.kind, "source": zone.source, "accuracy_m": zone.accuracy_m}
    return _feature(told, mapping(zone.geometry))


def _feature(properties: dict[str, Any], geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}
