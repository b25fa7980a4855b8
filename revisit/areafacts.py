"""What is said of an area: where it is, how large, which tiles hold it, and what its zones are worth."""

from __future__ import annotations

from typing import Any

from aoi import AOI, Zone
from aoi.geometry import area_km2, centre, extent_km, utm_epsg, utm_name
from aoi.tiles import mgrs_tiles


def _zone_facts(zone: Zone) -> dict[str, Any]:
    return {
        "name": zone.name,
        "kind": zone.kind,
        "km2": round(area_km2(zone.geometry), 4),
        "accuracy_m": zone.accuracy_m,
        "source": zone.source,
    }


def area_facts(aoi: AOI) -> dict[str, Any]:
    """Return what `revisit area show --json` prints.

    Parameters
    ----------
    aoi
        Any.

    Returns
    -------
    dict[str, Any]
        `name`; `centre` (longitude, latitude, degrees); `size_km` (east-west, north-south); `km2`; `searched_km2`, of
        the zones where there are any, else of the area; `utm_zone`; `epsg`; `tiles`; `zones`; `buildings`, how many.
    """
    lon, lat = centre(aoi.geometry)
    epsg = utm_epsg(aoi.geometry)
    return {
        "name": aoi.name,
        "centre": [round(lon, 5), round(lat, 5)],
        "size_km": [round(side, 3) for side in extent_km(aoi.geometry)],
        "km2": round(area_km2(aoi.geometry), 4),
        "searched_km2": round(area_km2(aoi.searched), 4),
        "utm_zone": utm_name(epsg),
        "epsg": epsg,
        "tiles": list(mgrs_tiles(aoi.geometry)),
        "zones": [_zone_facts(zone) for zone in aoi.zones],
        "buildings": len(aoi.buildings),
    }


def degrees(lon: float, lat: float) -> str:
    """Return a place as a person reads it, with its hemispheres, such as "35.4011 N 35.9487 E"."""
    return f"{abs(lat):.4f} {'N' if lat >= 0 else 'S'} {abs(lon):.4f} {'E' if lon >= 0 else 'W'}"


def where(facts: dict[str, Any]) -> str:
    """Return one line that says where an area lies, by which a person sees that latitude and longitude are swapped."""
    across, along = facts["size_km"]
    return (
        f"centre {degrees(*facts['centre'])}, {across:.2f} x {along:.2f} km (east-west x north-south), "
        f"{facts['km2']:.2f} km2, UTM {facts['utm_zone']} (EPSG:{facts['epsg']}), tiles {' '.join(facts['tiles'])}"
    )
