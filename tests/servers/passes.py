"""The passes over Khmeimim that the stand-ins know: `passes.csv`.

Rows of origin "seen" are facts: ids, times, cloud shares and bounds as the Planetary Computer's public catalogue gave
them, taken from the scene lists of a public study of the port of Latakia. Rows of origin "derived" fill gaps of that
list in the five-day rhythm of relative orbit 121: satellite, day and form are right, the seconds are invented. Orbit
numbers of Sentinel-2 are invented but for the relative orbit that they yield.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

Bounds = tuple[float, float, float, float]

S2_ORBIT = 121
TILES: dict[str, tuple[int, Bounds]] = {
    "36SYE": (32636, (699960, 3890220, 809760, 4000020)),
    "36SYD": (32636, (699960, 3790200, 809760, 3900000)),
    "37SBV": (32637, (199980, 3890220, 309780, 4000020)),
    "37SBU": (32637, (199980, 3790200, 309780, 3900000)),
}
"""EPSG code and (west, south, east, north) in metres of the granules."""
_S2_ID = re.compile(r"S2([ABC])_MSIL2A_(\d{8}T\d{6})_R(\d{3})_T(\w{5})_(\d{8}T\d{6})")
_S1_ID = re.compile(r"S1([A-D])_IW_GRDH_1S[DS]V_(\d{8}T\d{6})_(\d{8}T\d{6})_(\d{6})(?:_(\w{6}))?_rtc")
_ORBIT_EPOCHS = {"A": ("2024-11-30", 49310), "B": ("2024-12-15", 40616), "C": ("2025-01-29", 2121)}
"""A day and the absolute orbit on it; the number only has to be consistent."""


_BASELINES = (("20240723", "05.11"), ("20231213", "05.10"), ("20221206", "05.09"), ("20220125", "04.00"), ("", "03.01"))
"""From which day of processing on ESA used which baseline, newest first; between them there were more."""


def when(stamp: str) -> datetime:
    """Return the time of a stamp such as "20241130T082311"."""
    return datetime.strptime(stamp, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Granule:
    """One Sentinel-2 tile of one pass."""

    platform: str
    """"A", "B" or "C"."""
    take: str
    """Start of the datatake, such as "20241130T082311"."""
    tile: str
    generated: str
    cloud: float
    """Per cent of the tile."""
    bounds: Bounds
    """Longitude and latitude."""
    baseline: str = "05.11"
    orbit: int = S2_ORBIT

    @property
    def day(self) -> str:
        """The date, such as "2024-11-30"."""
        return f"{when(self.take):%Y-%m-%d}"

    @property
    def satellite(self) -> str:
        """Such as "sentinel-2a"."""
        return f"sentinel-2{self.platform.lower()}"

    @property
    def safe(self) -> str:
        """ESA's product name, without ".SAFE"."""
        number = self.baseline.replace(".", "")
        return f"S2{self.platform}_MSIL2A_{self.take}_N{number}_R{self.orbit:03}_T{self.tile}_{self.generated}"

    @property
    def datatake(self) -> str:
        """ESA's name of the pass."""
        day, number = _ORBIT_EPOCHS[self.platform]
        orbits = (when(self.take).date() - datetime.fromisoformat(day).date()).days * 143 // 10
        return f"GS2{self.platform}_{self.take}_{number + orbits:06}_N{self.baseline}"


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One Sentinel-1 product: 25 seconds of a pass."""

    id: str
    """As the Planetary Computer calls it: the GRD product's name without its last part, and "_rtc"."""
    time: str
    """Middle of the slice, RFC 3339."""
    direction: str
    bounds: Bounds

    @property
    def parts(self) -> tuple[str, str, str, str, str]:
        """Satellite letter, first and last second, absolute orbit, datatake."""
        found = _S1_ID.fullmatch(self.id)
        assert found, self.id
        # Some real ids of 2025 lack the datatake.
        return found[1], found[2], found[3], found[4], found[5] or "000000"

    @property
    def satellite(self) -> str:
        """Such as "sentinel-1a"."""
        return f"sentinel-1{self.parts[0].lower()}"

    @property
    def orbit(self) -> int:
        """Relative orbit: by the number of Sentinel-1A; else by the minute, which is enough over one place."""
        if "S1A_" in self.id:
            return (int(self.parts[3]) - 73) % 175 + 1
        early = int(self.time[14:16]) < 39
        return (14 if early else 87) if self.direction == "ascending" else (21 if early else 94)

    @property
    def outline(self) -> list[list[float]]:
        """Corners of the swath in lon/lat, closed: the bounds, slanted as a swath of 25 s is."""
        west, south, east, north = self.bounds
        lean, rise = 0.113 * (east - west), 0.22 * (north - south)
        if self.direction == "ascending":
            corners = [[west + lean, south], [east, south + rise], [east - lean, north], [west, north - rise]]
        else:
            corners = [[west, south + rise], [east - lean, south], [east, north - rise], [west + lean, north]]
        return [*corners, corners[0]]


def _granule(row: dict[str, str], bounds: Bounds) -> Granule:
    """Return the granule of a row."""
    found = _S2_ID.fullmatch(row["id"])
    assert found, row["id"]
    platform, take, orbit, tile, generated = found.groups()
    baseline = next(name for since, name in _BASELINES if generated >= since)
    return Granule(platform=platform, take=take, tile=tile, generated=generated, cloud=float(row["cloud"]),
                   bounds=bounds, orbit=int(orbit), baseline=baseline)  # fmt: skip


@cache
def table() -> tuple[tuple[Granule, ...], tuple[Slice, ...]]:
    """Return the passes of `passes.csv`, oldest first."""
    with Path(__file__).with_name("passes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    granules, slices = [], []
    for row in rows:
        bounds = (float(row["west"]), float(row["south"]), float(row["east"]), float(row["north"]))
        if row["id"].startswith("S2"):
            granules.append(_granule(row, bounds))
        else:
            told = {"id": row["id"], "time": row["datetime"], "direction": row["orbit_state"]}
            slices.append(Slice(**told, bounds=bounds))
    return tuple(granules), tuple(slices)


def more(folder: Path) -> tuple[tuple[Granule, ...], tuple[Slice, ...]]:
    """Return every pass that the scene lists in a folder of real data name: `s1_selected.json`, `s2_selected.json`."""
    optical = json.loads((folder / "s2_selected.json").read_text())
    radar = json.loads((folder / "s1_selected.json").read_text())
    granules = [_granule({**one, "cloud": f"{one['cloud']}"}, tuple(one["bbox"])) for one in optical]
    slices = [
        Slice(id=one["id"], time=one["datetime"], direction=one["orbit"], bounds=tuple(one["bbox"])) for one in radar
    ]
    return tuple(granules), tuple(slices)
