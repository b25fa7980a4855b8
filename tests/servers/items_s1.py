"""Sentinel-1 items as each catalogue writes them, and which file lies behind which address."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

from tests.servers.passes import Slice
from tests.servers.pixels import frame
from tests.servers.settings import Settings

Item = dict[str, Any]
RadarFiles = dict[str, tuple[Slice, str]]
"""Path on the asset server: product and polarisation."""

BLOB_HOST = "sentinel1euwestrtc.blob.core.windows.net"


def named(product: Slice, settings: Settings) -> Slice:
    """Return a slice under the name that the settings want."""
    day, name = product.time[:10], product.id
    if day in settings.s1c:
        name = name.replace("S1A_", "S1C_")
    if day in settings.single_pol:
        name = name.replace("_1SDV_", "_1SSV_")
    return replace(product, id=name)


def polarisations(product: Slice) -> list[str]:
    """Return what the product holds."""
    return ["VV"] if "_1SSV_" in product.id else ["VV", "VH"]


def grd_name(product: Slice) -> str:
    """Return the GRD product's whole name; its last part is invented."""
    return f"{product.id.removesuffix('_rtc')}_{zlib.crc32(product.id.encode()) & 0xFFFF:04X}"


def _feature(product: Slice, name: str, collection: str, version: str = "1.0.0") -> Item:
    """Return what all catalogues write alike."""
    held = polarisations(product)
    return {
        "type": "Feature", "stac_version": version, "id": name, "collection": collection,
        "geometry": {"type": "Polygon", "coordinates": [product.outline]}, "bbox": list(product.bounds),
        "properties": {
            "datetime": product.time, "platform": product.satellite.upper(), "constellation": "Sentinel-1",
            "sar:instrument_mode": "IW", "sar:polarizations": held, "sar:product_type": "GRD",
            "sat:orbit_state": product.direction, "sat:relative_orbit": product.orbit,
            "sat:absolute_orbit": int(product.parts[3]), "s1:datatake_id": f"{int(product.parts[4], 16)}",
            "s1:polarization": "DV" if len(held) == 2 else "SV", "s1:resolution": "high", "s1:timeliness": "NRT-3h",
        },
        "assets": {}, "links": [],
    }  # fmt: skip


def _home(product: Slice, settings: Settings) -> str:
    """Return the folder of a GRD product as Amazon and the Planetary Computer lay it out."""
    del settings
    day = product.time[:10].split("-")
    held = "DV" if len(polarisations(product)) == 2 else "SV"
    return f"GRD/{day[0]}/{int(day[1])}/{int(day[2])}/IW/{held}/{grd_name(product)}"


def rtc_item(product: Slice, assets: str, files: RadarFiles, settings: Settings) -> Item:
    """Return the item of the Planetary Computer's `sentinel-1-rtc`."""
    item = _feature(product, product.id, "sentinel-1-rtc")
    raster = frame(product)
    south, east = raster.north - 10 * raster.rows, raster.west + 10 * raster.cols
    item["properties"] |= {
        "proj:epsg": raster.epsg, "proj:bbox": [raster.west, south, east, raster.north],
        "proj:shape": [raster.rows, raster.cols], "proj:transform": raster.transform,
        "start_datetime": product.time, "end_datetime": product.time,
    }  # fmt: skip
    home = f"/{BLOB_HOST}/sentinel1-grd-rtc/{_home(product, settings)}"
    for held in polarisations(product):
        file = f"{home}/measurement/iw-{held.lower()}.rtc.tiff"
        files[file] = (product, held)
        item["assets"][held.lower()] = {
            "href": assets + file, "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "roles": ["data"], "title": f"{held}: gamma naught, terrain corrected",
            "raster:bands": [{"nodata": -32768, "data_type": "float32", "spatial_resolution": 10.0}],
        }  # fmt: skip
    return item


def grd_item(product: Slice, assets: str, files: RadarFiles, settings: Settings) -> Item:
    """Return the item of Earth Search's `sentinel-1-grd`: a catalogue entry, its pixels cost money and have no grid."""
    del assets, files
    item = _feature(product, product.id.removesuffix("_rtc"), "sentinel-1-grd")
    item["properties"] |= {"proj:epsg": 4326, "proj:shape": [16681, 26098]}
    home = f"s3://sentinel-s1-l1c/{_home(product, settings)}"
    for held in polarisations(product):
        key = held.lower()
        item["assets"][key] = {"href": f"{home}/measurement/iw-{key}.tiff", "type": "image/tiff; application=geotiff",
                               "roles": ["data"], "proj:transform": [0.0001, 0, 35.0, 0, -0.0001, 36.0]}  # fmt: skip
        for part in ("product", "calibration", "noise"):
            href = f"{home}/annotation/{part}-iw-{key}.xml"
            item["assets"][f"schema-{part}-{key}"] = {"href": href, "roles": ["metadata"]}
    item["assets"]["safe-manifest"] = {"href": f"{home}/manifest.safe", "roles": ["metadata"]}
    item["assets"]["thumbnail"] = {"href": f"{home}/preview/quick-look.png", "roles": ["thumbnail"]}
    return item


def cdse_grd_item(product: Slice, assets: str, files: RadarFiles, settings: Settings) -> Item:
    """Return the item of the Copernicus Data Space's `sentinel-1-grd`."""
    del assets, files
    item = _feature(product, grd_name(product), "sentinel-1-grd", "1.1.0")
    item["properties"]["platform"] = product.satellite
    home = f"s3://eodata/Sentinel-1/SAR/IW_GRDH_1S/{product.time[:10].replace('-', '/')}/{grd_name(product)}.SAFE"
    for held in polarisations(product):
        item["assets"][held.lower()] = {"href": f"{home}/measurement/{held.lower()}.tiff", "auth:refs": ["s3"],
                                        "roles": ["data"]}  # fmt: skip
    del settings
    return item


def hub_grd_item(product: Slice, assets: str, files: RadarFiles, settings: Settings) -> Item:
    """Return the feature of Sentinel Hub's catalogue."""
    del assets, files, settings
    item = _feature(product, grd_name(product), "sentinel-1-grd")
    kept = ("sar:instrument_mode", "sar:polarizations", "sat:orbit_state", "s1:polarization", "s1:timeliness")
    told = {key: item["properties"][key] for key in kept}
    told |= {"datetime": f"{product.time[:19]}Z", "platform": product.satellite, "constellation": "sentinel-1"}
    item["properties"] = told | {"instruments": ["c-sar"], "s1:resolution": "HIGH"}
    return item
