"""Pages of searches and their items, as the public catalogues write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from shapely.geometry import mapping

from imagery.scene import Period
from tests.passes import KHMEIMIM, part_of_area
from tests.servers import Fault, Server

Json = dict[str, Any]
PERIOD = Period(start=datetime(2024, 11, 20, tzinfo=UTC), end=datetime(2024, 12, 31, tzinfo=UTC))
BOUNDS = KHMEIMIM.geometry.bounds
TAKE = "20241207T082311"
COMMON = {
    "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1", "B08": "nir", "SCL": "scl",
}  # fmt: skip


def page(items: list[Any], *, next_link: Json | None = None, **more: Any) -> Json:
    """Return a page of a search."""
    links = [] if next_link is None else [{"rel": "next", **next_link}]
    return {"type": "FeatureCollection", "features": items, "links": links, **more}


def served(*answers: Any, status: int = 200) -> list[Fault]:
    """Return answers for requests that come one after the other; a number is the status of a failure."""
    made = []
    for answer in answers:
        body = b"{}" if isinstance(answer, int) else json.dumps(answer).encode()
        made.append(
            Fault(
                status=answer if isinstance(answer, int) else status,
                headers={"content-type": "application/json"},
                body=body,
            )
        )
    return made


def bare_item(name: str, collection: str = "c") -> Json:
    """Return an item of which only the name matters."""
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "collection": collection}


def bodies(server: Server) -> list[Any]:
    """Return what was posted, in order."""
    return [one.json for one in server.log("/search")]


def _item(name: str, collection: str, properties: Json, assets: Json, *, geometry: Any = None) -> Json:
    shape = geometry if geometry is not None else part_of_area()
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "geometry": mapping(shape),
        "bbox": list(shape.bounds),
        "properties": {key: value for key, value in properties.items() if value is not None},
        "assets": assets,
        "links": [],
    }


def c1_item(base: str, *, tile: str = "36SYE", take: str = TAKE, baseline: str = "05.11", **changed: Any) -> Json:
    """Return an item of Earth Search's Collection 1; `changed` are properties, and `assets` its own."""
    geometry = changed.pop("geometry", None)
    name = f"S2B_T{tile}_{take}_L2A"
    band = {"nodata": 0, "data_type": "uint16", "scale": 1e-4, "offset": -0.1}
    assets = changed.pop("assets", None) or {
        key: {"href": f"{base}/c1/{name}/{key}.tif", "raster:bands": [dict(band)]} for key in COMMON.values()
    }
    properties = {
        "datetime": "2024-12-07T08:26:25.900Z",
        "platform": "sentinel-2b",
        "grid:code": f"MGRS-{tile}",
        "s2:processing_baseline": baseline,
        "s2:product_uri": f"S2B_MSIL2A_{take}_N{baseline.replace('.', '')}_R121_T{tile}_20241207T104753.SAFE",
        "s2:datatake_id": f"GS2B_{take}_040487_N{baseline}",
        "s2:datastrip_id": f"S2B_OPER_MSI_L2A_DS_2BPS_20241207T104753_S20241207T082625_N{baseline}",
        "s2:generation_time": "2024-12-07T10:47:53.000000Z",
        **changed,
    }
    return _item(name, "sentinel-2-c1-l2a", properties, assets, geometry=geometry)


def l2a_item(base: str, *, sequence: int = 0, applied: bool | None = True, **changed: Any) -> Json:
    """Return an item of Earth Search's older collection."""
    item = c1_item(base, **{"earthsearch:boa_offset_applied": applied, **changed})
    item["id"] = f"S2B_36SYE_20241207_{sequence}_L2A"
    item["collection"] = "sentinel-2-l2a"
    for key, asset in item["assets"].items():
        asset["href"] = f"{base}/l2a/{item['id']}/{key}.tif"
        if "raster:bands" in asset:
            asset["raster:bands"][0]["offset"] = 0 if applied else -0.1
    return item


def pc_item(base: str, *, take: str = TAKE, baseline: str = "05.11", **changed: Any) -> Json:
    """Return an item of the Planetary Computer, which says nothing of units."""
    name = f"S2B_MSIL2A_{take}_R121_T36SYE_20241207T104753"
    assets = {band: {"href": f"{base}/sentinel2-l2/{name}/{band}.tif"} for band in COMMON}
    properties = {
        "datetime": "2024-12-07T08:23:11.024000Z",
        "platform": "Sentinel-2B",
        "s2:mgrs_tile": "36SYE",
        "sat:relative_orbit": 121,
        "sat:orbit_state": "descending",
        "s2:processing_baseline": baseline,
        "s2:datatake_id": f"GS2B_{take}_040487_N{baseline}",
        "s2:generation_time": "2024-12-07T10:47:53.000000Z",
        **changed,
    }
    return _item(name, "sentinel-2-l2a", properties, assets)


def rtc_item(base: str, *, name: str = "", polarisations: tuple[str, ...] = ("vv", "vh"), **changed: Any) -> Json:
    """Return an item of terrain-corrected radar of the Planetary Computer."""
    name = name or "S1A_IW_GRDH_1SDV_20241207T154141_20241207T154206_056891_06FCA1_rtc"
    assets = {
        key: {"href": f"{base}/sentinel1-grd-rtc/{name}/{key}.tif", "raster:bands": [{"nodata": -32768}]}
        for key in polarisations
    }
    properties = {
        "datetime": "2024-12-07T15:41:54Z",
        "platform": "SENTINEL-1A",
        "sat:orbit_state": "ascending",
        "sar:instrument_mode": "IW",
        **changed,
    }
    return _item(name, "sentinel-1-rtc", properties, assets)


def cdse_item(name: str = "", **changed: Any) -> Json:
    """Return an item of Copernicus Data Space, without its assets."""
    name = name or f"S2B_MSIL2A_{TAKE}_N0511_R121_T36SYE_20241207T104753"
    properties = {
        "datetime": "2024-12-07T08:23:11.024Z",
        "platform": "sentinel-2b",
        "processing:version": "05.11",
        **changed,
    }
    return _item(name, "sentinel-2-l2a", properties, {}) | {"stac_version": "1.1.0"}
