"""Sentinel-2 items as each catalogue writes them, and which file lies behind which address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.servers.passes import TILES, Granule, when
from tests.servers.pixels import HALVES_Y, Look, change, spacing
from tests.servers.settings import Settings

Item = dict[str, Any]
Files = dict[str, tuple[Granule, str, Look]]
"""Path on the asset server: product, band and how it is shown."""

C1_HOST = "e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com"
COGS_HOST = "sentinel-cogs.s3.us-west-2.amazonaws.com"
BLOB_HOST = "sentinel2l2a01.blob.core.windows.net"
COMMON_NAMES = {
    "coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05", "rededge2": "B06",
    "rededge3": "B07", "nir": "B08", "nir08": "B8A", "nir09": "B09", "swir16": "B11", "swir22": "B12",
    "aot": "AOT", "wvp": "WVP", "scl": "SCL",
}  # fmt: skip
QUALITY = ("AOT", "WVP", "SCL", "CLD", "SNW")
OVERLAND_S = {"36": 215, "37": 217}
"""Seconds from the start of the datatake to the granule: Earth Search and Sentinel Hub state the latter."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """A granule as it was processed once."""

    granule: Granule
    half: int | None = None
    sequence: int = 0
    """Earth Search's number: another datastrip, or another processing."""

    @property
    def sensed(self) -> Any:
        """When the granule itself was seen."""
        overland = OVERLAND_S[self.granule.tile[:2]] + (14 if self.half else 0)
        return when(self.granule.take) + timedelta(seconds=overland)


def products(granule: Granule, settings: Settings) -> list[Product]:
    """Return the products that there are of a granule."""
    told = settings.baselines.get(granule.day)
    granule = _with(granule, baseline=told) if told else granule
    found = [Product(granule=granule)]
    if granule.day in settings.split:
        later = _with(granule, generated=_later(granule.generated, minutes=1))
        found = [Product(granule=granule, half=0), Product(granule=later, half=1, sequence=1)]
    if granule.day in settings.reprocessed:
        baseline = f"{float(granule.baseline) + 0.01:05.2f}"
        again = _with(granule, generated=_later(granule.generated, minutes=60 * 24 * 40), baseline=baseline)
        found.append(Product(granule=again, sequence=len(found)))
    return found


def _with(granule: Granule, **changed: Any) -> Granule:
    """Return a granule that differs in some fields."""
    return Granule(**{**granule.__dict__, **changed})


def _later(stamp: str, *, minutes: int) -> str:
    """Return a stamp some minutes later."""
    return f"{when(stamp) + timedelta(minutes=minutes):%Y%m%dT%H%M%S}"


def _outline(product: Product) -> list[list[float]]:
    """Return the product's outline, lon/lat, closed."""
    epsg, (west, south, east, north) = TILES[product.granule.tile]
    if product.half is not None:
        south, north = (HALVES_Y, north) if product.half == 0 else (south, HALVES_Y)
    corners = [(west, north), (west, south), (east, south), (east, north), (west, north)]
    return [[round(value, 7) for value in change(epsg, 4326).transform(*corner)] for corner in corners]


def _feature(product: Product, name: str, collection: str, version: str = "1.0.0") -> Item:
    """Return what all catalogues write alike."""
    outline = _outline(product)
    lons, lats = zip(*outline, strict=True)
    return {
        "type": "Feature", "stac_version": version, "id": name, "collection": collection,
        "geometry": {"type": "Polygon", "coordinates": [outline]},
        "bbox": [min(lons), min(lats), max(lons), max(lats)],
        "properties": {}, "assets": {}, "links": [],
    }  # fmt: skip


def _stamp(time: Any, *, thousandths: int = 24) -> str:
    """Return a time as STAC writes it."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{thousandths:03}000Z"


def _grid(granule: Granule, band: str) -> dict[str, Any]:
    """Return shape and transform of a band's raster."""
    _, (west, _, _, north) = TILES[granule.tile]
    gsd = spacing(band)
    size = 109_800 // gsd
    return {"proj:shape": [size, size], "proj:transform": [gsd, 0, west, 0, -gsd, north]}


