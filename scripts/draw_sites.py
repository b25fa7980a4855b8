"""Draw the built-in sites from published coordinates: aoi/sites/*.geojson.

    python scripts/draw_sites.py [FOLDER]

Every outline is a table of metres from a published point, so that each number can be checked and corrected;
docs/sites.md says what each source is. A maintainer runs this after a change; a test holds the files against it, byte
for byte.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import NamedTuple

import pyproj
from shapely.affinity import affine_transform
from shapely.geometry import Polygon, box

from aoi import AOI, Zone
from aoi.assemble import checked
from aoi.builtin import FOLDER
from aoi.geojson import write_area
from aoi.geometry import local_crs, offset, to_lonlat

Point = tuple[float, float]
"""Longitude and latitude, degrees; or metres, where it says so."""

ESTIMATED = "estimated, no open outline: "


class Strip(NamedTuple):
    """A zone of an airfield, between lines along the runway and across it."""

    name: str
    kind: str
    along: Point
    """From, to: metres from threshold 17 towards threshold 35."""
    across: Point
    """From, to: metres from the centre line, east positive."""
    accuracy_m: float


class Part(NamedTuple):
    """A zone of a port."""

    name: str
    kind: str
    accuracy_m: float
    corners: tuple[Point, ...]
    """Metres east and north of the port's published point."""


# --- Khmeimim -----------------------------------------------------------------------------------------------------

THRESHOLD_17, THRESHOLD_35 = (35.9474983215332, 35.41389846801758), (35.94940185546875, 35.38869857788086)
"""OurAirports (public domain), OSLK; FlightGear's threshold file has both ends within 5 m of these."""
RUNWAY_LENGTH_M, RUNWAY_WIDTH_M = 2797.0, 45.0
"""OurAirports: 9175 x 148 ft; DAFIF: 2797 x 45 m."""
ARP = (35.948699951171875, 35.401100158691406)
"""Aerodrome reference point, OurAirports (public domain)."""
LAUNCHERS = (35.954038, 35.403243)
"""Where InformNapalm placed missile launchers on imagery of 12 March 2017 (ZN.UA, 2017)."""
YARD_HALF_M = 250.0
"""The launchers' place is published to a metre; how far the yard around it reaches is not known."""

STRIPS = (
    Strip("taxiway-west", "taxiway", (-100, 2900), (-260, -60), 100),
    Strip("taxiway-east", "taxiway", (-100, 2900), (60, 260), 100),
    Strip("apron-north", "apron", (0, 900), (-700, -260), 200),
    Strip("apron-centre", "apron", (900, 1800), (-700, -260), 200),
    Strip("apron-south", "apron", (1800, 2700), (-700, -260), 200),
    Strip("hardstand-nw", "hardstand", (-650, -100), (-700, -60), 250),
    Strip("helicopter-stands", "hardstand", (0, 900), (260, 800), 250),
    Strip("revetments", "revetment", (1500, 2400), (260, 800), 300),
    Strip("air-defence", "other", (-700, -100), (150, 900), 500),
)
STRIP_REASONS = {
    "taxiway-west": "the strip in which a parallel taxiway lies by ICAO Annex 14 (158 to 190 m between centre lines at "
    "a code 4 runway), or the second runway of which the press writes, whose ends are not published",
    "taxiway-east": "as taxiway-west, on the other side",
    "apron-north": "northern third of the ground west of the taxiway strip, deep enough for two rows of An-124 "
    "(73 m span) with taxi lanes wherever they lie in it",
    "apron-centre": "middle third of the ground west of the taxiway strip, as deep as apron-north",
    "apron-south": "southern third of the ground west of the taxiway strip, as deep as apron-north",
    "hardstand-nw": "ground north-west of threshold 17; the base lies in the north of the airport (German Wikipedia)",
    "helicopter-stands": "northern ground east of the taxiway strip; the press reports 20 to 35 helicopters (Difesa "
    "Online, 25 April 2016) and no place: either half holds them 60 m from each other",
    "revetments": "southern ground east of the taxiway strip; shelters against drones were built by 2019 (press), "
    "their place is not published",
    "air-defence": "open ground north-east of threshold 17; an S-400 unit stood at the base until December 2024 "
    "(Maxar, in the press), its place is not published",
}


