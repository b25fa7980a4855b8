"""Small Sentinel-2 SAFE products with a known surface, written as ESA lays them out."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from aoi import Grid

ORIGIN = (700_000.0, 3_900_000.0)
SIZE = 120
"""Pixels of 10 m along a side."""
GRID = Grid(crs="EPSG:32636", transform=Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1]), width=SIZE, height=SIZE)
IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""By ESA's band_id."""
BANDS = ("B02", "B03", "B04", "B08")


def surface(seed: int = 3) -> NDArray[np.float64]:
    """Return (4, row, col) reflectance in whole steps of 1e-4, so that every encoding holds it exactly."""
    rng = np.random.default_rng(seed)
    levels = np.array([0.05, 0.09, 0.12, 0.25])[:, None, None]
    picture: NDArray[np.float64] = np.round(levels + 0.02 * rng.random((4, SIZE, SIZE)), 4)
    return picture


@dataclass(frozen=True, kw_only=True)
class Safe:
    """What to write; every field can be made wrong."""

    level: str = "L2A"
    baseline: str = "05.11"
    offset: int | None = -1000
    """In DN; None: no list in the metadata."""
    quantification: int = 10_000
    day: str = "20241207"
    old: bool = False
    """The format before December 2016."""
    picture: NDArray[np.float64] = field(default_factory=surface)
    classes: NDArray[np.uint8] = field(default_factory=lambda: np.full((SIZE // 2, SIZE // 2), 5, np.uint8))
    omitted_bands: tuple[str, ...] = ()
    """Bands left out of the list of offsets."""
    outline: str = ""
    """Latitudes and longitudes of the ground with data."""
    doctype: str = ""
    """Put before the root of the product's metadata."""

    @property
    def name(self) -> str:
        """Name of the product's folder."""
        if self.old:
            user = {"L1C": "OPER_PRD_MSIL1C", "L2A": "USER_PRD_MSIL2A"}[self.level]
            return f"S2A_{user}_PDMC_{self.day}T100000_R121_V{self.day}T082000_{self.day}T082000.SAFE"
        number = self.baseline.replace(".", "")
        return f"S2A_MSI{self.level}_{self.day}T082000_N{number}_R121_T36SYD_{self.day}T101500.SAFE"

    @property
    def metadata_name(self) -> str:
        """Name of the product's metadata."""
        if self.old:
            user = {"L1C": "OPER_MTD_SAFL1C", "L2A": "USER_MTD_SAFL2A"}[self.level]
            return f"S2A_{user}_PDMC_{self.day}T100000_R121_V{self.day}T082000_{self.day}T082000.xml"
        return f"MTD_MSI{self.level}.xml"

    def with_(self, **changes: Any) -> Safe:
        """Return the same with some things changed."""
        return replace(self, **changes)


def _offsets(safe: Safe) -> str:
    if safe.offset is None:
        return ""
    outer, inner = {
        "L1C": ("Radiometric_Offset_List", "RADIO_ADD_OFFSET"),
        "L2A": ("BOA_ADD_OFFSET_VALUES_LIST", "BOA_ADD_OFFSET"),
    }[safe.level]
    listed = [
        f'<{inner} band_id="{k}">{safe.offset}</{inner}>' for k, b in enumerate(IDS) if b not in safe.omitted_bands
    ]
    return f"<{outer}>{''.join(listed)}</{outer}>"


def product_xml(safe: Safe) -> str:
    """Return the product's metadata, with the elements that matter and some beside them."""
    day = f"{safe.day[:4]}-{safe.day[4:6]}-{safe.day[6:]}"
    if safe.level == "L1C":
        quantification = f'<QUANTIFICATION_VALUE unit="none">{safe.quantification}</QUANTIFICATION_VALUE>'
    else:
        prefix = "L2A_" if safe.old else ""
        quantification = (
            f"<QUANTIFICATION_VALUES_LIST><{prefix}BOA_QUANTIFICATION_VALUE>{safe.quantification}"
            f"</{prefix}BOA_QUANTIFICATION_VALUE><AOT_QUANTIFICATION_VALUE>1000.0</AOT_QUANTIFICATION_VALUE>"
            "</QUANTIFICATION_VALUES_LIST>"
        )
    return f"""<?xml version="1.0" encoding="UTF-8"?>{safe.doctype}
<n1:Level-{safe.level[1:]}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product.xsd">
<n1:General_Info><Product_Info><PRODUCT_START_TIME>{day}T08:20:01.024Z</PRODUCT_START_TIME>
<PROCESSING_LEVEL>Level-{safe.level[1:]}</PROCESSING_LEVEL>
<PROCESSING_BASELINE>{safe.baseline}</PROCESSING_BASELINE>
<Datatake datatakeIdentifier="GS2A"><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>
<SENSING_ORBIT_NUMBER>121</SENSING_ORBIT_NUMBER><SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION></Datatake>
</Product_Info><Product_Image_Characteristics>
<Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>
<Special_Values><SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX>
</Special_Values>{quantification}{_offsets(safe)}</Product_Image_Characteristics></n1:General_Info>
<n1:Geometric_Info><Global_Footprint><EXT_POS_LIST>{safe.outline}</EXT_POS_LIST></Global_Footprint></n1:Geometric_Info>
</n1:Level-{safe.level[1:]}_User_Product>"""


def tile_xml(safe: Safe) -> str:
    """Return the granule's metadata."""
    day = f"{safe.day[:4]}-{safe.day[4:6]}-{safe.day[6:]}"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-{safe.level[1:]}_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/Tile_Metadata.xsd">
<n1:General_Info><SENSING_TIME metadataLevel="Standard">{day}T08:26:10.540Z</SENSING_TIME></n1:General_Info>
<n1:Geometric_Info><Tile_Geocoding><HORIZONTAL_CS_CODE>EPSG:32636</HORIZONTAL_CS_CODE>
<Size resolution="10"><NROWS>{SIZE}</NROWS><NCOLS>{SIZE}</NCOLS></Size>
<Geoposition resolution="10"><ULX>{ORIGIN[0]:.0f}</ULX><ULY>{ORIGIN[1]:.0f}</ULY></Geoposition></Tile_Geocoding>
<Tile_Angles><Mean_Sun_Angle><ZENITH_ANGLE unit="deg">58.5</ZENITH_ANGLE>
<AZIMUTH_ANGLE unit="deg">163.25</AZIMUTH_ANGLE>
</Mean_Sun_Angle></Tile_Angles></n1:Geometric_Info></n1:Level-{safe.level[1:]}_Tile_ID>"""


def write_jp2(path: Path, numbers: NDArray[Any], gsd: float) -> None:
    """Write a lossless JPEG 2000 file whose only georeference is GMLJP2, as ESA's have it."""
    transform = Affine(gsd, 0, ORIGIN[0], 0, -gsd, ORIGIN[1])
    shape = {"height": numbers.shape[0], "width": numbers.shape[1], "count": 1, "dtype": numbers.dtype}
    lossless = {"QUALITY": "100", "REVERSIBLE": "YES", "GEOJP2": "NO", "GMLJP2": "YES"}
    with rasterio.open(path, "w", driver="JP2OpenJPEG", crs=GRID.crs, transform=transform, **shape, **lossless) as file:
        file.write(numbers, 1)


def _image_path(safe: Safe, band: str, gsd: int) -> str:
    if safe.level == "L1C" and not safe.old:
        return f"T36SYD_{safe.day}T082000_{band}.jp2"
    if safe.level == "L1C":
        return f"S2A_OPER_MSI_L1C_TL_EPA__{safe.day}T100000_A006000_T36SYD_{band}.jp2"
    if safe.old:
        kind = f"SCL_L2A_TL_EPA__{safe.day}T100000_A006000_T36SYD" if band == "SCL" else f"MSI_L2A_TL_T36SYD_{band}"
        return f"R{gsd}m/S2A_USER_{kind}_{gsd}m.jp2"
    return f"R{gsd}m/T36SYD_{safe.day}T082000_{band}_{gsd}m.jp2"


def write_safe(folder: Path, safe: Safe) -> Path:
    """Write a product as a folder; return its path."""
    top = folder / safe.name
    granule = (
        top
        / "GRANULE"
        / (
            f"S2A_OPER_MSI_L1C_TL_EPA__{safe.day}T100000_A006000_T36SYD_N02.04"
            if safe.old
            else f"{safe.level}_T36SYD_A006000"
        )
    )
    (granule / "IMG_DATA").mkdir(parents=True)
    (top / "manifest.safe").write_text("<xfdu/>")
    (top / safe.metadata_name).write_text(product_xml(safe))
    tile = f"S2A_OPER_MTD_{safe.level}_TL_EPA__{safe.day}T100000_A006000_T36SYD" if safe.old else "MTD_TL"
    (granule / f"{tile}.xml").write_text(tile_xml(safe))
    numbers = np.round(safe.picture * safe.quantification - (safe.offset or 0)).astype(np.uint16)
    pictures: dict[tuple[str, int], NDArray[Any]] = {(band, 10): n for band, n in zip(BANDS, numbers, strict=True)}
    if safe.level == "L2A":
        pictures["SCL", 20] = safe.classes
        pictures["B02", 20] = numbers[0, ::2, ::2]
    for (band, gsd), picture in pictures.items():
        path = granule / "IMG_DATA" / _image_path(safe, band, gsd)
        path.parent.mkdir(exist_ok=True)
        write_jp2(path, picture, gsd)
    return top


def zip_folder(top: Path, path: Path, *, extra: Mapping[str, bytes] | None = None) -> Path:
    """Pack a product as the archives of the data hubs do; `extra` members are added as they are named."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(top.rglob("*")):
            archive.write(file, f"{top.name}/{file.relative_to(top).as_posix()}")
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return path