def _offset(product: Product, settings: Settings) -> float:
    """Return the offset that Earth Search's older collection states."""
    if settings.l2a_offset is not None:
        return settings.l2a_offset
    return 0.0 if settings.l2a_says == "true" or product.granule.baseline < "04.00" else -0.1


def _numbers(band: str, offset: float, settings: Settings) -> dict[str, Any]:
    """Return the `raster:bands` entry of a band."""
    told: dict[str, Any] = {"nodata": 0} if settings.declare_nodata else {}
    quality = band in QUALITY
    told |= {"data_type": "uint8" if band in ("SCL", "CLD", "SNW") else "uint16", "spatial_resolution": spacing(band)}
    if not quality:
        told |= {"bits_per_sample": 15, "scale": 0.0001, "offset": offset}
    return told


def _band_asset(product: Product, key: str, band: str, href: str, numbers: dict[str, Any]) -> dict[str, Any]:
    """Return a COG asset as Earth Search writes it."""
    roles = ["data", "reflectance"] if band not in QUALITY else ["data"]
    asset = {"href": href, "type": "image/tiff; application=geotiff; profile=cloud-optimized", "title": key,
             "roles": roles, "gsd": spacing(band), "raster:bands": [numbers]}  # fmt: skip
    if band not in QUALITY:
        asset["eo:bands"] = [{"name": key, "common_name": key.rstrip("0123456789") if "swir" not in key else key}]
    return asset | _grid(product.granule, band)


def _earth_search_properties(product: Product) -> dict[str, Any]:
    """Return the properties that both of Earth Search's collections have."""
    one = product.granule
    zone, letter, square = one.tile[:2], one.tile[2], one.tile[3:]
    made = _stamp(when(one.generated) + timedelta(hours=5))
    return {
        "datetime": _stamp(product.sensed, thousandths=351), "created": made, "updated": made,
        "platform": one.satellite, "constellation": "sentinel-2", "instruments": ["msi"],
        "eo:cloud_cover": one.cloud, "grid:code": f"MGRS-{one.tile}", "mgrs:utm_zone": int(zone),
        "mgrs:latitude_band": letter, "mgrs:grid_square": square, "proj:epsg": TILES[one.tile][0],
        "s2:processing_baseline": one.baseline, "s2:product_uri": f"{one.safe}.SAFE", "s2:datatake_id": one.datatake,
        "s2:product_type": "S2MSI2A", "s2:generation_time": _stamp(when(one.generated), thousandths=0),
        "s2:datastrip_id": f"S2{one.platform}_OPER_MSI_L2A_DS_2APS_{one.generated}_S{product.sensed:%Y%m%dT%H%M%S}"
                           f"_N{one.baseline}",
        "s2:nodata_pixel_percentage": 50.0 if product.half is not None else 0.0,
        "s2:cloud_shadow_percentage": 0.1, "s2:water_percentage": 38.0, "s2:snow_ice_percentage": 0.0,
        "view:sun_azimuth": 163.2, "view:sun_elevation": 31.4,
    }  # fmt: skip


def c1_item(product: Product, assets: str, files: Files, settings: Settings) -> Item:
    """Return the item of `sentinel-2-c1-l2a`."""
    one = product.granule
    name = f"S2{one.platform}_T{one.tile}_{product.sensed:%Y%m%dT%H%M%S}_L2A"
    item = _feature(product, name, "sentinel-2-c1-l2a")
    item["properties"] = _earth_search_properties(product) | {"s2:sequence": f"{product.sequence}"}
    zone, letter, square = one.tile[:2], one.tile[2], one.tile[3:]
    sensed = product.sensed
    home = f"/{C1_HOST}/sentinel-2-c1-l2a/{zone}/{letter}/{square}/{sensed.year}/{sensed.month}/{name}"
    offset = -0.1 if one.baseline >= "04.00" else 0.0
    named = {**COMMON_NAMES, "cloud": "CLD", "snow": "SNW"}
    for key, band in named.items():
        file = f"{home}/{band}{'_20m' if band in ('CLD', 'SNW') else ''}.tif"
        files[file] = (one, band, Look(half=product.half))
        item["assets"][key] = _band_asset(product, key, band, assets + file, _numbers(band, offset, settings))
    for key, file in (("visual", "TCI.tif"), ("thumbnail", "L2A_PVI.jpg"), ("preview", "L2A_PVI.tif"),
                      ("granule_metadata", "metadata.xml"), ("product_metadata", "product_metadata.xml"),
                      ("tileinfo_metadata", "tileInfo.json")):  # fmt: skip
        item["assets"][key] = {"href": f"{assets}{home}/{file}", "roles": ["metadata"], "title": key}
    return item


