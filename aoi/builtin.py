"""The built-in sites: areas drawn from published coordinates, kept as GeoJSON beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from aoi.area import AOI
from aoi.assemble import area_from_outlines
from aoi.errors import AOIError
from aoi.geojson import read_geojson

FOLDER = Path(__file__).parent / "sites"
"""Of the sites' files; scripts/draw_sites.py makes them."""


@cache
def site_names() -> tuple[str, ...]:
    """Return the names of the built-in sites, in alphabetical order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.geojson")))


@cache
def load_site(name: str) -> AOI:
    """Return a built-in site.

    Raises
    ------
    AOIError
        Where there is none of that name.
    """
    if name not in site_names():
        raise AOIError(f"there is no built-in site {name!r}; there are: {', '.join(site_names())}")
    return area_from_outlines(read_geojson((FOLDER / f"{name}.geojson").read_bytes()), name)
