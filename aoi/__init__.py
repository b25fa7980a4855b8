"""Where: areas of interest, their zones, and the pixel grid that everything is read onto."""

from aoi.area import AOI, ZONE_KINDS, Building, Zone
from aoi.errors import AOIError
from aoi.grid import Grid

__all__ = ["AOI", "ZONE_KINDS", "AOIError", "Building", "Grid", "Zone"]