def l2a_item(product: Product, assets: str, files: Files, settings: Settings) -> Item:
    """Return the item of Earth Search's older `sentinel-2-l2a`."""
    one = product.granule
    day = product.sensed
    name = f"S2{one.platform}_{one.tile}_{day:%Y%m%d}_{product.sequence}_L2A"
    item = _feature(product, name, "sentinel-2-l2a")
    item["properties"] = _earth_search_properties(product) | {"s2:sequence": f"{product.sequence}"}
    if settings.l2a_says != "absent":
        item["properties"]["earthsearch:boa_offset_applied"] = settings.l2a_says == "true"
    place = f"{one.tile[:2]}/{one.tile[2]}/{one.tile[3:]}"
    home = f"/{COGS_HOST}/sentinel-s2-l2a-cogs/{place}/{day.year}/{day.month}/{name}"
    jp2 = f"s3://sentinel-s2-l2a/tiles/{place}/{day.year}/{day.month}/{day.day}/{product.sequence}"
    look = Look(raw=settings.l2a_pixels == "raw" or one.baseline < "04.00", half=product.half)
    for key, band in COMMON_NAMES.items():
        file = f"{home}/{band}.tif"
        files[file] = (one, band, look)
        numbers = _numbers(band, _offset(product, settings), settings)
        item["assets"][key] = _band_asset(product, key, band, assets + file, numbers)
        told = {"href": f"{jp2}/R{spacing(band)}m/{band}.jp2", "type": "image/jp2"}
        item["assets"][f"{key}-jp2"] = {**item["assets"][key], **told}
    for key, file in (("visual", "TCI.tif"), ("thumbnail", "thumbnail.jpg"), ("granule_metadata", "granule.xml"),
                      ("tileinfo_metadata", "tileinfo.json")):  # fmt: skip
        item["assets"][key] = {"href": f"{assets}{home}/{file}", "roles": ["metadata"], "title": key}
    return item