def in_runway_frame(origin: Point, along: Point, across: Point) -> Polygon:
    """Return a rectangle in longitude and latitude.

    Parameters
    ----------
    origin
        Where its metres count from.
    along
        From, to: metres in the direction from threshold 17 to threshold 35.
    across
        From, to: metres at right angles to it, east positive.
    """
    azimuth = math.radians(pyproj.Geod(ellps="WGS84").inv(*THRESHOLD_17, *THRESHOLD_35)[0])
    forward = math.sin(azimuth), math.cos(azimuth)
    # To the left of a runway that leads south is east.
    left = -forward[1], forward[0]
    shape = box(along[0], across[0], along[1], across[1])
    turned = affine_transform(shape, [forward[0], left[0], forward[1], left[1], 0.0, 0.0])
    return to_lonlat(turned, local_crs(*origin))


def runway() -> Zone:
    """Return the runway: its published length, centred between the published ends."""
    apart = pyproj.Geod(ellps="WGS84").inv(*THRESHOLD_17, *THRESHOLD_35)[2]
    spare = (apart - RUNWAY_LENGTH_M) / 2
    return Zone(
        name="runway",
        kind="runway",
        geometry=in_runway_frame(THRESHOLD_17, (spare, apart - spare), (-RUNWAY_WIDTH_M / 2, RUNWAY_WIDTH_M / 2)),
        source="rectangle of the published length and width between the published ends (OurAirports, OSLK 17/35, "
        "public domain)",
        accuracy_m=15.0,
    )


def equipment_yard() -> Zone:
    """Return a square, turned as the runway is, around the published place of the launchers."""
    side = (-YARD_HALF_M, YARD_HALF_M)
    return Zone(
        name="equipment-yard",
        kind="storage",
        geometry=in_runway_frame(LAUNCHERS, side, side),
        source=f"{ESTIMATED}500 m square around the place where InformNapalm saw missile launchers on imagery of "
        "12 March 2017",
        accuracy_m=200.0,
    )


def strip_zone(strip: Strip) -> Zone:
    """Return the zone of a strip."""
    return Zone(
        name=strip.name,
        kind=strip.kind,
        geometry=in_runway_frame(THRESHOLD_17, strip.along, strip.across),
        source=ESTIMATED + STRIP_REASONS[strip.name],
        accuracy_m=float(strip.accuracy_m),
    )


# --- Tartus -------------------------------------------------------------------------------------------------------

TARTUS = (35.866667, 34.9)
"""World Port Index (public domain)."""
TARTUS_PARTS = (
    Part("berths-naval", "berth", 30, ((-100, 1440), (490, 1640), (510, 1580), (450, 1560), (500, 1410), (-40, 1240))),
    Part(
        "basin-naval",
        "basin",
        30,
        ((-680, 1060), (-380, 1310), (-230, 1380), (-100, 1440), (-40, 1240), (-290, 1160), (-390, 970)),
    ),
    Part("berths-north", "berth", 30, ((-390, 970), (220, 1150), (270, 1050), (260, 1000), (-250, 840))),
    Part("berths-centre", "berth", 30, ((-330, 610), (290, 800), (300, 780), (520, 850), (560, 720), (-170, 490))),
    Part("berths-south", "berth", 30, ((-160, 310), (620, 550), (640, 480), (350, 390), (-140, 240))),
    Part("quay-north", "quay", 30, ((-390, 970), (-290, 1160), (-40, 1240), (500, 1410), (560, 1240), (220, 1150))),
    Part(
        "quay-centre",
        "quay",
        30,
        ((-330, 610), (-290, 770), (-250, 840), (260, 1000), (520, 1080), (520, 850), (300, 780), (290, 800)),
    ),
    Part("quay-south", "quay", 30, ((-170, 490), (560, 720), (620, 550), (-160, 310))),
    Part(
        "basin-main",
        "basin",
        30,
        (
            *((-1100, 1090), (-680, 1060), (-390, 970), (-250, 840), (-290, 770), (-330, 610), (-170, 490)),
            *((-160, 310), (-140, 240), (350, 390), (400, 240), (340, 200), (560, 100), (540, -80), (270, -80)),
            *((200, -140), (-510, 40), (-720, 140), (-870, 310), (-920, 410)),
        ),
    ),
    Part("anchorage", "anchorage", 500, ((-3200, -600), (-1400, -600), (-1400, 3100), (-3200, 3100))),
)
OSM = (
    "; corners read to 10 m from the port's outline in OpenStreetMap (c) OpenStreetMap contributors, ODbL 1.0, and "
    "joined by straight lines"
)
ROADSTEAD = f"{ESTIMATED}sea outside the breakwater; where ships wait is not published"
TARTUS_REASONS = {
    "berths-naval": "inner half of the northernmost basin, where the floating piers of the Russian naval facility lie "
    f"(34.915 N 35.874 E, English Wikipedia){OSM}",
    "basin-naval": f"outer half of the northernmost basin{OSM}",
    "berths-north": f"dock between the first and the second pier from the north{OSM}",
    "berths-centre": f"dock between the second and the third pier from the north{OSM}",
    "berths-south": f"dock south of the third pier{OSM}",
    "quay-north": f"first pier from the north, its landward end cut by us{OSM}",
    "quay-centre": f"second pier from the north, its landward end cut by us{OSM}",
    "quay-south": f"third pier from the north{OSM}",
    "basin-main": f"water inside the western breakwater, outside the docks{OSM}",
    "anchorage": ROADSTEAD,
}