def planetary_item(product: Product, assets: str, files: Files, settings: Settings) -> Item:
    """Return the item of the Planetary Computer's `sentinel-2-l2a`: no `raster:bands`, ESA's pixels."""
    del settings
    one = product.granule
    name = f"S2{one.platform}_MSIL2A_{one.take}_R{one.orbit:03}_T{one.tile}_{one.generated}"
    item = _feature(product, name, "sentinel-2-l2a")
    taken = when(one.take)
    item["properties"] = {
        "datetime": _stamp(taken), "platform": f"Sentinel-2{one.platform}", "constellation": "Sentinel 2",
        "instruments": ["msi"], "eo:cloud_cover": one.cloud, "proj:epsg": TILES[one.tile][0],
        "s2:mgrs_tile": one.tile, "sat:relative_orbit": one.orbit, "sat:orbit_state": "descending",
        "s2:processing_baseline": one.baseline, "s2:datatake_id": one.datatake, "s2:product_type": "S2MSI2A",
        "s2:generation_time": _stamp(when(one.generated), thousandths=0), "s2:product_uri": f"{one.safe}.SAFE",
        "s2:mean_solar_zenith": 58.6, "s2:mean_solar_azimuth": 163.2,
        "s2:nodata_pixel_percentage": 50.0 if product.half is not None else 0.0,
    }  # fmt: skip
    granule = f"GRANULE/L2A_T{one.tile}_A{one.datatake.split('_')[2]}_{product.sensed:%Y%m%dT%H%M%S}/IMG_DATA"
    home = f"/{BLOB_HOST}/sentinel2-l2/{one.tile[:2]}/{one.tile[2]}/{one.tile[3:]}/{taken:%Y/%m/%d}/{one.safe}.SAFE"
    for band in sorted(set(COMMON_NAMES.values())):
        gsd = spacing(band)
        file = f"{home}/{granule}/R{gsd}m/T{one.tile}_{one.take}_{band}_{gsd}m.tif"
        files[file] = (one, band, Look(block=512, half=product.half))
        asset = {"href": assets + file, "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                 "roles": ["data"], "gsd": float(gsd), "title": band}  # fmt: skip
        item["assets"][band] = asset | _grid(one, band)
    for key in ("visual", "preview", "tilejson", "rendered_preview", "safe-manifest", "granule-metadata",
                "inspire-metadata", "product-metadata", "datastrip-metadata"):  # fmt: skip
        item["assets"][key] = {"href": f"{assets}{home}/{key}.xml", "roles": ["metadata"]}
    return item


def cdse_item(product: Product, assets: str, files: Files, settings: Settings) -> Item:
    """Return the item of the Copernicus Data Space's `sentinel-2-l2a`: STAC 1.1, pixels behind an account."""
    del assets, files, settings
    one = product.granule
    item = _feature(product, one.safe, "sentinel-2-l2a", "1.1.0")
    taken = when(one.take)
    item["properties"] = {
        "datetime": _stamp(taken), "platform": one.satellite, "constellation": "sentinel-2", "instruments": ["msi"],
        "eo:cloud_cover": one.cloud, "proj:code": f"EPSG:{TILES[one.tile][0]}", "grid:code": f"MGRS-{one.tile}",
        "sat:relative_orbit": one.orbit, "sat:orbit_state": "descending",
        "processing:version": one.baseline, "processing:level": "L2", "product:type": "S2MSI2A",
        "eopf:datatake_id": one.datatake,
    }  # fmt: skip
    home = f"Sentinel-2/MSI/L2A/{taken:%Y/%m/%d}/{one.safe}.SAFE"
    for band in ("B02", "B03", "B04", "B08", "AOT", "TCI", "SCL", "B11", "B12"):
        gsd = spacing(band)
        key = f"{band}_{gsd}m"
        item["assets"][key] = _closed_asset(one, f"{home}/GRANULE/IMG_DATA/R{gsd}m/T{one.tile}_{one.take}_{key}.jp2", {
            "gsd": gsd, "data_type": "uint8" if band == "SCL" else "uint16", "nodata": 0,
            **({} if band in QUALITY else {"raster:scale": 0.0001, "raster:offset": -0.1}), **_grid(one, band),
        })  # fmt: skip
    for key in ("product_metadata", "granule_metadata", "thumbnail", "Product"):
        item["assets"][key] = _closed_asset(one, f"{home}/{key}", {})
    return item


def _closed_asset(one: Granule, path: str, more: dict[str, Any]) -> dict[str, Any]:
    """Return an asset that needs an account."""
    https = f"https://zipper.dataspace.copernicus.eu/odata/v1/Products({one.generated})/Nodes({one.safe}.SAFE)/$value"
    return {
        "href": f"s3://eodata/{path}", "type": "image/jp2", "roles": ["data"], "auth:refs": ["s3"],
        "file:local_path": path, "alternate": {"https": {"href": https, "auth:refs": ["oidc"]}}, **more,
    }  # fmt: skip


def hub_item(product: Product, assets: str, files: Files, settings: Settings) -> Item:
    """Return the feature of Sentinel Hub's catalogue."""
    del assets, files, settings
    one = product.granule
    item = _feature(product, one.safe, "sentinel-2-l2a")
    epsg, (west, south, east, north) = TILES[one.tile]
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    item["properties"] = {
        "datetime": f"{product.sensed:%Y-%m-%dT%H:%M:%SZ}", "instruments": ["msi"], "constellation": "sentinel-2",
        "platform": one.satellite, "eo:cloud_cover": round(one.cloud, 2), "gsd": 10, "proj:epsg": epsg,
        "proj:bbox": [west, south, east, north],
        "proj:geometry": {"type": "MultiPolygon", "coordinates": [[ring]],
                          "crs": {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{epsg}"}}},
    }  # fmt: skip
    return item