# --- Benghazi -----------------------------------------------------------------------------------------------------

BENGHAZI = (20.0 + 3.7 / 60, 32.0 + 7.4 / 60)
"""The light structure, 32 07.4 N 20 03.7 E, as an agent of the port publishes it (Marfamar)."""
BENGHAZI_PARTS = (
    Part("basin-outer", "basin", 300, ((-2200, -2200), (-900, -2200), (-900, -700), (-1500, -900), (-2200, -1600))),
    Part("berths-north", "berth", 300, ((-900, -1100), (-300, -1100), (-300, -500), (-900, -700))),
    Part("berths-city", "berth", 300, ((-900, -1700), (-300, -1700), (-300, -1100), (-900, -1100))),
    Part("berths-giuliana", "berth", 300, ((-900, -2500), (-300, -2500), (-300, -1700), (-900, -1700))),
    Part("quay-city", "quay", 300, ((-300, -2500), (100, -2500), (100, -500), (-300, -500))),
    Part("anchorage", "anchorage", 1000, ((-4000, -3300), (-2400, -3300), (-2400, -900), (-4000, -900))),
)
NO_CHART = f"{ESTIMATED}no open chart of this port was at hand; "
BENGHAZI_REASONS = {
    "basin-outer": f"{NO_CHART}water south-west of the light, behind the northern breakwater",
    "berths-north": f"{NO_CHART}quays at the root of the northern breakwater",
    "berths-city": f"{NO_CHART}Cathedral and Italia moles, which the harbour regulations name, towards the old town",
    "berths-giuliana": f"{NO_CHART}Giuliana mole, which the harbour regulations name, on the southern side",
    "quay-city": f"{NO_CHART}sheds and yards behind the berths",
    "anchorage": f"{ROADSTEAD}; the approach is from the south-west (Marfamar)",
}


def port_zone(part: Part, origin: Point, source: str) -> Zone:
    """Return the zone of a part of a port, whose corners count from `origin`."""
    return Zone(
        name=part.name,
        kind=part.kind,
        geometry=to_lonlat(Polygon(part.corners), local_crs(*origin)),
        source=source,
        accuracy_m=float(part.accuracy_m),
    )


# --- The areas ----------------------------------------------------------------------------------------------------


def around(origin: Point, west_m: float, south_m: float, east_m: float, north_m: float) -> Polygon:
    """Return the box of longitudes and latitudes that reaches so many metres from a point (west, south negative)."""
    west, south = offset(origin, east_m=west_m, north_m=0.0)[0], offset(origin, east_m=0.0, north_m=south_m)[1]
    east, north = offset(origin, east_m=east_m, north_m=0.0)[0], offset(origin, east_m=0.0, north_m=north_m)[1]
    return box(west, south, east, north)


def sites() -> tuple[AOI, ...]:
    """Return the built-in sites."""
    return (
        AOI(
            name="khmeimim",
            geometry=around(ARP, -2500, -2500, 2500, 2500),
            zones=(runway(), *(strip_zone(strip) for strip in STRIPS), equipment_yard()),
        ),
        AOI(
            name="tartus",
            geometry=around(TARTUS, -3300, -1000, 1700, 3700),
            zones=tuple(port_zone(part, TARTUS, TARTUS_REASONS[part.name]) for part in TARTUS_PARTS),
        ),
        AOI(
            name="benghazi",
            geometry=around(BENGHAZI, -4200, -3600, 1300, 1400),
            zones=tuple(port_zone(part, BENGHAZI, BENGHAZI_REASONS[part.name]) for part in BENGHAZI_PARTS),
        ),
    )


def main() -> None:
    """Write each site into the folder given, or where the program reads them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for site in sites():
        write_area(checked(site), folder / f"{site.name}.geojson")
        print(folder / f"{site.name}.geojson")


if __name__ == "__main__":
    main()
